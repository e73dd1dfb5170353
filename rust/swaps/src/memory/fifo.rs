//! Copies and comparisons of the C's FIFO, for the shadow mode and the self-tests of the swaps that change one.

use super::{free, index, malloc, malloc_copy, view};
use softether_sys::FIFO;
use std::ptr;
use switch::{Difference, Kind, Shape, Verdict, compare_bytes};

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
