//! Statuses, the text of the last failure, and the boundary that no panic crosses.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::panic::{self, AssertUnwindSafe};

/// What a function answers: 0, or the negative `errno` that fits.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// It is not there.
    NotFound = -2,
    /// The operating system failed.
    Io = -5,
    /// No object is behind the handle: it was freed, is of another kind, or was never given out.
    BadHandle = -9,
    /// There is not enough memory.
    NoMemory = -12,
    /// The object is in use by this very thread: a comparison called a function on the list that is being sorted.
    Busy = -16,
    /// It is there already.
    Exists = -17,
    /// An argument is null, out of range, or not what the function takes.
    Invalid = -22,
    /// The caller's buffer is too small.
    NoSpace = -28,
    /// The program was compiled with another major version of the header.
    AbiMismatch = -71,
    /// A message is not well-formed.
    BadMessage = -74,
    /// A number does not fit what holds it.
    Overflow = -75,
    /// This build does not have it.
    Unsupported = -95,
    /// The library is not initialised.
    NotInitialized = -107,
    /// A defect in the library: a panic was caught.
    Panicked = -131,
}

impl Status {
    /// Every status.
    pub(crate) const ALL: [Self; 15] = [
        Self::Ok,
        Self::NotFound,
        Self::Io,
        Self::BadHandle,
        Self::NoMemory,
        Self::Busy,
        Self::Exists,
        Self::Invalid,
        Self::NoSpace,
        Self::AbiMismatch,
        Self::BadMessage,
        Self::Overflow,
        Self::Unsupported,
        Self::NotInitialized,
        Self::Panicked,
    ];

    const fn text(self) -> &'static CStr {
        match self {
            Self::Ok => c"done",
            Self::NotFound => c"not found",
            Self::Io => c"the operating system failed",
            Self::BadHandle => c"no such object: the handle was freed, is of another kind, or was never given out",
            Self::NoMemory => c"not enough memory",
            Self::Busy => c"the object is in use by this thread",
            Self::Exists => c"there already",
            Self::Invalid => c"invalid argument",
            Self::NoSpace => c"the buffer is too small",
            Self::AbiMismatch => c"the program was compiled with another version of mayaqua_ffi.h",
            Self::BadMessage => c"the message is not well-formed",
            Self::Overflow => c"a number is too large",
            Self::Unsupported => c"not supported",
            Self::NotInitialized => c"call mayaqua_init first",
            Self::Panicked => c"a defect in the library was caught",
        }
    }

    /// The number of Cedar's that fits best (Cedar/Cedar.h).
    const fn softether(self) -> u32 {
        match self {
            Self::Ok => 0,                                            // ERR_NO_ERROR
            Self::Io => 3,                                            // ERR_DISCONNECTED
            Self::BadMessage | Self::AbiMismatch => 4,                // ERR_PROTOCOL_ERROR
            Self::NotFound | Self::BadHandle => 29,                   // ERR_OBJECT_NOT_FOUND
            Self::Unsupported => 33,                                  // ERR_NOT_SUPPORTED
            Self::Invalid | Self::Exists => 38,                       // ERR_INVALID_PARAMETER
            Self::NoSpace | Self::Overflow => 45,                     // ERR_INVALID_VALUE
            Self::NoMemory => 111,                                    // ERR_MEMORY_NOT_ENOUGH
            Self::Busy | Self::NotInitialized | Self::Panicked => 23, // ERR_INTERNAL_ERROR
        }
    }
}

/// Why a function fails.
#[derive(Debug)]
pub struct Failure {
    status: Status,
    reason: String,
}

impl Failure {
    /// A failure with a reason for people.
    pub fn new(status: Status, reason: impl std::fmt::Display) -> Self {
        Self { status, reason: reason.to_string() }
    }

    /// An argument that is not acceptable.
    pub fn invalid(reason: impl std::fmt::Display) -> Self {
        Self::new(Status::Invalid, reason)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::new(status, status.text().to_string_lossy())
    }
}

impl From<mayaqua::buffer::BufOverflow> for Failure {
    fn from(error: mayaqua::buffer::BufOverflow) -> Self {
        Self::new(Status::Overflow, error)
    }
}

impl From<mayaqua::fifo::FifoOverflow> for Failure {
    fn from(error: mayaqua::fifo::FifoOverflow) -> Self {
        Self::new(Status::Overflow, error)
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Runs the body of an exported function and keeps the reason if it fails. A panic becomes [`Status::Panicked`].
pub fn boundary(body: impl FnOnce() -> Result<(), Failure>) -> Status {
    let failure = match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return Status::Ok,
        Ok(Err(failure)) => failure,
        // The message of a panic may quote data.
        Err(_) => Status::Panicked.into(),
    };
    let status = failure.status;
    keep(failure);
    status
}

/// The same for functions that return a value, and `otherwise` where they fail.
pub fn value<T>(otherwise: T, body: impl FnOnce() -> Result<T, Failure>) -> T {
    let mut result = otherwise;
    boundary(|| {
        result = body()?;
        Ok(())
    });
    result
}

fn keep(failure: Failure) {
    let reason: Vec<u8> = failure.reason.into_bytes().into_iter().filter(|byte| *byte != 0).collect();
    let reason = CString::new(reason).unwrap_or_default();
    // Fails only in a thread that is ending; then nobody asks any more.
    let _ = LAST.try_with(|last| last.replace(reason));
}

/// The text of this thread's last failure: what was wrong and where. Empty if there was none. It belongs to the library
/// and stays valid until this thread's next call that fails.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// What a status means, in one line; for a number that is none, that. The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_strerror(status: i32) -> *const c_char {
    let known = Status::ALL.into_iter().find(|known| *known as i32 == status);
    known.map_or(c"unknown status", Status::text).as_ptr()
}

/// The ERR_* number of SoftEther's that fits a status best (Cedar/Cedar.h), for programs that speak in those:
/// ERR_INTERNAL_ERROR for a number that is no status.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_softether_error(status: i32) -> u32 {
    let known = Status::ALL.into_iter().find(|known| *known as i32 == status);
    known.unwrap_or(Status::Panicked).softether()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> String {
        // SAFETY: the library's own string, valid until the next failure.
        unsafe { CStr::from_ptr(mayaqua_last_error()) }.to_string_lossy().into_owned()
    }

    #[test]
    fn a_panic_ends_at_the_boundary() {
        assert_eq!(boundary(|| panic!("secret")), Status::Panicked);
        assert!(!last().contains("secret") && !last().is_empty());
        assert_eq!(value(7, || panic!("secret")), 7);
    }

    #[test]
    fn a_reason_is_kept_for_its_thread() {
        assert_eq!(boundary(|| Err(Failure::invalid("a\0b"))), Status::Invalid);
        assert_eq!(last(), "ab");
        assert_eq!(std::thread::spawn(last).join().unwrap(), "");
        assert_eq!(boundary(|| Ok(())), Status::Ok);
        assert_eq!(last(), "ab");
    }

    #[test]
    fn every_status_has_a_text_of_its_own() {
        let texts: std::collections::BTreeSet<_> = Status::ALL.iter().map(|status| status.text()).collect();
        assert_eq!(texts.len(), Status::ALL.len());
        assert_eq!(
            (mayaqua_softether_error(0), mayaqua_softether_error(1), mayaqua_softether_error(-12)),
            (0, 23, 111)
        );
    }
}
