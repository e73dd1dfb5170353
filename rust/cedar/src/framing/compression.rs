//! Compression of a session with `use_compress`: each frame is a zlib stream of its own.
//!
//! The same zlib as the C's does the work, with the parameters that `compress` sets (level 6, 15 window bits, memory
//! level 8), so the bytes are the C's bytes. One stream state serves all frames of a direction; the C builds and frees
//! one, of a quarter megabyte, per frame.

use super::statistics::DropReason;
use super::wire::MAX_PACKET_SIZE;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Bytes of buffer with which compressing `src_size` bytes always succeeds (C: `CalcCompress`, Mayaqua/Memory.c).
///
/// As in the C the number wraps above 2³¹ − 129; the compression into the short buffer then fails cleanly.
#[must_use]
pub const fn calc_compress(src_size: u32) -> u32 {
    src_size.wrapping_mul(2).wrapping_add(256)
}

/// Compresses frames, each into a zlib stream of its own.
#[derive(Debug)]
pub struct Compressor {
    zlib: Compress,
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// Allocates the stream state that all frames share.
    #[must_use]
    pub fn new() -> Self {
        Self { zlib: Compress::new(Compression::default(), true) }
    }

    /// Compresses `src` to the start of `dst` and returns the length, or 0 if it did not fit
    /// (C: `Compress`, Mayaqua/Memory.c).
    pub fn compress(&mut self, src: &[u8], dst: &mut [u8]) -> usize {
        self.zlib.reset();
        match self.zlib.compress(src, dst, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => produced(self.zlib.total_out(), dst),
            _ => 0,
        }
    }
}

/// Expands frames, each from a zlib stream of its own, to at most `MAX_PACKET_SIZE` bytes.
#[derive(Debug)]
pub struct Decompressor {
    zlib: Decompress,
    frame: [u8; MAX_PACKET_SIZE],
}

impl Default for Decompressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Decompressor {
    /// Allocates the stream state that all frames share.
    #[must_use]
    pub fn new() -> Self {
        Self { zlib: Decompress::new(true), frame: [0; MAX_PACKET_SIZE] }
    }

    /// Expands `body` into a frame of 1 to `MAX_PACKET_SIZE` bytes that lives until the next call.
    ///
    /// # Errors
    ///
    /// The reason for which the frame is dropped. The C delivers an empty frame instead (known difference
    /// `expand-failed`).
    pub fn expand(&mut self, body: &[u8]) -> Result<&[u8], DropReason> {
        match uncompress(&mut self.zlib, body, &mut self.frame) {
            None => Err(DropReason::BadCompression),
            Some(0) => Err(DropReason::EmptyAfterExpansion),
            Some(size) => Ok(&self.frame[..size]),
        }
    }

    /// Expands `src` to the start of `dst` and returns the length, or 0 if `src` is no whole zlib stream or does not
    /// fit (C: `Uncompress`, Mayaqua/Memory.c). Bytes behind the stream are ignored, as zlib's `uncompress` does.
    pub fn uncompress(&mut self, src: &[u8], dst: &mut [u8]) -> usize {
        uncompress(&mut self.zlib, src, dst).unwrap_or(0)
    }
}

fn uncompress(zlib: &mut Decompress, src: &[u8], dst: &mut [u8]) -> Option<usize> {
    zlib.reset(true);
    // One call is enough: `Finish` makes zlib use all of `src` and `dst` before it returns.
    match zlib.decompress(src, dst, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) => Some(produced(zlib.total_out(), dst)),
        _ => None,
    }
}

/// zlib's count of bytes written to `dst` as an index that cannot lie outside it.
fn produced(total_out: u64, dst: &[u8]) -> usize {
    usize::try_from(total_out).map_or(0, |size| size.min(dst.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compressed(frame: &[u8]) -> Vec<u8> {
        let mut out = vec![0; calc_compress(frame.len() as u32) as usize];
        let size = Compressor::new().compress(frame, &mut out);
        assert_ne!(size, 0);
        out.truncate(size);
        out
    }

    #[test]
    fn room_is_computed_as_the_c_does() {
        assert_eq!(calc_compress(0), 256);
        assert_eq!(calc_compress(1600), 3456);
        assert_eq!(calc_compress((1 << 31) - 129), u32::MAX - 1);
        assert_eq!(calc_compress((1 << 31) - 128), 0);
        assert_eq!(calc_compress(u32::MAX), 254);
    }

    #[test]
    fn a_stream_is_what_compress_of_zlib_makes_of_it() {
        // zlib 1.2.13, compress(); the bytes follow from RFC 1950 and 1951 for inputs this small.
        assert_eq!(compressed(b""), b"\x78\x9c\x03\x00\x00\x00\x00\x01");
        assert_eq!(compressed(b"a"), b"\x78\x9c\x4b\x04\x00\x00\x62\x00\x62");
        assert_eq!(compressed(&[0; 64]), b"\x78\x9c\x63\x60\xa0\x0c\x00\x00\x00\x40\x00\x01");
    }

    #[test]
    fn too_little_room_gives_zero_and_harms_no_later_frame() {
        let frame = [7; 1514];
        let whole = compressed(&frame);
        let mut compressor = Compressor::new();
        for room in 0..whole.len() {
            assert_eq!(compressor.compress(&frame, &mut vec![0; room]), 0, "room {room}");
        }
        let mut out = vec![0; whole.len()];
        assert_eq!(compressor.compress(&frame, &mut out), whole.len());
        assert_eq!(out, whole);
    }

    /// I5: 1600 bytes come out, 1601 do not, a bomb does not.
    #[test]
    fn at_most_a_packet_comes_out() {
        let mut decompressor = Decompressor::new();
        assert_eq!(decompressor.expand(&compressed(&[1; 1600])), Ok(&[1; 1600][..]));
        for size in [1601, 3200, 3201, 1 << 20] {
            let bomb = compressed(&vec![1; size]);
            assert_eq!(decompressor.expand(&bomb), Err(DropReason::BadCompression), "{size}");
        }
        assert_eq!(decompressor.expand(&compressed(&[2; 14])), Ok(&[2; 14][..]));
    }

    /// I5: empty, invalid, truncated, damaged; and a good frame still gets through after each.
    #[test]
    fn what_is_no_stream_is_dropped() {
        let good = compressed(b"a frame of fourteen bytes and more");
        let mut decompressor = Decompressor::new();
        let mut bad: Vec<Vec<u8>> = (0..good.len()).map(|cut| good[..cut].to_vec()).collect();
        for index in [0, 1, good.len() - 1] {
            let mut damaged = good.clone();
            damaged[index] ^= 0x11;
            bad.push(damaged);
        }
        bad.push(vec![0xff; 3200]);
        bad.push(b"\x78\xbb\x00\x00\x00\x00".to_vec()); // asks for a preset dictionary
        for body in bad {
            assert_eq!(decompressor.expand(&body), Err(DropReason::BadCompression), "{body:02x?}");
            assert!(decompressor.expand(&good).is_ok());
        }
        assert_eq!(decompressor.expand(&compressed(b"")), Err(DropReason::EmptyAfterExpansion));
    }

    /// I5: zlib's `uncompress` ignores what follows the stream, so the C delivers such a frame.
    #[test]
    fn trailing_bytes_are_ignored() {
        let mut body = compressed(&[9; 60]);
        body.extend_from_slice(&[0xaa; 500]);
        assert_eq!(Decompressor::new().expand(&body), Ok(&[9; 60][..]));
    }

    proptest! {
        #[test]
        fn expand_undoes_compress(frames in prop::collection::vec(prop::collection::vec(0u8..4, 1..=1600), 1..5)) {
            let (mut compressor, mut decompressor) = (Compressor::new(), Decompressor::new());
            for frame in frames {
                let mut out = [0; 3456];
                let size = compressor.compress(&frame, &mut out);
                prop_assert_eq!(&out[..size], &compressed(&frame)[..], "a used state compresses otherwise");
                prop_assert_eq!(decompressor.expand(&out[..size]), Ok(&frame[..]));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..3200), zlib_header: bool) {
            let mut body = body;
            if zlib_header && body.len() >= 2 {
                (body[0], body[1]) = (0x78, 0x9c);
            }
            if let Ok(frame) = Decompressor::new().expand(&body) {
                prop_assert!((1..=1600).contains(&frame.len()));
            }
        }
    }
}
