//! Waking the client's main thread. It sleeps while nothing happens, and whoever has something for it wakes it: the
//! session's thread at a session's end, the control thread when it wants something done or to know how things are.

use crate::error::boundary;
use rustix::event::{EventfdFlags, eventfd};
use std::ffi::c_int;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;

/// Counts wakes that the main thread has not taken yet; `None` if the system has no descriptor left.
fn event() -> Option<&'static OwnedFd> {
    static EVENT: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let made = EVENT.get_or_init(|| match eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK) {
        Ok(event) => Some(event),
        Err(error) => {
            tracing::warn!(%error, "the client looks at its session in intervals only");
            None
        }
    });
    made.as_ref()
}

/// The descriptor that can be read when the main thread should look around: an eventfd, the library's. -1: there is
/// none, and one looks in intervals.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_wake_descriptor() -> c_int {
    boundary(-1, || event().map_or(-1, AsRawFd::as_raw_fd))
}

/// Wakes the main thread. From any thread, at any time; many wakes before it looks are one.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_wake() {
    boundary((), || {
        if let Some(event) = event() {
            // Full means that it is awake already.
            let _ = rustix::io::write(event, &1u64.to_ne_bytes());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_wakes_are_one() {
        assert_eq!(cutover_wake_descriptor(), cutover_wake_descriptor());
        for _ in 0..3 {
            cutover_wake();
        }
        let event = event().unwrap();
        let mut count = [0; 8];
        assert_eq!(rustix::io::read(event, &mut count), Ok(8));
        assert!(u64::from_ne_bytes(count) >= 3);
        assert!(rustix::io::read(event, &mut count).is_err(), "it is taken");
    }
}
