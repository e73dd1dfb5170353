//! `GetFifoPointer` on both sides.

use crate::support::Trace;
use softether_sys::{FIFO, NewFifo, ReadFifo, ReleaseFifo, UCHAR, UINT, WriteFifo};
use std::hint::black_box;
use std::ptr;

both_sides! { get_fifo_pointer: fn GetFifoPointer c_GetFifoPointer(f: *mut FIFO) -> *mut UCHAR }

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    // SAFETY: null is allowed; the FIFO is ours until it is released.
    unsafe {
        assert!(function(ptr::null_mut()).is_null());
        let fifo = NewFifo();
        let mut bytes: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        for (write, read) in [(0, 0), (1, 0), (255, 1), (20_000, 19_999), (1, 0), (0, u32::MAX)] {
            WriteFifo(fifo, bytes.as_mut_ptr().cast(), write);
            ReadFifo(fifo, ptr::null_mut(), read);
            let pointer = function(fifo);
            let offset = pointer.offset_from((*fifo).p.cast());
            let first = if (*fifo).size > 0 { *pointer } else { 0 };
            assert_eq!(offset, (*fifo).pos as isize);
            trace.push(format!("offset {offset}, first byte {first}"));
        }
        ReleaseFifo(fifo);
    }
    trace
}

/// One call.
pub fn work(function: Function) -> impl FnMut() {
    // SAFETY: all members of a FIFO may be zero.
    let mut fifo: Box<FIFO> = Box::new(unsafe { std::mem::zeroed() });
    fifo.pos = 10 as UINT;
    move || {
        // SAFETY: the position is not followed.
        black_box(unsafe { function(black_box(&mut *fifo)) });
    }
}
