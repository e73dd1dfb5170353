//! The report in words: sentences for people, the names of things, and figures with as many digits as they deserve.

use super::rows::{Row, Verdict};
use crate::ab::schema::{Metric, Phase, Report, Rig, Run, Way};

/// What a newcomer is shown first: the terminal's table and the report's top.
pub const HEADLINES: [Metric; 11] = [
    Metric::CpuSPerGb,
    Metric::GoodputGbitPerS,
    Metric::MachineCpuSPerGb,
    Metric::Frames64PerS,
    Metric::RttIdleP50Us,
    Metric::RttLoadP99Us,
    Metric::LostPerMillion,
    Metric::SyscallsPerFrame,
    Metric::AllocationsPerFrame,
    Metric::WakeupsPerS,
    Metric::ConnectS,
];

/// What was found, in plain sentences, what went wrong first: client CPU and goodput, one way at a time. The table and the
/// page have the rest.
#[must_use]
pub fn sentences(report: &Report) -> Vec<String> {
    let mut sentences = warnings(report);
    let told = |row: &&Row| !row.is_noise() && HEADLINES[..2].contains(&row.metric) && row.is_of_a_way();
    sentences.extend(report.rows.iter().filter(told).map(|row| sentence(report, row)));
    sentences.extend(noise_sentence(report));
    sentences
}

/// What a reader must know before any figure: void, failures, an interruption.
#[must_use]
pub fn warnings(report: &Report) -> Vec<String> {
    let mut warnings: Vec<String> = void_sentence(report).into_iter().chain(rejected_sentence(report)).collect();
    warnings.extend(report.failures.iter().map(|failure| {
        let phase = match failure.phase {
            Phase::WarmUp => "the warm-up".into(),
            Phase::Aa => format!("A/A round {}", failure.round),
            Phase::Ab => format!("round {}", failure.round),
            Phase::Counted => "the counted run".into(),
        };
        format!("{} FAILED in {phase}: {}", failure.contestant, failure.reason)
    }));
    let is_production = report.rigs.iter().any(|facts| facts.rig == Rig::Production);
    let what = if is_production { "Note" } else { "NOT MEASURED" };
    warnings.extend(report.notes.iter().map(|note| format!("{what}: {note}")));
    if !report.complete {
        let rounds = report.runs.iter().filter(|run| run.phase == Phase::Ab).map(|run| run.round).max();
        let of = report.effort.rounds;
        let when = rounds.map_or_else(|| "before the first round".into(), |round| format!("in round {round} of {of}"));
        warnings.push(format!("Interrupted {when}: what was measured until then is kept."));
    }
    warnings
}

fn void_sentence(report: &Report) -> Option<String> {
    let floor = report.noise_floor_max.filter(|_| report.is_void())?;
    let noise = report.noise().map_or_else(|| "unknown".into(), |noise| format!("±{}", per_cent(noise)));
    Some(format!("VOID: the noise of client CPU and goodput is {noise}; asked for was at most ±{}.", per_cent(floor)))
}

/// How many pairs were left out because something else used the machine.
fn rejected_sentence(report: &Report) -> Option<String> {
    let rejected = report.rejected_pairs.len();
    let first = report.rejected_pairs.first()?;
    let is_compared = |run: &&Run| matches!(run.phase, Phase::Aa | Phase::Ab) && run.contestant != report.baseline;
    let pairs = report.runs.iter().filter(is_compared).count();
    let advice = if rejected == pairs {
        "Nothing is left to compare: end what else runs here, and measure again. The raw runs are in report.json."
    } else {
        "What is left is compared."
    };
    Some(format!("DISTURBED: {rejected} of {pairs} pairs are left out, the first since {}. {advice}", first.reason))
}

/// One row as a sentence.
#[must_use]
pub fn sentence(report: &Report, row: &Row) -> String {
    let (who, baseline, place) = (&row.contestant, &row.baseline, place(report, row));
    let subject = format!("{who}{place}: {}", row.metric.what());
    let Some(ratio) = row.ratio else {
        return match row.verdict {
            Verdict::Void => format!("{subject}: nothing can be said, {}.", no_ratio(row)),
            Verdict::Counted => {
                format!("{subject}: {} against {}, counted once.", figure(row.median), figure(row.baseline_median))
            }
            Verdict::Better | Verdict::Worse => {
                format!("{subject}: {} against {} of {baseline}.", figure(row.median), figure(row.baseline_median))
            }
            Verdict::NoDifference | Verdict::Quiet => format!("{subject}: no difference from {baseline} was shown."),
        };
    };
    let measured = format!("{} × (95 %: {} to {})", figure(ratio.value), figure(ratio.low), figure(ratio.high));
    match (row.verdict, row.metric) {
        (Verdict::Void, _) => format!("{subject}: {measured}, but {}: void.", why_void(report, row)),
        (Verdict::NoDifference | Verdict::Quiet | Verdict::Counted, _) => {
            format!("{subject}: no difference from {baseline} was shown; {measured}.")
        }
        (_, Metric::GoodputGbitPerS) => format!("{who} carries {measured} the payload of {baseline}{place}."),
        (_, Metric::CpuSPerGb) => format!("{who} needs {measured} the client CPU of {baseline} per byte{place}."),
        (_, Metric::MachineCpuSPerGb) => {
            format!(
                "With {who} the whole machine needs {measured} the CPU that it needs with {baseline} per byte{place}."
            )
        }
        _ => format!("{subject} is {measured} that of {baseline}."),
    }
}

/// Why a row with a ratio says nothing.
fn why_void(report: &Report, row: &Row) -> String {
    match (report.noise_floor_max, row.noise) {
        (Some(floor), Some(noise)) if noise > floor => {
            format!("the noise, ±{}, exceeds the ±{} asked for", per_cent(noise), per_cent(floor))
        }
        (_, None) => "the noise is unknown".into(),
        _ => format!("{} against itself differs as much", row.baseline),
    }
}

/// How loud the report is.
#[must_use]
pub fn noise_sentence(report: &Report) -> Option<String> {
    let same: Vec<&Row> = report.rows.iter().filter(|row| row.is_noise() && row.ratio.is_some()).collect();
    let loudest = report.noise().or_else(|| same.iter().filter_map(|row| row.noise).reduce(f64::max))?;
    let baseline = &same.first()?.baseline;
    let missing: Vec<String> = same
        .iter()
        .filter(|row| row.verdict == Verdict::Void && HEADLINES.contains(&row.metric))
        .map(|row| format!("{}{}", row.metric.what(), place(report, row)))
        .collect();
    let mut text = format!("Noise: {baseline} against itself has intervals of up to ±{}.", per_cent(loudest));
    if !missing.is_empty() {
        text.push_str(&format!(" Its interval misses 1.00 in {}: read those rows with care.", missing.join("; ")));
    }
    Some(text)
}

/// Where a row is, as far as the report has more than one such place: ` up`, ` down, peer, connections=8`.
#[must_use]
pub fn place(report: &Report, row: &Row) -> String {
    let mut place = match row.way {
        Way::None => String::new(),
        Way::Both => " both ways".into(),
        way => format!(" {}", way.name()),
    };
    let places = report.places();
    if places.iter().any(|(rig, _)| *rig != row.rig) {
        place.push_str(&format!(", {}", row.rig.name()));
    }
    if places.iter().any(|(_, setting)| *setting != row.setting) {
        place.push_str(&format!(", {}", row.setting));
    }
    place
}

/// Why a row has no ratio.
#[must_use]
pub fn no_ratio(row: &Row) -> String {
    match row.pairs.len() {
        1 => "1 pair only".into(),
        few @ (0 | 2) => format!("{few} pairs only"),
        _ => "a figure is zero".into(),
    }
}

/// The contestant and its baseline; for an A/A row what it is.
#[must_use]
pub fn who(row: &Row) -> String {
    if row.is_noise() {
        format!("{0} / {0} (noise)", row.baseline)
    } else {
        format!("{} / {}", row.contestant, row.baseline)
    }
}

/// A row's verdict as a cell.
#[must_use]
pub fn verdict(row: &Row) -> &'static str {
    match row.verdict {
        Verdict::Void if row.is_noise() => "misses 1.00",
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::NoDifference => "no difference shown",
        Verdict::Void => "void",
        Verdict::Quiet => "as it should be",
        Verdict::Counted => "counted",
    }
}

/// A figure with about three digits: 12,345, 123, 12.3, 1.23, 0.123, 0.0012. NaN is a dash.
#[must_use]
pub fn figure(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "–".into(),
        0.0 => "0".into(),
        size if size >= 99.95 => grouped(value),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.0995 => format!("{value:.2}"),
        size if size >= 0.00995 => format!("{value:.3}"),
        size if size >= 0.000_05 => format!("{value:.4}"),
        _ => format!("{value:.1e}"),
    }
}

/// Whole, with commas between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("−{text}") } else { text }
}

/// How long something took: `91 seconds`, `14 minutes`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.0} seconds") } else { format!("{:.0} minutes", seconds / 60.0) }
}

/// A share as a percentage: `7 %`, `0.4 %`.
#[must_use]
pub fn per_cent(share: f64) -> String {
    let percentage = share * 100.0;
    if percentage.abs() < 1.0 && percentage != 0.0 {
        format!("{percentage:.1} %")
    } else {
        format!("{percentage:.0} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_for_people() {
        assert_eq!([duration(37.4), duration(870.0)], ["37 seconds", "14 minutes"]);
    }

    #[test]
    fn figures_have_about_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1_234_567.8, "1,234,568"),
            (-1234.0, "−1,234"),
            (999.6, "1,000"),
            (99.96, "100"),
            (12.34, "12.3"),
            (1.005, "1.00"),
            (0.62, "0.62"),
            (0.0471, "0.047"),
            (0.0012, "0.0012"),
            (0.000_001, "1.0e-6"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(figure(value), text);
        }
        assert_eq!([per_cent(0.071), per_cent(0.004), per_cent(0.0)], ["7 %", "0.4 %", "0 %"]);
    }
}
