//! What shows a rollout: the live table, what stands below a table, and one swap explained.

use super::{PlanRow, SwapRow, SwapTable, Times, duration, mode, new_table, note};
use comfy_table::{Cell, CellAlignment};
use serde::Deserialize;
use serde_json::Value;

/// The answer to `swaps` as `cutover swaps watch` shows it: only functions that ran, with what has changed since
/// `before`, the answer `seconds` earlier.
///
/// # Errors
/// One of the answers is not of the form of [`SwapTable`].
pub fn watch(answer: &Value, before: &Value, seconds: f64, width: Option<u16>) -> Result<String, serde_json::Error> {
    let (answer, before) = (SwapTable::deserialize(answer)?, SwapTable::deserialize(before)?);
    let mut table = new_table(width);
    table.set_header(["function", "mode", "stage", "calls", "per s", "on rust", "mism.", "panics", "c ns", "rust ns"]);
    let mut idle = 0;
    for swap in &answer.swaps {
        let calls = swap.calls.sum();
        if calls == 0 {
            idle += 1;
            continue;
        }
        let earlier = before.swaps.iter().find(|row| row.name == swap.name).map(|row| row.calls).unwrap_or_default();
        let new = calls.saturating_sub(earlier.sum());
        let new_rust = swap.calls.rust.saturating_sub(earlier.rust);
        let rate = if seconds > 0.0 { format!("{:.0}", new as f64 / seconds) } else { String::new() };
        let share = if new > 0 { format!("{:.0} %", new_rust as f64 / new as f64 * 100.0) } else { "–".to_owned() };
        let texts = [swap.name.clone(), mode(swap), swap.stage.clone().unwrap_or_default()].map(Cell::new);
        let numbers = [
            calls.to_string(),
            rate,
            share,
            swap.mismatches.to_string(),
            swap.panics.to_string(),
            times(swap.ns.c),
            times(swap.ns.rust),
        ];
        let numbers = numbers.map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
        table.add_row(texts.into_iter().chain(numbers));
    }
    let idle = if idle > 0 { format!("{idle} functions were not called\n") } else { String::new() };
    Ok(format!("{table}\n{idle}{}", notes(&answer)))
}

/// Mean and 99th percentile.
fn times(times: Times) -> String {
    match (times.mean, times.p99) {
        (Some(mean), Some(p99)) => format!("{mean} (p99 {p99})"),
        _ => "–".to_owned(),
    }
}

/// What stands below a table: the plan, what was refused, what is not as it was wanted.
pub(super) fn notes(answer: &SwapTable) -> String {
    let mut notes = String::new();
    if let Some(plan) = &answer.plan {
        let PlanRow { name, step, steps, stage, seconds, state, why } = plan;
        let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let seconds = duration(*seconds);
        notes += &format!("plan \"{name}\", step {step} of {steps}, {stage} for {seconds}, {state}{why}\n");
    }
    if answer.stopped {
        notes += "! a stop file keeps everything on C\n";
    }
    answer.refused.iter().for_each(|refusal| notes += &format!("! {refusal}\n"));
    notes + &answer.swaps.iter().filter_map(note).collect::<String>()
}

/// The answer to `swaps.explain`, as text.
///
/// # Errors
/// It is not of that form.
pub fn explain(answer: &Value, _width: Option<u16>) -> Result<String, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct More {
        meaning: String,
        per_session: bool,
        bonds: Vec<Bond>,
        records: Vec<Value>,
        history: Vec<Value>,
    }
    #[derive(Deserialize)]
    struct Bond {
        with: Vec<String>,
        reason: String,
    }
    let (swap, more) = (SwapRow::deserialize(answer)?, More::deserialize(answer)?);
    let SwapRow { name, symbol, file, group, contract, calls, mismatches, panics, fallbacks, .. } = &swap;
    let mut text = format!(
        "{name}: {symbol} of {file}, group {group}\ncontract   {contract}: {}\nmode       {}\nwhy        {}\n",
        more.meaning,
        mode(&swap),
        swap.why
    );
    if let Some(stage) = &swap.stage {
        text += &format!("stage      {stage}\n");
    }
    if more.per_session {
        text += "changes    with the next session, which a change asks for\n";
    }
    for Bond { with, reason } in more.bonds {
        text += &format!(
            "bound to   {}: {reason}\n",
            with.into_iter().filter(|other| other != name).collect::<Vec<_>>().join(", ")
        );
    }
    text += &format!("calls      {} on c, {} on rust, {} compared\n", calls.c, calls.rust, calls.shadow);
    text += &format!(
        "evidence   {mismatches} mismatches, {panics} panics, {fallbacks} fallbacks to c; self-test {}\n",
        swap.self_test
    );
    text += &format!("ns a call  c {}, rust {}\n", times(swap.ns.c), times(swap.ns.rust));
    more.records.iter().for_each(|record| text += &format!("mismatch   {record}\n"));
    for entry in more.history {
        let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let to = entry["to"].as_str().map(|to| format!(" to {to}")).unwrap_or_default();
        text += &format!("{}  {}{to} by {}: {}\n", word("at"), word("what"), who(&entry["who"]), word("why"));
    }
    Ok(text)
}

fn who(who: &Value) -> String {
    match who["uid"].as_u64() {
        Some(uid) => format!("user {uid}"),
        None => who["by"].as_str().unwrap_or("somebody").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn watching_shows_rates_shares_and_the_plan() {
        let row = |calls: u64, rust: u64| {
            json!({"name": "new_block", "mode": "rust", "percent": 10, "stage": "rust@10%",
            "calls": {"c": calls, "rust": rust}, "ns": {"c": {"mean": 70, "p99": 112}, "rust": {"mean": null}}})
        };
        let before = json!({"swaps": [row(100, 0)]});
        let now = json!({"swaps": [row(250, 50), {"name": "idle"}], "refused": ["effect"], "stopped": true,
            "plan": {"name": "p", "step": 1, "steps": 2, "stage": "rust@10%", "seconds": 61, "state": "running", "why": "waits for 3s"}});
        let text = watch(&now, &before, 2.0, None).unwrap();
        for part in [
            "rust@10%",
            " 300 ",
            " 100 ",
            "25 %",
            "70 (p99 112)",
            "1 functions were not called",
            "! effect",
            "stop file",
            "plan \"p\", step 1 of 2, rust@10% for 1 min 1 s, running: waits for 3s",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(watch(&json!({}), &json!({}), 0.0, None).unwrap().contains("function"));
    }

    #[test]
    fn explaining_tells_contract_reason_bonds_and_history() {
        let answer = json!({"name": "write_fifo", "symbol": "WriteFifo", "contract": "cloned", "meaning": "copied", "mode": "c",
            "why": "demoted: mismatch", "bonds": [{"with": ["write_fifo", "read_fifo"], "reason": "one FIFO"}],
            "history": [{"at": "T", "who": {"by": "person", "uid": 7}, "what": "set", "to": "rust", "why": "asked"}, {}]});
        let text = explain(&answer, None).unwrap();
        for part in [
            "WriteFifo",
            "cloned: copied",
            "demoted: mismatch",
            "bound to   read_fifo: one FIFO",
            "T  set to rust by user 7: asked",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
