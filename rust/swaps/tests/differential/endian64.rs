//! `Endian64` on both sides.

use softether_sys::UINT64;

both_sides! { endian64: fn Endian64 c_Endian64(src: UINT64) -> UINT64 }
byte_order_body! { UINT64 }
