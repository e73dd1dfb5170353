//! What stands beside the runs: failures, rejected pairs, the calibration, the swaps by themselves, profiles.

use serde::{Deserialize, Serialize};

use super::{Phase, Rig, Way, Workload};
use crate::profile::Syscall;
use crate::stats::Estimate;

/// A contestant that did not go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Who.
    pub contestant: String,
    /// Where.
    pub rig: Rig,
    /// With which setting.
    pub setting: String,
    /// In which phase.
    pub phase: Phase,
    /// In which round.
    pub round: u32,
    /// Why.
    pub reason: String,
}

/// At which rate inner TCP runs under load: the same for all contestants of a place, half of what the baseline carried
/// in its worse direction during the warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Where.
    pub rig: Rig,
    /// With which setting.
    pub setting: String,
    /// The rate.
    pub bits_per_s: u64,
}

/// When a run counts as disturbed: as soon as one share is larger.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RejectionRule {
    /// Share of all processors' time that the hypervisor gave to other machines.
    pub steal_share_max: f64,
    /// Share of all processors' time that foreign programs took.
    pub foreign_share_max: f64,
}

/// A pair that was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedPair {
    /// Where.
    pub rig: Rig,
    /// With which setting.
    pub setting: String,
    /// A/A or A/B.
    pub phase: Phase,
    /// Which round.
    pub round: u32,
    /// Whose pair with the baseline.
    pub contestant: String,
    /// What it did.
    pub workload: Workload,
    /// Which way.
    pub way: Way,
    /// Whose run was disturbed, by what and how much.
    pub reason: String,
}

/// What the machine's parts cost by themselves, and the limits that follow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The parts.
    pub primitives: Vec<Primitive>,
    /// The least that a client can need.
    pub limits: Vec<Limit>,
    /// What could not be timed, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// One part by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Primitive {
    /// `aead_seal_16k`, `tap_write_super`, …
    pub name: String,
    /// What was timed, for people.
    pub what: String,
    /// `s/GB`, `ns`, …
    pub unit: String,
    /// Median and interval.
    pub cost: Estimate,
}

/// The least that a client can need of one metric, as the sum of parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Where.
    pub rig: Rig,
    /// With which setting.
    pub setting: String,
    /// Of what.
    pub metric: super::Metric,
    /// Which way.
    pub way: Way,
    /// The limit, in the metric's unit.
    pub value: f64,
    /// Its summands: a primitive's name, and how much of the value it makes.
    pub parts: Vec<(String, f64)>,
}

/// One side of one swap by itself, in one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MicroRow {
    /// The benchmark: `connection_send/64`, …
    pub bench: String,
    /// The swap in the registry.
    pub swap: String,
    /// `c`, `rust`, or `dispatched`: what the program calls, with the swap left on C.
    pub side: String,
    /// Nanoseconds per call.
    pub ns: Estimate,
    /// Instructions per call, where they can be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<f64>,
    /// Heap allocations per call, where they can be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocations: Option<f64>,
}

/// What kind of profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileKind {
    /// CPU samples by stack: `inline` holds them folded, `path` a flamegraph (SVG) that can be zoomed.
    Flamegraph,
    /// The contestant's samples against the baseline's: `path` is a flamegraph (SVG) coloured by the difference.
    Difference,
    /// System calls by name.
    Syscalls,
}

/// A profile, of a run that was not timed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// What kind.
    pub kind: ProfileKind,
    /// Of whom.
    pub contestant: String,
    /// Where.
    pub rig: Rig,
    /// Which way.
    pub way: Way,
    /// Bytes of payload carried meanwhile.
    pub bytes: f64,
    /// A file's name, relative to report.json.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Folded stacks (`frame;frame count`, one a line), without those too thin to be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
    /// The system calls, most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub syscalls: Vec<Syscall>,
}
