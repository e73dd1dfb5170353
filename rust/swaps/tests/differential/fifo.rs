//! The swaps that make, free and look at a FIFO on both sides, and what one iteration of their benchmarks does.

use softether_sys::{FIFO, WriteFifo};
use std::hint::black_box;
use swaps::fifo::{Api, sequence};

family_tests! { Api, sequence }

/// A FIFO with a frame in it, alive to the end of the process.
fn full() -> *mut FIFO {
    let mut frame = [0x5a_u8; 1514];
    // SAFETY: the frame has the size that is said.
    unsafe {
        let f = (Api::C.new_fifo)();
        WriteFifo(f, frame.as_mut_ptr().cast(), 1514);
        f
    }
}

works! {
    new_fifo(f) {} { (Api::C.release_fifo)(f()) }
    new_fifo_fast(f) {} { (Api::C.release_fifo)(f()) }
    new_fifo_ex(f) {} { (Api::C.release_fifo)(f(1)) }
    new_fifo_ex2(f) {} { (Api::C.release_fifo)(f(1, 0)) }
    release_fifo(f) {} { f((Api::C.new_fifo)()) }
    cleanup_fifo(f) {} { f((Api::C.new_fifo_fast)()) }
    fifo_size(f) { let fifo = full(); } { f(black_box(fifo)) }
    fifo_ptr(f) { let fifo = full(); } { f(black_box(fifo)) }
    read_fifo_all(f) { let fifo = full(); } {
        softether_sys::FreeBuf(f(fifo));
        (*fifo).size = 1514;
    }
}
