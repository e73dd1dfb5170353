//! What changed between two reports: their ratios to the baseline, held against one another.
//!
//! Absolute figures move between machines and hours; ratios within one report do not, so only those are compared. A row has
//! changed if its two intervals do not overlap, which is stricter than a test at 95 %.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::rows::Row;
use super::words::{figure, who};
use crate::ab::schema::Report;
use crate::stats::Estimate;

/// One row of the old or of the new report.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// `client CPU, s/GB`, with its place.
    pub what: String,
    /// `rust / c`.
    pub who: String,
    /// The old ratio.
    pub old: Option<Estimate>,
    /// The new ratio.
    pub new: Option<Estimate>,
    /// What became of it.
    pub change: Change,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Better than it was.
    Better,
    /// Worse than it was.
    Worse,
    /// The intervals overlap.
    Same,
    /// The old report has it alone.
    Gone,
    /// The new report has it alone.
    New,
    /// One of them has no interval.
    Unknown,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "no change shown",
            Self::Gone => "only in the old",
            Self::New => "only in the new",
            Self::Unknown => "no interval",
        }
    }
}

/// Every row that one of the two has, in the new one's order, those that are gone last.
#[must_use]
pub fn deltas(old: &Report, new: &Report) -> Vec<Delta> {
    let compared = |report: &'_ Report| report.rows.iter().filter(|row| !row.is_noise()).cloned().collect::<Vec<Row>>();
    let (old_rows, new_rows) = (compared(old), compared(new));
    let mut deltas: Vec<Delta> = new_rows
        .iter()
        .map(|row| delta(old_rows.iter().find(|other| is_same_subject(other, row)), Some(row)))
        .collect();
    let gone = old_rows.iter().filter(|row| !new_rows.iter().any(|other| is_same_subject(other, row)));
    deltas.extend(gone.map(|row| delta(Some(row), None)));
    deltas
}

fn is_same_subject(a: &Row, b: &Row) -> bool {
    (a.rig, &a.setting, a.metric, a.way, &a.contestant, &a.baseline)
        == (b.rig, &b.setting, b.metric, b.way, &b.contestant, &b.baseline)
}

fn delta(old: Option<&Row>, new: Option<&Row>) -> Delta {
    let (before, after) = (old.and_then(|row| row.ratio), new.and_then(|row| row.ratio));
    let change = match (old, new, before, after) {
        (None, ..) => Change::New,
        (_, None, ..) => Change::Gone,
        (_, Some(row), Some(before), Some(after)) => {
            if before.low <= after.high && after.low <= before.high {
                Change::Same
            } else if (after.value > before.value) == row.metric.more_is_better() {
                Change::Better
            } else {
                Change::Worse
            }
        }
        _ => Change::Unknown,
    };
    let (what, name) = new.or(old).map_or_else(Default::default, |row| {
        let place = format!("{} {} {}", row.rig.name(), row.setting, row.way.name());
        (format!("{} · {place}", row.metric.title()), who(row))
    });
    Delta { what, who: name, old: before, new: after, change }
}

/// The deltas as a table for the terminal, and what makes the two reports hard to compare.
#[must_use]
pub fn delta_table(old: &Report, new: &Report) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["what", "who", "old ratio", "new ratio", "new / old", "verdict"]);
    let cell = |estimate: Option<Estimate>| {
        estimate.map_or_else(|| "–".into(), |e| format!("{} ({} … {})", figure(e.value), figure(e.low), figure(e.high)))
    };
    for delta in deltas(old, new) {
        let factor = delta.old.zip(delta.new).map_or_else(|| "–".into(), |(old, new)| figure(new.value / old.value));
        table.add_row([delta.what, delta.who, cell(delta.old), cell(delta.new), factor, delta.change.word().into()]);
    }
    for column in 2..5 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = table.to_string();
    for (what, before, after) in [
        ("kernel", &old.host.kernel, &new.host.kernel),
        ("processor", &old.host.cpu, &new.host.cpu),
        ("commit", &old.host.git_commit, &new.host.git_commit),
        ("baseline", &old.baseline, &new.baseline),
    ] {
        if before != after {
            text.push_str(&format!("\n{what}: {before} in the old, {after} in the new"));
        }
    }
    text
}
