//! `NewBlock`: makes a BLOCK that owns `data`, as it is, compressed or expanded.
//!
//! Ownership: `data` belongs to the block from here on; when compressing or expanding it is freed and the block
//! owns a new buffer. The caller frees the block with `FreeBlock`. No locks are held or taken.

use crate::memory::{self, spare::Block};
use cedar::framing::block::BlockMode;
use cedar::framing::{Compressor, Decompressor};
use crate::saved::{self, Saved};
use softether_sys::{BLOCK, UINT};
use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::ptr;
use switch::{Control, Difference, Kind, Shape, Verdict, compare_bytes};

switch::swap! {
    /// Makes a BLOCK that owns `data` (C: `NewBlock`, Cedar/Connection.c). Null `data` gives null.
    pub unsafe extern "C" fn NewBlock(data: *mut c_void, size: UINT, compress: c_int) -> *mut BLOCK;
    swap: crate::NEW_BLOCK,
    signature: softether_sys::NewBlock,
    c: c_NewBlock,
    contract: cloned(shadow),
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

thread_local! {
    static COMPRESSOR: RefCell<Compressor> = RefCell::new(Compressor::new());
    static DECOMPRESSOR: RefCell<Decompressor> = RefCell::new(Decompressor::new());
}

/// The Rust side.
///
/// # Safety
/// `data` is null or `size` bytes of Mayaqua memory that the caller gives away.
pub unsafe fn rust(data: *mut c_void, size: UINT, compress: c_int) -> *mut BLOCK {
    if data.is_null() {
        return ptr::null_mut();
    }
    let mode = BlockMode::from_c(compress);
    let (buffer, produced) = match mode.buffer_size(size) {
        None => (data, 0),
        Some(room) => {
            // SAFETY: the caller's.
            let input = unsafe { memory::view(data, size) };
            let mut output = vec![0; room as usize];
            let produced = convert(mode, input, &mut output);
            let buffer = memory::malloc(room);
            // SAFETY: the buffer has `room` bytes, and produced <= room.
            unsafe { buffer.cast::<u8>().copy_from_nonoverlapping(output.as_ptr(), produced) };
            (buffer, memory::index(produced))
        }
    };
    let sizes = mode.sizes(size, produced);
    let block = memory::malloc(memory::index(size_of::<BLOCK>())).cast::<BLOCK>();
    // SAFETY: new memory of the size and, being Mayaqua's, the alignment of a BLOCK.
    unsafe {
        block.write(BLOCK {
            Compressed: sizes.compressed.into(),
            Size: sizes.size,
            SizeofData: sizes.size_of_data,
            Buf: buffer.cast(),
            PriorityQoS: 0,
            Ttl: 0,
            Param1: 0,
            IsFlooding: 0,
            RawFlagRetUdpAccel: 0,
        });
    }
    if buffer != data {
        // SAFETY: the caller gave it away, and the block owns another buffer.
        unsafe { memory::free(data) };
    }
    block
}

/// The zlib state is kept per thread; where it is gone already, at the end of a thread, a new one does.
fn convert(mode: BlockMode, input: &[u8], output: &mut [u8]) -> usize {
    match mode {
        BlockMode::Keep => 0,
        BlockMode::Compress => COMPRESSOR
            .try_with(|zlib| zlib.borrow_mut().compress(input, output))
            .unwrap_or_else(|_| Compressor::new().compress(input, output)),
        BlockMode::Expand => DECOMPRESSOR
            .try_with(|zlib| zlib.borrow_mut().uncompress(input, output))
            .unwrap_or_else(|_| Decompressor::new().uncompress(input, output)),
    }
}

/// Runs Rust on a copy of the data and compares the two blocks.
unsafe fn shadow(data: *mut c_void, size: UINT, compress: c_int, control: Control<'_, *mut BLOCK>) -> Verdict {
    if data.is_null() {
        // SAFETY: null is allowed.
        let candidate = unsafe { rust(data, size, compress) };
        return switch::compare_results(&control.run(), &candidate);
    }
    // SAFETY: the caller's; the copy is made before C frees the original.
    let input = unsafe { memory::view(data, size) };
    // A block that keeps its data as it is gives it back at the end; one that converts it frees it.
    let kept = (BlockMode::from_c(compress) == BlockMode::Keep).then(|| Block::holding(input));
    let copy = kept.as_ref().map_or_else(|| memory::malloc_copy(input), Block::memory);
    let c = control.run();
    // SAFETY: the copy is given away.
    let candidate = unsafe { rust(copy, size, compress) };
    // SAFETY: both blocks are whole, and the candidate is seen by nobody else.
    unsafe {
        let verdict = compare(&*c, &*candidate);
        let buffer = (*candidate).Buf.cast();
        match kept {
            Some(kept) => kept.give_back(buffer),
            None => memory::free(buffer),
        }
        memory::free(candidate.cast());
        verdict
    }
}

/// Compares all members but the address of the buffer, and the bytes in it.
///
/// # Safety
/// Both blocks own `Size` bytes.
pub unsafe fn compare(c: &BLOCK, rust: &BLOCK) -> Verdict {
    let members = |b: &BLOCK| {
        let flags = (b.Compressed, b.PriorityQoS, b.IsFlooding, b.RawFlagRetUdpAccel);
        (flags, b.SizeofData, b.Ttl, b.Param1)
    };
    if members(c) != members(rust) {
        return Err(Difference::new(Kind::State, Shape::Word("block"), Shape::Word("another block")));
    }
    // SAFETY: the caller's.
    unsafe { compare_bytes(memory::view(c.Buf.cast(), c.Size), memory::view(rust.Buf.cast(), rust.Size)) }
}

/// # Safety
/// As for [`rust`].
unsafe fn save(data: *mut c_void, size: UINT, compress: c_int, input: &mut Vec<u8>) -> bool {
    // SAFETY: the caller's.
    unsafe { saved::put_data(data, size, input) };
    saved::put_number(i64::from(compress).cast_unsigned(), input);
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some((bytes, size)), Some(compress), true) = (saved.data(), saved.number(), saved.is_read()) else {
        return false;
    };
    let Ok(compress) = c_int::try_from(compress.cast_signed()) else { return false };
    // SAFETY: the data is a block's own copy, which is given away; so is the block, once nobody looks at it.
    unsafe {
        let block = NewBlock(bytes.map_or(ptr::null_mut(), memory::malloc_copy), size, compress);
        softether_sys::FreeBlock(block);
    }
    true
}

/// Both sides on a frame that is kept, compressed, and expanded again, and on what is no zlib stream.
fn self_test() -> Result<(), String> {
    let frame = [0x5a; 100];
    let mut compressed = [0; 456];
    let length = Compressor::new().compress(&frame, &mut compressed);
    for (input, mode) in [(&frame[..], 0), (&frame[..], 1), (&compressed[..length], -1), (&frame[..], -1)] {
        let size = memory::index(input.len());
        // SAFETY: each call gets a copy of its own, and each block is freed once.
        unsafe {
            let c = c_NewBlock(memory::malloc_copy(input), size, mode);
            let candidate = rust(memory::malloc_copy(input), size, mode);
            let verdict = compare(&*c, &*candidate);
            for block in [c, candidate] {
                memory::free((*block).Buf.cast());
                memory::free(block.cast());
            }
            verdict.map_err(|difference| format!("mode {mode}: {difference}"))?;
        }
    }
    Ok(())
}
