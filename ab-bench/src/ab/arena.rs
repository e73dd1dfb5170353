//! The measurement as a whole: who is visited where and when, and what becomes of failures and interruptions.
//!
//! A place is a rig with a setting. In each place:
//!  1. The warm-up visits every contestant once, for bulk. Who fails here is left out; the first who does not is the baseline.
//!  2. The A/A rounds visit the baseline twice.
//!  3. The A/B rounds visit everybody once.
//!  4. The counted visits, one per contestant, count system calls and allocations and time nothing.
//!
//! After each visit the observer gets the report as it is, so that a crash loses one visit. Visits are numbered, and a
//! resumed measurement repeats the warm-up of its place and goes on with the first number that is missing.

use std::time::Instant;

use super::Contestant;
use super::facts;
use super::instruments::Instruments;
use super::plan::{Job, in_order, orders, warm_up};
use super::schema::{AGAIN, Disturbance, Effort, Failure, Load, Metric, Phase, RejectedPair, Report, Run, Setting};
use super::setting::DEFAULT_SETTING;
use super::visit::{Visited, Visitor};
use crate::lab::{ClientKind, Lab, LabError, LabOptions, ServerKind};

/// What to compare and how thoroughly.
#[derive(Debug, Clone)]
pub struct Options {
    /// The first one is the baseline (the next one if it fails in the warm-up); at least one.
    pub contestants: Vec<Contestant>,
    /// Against which far ends; at least one.
    pub rigs: Vec<ServerKind>,
    /// With which settings; at least one.
    pub settings: Vec<Setting>,
    /// What a visit does.
    pub jobs: Vec<Job>,
    /// Rounds and seconds.
    pub effort: Effort,
    /// Seed of the order and of the bootstrap.
    pub seed: u64,
    /// The command line that repeats it.
    pub command: Vec<String>,
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

/// Who looks on.
pub trait Observer {
    /// Told what is next; answers whether to go on.
    fn next(&mut self, progress: Progress<'_>) -> bool;
    /// Gets the report after each visit, without the comparison.
    fn visited(&mut self, report: &Report);
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

/// Runs everything, or what is missing in `so_far`. What fails is listed in the report, and a contestant that fails in
/// the warm-up or twice is left out of that place; only a lab that does not come up is an error.
pub fn run(options: &Options, so_far: Option<Report>, observer: &mut dyn Observer) -> Result<Report, LabError> {
    let earlier_s = so_far.as_ref().map_or(0.0, |report| report.duration_s);
    let report = so_far.unwrap_or_else(|| facts::new_report(options));
    let mut arena = Arena { options, report, started: Instant::now(), earlier_s, visits: visits(options) };
    arena.report.complete = false;
    let mut goes_on = true;
    for (rig_index, kind) in options.rigs.iter().enumerate() {
        let places = options.settings.len() * arena.visits.len();
        if !goes_on || arena.report.visits_done >= (rig_index + 1) * places {
            continue;
        }
        let lab = Lab::start(&LabOptions { server: *kind, server_dir: None })?;
        facts::note_rig(&mut arena.report, &lab);
        let instruments = arena.instruments(&lab);
        for (setting_index, setting) in options.settings.iter().enumerate() {
            let first = rig_index * places + setting_index * arena.visits.len();
            goes_on = goes_on && arena.place(&lab, *kind, setting, first, instruments.as_ref(), observer);
        }
    }
    let mut report = arena.report;
    report.complete = goes_on;
    report.duration_s = earlier_s + arena.started.elapsed().as_secs_f64();
    reject_disturbed_pairs(&mut report);
    report.compare();
    Ok(report)
}

/// All visits of one place in their order.
fn visits(options: &Options) -> Vec<Visit> {
    let Options { contestants, effort, seed, jobs, .. } = options;
    let once =
        |phase| (0..contestants.len()).map(move |index| Visit { phase, round: 1, slot: Slot::Contestant(index) });
    let rounds = |phase, slots: usize, rounds, slot: fn(usize) -> Slot| {
        let orders = (1..).zip(orders(slots, rounds, *seed));
        orders.flat_map(move |(round, order)| {
            order.into_iter().map(move |index| Visit { phase, round, slot: slot(index) })
        })
    };
    let same = |index| if index == 0 { Slot::Baseline } else { Slot::Again };
    let aa = rounds(Phase::Aa, 2, effort.aa_rounds, same);
    // With nobody to compare, the A/A rounds are all.
    let ab = rounds(Phase::Ab, contestants.len(), effort.rounds, Slot::Contestant).filter(|_| contestants.len() > 1);
    let counts_any = !in_order(jobs, true, 1).is_empty();
    once(Phase::WarmUp).chain(aa).chain(ab).chain(once(Phase::Counted).filter(|_| counts_any)).collect()
}

/// Lists every pair in which a run was disturbed.
fn reject_disturbed_pairs(report: &mut Report) {
    let reason = |run: &Run| {
        let Disturbance { steal_share, foreign_share } = run.disturbance;
        let (steal, foreign) = (100.0 * steal_share, 100.0 * foreign_share);
        format!("{}: {steal:.1} % stolen, {foreign:.1} % foreign", run.contestant)
    };
    let mut rejected = Vec::new();
    let compared = |run: &&Run| matches!(run.phase, Phase::Aa | Phase::Ab) && run.contestant != report.baseline;
    for run in report.runs.iter().filter(compared) {
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

/// What was measured so far.
struct Arena<'a> {
    options: &'a Options,
    report: Report,
    started: Instant,
    // What a resumed measurement took before.
    earlier_s: f64,
    visits: Vec<Visit>,
}

/// Where visits take place.
#[derive(Clone, Copy)]
struct Place<'a> {
    lab: &'a Lab,
    kind: ServerKind,
    setting: &'a Setting,
    instruments: Option<&'a Instruments>,
}

impl<'a> Arena<'a> {
    /// All visits of a place, the first of which has the number `first`; false if the observer has had enough.
    fn place(
        &mut self,
        lab: &Lab,
        kind: ServerKind,
        setting: &Setting,
        first: usize,
        instruments: Option<&Instruments>,
        observer: &mut dyn Observer,
    ) -> bool {
        let place = Place { lab, kind, setting, instruments };
        let of = self.visits.len() * self.options.settings.len() * self.options.rigs.len();
        if self.report.visits_done >= first + self.visits.len() {
            return true;
        }
        for (number, visit) in (first..).zip(self.visits.clone()) {
            if visit.phase != Phase::WarmUp {
                self.after_warm_up(place);
            }
            let is_done = number < self.report.visits_done;
            if is_done && visit.phase != Phase::WarmUp {
                continue;
            }
            let contestant = self.name(visit.slot);
            let next = Progress { done: number, of, phase: visit.phase, round: visit.round, contestant };
            if !observer.next(next) {
                return false;
            }
            self.visit(place, visit, is_done);
            self.report.visits_done = self.report.visits_done.max(number + 1);
            self.report.duration_s = self.earlier_s + self.started.elapsed().as_secs_f64();
            observer.visited(&self.report);
        }
        self.after_warm_up(place);
        true
    }

    /// Chooses what the warm-up decides: the baseline, once for all, and the load, once for each place.
    fn after_warm_up(&mut self, place: Place<'_>) {
        if self.report.baseline.is_empty() {
            // Who fails later takes the comparison with it; nobody steps in halfway.
            let baseline = self.options.contestants.iter().find(|contestant| !self.is_out(place, &contestant.name));
            let baseline = baseline.unwrap_or(&self.options.contestants[0]);
            self.report.baseline = baseline.name.clone();
        }
        let (rig, setting) = (place.kind.rig(), &place.setting.id);
        if self.report.loads.iter().any(|load| (load.rig, &load.setting) == (rig, setting)) {
            return;
        }
        let of_baseline = |run: &&Run| {
            (run.rig, &run.setting, run.phase) == (rig, setting, Phase::WarmUp)
                && run.contestant == self.report.baseline
        };
        let goodputs = self.report.runs.iter().filter(of_baseline);
        let goodputs = goodputs.filter_map(|run| run.metrics.get(&Metric::GoodputGbitPerS));
        // Half of what the baseline can carry in its worse direction is a rate that nobody is at the limit with.
        let half = goodputs.copied().reduce(f64::min).map(|gbit_per_s| (gbit_per_s * 50.0).floor() * 10_000_000.0);
        if let Some(bits_per_s) = half.filter(|bits| *bits >= 1e7) {
            self.report.loads.push(Load { rig, setting: setting.clone(), bits_per_s: bits_per_s as u64 });
        }
    }

    fn contestant(&self, slot: Slot) -> &'a Contestant {
        let contestants = &self.options.contestants;
        match slot {
            Slot::Contestant(index) => &contestants[index],
            Slot::Baseline | Slot::Again => {
                contestants.iter().find(|one| one.name == self.report.baseline).unwrap_or(&contestants[0])
            }
        }
    }

    fn name(&self, slot: Slot) -> &'a str {
        if slot == Slot::Again { AGAIN } else { &self.contestant(slot).name }
    }

    /// Whether a contestant has failed in the warm-up of a place or twice in all its rounds.
    fn is_out(&self, place: Place<'_>, name: &str) -> bool {
        let here = |failure: &&Failure| {
            failure.contestant == name && (failure.rig, &failure.setting) == (place.kind.rig(), &place.setting.id)
        };
        let failures: Vec<&Failure> = self.report.failures.iter().filter(here).collect();
        failures.len() > 1 || failures.iter().any(|failure| failure.phase == Phase::WarmUp)
    }

    /// Neighbours have their own server and none of SoftEther's settings, and the peer grants one plain TCP connection:
    /// what a place cannot be set to is not visited there.
    fn is_at_home(contestant: &Contestant, place: Place<'_>) -> bool {
        let setting = place.setting;
        let is_plain = setting.connections == 1 && !setting.compress && !setting.udp_acceleration;
        match (&contestant.kind, place.kind) {
            (ClientKind::Neighbour(_), ServerKind::Peer) => false,
            (ClientKind::Neighbour(_), _) => setting.id == DEFAULT_SETTING,
            (_, ServerKind::Peer) => is_plain,
            _ => true,
        }
    }

    fn visit(&mut self, place: Place<'_>, visit: Visit, is_repeated: bool) {
        let contestant = self.contestant(visit.slot);
        if self.is_out(place, &contestant.name) || !Self::is_at_home(contestant, place) {
            return;
        }
        let (rig, setting) = (place.kind.rig(), place.setting);
        let load = self.report.loads.iter().find(|load| (load.rig, &load.setting) == (rig, &setting.id));
        let visitor = Visitor {
            lab: place.lab,
            rig,
            setting,
            rule: self.report.rejection_rule,
            cpus: self.report.host.cpus,
            started: self.started,
            earlier_s: self.earlier_s,
            seconds: self.options.effort.seconds_per_run,
            load_bits_per_s: load.map(|load| load.bits_per_s),
            instruments: place.instruments,
            name: self.name(visit.slot),
            phase: visit.phase,
            round: visit.round,
        };
        let jobs = match visit.phase {
            Phase::WarmUp => warm_up(&self.options.jobs),
            phase => in_order(&self.options.jobs, phase == Phase::Counted, visit.round),
        };
        match visitor.visit(contestant, &jobs) {
            Ok(_) if is_repeated => {}
            Ok(Visited { runs, observed }) => {
                self.report.runs.extend(runs);
                let facts = self.report.contestants.iter_mut().find(|facts| facts.name == contestant.name);
                if let (Some(facts), Some(observed)) = (facts, observed) {
                    facts.observed.push(observed);
                }
            }
            Err(error) => self.report.failures.push(Failure {
                contestant: contestant.name.clone(),
                rig,
                setting: setting.id.clone(),
                phase: visit.phase,
                round: visit.round,
                reason: error.to_string(),
            }),
        }
    }

    /// The instruments, if a job needs them; why they are not to be had is told in the report.
    fn instruments(&mut self, lab: &Lab) -> Option<Instruments> {
        if in_order(&self.options.jobs, true, 1).is_empty() {
            return None;
        }
        match Instruments::find(lab) {
            Ok(instruments) => Some(instruments),
            Err(error) => {
                self.report.notes.push(error.to_string());
                None
            }
        }
    }
}
