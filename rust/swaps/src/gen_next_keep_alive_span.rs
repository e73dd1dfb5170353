//! `GenNextKeepAliveSpan`: how long until the next keep-alive.
//!
//! Ownership: nothing changes hands. The number is random (C: `rand`), so two calls give two numbers.

use crate::memory;
use cedar::framing::gen_next_keep_alive_span;
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
