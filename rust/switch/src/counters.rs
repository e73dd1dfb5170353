//! Counters that cost a dispatcher next to nothing, and the sampled clock.
//!
//! How a call is counted:
//! 1. Each thread owns one [`Block`] (three rows of `MAX_SWAPS` counts, 12 KiB), taken at its first
//!    swapped call. It is the block's only writer: a plain load and store, no locked instruction.
//! 2. When the thread ends, its block goes to the pool with its sums, for the next thread. Blocks are
//!    never freed, so there are as many as there ever were threads at once.
//! 3. A swapped call in a thread whose destructors already ran is counted in one shared block, by
//!    `fetch_add`.
//! 4. A reader adds up all blocks.
//!
//! Every `SAMPLE_EVERY`th call of a thread is timed, and the next one after [`crate::Swap::sample_next`]; times are
//! rare enough to be shared per swap.
//!
//! A block also says which swap's Rust side its thread is in, for [`crate::Watch`] to find one that does not come back.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use serde::{Serialize, Serializer};

use crate::own;

/// The most swaps one process can hold. A power of two: an index is masked, never checked.
pub const MAX_SWAPS: usize = 512;
const _: () = assert!(MAX_SWAPS.is_power_of_two());

/// Each this many calls of one swap on one side in one thread, one is timed.
pub const SAMPLE_EVERY: u64 = 1024;

/// How a call was served; the row of its count in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Lane {
    C = 0,
    Rust = 1,
    Shadow = 2,
}

const LANES: usize = 3;

/// One thread's counts, for every swap.
pub(crate) struct Block {
    /// Spreads the shadow draws of different threads.
    serial: u64,
    /// The swap whose Rust side runs, as its index + 1; 0: none.
    running: AtomicUsize,
    /// A row per lane, so that the counts of the side that serves most calls lie close together.
    counts: [[AtomicU64; MAX_SWAPS]; LANES],
}

impl Block {
    pub(crate) const fn new(serial: u64) -> Block {
        Block {
            serial,
            running: AtomicUsize::new(0),
            counts: [const { [const { AtomicU64::new(0) }; MAX_SWAPS] }; LANES],
        }
    }

    fn count(&self, index: usize, lane: Lane) -> &AtomicU64 {
        &self.counts[lane as usize][index & (MAX_SWAPS - 1)]
    }

    fn calls(&self, index: usize) -> [u64; LANES] {
        [Lane::C, Lane::Rust, Lane::Shadow].map(|lane| self.count(index, lane).load(Relaxed))
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
    /// Gives the block back when the thread ends.
    static LEASE: Lease = const { Lease };
}

struct Lease;

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(block) = own::block() {
            own::set_block(None);
            pool().free.push(block);
        }
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts one call. False, rarely, if it did not: then [`finish_count`] is to count it.
#[inline(always)]
pub(crate) fn count(index: usize, lane: Lane) -> bool {
    let Some(block) = own::block() else {
        return false;
    };
    let count = block.count(index, lane);
    let calls = count.load(Relaxed).wrapping_add(1);
    if calls.is_multiple_of(SAMPLE_EVERY) {
        return false;
    }
    count.store(calls, Relaxed);
    true
}

/// Counts what [`count`] did not: the thread's first swapped call, one after the thread's end, and each that is to be
/// timed; true for these.
#[cold]
pub(crate) fn finish_count(index: usize, lane: Lane) -> bool {
    let calls = match own::block().or_else(take_block) {
        Some(block) => {
            let count = block.count(index, lane);
            let calls = count.load(Relaxed).wrapping_add(1);
            count.store(calls, Relaxed);
            calls
        }
        None => SHARED.count(index, lane).fetch_add(1, Relaxed).wrapping_add(1),
    };
    calls.is_multiple_of(SAMPLE_EVERY)
}

/// Gives this thread a block; `None` if the thread is ending.
fn take_block() -> Option<&'static Block> {
    // Registers the lease's destructor; refused once it has run, so that every block comes back.
    LEASE.try_with(|_| ()).ok()?;
    let recycled = pool().free.pop();
    let block = recycled.unwrap_or_else(|| {
        let mut pool = pool();
        let serial = pool.all.len() as u64 + 1;
        let block: &'static Block = Box::leak(Box::new(Block::new(serial)));
        pool.all.push(block);
        block
    });
    own::set_block(Some(block));
    Some(block)
}

/// Says that this thread enters the Rust side of the swap with this index + 1, or comes back to none (0) or to an outer
/// one. Returns what it was in before.
#[inline(always)]
pub(crate) fn enter(running: usize) -> usize {
    let Some(block) = own::block() else { return 0 };
    let outer = block.running.load(Relaxed);
    block.running.store(running, Relaxed);
    outer
}

/// Every thread that is in a Rust side: the block's place, the swap's index, and the thread's calls of it so far.
pub(crate) fn in_rust() -> Vec<(usize, usize, u64)> {
    let pool = pool();
    let running = pool.all.iter().enumerate().filter_map(|(place, block)| {
        let index = block.running.load(Relaxed).checked_sub(1)?;
        Some((place, index, block.calls(index).iter().fold(0u64, |sum, &calls| sum.wrapping_add(calls))))
    });
    running.collect()
}

/// Whether this thread's next call of the swap is one of the `percent` of 100 that are shadowed.
///
/// Multiples of the golden ratio fall evenly at every length and do not beat with callers that come
/// in bursts of a fixed size, as "each 100th call" would.
#[inline]
pub(crate) fn is_shadow_turn(index: usize, percent: u8) -> bool {
    if percent >= 100 {
        return true;
    }
    let block = own::block().unwrap_or(&SHARED);
    let turn = block.calls(index).iter().fold(block.serial, |sum, &calls| sum.wrapping_add(calls));
    let position = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    position < u64::from(percent) * (u64::MAX / 100)
}

/// How many calls this thread has had on a lane, with those of ended threads whose block it took over.
pub(crate) fn calls_here(index: usize, lane: Lane) -> u64 {
    own::block().unwrap_or(&SHARED).count(index, lane).load(Relaxed)
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

/// Times fall into four buckets per power of two, so that a bucket's edges are at most a quarter apart. The first eight
/// hold one nanosecond each; the last holds all longer times.
const BUCKETS: usize = 160;

/// The bucket of a time.
fn bucket_of(ns: u64) -> usize {
    let Some(exponent) = ns.checked_ilog2().filter(|exponent| *exponent >= 3) else { return (ns & 7) as usize };
    let quarter = (ns >> (exponent - 2)) & 3;
    ((exponent as usize - 1) * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The first time, in ns, that is too long for a bucket. The last bucket's is only a name for it.
fn edge_of(bucket: usize) -> u64 {
    if bucket < 8 {
        return bucket as u64 + 1;
    }
    (5 + bucket as u64 % 4) << (bucket / 4 - 1)
}

/// Sampled times of one side of one swap: a sum and a histogram.
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
        self.sum_ns.fetch_add(ns, Relaxed);
        self.buckets[bucket_of(ns)].fetch_add(1, Relaxed);
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

    /// The sum of the timed calls, in nanoseconds.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// What was timed after `earlier`, an older summary of the same side.
    pub fn since(&self, earlier: &TimeSummary) -> TimeSummary {
        let mut later = self.clone();
        later.sum_ns = later.sum_ns.saturating_sub(earlier.sum_ns);
        for (count, before) in later.buckets.iter_mut().zip(earlier.buckets) {
            *count = count.saturating_sub(before);
        }
        later
    }

    /// How many timed calls certainly took `ns` or longer.
    pub fn at_least(&self, ns: u64) -> u64 {
        let begins = |bucket: usize| bucket.checked_sub(1).map_or(0, edge_of);
        self.buckets.iter().enumerate().filter(|(bucket, _)| begins(*bucket) >= ns).map(|(_, count)| count).sum()
    }

    /// How many timed calls took less than each power of two of nanoseconds, from 8 ns to 1 s; what an exporter shows.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        (3..=30u32).map(|exponent| {
            let below: u64 = self.buckets.iter().take(bucket_of(1 << exponent)).sum();
            (1 << exponent, below)
        })
    }

    /// An upper bound, in nanoseconds, of the `percent`th percentile: the edge of its bucket, at most a quarter above.
    /// `None` without samples.
    pub fn percentile_ns(&self, percent: u8) -> Option<u64> {
        let samples = self.samples();
        let rank = (u128::from(samples) * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut below = 0u128;
        let bucket = self.buckets.iter().position(|&count| {
            below += u128::from(count);
            below >= rank
        })?;
        Some(edge_of(bucket))
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
            [Some(1), Some(2), Some(3), Some(1024), Some(edge_of(BUCKETS - 1))]
        );
    }

    #[test]
    fn every_bucket_begins_where_the_one_before_ends() {
        for bucket in 1..BUCKETS - 1 {
            let begin = edge_of(bucket - 1);
            assert_eq!((bucket_of(begin), bucket_of(begin - 1)), (bucket, bucket - 1), "{begin} ns");
            assert_eq!(bucket_of(edge_of(bucket) - 1), bucket);
        }
    }

    #[test]
    fn what_was_timed_since_and_above_and_below() {
        let times = Times::new();
        let _ = [5, 100, 100].map(|ns| times.record(ns));
        let before = times.snapshot();
        let _ = [5000, 6, 2_000_000].map(|ns| times.record(ns));
        let since = times.snapshot().since(&before);
        assert_eq!((since.samples(), since.sum_ns()), (3, 2_005_006));
        assert_eq!([0, 6, 7, 4096, 5121, 1_572_864, 2_000_001].map(|ns| since.at_least(ns)), [3, 3, 2, 2, 1, 1, 0]);
        let below: Vec<u64> = since.cumulative().map(|(_, below)| below).collect();
        assert_eq!((below[0], below[9], below[10], below[18]), (1, 1, 2, 3));
    }

    #[test]
    fn the_99th_percentile_leaves_one_in_a_hundred_above() {
        let times = Times::new();
        (0..99).for_each(|_| times.record(5));
        times.record(5000);
        assert_eq!(times.snapshot().percentile_ns(99), Some(6));
        times.record(5000);
        assert_eq!(times.snapshot().percentile_ns(99), Some(5120));
    }
}
