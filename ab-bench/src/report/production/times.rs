//! The timed calls of a period: the mean of each swap and side.

use std::collections::BTreeSet;

use super::interval::{Interval, swaps};
use crate::ab::schema::MicroRow;
use crate::stats::Estimate;

/// Half the width of a 95 % interval, in standard errors.
const STANDARD_ERRORS: f64 = 1.96;

/// Timed calls: the mean of each swap and side, with an interval of its standard error.
pub(super) fn rows(intervals: &[&Interval<'_>]) -> Vec<MicroRow> {
    let names: BTreeSet<String> =
        intervals.iter().flat_map(|interval| swaps(interval.end, "cutover_call_seconds_count")).collect();
    let mut rows = Vec::new();
    for swap in names {
        for side in ["c", "rust"] {
            if let Some(ns) = mean_ns(intervals, &swap, side) {
                let (bench, swap, side) = (swap.clone(), swap.clone(), side.to_owned());
                rows.push(MicroRow { bench, swap, side, ns, instructions: None, allocations: None });
            }
        }
    }
    rows
}

fn mean_ns(intervals: &[&Interval<'_>], swap: &str, side: &str) -> Option<Estimate> {
    let labels = [("swap", swap), ("side", side)];
    let total = |name: &str| intervals.iter().map(|interval| interval.growth_of(name, &labels)).sum::<f64>();
    let (calls, seconds) = (total("cutover_call_seconds_count"), total("cutover_call_seconds_sum"));
    if calls < 1.0 {
        return None;
    }
    let mean = seconds / calls;
    // The spread, from the buckets' upper ends: too large rather than too small.
    let (mut below, mut squares) = (0.0, 0.0);
    for (end_s, up_to) in buckets(intervals, swap, side) {
        squares += (up_to - below) * (end_s - mean).powi(2);
        below = up_to;
    }
    let half = STANDARD_ERRORS * (squares / calls).sqrt() / calls.sqrt();
    let ns = |seconds: f64| seconds.max(0.0) * 1e9;
    Some(Estimate { value: ns(mean), low: ns(mean - half), high: ns(mean + half) })
}

/// The finite buckets by their upper ends, in seconds, each with all calls up to it.
fn buckets(intervals: &[&Interval<'_>], swap: &str, side: &str) -> Vec<(f64, f64)> {
    let mut sums: Vec<(f64, f64)> = Vec::new();
    for interval in intervals {
        for (labels, _) in interval.end.scrape.all("cutover_call_seconds_bucket") {
            let is_it =
                labels.get("swap").is_some_and(|of| of == swap) && labels.get("side").is_some_and(|of| of == side);
            let Some((text, end)) = labels.get("le").and_then(|le| Some((le, le.parse::<f64>().ok()?))) else {
                continue;
            };
            if !is_it || !end.is_finite() {
                continue;
            }
            let growth =
                interval.growth_of("cutover_call_seconds_bucket", &[("swap", swap), ("side", side), ("le", text)]);
            match sums.iter_mut().find(|(known, _)| *known == end) {
                Some((_, sum)) => *sum += growth,
                None => sums.push((end, growth)),
            }
        }
    }
    sums.sort_by(|one, other| one.0.total_cmp(&other.0));
    sums
}
