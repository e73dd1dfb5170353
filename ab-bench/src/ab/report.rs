//! The report: every raw run, and the comparison computed from them. Its JSON form is documented in docs/BENCH.md.

use serde::{Deserialize, Serialize};

use super::host::Host;
use super::plan::Effort;
use crate::frames::Direction;
use crate::stats::{Estimate, median, ratio_estimate, wilcoxon_p};

/// Raised when a field changes its meaning or disappears.
pub const SCHEMA_VERSION: u32 = 1;
/// What the second visit of the baseline in each round is called.
pub const AGAIN: &str = "again";
/// Above this p a difference does not count as shown. With six pairs it means that all six agree.
const P_MAX: f64 = 0.05;

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Seconds since 1970 when it began.
    pub started_unix_s: u64,
    /// How long everything took.
    pub duration_s: f64,
    /// False if it was interrupted.
    pub complete: bool,
    /// Seed of the order and of the bootstrap.
    pub seed: u64,
    /// Rounds and seconds per run.
    pub rounds: u32,
    /// Seconds of one run of iperf3.
    pub seconds_per_run: u32,
    /// Whose server: `vendored` or `debian`.
    pub server: String,
    /// The machine.
    pub host: Host,
    /// How the sessions were set up, the same for everybody.
    pub session: SessionFacts,
    /// Who was compared.
    pub contestants: Vec<ContestantFacts>,
    /// Against whom: the first contestant whose warm-up succeeded.
    pub baseline: String,
    /// What went wrong.
    pub failures: Vec<Failure>,
    /// Every run, in the order in which they ran.
    pub runs: Vec<Run>,
    /// The comparison.
    pub rows: Vec<Row>,
}

/// How the sessions were set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// TCP connections of a session.
    pub connections: u8,
    /// TLS for the data.
    pub encrypt: bool,
    /// zlib on every frame.
    pub compress: bool,
    /// Frames over UDP.
    pub udp_acceleration: bool,
    /// MTU of the tunnel in bytes.
    pub mtu: u32,
    /// Inner TCP streams of a run.
    pub streams: u32,
}

/// A contestant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContestantFacts {
    /// `c`, `rust`, `official`, …
    pub name: String,
    /// What the program says about its version; empty if it says nothing.
    pub version: String,
    /// The cipher as the server saw it in the warm-up round; empty if unknown.
    pub cipher: String,
    /// Congestion control of the session's TCP connection.
    pub outer_congestion_control: String,
    /// Congestion control of iperf3's TCP connection.
    pub inner_congestion_control: String,
}

/// A contestant that did not go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Who.
    pub contestant: String,
    /// In which round; 0 is the warm-up.
    pub round: u32,
    /// Why.
    pub reason: String,
}

/// One run of iperf3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Who, or [`AGAIN`].
    pub contestant: String,
    /// 1, 2, …; 0 is the warm-up, which is not compared.
    pub round: u32,
    /// `up` or `down`.
    pub direction: Direction,
    /// From the client's start to the first answer through the tunnel.
    pub connect_s: f64,
    /// Bytes of payload received.
    pub bytes: u64,
    /// How long the transfer took.
    pub seconds: f64,
    /// CPU time of the client, user and system.
    pub client_cpu_s: f64,
    /// Of this user, in steps of 10 ms.
    pub client_user_s: f64,
    /// Of this system, in steps of 10 ms.
    pub client_system_s: f64,
    /// CPU time of the server.
    pub server_cpu_s: f64,
    /// CPU time of the whole machine, foreign programs too.
    pub machine_cpu_s: f64,
    /// What the hypervisor gave to other machines.
    pub steal_s: f64,
    /// Segments that the inner TCP sent again.
    pub retransmits: u64,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Payload received, in Gbit/s. More is better.
    GoodputGbitPerS,
    /// CPU-seconds of the client per 10^9 bytes of payload. Less is better.
    ClientCpuSPerGb,
    /// CPU-seconds of the whole machine per 10^9 bytes of payload. Less is better.
    MachineCpuSPerGb,
}

impl Metric {
    /// All, in the order of the table.
    pub const ALL: [Self; 3] = [Self::ClientCpuSPerGb, Self::GoodputGbitPerS, Self::MachineCpuSPerGb];

    /// For people, with the unit.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::GoodputGbitPerS => "goodput, Gbit/s",
            Self::ClientCpuSPerGb => "client CPU-s/GB",
            Self::MachineCpuSPerGb => "machine CPU-s/GB",
        }
    }

    /// Whether more of it is better.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        self == Self::GoodputGbitPerS
    }

    fn of(self, run: &Run) -> f64 {
        let gigabytes = run.bytes as f64 / 1e9;
        match self {
            Self::GoodputGbitPerS => gigabytes * 8.0 / run.seconds,
            Self::ClientCpuSPerGb => run.client_cpu_s / gigabytes,
            Self::MachineCpuSPerGb => run.machine_cpu_s / gigabytes,
        }
    }
}

/// One contestant against the baseline in one metric and direction; or, if it is called [`AGAIN`], the baseline
/// against itself, which shows the noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What.
    pub metric: Metric,
    /// Which way.
    pub direction: Direction,
    /// Who, or [`AGAIN`].
    pub contestant: String,
    /// Against whom.
    pub baseline: String,
    /// The contestant's median.
    pub median: f64,
    /// The baseline's median.
    pub baseline_median: f64,
    /// Contestant / baseline, round by round.
    pub pair_ratios: Vec<f64>,
    /// Their geometric mean with 95 % interval (BCa bootstrap); absent for fewer than three pairs.
    pub ratio: Option<Estimate>,
    /// Two-sided p of the Wilcoxon signed-rank test.
    pub wilcoxon_p: Option<f64>,
    /// Half the width of the A/A interval for this metric and direction; absent if unknown.
    pub noise: Option<f64>,
    /// What that means.
    pub verdict: Verdict,
}

/// The meaning of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Better than the baseline: the interval excludes 1 on the good side, p is below 0.05 and the ratio exceeds the
    /// noise.
    Better,
    /// Worse than the baseline, likewise.
    Worse,
    /// No difference was shown.
    NoDifference,
    /// Nothing can be said: too few pairs, or the A/A comparison shows a difference that is as large.
    Void,
    /// An A/A row whose interval holds 1, as it should.
    Quiet,
}

impl Report {
    /// Computes the rows from the runs.
    pub fn compare(&mut self) {
        let mut rows = Vec::new();
        let baseline = self.baseline.clone();
        for metric in Metric::ALL {
            for direction in [Direction::Up, Direction::Down] {
                let same = self.row(metric, direction, AGAIN, &baseline, None);
                let noise = same.ratio;
                rows.push(same);
                for contestant in self.contestants.iter().filter(|contestant| contestant.name != baseline) {
                    rows.push(self.row(metric, direction, &contestant.name, &baseline, noise));
                }
            }
        }
        rows.retain(|row| !row.pair_ratios.is_empty());
        self.rows = rows;
    }

    fn row(
        &self,
        metric: Metric,
        direction: Direction,
        contestant: &str,
        baseline: &str,
        same: Option<Estimate>,
    ) -> Row {
        let find = |name: &str, round: u32| {
            let mut runs = self.runs.iter();
            runs.find(|run| run.contestant == name && run.round == round && run.direction == direction)
        };
        let pairs: Vec<(f64, f64)> = (1..=self.rounds)
            .filter_map(|round| Some((metric.of(find(contestant, round)?), metric.of(find(baseline, round)?))))
            .collect();
        let pair_ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours / theirs).collect();
        let logs: Vec<f64> = pair_ratios.iter().map(|ratio| ratio.ln()).collect();
        let ratio = ratio_estimate(&pair_ratios, self.seed);
        let wilcoxon_p = wilcoxon_p(&logs);
        let is_shown = wilcoxon_p.is_some_and(|p| p < P_MAX);
        let verdict =
            if contestant == AGAIN { verdict_on_noise(ratio) } else { verdict(metric, ratio, same, is_shown) };
        let side = |pick: fn(&(f64, f64)) -> f64| median(&pairs.iter().map(pick).collect::<Vec<_>>());
        Row {
            metric,
            direction,
            contestant: contestant.to_owned(),
            baseline: baseline.to_owned(),
            median: side(|pair| pair.0),
            baseline_median: side(|pair| pair.1),
            pair_ratios,
            ratio,
            wilcoxon_p,
            noise: if contestant == AGAIN { ratio } else { same }.map(|estimate| estimate.half_width()),
            verdict,
        }
    }
}

fn verdict_on_noise(ratio: Option<Estimate>) -> Verdict {
    match ratio {
        Some(ratio) if ratio.contains(1.0) => Verdict::Quiet,
        _ => Verdict::Void,
    }
}

fn verdict(metric: Metric, ratio: Option<Estimate>, same: Option<Estimate>, is_shown: bool) -> Verdict {
    let (Some(ratio), Some(same)) = (ratio, same) else {
        return Verdict::Void;
    };
    if !same.contains(1.0) && (same.value - 1.0).abs() >= (ratio.value - 1.0).abs() {
        return Verdict::Void;
    }
    if !is_shown || ratio.contains(1.0) || (ratio.value - 1.0).abs() <= same.half_width() {
        return Verdict::NoDifference;
    }
    if (ratio.value > 1.0) == metric.more_is_better() { Verdict::Better } else { Verdict::Worse }
}

/// The rounds and seconds of an effort, in the report's words.
pub(super) fn empty(effort: Effort, seed: u64, server: String, host: Host, session: SessionFacts) -> Report {
    Report {
        schema_version: SCHEMA_VERSION,
        started_unix_s: std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs()),
        duration_s: 0.0,
        complete: false,
        seed,
        rounds: effort.rounds,
        seconds_per_run: effort.seconds,
        server,
        host,
        session,
        contestants: Vec::new(),
        baseline: String::new(),
        failures: Vec::new(),
        runs: Vec::new(),
        rows: Vec::new(),
    }
}
