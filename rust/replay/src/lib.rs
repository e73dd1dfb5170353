//! Replays what a client has recorded through the C and the Rust side of the functions that it recorded.
//!
//! 1. [`replay`] reads the file's first line, which names the kind of the record.
//! 2. `framing`, a session: [`framing`] gives both sides what went in, call by call, and compares what comes out: C with
//!    Rust, and both with the record. The answer is a [`Report`]; its first difference says where.
//! 3. `call`, the input of one call that mismatched: [`call`] calls the function again, in shadow. The answer is a
//!    [`call::Report`].
//!
//! Records are written by the client on request: `swaps::record` and `switch::capture_to` say how, and what is in them.

pub mod call;
pub mod framing;

#[path = "../../swaps/tests/differential/support/connection.rs"]
#[allow(dead_code, missing_docs, reason = "the differential tests use the rest")]
mod connection;

use std::ffi::CString;
use std::fmt;
use std::sync::{Once, OnceLock};
use swaps::record::{BadRecord, FIRST_LINE};

/// What a replay found, by the kind of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// `framing`.
    Session(Report),
    /// `call`.
    Call(call::Report),
}

/// What the replay of a session found.
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It has not the first line of a record.
    #[error("this is no record; a record begins with `cutover-record 1 framing` or `cutover-record 1 call`")]
    NoRecord,
    /// It is cut or damaged.
    #[error(transparent)]
    Bad(#[from] BadRecord),
    /// Nothing was recorded in it.
    #[error("the record has no session")]
    Empty,
    /// The second line is not that of a call.
    #[error("the record's second line is no mismatch of a swap")]
    NoCall,
    /// The record is of a swap that this program has not.
    #[error("there is no swap {0} in this build")]
    UnknownSwap(String),
    /// The swap's input is never captured.
    #[error("calls of {0} are not made again")]
    NotRerun(String),
    /// The bytes behind the second line are no input of the swap, or one that would end this program.
    #[error("the record has no input of {0} that can be made again; it may be cut")]
    NoInput(&'static str),
    /// The swap cannot be compared.
    #[error("{0}")]
    Refused(String),
}

/// Replays a record through both sides.
///
/// # Errors
/// [`ReplayError`]
pub fn replay(file: &[u8]) -> Result<Found, ReplayError> {
    if let Some(call) = file.strip_prefix(switch::CALL_FIRST_LINE) {
        start_mayaqua();
        return call::replay(call).map(Found::Call);
    }
    let events = file.strip_prefix(FIRST_LINE).ok_or(ReplayError::NoRecord)?;
    start_mayaqua();
    framing::replay(&swaps::record::Event::all(events)?).map(Found::Session)
}

impl Found {
    /// Whether both sides, and the record of a session, are the same.
    pub fn is_same(&self) -> bool {
        match self {
            Found::Session(report) => report.difference.is_none(),
            Found::Call(report) => report.difference.is_none(),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Session(report) => report.fmt(f),
            Found::Call(report) => report.fmt(f),
        }
    }
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
