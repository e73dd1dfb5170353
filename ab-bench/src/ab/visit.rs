//! One visit: a contestant's client starts, does its jobs one after the other, and ends.

use std::time::{Duration, Instant};

use super::host::MachineCpu;
use super::instruments::Instruments;
use super::iperf::{self, Traffic, Transfer};
use super::plan::{IDLE_SETTLE_S, Job, SHORT_RUN_S};
use super::probe::Prober;
use super::procfs::{Foreign, Switches, peak_memory};
use super::schema::{
    Counter, Counts, Disturbance, Histogram, Observed, Phase, RejectionRule, Rig, Run, Setting, Way, Workload, derive,
};
use super::{Contestant, observe};
use crate::frames::{Direction, FramePlan, FrameSizes};
use crate::lab::{Client, ClientKind, ClientSpec, Lab, LabError, Side, UdpCounts};

/// Payload of a full inner segment: frames are counted in these when bulk is counted, because a super-packet of the
/// kernel's is one packet on an interface and many frames on the wire.
const SEGMENT_BYTES: f64 = 1448.0;
/// The load begins so long before the first probe, and ends so long after the last.
const LOAD_MARGIN: Duration = Duration::from_millis(200);
/// How many frames a frame run sends at most in one go before it looks at the clock.
const FRAMES_PER_GO: u32 = 20_000;

/// Where and as what a visit takes place; the fields of its runs.
pub(super) struct Visitor<'a> {
    pub lab: &'a Lab,
    pub rig: Rig,
    pub setting: &'a Setting,
    pub rule: RejectionRule,
    pub cpus: usize,
    /// When the measurement began, or went on.
    pub started: Instant,
    /// What it took before it went on.
    pub earlier_s: f64,
    /// The full length of a run.
    pub seconds: f64,
    /// The rate of [`Workload::RttLoad`]; known after the warm-up.
    pub load_bits_per_s: Option<u64>,
    /// Absent: they are not to be had, and nothing is counted.
    pub instruments: Option<&'a Instruments>,
    /// What its runs say.
    pub name: &'a str,
    pub phase: Phase,
    pub round: u32,
}

/// What a visit found.
pub(super) struct Visited {
    pub runs: Vec<Run>,
    /// Noted in the warm-up only.
    pub observed: Option<Observed>,
}

impl Visitor<'_> {
    /// Visits a contestant; `jobs` in this order.
    pub(super) fn visit(&self, contestant: &Contestant, jobs: &[Job]) -> Result<Visited, LabError> {
        let spec = self.spec(contestant);
        let mut runs = Vec::new();
        let watch = Watch::start()?;
        let client = self.lab.start_client(&spec)?;
        let connected = Counts::from([(Counter::ConnectS, client.connect_time().as_secs_f64())]);
        let mut connect = self.run(watch, Workload::Connect, Way::None, connected, None)?;
        if self.is_by_udp(&client) {
            self.lab.wait_for_udp(&client)?;
        }
        let mut observed = (self.phase == Phase::WarmUp).then(|| self.observe(&client)).transpose()?;
        for job in jobs {
            let received = self.is_by_udp(&client).then(|| self.udp_received()).transpose()?;
            if let Some((run, transfer)) = self.job(&client, *job)? {
                if let Some(received) = received {
                    self.went_by_udp(&run, received)?;
                }
                runs.push(run);
                if let (Some(observed), Some(transfer)) = (&mut observed, transfer) {
                    observed.inner_congestion_control = transfer.congestion_control;
                }
            }
        }
        let memory = peak_memory(client.worker()).map_err(|source| failed("read the client's memory", source))?;
        connect.counts.insert(Counter::PeakMemoryBytes, memory as f64);
        connect.metrics = derive(connect.workload, connect.seconds, &connect.counts, None);
        // A counted visit times nothing.
        if self.phase != Phase::Counted {
            runs.insert(0, connect);
        }
        client.stop()?;
        Ok(Visited { runs, observed })
    }

    /// Whether the setting is of UDP acceleration and the client knows it.
    fn is_by_udp(&self, client: &Client) -> bool {
        self.setting.udp_acceleration && !matches!(client.kind(), ClientKind::Neighbour(_))
    }

    /// What the server's side and the client's have received.
    fn udp_received(&self) -> Result<[UdpCounts; 2], LabError> {
        Ok([self.lab.udp_received(Side::Server)?, self.lab.udp_received(Side::Client)?])
    }

    /// Whether the inner TCP of a run went as datagrams, so that a setting measures what it says.
    fn went_by_udp(&self, run: &Run, [server_before, client_before]: [UdpCounts; 2]) -> Result<(), LabError> {
        let Some(bytes) = run.counts.get(&Counter::Bytes) else { return Ok(()) };
        let [server, client] = self.udp_received()?;
        let (up, down) = (server.since(server_before), client.since(client_before));
        let counted = match run.way {
            Way::Up | Way::None => up,
            Way::Down => down,
            Way::Both => {
                UdpCounts { datagrams: up.datagrams + down.datagrams, fragments: up.fragments + down.fragments }
            }
        };
        counted.carried(*bytes as u64)
    }

    fn spec(&self, contestant: &Contestant) -> ClientSpec {
        let mut spec = ClientSpec::new(contestant.kind.clone());
        spec.connections = self.setting.connections;
        spec.half_duplex = self.setting.half_duplex;
        spec.encrypt = self.setting.encrypt;
        spec.compress = self.setting.compress;
        spec.udp_acceleration = self.setting.udp_acceleration;
        spec.env.extend(contestant.swaps.iter().map(|swaps| ("CUTOVER_SWAPS".into(), swaps.into())));
        spec.env.extend(contestant.env.iter().map(|(name, value)| (name.into(), value.into())));
        spec
    }

    fn job(&self, client: &Client, job: Job) -> Result<Option<(Run, Option<Transfer>)>, LabError> {
        let whole = match self.phase {
            Phase::WarmUp | Phase::Counted => self.seconds.min(SHORT_RUN_S),
            Phase::Aa | Phase::Ab => self.seconds,
        };
        let seconds = whole * job.weight();
        let run = match job.workload {
            Workload::Connect => None,
            Workload::Idle => Some((self.idle(client, seconds)?, None)),
            Workload::RttIdle => Some((self.rtt_idle(client, seconds)?, None)),
            Workload::Bulk => Some(self.bulk(client, job.way, seconds)?),
            Workload::RttLoad => self.rtt_load(client, job.way, seconds)?,
            Workload::Frames64 => self.frames(client, job, FrameSizes::new(64, 64), seconds)?,
            Workload::FramesMixed => self.frames(client, job, FrameSizes::MIXED, seconds)?,
            Workload::FramesFull => self.frames(client, job, FrameSizes::new(1514, 1514), seconds)?,
            Workload::Counted => self.counted(client, job.way, seconds)?,
        };
        Ok(run)
    }

    fn idle(&self, client: &Client, seconds: f64) -> Result<Run, LabError> {
        std::thread::sleep(Duration::from_secs_f64(IDLE_SETTLE_S));
        let switches = || Switches::of(client.worker()).map_err(|source| failed("read context switches", source));
        let (before, watch) = (switches()?, Watch::start()?);
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let woken = switches()?.since(before).voluntary;
        self.run(watch, Workload::Idle, Way::None, Counts::from([(Counter::Wakeups, woken as f64)]), None)
    }

    fn rtt_idle(&self, client: &Client, seconds: f64) -> Result<Run, LabError> {
        let prober = Prober::open(self.lab, client.far_address())?;
        let watch = Watch::start()?;
        let probed = prober.run(Duration::from_secs_f64(seconds))?;
        let counts =
            Counts::from([(Counter::ProbesSent, probed.sent as f64), (Counter::ProbesLost, probed.lost as f64)]);
        self.run(watch, Workload::RttIdle, Way::None, counts, Some(probed.rtt))
    }

    fn bulk(&self, client: &Client, way: Way, seconds: f64) -> Result<(Run, Option<Transfer>), LabError> {
        let traffic = Traffic { target: client.far_address(), way, seconds, setting: self.setting, bits_per_s: None };
        let switches = || Switches::of(client.worker()).map_err(|source| failed("read context switches", source));
        let watch = Watch::start()?;
        let before = (client.cpu()?, client.far_cpu(self.lab)?, switches()?);
        let transfer = iperf::run(self.lab, traffic)?;
        let after = (client.cpu()?, client.far_cpu(self.lab)?, switches()?);
        let switches = after.2.since(before.2);
        let mut counts = Counts::from([
            (Counter::Bytes, transfer.bytes as f64),
            (Counter::Retransmits, transfer.retransmits as f64),
            (Counter::ClientCpuS, after.0.total.saturating_sub(before.0.total).as_secs_f64()),
            (Counter::ClientUserS, after.0.user.saturating_sub(before.0.user).as_secs_f64()),
            (Counter::ClientSystemS, after.0.system.saturating_sub(before.0.system).as_secs_f64()),
            (Counter::ContextSwitches, (switches.voluntary + switches.forced) as f64),
        ]);
        if let (Some(before), Some(after)) = (before.1, after.1) {
            counts.insert(Counter::ServerCpuS, after.total.saturating_sub(before.total).as_secs_f64());
        }
        let mut run = self.run(watch, Workload::Bulk, way, counts, None)?;
        // The transfer's own time, without iperf3's handshakes.
        run.seconds = transfer.seconds;
        run.metrics = derive(run.workload, run.seconds, &run.counts, None);
        Ok((run, Some(transfer)))
    }

    /// Round trips while inner TCP runs at the load's rate.
    fn rtt_load(&self, client: &Client, way: Way, seconds: f64) -> Result<Option<(Run, Option<Transfer>)>, LabError> {
        let Some(bits_per_s) = self.load_bits_per_s else {
            return Ok(None);
        };
        let prober = Prober::open(self.lab, client.far_address())?;
        let traffic =
            Traffic { target: client.far_address(), way, seconds, setting: self.setting, bits_per_s: Some(bits_per_s) };
        let watch = Watch::start()?;
        let (transfer, probed) = std::thread::scope(|scope| {
            let transfer = scope.spawn(|| iperf::run(self.lab, traffic));
            std::thread::sleep(LOAD_MARGIN);
            let probed = prober.run(Duration::from_secs_f64(seconds).saturating_sub(2 * LOAD_MARGIN));
            (transfer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), probed)
        });
        let (transfer, probed) = (transfer?, probed?);
        let counts = Counts::from([
            (Counter::Bytes, transfer.bytes as f64),
            (Counter::ProbesSent, probed.sent as f64),
            (Counter::ProbesLost, probed.lost as f64),
        ]);
        Ok(Some((self.run(watch, Workload::RttLoad, way, counts, Some(probed.rtt))?, None)))
    }

    /// Numbered frames for about so long. A neighbour that carries no frames does nothing.
    fn frames(
        &self,
        client: &Client,
        job: Job,
        sizes: FrameSizes,
        seconds: f64,
    ) -> Result<Option<(Run, Option<Transfer>)>, LabError> {
        let direction = match job.way {
            Way::Up => Direction::Up,
            Way::Down => Direction::Down,
            Way::Both | Way::None => return Ok(None),
        };
        if matches!(client.kind(), ClientKind::Neighbour(_)) {
            return Ok(None);
        }
        let watch = Watch::start()?;
        let cpu_before = client.cpu()?.total;
        let mut counts = Counts::new();
        let mut elapsed = 0.0;
        let mut add = |counter, value: u64| *counts.entry(counter).or_insert(0.0) += value as f64;
        for seed in 1.. {
            let plan = FramePlan { sizes, ..FramePlan::new(FRAMES_PER_GO, seed) };
            let report = self.lab.carry_frames(client, direction, &plan)?;
            add(Counter::FramesSent, report.sent);
            add(Counter::Frames, report.received);
            add(Counter::FramesLost, report.lost);
            add(Counter::FramesReordered, report.reordered);
            add(Counter::FramesDuplicated, report.duplicated);
            add(Counter::FramesDamaged, report.damaged);
            elapsed += report.elapsed.as_secs_f64();
            if elapsed >= seconds {
                break;
            }
        }
        counts.insert(Counter::ClientCpuS, client.cpu()?.total.saturating_sub(cpu_before).as_secs_f64());
        let mut run = self.run(watch, job.workload, job.way, counts, None)?;
        run.seconds = elapsed;
        run.metrics = derive(run.workload, run.seconds, &run.counts, None);
        Ok(Some((run, None)))
    }

    fn counted(&self, client: &Client, way: Way, seconds: f64) -> Result<Option<(Run, Option<Transfer>)>, LabError> {
        let Some(instruments) = self.instruments else {
            return Ok(None);
        };
        let traffic = Traffic { target: client.far_address(), way, seconds, setting: self.setting, bits_per_s: None };
        let watch = Watch::start()?;
        let (transfer, counted) = instruments.count(client.worker(), || iperf::run(self.lab, traffic))?;
        let counts = Counts::from([
            (Counter::Bytes, transfer.bytes as f64),
            (Counter::Frames, transfer.bytes as f64 / SEGMENT_BYTES),
            (Counter::Syscalls, counted.syscalls as f64),
            (Counter::Allocations, counted.allocations as f64),
        ]);
        Ok(Some((self.run(watch, Workload::Counted, way, counts, None)?, None)))
    }

    /// Notes what really runs, while it still does.
    fn observe(&self, client: &Client) -> Result<Observed, LabError> {
        let is_neighbour = matches!(client.kind(), ClientKind::Neighbour(_));
        Ok(Observed {
            rig: self.rig,
            setting: self.setting.id.clone(),
            cipher: if is_neighbour { String::new() } else { observe::cipher(self.lab)? },
            outer_congestion_control: observe::outer_congestion_control(self.lab)?,
            inner_congestion_control: String::new(),
        })
    }

    /// The run that took place since `watch` was started, with what the machine did meanwhile.
    fn run(
        &self,
        watch: Watch,
        workload: Workload,
        way: Way,
        mut counts: Counts,
        rtt: Option<Histogram>,
    ) -> Result<Run, LabError> {
        let seconds = watch.since.elapsed().as_secs_f64();
        let machine = machine_cpu()?;
        let foreign_s = Foreign::read().seconds_since(&watch.foreign);
        let steal_s = machine.steal_s - watch.machine.steal_s;
        counts.insert(Counter::MachineCpuS, machine.busy_s - watch.machine.busy_s);
        counts.insert(Counter::StealS, steal_s);
        counts.insert(Counter::ForeignCpuS, foreign_s);
        let capacity_s = seconds * self.cpus.max(1) as f64;
        let disturbance = Disturbance { steal_share: steal_s / capacity_s, foreign_share: foreign_s / capacity_s };
        Ok(Run {
            rig: self.rig,
            setting: self.setting.id.clone(),
            contestant: self.name.to_owned(),
            phase: self.phase,
            round: self.round,
            workload,
            way,
            started_s: self.earlier_s + (watch.since - self.started).as_secs_f64(),
            seconds,
            disturbance,
            disturbed: disturbance.steal_share > self.rule.steal_share_max
                || disturbance.foreign_share > self.rule.foreign_share_max,
            metrics: derive(workload, seconds, &counts, rtt.as_ref()),
            counts,
            rtt,
        })
    }
}

/// Watches the machine during a run.
struct Watch {
    since: Instant,
    machine: MachineCpu,
    foreign: Foreign,
}

impl Watch {
    fn start() -> Result<Self, LabError> {
        Ok(Self { foreign: Foreign::read(), machine: machine_cpu()?, since: Instant::now() })
    }
}

fn machine_cpu() -> Result<MachineCpu, LabError> {
    MachineCpu::read().map_err(|source| failed("read /proc/stat", source))
}

fn failed(what: &str, source: std::io::Error) -> LabError {
    LabError::Io { what: what.into(), source }
}
