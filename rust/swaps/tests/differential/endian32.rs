//! `Endian32` on both sides.

use softether_sys::UINT;

both_sides! { endian32: fn Endian32 c_Endian32(src: UINT) -> UINT }
byte_order_body! { UINT }
