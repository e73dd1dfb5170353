//! The swaps that make, free, lock and count a QUEUE on both sides, and what one iteration of their benchmarks does.

use softether_sys::{Free, GetNext, QUEUE};
use std::hint::black_box;
use swaps::queue::{Api, sequence};

family_tests! { Api, sequence }

/// A queue, alive to the end of the process.
fn queue() -> *mut QUEUE {
    // SAFETY: a queue may be made at any time.
    unsafe { (Api::C.new_queue)() }
}

works! {
    new_queue(f) {} { (Api::C.release_queue)(f()) }
    new_queue_fast(f) {} { (Api::C.release_queue)(f()) }
    release_queue(f) {} { f((Api::C.new_queue)()) }
    cleanup_queue(f) {} { f((Api::C.new_queue_fast)()) }
    lock_queue(f) { let q = queue(); } { f(q); (Api::C.unlock_queue)(q) }
    unlock_queue(f) { let q = queue(); } { (Api::C.lock_queue)(q); f(q) }
    get_queue_num(f) { let q = queue(); } { f(black_box(q)) }
    get_next_with_lock(f) { let q = queue(); } { (Api::C.insert_queue_int)(q, 1); Free(f(q)) }
    insert_queue_int(f) { let q = queue(); } { f(q, 1); Free(GetNext(q)) }
}
