//! What is looked at while frames do not flow and no event accounts for it. A report can count such frames; only the moment
//! can say where they were lost.

use std::time::Duration;

use serde::Serialize;

use super::Soak;
use crate::lab::{SERVER_TAP, Side};

/// Frames do not flow when none that was sent so long ago, or since, has arrived. Longer than any stall of the proxy's.
const SILENCE: Duration = Duration::from_secs(3);
/// Outages that are looked at; a run with more has shown enough.
const OUTAGES_MAX: usize = 8;
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One outage without an event.
#[derive(Debug, Clone, Serialize)]
pub struct Outage {
    /// When it was noticed, since the first frame.
    pub at: Duration,
    /// What was asked, and what the answer was.
    pub seen: Vec<(String, String)>,
}

/// Looks at an outage once while it lasts.
pub(super) fn watch(soak: &Soak<'_>, is_event_open: bool, is_noticed: &mut bool, outages: &mut Vec<Outage>) {
    let at = soak.traffic.elapsed();
    let flows = at < SILENCE || soak.traffic.flows_since(at - SILENCE);
    if flows || is_event_open {
        *is_noticed = false;
    } else if !std::mem::replace(is_noticed, true) && outages.len() < OUTAGES_MAX {
        outages.push(Outage { at, seen: look(soak) });
    }
}

fn look(soak: &Soak<'_>) -> Vec<(String, String)> {
    let program = soak.options.client.to_string_lossy().into_owned();
    let commands = [
        (Side::Client, vec![program.as_str(), "status", "--json"]),
        (Side::Client, vec!["ip", "-stats", "link", "show", soak.client.interface()]),
        (Side::Client, vec!["ss", "-timn"]),
        (Side::Server, vec!["ip", "-stats", "link", "show", SERVER_TAP]),
        (Side::Server, vec!["ss", "-timn"]),
    ];
    let asked = commands.into_iter().map(|(side, command)| {
        let answer = soak.lab.run(side, &command, PATIENCE);
        let text = answer.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        (format!("{side:?}: {}", command.join(" ")), text.unwrap_or_else(|error| error.to_string()))
    });
    let hub = ["SessionList", "MacTable"].map(|command| {
        let answer = soak.lab.server().vpncmd(&format!("Hub DEFAULT\n{command}\n"));
        (command.to_owned(), answer.unwrap_or_else(|error| error.to_string()))
    });
    asked.chain(hub).collect()
}
