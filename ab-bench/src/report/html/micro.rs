//! The swaps by themselves, in one process: nanoseconds, instructions and allocations per call.

use maud::{Markup, html};

use super::axis::{LogAxis, percent};
use crate::ab::schema::{MicroRow, Report, Rig};
use crate::report::words::figure;

const TICKS: usize = 7;

/// The sides of one benchmark.
struct Bench<'a> {
    name: &'a str,
    c: &'a MicroRow,
    rust: &'a MicroRow,
    dispatched: Option<&'a MicroRow>,
}

impl Bench<'_> {
    fn ratio(&self) -> f64 {
        self.rust.ns.value / self.c.ns.value
    }

    /// From the intervals' ends: wider than an interval of the ratio would be.
    fn ends(&self) -> (f64, f64) {
        (self.rust.ns.low / self.c.ns.high, self.rust.ns.high / self.c.ns.low)
    }
}

fn benches(report: &Report) -> Vec<Bench<'_>> {
    let side = |bench: &str, side: &str| report.micro.iter().find(|row| row.bench == bench && row.side == side);
    let c = report.micro.iter().filter(|row| row.side == "c");
    c.filter_map(|c| {
        Some(Bench { name: &c.bench, c, rust: side(&c.bench, "rust")?, dispatched: side(&c.bench, "dispatched") })
    })
    .collect()
}

pub(super) fn section(report: &Report) -> Markup {
    let benches = benches(report);
    let axis = LogAxis::over(benches.iter().flat_map(|bench| [bench.ends().0, bench.ends().1, 0.8, 1.25]), 0.02, 50.0);
    html! {
        @if !benches.is_empty() {
            section #micro {
                h2 { "Every swap by itself" }
                @if report.rigs.iter().any(|facts| facts.rig == Rig::Production) { p.lead {
                    "The calls of one client that its switch has timed, on either side, whatever they had to do: not the same "
                    "work. The clock is in them."
                } } @else { p.lead {
                    "C and Rust in one process, the same work on both sides: that of the swap’s differential test. Instructions and heap "
                    "allocations are counted by callgrind, the same way for both. “Dispatched” is C behind the switch: its distance "
                    "to C is what being able to switch costs."
                } }
                div.scroll { table.micro data-plot="micro" {
                    thead { tr {
                        th { "swap" } th.wide { "Rust / C, time" } th { "C ns" } th { "Rust ns" } th { "dispatched ns" }
                        th { "C instr." } th { "Rust instr." } th { "C allocs" } th { "Rust allocs" }
                    } }
                    tbody { @for bench in &benches { tr {
                        th scope="row" { code { (bench.name) } }
                        td.wide { (dot(bench, &axis)) }
                        td { (figure(bench.c.ns.value)) } td { (figure(bench.rust.ns.value)) }
                        td { (optional(bench.dispatched.map(|row| row.ns.value))) }
                        td { (optional(bench.c.instructions)) } td { (optional(bench.rust.instructions)) }
                        td { (optional(bench.c.allocations)) } td { (optional(bench.rust.allocations)) }
                    } } }
                } }
            }
        }
    }
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), figure)
}

fn dot(bench: &Bench<'_>, axis: &LogAxis) -> Markup {
    let (low, high) = bench.ends();
    let class = if high < 1.0 {
        "better"
    } else if low > 1.0 {
        "worse"
    } else {
        "open"
    };
    let label = format!("{}: Rust takes {} times the time of C", bench.name, figure(bench.ratio()));
    html! {
        div class={ "line " (class) } { div.track {
            svg role="img" aria-label=(label) {
                title { (label) }
                @for tick in axis.ticks(TICKS) {
                    line.grid x1=(percent(axis.at(tick))) x2=(percent(axis.at(tick))) y1="0" y2="100%" {}
                }
                line.one x1=(percent(axis.at(1.0))) x2=(percent(axis.at(1.0))) y1="0" y2="100%" {}
                line.bar x1=(percent(axis.at(low))) x2=(percent(axis.at(high))) y1="50%" y2="50%" {}
                circle.mean cx=(percent(axis.at(bench.ratio()))) cy="50%" r="4.5" {}
            }
        } span.figures { (figure(bench.ratio())) " ×" } }
    }
}
