//! What a server may impose on a session.

use crate::error::{Status, failed, guarded};
use softether_sys::SESSION;

/// Clamps what the server's Welcome said about a session: its timeout, its number of connections, UDP without encryption.
/// To be called before the session carries a frame, from its packet adapter's `Init`.
///
/// # Errors
/// `NotPermitted`: the data would go unencrypted although the configuration asks for encryption. The session must end.
///
/// # Safety
/// `s` is a client's session at its start, on its own thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_session_hold_terms(s: *mut SESSION) -> Status {
    // SAFETY: the caller's.
    guarded(|| unsafe { swaps::terms::hold(s) }.map_err(|refusal| failed(Status::NotPermitted, refusal)))
}
