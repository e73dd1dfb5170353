//! The answers of a running client as tables for people, and the types that say what is in them.
//! Pure: JSON in, text out.

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod rollout;

use rollout::notes;
pub use rollout::{explain, watch};

/// The answer to `swaps`, as far as the table shows it; `--json` prints all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SwapTable {
    /// Raised when a field changes its meaning.
    pub schema_version: u64,
    /// One entry per swap, in the registry's order.
    pub swaps: Vec<SwapRow>,
    /// The plan, if there is one.
    pub plan: Option<PlanRow>,
    /// What single swaps refused.
    pub refused: Vec<String>,
    /// The stop file keeps everything on C.
    pub stopped: bool,
}

/// The plan in motion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PlanRow {
    /// Its name.
    pub name: String,
    /// The step, from 1.
    pub step: u64,
    /// How many there are.
    pub steps: u64,
    /// The stage, such as `rust@10%`.
    pub stage: String,
    /// How long it has lasted.
    pub seconds: u64,
    /// `running`, `done` or `stopped`.
    pub state: String,
    /// What it waits for, or why it stopped.
    pub why: Option<String>,
}

/// One swap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SwapRow {
    /// The Rust name, such as `new_block`.
    pub name: String,
    /// The C symbol, such as `NewBlock`.
    pub symbol: String,
    /// The C file that defines it.
    pub file: String,
    /// The group it is switched with.
    pub group: String,
    /// `pure`, `cloned` or `effect`.
    pub contract: String,
    /// `c`, `shadow` or `rust`.
    pub mode: String,
    /// The share of sessions or calls the mode applies to.
    pub percent: Option<u64>,
    /// Why it was put back on C, if it was.
    pub demoted: Option<String>,
    /// `not run`, `passed`, or `failed: ` and the reason.
    pub self_test: String,
    /// Calls per side.
    pub calls: Calls,
    /// Shadow comparisons that differed.
    pub mismatches: u64,
    /// Panics of the Rust side.
    pub panics: u64,
    /// Calls given to Rust that C served in the end.
    pub fallbacks: u64,
    /// The plan's stage, for swaps that a plan moves.
    pub stage: Option<String>,
    /// Why it is in its mode.
    pub why: String,
    /// Sampled times.
    pub ns: Sides,
}

/// Sampled times of each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Sides {
    /// C's.
    pub c: Times,
    /// Rust's.
    pub rust: Times,
}

/// Nanoseconds per call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Times {
    /// The mean.
    pub mean: Option<u64>,
    /// An upper bound of the 99th percentile.
    pub p99: Option<u64>,
}

/// How often each side ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Calls {
    /// C alone.
    pub c: u64,
    /// Rust alone.
    pub rust: u64,
    /// Both, compared.
    pub shadow: u64,
}

impl Calls {
    fn sum(self) -> u64 {
        self.c.saturating_add(self.rust).saturating_add(self.shadow)
    }
}

/// The answer to `status`. Fields that mean nothing in a state are absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Raised when a field changes its meaning.
    pub schema_version: u64,
    /// The instance.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// `connecting`, `connected`, `waiting` (to connect again) or `ending`.
    pub state: String,
    /// How long it has been in that state.
    pub state_seconds: u64,
    /// `host:port`.
    pub server: String,
    /// The hub.
    pub hub: String,
    /// The user.
    pub user: String,
    /// The server's name for the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The TLS cipher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// TCP connections in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Whether frames go by UDP at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_acceleration: Option<bool>,
    /// The side that moves frames between interface and session: `c` or `rust`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The way of the session's frames: `fused` (one loop from TAP to TLS), `seams` (function by function, Rust's loop),
    /// or `c` (the C's loop).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why it is not a faster one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_reason: Option<String>,
    /// The interface's name.
    pub interface: String,
    /// Its addresses with prefix lengths.
    pub addresses: Vec<String>,
    /// Towards the server.
    pub sent: Traffic,
    /// From the server.
    pub received: Traffic,
    /// How often the session was made again.
    pub reconnects: u64,
    /// Why the last session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// Ethernet frames and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Bytes, Ethernet headers included.
    pub bytes: u64,
}

/// Renders the answer to `swaps` in at most `width` columns, if a width is given. Swaps that were
/// demoted, or failed their self-test, get a line of their own below the table.
///
/// # Errors
/// The answer is not of the form of [`SwapTable`].
pub fn swaps(answer: &Value, width: Option<u16>) -> Result<String, serde_json::Error> {
    let answer = SwapTable::deserialize(answer)?;
    let mut table = new_table(width);
    table.set_header([
        "function",
        "symbol",
        "file",
        "group",
        "contract",
        "mode",
        "c",
        "rust",
        "shadow",
        "mismatches",
        "panics",
    ]);
    for swap in &answer.swaps {
        let texts = [&swap.name, &swap.symbol, &swap.file, &swap.group, &swap.contract, &mode(swap)].map(Cell::new);
        let SwapRow { calls, mismatches, panics, .. } = swap;
        let counts = [calls.c, calls.rust, calls.shadow, *mismatches, *panics];
        let counts = counts.map(|count| Cell::new(count).set_alignment(CellAlignment::Right));
        table.add_row(texts.into_iter().chain(counts));
    }
    Ok(format!("{table}\n{}", notes(&answer)))
}

fn note(swap: &SwapRow) -> Option<String> {
    let SwapRow { name, demoted, self_test, .. } = swap;
    if let Some(why) = demoted {
        return Some(format!("! {name} was put back on C: {why}; `cutover swaps explain {name}` says more\n"));
    }
    let why = self_test.strip_prefix("failed: ")?;
    Some(format!("! {name} stays on C: its self-test failed: {why}\n"))
}

fn mode(swap: &SwapRow) -> String {
    let share = swap.percent.filter(|percent| *percent != 100).map(|percent| format!("@{percent}%"));
    let demoted = if swap.demoted.is_some() { " (demoted)" } else { "" };
    format!("{}{}{demoted}", swap.mode, share.unwrap_or_default())
}

/// Renders the answer to `status`.
///
/// # Errors
/// The answer is not of the form of [`Status`].
pub fn status(answer: &Value, width: Option<u16>) -> Result<String, serde_json::Error> {
    let status = Status::deserialize(answer)?;
    let mut table = new_table(width);
    let mut row = |label: &str, text: String| {
        if !text.is_empty() {
            table.add_row([label, &text]);
        }
    };
    row("name", format!("{} (process {})", status.name, status.pid));
    row("state", format!("{}, for {}", status.state, duration(status.state_seconds)));
    row("server", format!("{}, hub {}, user {}", status.server, status.hub, status.user));
    row("session", status.session.unwrap_or_default());
    row("cipher", status.cipher.unwrap_or_default());
    row("connections", connections(status.connections, status.udp_acceleration));
    row("adapter", status.adapter.unwrap_or_default());
    row("path", path(status.path, status.path_reason));
    row("interface", interface(&status.interface, &status.addresses));
    row("sent", traffic(status.sent));
    row("received", traffic(status.received));
    row("reconnects", status.reconnects.to_string());
    row("last error", status.last_error.unwrap_or_default());
    Ok(format!("{table}\n"))
}

fn connections(count: Option<u32>, udp: Option<bool>) -> String {
    let path = if udp == Some(true) { ", frames by UDP" } else { "" };
    count.map(|count| format!("{count} TCP{path}")).unwrap_or_default()
}

fn path(name: Option<String>, reason: Option<String>) -> String {
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    name.map(|name| format!("{name}{reason}")).unwrap_or_default()
}

fn interface(name: &str, addresses: &[String]) -> String {
    if addresses.is_empty() { name.to_owned() } else { format!("{name}, {}", addresses.join(", ")) }
}

fn traffic(traffic: Traffic) -> String {
    format!("{} frames, {}", traffic.frames, bytes(traffic.bytes))
}

fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let step = (1..units.len()).take_while(|step| count / 1000_u64.pow(*step as u32) > 0).last().unwrap_or(0);
    match units.get(step) {
        Some(unit) if step > 0 => format!("{:.2} {unit}", count as f64 / 1000_f64.powi(step as i32)),
        _ => format!("{count} B"),
    }
}

fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

fn new_table(width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> Value {
        json!({"schema_version": 1, "future": true, "swaps": [
            {"name": "new_block", "symbol": "NewBlock", "file": "Cedar/Connection.c", "group": "framing",
             "contract": "cloned", "mode": "rust", "percent": 10, "source": "environment", "demoted": null, "self_test": "passed",
             "calls": {"c": 12, "rust": u64::MAX, "shadow": 0}, "mismatches": 0, "panics": 0},
            {"name": "free_block", "symbol": "FreeBlock", "mode": "c", "demoted": "result differs", "mismatches": 3, "panics": 1},
            {"name": "read_fifo", "mode": "c", "self_test": "failed: empty FIFO"},
        ]})
    }

    #[test]
    fn swaps_have_a_row_each_and_the_demoted_a_note() {
        let text = swaps(&answer(), None).unwrap();
        for part in [
            "new_block",
            "NewBlock",
            "Cedar/Connection.c",
            "rust@10%",
            "18446744073709551615",
            "c (demoted)",
            "! free_block was put back on C: result differs;",
            "! read_fifo stays on C: its self-test failed: empty FIFO",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("! new_block"));
    }

    #[test]
    fn a_width_is_kept_and_an_empty_table_is_a_table() {
        for line in swaps(&answer(), Some(100)).unwrap().lines().take(8) {
            assert!(line.chars().count() <= 100, "{line}");
        }
        assert!(swaps(&json!({}), None).unwrap().contains("mismatches"));
        assert!(swaps(&json!({"swaps": 7}), None).is_err());
    }

    #[test]
    fn status_shows_what_is_there() {
        let full = Status {
            name: "office".into(),
            state: "connected".into(),
            state_seconds: 3_700,
            server: "vpn:443".into(),
            connections: Some(2),
            udp_acceleration: Some(true),
            path: Some("seams".into()),
            path_reason: Some("the packet adapter runs on c".into()),
            sent: Traffic { frames: 3, bytes: 1_500_000 },
            ..Status::default()
        };
        let text = status(&serde_json::to_value(full).unwrap(), None).unwrap();
        for part in [
            "connected, for 1 h 1 min",
            "2 TCP, frames by UDP",
            "seams: the packet adapter runs on c",
            "3 frames, 1.50 MB",
            "0 frames, 0 B",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("cipher") && !text.contains("last error"));
    }

    #[test]
    fn units() {
        assert_eq!(
            [0, 999, 1000, 1_999_999, u64::MAX].map(bytes),
            ["0 B", "999 B", "1.00 kB", "2.00 MB", "18446.74 PB"]
        );
        assert_eq!([0, 59, 60, 3_600, 90_061].map(duration), ["0 s", "59 s", "1 min 0 s", "1 h 0 min", "1 d 1 h"]);
    }
}
