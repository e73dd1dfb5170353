//! The swaps on QUEUE, pointers in a FIFO, that make, free, lock and count (C: Mayaqua/Memory.c); `GetNext` and
//! `InsertQueue` are files of their own, in the group framing.
//!
//! Ownership: a QUEUE is its maker's, or counted by its REF; the items are whoever's takes them out. The functions that lock
//! do so themselves; for the others the caller holds the lock where several threads use the queue.

use crate::family::{Outcome, Random, Trace, family};
use crate::memory::{self, ks_inc, malloc, queue};
use softether_sys::{
    DeleteLock, FIFO, KS_FREEQUEUE_COUNT, KS_NEWQUEUE_COUNT, LockInner, NewFifo, NewFifoFast, NewLock, NewRef, QUEUE,
    Release, ReleaseFifo, UINT, UnlockInner,
};
use std::ffi::c_void;
use std::ptr;
use switch::{Difference, Kind, Shape, Verdict};

family! {
    sequence: sequence;

    /// Makes a queue with a lock (C: `NewQueue`, Mayaqua/Memory.c).
    makes new_queue = NewQueue() -> *mut QUEUE {
        // SAFETY: a FIFO, a lock and a reference count may be made at any time.
        unsafe { new(NewFifo(), NewLock(), NewRef()) }
    }

    /// Makes a queue without a lock (C: `NewQueueFast`, Mayaqua/Memory.c).
    makes new_queue_fast = NewQueueFast() -> *mut QUEUE {
        // SAFETY: a FIFO may be made at any time.
        unsafe { new(NewFifoFast(), ptr::null_mut(), ptr::null_mut()) }
    }

    /// Frees a queue that nobody refers to any more (C: `ReleaseQueue`, Mayaqua/Memory.c).
    effect(()) release_queue = ReleaseQueue(q: *mut QUEUE) {
        // SAFETY: the caller's.
        unsafe { release(q) };
    }

    /// Frees a queue (C: `CleanupQueue`, Mayaqua/Memory.c).
    effect(()) cleanup_queue = CleanupQueue(q: *mut QUEUE) {
        // SAFETY: the caller's.
        unsafe { cleanup(q) };
    }

    /// Waits for a queue's lock (C: `LockQueue`, Mayaqua/Memory.c).
    effect(()) lock_queue = LockQueue(q: *mut QUEUE) {
        // SAFETY: the caller's; a queue without a lock has null there, which is ignored.
        unsafe {
            if let Some(q) = q.as_ref() {
                LockInner(q.lock);
            }
        }
    }

    /// Gives a queue's lock back (C: `UnlockQueue`, Mayaqua/Memory.c).
    effect(()) unlock_queue = UnlockQueue(q: *mut QUEUE) {
        // SAFETY: the caller's; a queue without a lock has null there, which is ignored.
        unsafe {
            if let Some(q) = q.as_ref() {
                UnlockInner(q.lock);
            }
        }
    }

    /// Number of items (C: `GetQueueNum`, Mayaqua/Memory.c). The C asks without the lock, too.
    effect(0) get_queue_num = GetQueueNum(q: *mut QUEUE) -> UINT {
        // SAFETY: the caller's.
        unsafe { q.as_ref() }.map_or(0, |q| q.num_item)
    }

    /// Takes the oldest item under the lock (C: `GetNextWithLock`, Mayaqua/Memory.c).
    effect(ptr::null_mut()) get_next_with_lock = GetNextWithLock(q: *mut QUEUE) -> *mut c_void {
        if q.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: the caller's; the lock is not held by this thread. A panic, at 4 GiB of items, would leave it locked; taking
        // out does not grow anything.
        unsafe {
            LockInner((*q).lock);
            let item = queue::pop(q);
            UnlockInner((*q).lock);
            item
        }
    }

    /// Appends a copy of a number (C: `InsertQueueInt`, Mayaqua/Memory.c).
    effect(()) insert_queue_int = InsertQueueInt(q: *mut QUEUE, value: UINT) {
        if !q.is_null() {
            // SAFETY: the caller's.
            unsafe { queue::push(q, memory::malloc_copy(&value.to_ne_bytes())) };
        }
    }
}

/// A queue on `fifo`, which it owns.
fn new(fifo: *mut FIFO, lock: *mut softether_sys::LOCK, reference: *mut softether_sys::REF) -> *mut QUEUE {
    let q = malloc(size_of::<QUEUE>() as u32).cast::<QUEUE>();
    // SAFETY: new memory of the size and, being Mayaqua's, the alignment of a QUEUE.
    unsafe { q.write(QUEUE { ref_: reference, num_item: 0, fifo, lock }) };
    ks_inc(KS_NEWQUEUE_COUNT);
    q
}

/// # Safety
/// `q` is null or a queue that its caller refers to no more.
unsafe fn release(q: *mut QUEUE) {
    // SAFETY: the caller's.
    unsafe {
        if !q.is_null() && ((*q).ref_.is_null() || Release((*q).ref_) == 0) {
            cleanup(q);
        }
    }
}

/// # Safety
/// `q` is null or a queue that is used no more.
unsafe fn cleanup(q: *mut QUEUE) {
    if q.is_null() {
        return;
    }
    // SAFETY: the caller's; `DeleteLock` ignores null.
    unsafe {
        ReleaseFifo((*q).fifo);
        DeleteLock((*q).lock);
        memory::free(q.cast());
    }
    ks_inc(KS_FREEQUEUE_COUNT);
}

impl Outcome for *mut QUEUE {
    unsafe fn compare(control: *mut QUEUE, candidate: *mut QUEUE) -> Verdict {
        // SAFETY: the caller's; both were made just now.
        unsafe {
            let has = |q: *mut QUEUE| ((*q).lock.is_null(), (*q).ref_.is_null(), (*(*q).fifo).lock.is_null());
            let verdict = match has(control) == has(candidate) {
                true => queue::compare(&*control, &*candidate),
                false => Err(Difference::new(Kind::State, Shape::Word("lock"), Shape::Word("another lock"))),
            };
            release(candidate);
            verdict
        }
    }

    #[cfg(feature = "planted-faults")]
    fn spoil(&mut self) -> bool {
        // SAFETY: it was made just now, for us.
        unsafe { (*(*(*self)).fifo).total_read_size ^= 1 };
        true
    }
}

/// Calls the functions in random order on queues of its own.
pub fn sequence(api: &Api, random: &mut Random, trace: &mut Trace) {
    // SAFETY: the queues are ours and freed once, the items are numbers of ours; null is allowed.
    unsafe {
        let seen = |q: *mut QUEUE| {
            let fifo = &*(*q).fifo;
            let values: Vec<UINT> = queue::items::<UINT>(q).map(|number| number.read()).collect();
            ((*q).num_item, (*q).lock.is_null(), fifo.memsize, fifo.size, values)
        };
        let empty = |q: *mut QUEUE| {
            while let Some(item) = queue::pop::<UINT>(q).as_mut() {
                memory::free(ptr::from_mut(item).cast());
            }
        };
        let mut q = (api.new_queue)();
        trace.note("new_queue", seen(q));
        while trace.is_open() {
            let at = if random.below(32) == 0 { ptr::null_mut() } else { q };
            match random.step(64) {
                0..30 => {
                    (api.insert_queue_int)(at, random.below(1000));
                    trace.note("insert_queue_int", seen(q));
                }
                30..50 => {
                    let item = (api.get_next_with_lock)(at);
                    trace.note("get_next_with_lock", (item.cast::<UINT>().as_ref(), seen(q)));
                    memory::free(item);
                }
                50..56 => trace.note("get_queue_num", (api.get_queue_num)(at)),
                56..58 => {
                    (api.lock_queue)(at);
                    (api.unlock_queue)(at);
                    trace.note("lock_queue", seen(q));
                    trace.note("unlock_queue", ());
                }
                number @ 58..60 => {
                    empty(q);
                    let made = if number == 58 { (api.new_queue)() } else { (api.new_queue_fast)() };
                    trace.note(["new_queue", "new_queue_fast"][number as usize - 58], seen(made));
                    (api.release_queue)(std::mem::replace(&mut q, made));
                }
                60 => {
                    let counted = (api.new_queue)();
                    softether_sys::AddRef((*counted).ref_);
                    (api.release_queue)(counted);
                    trace.note("release_queue", seen(counted));
                    (api.release_queue)(counted);
                }
                61 => {
                    (api.cleanup_queue)((api.new_queue_fast)());
                    (api.cleanup_queue)(ptr::null_mut());
                    trace.note("cleanup_queue", ());
                }
                _ => {}
            }
        }
        empty(q);
        (api.release_queue)(q);
        (api.release_queue)(ptr::null_mut());
    }
}
