//! `FreeBlock` on both sides. What it frees cannot be looked at; Mayaqua's count of its memory objects can.

use crate::support::Trace;
use softether_sys::{BLOCK, Malloc, UINT};
use std::ptr;

both_sides! { free_block: fn FreeBlock c_FreeBlock(b: *mut BLOCK) }

fn new_block(buffer_size: Option<UINT>) -> *mut BLOCK {
    // SAFETY: new memory of a block's size, all of whose members may be zero.
    unsafe {
        let block = Malloc(size_of::<BLOCK>() as UINT).cast::<BLOCK>();
        block.write_bytes(0, 1);
        if let Some(size) = buffer_size {
            (*block).Buf = Malloc(size).cast();
        }
        block
    }
}

fn body(function: Function) -> Trace {
    // SAFETY: null is ignored; every block is whole and given away.
    unsafe {
        function(ptr::null_mut());
        for size in [None, Some(0), Some(1), Some(1514), Some(1 << 20)] {
            function(new_block(size));
        }
    }
    // A thousand times a mebibyte: a side that forgets the buffer shows in the peak of resident memory.
    let before = resident_kib();
    for _ in 0..1000 {
        let block = new_block(Some(1 << 20));
        // SAFETY: the buffer has that many bytes; the block is given away.
        unsafe {
            (*block).Buf.write_bytes(1, 1 << 20);
            function(block);
        }
    }
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 512 << 10, "{grown} KiB of freed blocks are still held");
    vec!["freed".to_owned()]
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Makes a block with a full frame's buffer and frees both: FreeBlock cannot be called without them.
pub fn work(function: Function) -> impl FnMut() {
    move || {
        // SAFETY: a whole block, given away.
        unsafe { function(new_block(Some(1514))) };
    }
}
