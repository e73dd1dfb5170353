//! Counts and modes over many threads: nothing is lost when threads end, start again or call while
//! they are ending, and a swap can be switched under load.

#![allow(missing_docs)]

use std::cell::RefCell;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use switch::dispatch;
use switch::{Contract, Entry, Info, Mode, Setting, Source, Swap, Switchboard, Watch};

const fn swap(index: usize, name: &'static str) -> Swap {
    let contract = Contract::Pure;
    Swap::new(Info { index, name, symbol: "", file: "", group: "threads", contract })
}

/// Both sides answer the same, so that only the counts tell them apart.
fn call(swap: &'static Swap) -> u32 {
    dispatch::pure(swap, || 5, || 5, switch::compare_results, || 0)
}

fn calls(swap: &Swap) -> u64 {
    let counters = swap.counters();
    counters.calls_c + counters.calls_rust + counters.calls_shadow
}

#[test]
fn counts_of_ended_threads_stay() {
    static SWAP: Swap = swap(0, "ended");
    for round in 1..=20 {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1000).for_each(|_| _ = call(&SWAP)));
            }
        });
        assert_eq!(SWAP.counters().calls_c, round * 8 * 1000);
    }
}

#[test]
fn a_running_thread_is_counted_before_it_ends() {
    static SWAP: Swap = swap(1, "running");
    let (called, seen) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            call(&SWAP);
            called.wait();
            seen.wait();
        });
        called.wait();
        assert_eq!(SWAP.counters().calls_c, 1);
        seen.wait();
    });
}

/// Destructors of thread-locals run in an order nobody controls: one that was registered before the
/// counters' own runs after it or before it. Both kinds call here.
#[test]
fn calls_from_an_ending_thread_are_counted() {
    static SWAP: Swap = swap(2, "ending");
    struct CallsWhenDropped;
    impl Drop for CallsWhenDropped {
        fn drop(&mut self) {
            (0..10).for_each(|_| assert_eq!(call(&SWAP), 5));
        }
    }
    thread_local! {
        static EARLY: RefCell<Option<CallsWhenDropped>> = const { RefCell::new(None) };
        static LATE: RefCell<Option<CallsWhenDropped>> = const { RefCell::new(None) };
    }
    for (first, rounds) in [(true, 1), (false, 2)] {
        let ending = thread::spawn(move || {
            EARLY.set(Some(CallsWhenDropped));
            if first {
                call(&SWAP);
            }
            LATE.set(Some(CallsWhenDropped));
        });
        ending.join().unwrap();
        assert_eq!(calls(&SWAP), rounds * 20 + 1);
    }
}

#[test]
fn one_panic_in_each_of_many_threads_demotes_once() {
    static SWAP: Swap = swap(3, "panics");
    SWAP.set(Setting::RUST, Source::Config).unwrap();
    let together = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let rust = || {
                    together.wait();
                    panic!("planted")
                };
                assert_eq!(dispatch::pure(&SWAP, || 5, rust, switch::compare_results, || 0), 5);
            });
        }
    });
    let counters = SWAP.counters();
    assert_eq!((counters.panics, counters.demotions, counters.calls_rust), (8, 1, 8));
    assert_eq!(SWAP.setting(), Setting::C);
}

#[test]
fn modes_are_switched_under_load() {
    static SWAP: Swap = swap(4, "load");
    const SWITCHES: u32 = 10_000;
    let settings = [
        Setting::C,
        Setting::SHADOW,
        Setting::RUST,
        Setting::share(Mode::Shadow, 1).unwrap(),
        Setting::share(Mode::Rust, 50).unwrap(),
    ];
    let (stop, made, ready) = (AtomicBool::new(false), AtomicU64::new(0), Barrier::new(5));
    let start = Instant::now();
    thread::scope(|scope| {
        for session in 1..=4 {
            let (stop, made, ready) = (&stop, &made, &ready);
            scope.spawn(move || {
                let _session = switch::enter_session(session);
                ready.wait();
                let mut own = 0;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(call(&SWAP), 5);
                    own += 1;
                }
                made.fetch_add(own, Ordering::Relaxed);
            });
        }
        ready.wait();
        for setting in settings.iter().cycle().take(SWITCHES as usize) {
            SWAP.set(*setting, Source::Api).unwrap();
            assert_eq!(SWAP.setting(), *setting);
        }
        SWAP.set(Setting::C, Source::Api).unwrap();
        stop.store(true, Ordering::Relaxed);
    });
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(calls(&SWAP), made.load(Ordering::Relaxed));
    let counters = SWAP.counters();
    assert_eq!((counters.mismatches, counters.panics, counters.demotions), (0, 0, 0));
}

/// After the switch has returned, a thread that learns of it calls on the new side.
#[test]
fn a_switch_is_seen_by_the_next_call() {
    static SWAP: Swap = swap(5, "seen");
    let step = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100 {
                step.wait();
                call(&SWAP);
                step.wait();
            }
        });
        for round in 0..100u64 {
            let setting = if round % 2 == 0 { Setting::RUST } else { Setting::C };
            SWAP.set(setting, Source::Api).unwrap();
            step.wait();
            step.wait();
            let counters = SWAP.counters();
            assert_eq!((counters.calls_rust, counters.calls_c), (round / 2 + 1, round.div_ceil(2)));
        }
    });
}

/// One thread hangs in the Rust side of an inner swap, others are busy in swaps of their own: only the first is found,
/// not before its time, and not the outer swap, which is an effect and may take as long as it likes.
#[test]
fn a_rust_side_that_hangs_is_found_and_busy_ones_are_not() {
    const EFFECT: Contract = Contract::Effect;
    static OUTER: Swap =
        Swap::new(Info { index: 20, name: "outer", symbol: "", file: "", group: "threads", contract: EFFECT });
    static HUNG: Swap = swap(21, "hung");
    static BUSY: Swap = swap(22, "busy");
    const fn entry(swap: &'static Swap, contract: Contract) -> Entry {
        Entry { swap, symbol: "", contract, self_test: || Ok(()), rerun: None, c_address: || 0, rust_address: || 0 }
    }
    static ENTRIES: [Entry; 3] = [entry(&OUTER, EFFECT), entry(&HUNG, Contract::Pure), entry(&BUSY, Contract::Pure)];
    static LIST: [&Entry; 3] = [&ENTRIES[0], &ENTRIES[1], &ENTRIES[2]];
    let board = Switchboard::new(&LIST);
    for swap in [&OUTER, &HUNG, &BUSY] {
        swap.set(Setting::RUST, Source::Api).unwrap();
    }
    let (inside, done) = (Barrier::new(2), AtomicBool::new(false));
    let limit = Duration::from_secs(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            // The thread's first call takes its block; from the second on it is seen.
            call(&HUNG);
            let wait = || {
                inside.wait();
                while !done.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                5
            };
            let hang = || dispatch::pure(&HUNG, || 5, wait, switch::compare_results, || 0);
            dispatch::effect(&OUTER, || 0, hang, hang, || 0);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                call(&BUSY);
            }
        });
        inside.wait();
        let start = Instant::now();
        let looks = |milliseconds: &[u64]| {
            let mut watch = Watch::default();
            let look = |ms: &u64| {
                // Time is an argument here, so the busy thread has to show first that it goes on.
                let before = calls(&BUSY);
                while calls(&BUSY) < before + 2 {
                    thread::yield_now();
                }
                watch.look(&board, start + Duration::from_millis(*ms), limit)
            };
            milliseconds.iter().map(look).collect::<Vec<_>>()
        };
        // The pause before 9 s is too long to say anything.
        let found: Vec<usize> = looks(&[0, 1000, 1900, 2000, 2500, 9000, 9100]).iter().map(Vec::len).collect();
        let last = looks(&[0, 1000, 2000]).pop();
        // Before anything is asserted: a thread that is waited for must be able to end.
        done.store(true, Ordering::Relaxed);
        assert_eq!(found, [0, 0, 0, 1, 1, 0, 0]);
        let stuck = last.expect("three looks")[0];
        assert_eq!((stuck.swap.info().name, stuck.since), ("hung", limit));
    });
    assert!(Watch::default().look(&board, Instant::now(), Duration::ZERO).is_empty(), "all have come back");
}
