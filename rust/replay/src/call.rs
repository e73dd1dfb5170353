//! A record of one call that mismatched: its function is called again with the same input, in shadow.
//!
//! 1. The record's second line names the swap, the sequence and the build (`switch::MismatchRecord` as JSON).
//! 2. The swap makes of the rest what its function was called with, and calls its dispatcher, which runs both sides and
//!    compares as it does in a client.
//! 3. What that says now is the [`Report`].

use crate::ReplayError;
use serde_json::Value;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use switch::{Setting, Source, Swap};

/// What came of a call that was made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The swap.
    pub swap: &'static str,
    /// What the record says of the mismatch, as JSON.
    pub record: Value,
    /// Why Rust was demoted by the call made again: how the sides differ, or where Rust panicked. `None`: they agree.
    pub difference: Option<String>,
}

/// Makes the call of a record again. `bytes` are those behind its first line.
///
/// # Errors
/// [`ReplayError`]
pub fn replay(bytes: &[u8]) -> Result<Report, ReplayError> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(ReplayError::NoCall)?;
    let (head, input) = (&bytes[..end], &bytes[end + 1..]);
    let record: Value = serde_json::from_slice(head).map_err(|_| ReplayError::NoCall)?;
    let name = record["swap"].as_str().ok_or(ReplayError::NoCall)?;
    let entry = swaps::ENTRIES
        .iter()
        .find(|entry| entry.swap.info().name == name)
        .ok_or_else(|| ReplayError::UnknownSwap(name.to_owned()))?;
    let swap = entry.swap;
    let rerun = entry.rerun.ok_or_else(|| ReplayError::NotRerun(name.to_owned()))?;
    let difference = in_shadow(swap, || rerun(input))?;
    Ok(Report { swap: swap.info().name, record, difference })
}

/// Runs one call in shadow and says what it was demoted for. One at a time: modes belong to the process.
fn in_shadow(swap: &Swap, call: impl FnOnce() -> bool) -> Result<Option<String>, ReplayError> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    swap.set(Setting::SHADOW, Source::Api).map_err(|refusal| ReplayError::Refused(refusal.to_string()))?;
    let is_input = call();
    let demoted = swap.promote();
    // Without a demotion to end, back by hand. C is never refused.
    let _ = swap.set(Setting::C, Source::Api);
    if is_input { Ok(demoted) } else { Err(ReplayError::NoInput(swap.info().name)) }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { swap, record, difference } = self;
        let build = record["build_id"].as_str().unwrap_or("unknown");
        writeln!(f, "{swap}, mismatch {} of build {build}: {}", record["sequence"], was(record))?;
        match difference {
            None => write!(f, "now c and rust are the same"),
            Some(difference) => write!(f, "now {difference}"),
        }
    }
}

/// The record's difference, in the words in which a live one is logged.
fn was(record: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
    let shape = &record["shape"];
    let sides = format!("{} differs: c {}, rust {}", text(&record["kind"]), text(&shape["c"]), text(&shape["rust"]));
    match record["first_differing_offset"].as_u64() {
        Some(offset) => format!("{sides}, first at byte {offset}"),
        None => sides,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switch::{Contract, Info, MAX_SWAPS, compare_results, dispatch};

    /// What differs is said, what is the same is not, and each call leaves the swap as it was.
    #[test]
    fn a_difference_is_found_each_time() {
        static SWAP: Swap = Swap::new(Info {
            index: MAX_SWAPS - 1,
            name: "made_up",
            symbol: "MadeUp",
            file: "",
            group: "test",
            contract: Contract::Pure,
        });
        let call = |rust: u32| move || dispatch::pure(&SWAP, || 5, move || rust, compare_results, || 0) == 5;
        for _ in 0..2 {
            let difference = in_shadow(&SWAP, call(0)).unwrap();
            assert_eq!(difference.as_deref(), Some("mismatch: result differs: c non-zero, rust zero"));
            assert_eq!(in_shadow(&SWAP, call(5)), Ok(None));
            assert_eq!(SWAP.setting(), Setting::C);
        }
        assert_eq!(in_shadow(&SWAP, || false), Err(ReplayError::NoInput("made_up")));
    }
}
