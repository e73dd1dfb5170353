//! What `WriteSendFifo` and `WriteRecvFifo` have in common: all but which of a socket's two FIFOs they append to.

use super::{compared, fifo};
use crate::saved::{self, Saved};
use softether_sys::{FIFO, SESSION, TCPSOCK, UINT};
use std::ffi::c_void;
use std::ptr;
use switch::{Control, Verdict};

/// Which of a socket's FIFOs.
pub type Which = fn(&mut TCPSOCK) -> &mut *mut FIFO;

/// One side of either function.
pub type Side = unsafe fn(*mut SESSION, *mut TCPSOCK, *mut c_void, UINT);

/// Appends `size` bytes; any null is ignored.
///
/// # Safety
/// Each is null or what its type says, the FIFO is used by nobody else meanwhile, and `data` has `size` readable
/// bytes outside it.
pub unsafe fn append(which: Which, s: *mut SESSION, ts: *mut TCPSOCK, data: *mut c_void, size: UINT) {
    if s.is_null() || ts.is_null() || data.is_null() {
        return;
    }
    // SAFETY: the caller's.
    unsafe { fifo::append(&mut **which(&mut *ts), data, size) };
}

/// Runs Rust on a copy of the FIFO and compares the two.
///
/// # Safety
/// As [`append`].
pub unsafe fn shadow(
    which: Which,
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
    // SAFETY: the caller's; the candidate's FIFO is one of its own, and belongs to a socket of its own.
    unsafe {
        compared::write(*which(&mut *ts), data, size, control, |copy| {
            let mut candidate = *ts;
            *which(&mut candidate) = copy;
            append(which, s, &mut candidate, data, size);
        })
    }
}

/// Writes the input down: whether there is a session and a socket, the socket's FIFO, the data.
///
/// # Safety
/// As [`append`].
pub unsafe fn save(
    which: Which,
    s: *mut SESSION,
    ts: *mut TCPSOCK,
    data: *mut c_void,
    size: UINT,
    input: &mut Vec<u8>,
) -> bool {
    saved::put_number(u64::from(!s.is_null()), input);
    // SAFETY: the caller's.
    unsafe {
        saved::put_fifo(ts.as_mut().map_or(ptr::null_mut(), |ts| *which(ts)), input);
        saved::put_data(data, size, input);
    }
    true
}

/// Calls `dispatcher` with an input that [`save`] wrote down; `false` if it is none.
pub fn rerun(which: Which, dispatcher: Side, input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some(has_session), Some(mut fifo), Some((data, size)), true) =
        (saved.number(), saved.fifo(), saved.data(), saved.is_read())
    else {
        return false;
    };
    // SAFETY: all members of both may be zero; neither side looks into the session.
    let (mut s, mut ts): (SESSION, TCPSOCK) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let s = if has_session == 0 { ptr::null_mut() } else { &raw mut s };
    let ts = fifo.as_mut().map_or(ptr::null_mut(), |fifo| {
        *which(&mut ts) = fifo.as_mut();
        &raw mut ts
    });
    // SAFETY: all is ours, and the data has `size` bytes.
    unsafe { dispatcher(s, ts, saved::pointer(data), size) };
    true
}

/// Both sides on a FIFO that grows, and on nulls.
pub fn self_test(which: Which, c_side: Side, rust_side: Side) -> Result<(), String> {
    let mut bytes = [0x5a_u8; 5000];
    // SAFETY: all members of both may be zero; neither side looks into the session.
    let (mut s, mut ts): (SESSION, TCPSOCK) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let (mut c, mut candidate) = (fifo::Copy::holding(&[]), fifo::Copy::holding(&[]));
    let data = bytes.as_mut_ptr().cast::<c_void>();
    for (s, data) in [(ptr::null_mut(), data), (&raw mut s, ptr::null_mut()), (&raw mut s, data)] {
        for size in [0, 1, 4999, 5000] {
            // SAFETY: both FIFOs are ours, and `size` is at most the bytes'.
            unsafe {
                *which(&mut ts) = c.as_mut();
                c_side(s, &mut ts, data, size);
                *which(&mut ts) = candidate.as_mut();
                rust_side(s, &mut ts, data, size);
                fifo::compare(c.as_mut(), candidate.as_mut())
                    .map_err(|difference| format!("{size} bytes: {difference}"))?;
            }
        }
    }
    Ok(())
}
