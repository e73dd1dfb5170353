//! All swaps of a build together: finding them, applying a specification, their self-tests, and the
//! report about them. One swap's own rules are in `swap.rs`.

use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};

use serde::Serialize;

use crate::counters::TimeSummary;
use crate::mismatch::{MismatchRecord, Sides, build_id};
use crate::spec::{ModeSpec, SpecEntry, SpecError, Specificity, nearest};
use crate::swap::{Refusal, SelfTest, Swap};
use crate::{Contract, Mode, Setting, Source};

/// One swap as its file presents it: written by the `swap!` macro, listed by the registry.
#[derive(Debug)]
pub struct Entry {
    /// The switch.
    pub swap: &'static Swap,
    /// The C symbol that the dispatcher defines.
    pub symbol: &'static str,
    /// The contract that the dispatcher keeps.
    pub contract: Contract,
    /// Compares both sides on known cases; tells what differed.
    pub self_test: fn() -> Result<(), String>,
    /// Calls the dispatcher once more with an input that was captured; `false` if it is none. `None`: this swap's input
    /// is not captured.
    pub rerun: Option<fn(&[u8]) -> bool>,
    /// Where the C side's code is. Unequal addresses show that the sides are different code.
    pub c_address: fn() -> usize,
    /// Where the Rust side's code is.
    pub rust_address: fn() -> usize,
}

/// The swaps of a build.
#[derive(Clone, Copy, Debug)]
pub struct Switchboard {
    entries: &'static [&'static Entry],
}

/// A swap whose self-test failed; it stays on C.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The swap.
    pub name: &'static str,
    /// What the test said.
    pub reason: String,
}

impl Switchboard {
    /// The swaps of `entries`.
    ///
    /// # Panics
    /// If the registry and the swap files contradict each other: two swaps of one name or index, or a
    /// file whose symbol or contract is not the registry's. A mistake of the build, never of a user.
    pub fn new(entries: &'static [&'static Entry]) -> Switchboard {
        let (mut names, mut indices) = (HashSet::new(), HashSet::new());
        for entry in entries {
            let info = entry.swap.info();
            assert!(names.insert(info.name), "two swaps are named {}", info.name);
            assert!(indices.insert(info.index), "two swaps have index {}", info.index);
            assert_eq!(info.symbol, entry.symbol, "{}: registry and file differ", info.name);
            assert_eq!(info.contract, entry.contract, "{}: registry and file differ", info.name);
        }
        Switchboard { entries }
    }

    /// Every swap's entry, in the registry's order.
    pub fn entries(&self) -> impl Iterator<Item = &'static Entry> {
        self.entries.iter().copied()
    }

    /// The swap named `name`.
    pub fn find(&self, name: &str) -> Option<&'static Swap> {
        self.swaps().find(|swap| swap.info().name == name)
    }

    /// Sets every swap that `spec` names, each by its most specific entry.
    ///
    /// Returns what single swaps refused: an effect under a group's or a glob's `shadow`, a stronger
    /// source, a demotion, a failed self-test. The others are set.
    ///
    /// # Errors
    /// A pattern that names nothing, or `shadow` for an effect that is named itself. Nothing is set.
    pub fn apply(&self, spec: &ModeSpec, source: Source) -> Result<Vec<Refusal>, SpecError> {
        self.check(spec)?;
        let mut refusals = Vec::new();
        for swap in self.swaps() {
            if let Some(entry) = spec.entry_for(swap.info()) {
                refusals.extend(swap.set(entry.setting(), source).err());
            }
        }
        Ok(refusals)
    }

    /// Whether [`Switchboard::apply`] would take `spec`.
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, spec: &ModeSpec) -> Result<(), SpecError> {
        spec.entries().iter().try_for_each(|entry| self.check_entry(spec, entry))
    }

    fn check_entry(&self, spec: &ModeSpec, entry: &SpecEntry) -> Result<(), SpecError> {
        let mut named = self.swaps().filter_map(|swap| Some((entry.specificity(swap.info())?, swap))).peekable();
        if named.peek().is_none() && entry.pattern() != "*" {
            return Err(spec.error_at(entry, self.unknown(entry.pattern())));
        }
        let shadow = entry.setting().mode() == Mode::Shadow;
        match named.find(|(specificity, _)| *specificity == Specificity::Name) {
            Some((_, swap)) if shadow && swap.info().contract == Contract::Effect => {
                Err(spec.error_at(entry, Refusal::ShadowOfEffect(swap.info().name).to_string()))
            }
            _ => Ok(()),
        }
    }

    /// The swaps that a name, a group, a glob over names or `*` names.
    ///
    /// # Errors
    /// None are, or it is no pattern; says what would be right.
    pub fn matching(&self, pattern: &str) -> Result<Vec<&'static Swap>, String> {
        let entry = ModeSpec::parse(&format!("{pattern}=c")).ok().filter(|spec| spec.entries().len() == 1);
        let named = |swap: &&'static Swap| {
            entry
                .as_ref()
                .is_some_and(|spec| spec.entries().iter().any(|entry| entry.specificity(swap.info()).is_some()))
        };
        let found: Vec<&'static Swap> = self.swaps().filter(named).collect();
        if found.is_empty() { Err(format!("\"{pattern}\": {}", self.unknown(pattern))) } else { Ok(found) }
    }

    fn unknown(&self, pattern: &str) -> String {
        let names = self.swaps().map(|swap| swap.info().name);
        let groups: Vec<&str> = self.groups();
        let problem = "names no swap and no group of this build";
        match nearest(pattern, names.chain(groups.iter().copied())) {
            Some(word) => format!("{problem}; did you mean \"{word}\"?"),
            None => format!("{problem}; groups: {}", groups.join(", ")),
        }
    }

    /// The groups, each once, in the registry's order.
    pub fn groups(&self) -> Vec<&'static str> {
        let mut groups = Vec::new();
        for swap in self.swaps() {
            if !groups.contains(&swap.info().group) {
                groups.push(swap.info().group);
            }
        }
        groups
    }

    /// Runs every self-test. A swap whose test fails or panics stays on C, with a warning in the log.
    ///
    /// To be called before modes are set, while the C side serves every call.
    pub fn self_test_all(&self) -> Vec<Failure> {
        self.entries().filter_map(|entry| self_test(entry).err()).collect()
    }

    /// Runs the self-tests of `names` only.
    pub fn self_test_of(&self, names: &[&str]) -> Vec<Failure> {
        let named = self.entries().filter(|entry| names.contains(&entry.swap.info().name));
        named.filter_map(|entry| self_test(entry).err()).collect()
    }

    /// What is to be known of every swap, at one moment.
    pub fn report(&self) -> Report {
        Report { schema_version: 1, build_id: build_id(), swaps: self.swaps().map(SwapReport::new).collect() }
    }

    /// The [`Report`] as JSON, in one line.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists only: there is nothing that could fail to be written.
        serde_json::to_string(&self.report()).unwrap_or_default()
    }

    fn swaps(&self) -> impl Iterator<Item = &'static Swap> {
        self.entries.iter().map(|entry| entry.swap)
    }
}

fn self_test(entry: &Entry) -> Result<(), Failure> {
    let name = entry.swap.info().name;
    // A self-test works on its own data; a half-finished one leaves nothing behind.
    let result = panic::catch_unwind(AssertUnwindSafe(entry.self_test)).unwrap_or_else(|payload| {
        // Dropping a payload runs unknown code, which could panic again.
        std::mem::forget(payload);
        Err("it panicked".to_owned())
    });
    entry.swap.self_tested(result.clone());
    result.map_err(|reason| {
        tracing::warn!(swap = name, reason, "self-test failed: swap stays on c");
        Failure { name, reason }
    })
}

/// Everything about all swaps. Its JSON form is what `cutover swaps --json` prints:
///
/// ```json
/// {"schema_version": 1, "build_id": "0.1.0", "swaps": [{
///   "name": "new_block", "symbol": "NewBlock", "file": "Cedar/Connection.c", "group": "framing",
///   "contract": "cloned", "mode": "rust", "percent": 100, "source": "config",
///   "demoted": null, "self_test": "passed",
///   "calls": {"c": 0, "rust": 2048, "shadow": 0}, "mismatches": 0, "panics": 0, "demotions": 0, "fallbacks": 0,
///   "ns": {"c": {"samples": 0, "mean": null, "p99": null},
///          "rust": {"samples": 2, "mean": 70, "p99": 80}},
///   "records": []}]}
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// 1. Grows when a field changes its meaning or goes; new fields do not change it.
    pub schema_version: u32,
    /// The build.
    pub build_id: &'static str,
    /// Each swap, in the registry's order.
    pub swaps: Vec<SwapReport>,
}

/// Everything about one swap.
#[derive(Clone, Debug, Serialize)]
pub struct SwapReport {
    /// The Rust name.
    pub name: &'static str,
    /// The C symbol.
    pub symbol: &'static str,
    /// The C file.
    pub file: &'static str,
    /// The group.
    pub group: &'static str,
    /// The contract.
    pub contract: Contract,
    /// The mode in force.
    pub mode: Mode,
    /// Its share of the traffic, 0 to 100.
    pub percent: u8,
    /// Who set the wanted mode.
    pub source: Source,
    /// Why it was demoted, if it is.
    pub demoted: Option<String>,
    /// `not run`, `passed`, or `failed: ` and the reason.
    pub self_test: String,
    /// Calls by the side that served them.
    pub calls: Calls,
    /// Comparisons that differed.
    pub mismatches: u64,
    /// Panics of the Rust side.
    pub panics: u64,
    /// How often it was demoted.
    pub demotions: u64,
    /// Calls given to Rust that C served in the end.
    pub fallbacks: u64,
    /// Sampled nanoseconds per call: samples, mean, and an upper bound of the 99th percentile.
    pub ns: Sides<TimeSummary>,
    /// The first mismatches.
    pub records: Vec<MismatchRecord>,
}

/// Calls by the side that served them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// C alone.
    pub c: u64,
    /// Rust alone.
    pub rust: u64,
    /// Both, compared.
    pub shadow: u64,
}

impl SwapReport {
    fn new(swap: &Swap) -> SwapReport {
        let (info, status, counters) = (swap.info(), swap.status(), swap.counters());
        let setting: Setting = status.setting;
        SwapReport {
            name: info.name,
            symbol: info.symbol,
            file: info.file,
            group: info.group,
            contract: info.contract,
            mode: setting.mode(),
            percent: setting.percent(),
            source: status.source,
            demoted: status.demoted,
            self_test: match status.self_test {
                SelfTest::NotRun => "not run".to_owned(),
                SelfTest::Passed => "passed".to_owned(),
                SelfTest::Failed(reason) => format!("failed: {reason}"),
            },
            calls: Calls { c: counters.calls_c, rust: counters.calls_rust, shadow: counters.calls_shadow },
            mismatches: counters.mismatches,
            panics: counters.panics,
            demotions: counters.demotions,
            fallbacks: counters.fallbacks,
            ns: counters.times,
            records: swap.records(),
        }
    }
}
