//! `WriteSendFifo` on both sides.

use crate::support::{Trace, socket_fifo};
use softether_sys::{SESSION, TCPSOCK, UINT};
use std::ffi::c_void;

both_sides! { write_send_fifo:
    fn WriteSendFifo c_WriteSendFifo(s: *mut SESSION, ts: *mut TCPSOCK, data: *mut c_void, size: UINT) }

fn body(function: Function) -> Trace {
    socket_fifo::body(function, |ts| ts.SendFifo)
}

/// Appends a full frame, and takes it out again by resetting the FIFO's numbers.
pub fn work(function: Function) -> impl FnMut() {
    socket_fifo::work(function, |ts| ts.SendFifo)
}
