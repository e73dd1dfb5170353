//! `Endian16` on both sides.

use softether_sys::USHORT;

both_sides! { endian16: fn Endian16 c_Endian16(src: USHORT) -> USHORT }
byte_order_body! { USHORT }
