//! `WriteRecvFifo`: appends bytes to the receive FIFO of a session's socket.
//!
//! Ownership: `data` stays the caller's; the FIFO's block may move. Only the session's thread uses the FIFO.

use crate::memory::socket_fifo::{self, Which};
use softether_sys::{SESSION, TCPSOCK, UINT};
use std::ffi::c_void;
use switch::{Control, Verdict};

switch::swap! {
    /// Appends bytes to a socket's receive FIFO (C: `WriteRecvFifo`, Cedar/Connection.c). Any null is ignored.
    pub unsafe extern "C" fn WriteRecvFifo(s: *mut SESSION, ts: *mut TCPSOCK, data: *mut c_void, size: UINT);
    swap: crate::WRITE_RECV_FIFO,
    signature: softether_sys::WriteRecvFifo,
    c: c_WriteRecvFifo,
    contract: cloned(shadow),
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

const WHICH: Which = |ts| &mut ts.RecvFifo;

/// The Rust side.
///
/// # Safety
/// As [`socket_fifo::append`].
pub unsafe fn rust(s: *mut SESSION, ts: *mut TCPSOCK, data: *mut c_void, size: UINT) {
    // SAFETY: the caller's.
    unsafe { socket_fifo::append(WHICH, s, ts, data, size) };
}

unsafe fn shadow(
    s: *mut SESSION,
    ts: *mut TCPSOCK,
    data: *mut c_void,
    size: UINT,
    control: Control<'_, ()>,
) -> Verdict {
    // SAFETY: the caller's.
    unsafe { socket_fifo::shadow(WHICH, s, ts, data, size, control) }
}

/// # Safety
/// As for [`rust`].
unsafe fn save(s: *mut SESSION, ts: *mut TCPSOCK, data: *mut c_void, size: UINT, input: &mut Vec<u8>) -> bool {
    // SAFETY: the caller's.
    unsafe { socket_fifo::save(WHICH, s, ts, data, size, input) }
}

fn rerun(input: &[u8]) -> bool {
    // SAFETY: as for the function itself.
    socket_fifo::rerun(WHICH, |s, ts, data, size| unsafe { WriteRecvFifo(s, ts, data, size) }, input)
}

fn self_test() -> Result<(), String> {
    // SAFETY: as for the function itself.
    socket_fifo::self_test(WHICH, |s, ts, data, size| unsafe { c_WriteRecvFifo(s, ts, data, size) }, rust)
}
