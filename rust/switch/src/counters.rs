//! Counters that cost a dispatcher next to nothing, and the sampled clock.
//!
//! How a call is counted:
//! 1. Each thread owns one [`Block`] (`MAX_SWAPS` slots of three counts, 12 KiB), taken at its first
//!    swapped call. It is the block's only writer: a plain load and store, no locked instruction.
//! 2. When the thread ends, its block goes to the pool with its sums, for the next thread. Blocks are
//!    never freed, so there are as many as there ever were threads at once.
//! 3. A swapped call in a thread whose destructors already ran is counted in one shared block, by
//!    `fetch_add`.
//! 4. A reader adds up all blocks.
//!
//! Every `SAMPLE_EVERY`th call of a thread is timed; times are rare enough to be shared per swap.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use serde::{Serialize, Serializer};

/// The most swaps one process can hold. A power of two: an index is masked, never checked.
pub const MAX_SWAPS: usize = 512;
const _: () = assert!(MAX_SWAPS.is_power_of_two());

/// Each this many calls of one swap on one side in one thread, one is timed.
pub const SAMPLE_EVERY: u64 = 1024;

/// How a call was served; the place of its count in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Lane {
    C = 0,
    Rust = 1,
    Shadow = 2,
}

const LANES: usize = 3;

/// One thread's counts, for every swap.
struct Block {
    /// Spreads the shadow draws of different threads.
    serial: u64,
    slots: [[AtomicU64; LANES]; MAX_SWAPS],
}

impl Block {
    const fn new(serial: u64) -> Block {
        Block { serial, slots: [const { [const { AtomicU64::new(0) }; LANES] }; MAX_SWAPS] }
    }

    fn slot(&self, index: usize) -> &[AtomicU64; LANES] {
        &self.slots[index & (MAX_SWAPS - 1)]
    }

    fn calls(&self, index: usize) -> [u64; LANES] {
        self.slot(index).each_ref().map(|count| count.load(Relaxed))
    }
}

/// Every block, and those whose thread has ended.
struct Pool {
    all: Vec<&'static Block>,
    free: Vec<&'static Block>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { all: Vec::new(), free: Vec::new() });

/// Where threads count that have no block any more.
static SHARED: Block = Block::new(0);

thread_local! {
    /// This thread's block. It has no destructor, so reading it is one instruction and always allowed.
    static BLOCK: Cell<Option<&'static Block>> = const { Cell::new(None) };
    /// Gives the block back when the thread ends.
    static LEASE: Lease = const { Lease };
}

struct Lease;

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(block) = BLOCK.take() {
            pool().free.push(block);
        }
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts one call. False, rarely, if [`finish_count`] has more to do.
#[inline(always)]
pub(crate) fn count(index: usize, lane: Lane) -> bool {
    let Some(block) = BLOCK.get() else {
        return false;
    };
    let count = &block.slot(index)[lane as usize];
    let calls = count.load(Relaxed).wrapping_add(1);
    count.store(calls, Relaxed);
    !calls.is_multiple_of(SAMPLE_EVERY)
}

/// What [`count`] left to do: counts the call if the thread has no block, because it is its first
/// swapped call or comes after the thread's end. True if the call is to be timed.
#[cold]
pub(crate) fn finish_count(index: usize, lane: Lane) -> bool {
    if BLOCK.get().is_some() {
        return true;
    }
    if take_block() {
        return !count(index, lane);
    }
    let calls = SHARED.slot(index)[lane as usize].fetch_add(1, Relaxed).wrapping_add(1);
    calls.is_multiple_of(SAMPLE_EVERY)
}

/// Gives this thread a block; false if the thread is ending.
fn take_block() -> bool {
    // Registers the lease's destructor; refused once it has run, so that every block comes back.
    if LEASE.try_with(|_| ()).is_err() {
        return false;
    }
    let recycled = pool().free.pop();
    let block = recycled.unwrap_or_else(|| {
        let mut pool = pool();
        let serial = pool.all.len() as u64 + 1;
        let block: &'static Block = Box::leak(Box::new(Block::new(serial)));
        pool.all.push(block);
        block
    });
    BLOCK.set(Some(block));
    true
}

/// Whether this thread's next call of the swap is one of the `percent` of 100 that are shadowed.
///
/// Multiples of the golden ratio fall evenly at every length and do not beat with callers that come
/// in bursts of a fixed size, as "each 100th call" would.
pub(crate) fn is_shadow_turn(index: usize, percent: u8) -> bool {
    if percent >= 100 {
        return true;
    }
    let block = BLOCK.get().unwrap_or(&SHARED);
    let turn = block.calls(index).iter().fold(block.serial, |sum, &calls| sum.wrapping_add(calls));
    let position = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    position < u64::from(percent) * (u64::MAX / 100)
}

/// Calls per lane over all threads, living and ended.
pub(crate) fn totals(index: usize) -> [u64; LANES] {
    let pool = pool();
    let mut sums = SHARED.calls(index);
    for block in &pool.all {
        for (sum, calls) in sums.iter_mut().zip(block.calls(index)) {
            *sum = sum.wrapping_add(calls);
        }
    }
    sums
}

/// Bucket `b` holds times of `b` significant bits, so below 2^b ns; the last holds all longer ones.
const BUCKETS: usize = 40;

/// Sampled times of one side of one swap: a sum and a histogram by powers of two.
#[derive(Debug)]
pub(crate) struct Times {
    sum_ns: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl Times {
    pub(crate) const fn new() -> Times {
        Times { sum_ns: AtomicU64::new(0), buckets: [const { AtomicU64::new(0) }; BUCKETS] }
    }

    fn record(&self, ns: u64) {
        let bits = (u64::BITS - ns.leading_zeros()) as usize;
        self.sum_ns.fetch_add(ns, Relaxed);
        self.buckets[bits.min(BUCKETS - 1)].fetch_add(1, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> TimeSummary {
        TimeSummary {
            sum_ns: self.sum_ns.load(Relaxed),
            buckets: self.buckets.each_ref().map(|bucket| bucket.load(Relaxed)),
        }
    }
}

/// Runs `call` by the clock and records what it took, less the clock's own cost.
pub(crate) fn timed<R>(times: &Times, call: impl FnOnce() -> R) -> R {
    let cost = clock_cost_ns();
    let start = Instant::now();
    let result = call();
    times.record(elapsed_ns(start).saturating_sub(cost));
    result
}

fn elapsed_ns(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The least that two readings of the clock are apart, in ns.
fn clock_cost_ns() -> u64 {
    static COST: OnceLock<u64> = OnceLock::new();
    *COST.get_or_init(|| (0..64).map(|_| elapsed_ns(Instant::now())).min().unwrap_or(0))
}

/// The sampled times of one side, read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeSummary {
    sum_ns: u64,
    buckets: [u64; BUCKETS],
}

impl TimeSummary {
    /// How many calls were timed: each [`SAMPLE_EVERY`]th of a thread.
    pub fn samples(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Mean nanoseconds of the timed calls; `None` without samples.
    pub fn mean_ns(&self) -> Option<u64> {
        self.sum_ns.checked_div(self.samples())
    }

    /// An upper bound, in nanoseconds, of the `percent`th percentile: the edge of its bucket, a power
    /// of two. `None` without samples.
    pub fn percentile_ns(&self, percent: u8) -> Option<u64> {
        let samples = self.samples();
        let rank = (u128::from(samples) * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut below = 0u128;
        let bucket = self.buckets.iter().position(|&count| {
            below += u128::from(count);
            below >= rank
        })?;
        Some(1 << bucket)
    }
}

impl Serialize for TimeSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            samples: u64,
            mean: Option<u64>,
            p99: Option<u64>,
        }
        Shown { samples: self.samples(), mean: self.mean_ns(), p99: self.percentile_ns(99) }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_follow_each_other_share_a_block() {
        for _ in 0..50 {
            std::thread::spawn(|| count_once(0)).join().unwrap();
        }
        let blocks = pool().all.len();
        assert!(blocks < 10, "{blocks} blocks for 50 threads, one at a time");
        assert_eq!(totals(0)[Lane::C as usize], 50);
    }

    fn count_once(index: usize) {
        if !count(index, Lane::C) {
            finish_count(index, Lane::C);
        }
    }

    #[test]
    fn times_fall_into_buckets_by_their_bits() {
        let times = Times::new();
        assert_eq!(times.snapshot().mean_ns(), None);
        assert_eq!(times.snapshot().percentile_ns(99), None);
        for ns in [0, 1, 2, 3, 1000, u64::MAX / 2] {
            times.record(ns);
        }
        let summary = times.snapshot();
        assert_eq!(summary.samples(), 6);
        assert_eq!(
            [0, 17, 34, 67, 84].map(|p| summary.percentile_ns(p)),
            [Some(1), Some(2), Some(4), Some(1024), Some(1 << (BUCKETS - 1)),]
        );
    }

    #[test]
    fn the_99th_percentile_leaves_one_in_a_hundred_above() {
        let times = Times::new();
        (0..99).for_each(|_| times.record(5));
        times.record(5000);
        assert_eq!(times.snapshot().percentile_ns(99), Some(8));
        times.record(5000);
        assert_eq!(times.snapshot().percentile_ns(99), Some(8192));
    }
}
