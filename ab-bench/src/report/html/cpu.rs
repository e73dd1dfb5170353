//! Where CPU time goes: stacked bars per GB, and the steps from all-C to all-Rust.

use maud::{Markup, html};

use super::axis::{Linear, percent};
use crate::ab::schema::{AGAIN, Metric, Phase, Report, Rig, Way};
use crate::report::words::figure;
use crate::stats::median;

/// What a bar is made of; the whole machine is their sum.
struct Stack {
    contestant: String,
    /// Client in user mode, client in the kernel, far end, everything else; s/GB.
    parts: [f64; 4],
}

const PARTS: [(&str, &str); 4] = [
    ("user", "client, user"),
    ("system", "client, kernel"),
    ("server", "far end"),
    ("rest", "rest of the machine: traffic, soft interrupts"),
];

pub(super) fn section(report: &Report) -> Markup {
    let plots: Vec<_> = places_and_ways(report)
        .into_iter()
        .map(|(rig, setting, way)| (stacks(report, rig, &setting, way), rig, setting, way))
        .filter(|(stacks, ..)| !stacks.is_empty())
        .collect();
    html! {
        @if !plots.is_empty() {
            section #cpu {
                h2 { "CPU time per GB" }
                p.lead {
                    "CPU-seconds for 10⁹ bytes of payload, medians. The two blue parts are the client, which is what is compared; the "
                    "grey ones are what it makes others do. A gain that moved work to someone else would show here."
                    @if report.calibration.is_some() { " The mark is the " a href="#limits" { "physical limit" } " of a client." }
                }
                p.legend { @for (class, words) in PARTS { span { span class={ "key part " (class) } {} (words) } } }
                div.beside {
                    @for (stacks, rig, setting, way) in &plots {
                        figure {
                            h3 { (way_title(*way)) @if report.places().len() > 1 { " · " (super::place_title(report, *rig, setting)) } }
                            (bars(report, stacks, limit(report, *rig, setting, *way)))
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn way_title(way: Way) -> &'static str {
    match way {
        Way::Up => "Up: client to server",
        Way::Down => "Down: server to client",
        Way::Both => "Both at once",
        Way::None => "",
    }
}

fn places_and_ways(report: &Report) -> Vec<(Rig, String, Way)> {
    let ways = [Way::Up, Way::Down, Way::Both];
    report.places().into_iter().flat_map(|(rig, setting)| ways.map(|way| (rig, setting.clone(), way))).collect()
}

fn limit(report: &Report, rig: Rig, setting: &str, way: Way) -> Option<f64> {
    let limits = &report.calibration.as_ref()?.limits;
    let is_it = |limit: &&crate::ab::schema::Limit| {
        (limit.rig, &limit.setting[..], limit.way, limit.metric) == (rig, setting, way, Metric::CpuSPerGb)
    };
    limits.iter().find(is_it).map(|limit| limit.value)
}

/// The median of a contestant's undisturbed runs.
pub(super) fn median_of(report: &Report, rig: Rig, setting: &str, way: Way, name: &str, metric: Metric) -> Option<f64> {
    let runs = report.runs.iter().filter(|run| {
        (run.rig, &run.setting[..], run.way, run.phase) == (rig, setting, way, Phase::Ab)
            && run.contestant == name
            && run.contestant != AGAIN
            && !run.disturbed
    });
    let figures: Vec<f64> = runs.filter_map(|run| run.metrics.get(&metric).copied()).collect();
    (!figures.is_empty()).then(|| median(&figures))
}

fn stacks(report: &Report, rig: Rig, setting: &str, way: Way) -> Vec<Stack> {
    let stack = |name: &String| {
        let of = |metric| median_of(report, rig, setting, way, name, metric);
        let client = of(Metric::CpuSPerGb)?;
        // The split comes from coarser clocks than the sum, so only its proportion is used.
        let (user, system) = (of(Metric::CpuUserSPerGb).unwrap_or(0.0), of(Metric::CpuSystemSPerGb).unwrap_or(0.0));
        let share = if user + system > 0.0 { user / (user + system) } else { 1.0 };
        let server = of(Metric::ServerCpuSPerGb).unwrap_or(0.0);
        let rest = of(Metric::MachineCpuSPerGb).map_or(0.0, |machine| (machine - client - server).max(0.0));
        Some(Stack { contestant: name.clone(), parts: [client * share, client * (1.0 - share), server, rest] })
    };
    report.contestants.iter().filter_map(|contestant| stack(&contestant.name)).collect()
}

fn bars(report: &Report, stacks: &[Stack], limit: Option<f64>) -> Markup {
    let axis = Linear::over(stacks.iter().map(|stack| stack.parts.iter().sum()));
    html! {
        div.bars data-plot="cpu" {
            @for stack in stacks {
                @let client = stack.parts[0] + stack.parts[1];
                @let words = stack.parts.iter().zip(PARTS).map(|(part, (_, name))| format!("{name} {}", figure(*part)));
                @let label = format!("{}: {} s/GB", stack.contestant, words.collect::<Vec<_>>().join(", "));
                div.bar-line {
                    span.name { span class={ "key " (super::colour(report, &stack.contestant)) } {} (stack.contestant) }
                    div.track role="img" aria-label=(label) title=(label) {
                        @for ((part, (class, _)), start) in stack.parts.iter().zip(PARTS).zip(starts(&stack.parts)) {
                            span class={ "part " (class) } style={ "left:" (percent(axis.at(start))) ";width:" (percent(axis.at(*part))) } {}
                        }
                        @if let Some(limit) = limit { span.limit style={ "left:" (percent(axis.at(limit))) } {} }
                    }
                    span.figures { b { (figure(client)) } " of " (figure(stack.parts.iter().sum())) }
                }
            }
            p.note { "The client’s s/GB, and the whole machine’s." }
        }
    }
}

fn starts(parts: &[f64]) -> Vec<f64> {
    parts.iter().scan(0.0, |sum, part| Some(std::mem::replace(sum, *sum + part))).collect()
}

/// One step on the way from C to Rust.
struct Step {
    name: String,
    class: &'static str,
    from: f64,
    to: f64,
}

/// Every swap alone, then all together.
pub(super) fn waterfall(report: &Report) -> Markup {
    let plots: Vec<(Rig, String, Way, Vec<Step>)> = places_and_ways(report)
        .into_iter()
        .filter_map(|(rig, setting, way)| Some((rig, setting.clone(), way, steps(report, rig, &setting, way)?)))
        .collect();
    html! {
        @if !plots.is_empty() {
            section #swaps {
                h2 { "From all C to all Rust" }
                p.lead {
                    "Client CPU-seconds per GB. Each step is what one swap changes when it alone runs on Rust. What is left over is what "
                    "only several together change: seams that fall away, or work counted twice."
                }
                div.beside {
                    @for (rig, setting, way, steps) in &plots {
                        figure {
                            h3 { (way_title(*way)) @if report.places().len() > 1 { " · " (super::place_title(report, *rig, setting)) } }
                            (fall(steps))
                        }
                    }
                }
            }
        }
    }
}

/// The swap that alone is on Rust in a contestant with these modes.
fn swap_alone(swaps: &str) -> Option<&str> {
    let alone = swaps.strip_prefix("*=c,")?.strip_suffix("=rust")?;
    (!alone.contains([',', '='])).then_some(alone)
}

fn steps(report: &Report, rig: Rig, setting: &str, way: Way) -> Option<Vec<Step>> {
    let cost = |name: &str| median_of(report, rig, setting, way, name, Metric::CpuSPerGb);
    let rust = super::candidate(report)?;
    // What the dispatcher costs belongs to no swap, so alone-contestants are held against it where it was measured.
    let (start, end) = (cost(&report.baseline)?, cost(&rust.name)?);
    let idle = report.contestants.iter().find(|contestant| contestant.swaps.as_deref() == Some("*=c"));
    let base = idle.and_then(|contestant| cost(&contestant.name)).unwrap_or(start);
    let mut steps = vec![Step { name: report.baseline.clone(), class: "whole", from: 0.0, to: start }];
    let mut at = start;
    let mut step = |name: String, change: f64, at: &mut f64| {
        let class = if change <= 0.0 { "less" } else { "more" };
        steps.push(Step { name, class, from: *at, to: *at + change });
        *at += change;
    };
    if idle.is_some() {
        step("the dispatcher".into(), base - start, &mut at);
    }
    let mut alone = 0;
    for contestant in &report.contestants {
        if let Some(name) = contestant.swaps.as_deref().and_then(swap_alone)
            && let Some(cost) = cost(&contestant.name)
        {
            step(name.to_owned(), cost - base, &mut at);
            alone += 1;
        }
    }
    if alone == 0 {
        return None;
    }
    step("together".into(), end - at, &mut at);
    steps.push(Step { name: rust.name.clone(), class: "whole", from: 0.0, to: end });
    Some(steps)
}

fn fall(steps: &[Step]) -> Markup {
    let axis = Linear::over(steps.iter().flat_map(|step| [step.from, step.to]));
    html! {
        div.bars.fall data-plot="waterfall" {
            @for step in steps {
                @let (left, right) = (step.from.min(step.to), step.from.max(step.to));
                @let change = if step.class == "whole" { figure(step.to) } else { format!("{:+.2}", step.to - step.from).replace('-', "−") };
                div.bar-line {
                    span.name { (step.name) }
                    div.track role="img" aria-label={ (step.name) ": " (change) " s/GB" } {
                        span class={ "step " (step.class) } style={ "left:" (percent(axis.at(left))) ";width:" (percent(axis.at(right) - axis.at(left))) } {}
                    }
                    span.figures { (change) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_swap_on_rust_is_alone() {
        assert_eq!(swap_alone("*=c,adapter=rust"), Some("adapter"));
        assert_eq!(swap_alone("*=c,adapter=rust,framing=rust"), None);
        assert_eq!(swap_alone("*=rust"), None);
        assert_eq!(swap_alone("*=c"), None);
    }

    #[test]
    fn parts_stand_on_one_another() {
        assert_eq!(starts(&[1.0, 2.0, 3.0]), [0.0, 1.0, 3.0]);
    }
}
