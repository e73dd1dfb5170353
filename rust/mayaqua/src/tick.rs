//! The ticks of `Mayaqua/Tick64.c`: milliseconds since the start, and the time of day that belongs to them.
//!
//! The C has a thread that reads the clock 100 times a second into a variable. Here the clock is read when somebody asks,
//! so an idle process sleeps. [`Ticks`] is the state alone, with the clocks as arguments; [`tick64`] is the process's own.

use std::sync::OnceLock;
use std::time::Instant;

/// Most corrections of the time of day that are kept (C: the same name, Tick64.h).
pub const MAX_ADJUST_TIME: usize = 1024;
/// Difference in milliseconds from which the time of day counts as set anew (C: `TICK64_SPAN`, Tick64.h).
pub const TICK64_SPAN: u64 = 10;

/// A time of day that was true at a tick (C: `ADJUST_TIME`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AdjustTime {
    tick: u64,
    time: u64,
}

/// Ticks and the times of day that belong to them (C: `TICK64`). All values are milliseconds.
#[derive(Clone, Debug)]
pub struct Ticks {
    start: u64,
    /// In the order of ticks; never empty.
    adjust_time: Vec<AdjustTime>,
}

impl Ticks {
    /// Starts at `clock`, a clock that never jumps, and `time`, the time of day (C: `InitTick64`, Mayaqua/Tick64.c).
    #[must_use]
    pub fn new(clock: u64, time: u64) -> Self {
        Self { start: clock, adjust_time: vec![AdjustTime { tick: 1, time }] }
    }

    /// The tick: 1 at the start (C: `Tick64`, Mayaqua/Tick64.c).
    #[must_use]
    pub const fn tick64(&self, clock: u64) -> u64 {
        clock.saturating_sub(self.start).saturating_add(1)
    }

    /// Compares the time of day with what it should be, and keeps it if it was set anew; whether it was
    /// (C: the correction in `Tick64Thread`, Mayaqua/Tick64.c, once a second).
    pub fn adjust(&mut self, clock: u64, time: u64) -> bool {
        let tick = self.tick64(clock);
        let expected = self.adjust_time.last().map_or(0, |last| last.time.saturating_add(tick - last.tick));
        if time.abs_diff(expected) < TICK64_SPAN {
            return false;
        }
        self.adjust_time.push(AdjustTime { tick, time });
        if self.adjust_time.len() > MAX_ADJUST_TIME {
            // The second: the first says when all began.
            self.adjust_time.remove(1);
        }
        true
    }

    /// The time of day at a tick; 0 for 0, and 1 before the start (C: `Tick64ToTime64`, Mayaqua/Tick64.c).
    #[must_use]
    pub fn tick64_to_time64(&self, tick: u64) -> u64 {
        if tick == 0 {
            return 0;
        }
        let known = self.adjust_time.iter().rev().find(|known| known.tick <= tick);
        known.map_or(0, |known| known.time.wrapping_add(tick - known.tick)).max(1)
    }
}

/// Milliseconds since this was first asked, and one: never 0 and never less than before
/// (C: `Tick64` and `TickHighres64`, Mayaqua/Tick64.c).
#[must_use]
pub fn tick64() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed().as_millis();
    u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_add(1)
}

/// The distance of two values (C: `Diff64`, Mayaqua/Tick64.c).
#[must_use]
pub const fn diff64(a: u64, b: u64) -> u64 {
    a.abs_diff(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_begin_at_one_and_follow_the_clock() {
        let ticks = Ticks::new(500, 1_000_000);
        assert_eq!((ticks.tick64(500), ticks.tick64(750), ticks.tick64(0)), (1, 251, 1));
        assert_eq!(
            (ticks.tick64_to_time64(0), ticks.tick64_to_time64(1), ticks.tick64_to_time64(251)),
            (0, 1_000_000, 1_000_250)
        );
    }

    #[test]
    fn a_time_that_was_set_anew_counts_from_then_on() {
        let mut ticks = Ticks::new(0, 1_000_000);
        assert!(!ticks.adjust(1000, 1_001_009));
        assert!(ticks.adjust(2000, 5_000_000));
        assert_eq!((ticks.tick64_to_time64(2000), ticks.tick64_to_time64(2001)), (1_001_999, 5_000_000));
        assert!(ticks.adjust(3000, 1));
        assert_eq!(ticks.tick64_to_time64(3001), 1);
    }

    #[test]
    fn corrections_have_a_limit_and_the_first_stays() {
        let mut ticks = Ticks::new(0, 1_000_000);
        for second in 1..3000 {
            assert!(ticks.adjust(second * 1000, second * 100_000));
        }
        assert_eq!(ticks.adjust_time.len(), MAX_ADJUST_TIME);
        assert_eq!(ticks.tick64_to_time64(1), 1_000_000);
        assert_eq!(ticks.tick64_to_time64(2_999_001), 299_900_000);
    }

    #[test]
    fn the_process_has_ticks() {
        let before = tick64();
        assert!(before >= 1 && tick64() >= before);
        assert_eq!((diff64(1, 3), diff64(3, 1)), (2, 2));
    }
}
