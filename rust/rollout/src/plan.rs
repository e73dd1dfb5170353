//! The TOML form of a rollout: steps one after the other, each with its swaps, its stages, how long a stage lasts at
//! least, what must hold meanwhile, and what is taken back when it does not. Every mistake has its line and column.
//! What a plan does is in `progress.rs`.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use switch::{Contract, Mode, ModeSpec, Setting, Swap, Switchboard};
use toml::Spanned;

use crate::operator::Bond;

/// The longest plan; a longer one is some other file.
pub const PLAN_BYTES_MAX: usize = 48 * 1024;

/// The stages of a step that names none.
const STAGES: [&str; 6] = ["shadow@1%", "shadow", "rust@1%", "rust@10%", "rust@50%", "rust"];

/// A rollout that was read and fits the swaps of the build.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is called in tables and in the audit log; hosts are drawn with it.
    pub name: String,
    /// What a percentage of `rust` is drawn by.
    pub draw: Draw,
    /// The steps, one after the other.
    pub steps: Vec<Step>,
}

/// What a percentage of `rust` is a share of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Draw {
    /// This client's sessions.
    #[default]
    Session,
    /// The hosts of a fleet that all run this plan: a host runs a stage on Rust whole, or not at all.
    Host,
}

/// Swaps that move together.
#[derive(Clone, Debug)]
pub struct Step {
    /// The swaps, in the registry's order.
    pub swaps: Vec<&'static Swap>,
    /// The stages, in order; at least one.
    pub stages: Vec<Stage>,
    /// How many calls each swap must have served in a stage.
    pub min_calls: u64,
    /// How long a stage lasts at least.
    pub min_time: Duration,
    /// What must hold.
    pub gates: Gates,
    /// What is taken back when it does not.
    pub on_breach: Breach,
}

/// One stage, as a setting.
pub type Stage = Setting;

/// What must hold in every stage of a step. Mismatches and panics are always 0: the switch itself sees to that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gates {
    /// Dropped frames per frame carried, at most.
    pub error_rate: Option<f64>,
    /// The 99th percentile of a call on Rust, in that of a call on C, at most.
    pub p99_ratio: Option<f64>,
    /// CPU seconds per GB of the whole client, in that of the step's stage `c`, at most.
    pub cpu_per_gb_ratio: Option<f64>,
    /// Sessions made again in a stage, at most.
    pub reconnects: Option<u64>,
    /// How much the process may have grown since the stage began, in MB.
    pub growth_mb: Option<u64>,
}

/// What is taken back on a breach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Breach {
    /// The swap, with those it is bound to.
    #[default]
    Swap,
    /// Its group.
    Group,
    /// Everything.
    All,
}

/// What is wrong with a plan, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PlanError {
    /// Line, from 1.
    pub line: usize,
    /// Column, in characters from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.problem)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlan {
    name: Spanned<String>,
    #[serde(default)]
    draw: Draw,
    #[serde(default)]
    step: Vec<Spanned<RawStep>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    swaps: Spanned<Vec<Spanned<String>>>,
    stages: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    min_calls: u64,
    min_time: Spanned<String>,
    #[serde(default)]
    gates: RawGates,
    #[serde(default)]
    on_breach: Breach,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGates {
    mismatches: Option<Spanned<u64>>,
    panics: Option<Spanned<u64>>,
    error_rate: Option<Spanned<f64>>,
    p99_ratio: Option<Spanned<f64>>,
    cpu_per_gb_ratio: Option<Spanned<f64>>,
    reconnects: Option<u64>,
    growth_mb: Option<u64>,
}

impl Plan {
    /// Reads a plan for the swaps of `board`.
    ///
    /// # Errors
    /// The first mistake, with its place: TOML that does not parse, keys that there are not, swaps that there are not or
    /// that stand twice, stages that go back, percentages above 100, gates that cannot hold, and swaps that are torn from
    /// those they are bound to.
    pub fn parse(text: &str, board: &Switchboard, bonds: &[Bond]) -> Result<Plan, PlanError> {
        if text.len() > PLAN_BYTES_MAX {
            return Err(error_at(text, 0, format!("a plan has at most {PLAN_BYTES_MAX} bytes")));
        }
        let raw: RawPlan = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            error_at(text, at, error.message().trim().replace('\n', "; "))
        })?;
        let reader = Reader { text, board };
        if raw.name.get_ref().trim().is_empty() || raw.name.get_ref().chars().any(char::is_control) {
            return Err(reader.error(&raw.name.span(), "a plan needs a name of one line".to_owned()));
        }
        if raw.step.is_empty() {
            return Err(error_at(text, 0, "the plan has no [[step]]".to_owned()));
        }
        let mut steps = Vec::new();
        for step in &raw.step {
            steps.push(reader.step(step)?);
        }
        let plan = Plan { name: raw.name.into_inner(), draw: raw.draw, steps };
        reader.check_twice(&plan, &raw.step)?;
        reader.check_bonds(&plan, &raw.step, bonds)?;
        Ok(plan)
    }
}

/// A plan's text and what it is held against.
struct Reader<'a> {
    text: &'a str,
    board: &'a Switchboard,
}

impl Reader<'_> {
    fn error(&self, span: &Range<usize>, problem: String) -> PlanError {
        error_at(self.text, span.start, problem)
    }

    fn step(&self, raw: &Spanned<RawStep>) -> Result<Step, PlanError> {
        let (span, raw) = (raw.span(), raw.get_ref());
        let swaps = self.swaps(&raw.swaps)?;
        let stages = match &raw.stages {
            Some(stages) => self.stages(stages, &swaps)?,
            None => self.default_stages(&span, &swaps)?,
        };
        let min_time = humantime::parse_duration(raw.min_time.get_ref()).map_err(|error| {
            self.error(&raw.min_time.span(), format!("{error}; write a time such as \"10m\" or \"1h 30m\""))
        })?;
        let gates = self.gates(&raw.gates, &stages)?;
        Ok(Step { swaps, stages, min_calls: raw.min_calls, min_time, gates, on_breach: raw.on_breach })
    }

    fn swaps(&self, raw: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<&'static Swap>, PlanError> {
        let mut named = Vec::new();
        for pattern in raw.get_ref() {
            let found = self.board.matching(pattern.get_ref());
            named.extend(found.map_err(|problem| self.error(&pattern.span(), problem))?);
        }
        if named.is_empty() {
            return Err(self.error(&raw.span(), "a step needs at least one swap".to_owned()));
        }
        let names: Vec<&str> = named.iter().map(|swap| swap.info().name).collect();
        let all = self.board.entries().map(|entry| entry.swap);
        Ok(all.filter(|swap| names.contains(&swap.info().name)).collect())
    }

    fn default_stages(&self, span: &Range<usize>, swaps: &[&Swap]) -> Result<Vec<Stage>, PlanError> {
        let effects_only = swaps.iter().all(|swap| swap.info().contract == Contract::Effect);
        let words = STAGES.iter().filter(|word| !(effects_only && word.starts_with("shadow")));
        words.map(|word| stage(word).map_err(|problem| self.error(span, problem))).collect()
    }

    fn stages(&self, raw: &Spanned<Vec<Spanned<String>>>, swaps: &[&Swap]) -> Result<Vec<Stage>, PlanError> {
        let mut stages: Vec<Stage> = Vec::new();
        for word in raw.get_ref() {
            let wrong = |problem: String| self.error(&word.span(), problem);
            let next = stage(word.get_ref()).map_err(wrong)?;
            if next.mode() == Mode::Shadow && swaps.iter().all(|swap| swap.info().contract == Contract::Effect) {
                let name = swaps.first().map_or("", |swap| swap.info().name);
                return Err(wrong(format!("{name} is an effect, which cannot be shadowed; leave this stage out")));
            }
            if let Some(last) = stages.last()
                && rank(next) <= rank(*last)
            {
                return Err(wrong(format!("{next} does not go beyond the stage before, {last}")));
            }
            stages.push(next);
        }
        if stages.is_empty() {
            return Err(self.error(&raw.span(), "a step needs at least one stage".to_owned()));
        }
        Ok(stages)
    }

    fn gates(&self, raw: &RawGates, stages: &[Stage]) -> Result<Gates, PlanError> {
        for (name, gate) in [("mismatches", &raw.mismatches), ("panics", &raw.panics)] {
            if let Some(gate) = gate.as_ref().filter(|gate| *gate.get_ref() != 0) {
                let problem =
                    format!("{name} can only be 0: the first one takes the function back to C, plan or no plan");
                return Err(self.error(&gate.span(), problem));
            }
        }
        let bounded = |name: &str, gate: &Option<Spanned<f64>>, range: Range<f64>| match gate {
            Some(gate) if !range.contains(gate.get_ref()) => {
                let problem = format!("{name} must be from {} to below {}", range.start, range.end);
                Err(self.error(&gate.span(), problem))
            }
            gate => Ok(gate.as_ref().map(|gate| *gate.get_ref())),
        };
        if let Some(gate) = &raw.cpu_per_gb_ratio
            && stages.first().map(|stage| stage.mode()) != Some(Mode::C)
        {
            let problem = "cpu_per_gb_ratio is measured against C: begin this step's stages with \"c\"".to_owned();
            return Err(self.error(&gate.span(), problem));
        }
        Ok(Gates {
            error_rate: bounded("error_rate", &raw.error_rate, 0.0..1.0)?,
            p99_ratio: bounded("p99_ratio", &raw.p99_ratio, 1.0..1000.0)?,
            cpu_per_gb_ratio: bounded("cpu_per_gb_ratio", &raw.cpu_per_gb_ratio, 0.1..100.0)?,
            reconnects: raw.reconnects,
            growth_mb: raw.growth_mb,
        })
    }

    fn check_twice(&self, plan: &Plan, raw: &[Spanned<RawStep>]) -> Result<(), PlanError> {
        let mut seen: Vec<&str> = Vec::new();
        for (step, raw) in plan.steps.iter().zip(raw) {
            for name in step.swaps.iter().map(|swap| swap.info().name) {
                if seen.contains(&name) {
                    let span = raw.get_ref().swaps.span();
                    return Err(self.error(&span, format!("{name} is in an earlier step already")));
                }
                seen.push(name);
            }
        }
        Ok(())
    }

    /// What is bound together is in one step, whole.
    fn check_bonds(&self, plan: &Plan, raw: &[Spanned<RawStep>], bonds: &[Bond]) -> Result<(), PlanError> {
        for (step, raw) in plan.steps.iter().zip(raw) {
            let has = |name: &str| step.swaps.iter().any(|swap| swap.info().name == name);
            for bond in bonds {
                let missing = bond.swaps.iter().find(|name| !has(name) && self.board.find(name).is_some());
                let (Some(here), Some(missing)) = (bond.swaps.iter().find(|name| has(name)), missing) else { continue };
                let problem =
                    format!("this step has {here} but not {missing}: {}; put both into one step", bond.reason);
                return Err(self.error(&raw.get_ref().swaps.span(), problem));
            }
        }
        Ok(())
    }
}

/// Reads one stage, by the grammar of modes.
fn stage(word: &str) -> Result<Stage, String> {
    let spec = ModeSpec::parse(&format!("a={word}")).map_err(|error| format!("\"{word}\": {}", error.problem))?;
    match spec.entries() {
        [entry] => Ok(entry.setting()),
        _ => Err(format!("\"{word}\" is not one stage; write a list of stages")),
    }
}

/// How far a stage has come.
fn rank(stage: Stage) -> (Mode, u8) {
    (stage.mode(), stage.percent())
}

fn error_at(text: &str, offset: usize, problem: String) -> PlanError {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).map_or(0, |line| line.chars().count()) + 1;
    PlanError { line: before.matches('\n').count() + 1, column, problem }
}
