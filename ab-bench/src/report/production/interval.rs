//! What lies between two scrapes, and whose it is.

use std::collections::BTreeSet;

use super::{Moment, SETTING};
use crate::ab::schema::{Counter, Counts, Disturbance, Metric, Metrics, Phase, Rig, Run, Way, Workload};

/// An interval that carried fewer bytes says nothing about the CPU per byte.
pub(super) const INTERVAL_BYTES_MIN: f64 = 64e6;

/// What lies between two scrapes.
pub(super) struct Interval<'a> {
    pub begin: &'a Moment,
    pub end: &'a Moment,
}

/// The intervals between scrapes that were made one after the other.
pub(super) fn intervals(scrapes: &[Moment]) -> Vec<Interval<'_>> {
    scrapes.windows(2).map(|pair| Interval { begin: &pair[0], end: &pair[1] }).collect()
}

impl Interval<'_> {
    /// How much a counter grew.
    pub fn growth(&self, name: &str) -> f64 {
        self.end.scrape.sum(name).unwrap_or(0.0) - self.begin.scrape.sum(name).unwrap_or(0.0)
    }

    /// The same of one sample of a metric.
    pub fn growth_of(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let at = |moment: &Moment| moment.scrape.get(name, labels).unwrap_or(0.0);
        at(self.end) - at(self.begin)
    }

    /// Whether the counters are one process's: none has shrunk, and the build is the same.
    pub fn is_of_one_process(&self) -> bool {
        let counters = ["cutover_cpu_seconds_total", "cutover_bytes_total", "cutover_calls_total"];
        build(self.begin) == build(self.end) && counters.iter().all(|name| self.growth(name) >= 0.0)
    }

    /// Whose interval it is, if anybody's.
    pub fn side(&self, moved: &BTreeSet<String>) -> Option<&'static str> {
        let all_on = |side| {
            moved.iter().all(|swap| [self.begin, self.end].iter().all(|moment| is_wholly_on(moment, swap, side)))
        };
        let calls_on_rust = || {
            moved.iter().any(|swap| self.growth_of("cutover_calls_total", &[("swap", swap), ("side", "rust")]) > 0.0)
        };
        match () {
            () if moved.is_empty() || self.growth("cutover_bytes_total") < INTERVAL_BYTES_MIN => None,
            () if all_on("c") && !calls_on_rust() => Some("c"),
            () if all_on("rust") => Some("rust"),
            () => None,
        }
    }

    /// The interval as a run of the lab.
    pub fn run(&self, first: &Moment, contestant: &str, phase: Phase, round: u32) -> Run {
        let (bytes, cpu_s) = (self.growth("cutover_bytes_total"), self.growth("cutover_cpu_seconds_total"));
        Run {
            rig: Rig::Production,
            setting: SETTING.into(),
            contestant: contestant.into(),
            phase,
            round,
            workload: Workload::Bulk,
            way: Way::Both,
            started_s: self.begin.unix_s - first.unix_s,
            seconds: self.end.unix_s - self.begin.unix_s,
            disturbance: Disturbance::default(),
            disturbed: false,
            counts: Counts::from([(Counter::Bytes, bytes), (Counter::ClientCpuS, cpu_s)]),
            // Not the goodput: how much there was to carry is nobody's merit.
            metrics: Metrics::from([(Metric::CpuSPerGb, cpu_s / (bytes / 1e9))]),
            rtt: None,
        }
    }
}

/// Names the build.
pub(super) fn build(moment: &Moment) -> String {
    moment.scrape.all("cutover_build_info").find_map(|(labels, _)| labels.get("id").cloned()).unwrap_or_default()
}

pub(super) fn is_wholly_on(moment: &Moment, swap: &str, mode: &str) -> bool {
    moment.scrape.get("cutover_swap_share", &[("swap", swap), ("mode", mode)]).is_some_and(|share| share >= 1.0)
}

/// The swaps of a metric.
pub(super) fn swaps(moment: &Moment, metric: &str) -> BTreeSet<String> {
    moment.scrape.all(metric).filter_map(|(labels, _)| labels.get("swap").cloned()).collect()
}

/// The swaps that were wholly on C in one scrape and wholly on Rust in another.
pub(super) fn moved(scrapes: &[Moment]) -> BTreeSet<String> {
    let all: BTreeSet<String> = scrapes.iter().flat_map(|moment| swaps(moment, "cutover_swap_share")).collect();
    let was = |swap: &String, mode| scrapes.iter().any(|moment| is_wholly_on(moment, swap, mode));
    all.into_iter().filter(|swap| was(swap, "c") && was(swap, "rust")).collect()
}
