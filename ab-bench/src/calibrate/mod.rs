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

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::frames::Direction;
use crate::lab::{Lab, LabError, Side};
use crate::stats::median;

/// How often each step is timed in one pass.
const SAMPLES: usize = 5;
/// How long one timing takes at least.
const SAMPLE: Duration = Duration::from_millis(60);
/// Bytes on the tunnel per byte of TCP payload: full frames of 1514 bytes and their length field carry 1448.
const FRAMES_PER_PAYLOAD: f64 = 1518.0 / 1448.0;

/// A step, timed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

    /// What [`Timing::median`] counts.
    #[must_use]
    pub fn unit(self) -> &'static str {
        if self == Self::NullSyscall { "µs/call" } else { "s/GB" }
    }
}

/// What one step costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Which.
    pub step: Step,
    /// Every timing: CPU-seconds per 10^9 bytes, or microseconds per call (see [`Step::unit`]).
    pub samples: Vec<f64>,
    /// Their median.
    pub median: f64,
}

/// Which cipher a limit contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cipher {
    /// The data travels in the clear (`use_encrypt = 0`).
    None,
    /// AES-256-GCM of the OpenSSL that this machine has.
    Openssl,
    /// AES-256-GCM of aws-lc-rs.
    AwsLc,
}

/// The sum of the steps of one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Which way.
    pub direction: Direction,
    /// With which cipher.
    pub cipher: Cipher,
    /// CPU-seconds of the client per 10^9 bytes of TCP payload, at least.
    pub cpu_s_per_gb: f64,
    /// What each step contributes to it.
    pub parts: Vec<LimitPart>,
}

/// One step's share of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LimitPart {
    /// Which step.
    pub step: Step,
    /// CPU-seconds per 10^9 bytes of TCP payload.
    pub cpu_s_per_gb: f64,
}

/// What was calibrated, and the limits that follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Which OpenSSL.
    pub openssl: String,
    /// Every step.
    pub timings: Vec<Timing>,
    /// Computed from the timings.
    pub limits: Vec<Limit>,
    /// What could not be measured, and why.
    pub missing: Vec<String>,
}

impl Calibration {
    /// Times every step in this lab while no client runs; takes about six seconds. A step that this machine cannot do is
    /// listed in `missing`, and so are the limits that would contain it.
    pub fn measure(lab: &Lab) -> Result<Self, LabError> {
        let mut samples: Vec<Sampled> = Vec::new();
        samples.extend(crypto::measure());
        samples.extend(memory::measure());
        samples.extend(lab.within(Side::Client, tap::measure)?);
        samples.extend(tcp::measure(lab)?);
        Ok(Self::of(samples))
    }

    /// The steps that need no lab and no root.
    #[must_use]
    pub fn measure_in_process() -> Self {
        Self::of(crypto::measure().into_iter().chain(memory::measure()))
    }

    fn of(samples: impl IntoIterator<Item = Sampled>) -> Self {
        let mut calibration =
            Self { openssl: openssl::version::version().into(), timings: vec![], limits: vec![], missing: vec![] };
        for (step, samples) in samples {
            match samples {
                Ok(samples) => calibration.timings.push(Timing { step, median: median(&samples), samples }),
                Err(error) => calibration.missing.push(format!("{}: {error}", step.title())),
            }
        }
        calibration.sum();
        calibration
    }

    /// Adds a second pass, the one after the measurement for example.
    pub fn add(&mut self, other: Self) {
        for timing in other.timings {
            match self.timings.iter_mut().find(|own| own.step == timing.step) {
                Some(own) => own.samples.extend(timing.samples),
                None => self.timings.push(timing),
            }
        }
        for missing in other.missing {
            if !self.missing.contains(&missing) {
                self.missing.push(missing);
            }
        }
        self.sum();
    }

    /// What one step costs, if it was measured.
    #[must_use]
    pub fn cost(&self, step: Step) -> Option<f64> {
        self.timings.iter().find(|timing| timing.step == step).map(|timing| timing.median)
    }

    /// The limit of one direction with the fastest cipher there is, or without one.
    #[must_use]
    pub fn limit(&self, direction: Direction, encrypt: bool) -> Option<&Limit> {
        let fits = |limit: &&Limit| limit.direction == direction && (limit.cipher != Cipher::None) == encrypt;
        self.limits.iter().filter(fits).min_by(|a, b| a.cpu_s_per_gb.total_cmp(&b.cpu_s_per_gb))
    }

    fn sum(&mut self) {
        for timing in &mut self.timings {
            timing.median = median(&timing.samples);
        }
        let mut limits = Vec::new();
        for (direction, cipher, steps) in LIMITS {
            let parts: Option<Vec<LimitPart>> = steps
                .iter()
                .map(|step| Some(LimitPart { step: *step, cpu_s_per_gb: self.cost(*step)? * FRAMES_PER_PAYLOAD }))
                .collect();
            if let Some(parts) = parts {
                let cpu_s_per_gb = parts.iter().map(|part| part.cpu_s_per_gb).sum();
                limits.push(Limit { direction, cipher, cpu_s_per_gb, parts });
            }
        }
        self.limits = limits;
    }
}

/// What cannot be left out.
const LIMITS: [(Direction, Cipher, &[Step]); 6] = [
    (Direction::Up, Cipher::None, &[Step::TapReadSuper, Step::Checksum, Step::Memcpy, Step::TcpSend]),
    (
        Direction::Up,
        Cipher::Openssl,
        &[Step::TapReadSuper, Step::Checksum, Step::Memcpy, Step::SealOpenssl, Step::TcpSend],
    ),
    (Direction::Up, Cipher::AwsLc, &[Step::TapReadSuper, Step::Checksum, Step::Memcpy, Step::SealAwsLc, Step::TcpSend]),
    (Direction::Down, Cipher::None, &[Step::TcpReceive, Step::Checksum, Step::TapWriteSuper]),
    (Direction::Down, Cipher::Openssl, &[Step::TcpReceive, Step::OpenOpenssl, Step::Checksum, Step::TapWriteSuper]),
    (Direction::Down, Cipher::AwsLc, &[Step::TcpReceive, Step::OpenAwsLc, Step::Checksum, Step::TapWriteSuper]),
];

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

    fn timing(step: Step, median: f64) -> Timing {
        Timing { step, samples: vec![median; 3], median }
    }

    fn all() -> Calibration {
        let steps: Vec<Sampled> = LIMITS
            .iter()
            .flat_map(|(_, _, steps)| steps.iter())
            .map(|step| (*step, Ok(vec![if *step == Step::SealOpenssl { 0.3 } else { 0.1 }; 3])))
            .collect();
        Calibration::of(steps)
    }

    #[test]
    fn the_limit_is_the_sum_of_its_steps() {
        let calibration = all();
        assert_eq!(calibration.limits.len(), LIMITS.len());
        let up = calibration.limit(Direction::Up, true).unwrap();
        assert_eq!(up.cipher, Cipher::AwsLc, "the faster one");
        assert!((up.cpu_s_per_gb - 0.5 * FRAMES_PER_PAYLOAD).abs() < 1e-12, "{up:?}");
        let clear = calibration.limit(Direction::Up, false).unwrap();
        assert!((clear.cpu_s_per_gb - 0.4 * FRAMES_PER_PAYLOAD).abs() < 1e-12, "{clear:?}");
    }

    #[test]
    fn a_limit_with_a_missing_step_is_no_limit() {
        let refused = || io::Error::other("no offload");
        let calibration =
            Calibration::of([(Step::TapReadSuper, Err(refused())), (Step::Memcpy, Ok(vec![0.02, 0.04, 0.03]))]);
        assert_eq!(calibration.limits, []);
        assert_eq!(calibration.limit(Direction::Up, true), None);
        assert_eq!(calibration.missing, ["TAP read, super-frames of 64 KiB: no offload"]);
        assert_eq!(calibration.cost(Step::Memcpy), Some(0.03));
    }

    #[test]
    fn two_passes_become_one() {
        let mut calibration = all();
        let before = calibration.limit(Direction::Up, true).unwrap().cpu_s_per_gb;
        let slower = timing(Step::TcpSend, 0.3);
        calibration.add(Calibration { openssl: String::new(), timings: vec![slower], limits: vec![], missing: vec![] });
        let after = calibration.limit(Direction::Up, true).unwrap().cpu_s_per_gb;
        assert!((after - before - 0.1 * FRAMES_PER_PAYLOAD).abs() < 1e-12, "the median of 0.1 and 0.3 is 0.2");
    }

    /// The steps without a kernel in them must come out within what any machine of this decade does.
    #[test]
    fn the_steps_in_process_are_plausible() {
        let calibration = Calibration::measure_in_process();
        assert_eq!(calibration.missing, Vec::<String>::new());
        let cost = |step| calibration.cost(step).unwrap();
        for step in
            [Step::SealOpenssl, Step::OpenOpenssl, Step::SealAwsLc, Step::OpenAwsLc, Step::Memcpy, Step::Checksum]
        {
            assert!((0.000_5..20.0).contains(&cost(step)), "{step:?}: {}", cost(step));
        }
        assert!((0.005..50.0).contains(&cost(Step::NullSyscall)), "{}", cost(Step::NullSyscall));
    }
}
