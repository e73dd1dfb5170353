//! What a report holds: the data model that the harness writes, and that statistics, pictures and gates read.
//!
//! Only types here, no measuring and no arithmetic beyond a run's own quotients. What was not measured is absent,
//! never zero. Its JSON form is documented in docs/BENCH.md; a test compares the two.
//!
//! A figure has five coordinates: rig, setting, contestant, metric and way. In each [`Run`] one contestant did one
//! [`Workload`] one way in one round; its metrics are compared with those of the baseline's run with the same rig,
//! setting, workload, way, phase and round. That is a pair.

mod facts;
mod metric;
mod results;
mod run;

pub use facts::{BuildFacts, ContestantFacts, Effort, Host, Observed, Rig, RigFacts, Setting};
pub use metric::{Metric, derive};
pub use results::{
    Calibration, Failure, Limit, Load, MicroRow, Primitive, Profile, ProfileKind, RejectedPair, RejectionRule,
};
pub use run::{Counter, Counts, Disturbance, Histogram, Metrics, Phase, Run, Way, Workload};

use serde::{Deserialize, Serialize};

use crate::report::Row;

/// Raised when a field changes its meaning or disappears; a new field raises nothing.
pub const SCHEMA_VERSION: u32 = 2;

/// What the second visit of the baseline in an A/A round is called.
pub const AGAIN: &str = "again";

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Seconds since 1970 when it began.
    pub started_unix_s: u64,
    /// How long everything took, the interruptions of a resumed one left out.
    pub duration_s: f64,
    /// False if it was interrupted.
    pub complete: bool,
    /// How many visits are done: where a resumed measurement goes on.
    pub visits_done: usize,
    /// The command line that repeats it.
    pub command: Vec<String>,
    /// Seed of the order and of the bootstrap.
    pub seed: u64,
    /// Rounds and seconds.
    pub effort: Effort,
    /// The machine.
    pub host: Host,
    /// Where it was measured.
    pub rigs: Vec<RigFacts>,
    /// How sessions were set up: the points of a sweep, or only one.
    pub settings: Vec<Setting>,
    /// Who was compared.
    pub contestants: Vec<ContestantFacts>,
    /// Against whom: the first contestant whose warm-up succeeded.
    pub baseline: String,
    /// The rates of the runs under load.
    pub loads: Vec<Load>,
    /// What went wrong.
    pub failures: Vec<Failure>,
    /// What could not be measured here, and why.
    pub notes: Vec<String>,
    /// When a run counts as disturbed; fixed before the first one.
    pub rejection_rule: RejectionRule,
    /// The pairs that were left out because one of their runs was disturbed.
    pub rejected_pairs: Vec<RejectedPair>,
    /// Above this half-width of an A/A interval (0.05 is ±5 %) a row is void, and the report says so; absent: none asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_floor_max: Option<f64>,
    /// Every run, in the order in which they ran, disturbed ones too.
    pub runs: Vec<Run>,
    /// The comparison.
    pub rows: Vec<Row>,
    /// What the machine's parts cost by themselves; absent if not calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The swaps by themselves, in one process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub micro: Vec<MicroRow>,
    /// Flamegraphs and system-call breakdowns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
}

impl Report {
    /// A contestant's undisturbed run.
    #[must_use]
    pub fn run(&self, like: &Run, contestant: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.contestant == contestant && run.is_beside(like))
    }
}
