//! The measurement itself: who is visited when, what a visit does, and what becomes of failures.

use std::time::Instant;

use super::contestant::Contestant;
use super::host::{self, MachineCpu};
use super::plan::{WARM_UP_RUN_S, orders};
use super::schema::{
    AGAIN, ContestantFacts, Counter, Counts, Disturbance, Effort, Failure, Host, Observed, Phase, RejectedPair,
    RejectionRule, Report, Rig, RigFacts, Run, SCHEMA_VERSION, Setting, Way, Workload, derive,
};
use super::{iperf, observe};
use crate::lab::{Client, ClientKind, ClientSpec, Lab, LabError, LabOptions, ServerKind};

/// The only setting until a sweep asks for others.
const DEFAULT_SETTING: &str = "default";
/// Fixed before anything is measured. A steal of 2 % of the machine is 4 % of one of two processors.
const REJECTION_RULE: RejectionRule = RejectionRule { steal_share_max: 0.02, foreign_share_max: 0.05 };

/// What to compare and how thoroughly.
#[derive(Debug, Clone)]
pub struct Options {
    /// The first one is the baseline (the next one if it fails in the warm-up); at least one.
    pub contestants: Vec<Contestant>,
    /// Whose server.
    pub server: ServerKind,
    /// Rounds and seconds.
    pub effort: Effort,
    /// Seed of the order and of the bootstrap.
    pub seed: u64,
}

/// What happens, for a progress bar.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Visits done.
    pub done: usize,
    /// Visits in all.
    pub of: usize,
    /// Which part.
    pub phase: Phase,
    /// The round.
    pub round: u32,
    /// Who is visited next.
    pub contestant: &'a str,
}

/// One visit to come.
#[derive(Debug, Clone, Copy)]
struct Visit {
    phase: Phase,
    round: u32,
    slot: Slot,
}

/// Who is visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// By index.
    Contestant(usize),
    /// The baseline; whoever that is, is known after the warm-up.
    Baseline,
    /// The baseline as [`AGAIN`].
    Again,
}

/// Runs everything. `progress` is told what is next and answers whether to go on; if not, the report holds what was
/// measured until then. What fails is listed in the report, and a contestant that fails in the warm-up or twice is left
/// out from then on; only a lab that does not come up is an error.
pub fn run(options: &Options, mut progress: impl FnMut(Progress<'_>) -> bool) -> Result<Report, LabError> {
    let started = Instant::now();
    let lab = Lab::start(&LabOptions { server: options.server, server_dir: None })?;
    let mut arena = Arena {
        lab: &lab,
        options,
        report: new_report(options),
        out: vec![false; options.contestants.len()],
        baseline: 0,
        started,
    };
    let visits = visits(options);
    arena.report.complete = true;
    for (done, visit) in visits.iter().enumerate() {
        if visit.phase != Phase::WarmUp && visit.round == 1 && arena.report.baseline.is_empty() {
            arena.choose_baseline();
        }
        let contestant = arena.name(visit.slot);
        let next = Progress { done, of: visits.len(), phase: visit.phase, round: visit.round, contestant };
        if !progress(next) {
            arena.report.complete = false;
            break;
        }
        arena.visit(*visit);
    }
    if arena.report.baseline.is_empty() {
        arena.choose_baseline();
    }
    let mut report = arena.report;
    report.duration_s = started.elapsed().as_secs_f64();
    reject_disturbed_pairs(&mut report);
    report.compare();
    Ok(report)
}

/// All visits in their order: the warm-up, the A/A rounds, the rounds of all.
fn visits(options: &Options) -> Vec<Visit> {
    let Options { contestants, effort, seed, .. } = options;
    let warm_up =
        (0..contestants.len()).map(|index| Visit { phase: Phase::WarmUp, round: 1, slot: Slot::Contestant(index) });
    let rounds = |phase, slots: usize, rounds, slot: fn(usize) -> Slot| {
        let orders = (1..).zip(orders(slots, rounds, *seed));
        orders.flat_map(move |(round, order)| {
            order.into_iter().map(move |index| Visit { phase, round, slot: slot(index) })
        })
    };
    let same = |index| if index == 0 { Slot::Baseline } else { Slot::Again };
    let aa = rounds(Phase::Aa, 2, effort.aa_rounds, same);
    let ab = rounds(Phase::Ab, contestants.len(), effort.rounds, Slot::Contestant);
    // With nobody to compare, the A/A rounds are all.
    let ab = ab.filter(|_| contestants.len() > 1);
    warm_up.chain(aa).chain(ab).collect()
}

fn new_report(options: &Options) -> Report {
    let spec = ClientSpec::official();
    let setting = Setting {
        id: DEFAULT_SETTING.into(),
        connections: spec.connections,
        half_duplex: spec.half_duplex,
        encrypt: spec.encrypt,
        compress: spec.compress,
        udp_acceleration: spec.udp_acceleration,
        mtu: 1500,
        streams: 1,
        payload_bytes: None,
    };
    let far_end = match options.server {
        ServerKind::Vendored => "vendored",
        ServerKind::Debian => "debian",
    };
    let rig =
        RigFacts { rig: Rig::Real, far_end: far_end.into(), version: String::new(), offloads: Vec::new(), mtu: 1500 };
    let contestants = options.contestants.iter().map(|contestant| ContestantFacts {
        name: contestant.name.clone(),
        what: String::new(),
        version: version(&contestant.kind),
        swaps: contestant.swaps.clone(),
        build: None,
        observed: Vec::new(),
    });
    Report {
        schema_version: SCHEMA_VERSION,
        started_unix_s: std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs()),
        duration_s: 0.0,
        complete: false,
        command: std::env::args().collect(),
        seed: options.seed,
        effort: options.effort.clone(),
        host: Host::read(),
        rigs: vec![rig],
        settings: vec![setting],
        contestants: contestants.collect(),
        baseline: String::new(),
        failures: Vec::new(),
        rejection_rule: REJECTION_RULE,
        rejected_pairs: Vec::new(),
        noise_floor_max: None,
        runs: Vec::new(),
        rows: Vec::new(),
        calibration: None,
        micro: Vec::new(),
        profiles: Vec::new(),
    }
}

fn version(kind: &ClientKind) -> String {
    match kind {
        ClientKind::Cutover(program) => host::output_of(&program.to_string_lossy(), &["version"]),
        ClientKind::Official => host::output_of("dpkg-query", &["--show", "softether-vpnclient"]).replace('\t', " "),
    }
}

/// Lists every pair in which a run was disturbed.
fn reject_disturbed_pairs(report: &mut Report) {
    let reason = |run: &Run| {
        let Disturbance { steal_share, foreign_share } = run.disturbance;
        let (steal, foreign) = (100.0 * steal_share, 100.0 * foreign_share);
        format!("{}: {steal:.1} % stolen, {foreign:.1} % foreign", run.contestant)
    };
    let mut rejected = Vec::new();
    for run in report.runs.iter().filter(|run| run.phase != Phase::WarmUp && run.contestant != report.baseline) {
        let Some(beside) = report.run(run, &report.baseline) else {
            continue;
        };
        let reasons: Vec<String> = [run, beside].into_iter().filter(|run| run.disturbed).map(reason).collect();
        if !reasons.is_empty() {
            rejected.push(RejectedPair {
                rig: run.rig,
                setting: run.setting.clone(),
                phase: run.phase,
                round: run.round,
                contestant: run.contestant.clone(),
                workload: run.workload,
                way: run.way,
                reason: reasons.join("; "),
            });
        }
    }
    report.rejected_pairs = rejected;
}

/// The lab and what was measured in it so far.
struct Arena<'a> {
    lab: &'a Lab,
    options: &'a Options,
    report: Report,
    // Who has failed, by contestant.
    out: Vec<bool>,
    baseline: usize,
    started: Instant,
}

impl<'a> Arena<'a> {
    /// Who fails later takes the comparison with it; nobody steps in halfway.
    fn choose_baseline(&mut self) {
        self.baseline = self.out.iter().position(|out| !out).unwrap_or(0);
        self.report.baseline = self.options.contestants[self.baseline].name.clone();
    }

    fn index(&self, slot: Slot) -> usize {
        match slot {
            Slot::Contestant(index) => index,
            Slot::Baseline | Slot::Again => self.baseline,
        }
    }

    fn name(&self, slot: Slot) -> &'a str {
        if slot == Slot::Again { AGAIN } else { &self.options.contestants[self.index(slot)].name }
    }

    fn visit(&mut self, visit: Visit) {
        let index = self.index(visit.slot);
        if self.out[index] {
            return;
        }
        if let Err(error) = self.try_visit(visit) {
            let contestant = self.options.contestants[index].name.clone();
            // One failure may be bad luck, unless it is the very first visit.
            let again = self.report.failures.iter().any(|failure| failure.contestant == contestant);
            self.out[index] = again || visit.phase == Phase::WarmUp;
            self.report.failures.push(Failure {
                contestant,
                rig: Rig::Real,
                setting: DEFAULT_SETTING.into(),
                phase: visit.phase,
                round: visit.round,
                reason: error.to_string(),
            });
        }
    }

    fn try_visit(&mut self, visit: Visit) -> Result<(), LabError> {
        let contestant = &self.options.contestants[self.index(visit.slot)];
        let mut spec = ClientSpec::new(contestant.kind.clone());
        spec.env.extend(contestant.swaps.iter().map(|swaps| ("CUTOVER_SWAPS".into(), swaps.into())));
        let before = Watch::start()?;
        let client = self.lab.start_client(&spec)?;
        let connected = Counts::from([(Counter::ConnectS, client.connect_time().as_secs_f64())]);
        let run = before.stop(self, visit, Workload::Connect, Way::None, connected)?;
        self.report.runs.push(run);
        if visit.phase == Phase::WarmUp {
            self.note_session(self.index(visit.slot))?;
        }
        // Each direction is the first one as often as the other.
        let ways = match visit.round % 4 {
            0 | 1 => [Way::Up, Way::Down],
            _ => [Way::Down, Way::Up],
        };
        for way in ways {
            let run = self.bulk(&client, visit, way)?;
            self.report.runs.push(run);
        }
        client.stop().map(drop)
    }

    fn bulk(&mut self, client: &Client, visit: Visit, way: Way) -> Result<Run, LabError> {
        let seconds = if visit.phase == Phase::WarmUp { WARM_UP_RUN_S } else { self.options.effort.seconds_per_run };
        let watch = Watch::start()?;
        let before = (client.cpu()?, self.lab.server().cpu()?);
        let transfer = iperf::run(self.lab, way, seconds)?;
        let after = (client.cpu()?, self.lab.server().cpu()?);
        let counts = Counts::from([
            (Counter::Bytes, transfer.bytes as f64),
            (Counter::Retransmits, transfer.retransmits as f64),
            (Counter::ClientCpuS, (after.0.total - before.0.total).as_secs_f64()),
            (Counter::ClientUserS, after.0.user.saturating_sub(before.0.user).as_secs_f64()),
            (Counter::ClientSystemS, after.0.system.saturating_sub(before.0.system).as_secs_f64()),
            (Counter::ServerCpuS, (after.1.total - before.1.total).as_secs_f64()),
        ]);
        let mut run = watch.stop(self, visit, Workload::Bulk, way, counts)?;
        // The transfer's own time, without iperf3's handshakes.
        run.seconds = transfer.seconds;
        run.metrics = derive(run.workload, run.seconds, &run.counts, None);
        let index = self.index(visit.slot);
        if let Some(observed) = self.report.contestants[index].observed.last_mut() {
            observed.inner_congestion_control = transfer.congestion_control;
        }
        Ok(run)
    }

    /// Notes what really runs, while it still does.
    fn note_session(&mut self, index: usize) -> Result<(), LabError> {
        let observed = Observed {
            rig: Rig::Real,
            setting: DEFAULT_SETTING.into(),
            cipher: observe::cipher(self.lab)?,
            outer_congestion_control: observe::outer_congestion_control(self.lab)?,
            inner_congestion_control: String::new(),
        };
        self.report.contestants[index].observed.push(observed);
        Ok(())
    }
}

/// Watches the machine during a run.
struct Watch {
    since: Instant,
    machine: MachineCpu,
}

impl Watch {
    fn start() -> Result<Self, LabError> {
        Ok(Self { machine: machine_cpu()?, since: Instant::now() })
    }

    /// The run that took place since the start, with what the machine did meanwhile.
    fn stop(
        self,
        arena: &Arena<'_>,
        visit: Visit,
        workload: Workload,
        way: Way,
        mut counts: Counts,
    ) -> Result<Run, LabError> {
        let seconds = self.since.elapsed().as_secs_f64();
        let machine = machine_cpu()?;
        let steal_s = machine.steal_s - self.machine.steal_s;
        counts.insert(Counter::MachineCpuS, machine.busy_s - self.machine.busy_s);
        counts.insert(Counter::StealS, steal_s);
        let capacity_s = seconds * arena.report.host.cpus.max(1) as f64;
        let disturbance = Disturbance { steal_share: steal_s / capacity_s, foreign_share: 0.0 };
        let rule = arena.report.rejection_rule;
        Ok(Run {
            rig: Rig::Real,
            setting: DEFAULT_SETTING.into(),
            contestant: arena.name(visit.slot).to_owned(),
            phase: visit.phase,
            round: visit.round,
            workload,
            way,
            started_s: (self.since - arena.started).as_secs_f64(),
            seconds,
            disturbance,
            disturbed: disturbance.steal_share > rule.steal_share_max
                || disturbance.foreign_share > rule.foreign_share_max,
            metrics: derive(workload, seconds, &counts, None),
            counts,
            rtt: None,
        })
    }
}

fn machine_cpu() -> Result<MachineCpu, LabError> {
    MachineCpu::read().map_err(|source| LabError::Io { what: "read /proc/stat".into(), source })
}
