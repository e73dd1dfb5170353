//! The report of a period in production: made of scrapes of one client's metrics, with the lab's statistics.
//!
//! 1. Two scrapes, one after the other, bound an interval. One in which the process or the build changed, or that carried
//!    too little, is left out.
//! 2. What *moved* is every swap that was wholly on C in one scrape and wholly on Rust in another. An interval belongs to `c`
//!    if all of them were on C at both its ends and none was called on Rust between, to `rust` if all were on Rust at both
//!    ends; the others (shares, shadow, the change itself) to nobody.
//! 3. An interval is a run. The nth of `rust` is paired with the nth of `c`, the nth odd one of `c` with the even one behind
//!    it: how much production differs from itself.
//! 4. Timed calls of each swap and side, over the whole period, make the table of swaps.
//!
//! Nothing here makes the two sides carry the same traffic, which is what a lab is for: the report's notes say so.

mod interval;
mod times;

use std::collections::{BTreeMap, BTreeSet};

use crate::ab::schema::{
    AGAIN, ContestantFacts, Effort, Failure, Host, Phase, RejectionRule, Report, Rig, RigFacts, Run, SCHEMA_VERSION,
};
use crate::report::scrape::Scrape;
use interval::{INTERVAL_BYTES_MIN, Interval, build, intervals, is_wholly_on, moved, swaps};

/// The runs' setting.
const SETTING: &str = "as it was";

/// One scrape, and when it was made.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Seconds since 1970.
    pub unix_s: f64,
    /// What the client answered.
    pub scrape: Scrape,
}

/// Makes the report; `scrapes` in the order in which they were made, of one client.
///
/// # Errors
/// Why none can be made: fewer than two scrapes, or one without a metric that every client has.
pub fn from_scrapes(scrapes: &[Moment], command: Vec<String>) -> Result<Report, String> {
    let [first, .., last] = scrapes else {
        return Err("want at least two scrapes: of the period's begin and of its end".into());
    };
    let intervals = intervals(scrapes);
    for (moment, number) in scrapes.iter().zip(1..) {
        for name in ["cutover_cpu_seconds_total", "cutover_bytes_total", "cutover_swap_share", "cutover_calls_total"] {
            if moment.scrape.sum(name).is_none() {
                return Err(format!("scrape {number} has no {name}: is it a cutover client's?"));
            }
        }
    }
    let whole: Vec<&Interval<'_>> = intervals.iter().filter(|interval| interval.is_of_one_process()).collect();
    let moved = moved(scrapes);
    let of = |side| whole.iter().copied().filter(|interval| interval.side(&moved) == Some(side)).collect::<Vec<_>>();
    let (c, rust) = (of("c"), of("rust"));
    let mut notes = notes(scrapes, &moved);
    notes.push(format!(
        "{} intervals: {} on c, {} on rust, {} of neither or with less than {} MB, {} in which the process or its build changed",
        intervals.len(),
        c.len(),
        rust.len(),
        whole.len() - c.len() - rust.len(),
        INTERVAL_BYTES_MIN / 1e6,
        intervals.len() - whole.len()
    ));
    let seconds = last.unix_s - first.unix_s;
    Ok(Report {
        schema_version: SCHEMA_VERSION,
        started_unix_s: first.unix_s.max(0.0) as u64,
        duration_s: seconds,
        complete: true,
        visits_done: intervals.len(),
        command,
        seed: 1,
        effort: Effort {
            name: "production".into(),
            aa_rounds: (c.len() / 2) as u32,
            rounds: c.len().min(rust.len()) as u32,
            seconds_per_run: seconds / intervals.len() as f64,
        },
        host: Host::default(),
        rigs: vec![RigFacts {
            rig: Rig::Production,
            far_end: String::new(),
            version: String::new(),
            offloads: Vec::new(),
            mtu: 0,
        }],
        settings: Vec::new(),
        contestants: contestants(&build(last)),
        baseline: "c".into(),
        loads: Vec::new(),
        failures: failures(&whole),
        notes,
        rejection_rule: RejectionRule { steal_share_max: 1.0, foreign_share_max: 1.0 },
        rejected_pairs: Vec::new(),
        noise_floor_max: None,
        runs: runs(first, &c, &rust),
        rows: Vec::new(),
        calibration: None,
        micro: times::rows(&whole),
        profiles: Vec::new(),
    })
}

/// Each interval as a run: pairs of `c` with itself, then of `rust` with `c`.
fn runs(first: &Moment, c: &[&Interval<'_>], rust: &[&Interval<'_>]) -> Vec<Run> {
    let run = |interval: &Interval<'_>, contestant, phase, round| interval.run(first, contestant, phase, round);
    let mut runs = Vec::new();
    for (pair, round) in c.chunks_exact(2).zip(1..) {
        runs.extend([run(pair[0], "c", Phase::Aa, round), run(pair[1], AGAIN, Phase::Aa, round)]);
    }
    for ((c, rust), round) in c.iter().zip(rust).zip(1..) {
        runs.extend([run(c, "c", Phase::Ab, round), run(rust, "rust", Phase::Ab, round)]);
    }
    runs
}

fn contestants(build: &str) -> Vec<ContestantFacts> {
    let facts = |name: &str, what: &str| ContestantFacts {
        name: name.into(),
        what: what.into(),
        version: build.to_owned(),
        swaps: None,
        build: None,
        observed: Vec::new(),
    };
    vec![facts("c", "the client while what moved was on C"), facts("rust", "the client while what moved was on Rust")]
}

/// What the figures are not, and what else is to be known about them.
fn notes(scrapes: &[Moment], moved: &BTreeSet<String>) -> Vec<String> {
    let mut notes = vec![
        "made of a client's metrics in production: c and rust did not take turns and did not carry the same traffic, so \
         that whatever else has changed between their intervals is in the ratio; CPU is the whole process's, bytes are \
         Ethernet frames of both ways"
            .to_owned(),
        "goodput, round trips, lost frames, system calls and allocations are not in the metrics".to_owned(),
        "times per call are those of the calls that were timed, the clock included; frames on the fused path make none"
            .to_owned(),
    ];
    if moved.is_empty() {
        notes.push("no swap was wholly on c in one scrape and wholly on rust in another: nothing is compared".into());
    } else {
        let names: Vec<&str> = moved.iter().map(String::as_str).collect();
        notes.push(format!("what moved: {}", names.join(", ")));
    }
    if let Some(last) = scrapes.last() {
        let stayed: Vec<String> = swaps(last, "cutover_swap_share")
            .into_iter()
            .filter(|swap| !moved.contains(swap) && is_wholly_on(last, swap, "rust"))
            .collect();
        if !stayed.is_empty() {
            notes.push(format!("on rust in both: {}", stayed.join(", ")));
        }
        let sessions = last.scrape.all("cutover_sessions").filter(|(_, number)| *number > 0.0);
        for (labels, number) in sessions {
            let adapter = labels.get("adapter").map_or("unknown", String::as_str);
            notes.push(format!("sessions at the end whose frames move on {adapter}: {number}"));
        }
    }
    notes
}

/// What went wrong, of the process that the last scrapes are of: each kind is a failure of the report.
fn failures(intervals: &[&Interval<'_>]) -> Vec<Failure> {
    let mut reasons = Vec::new();
    for (metric, what) in [("mismatches", "mismatches"), ("panics", "panics"), ("demotions", "demotions")] {
        let name = format!("cutover_{metric}_total");
        let mut sums = BTreeMap::new();
        for interval in intervals {
            for swap in swaps(interval.end, &name) {
                let growth = interval.growth_of(&name, &[("swap", &swap)]);
                *sums.entry(swap).or_insert(0.0) += growth;
            }
        }
        reasons
            .extend(sums.into_iter().filter(|(_, sum)| *sum > 0.0).map(|(swap, sum)| format!("{swap}: {sum} {what}")));
    }
    for (name, what) in [("cutover_dropped_frames_total", "frames dropped"), ("cutover_reconnects_total", "reconnects")]
    {
        let sum: f64 = intervals.iter().map(|interval| interval.growth(name)).sum();
        if sum > 0.0 {
            reasons.push(format!("{sum} {what}"));
        }
    }
    let failure = |reason| Failure {
        contestant: "the client".into(),
        rig: Rig::Production,
        setting: SETTING.into(),
        phase: Phase::Ab,
        round: 0,
        reason,
    };
    reasons.into_iter().map(failure).collect()
}

#[cfg(test)]
mod tests;
