//! How the swaps that write to and read from a FIFO are compared, so that a comparison costs what the call touches and not
//! what waits.
//!
//! 1. Before C runs, the plan of `mayaqua::fifo` says what the call will do, and the [`Ends`] of the unread bytes that count
//!    are chosen by that: for a read those that are read and [`EDGE`] bytes behind them, for a write as many before those that
//!    it appends. All of them count if the plan moves the bytes to another block, and in each [`WHOLE_EVERY`]th comparison of
//!    a thread.
//! 2. The candidate gets a copy: all members, a block of the same size, and in it these bytes at their places. Elsewhere the
//!    block holds anything, and nobody looks there.
//! 3. C runs on the original, the candidate on the copy. Result, bytes read, all members, and these bytes are compared.
//!
//! A right candidate changes no other bytes, and where it moves them it moves those that count with them: so there is no
//! false alarm, even where C moves bytes that the plan did not expect to move (C's users can set the size from which it does).

use super::fifo::{self, Ends};
use super::spare::Block;
use super::{queue, view};
use mayaqua::fifo::{FIFO_REALLOC_MEM_SIZE, plan_read, plan_shrink, plan_write};
use softether_sys::{FIFO, QUEUE, UINT};
use std::ffi::c_void;
use std::ptr;
use switch::{Control, Verdict, compare_bytes, compare_results};

/// So many unread bytes beside those that a call touches are copied and compared with it.
pub const EDGE: u32 = 256;

/// Each this many comparisons of a swap on one thread, all unread bytes are compared. A prime, so that no rhythm of calls (a
/// length and its frame, say) keeps a kind of call from its turn.
pub const WHOLE_EVERY: u64 = 251;

/// What a comparison of a write of `size` bytes takes of those that are unread before it.
fn ends_of_write(fifo: &FIFO, size: u32, turn: u64) -> Ends {
    let plan = plan_write(fifo.pos, fifo.size, fifo.memsize, size);
    let moves = plan.is_ok_and(|plan| plan.memsize != fifo.memsize);
    if moves || turn.is_multiple_of(WHOLE_EVERY) { Ends::WHOLE } else { Ends { front: 0, back: EDGE } }
}

/// What a comparison of a read of `size` bytes takes of those that are unread before it.
fn ends_of_read(fifo: &FIFO, size: u32, turn: u64) -> Ends {
    let is_fixed = fifo.fixed != 0;
    let plan = plan_read(fifo.pos, fifo.size, is_fixed, size);
    let moves = plan_shrink(plan.pos, plan.size, fifo.memsize, is_fixed, FIFO_REALLOC_MEM_SIZE).is_some();
    if moves || turn.is_multiple_of(WHOLE_EVERY) {
        return Ends::WHOLE;
    }
    Ends { front: plan.read.saturating_add(EDGE), back: 0 }
}

/// What is compared once `touched` more bytes are behind the last.
fn and_behind(ends: Ends, touched: u32) -> Ends {
    Ends { back: ends.back.saturating_add(touched), ..ends }
}

/// Compares a write: `control` appends the `size` bytes at `p` to `f`, `candidate` to the FIFO it gets. Null `p` leaves room.
///
/// # Safety
/// As for `WriteFifo`; `f` is not null.
pub unsafe fn write(
    f: *mut FIFO,
    p: *mut c_void,
    size: UINT,
    control: Control<'_, ()>,
    candidate: impl FnOnce(&mut FIFO),
) -> Verdict {
    // SAFETY: the caller's; the copy is made before C writes.
    let (mut copy, held, ends) = unsafe {
        let ends = ends_of_write(&*f, size, control.turn());
        (fifo::Copy::with_ends_of(&*f, ends), (*f).size, ends)
    };
    control.run();
    candidate(copy.as_mut());
    // SAFETY: the caller's; both are whole. With null `p` the appended bytes are whatever the memory held, which differs
    // between two blocks.
    unsafe {
        match p.is_null() {
            true => fifo::compare_ends(&*f, copy.as_mut(), held, ends),
            false => fifo::compare_ends(&*f, copy.as_mut(), u32::MAX, and_behind(ends, size)),
        }
    }
}

/// Compares a read: `control` takes `size` bytes of `f` to `p`, `candidate` takes them of the FIFO and to the place it gets,
/// which is null if `p` is.
///
/// # Safety
/// As for `ReadFifo`; `f` is not null.
pub unsafe fn read(
    f: *mut FIFO,
    p: *mut c_void,
    size: UINT,
    control: Control<'_, UINT>,
    candidate: impl FnOnce(&mut FIFO, *mut c_void) -> UINT,
) -> Verdict {
    // SAFETY: the caller's; the copy is made before C reads.
    let (mut copy, ends) = unsafe {
        let ends = ends_of_read(&*f, size, control.turn());
        (fifo::Copy::with_ends_of(&*f, ends), ends)
    };
    let c = control.run();
    let room = copy.as_mut().size.min(size);
    let target = (!p.is_null()).then(|| Target::of(room));
    let rust = candidate(copy.as_mut(), target.as_ref().map_or(ptr::null_mut(), Target::memory));
    compare_results(&c, &rust)?;
    if let Some(target) = target {
        // SAFETY: C has just written its result to `p`, and there is room for no more in the FIFO than in the target.
        unsafe { compare_bytes(view(p, c), view(target.memory(), c.min(room))) }?;
        target.give_back();
    }
    let left = Ends { front: ends.front.saturating_sub(c), ..ends };
    // SAFETY: the caller's; both are whole.
    unsafe { fifo::compare_ends(&*f, copy.as_mut(), u32::MAX, left) }
}

/// Where a candidate reads to.
struct Target(Block);

impl Target {
    /// What it holds before: bytes that are not read must not pass for bytes that are, and memory is kept from one comparison
    /// to the next, in which traffic may be the same.
    const UNREAD: u8 = 0xa5;

    fn of(size: u32) -> Self {
        let block = Block::of(size);
        // SAFETY: the block has `size` bytes, and is nobody else's.
        unsafe { block.memory().cast::<u8>().write_bytes(Self::UNREAD, size as usize) };
        Self(block)
    }

    fn memory(&self) -> *mut c_void {
        self.0.memory()
    }

    fn give_back(self) {
        let memory = self.memory();
        // SAFETY: the block's own memory; a candidate that is given a place to read to may not free it.
        unsafe { self.0.give_back(memory) };
    }
}

/// Compares an insertion: `control` appends an item to `q`, `candidate` to the queue it gets.
///
/// # Safety
/// As for `InsertQueue`; `q` is not null.
pub unsafe fn insert(q: *mut QUEUE, control: Control<'_, ()>, candidate: impl FnOnce(&mut QUEUE)) -> Verdict {
    // SAFETY: the caller's; the copy is made before C appends; both are whole.
    unsafe {
        let ends = ends_of_write(&*(*q).fifo, queue::ITEM_SIZE, control.turn());
        let mut copy = queue::Copy::with_ends_of(&*q, ends);
        control.run();
        candidate(copy.as_mut());
        queue::compare_ends(&*q, copy.as_mut(), and_behind(ends, queue::ITEM_SIZE))
    }
}

/// Compares a removal: `control` takes the oldest item of `q`, `candidate` that of the queue it gets.
///
/// # Safety
/// As for `GetNext`; `q` is not null.
pub unsafe fn next(
    q: *mut QUEUE,
    control: Control<'_, *mut c_void>,
    candidate: impl FnOnce(&mut QUEUE) -> *mut c_void,
) -> Verdict {
    // SAFETY: the caller's; the copy is made before C takes the item; both are whole.
    unsafe {
        let ends = ends_of_read(&*(*q).fifo, queue::ITEM_SIZE, control.turn());
        let mut copy = queue::Copy::with_ends_of(&*q, ends);
        compare_results(&control.run(), &candidate(copy.as_mut()))?;
        let left = Ends { front: ends.front.saturating_sub(queue::ITEM_SIZE), ..ends };
        queue::compare_ends(&*q, copy.as_mut(), left)
    }
}
