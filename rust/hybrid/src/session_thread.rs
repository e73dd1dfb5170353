//! Which session a thread works for, for as long as its packet adapter lives: what shares of sessions are drawn by, whichever
//! side runs the session, and the `session` of the log's lines, which is a number and not the session's key.

use crate::error::boundary;
use softether_sys::SESSION;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use switch::SessionGuard;
use tracing::span::EnteredSpan;

thread_local! {
    static ENTERED: RefCell<Option<(EnteredSpan, SessionGuard)>> = const { RefCell::new(None) };
}

/// Says that this thread works for a session from now on, until [`cutover_session_leave`]. Sessions are numbered from 1, in
/// the order in which they begin in this process.
///
/// # Safety
/// `s` is a session at its start, on its own thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_session_enter(s: *const SESSION) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    boundary((), || {
        cutover_session_leave();
        let number = LAST.fetch_add(1, Relaxed) + 1;
        // SAFETY: the caller's.
        let session = switch::enter_session(unsafe { swaps::session_id(s) });
        // Of the highest level, so that it is there whatever is logged inside.
        let span = tracing::error_span!(target: "cutover", "session", session = number).entered();
        ENTERED.with_borrow_mut(|slot| *slot = Some((span, session)));
    });
}

/// Says that this thread's session has ended. Without one, nothing happens.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_session_leave() {
    boundary((), || drop(ENTERED.take()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    /// A session that begins ends the one before, and the thread works for none behind the last.
    #[test]
    fn a_thread_works_for_the_session_that_began_last() {
        // SAFETY: all members of both may be zero, and no member is followed that is null.
        let (mut session, mut connection): (Box<SESSION>, Box<softether_sys::CONNECTION>) =
            unsafe { (Box::new(std::mem::zeroed()), Box::new(std::mem::zeroed())) };
        session.SessionKey[7] = 9;
        connection.Session = &raw mut *session;
        session.Connection = &raw mut *connection;
        for _ in 0..2 {
            // SAFETY: a session of this test, whose parts live on.
            unsafe { cutover_session_enter(connection.Session) };
            assert_eq!(switch::current_session(), 9);
        }
        cutover_session_leave();
        assert_eq!(switch::current_session(), 0);
        cutover_session_leave();
        // SAFETY: null is no session, which is drawn as 0.
        unsafe { cutover_session_enter(ptr::null()) };
        assert_eq!(switch::current_session(), 0);
        cutover_session_leave();
    }
}
