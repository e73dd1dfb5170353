//! PACK: half of the inputs are messages, the others are calls of the swaps of `Mayaqua/Pack.c`.
//!
//! What Rust takes, C must take as the same. What Rust refuses, C may take: the differences whose ids begin with `pack-`. The
//! C is not asked then, since some of that makes it read outside its memory or take half a gigabyte.

use super::support::start;
use softether_sys as sys;

/// One input on both sides.
pub fn run(input: &[u8]) {
    match input.split_first() {
        Some((0..=127, message)) => read(message),
        Some((_, rest)) => super::shims::run(swaps::pack::ITEMS, rest),
        None => {}
    }
}

fn read(message: &[u8]) {
    start();
    let rust = side(message, swaps::buf_to_pack::RUST);
    if rust.is_some() {
        assert_eq!(side(message, swaps::buf_to_pack::C), rust, "C left, Rust right");
    }
}

/// What a side reads, written again, and where it stops.
fn side(message: &[u8], function: swaps::buf_to_pack::Function) -> Option<(Vec<u8>, u32)> {
    // SAFETY: the BUFs and the PACK are this function's.
    unsafe {
        let buf = sys::NewBufFromMemory(message.as_ptr().cast_mut().cast(), u32::try_from(message.len()).ok()?);
        let pack = function(buf);
        let position = (*buf).Current;
        sys::FreeBuf(buf);
        if pack.is_null() {
            return None;
        }
        let written = sys::PackToBuf(pack);
        let bytes = std::slice::from_raw_parts((*written).Buf.cast::<u8>(), (*written).Size as usize).to_vec();
        sys::FreeBuf(written);
        sys::FreePack(pack);
        Some((bytes, position))
    }
}
