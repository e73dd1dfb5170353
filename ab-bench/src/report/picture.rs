//! report.svg: the headline ratios as one picture of fixed size, for a README; it follows light and dark by itself.
//!
//! Drawn by hand and not by a plotting crate: those write colours into every element, and know no text alternatives.

use maud::{Markup, PreEscaped, html};

use super::html::LogAxis;
use super::rows::{Row, Verdict};
use super::words::{figure, who};
use crate::ab::schema::{Metric, Report};

const WIDTH: f64 = 960.0;
// As wide as the longest label, "CPU of the whole machine down, c-dispatched / c".
const LEFT: f64 = 370.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 92.0;
const ROW: f64 = 34.0;
const BOTTOM: f64 = 64.0;
const STYLE: &str = "svg{color-scheme:light dark}\
.paper{fill:#fcfbf9}.ink{fill:#1c1d20}.soft{fill:#5b5e66}.grid{stroke:#e0dcd3}.one{stroke:#8a8d95}.band{fill:#d9d4ca;opacity:.45}\
.better{--m:#00629b}.worse{--m:#b84a00}.open{--m:#5b5e66}.m{fill:var(--m)}.bar{stroke:var(--m);stroke-width:5;stroke-linecap:round}\
.dot{fill:var(--m);opacity:.4}\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif;font-size:13px}\
.title{font-size:21px;font-weight:700}.small{font-size:12px}.end{text-anchor:end}.middle{text-anchor:middle}\
@media(prefers-color-scheme:dark){.paper{fill:#15171a}.ink{fill:#e9e7e2}.soft{fill:#a2a4aa}.grid{stroke:#2a2e33}.one{stroke:#777b83}\
.band{fill:#454b54}.better{--m:#6cb8ec}.worse{--m:#f39a5b}.open{--m:#a2a4aa}}";

/// The picture of the first place that has ratios.
#[must_use]
pub fn picture(report: &Report) -> String {
    const METRICS: [Metric; 3] = [Metric::CpuSPerGb, Metric::GoodputGbitPerS, Metric::MachineCpuSPerGb];
    let first = report.rows.iter().find(|row| row.ratio.is_some());
    let shown = |row: &&Row| {
        let is_here = first.is_some_and(|first| (first.rig, &first.setting) == (row.rig, &row.setting));
        is_here && row.ratio.is_some() && METRICS.contains(&row.metric) && row.is_of_a_way()
    };
    let rows: Vec<&Row> = report.rows.iter().filter(shown).collect();
    let height = TOP + ROW * rows.len().max(1) as f64 + BOTTOM;
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (WIDTH) " " (height) } width=(WIDTH) height=(height) role="img" aria-labelledby="t d" {
            title id="t" { "Cutover A/B: " (names(report)) }
            desc id="d" { (description(&rows)) }
            style { (PreEscaped(STYLE)) }
            rect.paper width=(WIDTH) height=(height) rx="10" {}
            text."ink title" x="28" y="40" { "Cutover A/B: " (names(report)) }
            text."soft small" x="28" y="62" { (machine(report)) }
            @if rows.is_empty() { text.ink x="28" y=(TOP + 20.0) { "Too few pairs for a comparison." } } @else { (plot(&rows, height)) }
        }
    };
    picture.into_string() + "\n"
}

fn names(report: &Report) -> String {
    report.contestants.iter().map(|contestant| &contestant.name[..]).collect::<Vec<_>>().join(", ")
}

fn machine(report: &Report) -> String {
    let host = &report.host;
    let (rounds, seconds) = (report.effort.rounds, figure(report.effort.seconds_per_run));
    format!("{} × {}, Linux {}; {rounds} rounds of {seconds} s, one inner TCP stream", host.cpus, host.cpu, host.kernel)
}

/// For those who cannot see it.
fn description(rows: &[&Row]) -> String {
    let one = |row: &&Row| {
        let ratio = row.ratio.map_or_else(String::new, |ratio| {
            format!("{} (95 %: {} to {})", figure(ratio.value), figure(ratio.low), figure(ratio.high))
        });
        format!("{} {}, {}: {ratio}", row.metric.what(), row.way.name(), who(row))
    };
    rows.iter().map(one).collect::<Vec<_>>().join(". ")
}

fn plot(rows: &[&Row], height: f64) -> Markup {
    let all = rows.iter().flat_map(|row| row.pair_ratios.iter().copied());
    let axis = LogAxis::over(all.chain([0.8, 1.25]), 0.02, 50.0);
    let x = |ratio: f64| LEFT + axis.at(ratio) / 100.0 * (WIDTH - LEFT - RIGHT);
    let bottom = height - BOTTOM;
    html! {
        @for tick in axis.ticks(9) {
            line.grid x1=(round(x(tick))) x2=(round(x(tick))) y1=(TOP - 6.0) y2=(bottom) {}
            text."soft small middle" x=(round(x(tick))) y=(bottom + 18.0) { (tick_label(tick)) }
        }
        @for (index, row) in rows.iter().enumerate() { (line(row, TOP + ROW * index as f64, &x)) }
        line.one x1=(round(x(1.0))) x2=(round(x(1.0))) y1=(TOP - 6.0) y2=(bottom) {}
        text."soft small" x="28" y=(height - 18.0) {
            "Dots are pairs of runs, bars 95 % intervals of their geometric mean, the band is the baseline against itself. "
            "Blue: better; orange: worse."
        }
    }
}

fn line(row: &Row, top: f64, x: &impl Fn(f64) -> f64) -> Markup {
    let Some(ratio) = row.ratio else {
        return html! {};
    };
    let class = match row.verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        _ => "open",
    };
    let (bar, dots) = (top + ROW * 0.36, top + ROW * 0.72);
    html! {
        g class=(class) {
            @if let Some(noise) = row.noise {
                rect.band x=(round(x(1.0 - noise))) y=(top) width=(round(x(1.0 + noise) - x(1.0 - noise))) height=(ROW) {}
            }
            @for pair in &row.pair_ratios { circle.dot cx=(round(x(*pair))) cy=(round(dots)) r="2.5" {} }
            line.bar x1=(round(x(ratio.low))) x2=(round(x(ratio.high))) y1=(round(bar)) y2=(round(bar)) {}
            circle.m cx=(round(x(ratio.value))) cy=(round(bar)) r="6" {}
            text."ink end" x=(LEFT - 16.0) y=(round(top + ROW * 0.5 + 4.0)) { (row.metric.what()) " " (row.way.name()) ", " (who(row)) }
            text."m end" x=(WIDTH - 28.0) y=(round(top + ROW * 0.5 + 4.0)) { (figure(ratio.value)) " (" (figure(ratio.low)) " … " (figure(ratio.high)) ")" }
        }
    }
}

/// A tenth of a pixel is enough.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn tick_label(tick: f64) -> String {
    let text = format!("{tick:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
