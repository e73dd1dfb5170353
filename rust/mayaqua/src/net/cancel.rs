//! Cancellation of what waits (C: `CANCEL`, Mayaqua/Network.c).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Something that waits and can be told to look again.
pub(crate) trait Wake: Send + Sync {
    fn wake(&self);
}

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    waiting: Mutex<Vec<Weak<dyn Wake>>>,
}

/// Ends every wait that it was given to, now and later, from any thread (C: `NewCancel`, `Cancel`, `ReleaseCancel`,
/// `CleanupCancel`, `UnixNewCancel`, `UnixCancel`, `UnixCleanupCancel`, and `CheckTCPPort` as `Disconnect` uses it, Mayaqua/Network.c; those come back once, and this
/// stays cancelled).
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cancel({})", self.is_cancelled())
    }
}

impl Cancel {
    /// One that nobody has cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the waits. The flag is set before anyone is woken, so who looks first and waits then is woken too.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        for waiting in self.waiting().drain(..) {
            if let Some(waiting) = waiting.upgrade() {
                waiting.wake();
            }
        }
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// The list is sound after every statement, so a panic elsewhere spoils nothing.
    fn waiting(&self) -> MutexGuard<'_, Vec<Weak<dyn Wake>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes `waiting` when it is cancelled, as long as that lives. Those that do not live any more are forgotten here, so
    /// the list is never longer than twice the number that ever waited at the same time.
    pub(crate) fn tell(&self, waiting: &Arc<impl Wake + 'static>) {
        let mut list = self.waiting();
        if list.len() == list.capacity() {
            list.retain(|waiting| waiting.strong_count() > 0);
        }
        list.push(Arc::downgrade(waiting) as Weak<dyn Wake>);
        drop(list);
        if self.is_cancelled() {
            waiting.wake();
        }
    }

    /// How many it would wake.
    #[cfg(test)]
    pub(super) fn waiting_len(&self) -> usize {
        self.waiting().len()
    }
}
