//! Mayaqua's clock as a process has it, on each side in turn: started, read, asked for times of day, ended, started again.
//! In a process of its own, since no other thread may read a clock that ends.

use softether_sys::{FreeTick64, InitTick64, SystemTime64, Tick64, Tick64ToTime64, TickHighres64, TickToTime};
use std::time::{Duration, Instant};
use swaps::init_tick64::c_Tick64;
use switch::{Setting, Source};

#[path = "differential/support.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "only Mayaqua is to be started")]
mod support;

/// No time of day of this machine is off by so much while the test runs.
const HOUR_MS: u64 = 3_600_000;

/// What a clock does that its user can see, without times.
fn life() -> Vec<String> {
    let mut trace = Vec::new();
    // SAFETY: this thread alone reads the clock, which runs where a time of day is asked for.
    unsafe {
        trace.push(format!("before: {} {}", Tick64(), TickHighres64()));
        InitTick64();
        let first = Tick64();
        assert!(first >= 1 && TickHighres64() >= first);
        InitTick64();
        assert!(Tick64() >= first, "a clock that runs goes on");
        let since = Instant::now();
        let mut last = first;
        while last < first + 50 {
            let tick = Tick64();
            assert!(tick >= last && since.elapsed() < Duration::from_secs(60), "{last}, then {tick}");
            last = tick;
            std::thread::sleep(Duration::from_millis(1));
        }
        let begun = Tick64ToTime64(1);
        assert!(begun.abs_diff(SystemTime64()) < HOUR_MS);
        let after = |tick| Tick64ToTime64(tick).wrapping_sub(begun);
        trace.push(format!("times: {} {} {} {}", Tick64ToTime64(0), TickToTime(0), after(2), TickToTime(51) - begun));
        FreeTick64();
        trace.push(format!("after: {}", Tick64()));
        FreeTick64();
    }
    trace
}

#[test]
fn a_clock_lives_and_ends_alike_on_both_sides_and_only_the_c_has_a_thread_for_it() {
    support::start();
    // SAFETY: nobody else reads the clock that Mayaqua was started with.
    unsafe { FreeTick64() };
    let swap = &swaps::INIT_TICK64;
    let [c, rust] = [Setting::C, Setting::RUST].map(|setting| {
        swap.set(setting, Source::Api).expect("to be set");
        [life(), life()]
    });
    assert_eq!(c, rust);
    // One more on C: InitMayaqua's.
    assert_eq!((swap.counters().calls_c, swap.counters().calls_rust), (5, 4));

    for setting in [Setting::C, Setting::RUST] {
        swap.set(setting, Source::Api).expect("to be set");
        // SAFETY: as above.
        unsafe { InitTick64() };
        // The side is the clock's until it ends, whatever is set meanwhile.
        let other = if setting == Setting::C { Setting::RUST } else { Setting::C };
        swap.set(other, Source::Api).expect("to be set");
        // SAFETY: as above.
        unsafe {
            let tick = Tick64();
            assert!(tick >= 1 && Tick64() >= tick);
            assert_eq!(c_Tick64() == 0, setting == Setting::RUST, "only on {setting} does the C's thread run");
            FreeTick64();
            assert_eq!((Tick64(), c_Tick64()), (0, 0));
        }
    }
}
