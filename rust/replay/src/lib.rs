//! Replays what a session has recorded through the C and the Rust side of the functions that it recorded.
//!
//! 1. [`replay`] reads the file's first line, which names the kind of the record. There is one kind now, `framing`.
//! 2. [`framing`] gives both sides what went in, call by call, and compares what comes out: C with Rust, and both with
//!    the record.
//! 3. The answer is a [`Report`]; its first difference says where.
//!
//! Records are written by the client on request: `swaps::record` says how, and what is in them.

pub mod framing;

#[path = "../../swaps/tests/differential/support/connection.rs"]
#[allow(dead_code, missing_docs, reason = "the differential tests use the rest")]
mod connection;

use std::ffi::CString;
use std::fmt;
use std::sync::{Once, OnceLock};
use swaps::record::{BadRecord, FIRST_LINE};

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls of `ConnectionSend` and `ConnectionReceive`.
    pub calls: u64,
    /// Frames that were sent, and their bytes.
    pub up: (u64, u64),
    /// Frames that were received, and their bytes.
    pub down: (u64, u64),
    /// The first difference.
    pub difference: Option<Difference>,
}

/// Where two outputs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The call, counted from 1.
    pub call: u64,
    /// The function.
    pub function: &'static str,
    /// Whose outputs: `c and rust`, or `c and the record`.
    pub between: &'static str,
    /// Bytes of each, from the first to the second of `between`.
    pub sizes: (usize, usize),
    /// The first byte that differs.
    pub offset: usize,
}

/// Why a file cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It has not the first line of a record.
    #[error("this is no record; a record begins with `cutover-record 1 framing`")]
    NoRecord,
    /// It is cut or damaged.
    #[error(transparent)]
    Bad(#[from] BadRecord),
    /// Nothing was recorded in it.
    #[error("the record has no session")]
    Empty,
}

/// Replays a record through both sides.
///
/// # Errors
/// [`ReplayError`]
pub fn replay(file: &[u8]) -> Result<Report, ReplayError> {
    let events = file.strip_prefix(FIRST_LINE).ok_or(ReplayError::NoRecord)?;
    start_mayaqua();
    framing::replay(&swaps::record::Event::all(events)?)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (up, down) = (self.up, self.down);
        write!(f, "{} calls, up {} frames of {} bytes, down {} of {}: ", self.calls, up.0, up.1, down.0, down.1)?;
        match &self.difference {
            None => write!(f, "c, rust and the record are the same"),
            Some(Difference { call, function, between, sizes, offset }) => {
                write!(f, "{between} differ at call {call}, {function}: {} and {} bytes, ", sizes.0, sizes.1)?;
                write!(f, "the first other byte is {offset}")
            }
        }
    }
}

/// Starts the C library as a program would, once per process. Mayaqua reads only the program's name.
fn start_mayaqua() {
    static NAME: OnceLock<CString> = OnceLock::new();
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let program = std::env::current_exe().unwrap_or_default();
        let name = CString::new(program.into_os_string().into_encoded_bytes()).unwrap_or_default();
        let mut arguments = [NAME.get_or_init(|| name).as_ptr().cast_mut()];
        // SAFETY: called once, before any other function of Mayaqua. Minimal mode leaves out the message tables, which
        // no function that is replayed reads.
        unsafe {
            softether_sys::MayaquaMinimalMode();
            softether_sys::InitMayaqua(0, 0, 1, arguments.as_mut_ptr());
        }
    });
}
