//! The metrics: name, unit, which way is better, and how each comes from what a run counted.

use serde::{Deserialize, Serialize};

use super::Workload;
use super::run::{Counter, Counts, Histogram, Metrics};

macro_rules! metrics {
    ($($variant:ident = $name:literal, $unit:literal, $better:ident, $what:literal;)*) => {
        /// What is compared. Its name in JSON, tables and gates ends in its unit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Metric {
            $(#[doc = $what] #[serde(rename = $name)] $variant,)*
        }

        impl Metric {
            /// All, in the order of tables.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As in the JSON and in gates.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The unit, for axes and columns; empty for a plain number.
            #[must_use]
            pub fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit),* }
            }

            /// What it is, for people, without the unit.
            #[must_use]
            pub fn what(self) -> &'static str {
                match self { $(Self::$variant => $what),* }
            }

            /// Whether more of it is better.
            #[must_use]
            pub fn more_is_better(self) -> bool {
                match self { $(Self::$variant => metrics!(@ $better)),* }
            }
        }
    };
    (@ more) => { true };
    (@ less) => { false };
}

metrics! {
    CpuSPerGb = "cpu_s_per_gb", "s/GB", less, "client CPU";
    CpuUserSPerGb = "cpu_user_s_per_gb", "s/GB", less, "client CPU, user";
    CpuSystemSPerGb = "cpu_system_s_per_gb", "s/GB", less, "client CPU, system";
    GoodputGbitPerS = "goodput_gbit_per_s", "Gbit/s", more, "goodput";
    MachineCpuSPerGb = "machine_cpu_s_per_gb", "s/GB", less, "CPU of the whole machine";
    ServerCpuSPerGb = "server_cpu_s_per_gb", "s/GB", less, "CPU of the far end";
    Frames64PerS = "frames_64_per_s", "1/s", more, "frames of 64 bytes";
    CpuSPerMillionFrames64 = "cpu_s_per_million_frames_64", "s/10⁶", less, "client CPU, frames of 64 bytes";
    FramesMixedPerS = "frames_mixed_per_s", "1/s", more, "frames of mixed sizes";
    FramesFullPerS = "frames_full_per_s", "1/s", more, "frames of 1514 bytes";
    RttIdleP50Us = "rtt_idle_p50_us", "µs", less, "round trip, idle, median";
    RttIdleP90Us = "rtt_idle_p90_us", "µs", less, "round trip, idle, p90";
    RttIdleP99Us = "rtt_idle_p99_us", "µs", less, "round trip, idle, p99";
    RttIdleP999Us = "rtt_idle_p999_us", "µs", less, "round trip, idle, p99.9";
    RttIdleMaxUs = "rtt_idle_max_us", "µs", less, "round trip, idle, longest";
    RttLoadP50Us = "rtt_load_p50_us", "µs", less, "round trip under load, median";
    RttLoadP90Us = "rtt_load_p90_us", "µs", less, "round trip under load, p90";
    RttLoadP99Us = "rtt_load_p99_us", "µs", less, "round trip under load, p99";
    RttLoadP999Us = "rtt_load_p999_us", "µs", less, "round trip under load, p99.9";
    RttLoadMaxUs = "rtt_load_max_us", "µs", less, "round trip under load, longest";
    LostPerMillion = "lost_per_million", "ppm", less, "frames lost";
    ReorderedPerMillion = "reordered_per_million", "ppm", less, "frames out of order";
    DuplicatedPerMillion = "duplicated_per_million", "ppm", less, "frames doubled";
    DamagedPerMillion = "damaged_per_million", "ppm", less, "frames damaged";
    SyscallsPerFrame = "syscalls_per_frame", "", less, "system calls per frame";
    AllocationsPerFrame = "allocations_per_frame", "", less, "heap allocations per frame";
    ContextSwitchesPerGb = "context_switches_per_gb", "1/GB", less, "context switches";
    WakeupsPerS = "wakeups_per_s", "1/s", less, "wake-ups of an idle client";
    PeakMemoryMb = "peak_memory_mb", "MB", less, "peak memory";
    ConnectS = "connect_s", "s", less, "time to connect";
    RetransmitsPerGb = "retransmits_per_gb", "1/GB", less, "segments that inner TCP sent again";
}

impl Metric {
    /// The metric of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|metric| metric.name() == name)
    }

    /// For people, with the unit.
    #[must_use]
    pub fn title(self) -> String {
        if self.unit().is_empty() { self.what().to_owned() } else { format!("{}, {}", self.what(), self.unit()) }
    }

    /// Whether figures may be zero in good health, so that no quotient of them means anything: they are compared by
    /// their difference, or only shown.
    #[must_use]
    pub fn may_be_zero(self) -> bool {
        matches!(
            self,
            Self::LostPerMillion
                | Self::ReorderedPerMillion
                | Self::DuplicatedPerMillion
                | Self::DamagedPerMillion
                | Self::AllocationsPerFrame
                | Self::WakeupsPerS
                | Self::RetransmitsPerGb
        )
    }

    /// The workload that it comes from.
    #[must_use]
    pub fn workload(self) -> Workload {
        match self {
            Self::CpuSPerGb
            | Self::CpuUserSPerGb
            | Self::CpuSystemSPerGb
            | Self::GoodputGbitPerS
            | Self::MachineCpuSPerGb
            | Self::ServerCpuSPerGb
            | Self::ContextSwitchesPerGb
            | Self::RetransmitsPerGb => Workload::Bulk,
            Self::Frames64PerS | Self::CpuSPerMillionFrames64 => Workload::Frames64,
            Self::FramesMixedPerS => Workload::FramesMixed,
            Self::FramesFullPerS
            | Self::LostPerMillion
            | Self::ReorderedPerMillion
            | Self::DuplicatedPerMillion
            | Self::DamagedPerMillion => Workload::FramesFull,
            Self::RttIdleP50Us | Self::RttIdleP90Us | Self::RttIdleP99Us | Self::RttIdleP999Us | Self::RttIdleMaxUs => {
                Workload::RttIdle
            }
            Self::RttLoadP50Us | Self::RttLoadP90Us | Self::RttLoadP99Us | Self::RttLoadP999Us | Self::RttLoadMaxUs => {
                Workload::RttLoad
            }
            Self::SyscallsPerFrame | Self::AllocationsPerFrame => Workload::Counted,
            Self::WakeupsPerS => Workload::Idle,
            Self::PeakMemoryMb | Self::ConnectS => Workload::Connect,
        }
    }
}

/// The metrics that a workload's counts and histogram make. What was not counted makes none.
#[must_use]
pub fn derive(workload: Workload, seconds: f64, counts: &Counts, rtt: Option<&Histogram>) -> Metrics {
    let mut metrics = Metrics::new();
    let mut quotient = |metric, above, below: Option<f64>, factor: f64| {
        if let (Some(above), Some(below)) = (counts.get(&above), below)
            && below > 0.0
        {
            metrics.insert(metric, above / below * factor);
        }
    };
    let of = |counter| counts.get(&counter).copied();
    let one = Some(1.0);
    match workload {
        Workload::Connect => {
            quotient(Metric::ConnectS, Counter::ConnectS, one, 1.0);
            quotient(Metric::PeakMemoryMb, Counter::PeakMemoryBytes, one, 1e-6);
        }
        Workload::Idle => quotient(Metric::WakeupsPerS, Counter::Wakeups, Some(seconds), 1.0),
        Workload::Bulk => {
            let gigabytes = of(Counter::Bytes).map(|bytes| bytes / 1e9);
            quotient(Metric::GoodputGbitPerS, Counter::Bytes, Some(seconds), 8e-9);
            for (metric, counter) in [
                (Metric::CpuSPerGb, Counter::ClientCpuS),
                (Metric::CpuUserSPerGb, Counter::ClientUserS),
                (Metric::CpuSystemSPerGb, Counter::ClientSystemS),
                (Metric::MachineCpuSPerGb, Counter::MachineCpuS),
                (Metric::ServerCpuSPerGb, Counter::ServerCpuS),
                (Metric::ContextSwitchesPerGb, Counter::ContextSwitches),
                (Metric::RetransmitsPerGb, Counter::Retransmits),
            ] {
                quotient(metric, counter, gigabytes, 1.0);
            }
        }
        Workload::Frames64 | Workload::FramesMixed | Workload::FramesFull => {
            let rate = match workload {
                Workload::Frames64 => Metric::Frames64PerS,
                Workload::FramesMixed => Metric::FramesMixedPerS,
                _ => Metric::FramesFullPerS,
            };
            quotient(rate, Counter::Frames, Some(seconds), 1.0);
            if workload == Workload::Frames64 {
                quotient(Metric::CpuSPerMillionFrames64, Counter::ClientCpuS, of(Counter::Frames), 1e6);
            }
            // Of full frames only, so that each figure has one meaning.
            if workload == Workload::FramesFull {
                for (metric, counter) in [
                    (Metric::LostPerMillion, Counter::FramesLost),
                    (Metric::ReorderedPerMillion, Counter::FramesReordered),
                    (Metric::DuplicatedPerMillion, Counter::FramesDuplicated),
                    (Metric::DamagedPerMillion, Counter::FramesDamaged),
                ] {
                    quotient(metric, counter, of(Counter::FramesSent), 1e6);
                }
            }
        }
        Workload::Counted => {
            quotient(Metric::SyscallsPerFrame, Counter::Syscalls, of(Counter::Frames), 1.0);
            quotient(Metric::AllocationsPerFrame, Counter::Allocations, of(Counter::Frames), 1.0);
        }
        Workload::RttIdle | Workload::RttLoad => {}
    }
    if let Some(rtt) = rtt {
        let quantiles = match workload {
            Workload::RttIdle => [
                Metric::RttIdleP50Us,
                Metric::RttIdleP90Us,
                Metric::RttIdleP99Us,
                Metric::RttIdleP999Us,
                Metric::RttIdleMaxUs,
            ],
            _ => [
                Metric::RttLoadP50Us,
                Metric::RttLoadP90Us,
                Metric::RttLoadP99Us,
                Metric::RttLoadP999Us,
                Metric::RttLoadMaxUs,
            ],
        };
        for (metric, share) in quantiles.into_iter().zip([0.5, 0.9, 0.99, 0.999, 1.0]) {
            if let Some(ns) = rtt.quantile_ns(share) {
                metrics.insert(metric, ns as f64 / 1000.0);
            }
        }
    }
    metrics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for metric in Metric::ALL {
            assert_eq!(Metric::from_name(metric.name()), Some(*metric));
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
        }
        assert_eq!(Metric::from_name("speed"), None);
    }

    #[test]
    fn what_was_not_counted_is_absent_and_not_zero() {
        let counts = Counts::from([(Counter::Bytes, 2e9), (Counter::ClientCpuS, 1.0)]);
        let metrics = derive(Workload::Bulk, 4.0, &counts, None);
        assert_eq!(metrics, Metrics::from([(Metric::CpuSPerGb, 0.5), (Metric::GoodputGbitPerS, 4.0)]));
        assert_eq!(derive(Workload::Bulk, 4.0, &Counts::new(), None), Metrics::new());
        assert_eq!(derive(Workload::Idle, 0.0, &Counts::from([(Counter::Wakeups, 1.0)]), None), Metrics::new());
    }

    #[test]
    fn a_histogram_makes_quantiles_in_microseconds() {
        let rtt = Histogram { interval_us: 1000, buckets: vec![(100_000, 90), (200_000, 10)] };
        let metrics = derive(Workload::RttLoad, 1.0, &Counts::new(), Some(&rtt));
        assert_eq!((metrics[&Metric::RttLoadP50Us], metrics[&Metric::RttLoadMaxUs]), (100.0, 200.0));
    }
}
