//! `InsertQueue`: appends an item to a queue.
//!
//! Ownership: the item is the queue's from here on. The caller holds the queue's lock where several threads use it.

use crate::memory::{compared, fifo, queue};
use crate::saved::{self, Saved};
use softether_sys::QUEUE;
use std::ffi::c_void;
use std::ptr;
use switch::{Control, Verdict};

switch::swap! {
    /// Appends an item to a queue (C: `InsertQueue`, Mayaqua/Memory.c). A null queue and a null item are ignored.
    pub unsafe extern "C" fn InsertQueue(q: *mut QUEUE, p: *mut c_void);
    swap: crate::INSERT_QUEUE,
    signature: softether_sys::InsertQueue,
    c: c_InsertQueue,
    contract: cloned(shadow),
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

/// The Rust side.
///
/// # Safety
/// `q` is null or a queue that nobody else uses meanwhile.
pub unsafe fn rust(q: *mut QUEUE, p: *mut c_void) {
    if q.is_null() || p.is_null() {
        return;
    }
    // SAFETY: the caller's.
    unsafe { queue::push(q, p) };
}

/// Runs Rust on a copy of the queue and compares the two.
unsafe fn shadow(q: *mut QUEUE, p: *mut c_void, control: Control<'_, ()>) -> Verdict {
    if q.is_null() {
        control.run();
        return Ok(());
    }
    // SAFETY: the caller's; the candidate's queue is one of its own.
    unsafe { compared::insert(q, control, |copy| rust(copy, p)) }
}

/// # Safety
/// As for [`rust`].
unsafe fn save(q: *mut QUEUE, p: *mut c_void, input: &mut Vec<u8>) -> bool {
    // SAFETY: the caller's.
    unsafe { saved::put_queue(q, input) };
    saved::put_number(p.addr() as u64, input);
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some(mut queue), Some(item), true) = (saved.queue(), saved.number(), saved.is_read()) else { return false };
    let item = ptr::without_provenance_mut(item as usize);
    // SAFETY: the queue is ours, and its items are not followed.
    unsafe { InsertQueue(queue.as_mut().map_or(ptr::null_mut(), |queue| queue.as_mut()), item) };
    true
}

/// Both sides on so many items that the queue's memory grows, on a null item, and on null.
fn self_test() -> Result<(), String> {
    let mut bytes = [0_u8; 600];
    let mut copies = [fifo::Copy::holding(&[]), fifo::Copy::holding(&[])];
    let [mut c, mut candidate] = copies.each_mut().map(|fifo| queue::on(fifo.as_mut()));
    let items = bytes.iter_mut().map(|byte| ptr::from_mut(byte).cast()).chain([ptr::null_mut()]);
    // SAFETY: both queues are ours and stand on FIFOs of their own; the items are not followed; null is ignored.
    unsafe {
        for item in items {
            c_InsertQueue(&mut c, item);
            rust(&mut candidate, item);
        }
        rust(ptr::null_mut(), (&raw mut bytes).cast());
        queue::compare(&c, &candidate).map_err(|difference| difference.to_string())
    }
}
