//! `NewBlock` on both sides.

use crate::support::{Trace, bytes, random, summary};
use rand::Rng;
use softether_sys::{BLOCK, UINT};
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::{ptr, slice};

both_sides! { new_block: fn NewBlock c_NewBlock(data: *mut c_void, size: UINT, compress: c_int) -> *mut BLOCK }

const KEEP: c_int = 0;
const COMPRESS: c_int = 1;
const EXPAND: c_int = -1;

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    for mode in [KEEP, COMPRESS, EXPAND, 2] {
        // SAFETY: null is allowed.
        assert!(unsafe { function(ptr::null_mut(), 100, mode) }.is_null());
    }
    let mut random = random();
    let sizes = [0, 1, 13, 14, 60, 1514, 1600, 1601, 3200, 65_535];
    let random_sizes: Vec<usize> = (0..200).map(|_| random.random_range(0..2000)).collect();
    for size in sizes.into_iter().chain(random_sizes) {
        let frame = bytes(&mut random, size);
        let kept = block(function, &frame, KEEP, &mut trace);
        assert_eq!(kept, frame);
        let compressed = block(function, &frame, COMPRESS, &mut trace);
        let expanded = block(function, &compressed, EXPAND, &mut trace);
        let fits = size <= 1600;
        assert_eq!(expanded, if fits { frame.as_slice() } else { &[] }, "{size} bytes there and back");
        // What is no zlib stream, and what is cut or followed by more.
        block(function, &frame, EXPAND, &mut trace);
        block(function, &compressed[..compressed.len() / 2], EXPAND, &mut trace);
        block(function, &[&compressed[..], b"more"].concat(), EXPAND, &mut trace);
    }
    trace
}

/// Makes a block of a copy of `data`, notes all its members, frees it, and returns what it held.
fn block(function: Function, data: &[u8], mode: c_int, trace: &mut Trace) -> Vec<u8> {
    // SAFETY: the copy is given away; the block is whole until it is freed.
    unsafe {
        let copy = softether_sys::Malloc(data.len() as UINT);
        copy.cast::<u8>().copy_from_nonoverlapping(data.as_ptr(), data.len());
        let block = function(copy, data.len() as UINT, mode);
        let b = &*block;
        let held = slice::from_raw_parts(b.Buf, b.Size as usize).to_vec();
        let flags = (b.Compressed, b.PriorityQoS, b.IsFlooding, b.RawFlagRetUdpAccel);
        trace.push(format!("{mode}: {flags:?} {} {} {} {}", b.SizeofData, b.Ttl, b.Param1, summary(&held)));
        assert_eq!(b.SizeofData as usize, data.len());
        softether_sys::Free(b.Buf.cast());
        softether_sys::Free(block.cast());
        held
    }
}

/// Makes a block of a full frame, and frees block and frame: NewBlock cannot be called without them.
pub fn work(function: Function) -> impl FnMut() {
    move || {
        // SAFETY: the frame is given to the block, and both are freed once.
        unsafe {
            let block = function(softether_sys::Malloc(1514), 1514, KEEP);
            softether_sys::Free((*black_box(block)).Buf.cast());
            softether_sys::Free(block.cast());
        }
    }
}
