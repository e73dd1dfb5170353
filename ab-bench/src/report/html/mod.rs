//! report.html: one file without scripts, fonts or links to load, for light and dark, phone and desk.
//!
//! Plots are HTML and SVG placed in per cent, so they take the width there is while text keeps its size. Everything
//! that a plot shows is also in words or in a table. `style.css` holds the looks; the sections follow in their files.

mod axis;
mod cpu;
mod facts;
mod flames;
mod latency;
mod limits;
mod micro;
mod ratios;
mod sweep;
mod top;

pub(super) use axis::LogAxis;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::ab::schema::{ContestantFacts, Report, Rig};

const STYLE: &str = include_str!("style.css");

/// The whole page.
#[must_use]
pub fn html(report: &Report) -> String {
    let sections = [
        top::verdicts(report),
        ratios::section(report),
        cpu::section(report),
        cpu::waterfall(report),
        sweep::section(report),
        latency::section(report),
        limits::section(report),
        flames::section(report),
        micro::section(report),
        facts::noise(report),
        facts::contestants(report),
        facts::rows(report),
        facts::repeat(report),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "cutover-ab " (env!("CARGO_PKG_VERSION")) };
                title { (top::title(report)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (top::masthead(report))
                (contents(&sections))
                main { @for section in sections { (section) } }
                footer {
                    "Made by cutover-ab " (env!("CARGO_PKG_VERSION")) ". Every figure here comes from report.json beside this page; "
                    "docs/BENCH.md explains each."
                }
            }
        }
    };
    page.into_string()
}

/// Links to the sections that there are.
fn contents(sections: &[Markup]) -> Markup {
    const LINKS: [(&str, &str); 14] = [
        ("verdicts", "Verdicts"),
        ("ratios", "Ratios"),
        ("cpu", "CPU"),
        ("swaps", "Swap by swap"),
        ("sweeps", "Settings"),
        ("latency", "Latency"),
        ("limits", "Limit"),
        ("profiles", "Flamegraphs"),
        ("syscalls", "System calls"),
        ("micro", "Micro"),
        ("noise", "Noise"),
        ("contestants", "Contestants"),
        ("rows", "All rows"),
        ("repeat", "Repeat it"),
    ];
    let is_there = |id: &str| sections.iter().any(|section| section.0.contains(&format!("<section id=\"{id}\"")));
    html! {
        nav aria-label="Sections" { @for (id, name) in LINKS { @if is_there(id) { a href={ "#" (id) } { (name) } } } }
    }
}

/// Who is held against the baseline first: `rust`, or else the first one that is not the baseline.
#[must_use]
pub fn candidate(report: &Report) -> Option<&ContestantFacts> {
    let others = || report.contestants.iter().filter(|contestant| contestant.name != report.baseline);
    others().find(|contestant| contestant.name == "rust").or_else(|| others().next())
}

/// The class that gives a contestant its colour and dash in all plots.
fn colour(report: &Report, name: &str) -> String {
    if name == report.baseline {
        return "hue-0".into();
    }
    let others = report.contestants.iter().filter(|contestant| contestant.name != report.baseline);
    let index = others.map(|contestant| &contestant.name).position(|other| other == name).unwrap_or(0);
    format!("hue-{}", 1 + index % 7)
}

/// A rig and a setting as a heading.
fn place_title(report: &Report, rig: Rig, setting: &str) -> String {
    let far_end = report.rigs.iter().find(|facts| facts.rig == rig).map_or("", |facts| &facts.far_end);
    let rig = match rig {
        Rig::Real => format!("Real server ({far_end})"),
        Rig::Peer => "Fast peer".to_owned(),
        Rig::Production => "Production".to_owned(),
    };
    let settings: std::collections::BTreeSet<&str> = report.runs.iter().map(|run| &run.setting[..]).collect();
    if settings.len() > 1 { format!("{rig}, {setting}") } else { rig }
}
