//! The client's memory, descriptors and threads over time, and whether they grow.

use std::fs;
use std::time::Duration;

use serde::Serialize;

/// Time between samples.
const EVERY: Duration = Duration::from_secs(1);

/// What the client used at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Since the first frame.
    pub at: Duration,
    /// Resident memory in KiB.
    pub memory_kib: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

/// How one resource went: the medians of the second and of the last fifth of a run. The first fifth is for warming up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trend {
    /// Which resource.
    pub what: &'static str,
    /// The median of the second fifth.
    pub early: u64,
    /// The median of the last fifth.
    pub late: u64,
    /// Most that it may grow from one to the other and be called flat.
    pub growth_max: u64,
}

impl Trend {
    /// What may grow by how much: 4 MiB of memory (what the allocator keeps at most after reconnects), two descriptors
    /// and two threads (of a connection that is being made).
    const RULES: [(&'static str, u64); 3] = [("memory_kib", 4096), ("descriptors", 2), ("threads", 2)];

    /// Whether it did not grow beyond the rule.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.late <= self.early + self.growth_max
    }
}

/// Samples of one process.
pub(super) struct Watch {
    process: u32,
    /// In order.
    pub samples: Vec<Sample>,
}

impl Watch {
    pub fn new(process: u32) -> Self {
        Self { process, samples: Vec::new() }
    }

    /// Takes a sample if it is time.
    pub fn sample(&mut self, now: Duration) {
        if self.samples.last().is_none_or(|last| now >= last.at + EVERY) {
            self.samples.extend(sample(self.process, now));
        }
    }

    /// What became of each resource; empty if there are too few samples to tell.
    pub fn trends(&self) -> Vec<Trend> {
        trends(&self.samples)
    }
}

fn trends(samples: &[Sample]) -> Vec<Trend> {
    let fifth = samples.len() / 5;
    if fifth == 0 {
        return Vec::new();
    }
    let (early, late) = (&samples[fifth..2 * fifth], &samples[samples.len() - fifth..]);
    let trend = |(what, growth_max): (&'static str, u64)| {
        let median = |part: &[Sample]| {
            let mut values: Vec<u64> = part
                .iter()
                .map(|sample| match what {
                    "memory_kib" => sample.memory_kib,
                    "descriptors" => sample.descriptors,
                    _ => sample.threads,
                })
                .collect();
            values.sort_unstable();
            values[values.len() / 2]
        };
        Trend { what, early: median(early), late: median(late), growth_max }
    };
    Trend::RULES.map(trend).to_vec()
}

/// `None` when the process is gone.
fn sample(process: u32, at: Duration) -> Option<Sample> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let number = |key: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count() as u64;
    Some(Sample { at, memory_kib: number("VmRSS:")?, descriptors, threads: number("Threads:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(memory_kib: impl Fn(u64) -> u64) -> Vec<Trend> {
        let samples: Vec<Sample> = (0..50)
            .map(|n| Sample { at: Duration::from_secs(n), memory_kib: memory_kib(n), descriptors: 20, threads: 9 })
            .collect();
        trends(&samples)
    }

    #[test]
    fn warming_up_and_peaks_are_flat_and_a_leak_is_not() {
        assert!(run(|n| if n < 10 { 1000 } else { 90_000 }).iter().all(Trend::is_flat), "warming up");
        assert!(run(|n| if n % 7 == 0 { 90_000 } else { 1000 }).iter().all(Trend::is_flat), "peaks");
        let leak = run(|n| 1000 + n * 150);
        assert_eq!(leak.iter().filter(|trend| !trend.is_flat()).count(), 1, "{leak:?}");
        assert!(trends(&[]).is_empty());
    }

    #[test]
    fn this_process_can_be_sampled() {
        let sample = sample(std::process::id(), Duration::ZERO).expect("we run");
        assert!(sample.memory_kib > 100 && sample.descriptors >= 3 && sample.threads >= 1, "{sample:?}");
    }
}
