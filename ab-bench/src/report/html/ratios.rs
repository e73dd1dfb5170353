//! Paired ratios with their intervals: one line per contestant and way, all on one logarithmic axis per place.

use maud::{Markup, html};

use super::axis::{LogAxis, percent};
use crate::ab::schema::{Metric, Report, Way};
use crate::report::rows::{Row, Verdict};
use crate::report::words::{HEADLINES, figure, no_ratio, per_cent, verdict, who};

/// Ratios beyond these are put on the axis's ends.
const AXIS: (f64, f64) = (0.02, 50.0);
const TICKS: usize = 9;

/// Every place that has ratios.
pub(super) fn section(report: &Report) -> Markup {
    let places = report.places();
    html! {
        section #ratios {
            h2 { "Ratios, pair by pair" }
            p.lead {
                "Each dot is one pair of runs: a contestant's figure divided by that of " (report.baseline)
                " in the same round. The bar is the 95 % interval of their geometric mean. Left of 1 is less, right of 1 is more; "
                "a filled bar is a difference that was shown, an open one is none. The shaded band is the noise: "
                (report.baseline) " against itself."
            }
            @for (rig, setting) in &places {
                @let rows: Vec<&Row> = report.rows.iter()
                    .filter(|row| row.rig == *rig && row.setting == *setting && row.ratio.is_some()).collect();
                @if !rows.is_empty() {
                    @if places.len() > 1 { h3 { (super::place_title(report, *rig, setting)) } }
                    (forest(report, &rows))
                }
            }
            @if report.rows.iter().all(|row| row.ratio.is_none()) {
                p.empty { "Too few pairs for a ratio with an interval." }
            }
        }
    }
}

fn forest(report: &Report, rows: &[&Row]) -> Markup {
    let ends = rows.iter().filter_map(|row| row.ratio).flat_map(|ratio| [ratio.low, ratio.high]);
    let axis = LogAxis::over(ends.chain([0.8, 1.25]), AXIS.0, AXIS.1);
    let (headlines, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| HEADLINES.contains(&row.metric));
    html! {
        @if !headlines.is_empty() { (metrics(report, &headlines, &axis, true)) }
        @if !others.is_empty() {
            details { summary { "The other metrics" } (metrics(report, &others, &axis, false)) }
        }
    }
}

/// The lines of some metrics; a plot that is folded away is not one that the tests shall find laid out.
fn metrics(report: &Report, rows: &[&Row], axis: &LogAxis, is_open: bool) -> Markup {
    html! {
        div.forest data-plot=[is_open.then_some("ratios")] {
            (scale(axis))
            @for metric in Metric::ALL {
                @let of: Vec<&&Row> = rows.iter().filter(|row| row.metric == *metric).collect();
                @if !of.is_empty() {
                    h4 { (metric.what()) @if !metric.unit().is_empty() { " " small { (metric.unit()) } }
                        span.direction { @if metric.more_is_better() { "more is better →" } @else { "← less is better" } } }
                    @for row in of { (line(report, row, axis)) }
                }
            }
            (scale(axis))
        }
    }
}

/// The axis, above and below its lines.
fn scale(axis: &LogAxis) -> Markup {
    html! {
        div.line.scale aria-hidden="true" {
            span {}
            div.track {
                @for tick in axis.ticks(TICKS) {
                    span.tick style={ "left:" (percent(axis.at(tick))) } { (short(tick)) }
                }
            }
            span {}
        }
    }
}

/// A tick's label without needless digits.
fn short(tick: f64) -> String {
    let text = format!("{tick:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn line(report: &Report, row: &Row, axis: &LogAxis) -> Markup {
    let class = match row.verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        _ if row.is_noise() => "noise",
        _ => "open",
    };
    let way = if row.way == Way::None { String::new() } else { format!("{} ", row.way.name()) };
    html! {
        div class={ "line " (class) } {
            span.name { (way) b { (who(row)) } }
            (track(row, axis))
            span.figures {
                @match row.ratio {
                    Some(ratio) => { b { (figure(ratio.value)) } " " span.interval { (figure(ratio.low)) "–" (figure(ratio.high)) } },
                    None => (no_ratio(row)),
                }
                span.verdict { (verdict(row)) @if let Some((_, share)) = report.reached(row) { " · " (per_cent(share)) " of the limit" } }
            }
        }
    }
}

/// The marks of one row: grid, noise, pairs, interval, mean.
pub(super) fn track(row: &Row, axis: &LogAxis) -> Markup {
    let Some(ratio) = row.ratio else {
        return html! { div.track {} };
    };
    let label = format!(
        "{}: ratio {}, 95 % interval {} to {}, from {} pairs, {}",
        who(row),
        figure(ratio.value),
        figure(ratio.low),
        figure(ratio.high),
        row.pair_ratios.len(),
        verdict(row)
    );
    let band = row.noise.map(|noise| (axis.at(1.0 - noise), axis.at(1.0 + noise)));
    html! {
        div.track {
            svg role="img" aria-label=(label) {
                title { (label) }
                @if let Some((low, high)) = band {
                    rect.band x=(percent(low)) y="0" width=(percent(high - low)) height="100%" {}
                }
                @for tick in axis.ticks(TICKS) {
                    line.grid x1=(percent(axis.at(tick))) x2=(percent(axis.at(tick))) y1="0" y2="100%" {}
                }
                line.one x1=(percent(axis.at(1.0))) x2=(percent(axis.at(1.0))) y1="0" y2="100%" {}
                @for pair in &row.pair_ratios {
                    circle.dot cx=(percent(axis.at(*pair))) cy="72%" r="2.5" {}
                }
                line.bar x1=(percent(axis.at(ratio.low))) x2=(percent(axis.at(ratio.high))) y1="36%" y2="36%" {}
                circle.mean cx=(percent(axis.at(ratio.value))) cy="36%" r="5" {}
            }
        }
    }
}
