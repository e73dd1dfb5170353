//! Starting and ending: the ABI version, what this build can do, and the self-tests that every start runs.

use crate::error::{Status, boundary, failed, guarded};
use crate::{control_socket, log, modes, text};
use serde_json::{Value, json};
use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicBool, Ordering};
use switch::{ModeSpec, Source};

/// The version of `cutover.h`: it grows when a function changes or goes; additions leave it.
pub const CUTOVER_ABI_VERSION: u32 = 2;

/// The environment variable with modes that outrank the configuration, such as `new_block=shadow,*=c`.
pub(crate) const MODES_VARIABLE: &str = "CUTOVER_SWAPS";

static STARTED: AtomicBool = AtomicBool::new(false);

/// The library's [`CUTOVER_ABI_VERSION`].
#[unsafe(no_mangle)]
pub extern "C" fn cutover_abi_version() -> u32 {
    CUTOVER_ABI_VERSION
}

/// The program's version. It belongs to the library.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version without NUL"),
    };
    VERSION.as_ptr()
}

/// What this build can do, as JSON with a `schema_version`: `version`, `abi_version`, `impl` (`c` or `rust`), `swaps`
/// (names), and what it was built from: `softether`, `rustc`, `commit`. To be given back by `cutover_string_free`; null
/// after a failure.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_capabilities() -> *mut c_char {
    boundary(std::ptr::null_mut(), || text::to_c(&capabilities().to_string()).into_raw())
}

pub(crate) fn capabilities() -> Value {
    let swaps: Vec<&str> = modes::board().entries().map(|entry| entry.swap.info().name).collect();
    json!({
        "schema_version": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "abi_version": CUTOVER_ABI_VERSION,
        "impl": if swaps.is_empty() { "c" } else { "rust" },
        "swaps": swaps,
        "softether": softether_version(),
        "rustc": env!("CUTOVER_RUSTC"),
        "commit": option_env!("CUTOVER_COMMIT"),
    })
}

fn softether_version() -> String {
    // SAFETY: returns a number that was compiled in.
    let version = unsafe { softether_sys::GetCedarVersionNumber() };
    format!("{}.{:02}", version / 100, version % 100)
}

/// The version, and what tells this executable from any other: the checksum of its file. What is remembered of a build
/// is forgotten with the next one.
fn build_id() -> &'static str {
    let sum = std::fs::read("/proc/self/exe").map(|bytes| format!("+{:08x}", crc32fast::hash(&bytes)));
    format!("{}{}", env!("CARGO_PKG_VERSION"), sum.unwrap_or_default()).leak()
}

/// [`capabilities`] for people.
pub(crate) fn describe(capabilities: &Value) -> String {
    let text = |key: &str| capabilities[key].as_str().unwrap_or("unknown").to_owned();
    let swaps = capabilities["swaps"].as_array().map_or(0, Vec::len);
    format!(
        "cutover {}, impl {}, {swaps} swaps, cutover.h {}\nSoftEther {}\n{}\ncommit {}\n",
        text("version"),
        text("impl"),
        capabilities["abi_version"],
        text("softether"),
        text("rustc"),
        text("commit"),
    )
}

/// Starts the library: the log, the swaps' self-tests, and their modes. To be called once, from the main thread, after
/// `InitMayaqua` and `InitCedar` and before any session. `modes` are the configuration's, or null; `CUTOVER_SWAPS` in
/// the environment outranks them. A swap whose self-test fails stays on C, with a warning in the log.
///
/// # Errors
/// `AbiMismatch` if `abi_version` is not this library's; `Busy` if it was started before; `Invalid` for modes that do not
/// parse or name no swap: nothing is started then.
///
/// # Safety
/// `modes` is null or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_init(abi_version: u32, modes: *const c_char) -> Status {
    guarded(|| {
        if abi_version != CUTOVER_ABI_VERSION {
            let reason = format!(
                "the program was built with cutover.h version {abi_version}, the library with {CUTOVER_ABI_VERSION}; build both anew"
            );
            return Err(failed(Status::AbiMismatch, reason));
        }
        // SAFETY: the caller's.
        let configured = if modes.is_null() { "" } else { unsafe { text::from_c(modes, "modes") }? };
        let from_environment = std::env::var(MODES_VARIABLE).unwrap_or_default();
        let configured = parse("[swaps]", configured)?;
        let from_environment = parse(MODES_VARIABLE, &from_environment)?;
        if STARTED.swap(true, Ordering::AcqRel) {
            return Err(failed(Status::Busy, "cutover_init was called before"));
        }
        log::start();
        switch::install_panic_hook();
        switch::set_build_id(build_id());
        let board = modes::board();
        board.self_test_all();
        let preset = parse("the build's default", "*=rust")?;
        let levels = [(preset, Source::Default), (configured, Source::Config), (from_environment, Source::Environment)];
        for (spec, source) in levels.into_iter().filter_map(|(spec, source)| Some((spec?, source))) {
            modes::apply(&spec, source)?;
        }
        Ok(())
    })
}

/// Ends what `cutover_init`, `cutover_control_start` and `cutover_interface_open` began. To be called once no session
/// runs.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_exit() {
    boundary((), || {
        control_socket::stop();
        swaps::interface::close();
        STARTED.store(false, Ordering::Release);
    });
}

fn parse(what: &str, modes: &str) -> Result<Option<ModeSpec>, Status> {
    if modes.is_empty() {
        return Ok(None);
    }
    ModeSpec::parse(modes).map(Some).map_err(|error| failed(Status::Invalid, format_args!("{what}: {error}")))
}
