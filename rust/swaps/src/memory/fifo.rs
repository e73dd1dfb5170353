//! The C's FIFO: reading and writing in place, for swaps that stand on one; copies and comparisons, for the shadow
//! mode and the self-tests of those that change one.

use super::{free, index, ks_inc, malloc, malloc_copy, view};
use mayaqua::fifo::plan_write;
use softether_sys::{FIFO, KS_WRITE_FIFO_COUNT, ReAlloc};
use std::ffi::c_void;
use std::{ptr, slice};
use switch::{Difference, Kind, Shape, Verdict, compare_bytes};

/// The unread bytes.
///
/// # Safety
/// `fifo` is whole, and nobody changes it for `'a`.
pub unsafe fn unread<'a>(fifo: *const FIFO) -> &'a [u8] {
    // SAFETY: the caller's; the unread bytes of a whole FIFO lie in its block from `pos` on.
    unsafe { view((*fifo).p.cast::<u8>().wrapping_add((*fifo).pos as usize).cast(), (*fifo).size) }
}

/// Room for `size` bytes behind the unread ones, with whatever the memory holds. [`commit`] makes bytes of it.
///
/// # Safety
/// `fifo` is whole, and its block is Mayaqua memory.
pub unsafe fn room(fifo: &mut FIFO, size: u32) -> &mut [u8] {
    // A FIFO of 4 GiB is a leak, not traffic.
    let plan = plan_write(fifo.pos, fifo.size, fifo.memsize, size).expect("a FIFO below 4 GiB");
    if plan.memsize != fifo.memsize {
        // SAFETY: the caller's.
        fifo.p = unsafe { ReAlloc(fifo.p, plan.memsize) };
        fifo.memsize = plan.memsize;
    }
    // SAFETY: the plan's offset + size lies in the block. Its memory came out of a foreign function, so to Rust its
    // bytes have values, if unknown ones.
    unsafe { slice::from_raw_parts_mut(fifo.p.cast::<u8>().add(plan.offset as usize), size as usize) }
}

/// Makes the first `size` bytes of the last [`room`] unread ones (C: the rest of `WriteFifo`).
pub fn commit(fifo: &mut FIFO, size: u32) {
    if size != 0 {
        fifo.size += size;
        fifo.total_write_size += u64::from(size);
        ks_inc(KS_WRITE_FIFO_COUNT);
    }
}

/// Appends `size` bytes (C: `WriteFifo`).
///
/// # Safety
/// `fifo` is whole, its block is Mayaqua memory, and `data` has `size` readable bytes outside it.
pub unsafe fn append(fifo: &mut FIFO, data: *const c_void, size: u32) {
    // SAFETY: the caller's; the room has `size` bytes.
    unsafe { room(fifo, size).as_mut_ptr().copy_from_nonoverlapping(data.cast(), size as usize) };
    commit(fifo, size);
}

/// A FIFO with a block of its own and no lock, freed when dropped.
pub struct Copy(FIFO);

impl Copy {
    /// A FIFO with these unread bytes and no room for more.
    pub fn holding(bytes: &[u8]) -> Self {
        // SAFETY: all members of a FIFO may be zero.
        let mut fifo: FIFO = unsafe { std::mem::zeroed() };
        fifo.p = malloc_copy(bytes);
        fifo.size = index(bytes.len());
        fifo.memsize = fifo.size;
        Self(fifo)
    }

    /// A FIFO with these members and unread bytes, which lie inside a block of its `memsize`.
    pub fn with(members: FIFO, unread: &[u8]) -> Self {
        let mut copy = Self(members);
        (copy.0.p, copy.0.size) = (malloc(members.memsize), index(unread.len()));
        // SAFETY: the new block has `memsize` bytes, of which the unread ones are some.
        unsafe {
            copy.0.p.cast::<u8>().add(members.pos as usize).copy_from_nonoverlapping(unread.as_ptr(), unread.len());
        }
        copy
    }

    /// A copy of `fifo`, with its unread bytes at the same place of a block of the same size.
    ///
    /// # Safety
    /// `fifo` is whole and nobody changes it meanwhile.
    pub unsafe fn of(fifo: &FIFO) -> Self {
        let mut copy = Self(*fifo);
        copy.0.lock = ptr::null_mut();
        copy.0.ref_ = ptr::null_mut();
        if !fifo.p.is_null() {
            copy.0.p = malloc(fifo.memsize);
            // SAFETY: the unread bytes lie inside both blocks, which have the same size.
            unsafe {
                let start = fifo.pos as usize;
                let from = fifo.p.cast::<u8>().add(start);
                copy.0.p.cast::<u8>().add(start).copy_from_nonoverlapping(from, fifo.size as usize);
            }
        }
        copy
    }

    /// The FIFO, for a function that changes it.
    pub fn as_mut(&mut self) -> &mut FIFO {
        &mut self.0
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // SAFETY: the block is Mayaqua memory, or null, and only this FIFO's.
        unsafe { free(self.0.p) };
    }
}

/// Compares the counters of two FIFOs, and their first `bytes` unread bytes.
///
/// # Safety
/// Both are whole.
pub unsafe fn compare(c: &FIFO, rust: &FIFO, bytes: u32) -> Verdict {
    let members = |f: &FIFO| (f.pos, f.size, f.memsize, f.total_read_size, f.total_write_size, f.fixed);
    if members(c) != members(rust) {
        return Err(Difference::new(Kind::State, Shape::Word("fifo"), Shape::Word("another fifo"))
            .lengths(c.size as usize, rust.size as usize));
    }
    // SAFETY: the unread bytes of a whole FIFO lie in its block from `pos` on.
    let unread = |f: &FIFO| unsafe { view(f.p.cast::<u8>().wrapping_add(f.pos as usize).cast(), f.size.min(bytes)) };
    compare_bytes(unread(c), unread(rust))
}
