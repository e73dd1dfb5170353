//! Each contract through its macro: what the caller gets, what is counted and what is demoted, on a
//! good day and with every fault planted. The C twins are written in Rust; a fault is an argument.

#![allow(missing_docs, non_snake_case)]

use switch::{
    Contract, Control, Counters, Difference, Info, Kind, Mode, Setting, Shape, Source, Swap, Verdict, compare_bytes,
    enter_session,
};

/// Arguments for which the Rust sides below go wrong.
const WRONG: u32 = 7;
const PANIC: u32 = 13;

const fn info(index: usize, name: &'static str, symbol: &'static str, contract: Contract) -> Info {
    Info { index, name, symbol, file: "tests/contracts.rs", group: "test", contract }
}

fn share(mode: Mode, percent: u8) -> Setting {
    Setting::share(mode, percent).unwrap()
}

fn calls(counters: &Counters) -> [u64; 3] {
    [counters.calls_c, counters.calls_shadow, counters.calls_rust]
}

fn evidence(counters: &Counters) -> [u64; 3] {
    [counters.mismatches, counters.panics, counters.demotions]
}

fn no_self_test() -> Result<(), String> {
    Ok(())
}

/// A pure swap in module `$module`: C doubles; Rust does too, but for the planted faults.
macro_rules! pure_swap {
    ($module:ident, $index:expr, $symbol:ident, $twin:ident) => {
        mod $module {
            use super::*;

            pub static SWAP: Swap = Swap::new(info($index, stringify!($module), stringify!($symbol), Contract::Pure));

            mod twin {
                #[unsafe(no_mangle)]
                extern "C" fn $twin(value: u32) -> u32 {
                    value.wrapping_mul(2)
                }
            }

            mod sys {
                unsafe extern "C" {
                    pub fn $symbol(value: u32) -> u32;
                }
            }

            switch::swap! {
                pub unsafe extern "C" fn $symbol(value: u32) -> u32;
                swap: SWAP,
                signature: sys::$symbol,
                c: $twin,
                contract: pure,
                rust: rust,
                self_test: no_self_test,
            }

            unsafe fn rust(value: u32) -> u32 {
                match value {
                    WRONG => 1,
                    PANIC => panic!("secret payload"),
                    _ => value.wrapping_mul(2),
                }
            }

            pub fn call(value: u32) -> u32 {
                // SAFETY: both sides take any number.
                unsafe { $symbol(value) }
            }
        }
    };
}

pure_swap!(pure_modes, 0, PureModes, c_PureModes);
pure_swap!(pure_mismatch, 1, PureMismatch, c_PureMismatch);
pure_swap!(pure_panic, 2, PurePanic, c_PurePanic);
pure_swap!(pure_shadow_panic, 3, PureShadowPanic, c_PureShadowPanic);
pure_swap!(pure_sampled, 4, PureSampled, c_PureSampled);
pure_swap!(pure_sessions, 5, PureSessions, c_PureSessions);
pure_swap!(pure_records, 6, PureRecords, c_PureRecords);
pure_swap!(pure_timed, 7, PureTimed, c_PureTimed);
pure_swap!(inner, 8, Inner, c_Inner);
pure_swap!(pure_periodic, 9, PurePeriodic, c_PurePeriodic);
pure_swap!(pure_wished, 24, PureWished, c_PureWished);

#[test]
fn a_pure_swap_serves_the_same_in_every_mode() {
    for (setting, expected) in [(Setting::C, [3, 0, 0]), (Setting::SHADOW, [3, 3, 0]), (Setting::RUST, [3, 3, 3])] {
        pure_modes::SWAP.set(setting, Source::Api).unwrap();
        assert_eq!([0, 1, u32::MAX].map(pure_modes::call), [0, 2, u32::MAX - 1]);
        assert_eq!(calls(&pure_modes::SWAP.counters()), expected);
    }
    assert_eq!(evidence(&pure_modes::SWAP.counters()), [0, 0, 0]);
    assert_ne!((pure_modes::ENTRY.c_address)(), (pure_modes::ENTRY.rust_address)());
}

#[test]
fn a_mismatch_is_found_served_by_c_recorded_and_demotes() {
    let swap = &pure_mismatch::SWAP;
    swap.set(Setting::SHADOW, Source::Config).unwrap();
    assert_eq!(pure_mismatch::call(WRONG), WRONG * 2);
    assert_eq!(evidence(&swap.counters()), [1, 0, 1]);
    assert_eq!(swap.setting(), Setting::C);
    let records = swap.records();
    assert_eq!((records.len(), records[0].sequence, records[0].kind), (1, 1, Kind::Result));
    assert_eq!(pure_mismatch::call(WRONG), WRONG * 2);
    assert_eq!(calls(&swap.counters()), [1, 1, 0]);
}

#[test]
fn a_panic_of_pure_rust_is_answered_by_c_and_demotes() {
    let swap = &pure_panic::SWAP;
    swap.set(Setting::RUST, Source::Default).unwrap();
    assert_eq!(pure_panic::call(PANIC), PANIC * 2);
    assert_eq!(evidence(&swap.counters()), [0, 1, 1]);
    assert_eq!(swap.setting(), Setting::C);
    assert_eq!(pure_panic::call(PANIC), PANIC * 2);
    assert_eq!(evidence(&swap.counters()), [0, 1, 1]);
    let reason = swap.status().demoted.unwrap();
    assert!(reason.starts_with("panic at "), "{reason}");
    assert!(!reason.contains("secret"), "{reason}");
}

#[test]
fn a_panic_in_shadow_leaves_c_the_answer() {
    let swap = &pure_shadow_panic::SWAP;
    swap.set(Setting::SHADOW, Source::Default).unwrap();
    assert_eq!(pure_shadow_panic::call(PANIC), PANIC * 2);
    assert_eq!(evidence(&swap.counters()), [0, 1, 1]);
    assert_eq!(swap.setting(), Setting::C);
}

#[test]
fn shadow_takes_its_share_of_the_calls() {
    let swap = &pure_sampled::SWAP;
    let mut before = 0;
    for (percent, expected) in [(0, 0), (1, 100), (33, 3300), (50, 5000), (99, 9900), (100, 10_000)] {
        swap.set(share(Mode::Shadow, percent), Source::Api).unwrap();
        (0..10_000).for_each(|_| assert_eq!(pure_sampled::call(1), 2));
        let shadowed = swap.counters().calls_shadow;
        assert!((shadowed - before).abs_diff(expected) <= 5, "{percent} %: {}", shadowed - before);
        before = shadowed;
    }
}

/// A caller that comes in bursts of 100 still has each of its 100 kinds of call compared.
#[test]
fn shadow_does_not_beat_with_a_periodic_caller() {
    let swap = &pure_periodic::SWAP;
    swap.set(share(Mode::Shadow, 1), Source::Api).unwrap();
    let mut compared = std::collections::HashSet::new();
    for call in 0..100_000u32 {
        let before = swap.counters().calls_shadow;
        pure_periodic::call(100);
        if swap.counters().calls_shadow > before {
            compared.insert(call % 100);
        }
    }
    assert!(compared.len() > 95, "{} of 100 kinds", compared.len());
}

#[test]
fn a_share_of_rust_is_drawn_by_session_and_never_flaps() {
    let swap = &pure_sessions::SWAP;
    swap.set(share(Mode::Rust, 30), Source::Api).unwrap();
    let mut on_rust = 0;
    for session in 1..=1000 {
        let _session = enter_session(session);
        let before = calls(&swap.counters());
        (0..3).for_each(|_| _ = pure_sessions::call(1));
        let after = calls(&swap.counters());
        let expected = match swap.choose(session) {
            Mode::Rust => [before[0], before[1], before[2] + 3],
            _ => [before[0] + 3, before[1], before[2]],
        };
        assert_eq!(after, expected, "session {session}");
        on_rust += u32::from(swap.choose(session) == Mode::Rust);
    }
    assert!(on_rust.abs_diff(300) < 60, "{on_rust} of 1000");
}

#[test]
fn the_first_records_are_kept_and_the_rest_counted() {
    let swap = &pure_records::SWAP;
    for sequence in 1..=40 {
        swap.promote();
        swap.set(Setting::SHADOW, Source::Api).unwrap();
        pure_records::call(WRONG);
        assert_eq!(evidence(&swap.counters()), [sequence, 0, sequence]);
    }
    let records = swap.records();
    assert_eq!(records.len(), switch::RECORDS_MAX);
    assert!(records.iter().zip(1..).all(|(record, sequence)| record.sequence == sequence));
    assert!(records.iter().all(|record| record.arguments == records[0].arguments));
}

#[test]
fn each_1024th_call_of_either_side_is_timed() {
    let swap = &pure_timed::SWAP;
    for setting in [Setting::C, Setting::RUST, Setting::SHADOW] {
        swap.set(setting, Source::Api).unwrap();
        (0..2 * switch::SAMPLE_EVERY + 5).for_each(|_| _ = pure_timed::call(1));
    }
    let times = swap.counters().times;
    assert_eq!((times.c.samples(), times.rust.samples()), (4, 4));
    let (mean, p99) = (times.c.mean_ns().unwrap(), times.c.percentile_ns(99).unwrap());
    assert!(mean < p99 * 2, "mean {mean}, p99 {p99}");
}

#[test]
fn a_sample_that_is_asked_for_is_taken_once_on_the_side_that_runs() {
    let swap = &pure_wished::SWAP;
    pure_wished::call(1);
    let samples = || {
        let times = swap.counters().times;
        (times.c.samples(), times.rust.samples())
    };
    let half = share(Mode::Rust, 100);
    for (setting, expected) in
        [(Setting::C, (1, 0)), (Setting::RUST, (1, 1)), (Setting::SHADOW, (2, 2)), (half, (2, 3))]
    {
        swap.set(setting, Source::Api).unwrap();
        swap.sample_next();
        assert_eq!(swap.setting(), setting, "the wish is not part of the setting");
        (0..5).for_each(|_| _ = pure_wished::call(1));
        assert_eq!(samples(), expected, "{setting}");
    }
    assert_eq!(calls(&swap.counters()), [6, 5, 10]);
}

// A pure swap whose Rust side calls another swap, by a comparator of its own.
mod outer {
    use super::*;

    pub static SWAP: Swap = Swap::new(info(20, "outer", "Outer", Contract::Pure));

    mod twin {
        #[unsafe(no_mangle)]
        extern "C" fn c_Outer(value: u32) -> u32 {
            crate::inner::call(value)
        }
    }

    mod sys {
        unsafe extern "C" {
            pub fn Outer(value: u32) -> u32;
        }
    }

    switch::swap! {
        pub unsafe extern "C" fn Outer(value: u32) -> u32;
        swap: SWAP,
        signature: sys::Outer,
        c: c_Outer,
        contract: pure(compare_parity),
        rust: rust,
        self_test: no_self_test,
    }

    unsafe fn rust(value: u32) -> u32 {
        inner::call(value) + if value == WRONG { 1 } else { 2 }
    }

    fn compare_parity(c: &u32, rust: &u32) -> Verdict {
        if c % 2 == rust % 2 {
            return Ok(());
        }
        Err(Difference::new(Kind::Result, Shape::Word("even"), Shape::Word("odd")))
    }

    pub fn call(value: u32) -> u32 {
        // SAFETY: both sides take any number.
        unsafe { Outer(value) }
    }
}

/// Nested dispatch: a panic inside demotes the inner swap only, and the outer one never notices.
#[test]
fn nested_swaps_are_judged_each_for_itself() {
    inner::SWAP.set(Setting::RUST, Source::Api).unwrap();
    outer::SWAP.set(Setting::RUST, Source::Api).unwrap();
    assert_eq!(outer::call(PANIC), PANIC * 2 + 2);
    assert_eq!(evidence(&inner::SWAP.counters()), [0, 1, 1]);
    assert_eq!(evidence(&outer::SWAP.counters()), [0, 0, 0]);

    inner::SWAP.promote();
    inner::SWAP.set(Setting::SHADOW, Source::Api).unwrap();
    outer::SWAP.set(Setting::SHADOW, Source::Api).unwrap();
    assert_eq!(outer::call(3), 6);
    assert_eq!(inner::SWAP.counters().calls_shadow, 2);
    assert_eq!(evidence(&outer::SWAP.counters()), [0, 0, 0], "its own comparator allows + 2");
    inner::SWAP.set(Setting::C, Source::Api).unwrap();
    assert_eq!(outer::call(WRONG), WRONG * 2);
    assert_eq!(evidence(&outer::SWAP.counters()), [1, 0, 1]);
}

/// What a cloned swap changes.
#[derive(Clone, Default)]
#[repr(C)]
pub struct Log {
    length: usize,
    bytes: [u8; 4],
}

impl Log {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Arguments for which the shadow function below goes wrong.
const COPY_PANICS: u32 = 14;
const FORGETS_CONTROL: u32 = 15;
const COMPARE_PANICS: u32 = 16;

/// The C side of every cloned swap: appends a byte and returns the length.
fn append(log: &mut Log, value: u32) -> usize {
    log.bytes[log.length] = value as u8;
    log.length += 1;
    log.length
}

/// The Rust side: the same, but for the planted faults; panics before it writes back.
unsafe fn rust_append(log: *mut Log, value: u32) -> usize {
    // SAFETY: the tests pass a log of their own.
    let log = unsafe { &mut *log };
    match value {
        WRONG => append(log, 0),
        PANIC => panic!("secret payload"),
        _ => append(log, value),
    }
}

unsafe fn shadow_append(log: *mut Log, value: u32, control: Control<'_, usize>) -> Verdict {
    assert_ne!(value, COPY_PANICS);
    // SAFETY: the tests pass a log of their own; no reference to it is alive while C runs.
    let mut copy = unsafe { (*log).clone() };
    if value == FORGETS_CONTROL {
        return Ok(());
    }
    let c = control.run();
    assert_ne!(value, COMPARE_PANICS);
    // SAFETY: the copy is ours.
    let rust = unsafe { rust_append(&mut copy, value) };
    switch::compare_results(&c, &rust)?;
    // SAFETY: as above; C has returned.
    compare_bytes(unsafe { &*log }.bytes(), copy.bytes())
}

macro_rules! cloned_swap {
    ($module:ident, $index:expr, $symbol:ident, $twin:ident) => {
        mod $module {
            use super::*;

            pub static SWAP: Swap = Swap::new(info($index, stringify!($module), stringify!($symbol), Contract::Cloned));

            mod twin {
                #[unsafe(no_mangle)]
                unsafe extern "C" fn $twin(log: *mut super::Log, value: u32) -> usize {
                    // SAFETY: the tests pass a log of their own.
                    super::append(unsafe { &mut *log }, value)
                }
            }

            mod sys {
                unsafe extern "C" {
                    pub fn $symbol(log: *mut super::Log, value: u32) -> usize;
                }
            }

            switch::swap! {
                pub unsafe extern "C" fn $symbol(log: *mut Log, value: u32) -> usize;
                swap: SWAP,
                signature: sys::$symbol,
                c: $twin,
                contract: cloned(shadow_append),
                rust: rust_append,
                self_test: no_self_test,
            }

            pub fn call(log: &mut Log, value: u32) -> usize {
                // SAFETY: the log is borrowed for the call.
                unsafe { $symbol(log, value) }
            }
        }
    };
}

cloned_swap!(cloned_modes, 30, ClonedModes, c_ClonedModes);
cloned_swap!(cloned_faults, 31, ClonedFaults, c_ClonedFaults);
cloned_swap!(cloned_panic, 32, ClonedPanic, c_ClonedPanic);

#[test]
fn a_cloned_swap_changes_the_original_once_in_every_mode() {
    let mut log = Log::default();
    for (mode, byte) in [(Setting::C, 1), (Setting::SHADOW, 2), (Setting::RUST, 3)] {
        cloned_modes::SWAP.set(mode, Source::Api).unwrap();
        assert_eq!(cloned_modes::call(&mut log, byte), byte as usize);
    }
    assert_eq!(log.bytes(), [1, 2, 3]);
    assert_eq!(calls(&cloned_modes::SWAP.counters()), [1, 1, 1]);
    assert_eq!(evidence(&cloned_modes::SWAP.counters()), [0, 0, 0]);
}

/// Whatever goes wrong in the candidate, the copy or the comparison: C ran exactly once.
#[test]
fn faults_in_shadow_never_cost_or_double_the_c_call() {
    let swap = &cloned_faults::SWAP;
    for (value, expected) in [
        (WRONG, [1, 0, 1]),
        (PANIC, [0, 1, 1]),
        (COPY_PANICS, [0, 1, 1]),
        (COMPARE_PANICS, [0, 1, 1]),
        (FORGETS_CONTROL, [0, 0, 0]),
    ] {
        let mut log = Log::default();
        let before = evidence(&swap.counters());
        swap.promote();
        swap.set(Setting::SHADOW, Source::Api).unwrap();
        assert_eq!(cloned_faults::call(&mut log, value), 1, "fault {value}");
        assert_eq!(log.bytes(), [value as u8], "fault {value}");
        let after = evidence(&swap.counters());
        assert_eq!([0, 1, 2].map(|i| after[i] - before[i]), expected, "fault {value}");
    }
    let record = &swap.records()[0];
    assert_eq!((record.kind, record.first_differing_offset), (Kind::Bytes, Some(0)));
    assert_eq!((record.length.c, record.length.rust), (Some(1), Some(1)));
}

#[test]
fn a_thread_numbers_its_comparisons() {
    static SWAP: Swap = Swap::new(info(33, "cloned_turns", "ClonedTurns", Contract::Cloned));
    fn turn_of_call() -> u64 {
        let turn = std::cell::Cell::new(0);
        let shadow = |control: Control<'_, ()>| {
            turn.set(control.turn());
            control.run();
            Ok(())
        };
        switch::dispatch::cloned(&SWAP, || (), || (), shadow, || 0);
        turn.get()
    }
    SWAP.set(Setting::SHADOW, Source::Api).unwrap();
    assert_eq!([turn_of_call(), turn_of_call(), turn_of_call()], [1, 2, 3]);
    SWAP.set(Setting::C, Source::Api).unwrap();
    assert_eq!(turn_of_call(), 0, "on C nothing is compared");
    SWAP.set(Setting::SHADOW, Source::Api).unwrap();
    assert_eq!(std::thread::spawn(turn_of_call).join().unwrap(), 1, "another thread has its own");
    assert_eq!(turn_of_call(), 4);
}

#[test]
fn after_a_panic_of_cloned_rust_c_runs_on_the_unchanged_state() {
    let mut log = Log::default();
    cloned_panic::SWAP.set(Setting::RUST, Source::Api).unwrap();
    assert_eq!(cloned_panic::call(&mut log, PANIC), 1);
    assert_eq!(log.bytes(), [PANIC as u8]);
    assert_eq!(evidence(&cloned_panic::SWAP.counters()), [0, 1, 1]);
    assert_eq!(cloned_panic::SWAP.setting(), Setting::C);
}

// An effect that says which side ran: 100 + argument for C, 200 + argument for Rust.
mod effect_swap {
    use super::*;

    pub static SWAP: Swap = Swap::new(info(40, "effect_swap", "RunSession", Contract::Effect));

    mod twin {
        #[unsafe(no_mangle)]
        extern "C" fn c_RunSession(_session: u64, value: u32) -> u32 {
            100 + value
        }
    }

    mod sys {
        unsafe extern "C" {
            pub fn RunSession(session: u64, value: u32) -> u32;
        }
    }

    switch::swap! {
        pub unsafe extern "C" fn RunSession(session: u64, value: u32) -> u32;
        swap: SWAP,
        signature: sys::RunSession,
        c: c_RunSession,
        contract: effect(u32::MAX),
        session: session ^ 1,
        rust: rust,
        self_test: no_self_test,
    }

    unsafe fn rust(_session: u64, value: u32) -> u32 {
        assert_ne!(value, PANIC, "secret payload");
        200 + value
    }

    pub fn call(session: u64, value: u32) -> u32 {
        // SAFETY: both sides take any number.
        unsafe { RunSession(session, value) }
    }
}

#[test]
fn an_effect_is_chosen_by_session_never_shadowed_and_never_rerun() {
    let swap = &effect_swap::SWAP;
    assert_eq!(effect_swap::call(1, 1), 101);
    let refused = swap.set(Setting::SHADOW, Source::Api).unwrap_err();
    assert!(refused.to_string().contains("use c or rust"), "{refused}");
    assert!(swap.set(share(Mode::Shadow, 1), Source::Api).is_err());
    assert_eq!(swap.setting(), Setting::C);

    swap.set(share(Mode::Rust, 40), Source::Api).unwrap();
    for session in 0..500 {
        let expected = if swap.choose(session ^ 1) == Mode::Rust { 201 } else { 101 };
        assert_eq!(effect_swap::call(session, 1), expected, "session {session}");
    }

    swap.set(Setting::RUST, Source::Api).unwrap();
    assert_eq!(effect_swap::call(1, 1), 201);
    assert_eq!(effect_swap::call(1, PANIC), u32::MAX, "the failure value, not C's answer");
    assert_eq!(evidence(&swap.counters()), [0, 1, 1]);
    assert_eq!(effect_swap::call(1, PANIC), 100 + PANIC);
}

// A function that returns nothing and takes nothing.
mod effect_unit {
    use super::*;

    pub static SWAP: Swap = Swap::new(info(41, "effect_unit", "Tick", Contract::Effect));

    mod twin {
        #[unsafe(no_mangle)]
        extern "C" fn c_Tick() {}
    }

    mod sys {
        unsafe extern "C" {
            pub fn Tick();
        }
    }

    switch::swap! {
        pub unsafe extern "C" fn Tick();
        swap: SWAP,
        signature: sys::Tick,
        c: c_Tick,
        contract: effect(()),
        rust: rust,
        self_test: no_self_test,
    }

    unsafe fn rust() {}
}

#[test]
fn a_function_without_arguments_and_result_can_be_swapped() {
    effect_unit::SWAP.set(Setting::RUST, Source::Api).unwrap();
    // SAFETY: there is nothing to keep.
    unsafe { effect_unit::Tick() };
    assert_eq!(calls(&effect_unit::SWAP.counters()), [0, 0, 1]);
}
