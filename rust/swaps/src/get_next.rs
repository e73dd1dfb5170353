//! `GetNext`: takes the oldest item of a queue.
//!
//! Ownership: the item becomes the caller's. The caller holds the queue's lock where several threads use it.

use crate::memory::{compared, fifo, queue};
use crate::saved::{self, Saved};
use softether_sys::QUEUE;
use std::ffi::c_void;
use std::ptr;
use switch::{Control, Verdict, compare_results};

switch::swap! {
    /// Takes the oldest item of a queue (C: `GetNext`, Mayaqua/Memory.c). An empty queue and null give null.
    pub unsafe extern "C" fn GetNext(q: *mut QUEUE) -> *mut c_void;
    swap: crate::GET_NEXT,
    signature: softether_sys::GetNext,
    c: c_GetNext,
    contract: cloned(shadow),
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

/// The Rust side.
///
/// # Safety
/// `q` is null or a queue that nobody else uses meanwhile.
pub unsafe fn rust(q: *mut QUEUE) -> *mut c_void {
    if q.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the caller's.
    unsafe { queue::pop(q) }
}

/// Runs Rust on a copy of the queue and compares the items and what is left.
unsafe fn shadow(q: *mut QUEUE, control: Control<'_, *mut c_void>) -> Verdict {
    if q.is_null() {
        // SAFETY: null is allowed.
        return compare_results(&control.run(), &unsafe { rust(q) });
    }
    // SAFETY: the caller's; the candidate's queue is one of its own.
    unsafe { compared::next(q, control, |copy| rust(copy)) }
}

/// # Safety
/// As for [`rust`].
unsafe fn save(q: *mut QUEUE, input: &mut Vec<u8>) -> bool {
    // SAFETY: the caller's.
    unsafe { saved::put_queue(q, input) };
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some(mut queue), true) = (saved.queue(), saved.is_read()) else { return false };
    // SAFETY: the queue is ours, and its items are not followed.
    unsafe { GetNext(queue.as_mut().map_or(ptr::null_mut(), |queue| queue.as_mut())) };
    true
}

/// Both sides on null, on an empty queue, and on two items.
fn self_test() -> Result<(), String> {
    let (mut one, mut two) = (1_u8, 2_u8);
    let items = [&raw mut one, &raw mut two];
    let mut copies = [fifo::Copy::holding(&[]), fifo::Copy::holding(&[])];
    let [mut c, mut candidate] = copies.each_mut().map(|fifo| queue::on(fifo.as_mut()));
    // SAFETY: both queues are ours and stand on FIFOs of their own; the items are not followed.
    unsafe {
        for item in items {
            queue::push(&mut c, item);
            queue::push(&mut candidate, item);
        }
        for step in 0..3 {
            compare_results(&c_GetNext(&mut c), &rust(&mut candidate))
                .and_then(|()| queue::compare(&c, &candidate))
                .map_err(|difference| format!("step {step}: {difference}"))?;
        }
        compare_results(&c_GetNext(ptr::null_mut()), &rust(ptr::null_mut())).map_err(|difference| difference.to_string())
    }
}
