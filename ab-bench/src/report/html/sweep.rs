//! Sweeps: what client CPU and goodput become over the values of one setting, for every contestant.

use maud::{Markup, html};

use super::axis::{Linear, percent};
use super::cpu::{median_of, way_title};
use crate::ab::DEFAULT_SETTING;
use crate::ab::schema::{Metric, Report, Rig, Setting, Way};
use crate::report::words::figure;

/// Side of the square that curves are drawn in before it is stretched over the plot.
const SIDE: f64 = 1000.0;

/// One setting's values, each with the id of what was measured.
struct Sweep<'a> {
    key: &'a str,
    points: Vec<(String, &'a str)>,
}

/// What one picture shows.
struct Plot<'a> {
    rig: Rig,
    sweep: &'a Sweep<'a>,
    metric: Metric,
    way: Way,
    /// Contestants with a figure for each point, where there is one.
    curves: Vec<(&'a str, Vec<Option<f64>>)>,
}

pub(super) fn section(report: &Report) -> Markup {
    let sweeps = sweeps(report);
    let plots: Vec<Plot<'_>> = sweeps.iter().flat_map(|sweep| plots(report, sweep)).collect();
    html! {
        @if !plots.is_empty() {
            section #sweeps {
                h2 { "Setting by setting" }
                p.lead {
                    "One thing is changed at a time and everything else stays as in the default. Medians; whether two differ is said by "
                    "the ratios, setting by setting."
                }
                div.beside { @for plot in &plots { (figure_of(report, plot)) } }
            }
        }
    }
}

/// The sweeps of a report: every key that has at least two values, the default's included.
fn sweeps(report: &Report) -> Vec<Sweep<'_>> {
    let key_of = |setting: &'_ Setting| setting.id.split_once('=').map(|(key, _)| key.to_owned());
    let mut sweeps: Vec<Sweep<'_>> = Vec::new();
    for setting in &report.settings {
        let Some((key, _)) = setting.id.split_once('=') else { continue };
        if sweeps.iter().any(|sweep| sweep.key == key) {
            continue;
        }
        let is_point = |other: &&Setting| other.id == DEFAULT_SETTING || key_of(other).as_deref() == Some(key);
        let points = report.settings.iter().filter(is_point).map(|point| (value(point, key), &point.id[..])).collect();
        sweeps.push(Sweep { key, points });
    }
    sweeps.retain(|sweep| sweep.points.len() > 1);
    sweeps
}

/// A setting's value of a key, as `--sweep` names it.
fn value(setting: &Setting, key: &str) -> String {
    let yes = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    match (key, setting.id.split_once('=')) {
        (_, Some((_, value))) => value.to_owned(),
        ("connections", _) => setting.connections.to_string(),
        ("streams", _) => setting.streams.to_string(),
        ("half_duplex", _) => yes(setting.half_duplex),
        ("encrypt", _) => yes(setting.encrypt),
        ("compress", _) => yes(setting.compress),
        ("udp_acceleration", _) => yes(setting.udp_acceleration),
        _ => DEFAULT_SETTING.to_owned(),
    }
}

fn plots<'a>(report: &'a Report, sweep: &'a Sweep<'a>) -> Vec<Plot<'a>> {
    let mut plots = Vec::new();
    for rig in [Rig::Real, Rig::Peer] {
        for metric in [Metric::CpuSPerGb, Metric::GoodputGbitPerS] {
            for way in [Way::Up, Way::Down] {
                let curve = |name: &'a str| {
                    let figures: Vec<Option<f64>> =
                        sweep.points.iter().map(|(_, id)| median_of(report, rig, id, way, name, metric)).collect();
                    (figures.iter().flatten().count() > 1).then_some((name, figures))
                };
                let curves: Vec<_> = report.contestants.iter().filter_map(|one| curve(&one.name)).collect();
                if !curves.is_empty() {
                    plots.push(Plot { rig, sweep, metric, way, curves });
                }
            }
        }
    }
    plots
}

fn figure_of(report: &Report, plot: &Plot<'_>) -> Markup {
    let highest = plot.curves.iter().flat_map(|(_, figures)| figures.iter().copied().flatten());
    let axis = Linear::over(highest);
    let last = (plot.sweep.points.len() - 1).max(1) as f64;
    // A little room left and right of the outermost values.
    let across = |index: usize| 4.0 + 92.0 * index as f64 / last;
    let heights = [0.25, 0.5, 0.75, 1.0].map(|share| axis.top() * share);
    let several_rigs = report.rigs.len() > 1;
    let title = format!("{}, {}", plot.metric.what(), plot.sweep.key);
    html! {
        figure.latency {
            h3 { (title) " · " (way_title(plot.way)) @if several_rigs { " · " (plot.rig.name()) } }
            div.curves.short data-plot="sweep" role="img" aria-label={ (title) ", " (plot.way.name()) ": " (in_words(plot)) } {
                @for height in heights {
                    span.share style={ "bottom:calc(" (percent(axis.at(height))) " - .6em)" } { (figure(height)) }
                }
                svg.area preserveAspectRatio="none" viewBox={ "0 0 " (SIDE) " " (SIDE) } aria-hidden="true" {
                    @for height in std::iter::once(0.0).chain(heights) {
                        @let y = SIDE * (1.0 - axis.at(height) / 100.0);
                        line.grid x1="0" x2=(SIDE) y1=(y) y2=(y) {}
                    }
                    @for (name, figures) in &plot.curves {
                        path class={ "curve " (super::colour(report, name)) } d=(path(figures, &axis, across)) {}
                    }
                }
                @for (name, figures) in &plot.curves {
                    @for (index, figure) in figures.iter().enumerate() {
                        @if let Some(figure) = figure {
                            span class={ "point " (super::colour(report, name)) }
                                style={ "left:" (percent(across(index))) ";bottom:" (percent(axis.at(*figure))) } {}
                        }
                    }
                }
                @for (index, (value, _)) in plot.sweep.points.iter().enumerate() {
                    span.tick style={ "left:" (percent(across(index))) } { (value) }
                }
            }
            (table(report, plot))
        }
    }
}

fn path(figures: &[Option<f64>], axis: &Linear, across: impl Fn(usize) -> f64) -> String {
    let mut d = String::new();
    for (index, value) in figures.iter().enumerate() {
        let Some(value) = value else { continue };
        let (x, y) = (across(index) * SIDE / 100.0, SIDE * (1.0 - axis.at(*value) / 100.0));
        d.push_str(&format!("{}{x:.1},{y:.1}", if d.is_empty() { "M" } else { "L" }));
    }
    d
}

fn in_words(plot: &Plot<'_>) -> String {
    let one = |(name, figures): &(&str, Vec<Option<f64>>)| {
        let figures: Vec<String> = figures.iter().map(|value| value.map_or_else(|| "–".into(), figure)).collect();
        format!("{name} {}", figures.join(", "))
    };
    let values: Vec<&str> = plot.sweep.points.iter().map(|(value, _)| &value[..]).collect();
    format!("for {}: {}", values.join(", "), plot.curves.iter().map(one).collect::<Vec<_>>().join("; "))
}

fn table(report: &Report, plot: &Plot<'_>) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { (plot.metric.unit()) } @for (value, _) in &plot.sweep.points { th { (value) } } } }
            tbody {
                @for (name, figures) in &plot.curves { tr {
                    th scope="row" { span class={ "key " (super::colour(report, name)) } {} (name) }
                    @for value in figures { td { (value.map_or_else(|| "–".into(), figure)) } }
                } }
            }
        } }
    }
}
