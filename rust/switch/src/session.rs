//! Which session the current thread works for, and the draw that puts a session inside or outside a
//! percentage. It knows ids only, no sessions.

use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    /// The session this thread works for; 0 = none. No destructor, so it can be read at any time.
    static SESSION: Cell<u64> = const { Cell::new(0) };
}

/// Ends the scope that [`enter_session`] began: the thread works for the session before it again.
#[must_use = "the session ends when the guard is dropped"]
#[derive(Debug)]
pub struct SessionGuard {
    previous: u64,
    /// Stays on its thread.
    _not_send: PhantomData<*const ()>,
}

/// Says that this thread works for session `id` until the guard is dropped. `rust@N%` of pure and
/// cloned swaps is drawn by it. Scopes nest.
///
/// To draw a fleet's hosts independently, mix a stable host id into `id`.
pub fn enter_session(id: u64) -> SessionGuard {
    SessionGuard { previous: SESSION.replace(id), _not_send: PhantomData }
}

/// The session this thread works for; 0 when it works for none. Session 0 is drawn like any other.
#[inline]
pub fn current_session() -> u64 {
    SESSION.get()
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        SESSION.set(self.previous);
    }
}

/// Whether session `id` is among the first `percent` of 100. Stable over calls, processes and
/// builds; growing the percentage only adds sessions. It does not depend on the swap: swaps at the
/// same percentage take the same sessions, so that a session can run whole on one side.
pub fn is_within(id: u64, percent: u8) -> bool {
    let drawn = (u128::from(mix(id)) * 100) >> 64;
    drawn < u128::from(percent)
}

/// SplitMix64: every bit of the id moves every bit of the result.
fn mix(id: u64) -> u64 {
    let mut z = id.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_within_0_and_everybody_within_100() {
        for id in [0, 1, 2, u64::MAX, u64::MAX / 2].into_iter().chain(3..1000) {
            assert!(!is_within(id, 0));
            assert!(is_within(id, 100));
        }
    }

    #[test]
    fn growing_the_percentage_only_adds_sessions() {
        for id in 0..200 {
            let first = (0..=100).find(|&percent| is_within(id, percent)).unwrap();
            assert!((first..=100).all(|percent| is_within(id, percent)), "session {id}");
        }
    }

    #[test]
    fn the_share_is_about_the_percentage() {
        for percent in [1, 10, 50, 99] {
            let within = (0..20_000).filter(|&id| is_within(id, percent)).count();
            let expected = usize::from(percent) * 200;
            assert!(within.abs_diff(expected) < 300, "{percent} %: {within} of 20000");
        }
    }

    /// Stable over builds: a change of these answers would move live sessions to the other side.
    #[test]
    fn the_draw_of_known_sessions_is_fixed() {
        let first = |id| (0..=100).find(|&percent| is_within(id, percent)).unwrap();
        assert_eq!([0, 1, 2, u64::MAX].map(first), [89, 57, 60, 90]);
    }

    #[test]
    fn scopes_nest_and_end() {
        assert_eq!(current_session(), 0);
        let outer = enter_session(7);
        {
            let _inner = enter_session(8);
            assert_eq!(current_session(), 8);
        }
        assert_eq!(current_session(), 7);
        drop(outer);
        assert_eq!(current_session(), 0);
    }
}
