//! Compression: `NewBlock` that compresses, that expands what the other side compressed, and that expands what the fuzzer
//! has made or damaged. Every member and every byte must be the same.

use super::Choices;
use super::support::start;
use softether_sys::{BLOCK, Compress, FreeBlock, Malloc};
use std::ffi::{c_int, c_void};
use std::slice;
use swaps::new_block;

/// One input on both sides.
pub fn run(input: &[u8]) {
    start();
    let mut choices = Choices::new(input);
    while !choices.is_empty() {
        let size = choices.size(3200);
        let data = choices.contents(size);
        same_block(&data, 0);
        let mut stream = same_block(&data, 1);
        same_block(&stream, -1);
        // A stream that is damaged in places, cut, or followed by something.
        for _ in 0..choices.byte() % 4 {
            let at = choices.below(stream.len().max(1));
            if let Some(byte) = stream.get_mut(at) {
                *byte ^= choices.byte();
            }
        }
        let size = choices.below(2 * stream.len().max(1));
        stream.resize(size, choices.byte());
        same_block(&stream, -1);
        same_block(&data, -1);
    }
}

/// What both sides make of `data`.
fn same_block(data: &[u8], mode: c_int) -> Vec<u8> {
    let block = |function: unsafe fn(*mut c_void, u32, c_int) -> *mut BLOCK| {
        // SAFETY: the copy is given to the block, and the block is ours.
        unsafe {
            let copy = Malloc(data.len() as u32);
            copy.cast::<u8>().copy_from_nonoverlapping(data.as_ptr(), data.len());
            function(copy, data.len() as u32, mode)
        }
    };
    // SAFETY: as for the function itself.
    let (c, rust) =
        (block(|data, size, mode| unsafe { new_block::c_NewBlock(data, size, mode) }), block(new_block::rust));
    // SAFETY: both are whole blocks, and freed once.
    unsafe {
        let verdict = new_block::compare(&*c, &*rust);
        let made = slice::from_raw_parts((*c).Buf, (*c).Size as usize).to_vec();
        FreeBlock(c);
        FreeBlock(rust);
        assert!(verdict.is_ok(), "mode {mode}, {} bytes: {verdict:?}", data.len());
        made
    }
}

/// A zlib stream, as a peer with compression sends it.
pub fn compressed(frame: &[u8]) -> Vec<u8> {
    let mut stream = vec![0; 2 * frame.len() + 256];
    // SAFETY: both have the bytes they say.
    let size = unsafe {
        let source = frame.as_ptr().cast_mut().cast();
        Compress(stream.as_mut_ptr().cast(), stream.len() as u32, source, frame.len() as u32)
    };
    stream.truncate(size as usize);
    stream
}
