//! `GetNext` on both sides.

use crate::support::{Trace, random};
use rand::Rng;
use softether_sys::{InsertQueue, NewQueue, QUEUE, ReleaseQueue};
use std::ffi::c_void;
use std::hint::black_box;
use std::ptr;

both_sides! { get_next: fn GetNext c_GetNext(q: *mut QUEUE) -> *mut c_void }

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    let mut random = random();
    // SAFETY: null is allowed; the queue is ours until it is released, and its items are numbers that nobody follows.
    unsafe {
        assert!(function(ptr::null_mut()).is_null());
        let queue = NewQueue();
        assert!(function(queue).is_null());
        let (mut next_in, mut next_out) = (1_usize, 1_usize);
        for _ in 0..500 {
            for _ in 0..random.random_range(0..400) {
                InsertQueue(queue, ptr::without_provenance_mut(next_in));
                next_in += 1;
            }
            for _ in 0..random.random_range(0..400) {
                let item = function(queue);
                if next_out == next_in {
                    assert!(item.is_null());
                } else {
                    assert_eq!(item.addr(), next_out);
                    next_out += 1;
                }
            }
            let fifo = &*(*queue).fifo;
            assert_eq!((*queue).num_item as usize, next_in - next_out);
            trace.push(format!("{} {} {} {}", fifo.pos, fifo.size, fifo.memsize, fifo.total_read_size));
        }
        ReleaseQueue(queue);
    }
    trace
}

/// Inserts an item and takes it out.
pub fn work(function: Function) -> impl FnMut() {
    // SAFETY: a queue of our own, alive to the end of the process.
    let queue = unsafe { NewQueue() };
    move || {
        // SAFETY: nobody else uses the queue, and nobody follows the item.
        unsafe {
            InsertQueue(queue, queue.cast());
            black_box(function(queue));
        }
    }
}
