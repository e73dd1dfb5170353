//! The lock of `Mayaqua/Object.c` and `Unix.c`: its owner may take it again.
//!
//! Not here: data under the lock. A lock that may be taken twice cannot hand out `&mut`; Rust code has `Mutex`.

use std::marker::PhantomData;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// A lock that its owner may take again (C: `LOCK`).
#[derive(Debug, Default)]
pub struct Lock {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    owner: Option<ThreadId>,
    /// How often the owner has taken it.
    depth: u32,
}

/// A lock that is held; dropping gives it back (C: `Unlock`, Mayaqua/Object.c).
#[derive(Debug)]
pub struct Guard<'a> {
    lock: &'a Lock,
    /// The thread that took the lock gives it back.
    _not_send: PhantomData<*const ()>,
}

impl Lock {
    /// A lock that nobody holds (C: `NewLock`, Mayaqua/Object.c).
    #[must_use]
    pub const fn new() -> Self {
        Self { state: Mutex::new(State { owner: None, depth: 0 }), freed: Condvar::new() }
    }

    /// Waits until no other thread holds the lock, and takes it (C: `Lock`, Mayaqua/Object.c).
    pub fn lock(&self) -> Guard<'_> {
        let me = thread::current().id();
        let mut state = self.state();
        while state.owner.is_some_and(|owner| owner != me) {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.owner = Some(me);
        state.depth += 1;
        Guard { lock: self, _not_send: PhantomData }
    }

    /// The state is sound after every statement, so a panic elsewhere spoils nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut state = self.lock.state();
        state.depth -= 1;
        if state.depth == 0 {
            state.owner = None;
            drop(state);
            self.lock.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn the_owner_takes_it_again_and_others_wait() {
        let lock = Lock::new();
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let _outer = lock.lock();
                        let _inner = lock.lock();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(lock.state().owner, None);
    }
}
