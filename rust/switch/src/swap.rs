//! One swap: what it is, which side serves its calls, and what was seen of it.
//! How a call runs on the side chosen here is in `dispatch.rs`.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::capture;
use crate::counters::{self, Lane, MAX_SWAPS, TimeSummary, Times};
use crate::mismatch::{Difference, MismatchRecord, Sides};
use crate::session;
use crate::{Contract, Mode, Setting, Source};

/// How many mismatch records a swap keeps; further ones are only counted.
pub const RECORDS_MAX: usize = 32;

/// What a swap is: its line in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The swap's own place among the counters, below [`MAX_SWAPS`].
    pub index: usize,
    /// The Rust name, such as `new_block`.
    pub name: &'static str,
    /// The C symbol, such as `NewBlock`.
    pub symbol: &'static str,
    /// The C file that defines it, such as `Cedar/Connection.c`.
    pub file: &'static str,
    /// The group it belongs to, such as `framing`.
    pub group: &'static str,
    /// What the function may do.
    pub contract: Contract,
}

/// The switch of one swapped function: a `static`, on C until it is set.
///
/// All methods may be called from any thread at any time.
#[derive(Debug)]
pub struct Swap {
    info: Info,
    /// The setting in force, [`Setting::to_bits`]. A hint to dispatchers that guards no other memory,
    /// so relaxed; written under the lock of `state` only.
    in_force: AtomicU16,
    state: Mutex<State>,
    mismatches: AtomicU64,
    panics: AtomicU64,
    demotions: AtomicU64,
    fallbacks: AtomicU64,
    times: Sides<Times>,
    records: Mutex<Vec<MismatchRecord>>,
}

#[derive(Debug)]
struct State {
    wanted: Setting,
    source: Source,
    demotion: Option<String>,
    self_test: SelfTest,
}

impl State {
    /// Evidence against the Rust side outweighs what is wanted.
    fn in_force(&self) -> Setting {
        match (&self.demotion, &self.self_test) {
            (None, SelfTest::NotRun | SelfTest::Passed) => self.wanted,
            _ => Setting::C,
        }
    }
}

/// What a swap's self-test said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelfTest {
    /// It did not run yet.
    NotRun,
    /// Both sides agreed.
    Passed,
    /// It failed, and why. The swap stays on C.
    Failed(String),
}

/// Why a swap was not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Shadow would do the effect twice.
    #[error("shadow is not possible: {0} is an effect; use c or rust")]
    ShadowOfEffect(&'static str),
    /// A stronger source has set it.
    #[error("{name} was set to {held} by a stronger source ({by})")]
    Outranked {
        /// The swap.
        name: &'static str,
        /// The setting that stays.
        held: Setting,
        /// Who set it.
        by: Source,
    },
    /// It was demoted; only [`Swap::promote`] ends that.
    #[error("{name} was demoted to c ({reason}); `cutover swaps promote {name}` ends that")]
    Demoted {
        /// The swap.
        name: &'static str,
        /// Why it was demoted.
        reason: String,
    },
    /// Its self-test failed, which no source overrides.
    #[error("{name} stays on c: its self-test failed: {reason}")]
    SelfTestFailed {
        /// The swap.
        name: &'static str,
        /// What the test said.
        reason: String,
    },
}

/// What was counted of one swap, over all threads, living and ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Calls served by C alone.
    pub calls_c: u64,
    /// Calls given to Rust alone, with those that panicked there.
    pub calls_rust: u64,
    /// Calls that ran on both sides and were compared.
    pub calls_shadow: u64,
    /// Comparisons that differed.
    pub mismatches: u64,
    /// Panics of the Rust side.
    pub panics: u64,
    /// How often it was taken back to C by a mismatch, a panic or [`Swap::demote`].
    pub demotions: u64,
    /// Calls given to Rust that C served in the end, after a panic or because Rust does not know the case.
    pub fallbacks: u64,
    /// Sampled times of each side.
    pub times: Sides<TimeSummary>,
}

/// Where a call goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route {
    C,
    Rust,
    /// [`Swap::draw`] decides, by these bits.
    Drawn(u16),
}

/// A swap's modes and evidence, read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The setting in force.
    pub setting: Setting,
    /// Who set the wanted mode.
    pub source: Source,
    /// Why it was demoted, if it is.
    pub demoted: Option<String>,
    /// What its self-test said.
    pub self_test: SelfTest,
}

impl Swap {
    /// A swap that runs C. `info.index` must be below [`MAX_SWAPS`]; for a `static`, a larger one
    /// fails the build.
    pub const fn new(info: Info) -> Swap {
        assert!(info.index < MAX_SWAPS, "raise MAX_SWAPS in counters.rs");
        Swap {
            info,
            in_force: AtomicU16::new(Setting::C.to_bits()),
            state: Mutex::new(State {
                wanted: Setting::C,
                source: Source::Default,
                demotion: None,
                self_test: SelfTest::NotRun,
            }),
            mismatches: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            demotions: AtomicU64::new(0),
            fallbacks: AtomicU64::new(0),
            times: Sides { c: Times::new(), rust: Times::new() },
            records: Mutex::new(Vec::new()),
        }
    }

    /// What the swap is.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The setting in force.
    pub fn setting(&self) -> Setting {
        Setting::from_bits(self.in_force.load(Relaxed))
    }

    /// The setting in force, who set it, and the evidence against the Rust side.
    pub fn status(&self) -> Status {
        let state = self.state();
        Status {
            setting: state.in_force(),
            source: state.source,
            demoted: state.demotion.clone(),
            self_test: state.self_test.clone(),
        }
    }

    /// Sets which side serves from now on; running calls end where they began.
    ///
    /// # Errors
    /// A [`Refusal`]; the swap is then as it was.
    pub fn set(&self, setting: Setting, source: Source) -> Result<(), Refusal> {
        let name = self.info.name;
        if setting.mode() == Mode::Shadow && self.info.contract == Contract::Effect {
            return Err(Refusal::ShadowOfEffect(name));
        }
        let mut state = self.state();
        if source < state.source {
            return Err(Refusal::Outranked { name, held: state.wanted, by: state.source });
        }
        if setting.mode() != Mode::C {
            if let SelfTest::Failed(reason) = &state.self_test {
                return Err(Refusal::SelfTestFailed { name, reason: reason.clone() });
            }
            if let Some(reason) = &state.demotion {
                return Err(Refusal::Demoted { name, reason: reason.clone() });
            }
        }
        state.wanted = setting;
        state.source = source;
        self.put_in_force(&state);
        Ok(())
    }

    /// Takes the swap back to C until a person promotes it. Says so once in the log; a swap that is
    /// demoted already keeps its first reason.
    #[cold]
    pub fn demote(&self, reason: &str) {
        {
            let mut state = self.state();
            if state.demotion.is_some() {
                return;
            }
            state.demotion = Some(reason.to_owned());
            self.put_in_force(&state);
        }
        self.demotions.fetch_add(1, Relaxed);
        tracing::warn!(swap = self.info.name, reason, "swap demoted to c");
    }

    /// Ends a demotion, which is a person's act. The swap stays on C until it is set; returns why it was demoted, if it
    /// was.
    pub fn promote(&self) -> Option<String> {
        let mut state = self.state();
        let reason = state.demotion.take()?;
        state.wanted = Setting::C;
        state.source = Source::Api;
        self.put_in_force(&state);
        Some(reason)
    }

    /// Has the next call timed, whatever [`SAMPLE_EVERY`](crate::SAMPLE_EVERY) says: so that a side that is called
    /// rarely, or has become slow, is seen soon.
    pub fn sample_next(&self) {
        self.in_force.fetch_or(Setting::SAMPLE, Relaxed);
    }

    /// Counts that C served a call that was given to Rust. For shims whose Rust side does not know a case.
    pub fn fell_back(&self) {
        self.fallbacks.fetch_add(1, Relaxed);
    }

    /// Which side a session that starts now is to run on: for effects, which are chosen once per
    /// session. The answer for one session changes only when the setting does.
    pub fn choose(&self, session: u64) -> Mode {
        let setting = self.setting();
        match setting.mode() {
            Mode::Rust if !session::is_within(session, setting.percent()) => Mode::C,
            mode => mode,
        }
    }

    /// What was counted so far. Counts of running threads are at most moments old.
    pub fn counters(&self) -> Counters {
        let calls = counters::totals(self.info.index);
        Counters {
            calls_c: calls[Lane::C as usize],
            calls_rust: calls[Lane::Rust as usize],
            calls_shadow: calls[Lane::Shadow as usize],
            mismatches: self.mismatches.load(Relaxed),
            panics: self.panics.load(Relaxed),
            demotions: self.demotions.load(Relaxed),
            fallbacks: self.fallbacks.load(Relaxed),
            times: Sides { c: self.times.c.snapshot(), rust: self.times.rust.snapshot() },
        }
    }

    /// The first [`RECORDS_MAX`] mismatches.
    pub fn records(&self) -> Vec<MismatchRecord> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether C alone serves this call.
    #[inline(always)]
    pub(crate) fn is_c(&self) -> bool {
        self.in_force.load(Relaxed) == Setting::C.to_bits()
    }

    /// Which side serves this call.
    #[inline(always)]
    pub(crate) fn route(&self) -> Route {
        const C: u16 = Setting::C.to_bits();
        const RUST: u16 = Setting::RUST.to_bits();
        match self.in_force.load(Relaxed) {
            C => Route::C,
            RUST => Route::Rust,
            bits if self.passes_over(bits) => Route::C,
            bits => Route::Drawn(bits),
        }
    }

    /// Whether a share of shadow leaves this call to C, as it does most: the way there is to be short.
    #[inline(always)]
    fn passes_over(&self, bits: u16) -> bool {
        let [mode, percent] = bits.to_le_bytes();
        // A call that is to be timed has another bit in the mode's byte, and is drawn.
        mode == Mode::Shadow as u8 && !counters::is_shadow_turn(self.info.index, percent)
    }

    /// Which side serves a call of a share, of shadow, or one that is to be timed (then true). `session` is asked only
    /// where a percentage needs it.
    pub(crate) fn draw(&self, bits: u16, session: impl FnOnce() -> u64) -> (Mode, bool) {
        let setting = Setting::from_bits(bits);
        let percent = setting.percent();
        let drawn = match setting.mode() {
            Mode::C => false,
            Mode::Rust => percent >= 100 || session::is_within(session(), percent),
            Mode::Shadow => counters::is_shadow_turn(self.info.index, percent),
        };
        let mode = if drawn { setting.mode() } else { Mode::C };
        let wanted = bits & Setting::SAMPLE != 0;
        // Of several threads that see the wish one fulfils it.
        (mode, wanted && self.in_force.fetch_and(!Setting::SAMPLE, Relaxed) & Setting::SAMPLE != 0)
    }

    pub(crate) fn times(&self) -> &Sides<Times> {
        &self.times
    }

    /// Takes the self-test's answer. A failed one keeps the swap on C whatever is set.
    pub(crate) fn self_tested(&self, result: Result<(), String>) {
        let mut state = self.state();
        state.self_test = match result {
            Ok(()) => SelfTest::Passed,
            Err(reason) => SelfTest::Failed(reason),
        };
        self.put_in_force(&state);
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn panicked(&self, location: &str) {
        self.panics.fetch_add(1, Relaxed);
        self.demote(&format!("panic at {location}"));
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn mismatched(&self, difference: &Difference, arguments: u64) {
        let sequence = self.mismatches.fetch_add(1, Relaxed) + 1;
        let record = MismatchRecord::new(&self.info, sequence, difference, arguments);
        let is_kept = {
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            let is_kept = records.len() < RECORDS_MAX;
            if is_kept {
                records.push(record.clone());
            }
            is_kept
        };
        self.demote(&format!("mismatch: {difference}"));
        if let (true, Some(input)) = (is_kept, difference.captured()) {
            capture::write(&record, input);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the locked state, so that settings are published in the order they were made.
    fn put_in_force(&self, state: &State) {
        self.in_force.store(state.in_force().to_bits(), Relaxed);
    }
}
