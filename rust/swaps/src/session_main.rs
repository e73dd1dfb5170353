//! `SessionMain`: runs a session, from the moment the server has let it in until it ends.
//!
//! 1. The packet adapter is made ready ([`lifetime`]), and the way of the frames chosen ([`path`]).
//! 2. Turns: another TCP connection if one is wanted, wait and receive, frames to the adapter, frames from it, send
//!    ([`turn`]). `ConnectionReceive`, `ConnectionSend` and the adapter are called through the C's symbols and tables,
//!    so each runs on the side that its own swap says.
//! 3. After each turn `cedar::session` says whether the session goes on, from a view of the C's SESSION.
//! 4. What was made is given back, and the error is left in `CONNECTION.Err`, after a panic, too ([`lifetime`]).
//!
//! All state that others see stays the C's. C runs what [`session::client_connection`] does not know, as a whole.
//!
//! Ownership: a block that is received belongs to this loop, its buffer goes to the adapter; a frame that the adapter
//! gives goes into a block, and that into a queue. The session's own thread calls and no lock is held; none is held
//! between two calls into C.

mod lifetime;
pub mod path;
mod turn;

#[cfg(fused_path)]
pub(crate) use lifetime::Running;
#[cfg(fused_path)]
pub(crate) use turn::add_connections;

use crate::memory::session;
#[cfg(not(fused_path))]
use lifetime::Running;
use softether_sys::SESSION;
use std::ptr;
use switch::enter_session;

switch::swap! {
    /// Runs a session until it ends (C: `SessionMain`, Cedar/Session.c). Null is ignored.
    pub unsafe extern "C" fn SessionMain(s: *mut SESSION);
    swap: crate::SESSION_MAIN,
    signature: softether_sys::SessionMain,
    c: c_SessionMain,
    // Whatever unwinds has ended the session on its way.
    contract: effect(()),
    // SAFETY: the dispatcher's caller gives a session or null.
    session: unsafe { crate::session_id(s) },
    rust: rust,
    self_test: self_test,
}

/// The Rust side.
///
/// # Safety
/// `s` is null or a session that begins, on its own thread.
pub unsafe fn rust(s: *mut SESSION) {
    // SAFETY: the caller's, for all that follows; what Rust does not know is C's as a whole, before anything is done.
    unsafe {
        let Some(c) = session::client_connection(s) else {
            if !s.is_null() {
                crate::SESSION_MAIN.fell_back();
            }
            c_SessionMain(s);
            return;
        };
        let _session = enter_session(crate::session_id(s));
        let mut running = Running::begin(s, c);
        if running.init_adapter() {
            let path = path::choose(s);
            tracing::info!(path = path.name(), reason = path.reason().unwrap_or(""), "the session begins");
            path::set_current(Some(path));
            running.note_beginning();
            match path {
                path::Path::Seams(_) => turn::run(&mut running),
                #[cfg(fused_path)]
                path::Path::Fused(_) => crate::fused::run(&mut running),
            }
        }
    }
}

/// Both sides ignore null; what they do with a session is the differential test's.
fn self_test() -> Result<(), String> {
    // SAFETY: null is ignored.
    unsafe {
        c_SessionMain(ptr::null_mut());
        rust(ptr::null_mut());
    }
    Ok(())
}
