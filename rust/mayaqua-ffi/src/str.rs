//! Strings: bounded copies, comparisons, numbers and digits ([`mayaqua::str`]).

use crate::arg;
use crate::error::{Failure, Status, boundary, value};
use mayaqua::str;
use std::ffi::{c_char, c_int};

/// Copies a string into a block of `size` bytes, as much as fits, always with a NUL, and gives the length of what was copied.
/// The places may overlap.
///
/// MAYAQUA_STATUS_INVALID: null, or a `size` of 0.
///
/// # Safety
///
/// `src` ends with a NUL; `size` bytes at `dst` and a `size_t` at `length` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_cpy(
    dst: *mut c_char,
    size: usize,
    src: *const c_char,
    length: *mut usize,
) -> Status {
    boundary(|| {
        if size == 0 {
            return Err(Failure::invalid("a string needs room for its NUL"));
        }
        // SAFETY: the caller's; copied first, since the places may overlap.
        let src = str::str_cpy(size, unsafe { arg::string(src)? }).to_vec();
        // SAFETY: the caller's.
        unsafe { arg::put_string(&src, dst, size, length) }
    })
}

/// Appends a string to that in a block of `size` bytes, as much as fits, and gives the length of both.
///
/// MAYAQUA_STATUS_INVALID: null, or the block holds no NUL.
///
/// # Safety
///
/// `src` ends with a NUL; `size` initialised bytes at `dst` and a `size_t` at `length` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_cat(
    dst: *mut c_char,
    size: usize,
    src: *const c_char,
    length: *mut usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let block = unsafe { arg::bytes(dst.cast(), size)? };
        let mut whole = str::until_nul(block).to_vec();
        if whole.len() == size {
            return Err(Failure::invalid("the block holds no string"));
        }
        // SAFETY: the caller's.
        let src = unsafe { arg::string(src)? };
        whole.extend_from_slice(&src[..src.len().min(size - 1 - whole.len())]);
        // SAFETY: the caller's.
        unsafe { arg::put_string(&whole, dst, size, length) }
    })
}

/// Compares two strings without regard to the case of ASCII letters: gives -1, 0 or 1. Bytes are signed, as SoftEther's are.
///
/// # Safety
///
/// `a` and `b` end with a NUL; an `int` at `order` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_cmpi(a: *const c_char, b: *const c_char, order: *mut c_int) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { arg::put(order, str::str_cmpi(arg::string(a)?, arg::string(b)?) as c_int) }
    })
}

/// Takes the spaces and tabs at both ends of a string away, in its place.
///
/// # Safety
///
/// `string` ends with a NUL, and its bytes may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_trim(string: *mut c_char) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let trimmed = str::trim(unsafe { arg::string(string)? }).to_vec();
        let mut length = 0;
        // SAFETY: the caller's: the block holds at least as much.
        unsafe { arg::put_string(&trimmed, string, trimmed.len() + 1, &raw mut length) }
    })
}

/// Gives whether a string begins with `key`, but for case; with an empty one none does.
///
/// # Safety
///
/// `string` and `key` end with a NUL; a `bool` at `result` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_start_with(
    string: *const c_char,
    key: *const c_char,
    result: *mut bool,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { arg::put(result, str::start_with(arg::string(string)?, arg::string(key)?)) }
    })
}

/// Gives whether a string ends with `key`, but for case.
///
/// # Safety
///
/// `string` and `key` end with a NUL; a `bool` at `result` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_end_with(string: *const c_char, key: *const c_char, result: *mut bool) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { arg::put(result, str::end_with(arg::string(string)?, arg::string(key)?)) }
    })
}

/// Gives the first place, from `start` on, where `keyword` is.
///
/// MAYAQUA_STATUS_NOT_FOUND: it is nowhere, as an empty one always is.
///
/// # Safety
///
/// `string` and `keyword` end with a NUL; a `size_t` at `place` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_search(
    string: *const c_char,
    keyword: *const c_char,
    start: usize,
    case_sensitive: bool,
    place: *mut usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let (string, keyword) = unsafe { (arg::string(string)?, arg::string(keyword)?) };
        let found = str::search_str_ex(string, keyword, start, case_sensitive).ok_or(Status::NotFound)?;
        // SAFETY: the caller's.
        unsafe { arg::put(place, found) }
    })
}

/// Copies a string with every `old` replaced by `new_` into the caller's buffer, with its NUL; `size` does not count that.
///
/// MAYAQUA_STATUS_NO_SPACE: `capacity` is too small; only the size is given.
///
/// # Safety
///
/// The strings end with a NUL; `capacity` bytes at `result` and a `size_t` at `size` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_replace(
    string: *const c_char,
    old: *const c_char,
    new_: *const c_char,
    case_sensitive: bool,
    result: *mut c_char,
    capacity: usize,
    size: *mut usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let (string, old, new) = unsafe { (arg::string(string)?, arg::string(old)?, arg::string(new_)?) };
        let (replaced, _) = str::replace_str_ex(string, old, new, case_sensitive);
        // SAFETY: the caller's.
        unsafe { arg::put_string(&replaced, result, capacity, size) }
    })
}

/// The number that a string begins with, as SoftEther reads it: decimal or after 0x, leading zeros without meaning, modulo
/// 2^32; 0 if there is none, and for null.
///
/// # Safety
///
/// `string` is null or ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_to_int(string: *const c_char) -> u32 {
    // SAFETY: the caller's.
    value(0, || Ok(str::to_int(unsafe { arg::string(string)? })))
}

/// The decimal number that a string begins with, commas left out, modulo 2^64; 0 if there is none, and for null.
///
/// # Safety
///
/// `string` is null or ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_to_int64(string: *const c_char) -> u64 {
    // SAFETY: the caller's.
    value(0, || Ok(str::to_int64(unsafe { arg::string(string)? })))
}

/// Whether a string has characters only that may stand in names of files and objects, and no space at its ends; not for
/// null.
///
/// # Safety
///
/// `string` is null or ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_is_safe(string: *const c_char) -> bool {
    // SAFETY: the caller's.
    value(false, || Ok(str::is_safe_str(unsafe { arg::string(string)? })))
}

/// Writes bytes as hexadecimal digits in upper case, with a NUL; `length` does not count that.
///
/// MAYAQUA_STATUS_NO_SPACE: `capacity` is too small; only the length is given.
///
/// # Safety
///
/// `size` bytes at `data` may be read; `capacity` at `string` and a `size_t` at `length` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_from_bin(
    data: *const u8,
    size: usize,
    string: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let digits = str::bin_to_str(unsafe { arg::bytes(data, size)? });
        // SAFETY: the caller's.
        unsafe { arg::put_string(digits.as_bytes(), string, capacity, length) }
    })
}

/// Gives the bytes that pairs of hexadecimal digits stand for; spaces, commas, dashes and colons do not count, anything else
/// ends them.
///
/// MAYAQUA_STATUS_NO_SPACE: `capacity` is too small; only the size is given.
///
/// # Safety
///
/// `string` ends with a NUL; `capacity` bytes at `data` and a `size_t` at `size` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_to_bin(
    string: *const c_char,
    data: *mut u8,
    capacity: usize,
    size: *mut usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let bytes = str::str_to_bin(unsafe { arg::string(string)? });
        // SAFETY: the caller's.
        unsafe { arg::put_bytes(&bytes, data, capacity, size) }
    })
}

/// Gives the MAC address that a string of six pairs of digits stands for. `mac_size` is 6.
///
/// MAYAQUA_STATUS_INVALID: it is none, or another `mac_size`.
///
/// # Safety
///
/// `string` ends with a NUL; `mac_size` bytes at `mac` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_str_to_mac(string: *const c_char, mac: *mut u8, mac_size: usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let address =
            str::str_to_mac(unsafe { arg::string(string)? }).ok_or_else(|| Failure::invalid("no MAC address"))?;
        if mac_size != address.len() {
            return Err(Failure::invalid(format_args!("a MAC address has 6 bytes, not {mac_size}")));
        }
        let mut size = 0;
        // SAFETY: the caller's.
        unsafe { arg::put_bytes(&address, mac, mac_size, &raw mut size) }
    })
}
