//! The terms of a server's Welcome, clamped or refused before the first frame. C's `ClientConnect` takes them as they come;
//! the client calls this at the start of every session, whichever side its swaps are on.

use cedar::session::{Refusal, Terms};
use softether_sys::SESSION;

/// Holds a session to terms that a client can accept: writes those that were clamped back to it.
///
/// # Errors
/// The session must not carry a frame.
///
/// # Safety
/// `s` is a client's session at its start, on its own thread.
pub unsafe fn hold(s: *mut SESSION) -> Result<(), Refusal> {
    // SAFETY: the caller's; a client's session has options.
    unsafe {
        let s = &mut *s;
        #[cfg(feature = "planted-faults")]
        crate::planted::strike_terms(s);
        let offered = Terms {
            timeout_ms: s.Timeout,
            max_connection: s.MaxConnection,
            use_encrypt: s.UseEncrypt != 0,
            use_udp_acceleration: s.UseUdpAcceleration != 0,
            is_udp_encrypted: s.UdpAccel.as_ref().is_none_or(|udp| udp.PlainTextMode == 0),
        };
        let accepted = offered.accept((*s.ClientOption).UseEncrypt != 0)?;
        if accepted != offered {
            tracing::warn!(?offered, ?accepted, "the server's terms are not taken as they are");
        }
        s.Timeout = accepted.timeout_ms;
        s.MaxConnection = accepted.max_connection;
        s.UseUdpAcceleration = accepted.use_udp_acceleration.into();
    }
    Ok(())
}
