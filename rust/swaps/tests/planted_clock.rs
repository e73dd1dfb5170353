//! The fault planted in the start of Mayaqua's clock: a panic in the one call that a process makes. In a process of its own,
//! with the fault compiled in: `cargo test -p swaps --features planted-faults --test planted_clock`.

#![cfg(feature = "planted-faults")]

use softether_sys::Tick64;
use std::time::{Duration, Instant};
use swaps::init_tick64::c_Tick64;
use switch::{Setting, Source};

#[path = "differential/support.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "only Mayaqua is to be started")]
mod support;

#[test]
fn a_clock_that_panics_when_it_is_started_is_demoted_and_the_cs_runs_instead() {
    // SAFETY: the process has one test, whose thread alone looks at its environment.
    unsafe {
        std::env::set_var("CUTOVER_PLANT", "panic");
        std::env::set_var("CUTOVER_PLANT_IN", "init_tick64");
    }
    let swap = &swaps::INIT_TICK64;
    swap.set(Setting::RUST, Source::Api).expect("to be set");
    support::start();
    let counters = swap.counters();
    assert_eq!((counters.panics, counters.demotions), (1, 1));
    assert_eq!(swap.setting(), Setting::C);
    let since = Instant::now();
    // SAFETY: clocks may be read at any time.
    let ticks = || unsafe { (Tick64(), c_Tick64()) };
    let first = ticks();
    assert!(first.0 >= 1 && first.1 >= 1, "a process without a clock would stand still");
    while ticks().0 < first.0 + 10 {
        assert!(since.elapsed() < Duration::from_secs(60), "it stands still");
        std::thread::sleep(Duration::from_millis(1));
    }
}
