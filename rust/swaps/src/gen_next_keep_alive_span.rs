//! `GenNextKeepAliveSpan`: how long until the next keep-alive.
//!
//! Ownership: nothing changes hands. The number is random (C: `rand`), so two calls give two numbers.

use crate::memory;
use cedar::framing::gen_next_keep_alive_span;
use crate::saved::{self, Saved};
use softether_sys::{CONNECTION, INFINITE, SESSION, UINT};
use std::ptr;
use switch::{Control, Difference, Kind, Shape, Verdict};

switch::swap! {
    /// Milliseconds until the next keep-alive (C: `GenNextKeepAliveSpan`, Cedar/Connection.c). Null gives `INFINITE`.
    pub unsafe extern "C" fn GenNextKeepAliveSpan(c: *mut CONNECTION) -> UINT;
    swap: crate::GEN_NEXT_KEEP_ALIVE_SPAN,
    signature: softether_sys::GenNextKeepAliveSpan,
    c: c_GenNextKeepAliveSpan,
    contract: cloned(shadow),
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

/// The Rust side.
///
/// # Safety
/// `c` is null or a connection with a session.
pub unsafe fn rust(c: *mut CONNECTION) -> UINT {
    if c.is_null() {
        return INFINITE;
    }
    // SAFETY: the caller's.
    let timeout = unsafe { (*(*c).Session).Timeout };
    gen_next_keep_alive_span(timeout, memory::rand())
}

/// Runs both: each must give a number that the other might have given.
unsafe fn shadow(c: *mut CONNECTION, control: Control<'_, UINT>) -> Verdict {
    let control = control.run();
    // SAFETY: the caller's.
    let candidate = unsafe { rust(c) };
    // SAFETY: the caller's.
    let timeout = unsafe { c.as_ref().map(|c| (*c.Session).Timeout) };
    match (is_possible(timeout, control), is_possible(timeout, candidate)) {
        (true, true) => Ok(()),
        _ => Err(Difference::new(Kind::Result, Shape::Word("a span"), Shape::Word("out of its range"))),
    }
}

/// Whether a span lies between a fifth and a half of the timeout, which is `None` for null.
fn is_possible(timeout: Option<u32>, span: u32) -> bool {
    timeout.map_or(span == INFINITE, |timeout| (timeout / 5..=timeout / 2).contains(&span))
}

/// The session's timeout; the spans themselves are random.
///
/// # Safety
/// As for [`rust`].
unsafe fn save(c: *mut CONNECTION, input: &mut Vec<u8>) -> bool {
    // SAFETY: the caller's.
    let timeout = unsafe { c.as_ref().map(|c| (*c.Session).Timeout) };
    saved::put_number(timeout.map_or(u64::MAX, u64::from), input);
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some(timeout), true) = (saved.number(), saved.is_read()) else { return false };
    // SAFETY: all members of both may be zero.
    let (mut c, mut s): (CONNECTION, SESSION) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let timeout = u32::try_from(timeout);
    if matches!(timeout, Ok(0 | 1)) {
        // The C divides by half of it, which would end this process as it did the other.
        return false;
    }
    s.Timeout = timeout.unwrap_or(0);
    c.Session = &mut s;
    // SAFETY: the connection is ours, and null is allowed.
    unsafe { GenNextKeepAliveSpan(if timeout.is_ok() { &raw mut c } else { ptr::null_mut() }) };
    true
}

/// Both sides on the timeouts of a client, the least that the C survives, and null.
fn self_test() -> Result<(), String> {
    // SAFETY: all members of both may be zero.
    let (mut c, mut s): (CONNECTION, SESSION) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    c.Session = &mut s;
    for timeout in [2, 3, 5_000, 20_000, 300_000] {
        // SAFETY: the session is ours, and only this thread knows it.
        let spans = unsafe {
            (*c.Session).Timeout = timeout;
            [c_GenNextKeepAliveSpan(&mut c), rust(&mut c)]
        };
        if !spans.iter().all(|&span| is_possible(Some(timeout), span)) {
            return Err(format!("timeout {timeout}: c {}, rust {}", spans[0], spans[1]));
        }
    }
    // SAFETY: null is allowed.
    let nulls = unsafe { [c_GenNextKeepAliveSpan(ptr::null_mut()), rust(ptr::null_mut())] };
    if nulls == [INFINITE; 2] { Ok(()) } else { Err("null has a span".to_owned()) }
}
