//! The sizes of a `BLOCK`: what `NewBlock` computes, without the memory that it allocates.
//!
//! A swap of `NewBlock` asks [`BlockMode::buffer_size`] for the size of the buffer, fills it with
//! [`Compressor::compress`](super::Compressor::compress) or [`Decompressor::uncompress`](super::Decompressor::uncompress),
//! and puts [`BlockMode::sizes`] into the `BLOCK`.

use super::compression::calc_compress;

/// Room for an expanded frame (C: `MAX_PACKET_SIZE` in `NewBlock`).
const EXPANDED_SIZE: u32 = 1600;

/// What `NewBlock` does with its data (C: the argument `compress` of `NewBlock`, Cedar/Connection.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockMode {
    /// 0: the caller's buffer is taken over as it is.
    Keep,
    /// 1: the data is compressed into a new buffer.
    Compress,
    /// Any other value, −1 by convention: the data is expanded into a new buffer.
    Expand,
}

/// The members of a `BLOCK` that depend on the mode (C: `BLOCK`, Cedar/Connection.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSizes {
    /// Whether the buffer holds a zlib stream (C: `Compressed`).
    pub compressed: bool,
    /// Bytes in the buffer (C: `Size`).
    pub size: u32,
    /// Bytes that were given to `NewBlock`: plain when compressing, compressed when expanding (C: `SizeofData`).
    pub size_of_data: u32,
}

impl BlockMode {
    /// The mode for the C's number.
    #[must_use]
    pub const fn from_c(compress: i32) -> Self {
        match compress {
            0 => Self::Keep,
            1 => Self::Compress,
            _ => Self::Expand,
        }
    }

    /// Size of the buffer to allocate for data of `size` bytes; `None` means that the caller's buffer is kept.
    #[must_use]
    pub const fn buffer_size(self, size: u32) -> Option<u32> {
        match self {
            Self::Keep => None,
            Self::Compress => Some(calc_compress(size)),
            Self::Expand => Some(EXPANDED_SIZE),
        }
    }

    /// The members of the block, from the size of the data given and the bytes produced from it (0 on failure).
    #[must_use]
    pub const fn sizes(self, size: u32, produced: u32) -> BlockSizes {
        let compressed = matches!(self, Self::Compress);
        let in_buffer = match self {
            Self::Keep => size,
            Self::Compress | Self::Expand => produced,
        };
        BlockSizes { compressed, size: in_buffer, size_of_data: size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_number_expands() {
        assert_eq!(BlockMode::from_c(0), BlockMode::Keep);
        assert_eq!(BlockMode::from_c(1), BlockMode::Compress);
        for number in [-1, 2, i32::MIN, i32::MAX] {
            assert_eq!(BlockMode::from_c(number), BlockMode::Expand);
        }
    }

    #[test]
    fn sizes_in_each_mode() {
        let sizes = |compressed, size, size_of_data| BlockSizes { compressed, size, size_of_data };
        assert_eq!(BlockMode::Keep.sizes(1514, 0), sizes(false, 1514, 1514));
        assert_eq!(BlockMode::Compress.sizes(1514, 60), sizes(true, 60, 1514));
        assert_eq!(BlockMode::Compress.sizes(1514, 0), sizes(true, 0, 1514));
        assert_eq!(BlockMode::Expand.sizes(60, 1514), sizes(false, 1514, 60));
        assert_eq!(BlockMode::Keep.buffer_size(u32::MAX), None);
        assert_eq!(BlockMode::Compress.buffer_size(1514), Some(3284));
        assert_eq!(BlockMode::Expand.buffer_size(0), Some(1600));
    }
}
