//! What is done to the client of a soak, and when: by seed, one thing at a time.

use std::time::Duration;

use serde::Serialize;

use super::{Soak, SoakOptions};
use crate::lab::{LabError, Side};
use crate::proxy::FaultSpec;

/// How long frames may need to flow again after an event; longer is a fault of the soak.
pub(super) const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// Frames must have been sent so long after the event before their arrival shows that it is over.
const SETTLED: Duration = Duration::from_millis(1500);
/// Frames that were sent so long before an event may be its victims: they were in a queue of it.
pub(super) const LEAD: Duration = Duration::from_millis(500);
/// And those so long after its recovery was seen: the session has just begun.
pub(super) const TAIL: Duration = Duration::from_millis(500);
/// How long one command of the client may take.
const COMMAND_PATIENCE: Duration = Duration::from_secs(20);

/// Modes that are switched between, as `cutover swaps set` takes them.
const MODES: [&str; 7] = [
    "*=rust",
    "*=c",
    "*=c,adapter=rust",
    "*=c,framing=rust",
    "*=rust,adapter=c",
    "*=c,session=rust",
    "*=rust,framing=c",
];
/// What the proxy does to connections from the next one on. None of these loses a byte of TCP, and few datagrams.
const FAULTS: [&str; 5] = ["", "delay=15ms", "pieces=1..700", "rate=20M", STALLS];
/// Each connection stands still for a second, and down for another. What was sent meanwhile comes at once; of that
/// `ConnectionReceive`, the C's and the Rust's, keeps 1024 frames and frees the rest (C: `MAX_STORED_QUEUE_NUM`). The fused
/// path keeps all.
const STALLS: &str = "stall@200000=1s,down:stall@300000=1s";
/// So long after the recovery all of that has happened: the first second of a session has those bytes.
const STALLS_LAST: Duration = Duration::from_secs(4);

/// What kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Modes were switched. No frame may be lost.
    Modes,
    /// The proxy reset the session's connections, and does other faults from then on.
    Reset,
    /// The server was killed and started again.
    Restart,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What was done.
    pub kind: EventKind,
    /// The modes, or the faults from then on.
    pub detail: String,
    /// When, since the first frame.
    pub at: Duration,
    /// When frames flowed again both ways; `None` if they never did.
    pub until: Option<Duration>,
    /// Connections that are made after it stand still for moments.
    pub stalls: bool,
}

impl Event {
    /// Whether frames may be lost by it.
    #[must_use]
    pub fn is_disruptive(&self) -> bool {
        self.kind != EventKind::Modes
    }

    /// Whether a frame that was sent at this time may have been lost by it.
    #[must_use]
    pub fn explains(&self, sent: Duration) -> bool {
        self.is_disruptive() && sent + LEAD >= self.at && self.until.is_none_or(|until| sent <= until + TAIL)
    }

    /// Whether it may be one too many of those that came at once, after the event's new connection had stood still.
    #[must_use]
    pub fn stalled(&self, sent: Duration) -> bool {
        self.is_disruptive()
            && self.stalls
            && sent >= self.at
            && self.until.is_none_or(|until| sent <= until + STALLS_LAST)
    }
}

/// The events of a soak.
pub(super) struct Events {
    /// In order.
    pub log: Vec<Event>,
    every: Duration,
    next: Duration,
    seed: u64,
    drawn: u64,
    /// What the proxy does since the last reset has stalls in it.
    stalls: bool,
}

impl Events {
    pub fn new(options: &SoakOptions) -> Self {
        Self { log: Vec::new(), every: options.every, next: options.every, seed: options.seed, drawn: 0, stalls: false }
    }

    /// The newest event, for people.
    pub fn newest(&self) -> String {
        self.log.last().map_or_else(String::new, |event| format!("{:?} {}", event.kind, event.detail).to_lowercase())
    }

    /// Whether the newest event is not over.
    pub fn is_open(&self) -> bool {
        self.log.last().is_some_and(|event| event.until.is_none())
    }

    /// Sees whether the last event is over; if so, and if it is time, does the next.
    pub fn step(&mut self, soak: &mut Soak<'_>) -> Result<(), LabError> {
        let now = soak.traffic.elapsed();
        if let Some(event) = self.log.last_mut().filter(|event| event.until.is_none()) {
            if soak.traffic.flows_since(event.at + SETTLED) {
                event.until = Some(now);
                self.next = now + self.every;
            } else if now > event.at + RECOVERY_MAX {
                let what = format!("frames both ways after: {}", self.newest());
                return Err(LabError::TimedOut { what, after: RECOVERY_MAX, detail: String::new() });
            }
            return Ok(());
        }
        if now >= self.next && now < soak.options.duration {
            let event = self.draw(now);
            self.log.push(event.clone());
            return perform(soak, &event, self.seed ^ self.drawn);
        }
        Ok(())
    }

    /// Every second event switches modes, the others take turns.
    fn draw(&mut self, at: Duration) -> Event {
        let number = self.drawn;
        self.drawn += 1;
        let pick = |list: &[&str]| {
            let drawn = crate::proxy::draw(self.seed, number) % list.len() as u64;
            list[usize::try_from(drawn).unwrap_or(0)].to_owned()
        };
        let (kind, detail) = match number % 4 {
            1 => (EventKind::Restart, String::new()),
            3 => (EventKind::Reset, pick(&FAULTS)),
            _ => (EventKind::Modes, pick(&MODES)),
        };
        if kind == EventKind::Reset {
            self.stalls = detail == STALLS;
        }
        Event { kind, detail, at, until: None, stalls: self.stalls }
    }
}

fn perform(soak: &mut Soak<'_>, event: &Event, seed: u64) -> Result<(), LabError> {
    match event.kind {
        EventKind::Modes => {
            let program = soak.options.client.as_os_str();
            let arguments = [program, "swaps".as_ref(), "set".as_ref(), event.detail.as_ref()];
            soak.lab.run_ok(Side::Client, &arguments, COMMAND_PATIENCE).map(drop)
        }
        EventKind::Reset => {
            let spec: FaultSpec = event.detail.parse().unwrap_or_default();
            soak.proxy.set(&FaultSpec { seed, ..spec });
            soak.proxy.reset_connections();
            Ok(())
        }
        EventKind::Restart => soak.lab.server_mut().restart(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn an_event_explains_what_was_sent_while_it_lasted_and_switching_modes_explains_nothing() {
        let event = |kind, until| Event { kind, detail: String::new(), at: 10 * S, until, stalls: false };
        let restart = event(EventKind::Restart, Some(12 * S));
        for (sent_ms, explained) in [(9000, false), (9500, true), (11_000, true), (12_500, true), (12_501, false)] {
            assert_eq!(restart.explains(Duration::from_millis(sent_ms)), explained, "{sent_ms} ms");
        }
        assert!(event(EventKind::Reset, None).explains(1000 * S));
        assert!(!event(EventKind::Modes, Some(12 * S)).explains(11 * S));
        assert!(!restart.stalled(13 * S));
        let stalled = Event { stalls: true, ..restart };
        assert_eq!([9, 10, 13, 16, 17].map(|sent| stalled.stalled(sent * S)), [false, true, true, true, false]);
    }

    #[test]
    fn all_faults_and_kinds_occur() {
        for faults in FAULTS {
            faults.parse::<FaultSpec>().unwrap_or_else(|error| panic!("{error}"));
        }
        let options = SoakOptions::new("client".into(), S);
        let mut events = Events::new(&options);
        let drawn: Vec<Event> = (0..600).map(|_| events.draw(S)).collect();
        for wanted in MODES.iter().chain(&FAULTS) {
            assert!(drawn.iter().any(|event| event.detail == *wanted), "{wanted} never occurs");
        }
        assert!(drawn.iter().any(|event| event.kind == EventKind::Restart));
    }
}
