//! Status codes, the text of the last failure, and the boundary that no panic crosses.

use crate::text;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{self, AssertUnwindSafe};

/// What a function of this library answers: 0, or the negative `errno` that fits.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// The operating system does not permit it.
    NotPermitted = -1,
    /// It is not there.
    NotFound = -2,
    /// The operating system failed.
    Io = -5,
    /// It is in use already.
    Busy = -16,
    /// An argument is null, no UTF-8, or not what the function takes.
    Invalid = -22,
    /// Program and library are of different versions of `cutover.h`.
    AbiMismatch = -71,
    /// This build does not have it.
    Unsupported = -95,
    /// A defect in the library: a panic was caught.
    Panicked = -131,
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// The text of this thread's last failure: what was wrong, where, and what to do. Empty if there was none. It belongs
/// to the library and stays valid until this thread's next call.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// The same, for Rust.
pub(crate) fn last() -> String {
    LAST.try_with(|last| last.borrow().to_string_lossy().into_owned()).unwrap_or_default()
}

/// Keeps the text for [`cutover_last_error`] and passes the status on.
pub(crate) fn failed(status: Status, reason: impl std::fmt::Display) -> Status {
    let reason = text::to_c(&reason.to_string());
    // Fails only in a thread that is ending; then nobody asks any more.
    let _ = LAST.try_with(|last| last.replace(reason));
    status
}

/// Runs the body of an exported function. A panic becomes `panicked`, and its place the last error.
pub(crate) fn boundary<T>(panicked: T, body: impl FnOnce() -> T) -> T {
    panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        failed(
            Status::Panicked,
            "a defect in Cutover was met and contained; the log names its place, please report it",
        );
        panicked
    })
}

/// [`boundary`] for the functions that answer with a status.
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), Status>) -> Status {
    boundary(Status::Panicked, || body().err().unwrap_or(Status::Ok))
}
