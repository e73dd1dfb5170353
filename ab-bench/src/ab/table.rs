//! The report for the terminal: a table and sentences.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::report::{Row, Verdict};
use super::schema::{AGAIN, Metric, Phase, Report};

/// The rows as a table.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["metric", "way", "who", "median", "baseline", "ratio", "95 % interval", "p", "verdict"]);
    for row in &report.rows {
        let (ratio, interval) = match row.ratio {
            Some(ratio) => (format!("{:.2}", ratio.value), format!("{:.2} … {:.2}", ratio.low, ratio.high)),
            None => ("–".into(), no_ratio(row)),
        };
        table.add_row([
            row.metric.title(),
            row.way.name().to_owned(),
            who(row),
            format!("{:.2}", row.median),
            format!("{:.2}", row.baseline_median),
            ratio,
            interval,
            row.wilcoxon_p.map_or_else(|| "–".into(), |p| format!("{p:.3}")),
            verdict(row).to_owned(),
        ]);
    }
    for column in 3..8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// What was found, in plain sentences, failures first.
#[must_use]
pub fn sentences(report: &Report) -> Vec<String> {
    let mut sentences: Vec<String> = report
        .failures
        .iter()
        .map(|failure| {
            let phase = match failure.phase {
                Phase::WarmUp => "the warm-up".into(),
                Phase::Aa => format!("A/A round {}", failure.round),
                Phase::Ab => format!("round {}", failure.round),
                Phase::Counted => "the counted run".into(),
            };
            format!("{} FAILED in {phase}: {}", failure.contestant, failure.reason)
        })
        .collect();
    if !report.complete {
        let rounds = report.runs.iter().filter(|run| run.phase == Phase::Ab).map(|run| run.round).max();
        let of = report.effort.rounds;
        let when = rounds.map_or_else(|| "before the first round".into(), |round| format!("in round {round} of {of}"));
        sentences.push(format!("Interrupted {when}: what was measured until then is kept."));
    }
    sentences.extend(report.rows.iter().filter(|row| row.contestant != AGAIN).map(sentence));
    sentences.extend(noise_sentence(report));
    sentences
}

fn sentence(row: &Row) -> String {
    let (who, baseline, way, metric) = (&row.contestant, &row.baseline, row.way.name(), row.metric);
    let Some(ratio) = row.ratio else {
        let reason = no_ratio(row);
        return format!("{who}, {way}, {}: nothing can be said, {reason}.", metric.title());
    };
    let measured = format!("{:.2} × (95 %: {:.2} to {:.2})", ratio.value, ratio.low, ratio.high);
    match (row.verdict, metric) {
        (Verdict::Void, _) => {
            format!(
                "{who}, {way}, {}: {measured}, but {baseline} against itself differs as much: void.",
                metric.title()
            )
        }
        (Verdict::NoDifference | Verdict::Quiet, _) => {
            format!("{who}, {way}, {}: no difference from {baseline} was shown; {measured}.", metric.title())
        }
        (_, Metric::GoodputGbitPerS) => format!("{who} carries {measured} the payload of {baseline} {way}."),
        (_, Metric::CpuSPerGb) => format!("{who} needs {measured} the client CPU of {baseline} per byte {way}."),
        (_, Metric::MachineCpuSPerGb) => {
            format!(
                "With {who} the whole machine needs {measured} the CPU that it needs with {baseline} per byte {way}."
            )
        }
        (_, metric) => format!("{who}, {way}, {}: {measured} that of {baseline}.", metric.title()),
    }
}

fn noise_sentence(report: &Report) -> Option<String> {
    let same: Vec<&Row> = report.rows.iter().filter(|row| row.contestant == AGAIN && row.ratio.is_some()).collect();
    let loudest = same.iter().filter_map(|row| row.noise).fold(f64::NAN, f64::max);
    let baseline = &same.first()?.baseline;
    let void: Vec<String> = same
        .iter()
        .filter(|row| row.verdict == Verdict::Void)
        .map(|row| format!("{} {}", row.metric.title(), row.way.name()))
        .collect();
    let mut text = format!("Noise: {baseline} against itself has intervals of up to ±{:.0} %.", loudest * 100.0);
    if !void.is_empty() {
        text.push_str(&format!(" Its interval misses 1.00 in {}: read those rows with care.", void.join(", ")));
    }
    Some(text)
}

/// Why a row has no ratio.
fn no_ratio(row: &Row) -> String {
    match row.pair_ratios.len() {
        few @ 0..3 => format!("{few} pairs only"),
        _ => "a figure is zero".into(),
    }
}

/// The contestant; for an A/A row what it is.
pub(super) fn who(row: &Row) -> String {
    if row.contestant == AGAIN {
        format!("{0} / {0} (noise)", row.baseline)
    } else {
        format!("{} / {}", row.contestant, row.baseline)
    }
}

fn verdict(row: &Row) -> &'static str {
    match row.verdict {
        Verdict::Void if row.contestant == AGAIN => "misses 1.00",
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::NoDifference => "no difference shown",
        Verdict::Void => "void",
        Verdict::Quiet => "as it should be",
    }
}
