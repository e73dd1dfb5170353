//! Everything that is done to modes at run time goes through here: what the looks find, what a plan decides, the kill
//! switch; and how it is kept and audited. Modes are set first and written down after: a slow disk never holds up a
//! rollback. What people ask for is in `acts.rs`, what a plan decides in `progress.rs`, what a start restores in
//! `start.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use switch::{Mode, Setting, Source, Swap, Switchboard, Watch};

use crate::audit::{Audit, Entry, Who};
use crate::plan::Breach;
use crate::progress::{Decision, ProcessSeen, Progress};
use crate::state::{Kept, KeptPlan, State};

/// How long one call of a pure or cloned swap may run before it counts as hanging. The next look finds it, so that it
/// is off within a second.
const CALL_TIME_MAX: Duration = Duration::from_millis(700);

/// Swaps that share a representation or a contract: a plan moves them together, and takes them back together.
#[derive(Clone, Copy, Debug)]
pub struct Bond {
    /// Their names.
    pub swaps: &'static [&'static str],
    /// What they share.
    pub reason: &'static str,
}

/// What the registry says beside its lines.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// What belongs together.
    pub bonds: &'static [Bond],
    /// Whether a swap's side, as things are, is chosen once per session, so that a change takes effect with the next one.
    pub is_per_session: fn(&str) -> bool,
}

/// Where the files of an instance are, and what they are marked with.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The state directory, which is there.
    pub path: PathBuf,
    /// The instance's name.
    pub instance: String,
    /// Files whose presence means that everything is to run on C.
    pub stop_files: Vec<PathBuf>,
    /// The build, for the audit log and for what is true of one build only.
    pub build_id: String,
    /// The boot of the machine: tells a power cut from a crash.
    pub boot_id: String,
    /// The machine, the same for as long as it lives: a fleet's draws are made with it.
    pub host_id: String,
}

impl Folder {
    pub(crate) fn file(&self, extension: &str) -> PathBuf {
        self.path.join(format!("{}.{extension}", self.instance))
    }

    /// The audit log.
    pub fn audit(&self) -> PathBuf {
        self.file("audit.jsonl")
    }

    /// Where [`switch::record_crashes`] is to write.
    pub fn crash(&self) -> PathBuf {
        self.file("crash")
    }
}

/// What a look or an act leaves to its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followup {
    /// The session is to be made again, cleanly: the change takes effect with the next one.
    Reconnect(String),
    /// The process is to be replaced: a thread hangs in a call that will not return.
    Restart(String),
}

/// The one through whom all changes go.
#[derive(Debug)]
pub struct Operator {
    pub(crate) board: Switchboard,
    pub(crate) site: Site,
    pub(crate) folder: Folder,
    pub(crate) state: State,
    pub(crate) audit: Audit,
    pub(crate) progress: Option<Progress>,
    watch: Watch,
    pub(crate) process: ProcessSeen,
    followups: Vec<Followup>,
    /// Grows with every change, so that of two people who act on the same view the second is told.
    pub(crate) generation: u64,
    /// The stop file was there at the last look.
    pub(crate) is_stopped: bool,
    /// The state is to be written.
    pub(crate) is_dirty: bool,
}

impl Operator {
    pub(crate) fn new(board: Switchboard, site: Site, folder: Folder, state: State) -> Operator {
        Operator {
            audit: Audit { path: folder.audit() },
            board,
            site,
            folder,
            state,
            progress: None,
            watch: Watch::default(),
            process: ProcessSeen::default(),
            followups: Vec::new(),
            generation: 1,
            is_stopped: false,
            is_dirty: true,
        }
    }

    /// Looks at everything: the stop files, calls that hang, demotions, the plan. To be called some times a second;
    /// returns what is left to the caller.
    pub fn look(&mut self, now: Instant, process: ProcessSeen) -> Vec<Followup> {
        self.process = process;
        self.look_for_stop_file();
        let stuck = self.watch.look(&self.board, now, CALL_TIME_MAX);
        for stuck in stuck {
            if stuck.swap.status().demoted.is_none() {
                let name = stuck.swap.info().name;
                stuck.swap.demote(&format!("a call has not come back for {:.1} s", stuck.since.as_secs_f64()));
                self.followups.push(Followup::Restart(format!("a call of {name} hangs")));
            }
        }
        self.look_for_demotions();
        let decision = self.progress.as_mut().and_then(|progress| progress.look(now, &process));
        if let Some(decision) = decision {
            self.carry_out(decision);
        }
        self.board.entries().for_each(|entry| entry.swap.sample_next());
        self.write();
        std::mem::take(&mut self.followups)
    }

    fn look_for_stop_file(&mut self) {
        let found = self.folder.stop_files.iter().find(|path| path.exists()).cloned();
        if let Some(path) = &found
            && !self.is_stopped
        {
            self.stop_all(Who::File, &format!("{} is there", path.display()));
        }
        self.is_stopped = found.is_some();
    }

    fn look_for_demotions(&mut self) {
        let board = self.board;
        for swap in board.entries().map(|entry| entry.swap) {
            let name = swap.info().name;
            let Some(why) = swap.status().demoted.filter(|_| !self.state.demotions.contains_key(name)) else {
                continue;
            };
            self.note(Who::Switch, "demoted", Some(name), Some(Setting::C), &why);
            self.state.demotions.insert(name.to_owned(), why.clone());
            self.keep(name, Setting::C, &why);
            self.next_session(swap, &why);
        }
    }

    fn carry_out(&mut self, decision: Decision) {
        match decision {
            Decision::Enter { settings, why } => {
                self.note(Who::Plan, "stage", None, None, &why);
                for (swap, setting) in settings {
                    self.change(swap, setting, Who::Plan, "stage", &why);
                }
                self.keep_plan();
            }
            Decision::Breach { culprits, scope, why } => self.breach(&culprits, scope, &why),
            Decision::Done => {
                let name = self.progress.as_ref().map(|progress| progress.plan.name.clone()).unwrap_or_default();
                self.note(Who::Plan, "done", None, None, &format!("plan \"{name}\" has come to its end"));
                self.keep_plan();
            }
        }
    }

    /// Demotes the culprits and takes back what the scope adds to them.
    pub(crate) fn breach(&mut self, culprits: &[&'static Swap], scope: Breach, why: &str) {
        for swap in culprits {
            swap.demote(why);
        }
        let is_culprit = |swap: &Swap| culprits.iter().any(|culprit| culprit.info().name == swap.info().name);
        let same_group = |swap: &Swap| culprits.iter().any(|culprit| culprit.info().group == swap.info().group);
        let bonds = self.site.bonds;
        let bound = |swap: &Swap| {
            let with = |bond: &Bond, name: &str| bond.swaps.contains(&name);
            bonds.iter().any(|bond| {
                with(bond, swap.info().name) && culprits.iter().any(|culprit| with(bond, culprit.info().name))
            })
        };
        let board = self.board;
        for swap in board.entries().map(|entry| entry.swap).filter(|swap| !is_culprit(swap)) {
            let taken = match scope {
                Breach::All => true,
                Breach::Group => same_group(swap) || bound(swap),
                Breach::Swap => bound(swap),
            };
            if taken && swap.setting().mode() != Mode::C {
                self.change(swap, Setting::C, Who::Plan, "rollback", why);
                self.take_out(swap, why);
            }
        }
        for swap in culprits {
            self.take_out(swap, why);
        }
        if scope == Breach::All
            && let Some(progress) = &mut self.progress
        {
            progress.stop(why);
        }
        self.look_for_demotions();
        self.keep_plan();
    }

    /// The data loop stands still: whatever is in motion, or else all that is on Rust, is taken back, and the process is
    /// to be replaced.
    pub fn stalled(&mut self, why: &str) {
        match self.progress.as_ref().map(Progress::in_motion).filter(|swaps| !swaps.is_empty()) {
            Some(culprits) => {
                let culprits: Vec<_> = culprits.into_iter().filter(|swap| swap.setting().mode() != Mode::C).collect();
                self.breach(&culprits, Breach::Group, why);
            }
            None => self.stop_all(Who::Switch, why),
        }
        self.followups.push(Followup::Restart(why.to_owned()));
        self.write();
    }

    /// The kill switch: everything on C at once, and the plan stopped.
    pub fn stop_all(&mut self, who: Who, why: &str) {
        let swaps: Vec<&'static Swap> = self.board.entries().map(|entry| entry.swap).collect();
        let before: Vec<Setting> = swaps.iter().map(|swap| swap.setting()).collect();
        for swap in &swaps {
            let _ = swap.set(Setting::C, Source::Api);
        }
        self.note(who, "stop", None, Some(Setting::C), why);
        tracing::warn!(why, "everything runs on c");
        for (swap, before) in swaps.into_iter().zip(before) {
            self.keep(swap.info().name, Setting::C, why);
            if before != Setting::C {
                self.next_session(swap, why);
            }
        }
        if let Some(progress) = &mut self.progress {
            progress.stop(why);
        }
        self.keep_plan();
        self.write();
    }

    /// Whether a plan is on its way, so that looks should be frequent.
    pub fn is_moving(&self) -> bool {
        self.progress.as_ref().is_some_and(Progress::is_running)
    }

    /// Grows with every change.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Writes that the process ended as it was asked to.
    pub fn close(&mut self) {
        self.state.ended = true;
        self.is_dirty = true;
        self.write();
        self.note(Who::Start, "end", None, None, "the client was asked to end");
    }

    /// Sets a mode that the plan or a breach decided.
    fn change(&mut self, swap: &'static Swap, setting: Setting, who: Who, what: &'static str, why: &str) {
        let before = swap.setting();
        if before == setting && swap.status().source == Source::Api {
            return;
        }
        match swap.set(setting, Source::Api) {
            Ok(()) => {
                self.changed(swap, setting, who, what, why);
                if before != setting {
                    self.next_session(swap, why);
                }
            }
            Err(refusal) => {
                tracing::warn!(swap = swap.info().name, %refusal, "the plan leaves this swap out");
                self.take_out(swap, &refusal.to_string());
            }
        }
    }

    /// Writes down that a mode was set.
    pub(crate) fn changed(&mut self, swap: &'static Swap, setting: Setting, who: Who, what: &'static str, why: &str) {
        self.note(who, what, Some(swap.info().name), Some(setting), why);
        self.keep(swap.info().name, setting, why);
    }

    /// Asks for a new session if the swap's side is chosen with one.
    pub(crate) fn next_session(&mut self, swap: &Swap, why: &str) {
        let name = swap.info().name;
        let asked = self.followups.iter().any(|followup| matches!(followup, Followup::Reconnect(_)));
        if !asked && (self.site.is_per_session)(name) {
            self.followups.push(Followup::Reconnect(format!("{name}: {why}")));
            if let Some(progress) = &mut self.progress {
                progress.count_reconnect();
            }
        }
    }

    pub(crate) fn take_out(&mut self, swap: &'static Swap, why: &str) {
        let name = swap.info().name;
        if let Some(progress) = self.progress.as_mut().filter(|progress| progress.manages(name)) {
            progress.take_out(name, &format!("{name}: {why}"));
        }
        self.keep_plan();
    }

    pub(crate) fn keep(&mut self, name: &str, setting: Setting, why: &str) {
        self.state.modes.insert(name.to_owned(), Kept { mode: setting.to_string(), why: why.to_owned() });
        self.generation += 1;
        self.is_dirty = true;
    }

    pub(crate) fn keep_plan(&mut self) {
        if let (Some(progress), Some(kept)) = (&self.progress, &mut self.state.plan) {
            let stopped = progress.stopped.clone();
            *kept = KeptPlan {
                text: std::mem::take(&mut kept.text),
                step: progress.step,
                stage: progress.stage,
                stopped,
                c_cpu_per_gb: progress.c_cpu_per_gb,
            };
            self.is_dirty = true;
        }
    }

    pub(crate) fn note(&self, who: Who, what: &'static str, swap: Option<&str>, to: Option<Setting>, why: &str) {
        self.audit.note(&self.folder.build_id, &Entry { who, what, swap, to: to.map(|to| to.to_string()), why });
    }

    /// Writes the state if it has changed. What cannot be written is said once per change, and costs only the memory.
    pub(crate) fn write(&mut self) {
        if !std::mem::take(&mut self.is_dirty) {
            return;
        }
        let path: &Path = &self.folder.file("state");
        if let Err(error) = self.state.write(path) {
            tracing::error!(path = %path.display(), %error, "cannot keep the modes over a restart");
        }
    }

    /// Forgets what a start would ask of a session that there is not yet.
    pub(crate) fn forget_followups(&mut self) {
        self.followups.clear();
    }

    /// Demotions by swap, as kept.
    pub(crate) fn demotions(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.state.demotions
    }
}
