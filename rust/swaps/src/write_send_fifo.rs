//! `WriteSendFifo`: appends bytes to the transmit FIFO of a session's socket.
//!
//! Ownership: `data` stays the caller's; the FIFO's block may move. Only the session's thread uses the FIFO.

use crate::memory::fifo;
use softether_sys::{SESSION, TCPSOCK, UINT};
use std::ffi::c_void;
use std::ptr;
use switch::{Control, Verdict};

switch::swap! {
    /// Appends bytes to a socket's transmit FIFO (C: `WriteSendFifo`, Cedar/Connection.c). Any null is ignored.
    pub unsafe extern "C" fn WriteSendFifo(s: *mut SESSION, ts: *mut TCPSOCK, data: *mut c_void, size: UINT);
    swap: crate::WRITE_SEND_FIFO,
    signature: softether_sys::WriteSendFifo,
    c: c_WriteSendFifo,
    contract: cloned(shadow),
    rust: rust,
    self_test: self_test,
}

/// The Rust side.
///
/// # Safety
/// Each is null or what its type says, the FIFO is used by nobody else meanwhile, and `data` has `size` readable
/// bytes outside it.
pub unsafe fn rust(s: *mut SESSION, ts: *mut TCPSOCK, data: *mut c_void, size: UINT) {
    if s.is_null() || ts.is_null() || data.is_null() {
        return;
    }
    // SAFETY: the caller's.
    unsafe { fifo::append(&mut *(*ts).SendFifo, data, size) };
}

/// Runs Rust on a copy of the FIFO and compares the two.
unsafe fn shadow(
    s: *mut SESSION,
    ts: *mut TCPSOCK,
    data: *mut c_void,
    size: UINT,
    control: Control<'_, ()>,
) -> Verdict {
    if s.is_null() || ts.is_null() || data.is_null() {
        control.run();
        return Ok(());
    }
    // SAFETY: the caller's; the copy is made before C writes, and belongs to a socket of its own.
    unsafe {
        let mut copy = fifo::Copy::of(&*(*ts).SendFifo);
        control.run();
        let mut candidate = TCPSOCK { SendFifo: copy.as_mut(), ..*ts };
        rust(s, &mut candidate, data, size);
        fifo::compare(&*(*ts).SendFifo, copy.as_mut(), u32::MAX)
    }
}

/// Both sides on a FIFO that grows, and on nulls.
fn self_test() -> Result<(), String> {
    let mut bytes = [0x5a_u8; 5000];
    // SAFETY: all members of both may be zero; neither side looks into the session.
    let (mut s, mut ts): (SESSION, TCPSOCK) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let (mut c, mut candidate) = (fifo::Copy::holding(&[]), fifo::Copy::holding(&[]));
    let data = bytes.as_mut_ptr().cast::<c_void>();
    for (s, data) in [(ptr::null_mut(), data), (&raw mut s, ptr::null_mut()), (&raw mut s, data)] {
        for size in [0, 1, 4999, 5000] {
            // SAFETY: both FIFOs are ours, and `size` is at most the bytes'.
            unsafe {
                ts.SendFifo = c.as_mut();
                c_WriteSendFifo(s, &mut ts, data, size);
                ts.SendFifo = candidate.as_mut();
                rust(s, &mut ts, data, size);
                fifo::compare(c.as_mut(), candidate.as_mut(), u32::MAX)
                    .map_err(|difference| format!("{size} bytes: {difference}"))?;
            }
        }
    }
    Ok(())
}
