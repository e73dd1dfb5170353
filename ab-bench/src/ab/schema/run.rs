//! One run: who did what which way, what was counted, and what that makes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Metric, Rig};
use crate::frames::Direction;

/// What was counted in a run.
pub type Counts = BTreeMap<Counter, f64>;
/// What that makes.
pub type Metrics = BTreeMap<Metric, f64>;

/// Which way payload went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Both at once.
    Both,
    /// No payload, or the same both ways: connecting, idling, round trips without load.
    None,
}

impl Way {
    /// As in the JSON and in gates.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Both => "both",
            Self::None => "none",
        }
    }
}

impl From<Direction> for Way {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Up => Self::Up,
            Direction::Down => Self::Down,
        }
    }
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// From the client's start to the first answer through the tunnel.
    Connect,
    /// A tunnel without traffic.
    Idle,
    /// Round trips on an idle tunnel.
    RttIdle,
    /// Inner TCP as fast as it goes.
    Bulk,
    /// Round trips while inner TCP runs at one rate for all contestants.
    RttLoad,
    /// Numbered frames of 64 bytes.
    Frames64,
    /// Numbered frames of 64, 576 and 1514 bytes, 7 : 4 : 1.
    FramesMixed,
    /// Numbered frames of 1514 bytes.
    FramesFull,
    /// Bulk under instruments that slow it down: system calls and allocations are counted, nothing is timed.
    Counted,
}

impl Workload {
    /// All, in the order in which a visit runs them.
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::Idle,
        Self::RttIdle,
        Self::Bulk,
        Self::RttLoad,
        Self::Frames64,
        Self::FramesMixed,
        Self::FramesFull,
        Self::Counted,
    ];
}

/// Which part of the measurement a run belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not compared.
    WarmUp,
    /// The baseline against itself.
    Aa,
    /// The contestants against the baseline.
    Ab,
    /// Once per contestant under slow instruments; compared without an interval.
    Counted,
}

/// A thing that is counted, with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counter {
    /// Payload received by the far end's program.
    Bytes,
    /// Numbered frames sent.
    FramesSent,
    /// Different numbered frames received intact; in a counted run full segments of payload, 1448 bytes each.
    Frames,
    /// Numbered frames that never came.
    FramesLost,
    /// Numbered frames that came after a higher number.
    FramesReordered,
    /// Copies beyond the first.
    FramesDuplicated,
    /// Frames with wrong bytes or length.
    FramesDamaged,
    /// CPU time of the client, user and system, exact.
    ClientCpuS,
    /// Of this user.
    ClientUserS,
    /// Of this system.
    ClientSystemS,
    /// CPU time of the server or peer.
    ServerCpuS,
    /// Busy time of all processors, whoever used it.
    MachineCpuS,
    /// What the hypervisor gave to other machines.
    StealS,
    /// CPU time of programs that do not belong to the measurement.
    ForeignCpuS,
    /// Segments that the inner TCP sent again.
    Retransmits,
    /// Context switches of the client, voluntary and forced.
    ContextSwitches,
    /// Times the client's threads were woken.
    Wakeups,
    /// System calls of the client.
    Syscalls,
    /// Calls of malloc, calloc, realloc and the aligned ones by the client.
    Allocations,
    /// The client's largest resident set.
    PeakMemoryBytes,
    /// From the client's start to the first answer through the tunnel.
    ConnectS,
    /// Round-trip probes sent, on a fixed schedule.
    ProbesSent,
    /// Of these unanswered.
    ProbesLost,
}

/// Round-trip times as a histogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Time between two probes by the schedule. A probe that could not leave in time counts from when it should have.
    pub interval_us: u64,
    /// Nanoseconds (upper end of a bucket of two significant digits) and how many, ascending, without empty ones.
    pub buckets: Vec<(u64, u64)>,
}

impl Histogram {
    /// How many round trips it holds.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The nanoseconds that a share (0..=1) of the round trips does not exceed; `None` if there are none.
    #[must_use]
    pub fn quantile_ns(&self, share: f64) -> Option<u64> {
        let wanted = (share.clamp(0.0, 1.0) * self.len() as f64).ceil().max(1.0);
        let mut seen = 0.0;
        self.buckets.iter().find_map(|(ns, count)| {
            seen += *count as f64;
            (seen >= wanted).then_some(*ns)
        })
    }
}

/// How much of the machine others took during a run, as shares of all processors' time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// The hypervisor, for other machines.
    pub steal_share: f64,
    /// Programs that do not belong to the measurement.
    pub foreign_share: f64,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Against which far end.
    pub rig: Rig,
    /// The id of the [`super::Setting`].
    pub setting: String,
    /// Who, or [`super::AGAIN`] for the baseline's second visit.
    pub contestant: String,
    /// Warm-up, A/A or A/B.
    pub phase: Phase,
    /// 1, 2, … within the phase.
    pub round: u32,
    /// What it did.
    pub workload: Workload,
    /// Which way.
    pub way: Way,
    /// When it began, in seconds from the report's beginning.
    pub started_s: f64,
    /// How long it took.
    pub seconds: f64,
    /// What others did meanwhile.
    pub disturbance: Disturbance,
    /// True: the rejection rule leaves out every pair with this run.
    pub disturbed: bool,
    /// What was counted.
    pub counts: Counts,
    /// What [`super::derive`] makes of the counts and the histogram.
    pub metrics: Metrics,
    /// Round-trip times, in runs that probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt: Option<Histogram>,
}

impl Run {
    /// Whether two runs differ in nothing but the contestant: only such are compared.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        (self.rig, &self.setting, self.phase, self.round, self.workload, self.way)
            == (other.rig, &other.setting, other.phase, other.round, other.workload, other.way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_least_value_that_enough_do_not_exceed() {
        let histogram = Histogram { interval_us: 1000, buckets: vec![(10, 50), (20, 49), (900, 1)] };
        assert_eq!(histogram.len(), 100);
        let at = |share| histogram.quantile_ns(share).unwrap();
        assert_eq!([at(0.0), at(0.5), at(0.51), at(0.99), at(0.991), at(1.0)], [10, 10, 20, 20, 900, 900]);
        assert_eq!(Histogram { interval_us: 1, buckets: vec![] }.quantile_ns(0.5), None);
    }
}
