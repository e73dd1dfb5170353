//! What a soak has found: every frame accounted for, every rule that was broken.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Event, EventKind, Outage, Sample, Trend};
use crate::frames::{Checker, Direction};
use crate::proxy::ProxyCounts;

/// Silences that are this near to an unexplained loss are named beside it.
const NEAR: Duration = Duration::from_secs(5);
/// How many numbers of unexplained losses a report lists; all are counted.
const LISTED: usize = 32;

/// A time in which no frame came, since the first was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// When the last frame before it came.
    pub from: Duration,
    /// When the next one came.
    pub to: Duration,
}

/// One way's frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WayReport {
    /// Which way.
    pub direction: Direction,
    /// Frames sent.
    pub sent: u64,
    /// Different frames received intact.
    pub received: u64,
    /// Lost while the proxy's reset was being recovered from.
    pub lost_by_reset: u64,
    /// Lost while the server was down or coming back.
    pub lost_by_restart: u64,
    /// Freed by `ConnectionReceive` as one too many in a turn, after the proxy had had the connection stand still.
    pub lost_by_stall: u64,
    /// Lost for no reason that is known. Must be none.
    pub lost_without_reason: u64,
    /// The first of those: number, and when it was sent.
    pub unexplained: Vec<(u32, Duration)>,
    /// Frames that came out of the tunnel and for which the receiver's own socket had no room: lost by the soak itself.
    pub dropped_by_receiver: u64,
    /// The times in which no frame came for a second or longer, for whatever reason.
    pub silences: Vec<Silence>,
    /// Copies beyond the first.
    pub duplicated: u64,
    /// Came after one with a higher number.
    pub reordered: u64,
    /// Came with wrong bytes. Must be none.
    pub damaged: u64,
}

impl WayReport {
    /// Lost for whatever reason.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost_by_reset + self.lost_by_restart + self.lost_by_stall + self.lost_without_reason
    }
}

/// Everything about a soak.
#[derive(Debug, Clone, Serialize)]
pub struct SoakReport {
    /// Of this report's form.
    pub schema_version: u32,
    /// Ended before its time, by a signal.
    pub interrupted: bool,
    /// Why it could not go on.
    pub error: Option<String>,
    /// From the first frame to the last.
    pub elapsed: Duration,
    /// Frames per second that were wanted, each way.
    pub rate: u32,
    /// Of everything that was drawn.
    pub seed: u64,
    /// TCP connections of the session.
    pub connections: u8,
    /// Whether UDP acceleration was on.
    pub udp_acceleration: bool,
    /// The client's, after SIGTERM at the end.
    pub exit_code: Option<i32>,
    /// Up, then down.
    pub ways: Vec<WayReport>,
    /// What was done, in order.
    pub events: Vec<Event>,
    /// Outages that no event explains, looked at while they lasted.
    pub outages: Vec<Outage>,
    /// What the proxy has done.
    pub proxy: ProxyCounts,
    /// Memory, descriptors and threads.
    pub trends: Vec<Trend>,
    /// Once a second.
    pub samples: Vec<Sample>,
    /// The end of the client's log.
    pub client_log: Vec<String>,
}

impl SoakReport {
    /// The rules that were broken; a soak without any has passed.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.error.iter().cloned().collect();
        for way in &self.ways {
            let name = match way.direction {
                Direction::Up => "up",
                Direction::Down => "down",
            };
            if way.sent != way.received + way.lost() {
                faults.push(format!("{name}: {} sent, {} received, {} lost", way.sent, way.received, way.lost()));
            }
            if way.lost_without_reason != 0 {
                let (count, list) = (way.lost_without_reason, &way.unexplained);
                let dropped = way.dropped_by_receiver;
                let mut fault =
                    format!("{name}: {count} lost without a reason: {list:?}; {dropped} by the receiver's socket");
                for (_, sent) in list.iter().take(1) {
                    let near = |silence: &&Silence| silence.to + NEAR > *sent && silence.from < *sent + NEAR;
                    for Silence { from, to } in way.silences.iter().filter(near) {
                        fault += &format!("; no frame came from {from:.1?} to {to:.1?}");
                    }
                }
                faults.push(fault);
            }
            if way.damaged != 0 {
                faults.push(format!("{name}: {} damaged", way.damaged));
            }
            if way.received == 0 {
                faults.push(format!("{name}: nothing was received"));
            }
        }
        faults.extend(self.trends.iter().filter(|trend| !trend.is_flat()).map(|trend| {
            format!("{} grew from {} to {}, by more than {}", trend.what, trend.early, trend.late, trend.growth_max)
        }));
        if self.error.is_none() && self.exit_code != Some(0) {
            faults.push(format!("the client ended with {:?} after SIGTERM", self.exit_code));
        }
        faults
    }

    /// How often a kind of event occurred.
    #[must_use]
    pub fn count(&self, kind: EventKind) -> usize {
        self.events.iter().filter(|event| event.kind == kind).count()
    }
}

impl fmt::Display for SoakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [modes, resets, restarts] =
            [EventKind::Modes, EventKind::Reset, EventKind::Restart].map(|kind| self.count(kind));
        writeln!(
            f,
            "{:.0} s at {} frames/s each way; modes switched {modes} times, connections reset {resets} times, server killed {restarts} times",
            self.elapsed.as_secs_f64(),
            self.rate
        )?;
        for way in &self.ways {
            writeln!(
                f,
                "{:>4}: {} sent, {} received, lost {} by resets, {} by restarts, {} by stalls, {} without a reason; {} duplicated, {} reordered, {} damaged",
                format!("{:?}", way.direction).to_lowercase(),
                way.sent,
                way.received,
                way.lost_by_reset,
                way.lost_by_restart,
                way.lost_by_stall,
                way.lost_without_reason,
                way.duplicated,
                way.reordered,
                way.damaged
            )?;
        }
        for Trend { what, early, late, growth_max } in &self.trends {
            writeln!(f, "{what}: {early} in the second fifth, {late} in the last (may grow by {growth_max})")?;
        }
        let faults = self.faults();
        match (faults.is_empty(), self.interrupted) {
            (true, false) => write!(f, "passed"),
            (true, true) => write!(f, "passed until it was interrupted"),
            (false, _) => write!(f, "FAILED:\n  {}", faults.join("\n  ")),
        }
    }
}

/// The account of one way. `ticks` are the times of sending, each with the first number that was sent then.
pub(super) fn way(
    direction: Direction,
    sent: u32,
    checker: &Checker,
    ticks: &[(Duration, u32)],
    events: &[Event],
) -> WayReport {
    let counts = checker.report();
    let mut report = WayReport {
        direction,
        sent: sent.into(),
        received: counts.received,
        lost_by_reset: 0,
        lost_by_restart: 0,
        lost_by_stall: 0,
        lost_without_reason: 0,
        unexplained: Vec::new(),
        dropped_by_receiver: 0,
        silences: Vec::new(),
        duplicated: counts.duplicated,
        reordered: counts.reordered,
        damaged: counts.damaged,
    };
    for number in checker.missing(sent) {
        let tick = ticks.partition_point(|(_, first)| *first <= number);
        let at = tick.checked_sub(1).and_then(|tick| ticks.get(tick)).map_or(Duration::ZERO, |(at, _)| *at);
        match events.iter().find(|event| event.explains(at)).map(|event| event.kind) {
            Some(EventKind::Reset) => report.lost_by_reset += 1,
            Some(EventKind::Restart) => report.lost_by_restart += 1,
            None if events.iter().any(|event| event.stalled(at)) => report.lost_by_stall += 1,
            Some(EventKind::Modes) | None => {
                report.lost_without_reason += 1;
                if report.unexplained.len() < LISTED {
                    report.unexplained.push((number, at));
                }
            }
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::{FramePlan, Pattern};

    #[test]
    fn every_lost_frame_gets_the_event_during_which_it_was_sent_as_its_reason() {
        let pattern = Pattern::new(&FramePlan::new(100, 1), Direction::Up, [2; 6]);
        let mut checker = Checker::new(pattern.clone(), 100);
        let mut frame = Vec::new();
        for number in (0..60).filter(|number| ![5, 22, 23, 41].contains(number)) {
            pattern.write(number, &mut frame);
            checker.accept(&frame);
        }
        let second = Duration::from_secs(1);
        let ticks: Vec<_> = (0..6).map(|tick| (tick * 10 * second, tick * 10)).collect();
        let event = |kind, at: u32, until: u32| Event {
            kind,
            detail: String::new(),
            at: at * second,
            until: Some(until * second),
            stalls: false,
        };
        let events =
            [event(EventKind::Modes, 0, 1), event(EventKind::Restart, 19, 21), event(EventKind::Reset, 39, 41)];
        let report = way(Direction::Up, 60, &checker, &ticks, &events);
        assert_eq!((report.sent, report.received, report.lost()), (60, 56, 4));
        assert_eq!((report.lost_by_restart, report.lost_by_reset, report.lost_without_reason), (2, 1, 1));
        assert_eq!(report.unexplained, [(5, Duration::ZERO)]);
    }
}
