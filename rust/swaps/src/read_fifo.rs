//! `ReadFifo`: takes bytes from the start of a FIFO.
//!
//! Ownership: `p` stays the caller's; the FIFO may give memory back. The caller holds the FIFO's lock where it has one.

use crate::memory;
use crate::memory::{compared, fifo};
use mayaqua::fifo::plan_read;
use crate::saved::{self, Saved};
use softether_sys::{FIFO, KS_READ_FIFO_COUNT, ShrinkFifoMemory, UINT};
use std::ffi::c_void;
use std::ptr;
use switch::{Control, Verdict, compare_bytes, compare_results};

switch::swap! {
    /// Takes at most `size` bytes from a FIFO and returns how many (C: `ReadFifo`, Mayaqua/Memory.c). Null `p`
    /// discards them; a null FIFO and size 0 give 0.
    pub unsafe extern "C" fn ReadFifo(f: *mut FIFO, p: *mut c_void, size: UINT) -> UINT;
    swap: crate::READ_FIFO,
    signature: softether_sys::ReadFifo,
    c: c_ReadFifo,
    contract: cloned(shadow),
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

/// The Rust side.
///
/// # Safety
/// `f` is null or a FIFO that nobody else uses meanwhile; `p` is null or has room for what the FIFO can give.
pub unsafe fn rust(f: *mut FIFO, p: *mut c_void, size: UINT) -> UINT {
    if f.is_null() {
        return 0;
    }
    // SAFETY: the caller's.
    let fifo = unsafe { &mut *f };
    let plan = plan_read(fifo.pos, fifo.size, fifo.fixed != 0, size);
    if plan.read == 0 {
        return 0;
    }
    if !p.is_null() {
        // SAFETY: the unread bytes lie in the block from `pos` on; `p` is outside it.
        unsafe {
            let unread = fifo.p.cast::<u8>().add(fifo.pos as usize);
            p.cast::<u8>().copy_from_nonoverlapping(unread, plan.read as usize);
        }
    }
    fifo.pos = plan.pos;
    fifo.size = plan.size;
    fifo.total_read_size += u64::from(plan.read);
    // SAFETY: a whole FIFO. The limit it shrinks at is a static of Memory.c, so the decision stays there.
    unsafe { ShrinkFifoMemory(f) };
    memory::ks_inc(KS_READ_FIFO_COUNT);
    plan.read
}

/// Runs Rust on a copy of the FIFO and compares what was read and what is left.
unsafe fn shadow(f: *mut FIFO, p: *mut c_void, size: UINT, control: Control<'_, UINT>) -> Verdict {
    if f.is_null() {
        // SAFETY: null is allowed.
        return compare_results(&control.run(), &unsafe { rust(f, p, size) });
    }
    // SAFETY: the caller's; the candidate's FIFO is one of its own, and its target has room for what that can give.
    unsafe { compared::read(f, p, size, control, |copy, target| rust(copy, target, size)) }
}

/// # Safety
/// As for [`rust`].
unsafe fn save(f: *mut FIFO, p: *mut c_void, size: UINT, input: &mut Vec<u8>) -> bool {
    // SAFETY: the caller's.
    unsafe { saved::put_fifo(f, input) };
    saved::put_number(u64::from(!p.is_null()), input);
    saved::put_number(size.into(), input);
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some(mut fifo), Some(has_target), Some(size), true) =
        (saved.fifo(), saved.number(), saved.size(), saved.is_read())
    else {
        return false;
    };
    let room = fifo.as_mut().map_or(0, |fifo| fifo.as_mut().size);
    let mut target = vec![0_u8; room as usize];
    let p = if has_target == 0 { ptr::null_mut() } else { target.as_mut_ptr().cast() };
    // SAFETY: the FIFO is ours, and the target has room for all that it can give.
    unsafe { ReadFifo(fifo.as_mut().map_or(ptr::null_mut(), |fifo| fifo.as_mut()), p, size) };
    true
}

/// Both sides on a FIFO that is read in parts, beyond its end, and when empty.
fn self_test() -> Result<(), String> {
    let bytes: Vec<u8> = (0..9_000).map(|i| i as u8).collect();
    let (mut c, mut candidate) = (fifo::Copy::holding(&bytes), fifo::Copy::holding(&bytes));
    for size in [0, 1, 5_000, 5_000, 1] {
        let (mut from_c, mut from_rust) = (vec![0_u8; size], vec![0_u8; size]);
        let size = memory::index(size);
        // SAFETY: both FIFOs are ours, and both targets have `size` bytes.
        unsafe {
            let read = (
                c_ReadFifo(c.as_mut(), from_c.as_mut_ptr().cast(), size),
                rust(candidate.as_mut(), from_rust.as_mut_ptr().cast(), size),
            );
            compare_results(&read.0, &read.1)
                .and_then(|()| compare_bytes(&from_c, &from_rust))
                .and_then(|()| fifo::compare(c.as_mut(), candidate.as_mut()))
                .map_err(|difference| format!("{size} bytes: {difference}"))?;
        }
    }
    Ok(())
}
