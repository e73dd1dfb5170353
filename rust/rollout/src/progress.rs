//! A plan in motion. A state machine: time and what was seen are arguments, what is to be done is the answer, and
//! nothing is set here.
//!
//! 1. A stage is entered: the figures of that moment are kept to be compared with.
//! 2. At each look, first the evidence: a swap of this or an earlier step that was demoted, then the gates.
//! 3. A stage is left when its time is over, each of its swaps has served its calls, and every gate could be judged.
//! 4. After the last stage of the last step the plan is done; swaps that are demoted later still take others with them.

use std::time::{Duration, Instant};

use serde::Serialize;
use switch::{Contract, Counters, Mode, Setting, Swap};

use crate::plan::{Breach, Draw, Gates, Plan, Step};

/// Fewer bytes than these say nothing about CPU per GB.
const CPU_BYTES_MIN: u64 = 64_000_000;

/// Fewer frames than these say nothing about the error rate.
const ERROR_FRAMES_MIN: u64 = 1000;

/// A call below this many nanoseconds is not called slow: scheduler and clock are no finer.
const SLOW_NS_MIN: u64 = 1000;

/// The process at one moment; sums since its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessSeen {
    /// Frames carried, both ways.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames dropped.
    pub drops: u64,
    /// Sessions made again.
    pub reconnects: u64,
    /// CPU time used.
    pub cpu: Duration,
    /// Memory in use.
    pub resident_bytes: u64,
}

/// What a look decides.
#[derive(Debug)]
pub(crate) enum Decision {
    /// A stage begins: these settings are to be in force.
    Enter { settings: Vec<(&'static Swap, Setting)>, why: String },
    /// Something did not hold.
    Breach { culprits: Vec<&'static Swap>, scope: Breach, why: String },
    /// The last stage of the last step has held.
    Done,
}

/// A plan in motion.
#[derive(Debug)]
pub struct Progress {
    pub(crate) plan: Plan,
    pub(crate) step: usize,
    pub(crate) stage: usize,
    pub(crate) stopped: Option<String>,
    pub(crate) c_cpu_per_gb: Option<f64>,
    /// What this host is drawn by.
    host: u64,
    /// Swaps that a breach or a person took out, by name.
    out: Vec<&'static str>,
    entered: Option<Entered>,
    done: bool,
    /// Reconnects that the rollout itself asked for.
    own_reconnects: u64,
}

/// The moment a stage began.
#[derive(Debug)]
struct Entered {
    at: Instant,
    process: ProcessSeen,
    own_reconnects: u64,
    counters: Vec<Counters>,
}

/// A plan's progress as `cutover swaps` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown<'a> {
    name: &'a str,
    /// From 1.
    step: usize,
    steps: usize,
    stage: String,
    /// Seconds in this stage.
    seconds: u64,
    /// `running`, `done` or `stopped`.
    state: &'static str,
    /// What the stage still waits for, or why the plan stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Progress {
    /// A plan at its beginning, for the host with this id.
    pub fn new(plan: Plan, host_id: &str) -> Progress {
        let host = host_draw(host_id, &plan.name);
        Progress {
            plan,
            step: 0,
            stage: 0,
            stopped: None,
            c_cpu_per_gb: None,
            host,
            out: Vec::new(),
            entered: None,
            done: false,
            own_reconnects: 0,
        }
    }

    /// Goes on where an earlier run was; what does not fit the plan begins at its start.
    pub(crate) fn resume(&mut self, step: usize, stage: usize) {
        if self.plan.steps.get(step).is_some_and(|step| stage < step.stages.len()) {
            (self.step, self.stage) = (step, stage);
        }
    }

    fn current(&self) -> Option<&Step> {
        self.plan.steps.get(self.step)
    }

    /// The stage that runs.
    pub(crate) fn stage(&self) -> Option<Setting> {
        self.current()?.stages.get(self.stage).copied()
    }

    /// Whether a step that has begun has this swap.
    pub(crate) fn manages(&self, name: &str) -> bool {
        let begun = self.plan.steps.iter().take(self.step + 1);
        !self.out.contains(&name) && begun.flat_map(|step| &step.swaps).any(|swap| swap.info().name == name)
    }

    /// The swaps of the step that runs.
    pub(crate) fn in_motion(&self) -> Vec<&'static Swap> {
        let step = self.current().filter(|_| self.stopped.is_none() && !self.done);
        let swaps = step.into_iter().flat_map(|step| step.swaps.iter().copied());
        swaps.filter(|swap| !self.out.contains(&swap.info().name)).collect()
    }

    /// What a breach of the step that runs takes back.
    pub(crate) fn scope(&self) -> Option<Breach> {
        Some(self.current()?.on_breach)
    }

    /// What a breach of one of these swaps takes back.
    pub(crate) fn scope_of(&self, names: &[String]) -> Option<Breach> {
        let has = |step: &&Step| step.swaps.iter().any(|swap| names.iter().any(|name| name == swap.info().name));
        Some(self.plan.steps.iter().find(has)?.on_breach)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.stopped.is_none() && !self.done
    }

    /// Takes a swap out: it is no longer moved, and the plan stops when its step has no other.
    pub(crate) fn take_out(&mut self, name: &'static str, why: &str) {
        if !self.out.contains(&name) {
            self.out.push(name);
        }
        if self.is_running() && self.in_motion().is_empty() {
            self.stop(why);
        }
    }

    /// Stops for good.
    pub(crate) fn stop(&mut self, why: &str) {
        self.stopped.get_or_insert_with(|| why.to_owned());
    }

    /// Begins the step of a swap that was promoted anew. False if the plan does not have it.
    pub(crate) fn rejoin(&mut self, name: &str) -> bool {
        let has = |step: &Step| step.swaps.iter().any(|swap| swap.info().name == name);
        let Some(step) = self.plan.steps.iter().position(has) else { return false };
        self.out.retain(|out| *out != name);
        if step <= self.step || self.stopped.is_some() {
            (self.step, self.stage) = (step, 0);
            (self.stopped, self.entered, self.done) = (None, None, false);
        }
        true
    }

    /// Leaves the stage although it is not over: a person's decision. False after the last one.
    pub(crate) fn skip_ahead(&mut self) -> bool {
        self.is_running() && self.advance()
    }

    pub(crate) fn count_reconnect(&mut self) {
        self.own_reconnects += 1;
    }

    /// Looks at everything, at `now`.
    pub(crate) fn look(&mut self, now: Instant, process: &ProcessSeen) -> Option<Decision> {
        if self.stopped.is_some() {
            return None;
        }
        if let Some(breach) = self.demoted() {
            return Some(breach);
        }
        if self.done {
            return None;
        }
        let Some(entered) = &self.entered else { return self.enter(now, process) };
        let (swaps, step) = (self.in_motion(), self.current()?);
        if let Some((culprits, why)) = self.broken(step, &swaps, entered, process) {
            return Some(Decision::Breach { culprits, scope: step.on_breach, why });
        }
        if self.waits_for(now, process).is_some() {
            return None;
        }
        if self.stage()?.mode() == Mode::C {
            self.c_cpu_per_gb = cpu_per_gb(&entered.process, process).or(self.c_cpu_per_gb);
        }
        if self.advance() {
            return self.enter(now, process);
        }
        self.done = true;
        Some(Decision::Done)
    }

    /// A swap that the switch has demoted since.
    fn demoted(&self) -> Option<Decision> {
        let begun = self.plan.steps.iter().take(self.step + 1);
        begun.flat_map(|step| step.swaps.iter().map(move |swap| (step, *swap))).find_map(|(step, swap)| {
            let why = swap.status().demoted.filter(|_| !self.out.contains(&swap.info().name))?;
            let why = format!("{}: {why}", swap.info().name);
            Some(Decision::Breach { culprits: vec![swap], scope: step.on_breach, why })
        })
    }

    fn enter(&mut self, now: Instant, process: &ProcessSeen) -> Option<Decision> {
        let swaps = self.in_motion();
        let stage = self.stage()?;
        let counters = swaps.iter().map(|swap| swap.counters()).collect();
        self.entered = Some(Entered { at: now, process: *process, own_reconnects: self.own_reconnects, counters });
        let settings = swaps.iter().map(|swap| (*swap, self.setting_for(swap, stage))).collect();
        let (step, steps) = (self.step + 1, self.plan.steps.len());
        Some(Decision::Enter { settings, why: format!("plan \"{}\", step {step} of {steps}: {stage}", self.plan.name) })
    }

    /// What a stage means for one swap on this host.
    fn setting_for(&self, swap: &Swap, stage: Setting) -> Setting {
        match stage.mode() {
            // Until its step's first stage on Rust an effect waits on C.
            Mode::Shadow if swap.info().contract == Contract::Effect => Setting::C,
            Mode::Rust if self.plan.draw == Draw::Host => {
                if switch::is_within(self.host, stage.percent()) {
                    Setting::RUST
                } else {
                    Setting::C
                }
            }
            _ => stage,
        }
    }

    fn advance(&mut self) -> bool {
        let Some(step) = self.current() else { return false };
        if self.stage + 1 < step.stages.len() {
            self.stage += 1;
        } else if self.step + 1 < self.plan.steps.len() {
            (self.step, self.stage) = (self.step + 1, 0);
        } else {
            return false;
        }
        self.entered = None;
        true
    }

    /// The first gate that does not hold, and whose fault that is.
    fn broken(
        &self,
        step: &Step,
        swaps: &[&'static Swap],
        entered: &Entered,
        process: &ProcessSeen,
    ) -> Option<(Vec<&'static Swap>, String)> {
        let gates = &step.gates;
        let slow = || {
            let ratio = gates.p99_ratio?;
            let mut pairs = swaps.iter().zip(&entered.counters);
            pairs.find_map(|(swap, before)| Some((vec![*swap], slow(swap, before, ratio)?)))
        };
        slow().or_else(|| Some((swaps.to_vec(), self.strained(gates, entered, process)?)))
    }

    /// A gate of the whole process that does not hold.
    fn strained(&self, gates: &Gates, entered: &Entered, process: &ProcessSeen) -> Option<String> {
        let before = &entered.process;
        let (frames, drops) =
            (process.frames.saturating_sub(before.frames), process.drops.saturating_sub(before.drops));
        let all = frames.saturating_add(drops);
        if let Some(max) = gates.error_rate
            && all >= ERROR_FRAMES_MIN
            && drops as f64 > max * all as f64
        {
            return Some(format!("{drops} of {all} frames were dropped; error_rate is {max}"));
        }
        let own = self.own_reconnects.saturating_sub(entered.own_reconnects);
        let reconnects = process.reconnects.saturating_sub(before.reconnects).saturating_sub(own);
        if let Some(max) = gates.reconnects.filter(|max| reconnects > *max) {
            return Some(format!("{reconnects} reconnects; the gate is {max}"));
        }
        let grown_mb = process.resident_bytes.saturating_sub(before.resident_bytes) / 1_000_000;
        if let Some(max) = gates.growth_mb.filter(|max| grown_mb > *max) {
            return Some(format!("the process has grown by {grown_mb} MB; growth_mb is {max}"));
        }
        let (ratio, c) = gates.cpu_per_gb_ratio.zip(self.c_cpu_per_gb)?;
        let here = cpu_per_gb(before, process).filter(|here| *here > ratio * c)?;
        let is_rust = self.stage().is_some_and(|stage| stage.mode() == Mode::Rust);
        is_rust.then(|| format!("{here:.2} CPU seconds per GB, {c:.2} on C; cpu_per_gb_ratio is {ratio}"))
    }

    /// What the stage still needs before it may be left.
    fn waits_for(&self, now: Instant, process: &ProcessSeen) -> Option<String> {
        let (step, stage, entered) = (self.current()?, self.stage()?, self.entered.as_ref()?);
        let left = step.min_time.saturating_sub(now.saturating_duration_since(entered.at));
        if !left.is_zero() {
            let seconds = Duration::from_secs(left.as_secs_f64().ceil() as u64);
            return Some(humantime::format_duration(seconds).to_string());
        }
        let swaps = self.in_motion();
        for (swap, before) in swaps.iter().zip(&entered.counters) {
            let (name, calls) =
                (swap.info().name, calls_in(self.setting_for(swap, stage), stage, before, &swap.counters()));
            if calls < step.min_calls {
                return Some(format!("{name}: {calls} of {} calls", step.min_calls));
            }
            let on_rust = self.setting_for(swap, stage) == Setting::RUST;
            if step.gates.p99_ratio.is_some() && on_rust && !is_timed(swap, before) {
                return Some(format!("{name}: a timed call on each side"));
            }
        }
        let bytes = process.bytes.saturating_sub(entered.process.bytes);
        let measured = stage.mode() != Mode::Shadow && step.gates.cpu_per_gb_ratio.is_some();
        (measured && bytes < CPU_BYTES_MIN)
            .then(|| format!("{} of {} MB", bytes / 1_000_000, CPU_BYTES_MIN / 1_000_000))
    }

    pub(crate) fn shown(&self, now: Instant, process: &ProcessSeen) -> Shown<'_> {
        let state = match (&self.stopped, self.done) {
            (Some(_), _) => "stopped",
            (None, true) => "done",
            (None, false) => "running",
        };
        let waits = || Some(format!("waits for {}", self.waits_for(now, process)?));
        Shown {
            name: &self.plan.name,
            step: self.step + 1,
            steps: self.plan.steps.len(),
            stage: self.stage().map(|stage| stage.to_string()).unwrap_or_default(),
            seconds: self.entered.as_ref().map_or(0, |entered| now.saturating_duration_since(entered.at).as_secs()),
            state,
            why: self.stopped.clone().or_else(|| waits().filter(|_| !self.done)),
        }
    }
}

/// Why a swap's calls on Rust count as slow: so many more of them lie above the bound than one in a hundred that it
/// cannot be chance (four standard deviations, and never on fewer than six calls).
fn slow(swap: &Swap, before: &Counters, ratio: f64) -> Option<String> {
    let times = swap.counters().times;
    let c_ns = times.c.percentile_ns(99)?;
    let bound = ((c_ns as f64 * ratio) as u64).max(SLOW_NS_MIN);
    let rust = times.rust.since(&before.times.rust);
    let (samples, above) = (rust.samples() as f64, rust.at_least(bound) as f64);
    let expected = samples / 100.0;
    (above > 5.0 + expected + 4.0 * expected.sqrt()).then(|| {
        format!(
            "{}: {above} of {samples} timed calls took {bound} ns or longer; p99 on C is {c_ns} ns",
            swap.info().name
        )
    })
}

fn is_timed(swap: &Swap, before: &Counters) -> bool {
    let times = swap.counters().times;
    times.c.samples() > 0 && times.rust.since(&before.times.rust).samples() > 0
}

/// The calls that count for a stage: those on its side, or all where the draw decides about each session or host.
fn calls_in(setting: Setting, stage: Setting, before: &Counters, after: &Counters) -> u64 {
    let c = after.calls_c.saturating_sub(before.calls_c);
    let rust = after.calls_rust.saturating_sub(before.calls_rust);
    let shadow = after.calls_shadow.saturating_sub(before.calls_shadow);
    match setting.mode() {
        Mode::Shadow => shadow,
        Mode::Rust if stage.percent() == 100 => rust,
        _ => c.saturating_add(rust).saturating_add(shadow),
    }
}

fn cpu_per_gb(before: &ProcessSeen, after: &ProcessSeen) -> Option<f64> {
    let bytes = after.bytes.saturating_sub(before.bytes);
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
    (bytes >= CPU_BYTES_MIN).then(|| cpu / (bytes as f64 / 1e9))
}

/// What a host is drawn by in a plan: another plan draws others.
fn host_draw(host_id: &str, plan: &str) -> u64 {
    stable_hash(&[host_id, "\n", plan])
}

/// FNV-1a: the same on every machine and in every build, as a draw must be.
pub(crate) fn stable_hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thousand hosts: each share is about what it says, and two plans draw independently. The ids are fixed, so the draws
    /// are the same each time; the bounds are some four standard deviations.
    #[test]
    fn a_thousand_hosts_are_drawn_by_their_id_and_by_the_plan() {
        let drawn = |plan: &str, percent| {
            let is_in = |host: &u32| switch::is_within(host_draw(&format!("host-{host}"), plan), percent);
            (0..1000).filter(is_in).collect::<std::collections::BTreeSet<u32>>()
        };
        for plan in ["framing", "other"] {
            for (percent, bounds) in [(0, 0..1), (1, 1..24), (10, 60..140), (50, 430..570), (100, 1000..1001)] {
                let share = drawn(plan, percent);
                assert!(bounds.contains(&share.len()), "{plan}, {percent} %: {}", share.len());
                assert!(share.is_subset(&drawn(plan, percent.saturating_add(5))), "{plan}, {percent} %");
            }
        }
        let both = drawn("framing", 50).intersection(&drawn("other", 50)).count();
        assert!((190..310).contains(&both), "{both}");
    }
}
