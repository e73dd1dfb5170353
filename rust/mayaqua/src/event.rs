//! The event of `Mayaqua/Object.c` and `Unix.c`: set by one thread, waited for by another, gone with the first wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often [`Event::wait_ex`] looks at its cancel flag (C: a number in `WaitEx`, Object.c).
pub const CANCEL_INTERVAL: Duration = Duration::from_millis(25);

/// An event (C: `EVENT`).
#[derive(Debug, Default)]
pub struct Event {
    signal: Mutex<bool>,
    changed: Condvar,
}

impl Event {
    /// An event that is not set (C: `NewEvent`, Mayaqua/Object.c).
    #[must_use]
    pub const fn new() -> Self {
        Self { signal: Mutex::new(false), changed: Condvar::new() }
    }

    /// Sets the event: one waiting thread goes on, or the next that waits (C: `Set`, Mayaqua/Object.c).
    pub fn set(&self) {
        *self.signal.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Waits until the event is set, at most for `timeout` (`None`: for ever), and unsets it; whether it was set
    /// (C: `Wait`, Mayaqua/Object.c, by a clock that may jump).
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        let signal = self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        let mut signal = match timeout {
            None => self.changed.wait_while(signal, |set| !*set).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.changed.wait_timeout_while(signal, timeout, |set| !*set);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        std::mem::take(&mut *signal)
    }

    /// As [`Event::wait`], and also ends, within [`CANCEL_INTERVAL`], when `cancel` becomes true
    /// (C: `WaitEx`, Mayaqua/Object.c).
    pub fn wait_ex(&self, timeout: Option<Duration>, cancel: &AtomicBool) -> bool {
        let start = Instant::now();
        loop {
            let left = timeout.map_or(CANCEL_INTERVAL, |timeout| timeout.saturating_sub(start.elapsed()));
            if left.is_zero() || cancel.load(Ordering::SeqCst) {
                return false;
            }
            if self.wait(Some(left.min(CANCEL_INTERVAL))) {
                return true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    #[test]
    fn set_once_is_waited_for_once() {
        let event = Event::new();
        event.set();
        event.set();
        assert!(event.wait(Some(Duration::ZERO)));
        assert!(!event.wait(Some(Duration::from_millis(1))));
    }

    #[test]
    fn another_thread_sets_it() {
        let event = Event::new();
        thread::scope(|scope| {
            scope.spawn(|| event.set());
            assert!(event.wait(None));
        });
    }

    #[test]
    fn a_wait_ends_by_its_flag_by_time_and_by_the_event() {
        let (event, cancel) = (Event::new(), AtomicBool::new(false));
        assert!(!event.wait_ex(Some(Duration::from_millis(30)), &cancel));
        event.set();
        assert!(event.wait_ex(LONG, &cancel));
        thread::scope(|scope| {
            scope.spawn(|| cancel.store(true, Ordering::SeqCst));
            assert!(!event.wait_ex(LONG, &cancel));
        });
    }
}
