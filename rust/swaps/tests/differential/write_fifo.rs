//! `WriteFifo` on both sides.

use crate::support::{Trace, bytes, random, summary};
use rand::Rng;
use softether_sys::{FIFO, NewFifo, ReadFifo, ReleaseFifo, UINT};
use std::ffi::c_void;
use std::{ptr, slice};

both_sides! { write_fifo: fn WriteFifo c_WriteFifo(f: *mut FIFO, p: *mut c_void, size: UINT) }

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    let mut random = random();
    let mut model = Vec::new();
    // SAFETY: null is ignored; the FIFO is ours until it is released, the source has the bytes it says.
    unsafe {
        function(ptr::null_mut(), ptr::null_mut(), 10);
        let fifo = NewFifo();
        let sizes = [0, 1, 4095, 1, 1, 12_288, 100_000];
        let random_sizes: Vec<usize> = (0..500).map(|_| random.random_range(0..3000)).collect();
        for size in sizes.into_iter().chain(random_sizes) {
            let mut source = bytes(&mut random, size);
            function(fifo, source.as_mut_ptr().cast(), size as UINT);
            model.extend_from_slice(&source);
            assert_eq!(slice::from_raw_parts((*fifo).p.cast::<u8>().add((*fifo).pos as usize), (*fifo).size as usize), model);
            let taken = random.random_range(0..=model.len() / 2);
            model.drain(..ReadFifo(fifo, ptr::null_mut(), taken as UINT) as usize);
            let f = &*fifo;
            trace.push(format!("{} {} {} {} {}", f.pos, f.size, f.memsize, f.total_write_size, summary(&model)));
        }
        // Null leaves room without writing.
        let before = (*fifo).size;
        function(fifo, ptr::null_mut(), 5000);
        assert_eq!((*fifo).size, before + 5000);
        trace.push(format!("{} {}", (*fifo).size, (*fifo).memsize));
        ReleaseFifo(fifo);
    }
    trace
}

/// Appends a full frame, and takes it out again by resetting the FIFO's numbers.
pub fn work(function: Function) -> impl FnMut() {
    // SAFETY: a FIFO of our own, alive to the end of the process.
    let fifo = unsafe { NewFifo() };
    let mut frame = vec![0_u8; 1514];
    move || {
        // SAFETY: the frame's own bytes; nobody else uses the FIFO.
        unsafe {
            function(fifo, frame.as_mut_ptr().cast(), 1514);
            (*fifo).size = 0;
        }
    }
}
