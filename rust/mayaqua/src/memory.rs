//! The byte-order helpers of `Mayaqua/Memory.c`, as `const fn`.
//!
//! Not here: `READ_USHORT`, `WRITE_UINT` and their kind (`MayaType.h`); `from_be_bytes` and `to_be_bytes` say that.

/// Reverses the two bytes of `value` (C: `Swap16`, Mayaqua/Memory.c).
#[must_use]
pub const fn swap16(value: u16) -> u16 {
    value.swap_bytes()
}

/// Reverses the four bytes of `value` (C: `Swap32`, Mayaqua/Memory.c).
#[must_use]
pub const fn swap32(value: u32) -> u32 {
    value.swap_bytes()
}

/// Reverses the eight bytes of `value` (C: `Swap64`, Mayaqua/Memory.c).
#[must_use]
pub const fn swap64(value: u64) -> u64 {
    value.swap_bytes()
}

/// Host to network order and back (C: `Endian16`, Mayaqua/Memory.c).
#[must_use]
pub const fn endian16(src: u16) -> u16 {
    src.to_be()
}

/// Host to network order and back (C: `Endian32`, Mayaqua/Memory.c).
#[must_use]
pub const fn endian32(src: u32) -> u32 {
    src.to_be()
}

/// Host to network order and back (C: `Endian64`, Mayaqua/Memory.c).
#[must_use]
pub const fn endian64(src: u64) -> u64 {
    src.to_be()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn swap_reverses_the_bytes() {
        assert_eq!(swap16(0x0102), 0x0201);
        assert_eq!(swap32(0x0102_0304), 0x0403_0201);
        assert_eq!(swap64(0x0102_0304_0506_0708), 0x0807_0605_0403_0201);
        for edge in [0, 1, u64::MAX, 1 << 63] {
            assert_eq!(swap64(swap64(edge)), edge);
        }
    }

    #[test]
    fn endian_gives_network_order_in_memory() {
        assert_eq!(endian16(0x0102).to_ne_bytes(), [1, 2]);
        assert_eq!(endian32(0x0102_0304).to_ne_bytes(), [1, 2, 3, 4]);
        assert_eq!(endian64(0x0102_0304_0506_0708).to_ne_bytes(), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    proptest! {
        #[test]
        fn endian_is_its_own_inverse(value: u64) {
            prop_assert_eq!(endian64(endian64(value)), value);
            let (low, high) = (value as u32, (value >> 32) as u16);
            prop_assert_eq!(endian32(endian32(low)), low);
            prop_assert_eq!(endian16(endian16(high)), high);
        }
    }
}
