//! Finding a Rust side that does not come back: each thread's block says which swap it is in and how many calls of it
//! it has made; a look that finds both as they were long before has found a call that hangs.
//! Effects may block and loop as long as they like, so nothing is said of them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::counters;
use crate::{Contract, Swap, Switchboard};

/// What the looks before have seen. One per process is enough.
#[derive(Debug, Default)]
pub struct Watch {
    last: Option<Instant>,
    /// By the thread's block: the swap's index, the calls of it, and when this was seen first.
    seen: HashMap<usize, (usize, u64, Instant)>,
}

/// A call that hangs.
#[derive(Clone, Copy, Debug)]
pub struct Stuck {
    /// The swap whose Rust side was called.
    pub swap: &'static Swap,
    /// How long it is known to have run.
    pub since: Duration,
}

impl Watch {
    /// Looks at every thread, at `now`: calls of a pure or cloned swap that have run for `limit` or longer.
    ///
    /// To be called every so often. After a pause of `limit`, in which the whole process may have stood still, it
    /// begins anew.
    pub fn look(&mut self, board: &Switchboard, now: Instant, limit: Duration) -> Vec<Stuck> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) >= limit) {
            self.seen.clear();
        }
        self.last = Some(now);
        let running = counters::in_rust();
        self.seen.retain(|place, seen| {
            running.iter().any(|(at, index, calls)| at == place && (*index, *calls) == (seen.0, seen.1))
        });
        let mut stuck = Vec::new();
        for (place, index, calls) in running {
            let (.., first) = *self.seen.entry(place).or_insert((index, calls, now));
            let since = now.saturating_duration_since(first);
            let swap = board.entries().map(|entry| entry.swap).find(|swap| swap.info().index == index);
            stuck.extend(
                swap.filter(|swap| since >= limit && swap.info().contract != Contract::Effect)
                    .map(|swap| Stuck { swap, since }),
            );
        }
        stuck
    }
}
