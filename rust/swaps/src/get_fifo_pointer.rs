//! `GetFifoPointer`: where a FIFO's unread bytes begin.
//!
//! Ownership: the bytes stay the FIFO's. The caller holds the FIFO's lock where it has one.

use crate::saved::{self, Saved};
use softether_sys::{FIFO, UCHAR};
use std::ptr;

switch::swap! {
    /// Where a FIFO's unread bytes begin (C: `GetFifoPointer`, Mayaqua/Memory.c). Null gives null.
    pub unsafe extern "C" fn GetFifoPointer(f: *mut FIFO) -> *mut UCHAR;
    swap: crate::GET_FIFO_POINTER,
    signature: softether_sys::GetFifoPointer,
    c: c_GetFifoPointer,
    contract: pure,
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

/// The Rust side.
///
/// # Safety
/// `f` is null or a FIFO.
pub unsafe fn rust(f: *mut FIFO) -> *mut UCHAR {
    if f.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the caller's. A FIFO without a block has `pos` 0; wrapping_add then keeps null.
    unsafe { (*f).p.cast::<UCHAR>().wrapping_add((*f).pos as usize) }
}

/// # Safety
/// As for [`rust`].
unsafe fn save(f: *mut FIFO, input: &mut Vec<u8>) -> bool {
    // SAFETY: the caller's.
    unsafe { saved::put_fifo(f, input) };
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some(mut fifo), true) = (saved.fifo(), saved.is_read()) else { return false };
    // SAFETY: the FIFO is ours.
    unsafe { GetFifoPointer(fifo.as_mut().map_or(ptr::null_mut(), |fifo| fifo.as_mut())) };
    true
}

/// Both sides on null, an empty and a half-read FIFO.
fn self_test() -> Result<(), String> {
    let mut block = [0_u8; 8];
    // SAFETY: all members of a FIFO may be zero.
    let mut fifo: FIFO = unsafe { std::mem::zeroed() };
    fifo.p = block.as_mut_ptr().cast();
    for pos in [0, 1, 8] {
        fifo.pos = pos;
        // SAFETY: a FIFO whose position lies in its block.
        let (c, rust) = unsafe { (c_GetFifoPointer(&mut fifo), rust(&mut fifo)) };
        if c != rust {
            return Err(format!("position {pos}: the addresses differ"));
        }
    }
    // SAFETY: both sides take null.
    let nulls = unsafe { c_GetFifoPointer(ptr::null_mut()).is_null() && rust(ptr::null_mut()).is_null() };
    if nulls { Ok(()) } else { Err("null gives something".to_owned()) }
}
