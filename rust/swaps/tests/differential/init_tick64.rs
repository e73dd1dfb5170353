//! The clocks of both sides, side by side: the C's, which the tests' Mayaqua runs on, and one of Rust's. What the process
//! does with either is tested in a process of its own, in tests/tick.rs.

use crate::support::Trace;
use softether_sys::UINT64;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use swaps::init_tick64::{Clock, Tick64, c_Tick64, time_of_day};

/// Reads a clock.
pub type Function = unsafe fn() -> UINT64;

static OWN: LazyLock<Clock> = LazyLock::new(|| {
    let clock = Clock::new(time_of_day);
    clock.start();
    clock
});

/// The vendored C.
// SAFETY: it may be called at any time.
pub const C: Function = || unsafe { c_Tick64() };
/// The Rust side.
pub const RUST: Function = || OWN.tick64().unwrap_or(0);
/// What everyone calls.
// SAFETY: it may be called at any time.
pub const DISPATCHER: Function = || unsafe { Tick64() };

tests_of_both_sides! { init_tick64 }

/// It runs and never goes back.
fn body(function: Function) -> Trace {
    // SAFETY: clocks may be read at any time.
    let read = || unsafe { function() };
    let (since, first) = (Instant::now(), read());
    assert!(first >= 1, "it does not run");
    let mut last = first;
    while last < first + 100 {
        let tick = read();
        assert!(tick >= last, "back from {last} to {tick}");
        assert!(since.elapsed() < Duration::from_secs(60), "it stands still at {tick}");
        last = tick;
        std::thread::yield_now();
    }
    vec!["it runs".to_owned()]
}

/// One look at the clock.
pub fn work(function: Function) -> impl FnMut() {
    move || {
        // SAFETY: clocks may be read at any time.
        std::hint::black_box(unsafe { function() });
    }
}
