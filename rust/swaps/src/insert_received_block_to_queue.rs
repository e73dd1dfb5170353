//! `InsertReceivedBlockToQueue`: puts a received block into the session's queue.
//!
//! Ownership: the block is the queue's from here on, or freed if the queue is full. With `no_lock` the caller holds the
//! queue's lock or is the only one who uses it; without, the lock is taken here.

use crate::memory::{block, connection};
use softether_sys::{BLOCK, CONNECTION, LockQueue, UINT, UnlockQueue};
use std::ptr;

switch::swap! {
    /// Puts a received block into the queue (C: `InsertReceivedBlockToQueue`, Cedar/Connection.c). Null is ignored.
    pub unsafe extern "C" fn InsertReceivedBlockToQueue(c: *mut CONNECTION, block: *mut BLOCK, no_lock: UINT);
    swap: crate::INSERT_RECEIVED_BLOCK_TO_QUEUE,
    signature: softether_sys::InsertReceivedBlockToQueue,
    c: c_InsertReceivedBlockToQueue,
    contract: effect(()),
    // SAFETY: the dispatcher's caller gives a connection or null.
    session: unsafe { connection::session_id(c) },
    rust: rust,
    self_test: self_test,
}

/// The Rust side.
///
/// # Safety
/// `c` is null or a connection with a session; `block` is null or given away.
pub unsafe fn rust(c: *mut CONNECTION, block: *mut BLOCK, no_lock: UINT) {
    if c.is_null() || block.is_null() {
        return;
    }
    // SAFETY: the caller's; nothing between the two can panic but a queue of 4 GiB.
    unsafe {
        if no_lock == 0 {
            LockQueue((*c).ReceivedBlocks);
        }
        connection::insert_received_block(c, block);
        if no_lock == 0 {
            UnlockQueue((*c).ReceivedBlocks);
        }
    }
}

/// Both sides ignore null; what they do with a connection is the differential test's.
fn self_test() -> Result<(), String> {
    let lost = block::holding(&[], 0);
    // SAFETY: null is ignored, and the block stays ours.
    unsafe {
        c_InsertReceivedBlockToQueue(ptr::null_mut(), lost, 1);
        rust(ptr::null_mut(), lost, 1);
        block::free(lost);
    }
    Ok(())
}
