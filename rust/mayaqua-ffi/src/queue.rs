//! Queues of the caller's pointers, which the library never looks behind ([`mayaqua::queue`]).

use crate::arg;
use crate::error::{Failure, Status, boundary};
use crate::handle::Table;
use mayaqua::queue;
use std::ffi::c_void;

/// An item: the caller's pointer, by its address. Nothing here makes a pointer to read of it.
#[derive(Clone, Copy, Debug)]
pub struct Item(pub(crate) *mut c_void);

// SAFETY: only the caller looks behind the pointer.
unsafe impl Send for Item {}

/// The objects.
pub(crate) static OBJECTS: Table<queue::Queue<Item>> = Table::new(3);

/// Pointers that come out in the order in which they went in. What they point to stays the caller's.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The handle's number; 0 is no object.
    pub id: u64,
}

/// Makes an empty queue of at most `limit` items. The caller frees it with mayaqua_queue_free.
///
/// As mayaqua_buf_new; MAYAQUA_STATUS_INVALID for a limit of 0.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_queue_new(limit: usize, queue: *mut Queue) -> Status {
    boundary(|| {
        arg::check(queue)?;
        if limit == 0 {
            return Err(Failure::invalid("a queue of no items"));
        }
        let id = OBJECTS.insert(queue::Queue::new(limit))?;
        // SAFETY: the caller's.
        unsafe { arg::put(queue, Queue { id }) }
    })
}

/// Puts an item, which is not null, at the end.
///
/// MAYAQUA_STATUS_NO_SPACE: the queue is full.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_queue_insert(queue: Queue, item: *mut c_void) -> Status {
    boundary(|| {
        if item.is_null() {
            return Err(Failure::invalid("an item is null"));
        }
        let item = Item(item);
        OBJECTS
            .with(queue.id, |queue| queue.insert(item).map_err(|_| Failure::new(Status::NoSpace, "the queue is full")))
    })
}

/// Takes the item that has waited longest.
///
/// MAYAQUA_STATUS_NOT_FOUND: there is none.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_queue_get_next(queue: Queue, item: *mut *mut c_void) -> Status {
    boundary(|| {
        arg::check(item)?;
        let next = OBJECTS.with(queue.id, |queue| queue.get_next().ok_or_else(|| Status::NotFound.into()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(item, next.0) }
    })
}

/// Gives the number of items.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_queue_num(queue: Queue, num: *mut usize) -> Status {
    boundary(|| {
        let value = OBJECTS.with(queue.id, |queue| Ok(queue.len()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(num, value) }
    })
}

/// Frees a queue, not what its items point to. A zeroed handle is none.
///
/// MAYAQUA_STATUS_BAD_HANDLE: it was freed already.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_queue_free(queue: Queue) -> Status {
    boundary(|| OBJECTS.remove(queue.id))
}
