//! How one call runs: counted, on C, on both sides, or on Rust behind the panic boundary. The `swap!`
//! macro writes the calls of these functions.
//!
//! A swap on C must cost next to nothing, so the function that C calls only asks [`is_c`] and jumps: to the C twin, or
//! to a second function of the same arguments, which holds the call of [`pure`], [`cloned`] or [`effect`]. In one function
//! the closures of the other paths would have the arguments moved to memory, and registers saved, on the way to C, too.
//!
//! 1. [`is_c`]: if the swap is wholly on C, the call is counted there and C runs.
//! 2. Otherwise `Swap::route` says which side, or that `Swap::draw` has to.
//! 3. The call is counted once, on the lane of that side; each `SAMPLE_EVERY`th is timed, and one that was asked for.
//! 4. The side runs. After a panic of the Rust side a pure or cloned swap calls C (not counted again),
//!    an effect returns its failure value.

use std::cell::Cell;

use crate::counters::{self, Lane, Times};
use crate::mismatch::Verdict;
use crate::panic::guard;
use crate::session::current_session;
use crate::swap::Route;
use crate::{Mode, Swap};

/// Runs the C on the original inside a cloned swap's shadow function.
///
/// If that function never calls [`Control::run`], or panics before, the dispatcher runs the C itself:
/// it runs exactly once in every case.
pub struct Control<'a, R> {
    c: &'a dyn Fn() -> R,
    result: &'a Cell<Option<R>>,
    times: Option<&'a Times>,
    turn: u64,
}

impl<R: Copy> Control<'_, R> {
    /// The how manyth comparison of this swap on this thread it is: 1, 2, 3 and so on, for shadow functions that do more in
    /// some calls than in others. A new thread may go on where one that has ended left off.
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// Calls C with the original arguments and returns its result, which the caller will get.
    pub fn run(self) -> R {
        let result = match self.times {
            Some(times) => counters::timed(times, self.c),
            None => (self.c)(),
        };
        self.result.set(Some(result));
        result
    }
}

/// Whether C serves this call and nothing else is to be done with it; it is counted then. False: it is not counted yet.
#[inline(always)]
pub fn is_c(swap: &'static Swap) -> bool {
    swap.is_c() && counters::count(swap.info().index, Lane::C)
}

/// One call of a pure function.
#[inline(always)]
pub fn pure<R: Copy>(
    swap: &'static Swap,
    c: impl Fn() -> R,
    rust: impl Fn() -> R,
    compare: impl Fn(&R, &R) -> Verdict,
    arguments: impl Fn() -> u64,
) -> R {
    match swap.route() {
        Route::C => drawn(swap, Lane::C, false, c),
        Route::Rust => on_rust(swap, rust).unwrap_or_else(|| fall_back(swap, c)),
        Route::Drawn(bits) => drawn_pure(swap, bits, c, rust, compare, arguments),
    }
}

/// One call of a function whose state can be copied. `shadow` copies, runs the C by its [`Control`],
/// runs Rust on the copy, and compares.
#[inline(always)]
pub fn cloned<R: Copy>(
    swap: &'static Swap,
    c: impl Fn() -> R,
    rust: impl Fn() -> R,
    shadow: impl FnOnce(Control<'_, R>) -> Verdict,
    arguments: impl Fn() -> u64,
) -> R {
    match swap.route() {
        Route::C => drawn(swap, Lane::C, false, c),
        Route::Rust => on_rust(swap, rust).unwrap_or_else(|| fall_back(swap, c)),
        Route::Drawn(bits) => drawn_cloned(swap, bits, c, rust, shadow, arguments),
    }
}

/// One call of a function with effects, for `session`. After a panic the caller gets `failure`.
#[inline(always)]
pub fn effect<R>(
    swap: &'static Swap,
    session: impl FnOnce() -> u64,
    c: impl Fn() -> R,
    rust: impl Fn() -> R,
    failure: impl FnOnce() -> R,
) -> R {
    match swap.route() {
        Route::C => drawn(swap, Lane::C, false, c),
        Route::Rust => on_rust(swap, rust).unwrap_or_else(failure),
        Route::Drawn(bits) => drawn_effect(swap, bits, session, c, rust, failure),
    }
}

#[inline(always)]
fn on_rust<R>(swap: &'static Swap, rust: impl FnOnce() -> R) -> Option<R> {
    if counters::count(swap.info().index, Lane::Rust) { guard(swap, rust) } else { guard(swap, || rarely(swap, rust)) }
}

/// A call of Rust that is timed, or is its thread's first.
#[cold]
#[inline(never)]
fn rarely<R>(swap: &'static Swap, rust: impl FnOnce() -> R) -> R {
    if counters::finish_count(swap.info().index, Lane::Rust) { timed(swap, Lane::Rust, rust) } else { rust() }
}

fn timed<R>(swap: &'static Swap, lane: Lane, call: impl FnOnce() -> R) -> R {
    let times = swap.times();
    counters::timed(if lane == Lane::Rust { &times.rust } else { &times.c }, call)
}

/// C serves what Rust gave up.
#[cold]
fn fall_back<R>(swap: &'static Swap, c: impl FnOnce() -> R) -> R {
    swap.fell_back();
    c()
}

/// Counts a call; true if it is to be timed.
fn count_drawn(swap: &'static Swap, lane: Lane, sample: bool) -> bool {
    let index = swap.info().index;
    let due = !counters::count(index, lane) && counters::finish_count(index, lane);
    due || sample
}

fn drawn<R>(swap: &'static Swap, lane: Lane, sample: bool, call: impl FnOnce() -> R) -> R {
    if count_drawn(swap, lane, sample) { timed(swap, lane, call) } else { call() }
}

#[inline(never)]
fn drawn_pure<R: Copy>(
    swap: &'static Swap,
    bits: u16,
    c: impl Fn() -> R,
    rust: impl Fn() -> R,
    compare: impl Fn(&R, &R) -> Verdict,
    arguments: impl Fn() -> u64,
) -> R {
    let (mode, sample) = swap.draw(bits, current_session);
    match mode {
        Mode::C => drawn(swap, Lane::C, sample, c),
        Mode::Rust => guard(swap, || drawn(swap, Lane::Rust, sample, rust)).unwrap_or_else(|| fall_back(swap, c)),
        Mode::Shadow => shadow_pure(swap, sample, c, rust, compare, arguments),
    }
}

#[inline(never)]
fn drawn_cloned<R: Copy>(
    swap: &'static Swap,
    bits: u16,
    c: impl Fn() -> R,
    rust: impl Fn() -> R,
    shadow: impl FnOnce(Control<'_, R>) -> Verdict,
    arguments: impl Fn() -> u64,
) -> R {
    let (mode, sample) = swap.draw(bits, current_session);
    match mode {
        Mode::C => drawn(swap, Lane::C, sample, c),
        Mode::Rust => guard(swap, || drawn(swap, Lane::Rust, sample, rust)).unwrap_or_else(|| fall_back(swap, c)),
        Mode::Shadow => shadow_cloned(swap, sample, c, shadow, arguments),
    }
}

#[inline(never)]
fn drawn_effect<R>(
    swap: &'static Swap,
    bits: u16,
    session: impl FnOnce() -> u64,
    c: impl Fn() -> R,
    rust: impl Fn() -> R,
    failure: impl FnOnce() -> R,
) -> R {
    match swap.draw(bits, session) {
        // `Swap::set` lets no effect be shadowed.
        (Mode::C | Mode::Shadow, sample) => drawn(swap, Lane::C, sample, c),
        (Mode::Rust, sample) => guard(swap, || drawn(swap, Lane::Rust, sample, rust)).unwrap_or_else(failure),
    }
}

fn shadow_pure<R: Copy>(
    swap: &'static Swap,
    sample: bool,
    c: impl Fn() -> R,
    rust: impl Fn() -> R,
    compare: impl Fn(&R, &R) -> Verdict,
    arguments: impl Fn() -> u64,
) -> R {
    let sampled = count_drawn(swap, Lane::Shadow, sample);
    let control = if sampled { counters::timed(&swap.times().c, c) } else { c() };
    let verdict = guard(swap, || {
        let candidate = if sampled { counters::timed(&swap.times().rust, rust) } else { rust() };
        compare(&control, &candidate)
    });
    judge(swap, verdict, arguments);
    control
}

fn shadow_cloned<R: Copy>(
    swap: &'static Swap,
    sample: bool,
    c: impl Fn() -> R,
    shadow: impl FnOnce(Control<'_, R>) -> Verdict,
    arguments: impl Fn() -> u64,
) -> R {
    let times = count_drawn(swap, Lane::Shadow, sample).then_some(&swap.times().c);
    let result = Cell::new(None);
    let turn = counters::calls_here(swap.info().index, Lane::Shadow);
    let control = Control { c: &c, result: &result, times, turn };
    let verdict = guard(swap, || shadow(control));
    judge(swap, verdict, arguments);
    result.get().unwrap_or_else(c)
}

/// `None` stands for a panic, which is dealt with already.
fn judge(swap: &'static Swap, verdict: Option<Verdict>, arguments: impl Fn() -> u64) {
    if let Some(Err(difference)) = verdict {
        swap.mismatched(&difference, arguments());
    }
}
