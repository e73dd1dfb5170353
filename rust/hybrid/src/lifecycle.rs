//! Starting and ending: the ABI version, what this build can do, and the self-tests that every start runs.

use crate::error::{Status, boundary, failed, guarded};
use crate::{control_socket, log, modes, text};
use serde_json::{Value, json};
use std::ffi::{CStr, c_char};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use switch::{ModeSpec, Source};

/// The version of `cutover.h`: it grows when a function changes or goes; additions leave it.
pub const CUTOVER_ABI_VERSION: u32 = 2;

/// The environment variable with modes that outrank the configuration, such as `new_block=shadow,*=c`.
pub(crate) const MODES_VARIABLE: &str = "CUTOVER_SWAPS";

/// The environment variable with the folder for the inputs of calls that mismatch, which hold traffic as it is. There is no
/// other way to have them written.
const CAPTURE_VARIABLE: &str = "CUTOVER_CAPTURE_PLAINTEXT";

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
    let sum = checksum(Path::new("/proc/self/exe")).map(|sum| format!("+{sum:08x}"));
    format!("{}{}", env!("CARGO_PKG_VERSION"), sum.unwrap_or_default()).leak()
}

/// The CRC-32 of a file, read in parts: an executable has tens of megabytes, which no start should have to hold.
fn checksum(path: &Path) -> io::Result<u32> {
    let mut file = File::open(path)?;
    let mut part = vec![0; 64 * 1024];
    let mut hasher = crc32fast::Hasher::new();
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hasher.finalize()),
            count => hasher.update(part.get(..count).unwrap_or_default()),
        }
    }
}

/// Has the inputs of calls that mismatch kept, if the environment asks for it in these words.
fn capture() {
    let Some(folder) = std::env::var_os(CAPTURE_VARIABLE) else { return };
    let folder = std::path::PathBuf::from(folder);
    match switch::capture_to(&folder) {
        Ok(()) => tracing::warn!(
            "{CAPTURE_VARIABLE}: what calls that mismatch were given, traffic included, is written to {} as it is",
            folder.display()
        ),
        Err(error) => tracing::error!("{CAPTURE_VARIABLE}: nothing is captured: {}: {error}", folder.display()),
    }
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

/// Decides on which side those swaps run that are chosen once, when Mayaqua starts: its clock. To be called before
/// `InitMayaqua`, from the main thread, with the modes that `cutover_init` is given after it; without it they run C.
///
/// # Errors
/// `AbiMismatch` and `Invalid` as `cutover_init`.
///
/// # Safety
/// `modes` is null or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_prepare(abi_version: u32, modes: *const c_char) -> Status {
    guarded(|| {
        // SAFETY: the caller's.
        let levels = unsafe { levels(abi_version, modes) }?;
        let board = modes::board();
        board.self_test_of(swaps::PER_PROCESS);
        for swap in swaps::PER_PROCESS.iter().filter_map(|name| board.find(name)) {
            for (spec, source) in &levels {
                if let Some(entry) = spec.entry_for(swap.info()) {
                    // A refusal is said by `cutover_init`, which sets it again with all others.
                    let _ = swap.set(entry.setting(), *source);
                }
            }
        }
        Ok(())
    })
}

/// What modes say that were given, the environment's, and the build's own, weakest first.
///
/// # Safety
/// `modes` is null or a string.
unsafe fn levels(abi_version: u32, modes: *const c_char) -> Result<Vec<(ModeSpec, Source)>, Status> {
    if abi_version != CUTOVER_ABI_VERSION {
        let reason = format!(
            "the program was built with cutover.h version {abi_version}, the library with {CUTOVER_ABI_VERSION}; build both anew"
        );
        return Err(failed(Status::AbiMismatch, reason));
    }
    // SAFETY: the caller's.
    let configured = if modes.is_null() { "" } else { unsafe { text::from_c(modes, "modes") }? };
    let from_environment = std::env::var(MODES_VARIABLE).unwrap_or_default();
    let levels = [
        (parse("the build's default", "*=rust")?, Source::Default),
        (parse("[swaps]", configured)?, Source::Config),
        (parse(MODES_VARIABLE, &from_environment)?, Source::Environment),
    ];
    Ok(levels.into_iter().filter_map(|(spec, source)| Some((spec?, source))).collect())
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
        // SAFETY: the caller's.
        let levels = unsafe { levels(abi_version, modes) }?;
        if STARTED.swap(true, Ordering::AcqRel) {
            return Err(failed(Status::Busy, "cutover_init was called before"));
        }
        log::start();
        log::bridge_c();
        switch::install_panic_hook();
        switch::set_build_id(build_id());
        capture();
        let board = modes::board();
        board.self_test_all();
        for (spec, source) in &levels {
            modes::apply(spec, *source)?;
        }
        Ok(())
    })
}

/// Ends what `cutover_init`, `cutover_control_start` and `cutover_interface_open` began. To be called once no session
/// runs.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_exit() {
    boundary((), || {
        log::leave_c();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_in_parts_is_that_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for size in [0, 1, 65_535, 65_536, 65_537, 200_000] {
            let bytes: Vec<u8> = (0..size).map(|at: usize| (at % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(checksum(&path).unwrap(), crc32fast::hash(&bytes), "{size} bytes");
        }
        assert!(checksum(&folder.path().join("none")).is_err());
    }
}
