//! What a start makes of the last run.
//!
//! | found | then |
//! | --- | --- |
//! | nothing | a first start |
//! | a damaged file | everything on C, a warning, and the file set aside |
//! | a demotion of this build | the swap stays on C |
//! | a demotion of another build | it has lapsed; the swap is on C until it is set |
//! | a crash inside a swap | that swap is demoted |
//! | a run that just ended, with a plan in motion, and no reboot | the swaps in motion are demoted |
//! | modes that people set | hold again, except where CUTOVER_SWAPS says `c` |
//! | a plan | goes on at its stage; for another build at the first stage of its step |

use std::fs;
use std::path::Path;

use switch::{Mode, ModeSpec, Setting, Source, Swap, Switchboard};

use crate::audit::Who;
use crate::operator::{Folder, Operator, Site};
use crate::plan::{Breach, Plan};
use crate::progress::Progress;
use crate::state::{Found, Kept, State};

/// How the last run ended, for the caller's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastRun {
    /// There was none.
    None,
    /// As it was asked to.
    Ended,
    /// Killed, crashed, or the power went.
    Cut,
    /// Its state cannot be trusted; why.
    Damaged(String),
}

/// How the last run of this instance ended.
pub fn last_run(folder: &Folder) -> LastRun {
    match State::read(&folder.file("state")) {
        Found::Nothing => LastRun::None,
        Found::State(state) if state.ended => LastRun::Ended,
        Found::State(_) => LastRun::Cut,
        Found::Damaged(why) => LastRun::Damaged(why),
    }
}

impl Operator {
    /// Takes up the instance where its last run left it. The swaps have their modes of build, configuration and
    /// environment already; `environment` is what `CUTOVER_SWAPS` says.
    pub fn start(board: Switchboard, site: Site, folder: Folder, environment: Option<&ModeSpec>) -> Operator {
        let path = folder.file("state");
        let found = State::read(&path);
        let crashed_in = crashes(&folder.crash());
        let state = State { build_id: folder.build_id.clone(), boot_id: folder.boot_id.clone(), ..State::default() };
        let mut operator = Operator::new(board, site, folder, state);
        match found {
            Found::Nothing => operator.note(Who::Start, "start", None, None, "the first start"),
            Found::Damaged(why) => operator.distrust(&path, &why),
            Found::State(last) => operator.resume(&last, &crashed_in, environment),
        }
        operator.forget_followups();
        operator.write();
        // Only now: had the power gone before, the crash would still be known.
        let _ = fs::remove_file(operator.folder.crash());
        operator
    }

    fn distrust(&mut self, path: &Path, why: &str) {
        let aside = path.with_extension("damaged");
        let why = format!("the state file {} is damaged: {why}; it is kept as {}", path.display(), aside.display());
        if let Err(error) = fs::rename(path, &aside) {
            tracing::warn!(path = %path.display(), %error, "cannot set the damaged state aside");
        }
        self.stop_all(Who::Start, &why);
    }

    fn resume(&mut self, last: &State, crashed_in: &[String], environment: Option<&ModeSpec>) {
        let same_build = last.build_id == self.folder.build_id;
        let how = match (last.ended, same_build) {
            (true, true) => "after a clean end",
            (true, false) => "after a clean end, with another build",
            (false, true) => "after a run that was cut off",
            (false, false) => "after a run that was cut off, with another build",
        };
        self.note(Who::Start, "start", None, None, how);
        self.resume_demotions(last, same_build);
        self.resume_modes(last, environment);
        self.resume_plan(last, same_build);
        let same_boot = last.boot_id == self.folder.boot_id;
        if same_build && !last.ended {
            self.blame(crashed_in, same_boot);
        }
    }

    fn resume_demotions(&mut self, last: &State, same_build: bool) {
        for (name, why) in &last.demotions {
            if !same_build {
                let why = format!("the demotion was of build {}: {why}", last.build_id);
                self.note(Who::Start, "lapsed", Some(name), None, &why);
            } else if let Some(swap) = self.board.find(name) {
                // Known already, so that it is not audited a second time.
                self.demotions().insert(name.clone(), why.clone());
                swap.demote(why);
            }
        }
    }

    fn resume_modes(&mut self, last: &State, environment: Option<&ModeSpec>) {
        let board = self.board;
        for swap in board.entries().map(|entry| entry.swap) {
            let Some(kept) = last.modes.get(swap.info().name) else { continue };
            let on_c =
                environment.and_then(|spec| spec.entry_for(swap.info())).is_some_and(|e| e.setting() == Setting::C);
            if on_c {
                let why = "CUTOVER_SWAPS says c".to_owned();
                self.state.modes.insert(swap.info().name.to_owned(), Kept { mode: "c".to_owned(), why });
                continue;
            }
            let setting = setting(&kept.mode);
            let refused = swap.set(setting, Source::Api).err();
            if let Some(refusal) = refused {
                tracing::debug!(%refusal, "a swap does not take its mode of the last run");
            }
            self.state.modes.insert(swap.info().name.to_owned(), kept.clone());
        }
    }

    fn resume_plan(&mut self, last: &State, same_build: bool) {
        let Some(kept) = &last.plan else { return };
        let plan = match Plan::parse(&kept.text, &self.board, self.site.bonds) {
            Ok(plan) => plan,
            Err(error) => {
                let why = format!("the plan no longer fits this build: {error}");
                tracing::warn!(why, "the rollout ends");
                return self.note(Who::Start, "stop", None, None, &why);
            }
        };
        let mut progress = Progress::new(plan, &self.folder.host_id);
        progress.resume(kept.step, if same_build { kept.stage } else { 0 });
        progress.stopped = kept.stopped.clone();
        progress.c_cpu_per_gb = kept.c_cpu_per_gb.filter(|_| same_build);
        for swap in self.board.entries().map(|entry| entry.swap) {
            let stage = progress.stage();
            if swap.status().demoted.is_some() || (stage.is_some() && self.is_held(swap)) {
                progress.take_out(swap.info().name, "it was taken out in the last run");
            }
        }
        self.progress = Some(progress);
        self.state.plan = last.plan.clone();
    }

    /// Whether the environment's `c` keeps a swap out of the plan.
    fn is_held(&self, swap: &Swap) -> bool {
        swap.status().source == Source::Environment && swap.setting().mode() == Mode::C
    }

    /// Draws the consequences of a run that was cut off.
    fn blame(&mut self, crashed_in: &[String], same_boot: bool) {
        let crashed: Vec<&'static Swap> = crashed_in.iter().filter_map(|name| self.board.find(name)).collect();
        if !crashed.is_empty() {
            let scope =
                self.progress.as_ref().and_then(|progress| progress.scope_of(crashed_in)).unwrap_or(Breach::Swap);
            return self.breach(&crashed, scope, "the process crashed inside it");
        }
        let in_motion = self.progress.as_ref().map(Progress::in_motion).unwrap_or_default();
        let culprits: Vec<_> = in_motion.into_iter().filter(|swap| swap.setting().mode() != Mode::C).collect();
        if same_boot && !culprits.is_empty() {
            let scope = self.progress.as_ref().and_then(Progress::scope).unwrap_or_default();
            self.breach(&culprits, scope, "the process was killed while this was being rolled out");
        }
    }
}

/// Reads a kept setting; what does not parse is C.
fn setting(text: &str) -> Setting {
    let spec = ModeSpec::parse(&format!("a={text}")).ok();
    spec.and_then(|spec| spec.entries().first().map(|entry| entry.setting())).unwrap_or(Setting::C)
}

/// The swaps that the file of crashes names.
fn crashes(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
