//! How one call runs: counted, on C, on both sides, or on Rust behind the panic boundary. The `swap!`
//! macro writes the calls of these three functions, one per contract; each inlines to a load of the
//! mode, a count and the C call, with everything rare out of line.
//!
//! All closures are taken by value: a reference to one would keep the arguments in memory, and so cost
//! a swap on C, too.
//!
//! 1. `Swap::route` says which side.
//! 2. The call is counted once, on the lane of that side; each `SAMPLE_EVERY`th is timed.
//! 3. The side runs. After a panic of the Rust side a pure or cloned swap calls C (not counted again),
//!    an effect returns its failure value.

use std::cell::Cell;

use crate::counters::{self, Lane, Times};
use crate::mismatch::Verdict;
use crate::panic::guard;
use crate::session::current_session;
use crate::{Mode, Swap};

/// Runs the C on the original inside a cloned swap's shadow function.
///
/// If that function never calls [`Control::run`], or panics before, the dispatcher runs the C itself:
/// it runs exactly once in every case.
pub struct Control<'a, R> {
    c: &'a dyn Fn() -> R,
    result: &'a Cell<Option<R>>,
    times: Option<&'a Times>,
}

impl<R: Copy> Control<'_, R> {
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

/// One call of a pure function.
#[inline(always)]
pub fn pure<R: Copy>(
    swap: &'static Swap,
    c: impl Fn() -> R,
    rust: impl Fn() -> R,
    compare: impl Fn(&R, &R) -> Verdict,
    arguments: impl Fn() -> u64,
) -> R {
    match swap.route(current_session) {
        Mode::C => on_c(swap, c),
        Mode::Rust => on_rust(swap, rust).unwrap_or_else(c),
        Mode::Shadow => shadow_pure(swap, c, rust, compare, arguments),
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
    match swap.route(current_session) {
        Mode::C => on_c(swap, c),
        Mode::Rust => on_rust(swap, rust).unwrap_or_else(c),
        Mode::Shadow => shadow_cloned(swap, c, shadow, arguments),
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
    match swap.route(session) {
        // `Swap::set` lets no effect be shadowed.
        Mode::C | Mode::Shadow => on_c(swap, c),
        Mode::Rust => on_rust(swap, rust).unwrap_or_else(failure),
    }
}

#[inline(always)]
fn on_c<R>(swap: &'static Swap, c: impl FnOnce() -> R) -> R {
    if counters::count(swap.info().index, Lane::C) { c() } else { rarely(swap, Lane::C, c) }
}

#[inline(always)]
fn on_rust<R>(swap: &'static Swap, rust: impl FnOnce() -> R) -> Option<R> {
    if counters::count(swap.info().index, Lane::Rust) {
        guard(swap, rust)
    } else {
        guard(swap, || rarely(swap, Lane::Rust, rust))
    }
}

/// A call that is timed, or is its thread's first.
#[cold]
#[inline(never)]
fn rarely<R>(swap: &'static Swap, lane: Lane, call: impl FnOnce() -> R) -> R {
    if !counters::finish_count(swap.info().index, lane) {
        return call();
    }
    let times = swap.times();
    counters::timed(if lane == Lane::Rust { &times.rust } else { &times.c }, call)
}

/// Counts a shadowed call; true if both sides are to be timed.
fn count_shadow(swap: &'static Swap) -> bool {
    let index = swap.info().index;
    !counters::count(index, Lane::Shadow) && counters::finish_count(index, Lane::Shadow)
}

#[inline(never)]
fn shadow_pure<R: Copy>(
    swap: &'static Swap,
    c: impl Fn() -> R,
    rust: impl Fn() -> R,
    compare: impl Fn(&R, &R) -> Verdict,
    arguments: impl Fn() -> u64,
) -> R {
    let sampled = count_shadow(swap);
    let control = if sampled { counters::timed(&swap.times().c, c) } else { c() };
    let verdict = guard(swap, || {
        let candidate = if sampled { counters::timed(&swap.times().rust, rust) } else { rust() };
        compare(&control, &candidate)
    });
    judge(swap, verdict, arguments);
    control
}

#[inline(never)]
fn shadow_cloned<R: Copy>(
    swap: &'static Swap,
    c: impl Fn() -> R,
    shadow: impl FnOnce(Control<'_, R>) -> Verdict,
    arguments: impl Fn() -> u64,
) -> R {
    let times = count_shadow(swap).then_some(&swap.times().c);
    let result = Cell::new(None);
    let control = Control { c: &c, result: &result, times };
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
