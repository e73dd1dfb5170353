//! The C's LIST: an array of pointers with a lock (C: Mayaqua/Memory.c).

use softether_sys::{LIST, LockList, UnlockList};
use std::slice;

/// A list whose lock is held until the value is dropped, in a panic, too.
pub struct Locked(*mut LIST);

impl Locked {
    /// Waits for the lock.
    ///
    /// # Safety
    /// `list` is a list that outlives the value, and this thread does not hold its lock yet.
    pub unsafe fn new(list: *mut LIST) -> Self {
        // SAFETY: the caller's.
        unsafe { LockList(list) };
        Self(list)
    }

    /// The items, in their order.
    ///
    /// # Safety
    /// It is a list of pointers to `T`.
    pub unsafe fn items<T>(&self) -> &[*mut T] {
        // SAFETY: the caller's; the array has `num_item` places in use, and the lock is held.
        unsafe {
            match (*self.0).num_item {
                0 => &[],
                count => slice::from_raw_parts((*self.0).p.cast(), count as usize),
            }
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: the lock is held by this thread.
        unsafe { UnlockList(self.0) };
    }
}

/// A copy of a list's items, as they are now (C: `ToArray` under `LockList`).
///
/// # Safety
/// `list` is a list of pointers to `T`, and this thread does not hold its lock.
pub unsafe fn snapshot<T>(list: *mut LIST) -> Vec<*mut T> {
    // SAFETY: the caller's.
    unsafe { Locked::new(list).items().to_vec() }
}

/// The number of items; null has none (C: `LIST_NUM`).
///
/// # Safety
/// `list` is null or a list.
pub unsafe fn len(list: *const LIST) -> u32 {
    // SAFETY: the caller's.
    unsafe { list.as_ref().map_or(0, |list| list.num_item) }
}
