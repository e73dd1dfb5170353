//! `WriteFifo`: appends bytes to a FIFO.
//!
//! Ownership: `p` stays the caller's; the block is the FIFO's Mayaqua memory and may move. The caller holds the
//! FIFO's lock where it has one.

use crate::memory::{compared, fifo};
use crate::saved::{self, Saved};
use softether_sys::{FIFO, UINT};
use std::ffi::c_void;
use std::ptr;
use switch::{Control, Verdict};

switch::swap! {
    /// Appends `size` bytes to a FIFO (C: `WriteFifo`, Mayaqua/Memory.c). Null `p` leaves them as they are in memory;
    /// a null FIFO and size 0 are ignored.
    pub unsafe extern "C" fn WriteFifo(f: *mut FIFO, p: *mut c_void, size: UINT);
    swap: crate::WRITE_FIFO,
    signature: softether_sys::WriteFifo,
    c: c_WriteFifo,
    contract: cloned(shadow),
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

/// The Rust side.
///
/// # Safety
/// `f` is null or a FIFO that nobody else uses meanwhile; `p` is null or `size` readable bytes outside it.
pub unsafe fn rust(f: *mut FIFO, p: *mut c_void, size: UINT) {
    if f.is_null() || size == 0 {
        return;
    }
    #[cfg(feature = "planted-faults")]
    crate::planted::strike_before("write_fifo");
    // SAFETY: the caller's.
    let fifo = unsafe { &mut *f };
    // SAFETY: the caller's; every FIFO is made with a block of Mayaqua memory.
    unsafe {
        if p.is_null() {
            // The new bytes are whatever the block held, as in the C.
            fifo::room(fifo, size);
            fifo::commit(fifo, size);
        } else {
            fifo::append(fifo, p, size);
        }
    }
    #[cfg(feature = "planted-faults")]
    crate::planted::strike_after(fifo);
}

/// Runs Rust on a copy of the FIFO and compares the two.
unsafe fn shadow(f: *mut FIFO, p: *mut c_void, size: UINT, control: Control<'_, ()>) -> Verdict {
    if f.is_null() {
        control.run();
        return Ok(());
    }
    // SAFETY: the caller's; the candidate's FIFO is one of its own.
    unsafe { compared::write(f, p, size, control, |copy| rust(copy, p, size)) }
}

/// # Safety
/// As for [`rust`].
unsafe fn save(f: *mut FIFO, p: *mut c_void, size: UINT, input: &mut Vec<u8>) -> bool {
    // SAFETY: the caller's.
    unsafe {
        saved::put_fifo(f, input);
        saved::put_data(p, size, input);
    }
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some(mut fifo), Some((p, size)), true) = (saved.fifo(), saved.data(), saved.is_read()) else { return false };
    // SAFETY: the FIFO is ours, and the data has `size` bytes.
    unsafe { WriteFifo(fifo.as_mut().map_or(ptr::null_mut(), |fifo| fifo.as_mut()), saved::pointer(p), size) };
    true
}

/// Both sides on a FIFO that grows from nothing over two steps.
fn self_test() -> Result<(), String> {
    let mut bytes: Vec<u8> = (0..30_000).map(|i| i as u8).collect();
    let (mut c, mut candidate) = (fifo::Copy::holding(&[]), fifo::Copy::holding(&[]));
    for size in [0, 1, 4095, 1, 30_000] {
        let p = bytes.as_mut_ptr().cast();
        // SAFETY: both FIFOs are ours, and size is at most the bytes'.
        unsafe {
            c_WriteFifo(c.as_mut(), p, size);
            rust(candidate.as_mut(), p, size);
            fifo::compare(c.as_mut(), candidate.as_mut()).map_err(|difference| format!("{size} bytes: {difference}"))?;
        }
    }
    Ok(())
}
