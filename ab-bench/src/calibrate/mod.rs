//! The physical limit: what the steps that no client can leave out cost on this machine, measured in the same session.
//!
//! A byte that goes up is read from the TAP, checksummed, copied once into a record, sealed, and sent on TCP; one that
//! comes down is received, opened, checksummed and written to the TAP. Each step is timed alone, in its cheapest form
//! (super-frames of 64 KiB, records of 16 KiB, sends of 256 KiB), by the CPU clock of the thread that does it; the sum per
//! GB of payload is the limit. A real client does more: it waits, wakes, sorts and acknowledges. So the limit is a bound
//! that is not reached, and the same for every contestant.
//!
//! This file sums; the steps are in `tap.rs`, `tcp.rs`, `crypto.rs` and `memory.rs`. Nothing here is the client's code.

mod crypto;
mod memory;
mod tap;
mod tcp;

use std::io;
use std::time::Duration;

use crate::ab::schema::{Calibration, Limit, Metric, Primitive, Rig, Setting, Way};
use crate::lab::{Lab, LabError, LabOptions, ServerKind, Side};
use crate::stats::{Estimate, median};
use nix::time::{ClockId, clock_gettime};

/// How often each step is timed in one pass.
const SAMPLES: usize = 5;
/// How long one timing takes at least.
const SAMPLE: Duration = Duration::from_millis(60);
/// Bytes on the tunnel per byte of TCP payload: full frames of 1514 bytes and their length field carry 1448.
const FRAMES_PER_PAYLOAD: f64 = 1518.0 / 1448.0;

/// A step, timed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `read` of a super-frame of 64 KiB from the TAP.
    TapReadSuper,
    /// `read` of one full frame from the TAP.
    TapReadSingle,
    /// `write` of a super-frame of 64 KiB to the TAP, up to the receiving socket's queue.
    TapWriteSuper,
    /// `write` of one full frame to the TAP, up to the receiving socket's queue.
    TapWriteSingle,
    /// AES-256-GCM in OpenSSL, a record of 16 KiB sealed in place.
    SealOpenssl,
    /// The same opened.
    OpenOpenssl,
    /// AES-256-GCM in aws-lc-rs, a record of 16 KiB sealed in place.
    SealAwsLc,
    /// The same opened.
    OpenAwsLc,
    /// `send` of 256 KiB on a TCP connection over the lab's veth to a sink.
    TcpSend,
    /// `recv` of at most 128 KiB from a TCP connection over the lab's veth.
    TcpReceive,
    /// A copy of 16 KiB, in cache.
    Memcpy,
    /// The Internet checksum of 1460 bytes, in cache.
    Checksum,
    /// `getppid`, per call.
    NullSyscall,
}

impl Step {
    /// For people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::TapReadSuper => "TAP read, super-frames of 64 KiB",
            Self::TapReadSingle => "TAP read, one frame a call",
            Self::TapWriteSuper => "TAP write, super-frames of 64 KiB",
            Self::TapWriteSingle => "TAP write, one frame a call",
            Self::SealOpenssl => "AES-256-GCM seal, OpenSSL",
            Self::OpenOpenssl => "AES-256-GCM open, OpenSSL",
            Self::SealAwsLc => "AES-256-GCM seal, aws-lc-rs",
            Self::OpenAwsLc => "AES-256-GCM open, aws-lc-rs",
            Self::TcpSend => "TCP send over the veth",
            Self::TcpReceive => "TCP receive over the veth",
            Self::Memcpy => "copy",
            Self::Checksum => "checksum",
            Self::NullSyscall => "null system call",
        }
    }

    /// As in the JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TapReadSuper => "tap_read_super",
            Self::TapReadSingle => "tap_read_single",
            Self::TapWriteSuper => "tap_write_super",
            Self::TapWriteSingle => "tap_write_single",
            Self::SealOpenssl => "aead_seal_16k_openssl",
            Self::OpenOpenssl => "aead_open_16k_openssl",
            Self::SealAwsLc => "aead_seal_16k_aws_lc",
            Self::OpenAwsLc => "aead_open_16k_aws_lc",
            Self::TcpSend => "tcp_send",
            Self::TcpReceive => "tcp_receive",
            Self::Memcpy => "memcpy",
            Self::Checksum => "checksum",
            Self::NullSyscall => "null_system_call",
        }
    }

    /// What its cost counts.
    #[must_use]
    pub fn unit(self) -> &'static str {
        if self == Self::NullSyscall { "µs/call" } else { "s/GB" }
    }
}

/// What every step costs; the report's limits follow from it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Costs {
    timings: Vec<(Step, Vec<f64>)>,
    missing: Vec<String>,
}

impl Costs {
    /// Times every step in this lab while no client runs; takes about six seconds. A step that this machine cannot do is
    /// listed in `missing`, and limits that would contain it are not made.
    pub fn measure(lab: &Lab) -> Result<Self, LabError> {
        let mut samples = crypto::measure();
        samples.extend(memory::measure());
        samples.extend(lab.within(Side::Client, tap::measure)?);
        samples.extend(tcp::measure(lab)?);
        Ok(Self::of(samples))
    }

    /// The same in a lab that is there for nothing else.
    pub fn measure_in_new_lab(server: ServerKind) -> Result<Self, LabError> {
        Self::measure(&Lab::start(&LabOptions { server, server_dir: None })?)
    }

    /// The steps that need no lab and no root.
    #[must_use]
    pub fn measure_in_process() -> Self {
        Self::of(crypto::measure().into_iter().chain(memory::measure()))
    }

    fn of(samples: impl IntoIterator<Item = Sampled>) -> Self {
        let mut costs = Self::default();
        for (step, samples) in samples {
            match samples {
                Ok(samples) => costs.timings.push((step, samples)),
                Err(error) => costs.missing.push(format!("{}: {error}", step.title())),
            }
        }
        costs
    }

    /// Adds a second pass, the one after the measurement for example.
    pub fn add(&mut self, other: Self) {
        for (step, samples) in other.timings {
            match self.timings.iter_mut().find(|(own, _)| *own == step) {
                Some((_, own)) => own.extend(samples),
                None => self.timings.push((step, samples)),
            }
        }
        for missing in other.missing {
            if !self.missing.contains(&missing) {
                self.missing.push(missing);
            }
        }
    }

    /// The median cost of one step, if it was timed (see [`Step::unit`]).
    #[must_use]
    pub fn cost(&self, step: Step) -> Option<f64> {
        self.timings.iter().find(|(own, _)| *own == step).map(|(_, samples)| median(samples))
    }

    /// The report's part: every step, and for each rig and setting the limits of client CPU and goodput, up and down, with
    /// the fastest cipher there is if the setting encrypts.
    #[must_use]
    pub fn calibration(&self, rigs: &[Rig], settings: &[Setting]) -> Calibration {
        let ends =
            |samples: &[f64]| samples.iter().fold((f64::MAX, f64::MIN), |(low, high), s| (low.min(*s), high.max(*s)));
        let primitive = |(step, samples): &(Step, Vec<f64>)| {
            let (low, high) = ends(samples);
            let cost = Estimate { value: median(samples), low, high };
            Primitive { name: step.name().into(), what: step.title().into(), unit: step.unit().into(), cost }
        };
        let mut limits = Vec::new();
        for rig in rigs {
            // Compressed frames and datagrams take other ways, for which no limit is summed.
            for setting in settings.iter().filter(|setting| !setting.compress && !setting.udp_acceleration) {
                for way in [Way::Up, Way::Down] {
                    limits.extend(self.limits(*rig, setting, way));
                }
            }
        }
        Calibration { primitives: self.timings.iter().map(primitive).collect(), limits, missing: self.missing.clone() }
    }

    fn limits(&self, rig: Rig, setting: &Setting, way: Way) -> Vec<Limit> {
        let Some(parts) = self.cheapest(way, setting.encrypt) else {
            return Vec::new();
        };
        let cpu_s_per_gb: f64 = parts.iter().map(|(_, cost)| cost).sum();
        let limit = |metric, value, parts| Limit { rig, setting: setting.id.clone(), metric, way, value, parts };
        // One session is one thread, and it can do no more than all the time.
        let gbit_per_s = 8.0 / cpu_s_per_gb;
        vec![limit(Metric::CpuSPerGb, cpu_s_per_gb, parts), limit(Metric::GoodputGbitPerS, gbit_per_s, Vec::new())]
    }

    /// The parts of a limit in s/GB of payload, with the cheapest cipher of those that were timed.
    fn cheapest(&self, way: Way, encrypt: bool) -> Option<Vec<(String, f64)>> {
        let (steps, ciphers): (&[Step], [Step; 2]) = match way {
            Way::Up => (&UP, [Step::SealOpenssl, Step::SealAwsLc]),
            _ => (&DOWN, [Step::OpenOpenssl, Step::OpenAwsLc]),
        };
        let part = |step: &Step| Some((step.name().to_owned(), self.cost(*step)? * FRAMES_PER_PAYLOAD));
        let mut parts: Vec<(String, f64)> = steps.iter().map(part).collect::<Option<_>>()?;
        if encrypt {
            let timed = ciphers.iter().filter_map(part);
            parts.push(timed.min_by(|a, b| a.1.total_cmp(&b.1))?);
        }
        Some(parts)
    }
}

/// What cannot be left out on the way up, but for the cipher.
const UP: [Step; 4] = [Step::TapReadSuper, Step::Checksum, Step::Memcpy, Step::TcpSend];
/// The same on the way down.
const DOWN: [Step; 3] = [Step::TcpReceive, Step::Checksum, Step::TapWriteSuper];

/// What timing a step gave, or why it could not be timed.
type Sampled = (Step, io::Result<Vec<f64>>);

/// CPU time that the calling thread has used.
fn thread_cpu() -> io::Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?))
}

/// Does `work`, which says how many bytes it moved, again and again, and returns CPU-seconds per 10^9 bytes.
/// `prepare` comes before each and is not timed.
fn sample(
    mut prepare: impl FnMut() -> io::Result<()>,
    mut work: impl FnMut() -> io::Result<u64>,
) -> io::Result<Vec<f64>> {
    prepare()?;
    work()?;
    (0..SAMPLES)
        .map(|_| {
            let (mut spent, mut bytes) = (Duration::ZERO, 0);
            while spent < SAMPLE {
                prepare()?;
                let before = thread_cpu()?;
                bytes += work()?;
                spent += thread_cpu()? - before;
            }
            if bytes == 0 {
                return Err(io::Error::other("nothing was moved"));
            }
            Ok(spent.as_secs_f64() * 1e9 / bytes as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Costs {
        let steps =
            UP.iter().chain(&DOWN).chain(&[Step::SealOpenssl, Step::SealAwsLc, Step::OpenOpenssl, Step::OpenAwsLc]);
        Costs::of(steps.map(|step| (*step, Ok(vec![if *step == Step::SealOpenssl { 0.3 } else { 0.1 }; 3]))))
    }

    fn setting(id: &str, encrypt: bool, compress: bool) -> Setting {
        Setting {
            id: id.into(),
            connections: 1,
            half_duplex: false,
            encrypt,
            compress,
            udp_acceleration: false,
            mtu: 1500,
            streams: 1,
            payload_bytes: None,
        }
    }

    fn limit(costs: &Costs, encrypt: bool, metric: Metric, way: Way) -> Option<Limit> {
        let calibration = costs.calibration(&[Rig::Real], &[setting("default", encrypt, false)]);
        calibration.limits.into_iter().find(|limit| (limit.metric, limit.way) == (metric, way))
    }

    #[test]
    fn the_limit_is_the_sum_of_its_steps() {
        let costs = all();
        let up = limit(&costs, true, Metric::CpuSPerGb, Way::Up).unwrap();
        assert!((up.value - 0.5 * FRAMES_PER_PAYLOAD).abs() < 1e-12, "with the faster cipher: {up:?}");
        assert!((up.parts.iter().map(|(_, part)| part).sum::<f64>() - up.value).abs() < 1e-12);
        assert_eq!(up.parts[4].0, "aead_seal_16k_aws_lc");
        let goodput = limit(&costs, true, Metric::GoodputGbitPerS, Way::Up).unwrap();
        assert!((goodput.value * up.value - 8.0).abs() < 1e-12);
        let clear = limit(&costs, false, Metric::CpuSPerGb, Way::Down).unwrap();
        assert!((clear.value - 0.3 * FRAMES_PER_PAYLOAD).abs() < 1e-12, "{clear:?}");
    }

    #[test]
    fn a_limit_with_a_missing_step_is_no_limit() {
        let refused = Err(io::Error::other("no offload"));
        let costs = Costs::of([(Step::TapReadSuper, refused), (Step::Memcpy, Ok(vec![0.02, 0.04, 0.03]))]);
        let calibration = costs.calibration(&[Rig::Real], &[setting("default", true, false)]);
        assert_eq!(calibration.limits, []);
        assert_eq!(calibration.missing, ["TAP read, super-frames of 64 KiB: no offload"]);
        assert_eq!(calibration.primitives[0].cost, Estimate { value: 0.03, low: 0.02, high: 0.04 });
    }

    #[test]
    fn compression_has_no_limit() {
        let settings = [setting("default", true, false), setting("compressed", true, true)];
        let calibration = all().calibration(&[Rig::Real, Rig::Peer], &settings);
        assert_eq!(calibration.limits.len(), 2 * 2 * 2);
        assert!(calibration.limits.iter().all(|limit| limit.setting == "default"));
    }

    #[test]
    fn two_passes_become_one() {
        let mut costs = all();
        costs.add(Costs::of([(Step::TcpSend, Ok(vec![0.3; 3])), (Step::Memcpy, Err(io::Error::other("busy")))]));
        assert!((costs.cost(Step::TcpSend).unwrap() - 0.2).abs() < 1e-12, "the median of 0.1 and 0.3");
        assert_eq!(costs.missing, ["copy: busy"]);
    }

    /// The steps without a kernel in them must come out within what any machine of this decade does.
    #[test]
    fn the_steps_in_process_are_plausible() {
        let costs = Costs::measure_in_process();
        assert_eq!(costs.missing, Vec::<String>::new());
        let cost = |step| costs.cost(step).unwrap();
        for step in
            [Step::SealOpenssl, Step::OpenOpenssl, Step::SealAwsLc, Step::OpenAwsLc, Step::Memcpy, Step::Checksum]
        {
            assert!((0.000_5..20.0).contains(&cost(step)), "{step:?}: {}", cost(step));
        }
        assert!((0.005..50.0).contains(&cost(Step::NullSyscall)), "{}", cost(Step::NullSyscall));
    }
}
