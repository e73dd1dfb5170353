//! What is needed to believe the report and to repeat it: noise, what was left out, who and what ran, every row.

use maud::{Markup, html};

use super::cpu::way_title;
use crate::ab::schema::{ContestantFacts, Report, Setting};
use crate::report::rows::Row;
use crate::report::table::cells;
use crate::report::words::{figure, per_cent};
use crate::report::{date, words};

pub(super) fn noise(report: &Report) -> Markup {
    let rule = report.rejection_rule;
    html! {
        section #noise {
            h2 { "Noise, and what was left out" }
            dl {
                dt { "Noise floor" }
                dd {
                    @match report.noise() {
                        Some(noise) => { "±" (per_cent(noise)) ": the widest half of an interval of " (report.baseline) " against itself, in client CPU and goodput." },
                        None => "unknown: too few pairs of the baseline with itself.",
                    }
                    @if let Some(floor) = report.noise_floor_max {
                        " Asked for was at most ±" (per_cent(floor)) ", so the report is " b { (if report.is_void() { "void" } else { "good" }) } "."
                    }
                }
                dt { "Rejected" }
                dd {
                    "A run is disturbed if other machines took more than " (per_cent(rule.steal_share_max)) " of all processors’ time, or foreign programs more than "
                    (per_cent(rule.foreign_share_max)) "; its pairs are left out. This was fixed beforehand. "
                    @if report.rejected_pairs.is_empty() { "None was." } @else { (report.rejected_pairs.len()) " pairs were." }
                }
                dt { "Failed" }
                dd { @if report.failures.is_empty() { "Nothing." } @else { (report.failures.len()) ", listed at the top." } }
            }
            @if !report.rejected_pairs.is_empty() {
                details { summary { "Every rejected pair" } div.scroll { table {
                    thead { tr { th { "who" } th { "where" } th { "phase, round" } th { "what" } th { "reason" } } }
                    tbody { @for pair in &report.rejected_pairs { tr {
                        th scope="row" { (pair.contestant) }
                        td.text { (pair.rig.name()) " " (pair.setting) }
                        td.text { (format!("{:?}", pair.phase)) " " (pair.round) }
                        td.text { (format!("{:?}", pair.workload)) " " (pair.way.name()) }
                        td.text { (pair.reason) }
                    } } }
                } } }
            }
        }
    }
}

pub(super) fn contestants(report: &Report) -> Markup {
    html! {
        section #contestants {
            h2 { "Contestants" }
            div.beside { @for contestant in &report.contestants { article { (contestant_facts(report, contestant)) } } }
        }
    }
}

fn contestant_facts(report: &Report, contestant: &ContestantFacts) -> Markup {
    html! {
        h3 { span class={ "key " (super::colour(report, &contestant.name)) } {} (contestant.name)
            @if contestant.name == report.baseline { " " small { "the baseline" } } }
        dl.small {
            @if !contestant.what.is_empty() { dt { "What" } dd { (contestant.what) } }
            @if !contestant.version.is_empty() { dt { "Version" } dd { (contestant.version) } }
            @if let Some(swaps) = &contestant.swaps { dt { "Swaps" } dd { code { (swaps) } } }
            @if let Some(build) = &contestant.build {
                dt { "Build" } dd { (build.implementation) ", SHA-256 " code { (build.sha256.get(..16).unwrap_or(&build.sha256)) } "…"
                    @for flag in &build.flags { " " code { (flag) } } }
            }
            @for seen in &contestant.observed {
                dt { "Seen" }
                dd { (seen.rig.name()) " " (seen.setting) ": " @if seen.cipher.is_empty() { "cipher unknown" } @else { (seen.cipher) }
                    ", outer TCP " (or_unknown(&seen.outer_congestion_control)) ", inner TCP " (or_unknown(&seen.inner_congestion_control)) }
            }
        }
    }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

/// Every row as a table.
pub(super) fn rows(report: &Report) -> Markup {
    let several = report.places().len() > 1;
    html! {
        section #rows {
            h2 { "All rows" }
            details {
                summary { (report.rows.len()) " rows, from " (report.runs.len()) " runs" }
                div.scroll { table {
                    thead { tr {
                        @if several { th { "where" } }
                        @for title in ["metric", "way", "who", "median", "baseline", "ratio", "95 %", "p", "verdict", "noise", "of the limit"] { th { (title) } }
                    } }
                    tbody { @for row in &report.rows { (row_cells(report, row, several)) } }
                } }
            }
        }
    }
}

fn row_cells(report: &Report, row: &Row, several: bool) -> Markup {
    html! {
        tr {
            @if several { td.text { (row.rig.name()) " " (row.setting) } }
            @for (index, cell) in cells(row).into_iter().enumerate() {
                @if index < 3 || index == 8 { td.text { (cell) } } @else { td { (cell) } }
            }
            td { @if let Some(noise) = row.noise { "±" (per_cent(noise)) } @else { "–" } }
            td { (report.reached(row).map_or_else(|| "–".into(), |(_, share)| words::per_cent(share))) }
        }
    }
}

pub(super) fn repeat(report: &Report) -> Markup {
    let (host, effort) = (&report.host, &report.effort);
    let facts: [(&str, String); 14] = [
        ("Began", date::date(report.started_unix_s)),
        ("Commit", host.git_commit.clone()),
        (
            "Effort",
            format!(
                "{}: {} A/A pairs, {} rounds, {} s per run",
                effort.name,
                effort.aa_rounds,
                effort.rounds,
                figure(effort.seconds_per_run)
            ),
        ),
        ("Seed", report.seed.to_string()),
        ("Processor", format!("{} × {}", host.cpus, host.cpu)),
        ("Its flags", host.cpu_flags.join(" ")),
        (
            "Memory",
            if host.memory_bytes > 0 {
                format!("{} GB", figure(host.memory_bytes as f64 / 1e9))
            } else {
                String::new()
            },
        ),
        ("Hypervisor", host.hypervisor.clone()),
        ("System", format!("{} Linux {}", host.os, host.kernel)),
        ("Mitigations", host.mitigations.join("; ")),
        ("Governor", host.governor.clone()),
        ("Pinning", host.pinning.clone()),
        ("iperf3", host.iperf3.clone()),
        ("OpenSSL", host.openssl.clone()),
    ];
    html! {
        section #repeat {
            h2 { "Repeat it" }
            @if !report.command.is_empty() { pre { code { (report.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")) } } }
            div.beside {
                dl.small { @for (name, value) in facts.iter().filter(|(_, value)| !value.trim().is_empty()) { dt { (name) } dd { (value) } } }
                dl.small {
                    @for rig in &report.rigs {
                        dt { "Rig" }
                        dd { (rig.rig.name()) ": " (rig.far_end) " " (rig.version) ", veth MTU " (rig.mtu)
                            @if !rig.offloads.is_empty() { ", " (rig.offloads.join(" ")) } }
                    }
                    @for setting in &report.settings { dt { "Setting" } dd { b { (setting.id) } ": " (setting_words(setting)) } }
                    dt { "Ways" } dd { (way_title(crate::ab::schema::Way::Up)) "; " (way_title(crate::ab::schema::Way::Down)) }
                }
            }
        }
    }
}

/// A word of a command line as a shell wants it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn setting_words(setting: &Setting) -> String {
    let mut words =
        vec![format!("{} TCP connection{}", setting.connections, if setting.connections == 1 { "" } else { "s" })];
    let flags = [
        (setting.half_duplex, "half duplex"),
        (setting.encrypt, "encrypted"),
        (!setting.encrypt, "not encrypted"),
        (setting.compress, "compressed"),
        (setting.udp_acceleration, "UDP acceleration"),
    ];
    words.extend(flags.iter().filter(|(is_on, _)| *is_on).map(|(_, name)| (*name).to_owned()));
    words.push(format!("MTU {}", setting.mtu));
    words.push(format!("{} inner stream{}", setting.streams, if setting.streams == 1 { "" } else { "s" }));
    words.extend(setting.payload_bytes.map(|bytes| format!("{bytes} bytes a write")));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(quoted("--swaps"), "--swaps");
        assert_eq!(quoted("adapter=*=c,adapter=rust"), "'adapter=*=c,adapter=rust'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
