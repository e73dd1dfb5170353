//! What the operator shows: the table of all swaps, and one of them explained.

use std::time::Instant;

use serde_json::{Value, json};
use switch::{Contract, Source, Swap};

use crate::audit::history;
use crate::operator::Operator;
use crate::progress::Progress;

/// How many entries of the audit log `explain` shows.
const HISTORY_MAX: usize = 20;

impl Operator {
    /// All swaps with modes, counters and stages, and the plan.
    pub fn table(&self, now: Instant) -> Value {
        let mut table: Value = serde_json::from_str(&self.board.to_json()).unwrap_or_default();
        for swap in table["swaps"].as_array_mut().into_iter().flatten() {
            let name = swap["name"].as_str().unwrap_or_default().to_owned();
            swap["why"] = json!(self.why(&name));
            let stage = self.progress.as_ref().filter(|progress| progress.manages(&name)).and_then(Progress::stage);
            swap["stage"] = json!(stage);
        }
        table["plan"] = json!(self.progress.as_ref().map(|progress| progress.shown(now, &self.process)));
        table["generation"] = json!(self.generation);
        table["stopped"] = json!(self.is_stopped);
        table
    }

    /// One swap: what it is, why it is in its mode, and its history.
    ///
    /// # Errors
    /// No swap has this name.
    pub fn explain(&self, name: &str, now: Instant) -> Result<Value, String> {
        let named = self.board.matching(name)?;
        let [swap] = named[..] else {
            return Err(format!("\"{name}\" names {} swaps; name one", named.len()));
        };
        let name = swap.info().name;
        let table = self.table(now);
        let mut row = table["swaps"].as_array().into_iter().flatten().find(|row| row["name"] == name).cloned();
        let row = row.get_or_insert_default();
        row["schema_version"] = json!(1);
        row["meaning"] = json!(match swap.info().contract {
            Contract::Pure => "the result depends on the arguments only; shadow compares results",
            Contract::Cloned => "changes state that can be copied; shadow runs Rust on a copy and compares both",
            Contract::Effect => "does things that cannot be done twice; never shadowed, compared by replay",
        });
        row["per_session"] = json!((self.site.is_per_session)(name));
        let bonds = self.site.bonds.iter().filter(|bond| bond.swaps.contains(&name));
        row["bonds"] = bonds.map(|bond| json!({"with": bond.swaps, "reason": bond.reason})).collect();
        row["history"] = json!(history(&self.folder.audit(), name, HISTORY_MAX));
        Ok(std::mem::take(row))
    }

    fn why(&self, name: &str) -> String {
        let Some(status) = self.board.find(name).map(Swap::status) else { return String::new() };
        if let Some(reason) = status.demoted {
            return format!("demoted: {reason}");
        }
        match (status.source, self.state.modes.get(name)) {
            (Source::Api, Some(kept)) => kept.why.clone(),
            (Source::Default, _) => "the build's default".to_owned(),
            (Source::Config, _) => "the configuration".to_owned(),
            (Source::Environment, _) => "CUTOVER_SWAPS in the environment".to_owned(),
            (Source::Api, None) => "set at run time".to_owned(),
        }
    }
}
