//! The top of the page: what was compared, what a reader must know first, and the verdicts.

use maud::{Markup, html};

use super::axis::LogAxis;
use super::ratios::track;
use crate::ab::schema::{Metric, Report, Way};
use crate::report::date;
use crate::report::rows::{Row, Verdict};
use crate::report::words::{HEADLINES, duration, figure, noise_sentence, per_cent, sentence, warnings};

/// `rust against c`
pub(super) fn title(report: &Report) -> String {
    match super::candidate(report) {
        Some(candidate) => format!("{} against {}", candidate.name, report.baseline),
        None => format!("{} by itself", report.baseline),
    }
}

pub(super) fn masthead(report: &Report) -> Markup {
    let host = &report.host;
    let others = report.contestants.len().saturating_sub(2);
    html! {
        header {
            p.kicker { "Cutover A/B" @if report.is_void() { " · " b.void { "void" } } @else if !report.complete { " · " b.void { "interrupted" } } }
            h1 { (title(report)) @if others > 0 { small { " and " (others) " more" } } }
            p.facts {
                (date::date(report.started_unix_s)) " · " (duration(report.duration_s)) " · "
                @if !host.cpu.is_empty() { (host.cpu) ", " } (host.cpus) " processors · Linux " (host.kernel)
                @if !host.git_commit.is_empty() { " · " code { (short_commit(&host.git_commit)) } }
            }
            @let warnings = warnings(report);
            @if !warnings.is_empty() { ul.warnings { @for warning in warnings { li { (warning) } } } }
            (cards(report))
        }
    }
}

/// The first ten digits, and whether files were changed.
fn short_commit(commit: &str) -> String {
    let digits: String = commit.chars().take(10).collect();
    if commit.ends_with("-dirty") { format!("{digits}-dirty") } else { digits }
}

/// The four figures that most people come for.
fn cards(report: &Report) -> Markup {
    const CARDS: [(Metric, Way); 4] = [
        (Metric::CpuSPerGb, Way::Up),
        (Metric::CpuSPerGb, Way::Down),
        (Metric::GoodputGbitPerS, Way::Up),
        (Metric::GoodputGbitPerS, Way::Down),
    ];
    let Some(candidate) = super::candidate(report) else {
        return html! {};
    };
    let row = |(metric, way)| {
        let mut rows = report.rows.iter();
        rows.find(|row| {
            row.contestant == candidate.name && row.metric == metric && row.way == way && row.ratio.is_some()
        })
    };
    let rows: Vec<&Row> = CARDS.into_iter().filter_map(row).collect();
    let ends = rows.iter().filter_map(|row| row.ratio).flat_map(|ratio| [ratio.low, ratio.high]);
    let axis = LogAxis::over(ends.chain([0.5, 2.0]), 0.02, 50.0);
    html! { div.cards { @for row in rows { (card(report, row, &axis)) } } }
}

fn card(report: &Report, row: &Row, axis: &LogAxis) -> Markup {
    let words = match row.verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Void => "void",
        _ => "no difference shown",
    };
    html! {
        @if let Some(ratio) = row.ratio {
            div class={ "card line " (class(row)) } {
                p.what { (row.metric.what()) " " (row.way.name()) }
                p.big { (figure(ratio.value)) span { "×" } }
                (track(row, axis))
                p.detail {
                    b { (words) } " · 95 %: " (figure(ratio.low)) "–" (figure(ratio.high)) br;
                    (figure(row.median)) " against " (figure(row.baseline_median)) " " (row.metric.unit())
                    @if let Some((_, share)) = report.reached(row) { br; (per_cent(share)) " of the physical limit" }
                }
            }
        }
    }
}

/// Everything in words, by contestant, the candidate first.
pub(super) fn verdicts(report: &Report) -> Markup {
    let candidate = super::candidate(report).map(|candidate| &candidate.name);
    let mut contestants: Vec<_> = report.contestants.iter().filter(|other| other.name != report.baseline).collect();
    contestants.sort_by_key(|contestant| Some(&contestant.name) != candidate);
    html! {
        section #verdicts {
            h2 { "Verdicts" }
            p.lead {
                "A difference counts as shown if its 95 % interval excludes 1, the exact Wilcoxon test gives p < 0.05, and it exceeds the "
                "noise of the baseline against itself."
            }
            div.beside.verdicts {
                @for contestant in contestants {
                    article {
                        h3 { span class={ "key " (super::colour(report, &contestant.name)) } {} (contestant.name) @if !contestant.what.is_empty() { " " small { (contestant.what) } } }
                        (verdicts_of(report, &contestant.name))
                    }
                }
            }
            @if let Some(noise) = noise_sentence(report) { p.note { (noise) } }
        }
    }
}

/// What was shown of the headlines, up and down in one line; the rest folded away.
fn verdicts_of(report: &Report, name: &str) -> Markup {
    let rows = || report.rows.iter().filter(|row| row.contestant == name);
    let is_shown = |row: &&Row| matches!(row.verdict, Verdict::Better | Verdict::Worse);
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in rows().filter(is_shown).filter(|row| HEADLINES.contains(&row.metric)) {
        let key = |row: &Row| (row.rig, row.setting.clone(), row.metric, row.verdict);
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| key(first) == key(row))) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    let all: Vec<&Row> = rows().collect();
    let unshown = all.iter().filter(|row| !is_shown(row)).count();
    html! {
        @if groups.is_empty() { p { "Nothing was shown to differ from " (report.baseline) "." } }
        ul { @for group in &groups { (verdict_line(report, group)) } }
        @if !all.is_empty() {
            details { summary { "All " (all.len()) " in sentences, " (unshown) " of them without a difference shown" }
                ul { @for row in &all { li class=(class(row)) { (sentence(report, row)) } } } }
        }
    }
}

fn class(row: &Row) -> &'static str {
    match row.verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        _ => "open",
    }
}

/// `Less client CPU: 0.33 × up (0.32–0.34), 0.32 × down (0.32–0.33)`
fn verdict_line(report: &Report, group: &[&Row]) -> Markup {
    let Some(first) = group.first() else {
        return html! {};
    };
    let is_more = (first.verdict == Verdict::Better) == first.metric.more_is_better();
    let several = report.places().len() > 1;
    html! {
        li class=(class(first)) {
            b { (if is_more { "More " } else { "Less " }) (first.metric.what()) }
            @if several { " " span.where { (first.rig.name()) @if first.setting != "default" { " " (first.setting) } } } ": "
            @for (index, row) in group.iter().enumerate() {
                @if index > 0 { ", " }
                @match row.ratio {
                    Some(ratio) => { (figure(ratio.value)) " ×" (way(row)) " " span.interval { "(" (figure(ratio.low)) "–" (figure(ratio.high)) ")" } },
                    None => { (figure(row.median)) " against " (figure(row.baseline_median)) (way(row)) },
                }
            }
        }
    }
}

fn way(row: &Row) -> String {
    if row.way == Way::None { String::new() } else { format!(" {}", row.way.name()) }
}
