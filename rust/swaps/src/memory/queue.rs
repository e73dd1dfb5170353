//! The C's QUEUE: pointers in a FIFO, eight bytes each, and their number beside it (C: Mayaqua/Memory.c).

use super::fifo::Ends;
use super::{fifo, ks_inc};
use mayaqua::fifo::plan_read;
use softether_sys::{FIFO, KS_GETNEXT_COUNT, KS_INSERT_QUEUE_COUNT, KS_READ_FIFO_COUNT, QUEUE, ShrinkFifoMemory};
use std::ptr;
use switch::{Difference, Kind, Shape, Verdict};

/// The size of an item in the FIFO, in bytes.
pub const ITEM_SIZE: u32 = size_of::<*mut ()>() as u32;

/// The items, the oldest first. They stay in the queue.
///
/// # Safety
/// `queue` is a queue of pointers to `T`, and nobody changes it as long as the iterator lives.
pub unsafe fn items<T>(queue: *const QUEUE) -> impl Iterator<Item = *mut T> {
    // SAFETY: the caller's; the items stand in the FIFO's block from `pos` on.
    let (first, count) = unsafe {
        let fifo = &*(*queue).fifo;
        (fifo.p.cast::<u8>().wrapping_add(fifo.pos as usize).cast::<*mut T>(), (*queue).num_item)
    };
    // SAFETY: there are so many.
    (0..count as usize).map(move |place| unsafe { first.add(place).read_unaligned() })
}

/// Appends an item (C: `InsertQueue`).
///
/// # Safety
/// `queue` is a queue that nobody else uses meanwhile.
pub unsafe fn push<T>(queue: *mut QUEUE, item: *mut T) {
    // SAFETY: the caller's; the room has the size of a pointer.
    unsafe {
        let fifo = &mut *(*queue).fifo;
        fifo::room(fifo, ITEM_SIZE).as_mut_ptr().cast::<*mut T>().write_unaligned(item);
        fifo::commit(fifo, ITEM_SIZE);
        (*queue).num_item += 1;
    }
    ks_inc(KS_INSERT_QUEUE_COUNT);
}

/// Takes the oldest item; null if there is none (C: `GetNext`).
///
/// # Safety
/// `queue` is a queue of pointers to `T` that nobody else uses meanwhile.
pub unsafe fn pop<T>(queue: *mut QUEUE) -> *mut T {
    // SAFETY: the caller's; a queue with items has them in its FIFO.
    unsafe {
        let Some(item) = items(queue).next() else { return ptr::null_mut() };
        let fifo = &mut *(*queue).fifo;
        let plan = plan_read(fifo.pos, fifo.size, fifo.fixed != 0, ITEM_SIZE);
        fifo.pos = plan.pos;
        fifo.size = plan.size;
        fifo.total_read_size += u64::from(plan.read);
        (*queue).num_item -= 1;
        ShrinkFifoMemory(fifo);
        ks_inc(KS_READ_FIFO_COUNT);
        ks_inc(KS_GETNEXT_COUNT);
        item
    }
}

/// A queue without a lock that stands on `fifo`.
pub fn on(fifo: &mut FIFO) -> QUEUE {
    QUEUE { ref_: ptr::null_mut(), num_item: fifo.size / ITEM_SIZE, fifo, lock: ptr::null_mut() }
}

/// A queue with the same items on a FIFO of its own, for the shadow mode.
pub struct Copy {
    fifo: fifo::Copy,
    queue: QUEUE,
}

impl Copy {
    /// A copy of `queue` in all its counters, with these of its items' bytes ([`fifo::Copy::with_ends_of`]).
    ///
    /// # Safety
    /// `queue` is whole and nobody changes it meanwhile.
    pub unsafe fn with_ends_of(queue: &QUEUE, ends: Ends) -> Self {
        // SAFETY: the caller's.
        let mut fifo = unsafe { fifo::Copy::with_ends_of(&*queue.fifo, ends) };
        let queue = QUEUE { num_item: queue.num_item, ..on(fifo.as_mut()) };
        Self { fifo, queue }
    }

    /// A queue whose items are the unread bytes of a FIFO; `None` if they are not whole items.
    pub fn on(mut fifo: fifo::Copy) -> Option<Self> {
        let queue = on(fifo.as_mut());
        fifo.as_mut().size.is_multiple_of(ITEM_SIZE).then_some(Self { fifo, queue })
    }

    /// The queue, for a function that changes it.
    pub fn as_mut(&mut self) -> &mut QUEUE {
        // The FIFO has moved with `self` since.
        self.queue.fifo = self.fifo.as_mut();
        &mut self.queue
    }
}

/// Compares the numbers of two queues and the items in them.
///
/// # Safety
/// Both are whole.
pub unsafe fn compare(c: &QUEUE, rust: &QUEUE) -> Verdict {
    // SAFETY: the caller's.
    unsafe { compare_ends(c, rust, Ends::WHOLE) }
}

/// Compares the numbers of two queues, and the ends of the items' bytes.
///
/// # Safety
/// Both are whole.
pub unsafe fn compare_ends(c: &QUEUE, rust: &QUEUE, ends: Ends) -> Verdict {
    if c.num_item != rust.num_item {
        return Err(Difference::new(Kind::State, Shape::Word("queue"), Shape::Word("another queue"))
            .lengths(c.num_item as usize, rust.num_item as usize));
    }
    // SAFETY: the caller's.
    unsafe { fifo::compare_ends(&*c.fifo, &*rust.fifo, u32::MAX, ends) }
}
