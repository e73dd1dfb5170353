//! `ReadFifo` on both sides.

use crate::support::{Trace, bytes, random, summary};
use rand::Rng;
use softether_sys::{FIFO, NewFifo, ReleaseFifo, UINT, WriteFifo};
use std::ffi::c_void;
use std::ptr;

both_sides! { read_fifo: fn ReadFifo c_ReadFifo(f: *mut FIFO, p: *mut c_void, size: UINT) -> UINT }

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    let mut random = random();
    let mut model = Vec::new();
    // SAFETY: null gives nothing; the FIFO is ours until it is released, the target has room for what is asked.
    unsafe {
        assert_eq!(function(ptr::null_mut(), ptr::null_mut(), 10), 0);
        // Once as FIFOs are, and once with bytes that never move (`fixed`).
        for fixed in [0, 1] {
            let fifo = NewFifo();
            (*fifo).fixed = fixed;
            assert_eq!(function(fifo, ptr::null_mut(), 10), 0, "an empty FIFO");
            model.clear();
            // A megabyte that is mostly read makes the FIFO give memory back.
            let writes = [10, 1 << 20, 0, 0, 0].into_iter().chain((0..500).map(|i| i * 7 % 2000));
            let mut source = vec![0; 1 << 20];
            for size in writes.collect::<Vec<usize>>() {
                source[..size].copy_from_slice(&bytes(&mut random, size));
                WriteFifo(fifo, source.as_mut_ptr().cast(), size as UINT);
                model.extend_from_slice(&source[..size]);

                let want = [0, 1, model.len() / 2, model.len(), model.len() + 1][random.random_range(0..5)];
                let mut target = vec![0; want];
                let discard = random.random_bool(0.3);
                let to = if discard { ptr::null_mut() } else { target.as_mut_ptr().cast() };
                let read = function(fifo, to, want as UINT) as usize;
                assert_eq!(read, want.min(model.len()));
                let expected: Vec<u8> = model.drain(..read).collect();
                assert!(discard || target[..read] == expected, "other bytes than were written");
                let f = &*fifo;
                trace.push(format!("{read} {} {} {} {} {}", f.pos, f.size, f.memsize, f.total_read_size, summary(&expected)));
            }
            ReleaseFifo(fifo);
        }
    }
    trace
}

/// Takes a full frame out of a FIFO that always holds one.
pub fn work(function: Function) -> impl FnMut() {
    // SAFETY: a FIFO of our own, alive to the end of the process.
    let fifo = unsafe { NewFifo() };
    let mut frame = vec![0_u8; 1514];
    // SAFETY: the frame's own bytes.
    unsafe { WriteFifo(fifo, frame.as_mut_ptr().cast(), 1514) };
    move || {
        // SAFETY: the target has room for a frame; the bytes read stay in the block, which is rewound.
        unsafe {
            function(fifo, frame.as_mut_ptr().cast(), 1514);
            (*fifo).pos = 0;
            (*fifo).size = 1514;
        }
    }
}
