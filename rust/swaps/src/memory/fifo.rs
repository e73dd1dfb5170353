//! The C's FIFO: reading and writing in place, for swaps that stand on one; copies and comparisons, for the shadow
//! mode and the self-tests of those that change one.

use super::spare::Block;
use super::{free, index, ks_inc, malloc, malloc_copy, view};
use mayaqua::fifo::plan_write;
use softether_sys::{FIFO, KS_WRITE_FIFO_COUNT, ReAlloc};
use std::ffi::c_void;
use std::ops::Range;
use std::{ptr, slice};
use switch::{Difference, Kind, Shape, Verdict};

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

/// Which of a FIFO's unread bytes are copied and compared: so many from the first on, and so many up to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Bytes from the first on.
    pub front: u32,
    /// Bytes up to the last.
    pub back: u32,
}

impl Ends {
    /// All of them.
    pub const WHOLE: Ends = Ends { front: u32::MAX, back: 0 };

    /// Where the two ends are among `count` bytes. Ends that meet are one.
    fn places(self, count: usize) -> [Range<usize>; 2] {
        let front = count.min(self.front as usize);
        let back = front.max(count.saturating_sub(self.back as usize));
        [0..front, back..count]
    }
}

/// A FIFO with a block of its own and no lock, freed when dropped.
pub struct Copy {
    fifo: FIFO,
    /// The block that it began with, if that is one to give back.
    block: Option<Block>,
}

impl Copy {
    /// A FIFO with these unread bytes and no room for more.
    pub fn holding(bytes: &[u8]) -> Self {
        // SAFETY: all members of a FIFO may be zero.
        let mut fifo: FIFO = unsafe { std::mem::zeroed() };
        fifo.p = malloc_copy(bytes);
        fifo.size = index(bytes.len());
        fifo.memsize = fifo.size;
        Self { fifo, block: None }
    }

    /// A FIFO with these members and unread bytes, which lie inside a block of its `memsize`.
    pub fn with(members: FIFO, unread: &[u8]) -> Self {
        let mut fifo = members;
        (fifo.p, fifo.size) = (malloc(members.memsize), index(unread.len()));
        // SAFETY: the new block has `memsize` bytes, of which the unread ones are some.
        unsafe {
            fifo.p.cast::<u8>().add(members.pos as usize).copy_from_nonoverlapping(unread.as_ptr(), unread.len());
        }
        Self { fifo, block: None }
    }

    /// A copy of `fifo`, with its unread bytes at the same place of a block of the same size.
    ///
    /// # Safety
    /// `fifo` is whole and nobody changes it meanwhile.
    pub unsafe fn of(fifo: &FIFO) -> Self {
        // SAFETY: the caller's.
        unsafe { Self::with_ends_of(fifo, Ends::WHOLE) }
    }

    /// As [`Copy::of`], with these of its unread bytes; the others are whatever the block's memory holds.
    ///
    /// # Safety
    /// As for [`Copy::of`].
    pub unsafe fn with_ends_of(fifo: &FIFO, ends: Ends) -> Self {
        let mut copy = FIFO { lock: ptr::null_mut(), ref_: ptr::null_mut(), ..*fifo };
        if fifo.p.is_null() {
            return Self { fifo: copy, block: None };
        }
        let block = Block::of(fifo.memsize);
        copy.p = block.memory();
        for place in ends.places(fifo.size as usize) {
            // SAFETY: the unread bytes lie inside both blocks, at the same place.
            unsafe {
                let start = fifo.pos as usize + place.start;
                let from = fifo.p.cast::<u8>().add(start);
                copy.p.cast::<u8>().add(start).copy_from_nonoverlapping(from, place.len());
            }
        }
        Self { fifo: copy, block: Some(block) }
    }

    /// The FIFO, for a function that changes it.
    pub fn as_mut(&mut self) -> &mut FIFO {
        &mut self.fifo
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // SAFETY: the block is Mayaqua memory, or null, and only this FIFO's.
        unsafe {
            match self.block.take() {
                Some(block) => block.give_back(self.fifo.p),
                None => free(self.fifo.p),
            }
        }
    }
}

/// Compares the counters of two FIFOs, and all unread bytes.
///
/// # Safety
/// Both are whole.
pub unsafe fn compare(c: &FIFO, rust: &FIFO) -> Verdict {
    // SAFETY: the caller's.
    unsafe { compare_ends(c, rust, u32::MAX, Ends::WHOLE) }
}

/// Compares the counters of two FIFOs, and the ends of their first `bytes` unread bytes.
///
/// # Safety
/// Both are whole.
pub unsafe fn compare_ends(c: &FIFO, rust: &FIFO, bytes: u32, ends: Ends) -> Verdict {
    let members = |f: &FIFO| (f.pos, f.size, f.memsize, f.total_read_size, f.total_write_size, f.fixed);
    if members(c) != members(rust) {
        return Err(Difference::new(Kind::State, Shape::Word("fifo"), Shape::Word("another fifo"))
            .lengths(c.size as usize, rust.size as usize));
    }
    let count = c.size.min(bytes) as usize;
    // SAFETY: the unread bytes of a whole FIFO lie in its block from `pos` on, and both have as many.
    let [c, rust] = [c, rust].map(|fifo| unsafe { unread(fifo) });
    let places = ends.places(count);
    if places.iter().all(|place| c[place.clone()] == rust[place.clone()]) {
        return Ok(());
    }
    let first = places.into_iter().flatten().find(|&at| c[at] != rust[at]).unwrap_or(count);
    let shape = Shape::Bytes(count);
    Err(Difference::new(Kind::Bytes, shape, shape).lengths(count, count).at(first))
}
