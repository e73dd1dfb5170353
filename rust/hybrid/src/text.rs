//! Strings across the C boundary.

use crate::error::{Status, failed};
use std::ffi::{CStr, CString, c_char};

/// A Rust string for C. A NUL inside, which C cannot hold, ends it.
pub fn to_c(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// A C string for Rust.
///
/// # Errors
/// [`Status::Invalid`] for null and for what is no UTF-8; `what` names the argument.
///
/// # Safety
/// `text` is null or NUL-terminated, and unchanged for `'a`.
pub unsafe fn from_c<'a>(text: *const c_char, what: &str) -> Result<&'a str, Status> {
    if text.is_null() {
        return Err(failed(Status::Invalid, format_args!("{what} is null")));
    }
    // SAFETY: the caller's.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|error| failed(Status::Invalid, format_args!("{what} is no UTF-8: {error}")))
}

/// Gives a string that this library handed out back to it. Null is ignored.
///
/// # Safety
/// `text` is null or came from a function that says so, and is used no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_string_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: the caller's.
        drop(unsafe { CString::from_raw(text) });
    }
}
