//! Which side of each swap runs, and what was counted.

use crate::error::{Status, boundary, failed, guarded};
use crate::text;
use serde_json::Value;
use std::ffi::c_char;
use std::sync::OnceLock;
use switch::{ModeSpec, Source, Switchboard};

/// All swaps of this build.
pub(crate) fn board() -> Switchboard {
    static BOARD: OnceLock<Switchboard> = OnceLock::new();
    *BOARD.get_or_init(|| Switchboard::new(swaps::ENTRIES))
}

/// Applies modes. What single swaps refuse under a group or `*` is logged; what is wrong altogether is an error.
pub(crate) fn apply(spec: &ModeSpec, source: Source) -> Result<(), Status> {
    if swaps::ENTRIES.is_empty() {
        return Ok(());
    }
    let refusals = board().apply(spec, source).map_err(|error| failed(Status::Invalid, error))?;
    for refusal in refusals {
        tracing::debug!(%refusal, "a swap keeps its mode");
    }
    Ok(())
}

/// The report about all swaps, as the control socket answers it, and under `dropped_frames` what the framing in Rust has
/// dropped, by reason.
pub(crate) fn table() -> Value {
    let mut table: Value = serde_json::from_str(&board().to_json()).unwrap_or_default();
    table["dropped_frames"] = dropped_frames();
    table
}

/// Frames that the framing in Rust has dropped since the process began, by reason. The C keeps no such count.
pub(crate) fn dropped_frames() -> Value {
    swaps::drops::all()
        .map(|(reason, frames)| (reason.to_owned(), frames.into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Sets modes as a configuration does: what the environment or a person set stays.
///
/// # Errors
/// `Invalid` with the place of the mistake; nothing is set then.
///
/// # Safety
/// `modes` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_swaps_configure(modes: *const c_char) -> Status {
    guarded(|| {
        // SAFETY: the caller's.
        set(unsafe { text::from_c(modes, "modes") }?, Source::Config)
    })
}

/// Parses and applies modes; none are no mistake.
pub(crate) fn set(modes: &str, source: Source) -> Result<(), Status> {
    if modes.is_empty() {
        return Ok(());
    }
    let spec = ModeSpec::parse(modes).map_err(|error| failed(Status::Invalid, error))?;
    apply(&spec, source)
}

/// Sets modes as a person's act: `new_block=shadow,framing=rust@10%,*=c`. A demoted swap stays on C.
///
/// # Errors
/// `Invalid` with the place of the mistake; nothing is set then.
///
/// # Safety
/// `modes` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_swaps_set(modes: *const c_char) -> Status {
    guarded(|| {
        // SAFETY: the caller's.
        set(unsafe { text::from_c(modes, "modes") }?, Source::Api)
    })
}

/// Ends the demotion of every swap that `pattern` names, as a person's act. They stay on C until they are set.
///
/// # Errors
/// `Invalid` if it names none; `NotFound` if none of them is demoted.
///
/// # Safety
/// `pattern` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_swaps_promote(pattern: *const c_char) -> Status {
    guarded(|| {
        // SAFETY: the caller's.
        let pattern = unsafe { text::from_c(pattern, "pattern") }?;
        let named = board().matching(pattern).map_err(|error| failed(Status::Invalid, error))?;
        let promoted = named.into_iter().filter_map(switch::Swap::promote).count();
        if promoted == 0 { Err(failed(Status::NotFound, "none of these is demoted")) } else { Ok(()) }
    })
}

/// All swaps with their modes and counters, as JSON with a `schema_version` (docs/ABI.md). To be given back by
/// `cutover_string_free`; null after a failure.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_swaps_json() -> *mut c_char {
    boundary(std::ptr::null_mut(), || text::to_c(&table().to_string()).into_raw())
}
