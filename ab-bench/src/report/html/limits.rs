//! The physical limit: what it is made of, and how near each contestant comes.

use maud::{Markup, html};

use super::axis::{Linear, percent};
use super::cpu::way_title;
use crate::ab::schema::{Calibration, Limit, Metric, Report};
use crate::report::rows::Row;
use crate::report::words::{figure, per_cent};

pub(super) fn section(report: &Report) -> Markup {
    let Some(calibration) = &report.calibration else {
        return html! {};
    };
    let limits: Vec<&Limit> = calibration.limits.iter().filter(|limit| limit.metric == Metric::CpuSPerGb).collect();
    html! {
        section #limits {
            h2 { "The physical limit" }
            p.lead {
                "What no client on this machine can leave out, each step timed alone in the same session in its cheapest form, and "
                "summed per GB of payload. A client also waits, wakes, sorts and acknowledges, so nobody reaches 100 %."
            }
            div.beside { @for limit in &limits { figure { (sum(report, calibration, limit)) } } }
            @if !calibration.missing.is_empty() {
                p.warning { "Not timed: " (calibration.missing.join("; ")) "." }
            }
            (primitives(calibration))
        }
    }
}

fn sum(report: &Report, calibration: &Calibration, limit: &Limit) -> Markup {
    let reached: Vec<(&Row, f64)> = report
        .rows
        .iter()
        .filter_map(|row| report.reached(row).filter(|(of, _)| std::ptr::eq(*of, limit)).map(|(_, share)| (row, share)))
        .collect();
    let axis = Linear::over([limit.value]);
    html! {
        h3 { (way_title(limit.way)) @if report.places().len() > 1 { " · " (super::place_title(report, limit.rig, &limit.setting)) } }
        div.bars data-plot="limit" {
            @for ((name, part), start) in limit.parts.iter().zip(starts(limit)) {
                div.bar-line {
                    span.name { (what(calibration, name)) }
                    div.track { span.part.limit-part style={ "left:" (percent(axis.at(start))) ";width:" (percent(axis.at(*part))) } {} }
                    span.figures { (figure(*part)) }
                }
            }
            div.bar-line.total { span.name { b { "limit" } } div.track {} span.figures { b { (figure(limit.value)) } " s/GB" } }
        }
        p.note {
            @for (row, share) in &reached {
                @if row.is_noise() { (row.baseline) } @else { (row.contestant) } " reaches " b { (per_cent(*share)) } ". "
            }
        }
    }
}

fn starts(limit: &Limit) -> Vec<f64> {
    limit.parts.iter().scan(0.0, |sum, (_, part)| Some(std::mem::replace(sum, *sum + part))).collect()
}

fn what<'a>(calibration: &'a Calibration, name: &'a str) -> &'a str {
    calibration.primitives.iter().find(|primitive| primitive.name == name).map_or(name, |primitive| &primitive.what)
}

fn primitives(calibration: &Calibration) -> Markup {
    html! {
        div.scroll { table {
            caption { "The steps by themselves: median, least and most" }
            thead { tr { th { "step" } th { "cost" } th { "from" } th { "to" } th.unit { "unit" } } }
            tbody { @for primitive in &calibration.primitives { tr {
                th scope="row" { (primitive.what) }
                td { (figure(primitive.cost.value)) } td { (figure(primitive.cost.low)) } td { (figure(primitive.cost.high)) }
                td.unit { (primitive.unit) }
            } } }
        } }
    }
}
