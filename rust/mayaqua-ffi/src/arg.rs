//! Arguments from C, looked at before they are used.

use crate::error::{Failure, Status};
use std::ffi::{CStr, c_char};
use std::slice;

/// The bytes at `data`; null is allowed where `size` is 0.
///
/// # Errors
///
/// [`Status::Invalid`] for null, and for more bytes than an object can have.
///
/// # Safety
///
/// `size` bytes at `data` stay readable and unwritten for `'a`.
pub unsafe fn bytes<'a>(data: *const u8, size: usize) -> Result<&'a [u8], Failure> {
    if size == 0 {
        return Ok(&[]);
    }
    if data.is_null() || isize::try_from(size).is_err() {
        return Err(Failure::invalid(format_args!(
            "{size} bytes at {}",
            if data.is_null() { "null" } else { "an address" }
        )));
    }
    // SAFETY: the caller's; the size fits an object.
    Ok(unsafe { slice::from_raw_parts(data, size) })
}

/// Writes `found` to the start of `size` bytes at `data`, and zeros behind it.
///
/// # Errors
///
/// [`Status::Invalid`] for null, for more bytes than an object can have, and for fewer than `found` has.
///
/// # Safety
///
/// `size` bytes at `data` may be written.
pub unsafe fn fill(data: *mut u8, size: usize, found: &[u8]) -> Result<(), Failure> {
    if size == 0 {
        return Ok(());
    }
    if data.is_null() || isize::try_from(size).is_err() || found.len() > size {
        return Err(Failure::invalid(format_args!("{size} bytes cannot be written there")));
    }
    // SAFETY: the caller's; `found` is the library's own, fits, and the rest is inside.
    unsafe {
        data.copy_from_nonoverlapping(found.as_ptr(), found.len());
        data.add(found.len()).write_bytes(0, size - found.len());
    }
    Ok(())
}

/// A NUL-terminated string, without its NUL.
///
/// # Errors
///
/// [`Status::Invalid`] for null.
///
/// # Safety
///
/// A NUL follows `string`, and the bytes up to it stay readable and unwritten for `'a`.
pub unsafe fn string<'a>(string: *const c_char) -> Result<&'a [u8], Failure> {
    if string.is_null() {
        return Err(Failure::invalid("a string is null"));
    }
    // SAFETY: the caller's.
    Ok(unsafe { CStr::from_ptr(string) }.to_bytes())
}

/// As [`string`], in UTF-8.
///
/// # Errors
///
/// [`Status::Invalid`] for null and for what is no UTF-8.
///
/// # Safety
///
/// As [`string`].
pub unsafe fn text<'a>(text: *const c_char) -> Result<&'a str, Failure> {
    // SAFETY: the caller's.
    let bytes = unsafe { string(text)? };
    std::str::from_utf8(bytes).map_err(|error| Failure::invalid(format_args!("a string is no UTF-8: {error}")))
}

/// Looks whether a result can be written there, before anything is done.
///
/// # Errors
///
/// [`Status::Invalid`] for null and for an address that is not aligned.
pub fn check<T>(out: *const T) -> Result<(), Failure> {
    if out.is_null() || !out.is_aligned() {
        return Err(Failure::invalid("there is no place for the result"));
    }
    Ok(())
}

/// Writes a result.
///
/// # Errors
///
/// As [`check`].
///
/// # Safety
///
/// `out` is null, or a `T` may be written there.
pub unsafe fn put<T>(out: *mut T, value: T) -> Result<(), Failure> {
    check(out)?;
    // SAFETY: the caller's; looked at for null and alignment.
    unsafe { out.write(value) };
    Ok(())
}

/// Copies `data` into the caller's buffer and says how much it was, or, if it does not fit, only that.
///
/// # Errors
///
/// As [`check`] and [`bytes`]; [`Status::NoSpace`].
///
/// # Safety
///
/// `capacity` bytes at `out` may be written, and a `usize` at `size`.
pub unsafe fn put_bytes(data: &[u8], out: *mut u8, capacity: usize, size: *mut usize) -> Result<(), Failure> {
    // SAFETY: the caller's.
    unsafe { put(size, data.len())? };
    if data.len() > capacity {
        return Err(Failure::new(Status::NoSpace, format_args!("{} bytes do not fit {capacity}", data.len())));
    }
    if data.is_empty() {
        return Ok(());
    }
    if out.is_null() {
        return Err(Failure::invalid("the buffer is null"));
    }
    // SAFETY: the caller's; `data` is the library's own, so they do not overlap.
    unsafe { out.copy_from_nonoverlapping(data.as_ptr(), data.len()) };
    Ok(())
}

/// The same for a string: its NUL must fit too, and `size` does not count it.
///
/// # Errors
///
/// As [`put_bytes`].
///
/// # Safety
///
/// As [`put_bytes`].
pub unsafe fn put_string(text: &[u8], out: *mut c_char, capacity: usize, size: *mut usize) -> Result<(), Failure> {
    let room = capacity.saturating_sub(1);
    let too_small = Failure::new(Status::NoSpace, format_args!("{} bytes and a NUL do not fit {capacity}", text.len()));
    // SAFETY: the caller's.
    unsafe { put_bytes(text, out.cast(), room, size)? };
    if capacity == 0 {
        return Err(too_small);
    }
    if out.is_null() {
        return Err(Failure::invalid("the buffer is null"));
    }
    // SAFETY: the caller's; the text and one more fit.
    unsafe { out.cast::<u8>().add(text.len()).write(0) };
    Ok(())
}

/// A length as the library counts it.
///
/// # Errors
///
/// [`Status::Overflow`].
pub fn to_u32(length: usize) -> Result<u32, Failure> {
    u32::try_from(length).map_err(|_| Failure::new(Status::Overflow, format_args!("{length} does not fit 32 bits")))
}
