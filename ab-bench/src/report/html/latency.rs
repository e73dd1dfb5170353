//! Round trips as curves: which share of the probes came back within which time, stretched towards the slow ones.

use maud::{Markup, html};

use super::axis::{LogAxis, percent};
use crate::ab::schema::{AGAIN, Histogram, Phase, Report, Rig, Way, Workload};
use crate::report::words::figure;

/// Shares with a line of their own.
const SHARES: [(f64, &str); 6] =
    [(0.0, "0"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
/// Above this share the curves end.
const SHARE_MAX: f64 = 0.9999;
/// Side of the square that curves are drawn in before it is stretched over the plot.
const SIDE: f64 = 1000.0;

/// The plots of one rig and setting.
struct Plot {
    title: String,
    curves: Vec<(String, Histogram)>,
}

pub(super) fn section(report: &Report) -> Markup {
    let plots = plots(report);
    html! {
        @if !plots.is_empty() {
            section #latency {
                h2 { "Latency" }
                p.lead {
                    "Probes leave on a fixed schedule, whether or not the one before has come back, so a stall counts as often "
                    "as it would be felt. Read upwards: the higher a line, the rarer the round trips that it tells of. "
                    "Further left is faster."
                }
                div.beside { @for plot in &plots { (figure_of(report, plot)) } }
            }
        }
    }
}

/// Everything that was probed, joined over rounds.
fn plots(report: &Report) -> Vec<Plot> {
    let mut plots = Vec::new();
    for (rig, setting) in report.places() {
        for (workload, words) in [(Workload::RttIdle, "idle"), (Workload::RttLoad, "under load")] {
            for way in [Way::None, Way::Up, Way::Down, Way::Both] {
                let curves = curves(report, rig, &setting, workload, way);
                if !curves.is_empty() {
                    let way = if way == Way::None { String::new() } else { format!(", {}", way.name()) };
                    let place = if report.places().len() > 1 {
                        format!(" · {}, {setting}", rig.name())
                    } else {
                        String::new()
                    };
                    plots.push(Plot { title: format!("{words}{way}{place}"), curves });
                }
            }
        }
    }
    plots
}

fn curves(report: &Report, rig: Rig, setting: &str, workload: Workload, way: Way) -> Vec<(String, Histogram)> {
    let histogram = |name: &String| {
        let of = report.runs.iter().filter(|run| {
            (run.rig, &run.setting[..], run.workload, run.way) == (rig, setting, workload, way)
                && run.contestant == *name
                && run.contestant != AGAIN
                && run.phase == Phase::Ab
                && !run.disturbed
        });
        let joined = join(of.filter_map(|run| run.rtt.as_ref()))?;
        Some((name.clone(), joined))
    };
    report.contestants.iter().filter_map(|contestant| histogram(&contestant.name)).collect()
}

fn join<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Option<Histogram> {
    let mut interval_us = None;
    let mut buckets = std::collections::BTreeMap::new();
    for histogram in histograms {
        interval_us.get_or_insert(histogram.interval_us);
        for (ns, count) in &histogram.buckets {
            *buckets.entry(*ns).or_default() += count;
        }
    }
    let histogram = Histogram { interval_us: interval_us?, buckets: buckets.into_iter().collect() };
    (!histogram.is_empty()).then_some(histogram)
}

/// Where a share is drawn, from the bottom (0) to the top (1): each further nine takes as much room.
fn height(share: f64) -> f64 {
    -(1.0 - share.min(SHARE_MAX)).log10() / -(1.0 - SHARE_MAX).log10()
}

fn figure_of(report: &Report, plot: &Plot) -> Markup {
    let microseconds = |ns: u64| ns as f64 / 1000.0;
    let ends = plot.curves.iter().flat_map(|(_, curve)| {
        [curve.quantile_ns(0.001), curve.quantile_ns(SHARE_MAX)].into_iter().flatten().map(microseconds)
    });
    let axis = LogAxis::over(ends, 0.1, 1e8);
    let label = format!("Round trips {}: {}", plot.title, quantiles_in_words(plot));
    html! {
        figure.latency {
            h3 { "Round trip " (plot.title) }
            div.curves data-plot="latency" role="img" aria-label=(label) {
                @for (share, name) in SHARES {
                    span.share style={ "bottom:" (percent(height(share) * 100.0)) } { (name) }
                }
                svg.area preserveAspectRatio="none" viewBox={ "0 0 " (SIDE) " " (SIDE) } aria-hidden="true" {
                    @for (share, _) in SHARES {
                        line.grid x1="0" x2=(SIDE) y1=(SIDE * (1.0 - height(share))) y2=(SIDE * (1.0 - height(share))) {}
                    }
                    @for tick in axis.ticks(5) {
                        line.grid x1=(axis.at(tick) * SIDE / 100.0) x2=(axis.at(tick) * SIDE / 100.0) y1="0" y2=(SIDE) {}
                    }
                    @for (name, curve) in &plot.curves {
                        path class={ "curve " (super::colour(report, name)) } d=(path(curve, &axis)) {}
                    }
                }
                @for tick in axis.ticks(5) {
                    span.tick style={ "left:" (percent(axis.at(tick))) } { (time(tick)) }
                }
            }
            (table(report, plot))
        }
    }
}

/// Steps: at each bucket's end the share jumps.
fn path(curve: &Histogram, axis: &LogAxis) -> String {
    let of = curve.len() as f64;
    let (mut seen, mut d) = (0.0, String::new());
    for (ns, count) in &curve.buckets {
        let x = axis.at(*ns as f64 / 1000.0) * SIDE / 100.0;
        let y = |share: f64| SIDE * (1.0 - height(share));
        d.push_str(&format!("{}{x:.1},{:.1}", if d.is_empty() { "M" } else { "L" }, y(seen / of)));
        seen += *count as f64;
        d.push_str(&format!("L{x:.1},{:.1}", y(seen / of)));
    }
    d
}

/// Microseconds with the unit that reads best.
fn time(us: f64) -> String {
    match us {
        us if us < 1000.0 => format!("{us} µs"),
        us if us < 1e6 => format!("{} ms", us / 1000.0),
        us => format!("{} s", us / 1e6),
    }
}

fn quantile(curve: &Histogram, share: f64) -> String {
    curve.quantile_ns(share).map_or_else(|| "–".into(), |ns| figure(ns as f64 / 1000.0))
}

fn quantiles_in_words(plot: &Plot) -> String {
    let one = |(name, curve): &(String, Histogram)| {
        format!("{name} median {} µs, p99 {} µs", quantile(curve, 0.5), quantile(curve, 0.99))
    };
    plot.curves.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn table(report: &Report, plot: &Plot) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "µs" } th { "p50" } th { "p90" } th { "p99" } th { "p99.9" } th { "longest" } th { "probes" } } }
            tbody { @for (name, curve) in &plot.curves { tr {
                th scope="row" { span class={ "key " (super::colour(report, name)) } {} (name) }
                @for share in [0.5, 0.9, 0.99, 0.999, 1.0] { td { (quantile(curve, share)) } }
                td { (figure(curve.len() as f64)) }
            } } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nine_takes_as_much_room() {
        let heights = [0.0, 0.9, 0.99, 0.999, 0.9999].map(height);
        for (index, height) in heights.iter().enumerate() {
            assert!((height - index as f64 / 4.0).abs() < 1e-9, "{heights:?}");
        }
        assert_eq!(height(1.0), height(SHARE_MAX));
    }

    #[test]
    fn a_curve_rises_to_the_top() {
        let curve = Histogram { interval_us: 1000, buckets: vec![(100_000, 90), (1_000_000, 10)] };
        let axis = LogAxis::over([100.0, 1000.0], 0.1, 1e8);
        let d = path(&curve, &axis);
        assert!(d.starts_with('M') && d.ends_with(",0.0"), "{d}");
        assert_eq!(d.matches('L').count(), 3);
    }
}
