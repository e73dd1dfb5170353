//! The counter of `Mayaqua/Object.c`. It needs no lock here.

use std::sync::atomic::{AtomicU32, Ordering};

/// A counter that threads share and that does not fall below 0 (C: `COUNTER`).
#[derive(Debug, Default)]
pub struct Counter(AtomicU32);

impl Counter {
    /// A counter at 0 (C: `NewCounter`, Mayaqua/Object.c).
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The count (C: `Count`, Mayaqua/Object.c).
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// Adds one and returns the count; behind 2^32 - 1 comes 0 (C: `Inc`, Mayaqua/Object.c).
    pub fn inc(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst).wrapping_add(1)
    }

    /// Takes one, if there is one, and returns the count (C: `Dec`, Mayaqua/Object.c).
    pub fn dec(&self) -> u32 {
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
        before.map_or(0, |before| before - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_stays_at_zero() {
        let counter = Counter::new();
        assert_eq!((counter.dec(), counter.inc(), counter.inc(), counter.dec(), counter.count()), (0, 1, 2, 1, 1));
    }

    #[test]
    fn threads_lose_nothing() {
        let counter = Counter::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counter.inc();
                        counter.inc();
                        counter.dec();
                    }
                });
            }
        });
        assert_eq!(counter.count(), 4000);
    }
}
