//! What people ask for: set, plan, promote, rollback. Each is audited with who asked.

use std::time::Instant;

use serde_json::{Value, json};
use switch::{Mode, ModeSpec, Setting, Source, Swap};

use crate::audit::Who;
use crate::operator::Operator;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::state::KeptPlan;

impl Operator {
    /// Sets modes as a person's act. What is chosen per session changes with the next one, which `reconnect` asks for.
    ///
    /// # Errors
    /// What is wrong with `modes`, the stop file is there, or not a single swap took its mode. The answer's `refused` has
    /// what some of them refused.
    pub fn set(&mut self, modes: &str, reconnect: bool, who: Who) -> Result<Value, String> {
        let spec = ModeSpec::parse(modes).map_err(|error| error.to_string())?;
        self.check_not_stopped(&spec)?;
        self.board.check(&spec).map_err(|error| error.to_string())?;
        let mut refused = Vec::new();
        let mut count = 0;
        let board = self.board;
        for swap in board.entries().map(|entry| entry.swap) {
            let Some(entry) = spec.entry_for(swap.info()) else { continue };
            let before = swap.setting();
            match swap.set(entry.setting(), Source::Api) {
                Ok(()) => {
                    count += 1;
                    self.changed(swap, entry.setting(), who, "set", modes);
                    if reconnect && before != entry.setting() {
                        self.next_session(swap, modes);
                    }
                    self.take_out(swap, "a person set its mode");
                }
                Err(refusal) => refused.push(refusal.to_string()),
            }
        }
        if count == 0 && !refused.is_empty() {
            return Err(refused.join("; "));
        }
        self.write();
        let mut table = self.table(Instant::now());
        table["refused"] = json!(refused);
        Ok(table)
    }

    fn check_not_stopped(&self, spec: &ModeSpec) -> Result<(), String> {
        let file = self.folder.stop_files.iter().find(|path| path.exists());
        match file.filter(|_| spec.entries().iter().any(|entry| entry.setting().mode() != Mode::C)) {
            Some(file) => Err(format!("{} keeps everything on C; remove it first", file.display())),
            None => Ok(()),
        }
    }

    /// Begins a plan, in place of one that there was. With `check_only` it is only read.
    ///
    /// # Errors
    /// `LINE:COLUMN: ` and what is wrong with it, or a stop file.
    pub fn plan(&mut self, text: &str, check_only: bool, who: Who) -> Result<Value, String> {
        let plan = Plan::parse(text, &self.board, self.site.bonds).map_err(|error| error.to_string())?;
        let name = plan.name.clone();
        let steps: Vec<Value> = plan
            .steps
            .iter()
            .map(|step| {
                json!({
                    "swaps": step.swaps.iter().map(|swap| swap.info().name).collect::<Vec<_>>(),
                    "stages": step.stages,
                })
            })
            .collect();
        if !check_only {
            self.check_not_stopped(&ModeSpec::parse("*=rust").map_err(|error| error.to_string())?)?;
            let demoted = plan
                .steps
                .iter()
                .flat_map(|step| &step.swaps)
                .find_map(|swap| Some(format!("{} was demoted ({})", swap.info().name, swap.status().demoted?)));
            if let Some(demoted) = demoted {
                return Err(format!("{demoted}; promote it first, or leave it out"));
            }
            self.progress = Some(Progress::new(plan, &self.folder.host_id));
            self.state.plan =
                Some(KeptPlan { text: text.to_owned(), step: 0, stage: 0, stopped: None, c_cpu_per_gb: None });
            self.note(who, "plan", None, None, &format!("plan \"{name}\""));
            self.is_dirty = true;
            self.write();
        }
        Ok(json!({"schema_version": 1, "name": name, "steps": steps, "started": !check_only}))
    }

    /// Promotes: demoted swaps that `pattern` names may be used again; else the plan goes on to its next stage now.
    ///
    /// # Errors
    /// There is nothing to promote, or the pattern names nothing.
    pub fn promote(&mut self, pattern: Option<&str>, who: Who) -> Result<Value, String> {
        let named = self.board.matching(pattern.unwrap_or("*"))?;
        let promoted: Vec<&'static Swap> = match pattern {
            Some(_) => named.iter().copied().filter(|swap| swap.promote().is_some()).collect(),
            None => Vec::new(),
        };
        for swap in &promoted {
            let name = swap.info().name;
            let was = self.state.demotions.remove(name).unwrap_or_default();
            self.note(who, "promoted", Some(name), Some(Setting::C), &format!("it had been demoted: {was}"));
            self.keep(name, Setting::C, "promoted after a demotion; not yet set");
            if let Some(progress) = &mut self.progress {
                progress.rejoin(name);
            }
        }
        if promoted.is_empty() {
            let moves = |progress: &&mut Progress| {
                let moving = progress.in_motion();
                moving.iter().any(|swap| named.iter().any(|named| named.info().name == swap.info().name))
            };
            let Some(progress) = self.progress.as_mut().filter(moves) else {
                return Err("nothing to promote: none of these is demoted, and no plan that runs moves them".to_owned());
            };
            if !progress.skip_ahead() {
                return Err("the plan is in its last stage".to_owned());
            }
            self.note(who, "promoted", None, None, "the plan goes on to its next stage");
        }
        self.keep_plan();
        self.write();
        Ok(self.table(Instant::now()))
    }

    /// Takes swaps back to C: those that `pattern` names, or without one those of the plan. The plan leaves them alone
    /// from then on.
    ///
    /// # Errors
    /// The pattern names nothing, or there is neither a pattern nor a plan.
    pub fn rollback(&mut self, pattern: Option<&str>, who: Who) -> Result<Value, String> {
        let swaps = match (pattern, &self.progress) {
            (Some(pattern), _) => self.board.matching(pattern)?,
            (None, Some(progress)) => {
                let managed = |swap: &&'static Swap| progress.manages(swap.info().name);
                self.board.entries().map(|entry| entry.swap).filter(managed).collect()
            }
            (None, None) => return Err("there is no plan to roll back; name a swap, or say --all".to_owned()),
        };
        // First what matters: the modes.
        let changed: Vec<&'static Swap> =
            swaps.iter().copied().filter(|swap| swap.setting() != Setting::C || pattern.is_some()).collect();
        let before: Vec<Setting> = changed.iter().map(|swap| swap.setting()).collect();
        for swap in &changed {
            // C is refused by nobody.
            let _ = swap.set(Setting::C, Source::Api);
        }
        for (swap, before) in changed.into_iter().zip(before) {
            self.changed(swap, Setting::C, who, "rollback", "a person rolled it back");
            if before != Setting::C {
                self.next_session(swap, "a person rolled it back");
            }
            self.take_out(swap, "a person rolled it back");
        }
        if pattern.is_none()
            && let Some(progress) = &mut self.progress
        {
            progress.stop("a person rolled it back");
        }
        self.keep_plan();
        self.write();
        Ok(self.table(Instant::now()))
    }
}
