//! `InitTick64`, Mayaqua's clock, and the functions that follow it: `Tick64`, `Tick64ToTime64`, `FreeTick64`. The C starts a
//! thread that wakes a hundred times a second to write the time into a variable, which these read. On Rust there is no
//! thread: the monotonic clock is read when somebody asks.
//!
//! 1. `InitMayaqua` calls `InitTick64` once. Its side is the clock's for as long as the process has one: two clocks
//!    would not tell the same time. So the mode must be known before (`cutover_prepare`), and a change needs a new process.
//! 2. `Tick64` asks whose clock runs, and reads it. Like the C's it begins at 1, is 0 before and after, and never goes
//!    back.
//! 3. Once a second whoever asks for a tick also looks whether the time of day was set anew, as the C's thread does, for
//!    `Tick64ToTime64`. While nobody asks, nobody looks.
//!
//! The C keeps its clock in a static variable of Tick64.c, which nobody else reads. No lock of the C's is held on entry; a
//! lock of Rust's is held for the few instructions that read the history.

use mayaqua::tick::Ticks;
use rustix::time::{ClockId, clock_gettime};
use softether_sys::{SystemTime64, UINT64};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often the time of day is looked at, in milliseconds (C: the number in `Tick64Thread`).
const LOOK_MS: u64 = 1000;

switch::swap! {
    /// Starts Mayaqua's clock (C: `InitTick64`, Mayaqua/Tick64.c). One that runs goes on.
    pub unsafe extern "C" fn InitTick64();
    swap: crate::INIT_TICK64,
    signature: softether_sys::InitTick64,
    c: c_InitTick64,
    // A process without a clock would stand still: the C's is started instead.
    // SAFETY: it may be called at any time.
    contract: effect(unsafe { c_InitTick64() }),
    rust: rust,
    self_test: self_test,
}

/// The Rust side.
///
/// # Safety
/// None beyond the C's.
pub unsafe fn rust() {
    #[cfg(feature = "planted-faults")]
    crate::planted::strike_at_once("init_tick64");
    // SAFETY: it may be called at any time; 0 is its answer without a clock.
    if unsafe { c_Tick64() } == 0 {
        CLOCK.start();
    }
}

unsafe extern "C" {
    /// The C twin: the vendored function under its new link name.
    pub fn c_Tick64() -> UINT64;
    fn c_Tick64ToTime64(tick: UINT64) -> UINT64;
    fn c_FreeTick64();
}

// The signatures written here must be the C's, as bindgen reads them.
const _: unsafe extern "C" fn() -> UINT64 = softether_sys::Tick64;
const _: unsafe extern "C" fn(UINT64) -> UINT64 = softether_sys::Tick64ToTime64;
const _: unsafe extern "C" fn() = softether_sys::FreeTick64;

/// Milliseconds since the clock was started, and one; 0 without a clock (C: `Tick64`, Mayaqua/Tick64.c).
///
/// # Safety
/// None beyond the C's.
#[allow(non_snake_case)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Tick64() -> UINT64 {
    // SAFETY: it may be called at any time.
    CLOCK.tick64().unwrap_or_else(|| unsafe { c_Tick64() })
}

/// The time of day at a tick, in milliseconds (C: `Tick64ToTime64`, Mayaqua/Tick64.c).
///
/// # Safety
/// The C's own: there is a clock.
#[allow(non_snake_case)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Tick64ToTime64(tick: UINT64) -> UINT64 {
    // SAFETY: the caller's.
    CLOCK.tick64_to_time64(tick).unwrap_or_else(|| unsafe { c_Tick64ToTime64(tick) })
}

/// Ends the clock, whose ever it is (C: `FreeTick64`, Mayaqua/Tick64.c).
///
/// # Safety
/// The C's own: nobody else reads the clock meanwhile.
#[allow(non_snake_case)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FreeTick64() {
    CLOCK.stop();
    // SAFETY: the caller's; without a clock of the C's it does nothing.
    unsafe { c_FreeTick64() };
}

/// The process's clock, if it is Rust's.
static CLOCK: Clock = Clock::new(time_of_day);

/// A clock that is read when somebody asks (C: `TICK64`).
#[derive(Debug)]
pub struct Clock {
    /// The time of day in Mayaqua's milliseconds.
    time_of_day: fn() -> u64,
    /// What the monotonic clock said one millisecond before the start; 0 while it does not run.
    zero: AtomicU64,
    /// The tick from which on the time of day is looked at again.
    next_look: AtomicU64,
    ticks: Mutex<Option<Ticks>>,
}

impl Clock {
    /// One that does not run.
    #[must_use]
    pub const fn new(time_of_day: fn() -> u64) -> Clock {
        Clock { time_of_day, zero: AtomicU64::new(0), next_look: AtomicU64::new(0), ticks: Mutex::new(None) }
    }

    /// Starts it; one that runs goes on.
    pub fn start(&self) {
        let mut ticks = self.lock();
        if ticks.is_none() {
            let start = monotonic_ms();
            *ticks = Some(Ticks::new(start, (self.time_of_day)()));
            self.next_look.store(LOOK_MS, Ordering::Relaxed);
            self.zero.store(start - 1, Ordering::Release);
        }
    }

    /// Ends it.
    pub fn stop(&self) {
        self.zero.store(0, Ordering::Release);
        *self.lock() = None;
    }

    /// The tick, from 1 on; `None` while it does not run.
    #[inline]
    #[must_use]
    pub fn tick64(&self) -> Option<u64> {
        let zero = self.zero.load(Ordering::Acquire);
        if zero == 0 {
            return None;
        }
        let now = monotonic_ms();
        let tick = now.saturating_sub(zero);
        if tick >= self.next_look.load(Ordering::Relaxed) {
            self.look(now, tick);
        }
        Some(tick)
    }

    /// The time of day at a tick; `None` while it does not run.
    #[must_use]
    pub fn tick64_to_time64(&self, tick: u64) -> Option<u64> {
        self.lock().as_ref().map(|ticks| ticks.tick64_to_time64(tick))
    }

    /// Looks at the time of day, if nobody else does.
    #[cold]
    fn look(&self, now: u64, tick: u64) {
        let Ok(mut ticks) = self.ticks.try_lock() else { return };
        self.next_look.store(tick.saturating_add(LOOK_MS), Ordering::Relaxed);
        if let Some(ticks) = ticks.as_mut() {
            ticks.adjust(now, (self.time_of_day)());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ticks>> {
        self.ticks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock that never jumps, in milliseconds, 2 at least (C: `UnixGetTick64`, Mayaqua/Unix.c).
fn monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanoseconds) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000).max(2)
}

/// The time of day in Mayaqua's milliseconds. Mayaqua knows it before it starts its clock, and not much earlier.
#[must_use]
pub fn time_of_day() -> u64 {
    // SAFETY: Mayaqua's functions for the operating system are there; it asks for no tick.
    unsafe { SystemTime64() }
}

/// A clock of its own begins at 1, goes forward, and gives the time of day it was started at. Mayaqua is not there yet when
/// the client runs this, nor is the C's clock.
fn self_test() -> Result<(), String> {
    let clock = Clock::new(|| 1_000_000);
    let before = clock.tick64();
    clock.start();
    let ticks = [clock.tick64(), clock.tick64()];
    let times = [0, 1, 2].map(|tick| clock.tick64_to_time64(tick));
    clock.stop();
    match (before, ticks, times, clock.tick64()) {
        (None, [Some(first), Some(second)], [Some(0), Some(1_000_000), Some(1_000_001)], None)
            if first >= 1 && second >= first =>
        {
            Ok(())
        }
        _ => Err(format!("ticks {ticks:?}, times {times:?}")),
    }
}
