//! The values of PACKs: added at a place, read at a place.

use crate::arg;
use crate::error::{Failure, Status, boundary};
use crate::pack::{OBJECTS, Pack};
use mayaqua::pack::{self, Values};
use mayaqua::uni_str::UniStr;
use std::ffi::c_char;

/// Runs `body` on the values of an element.
fn values<R>(pack: Pack, name: &str, body: impl FnOnce(&Values) -> Result<R, Failure>) -> Result<R, Failure> {
    OBJECTS.with(pack.id, |pack| body(pack.element(name).ok_or(Status::NotFound)?.values()))
}

/// The value at `index`.
fn at<T>(values: &[T], index: usize) -> Result<&T, Failure> {
    values.get(index).ok_or_else(|| Status::NotFound.into())
}

/// What is asked of values of another type.
fn other_type<R>(values: &Values) -> Result<R, Failure> {
    Err(Failure::new(Status::NotFound, format_args!("the element has values of type {:?}", values.value_type())))
}

/// Runs `body` on a PACK and the name of an element.
///
/// # Safety
///
/// `name` is null or ends with a NUL.
unsafe fn add(
    pack: Pack,
    name: *const c_char,
    body: impl FnOnce(&mut pack::Pack, &str) -> Result<(), pack::Error>,
) -> Result<(), Failure> {
    // SAFETY: the caller's.
    let name = unsafe { arg::text(name)? };
    OBJECTS.with(pack.id, |pack| Ok(body(pack, name)?))
}

/// Adds a 32-bit integer.
///
/// One element of `total` values takes as many calls, with `index` from 0; what was not added is 0 or empty. One call with
/// `index` 0 and `total` 1 adds a single value, and over a present one replaces it.
///
/// MAYAQUA_STATUS_EXISTS: the name is there with another type. MAYAQUA_STATUS_INVALID: a name of more than 63 bytes or no UTF-8, an
/// `index` not below `total`. MAYAQUA_STATUS_OVERFLOW: more than 262,144 values or elements, or more than 384 MiB.
///
/// # Safety
///
/// `name` ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_add_int(
    pack: Pack,
    name: *const c_char,
    value: u32,
    index: usize,
    total: usize,
) -> Status {
    // SAFETY: the caller's.
    boundary(|| unsafe { add(pack, name, |pack, name| pack.add_int_ex(name, value, index, total)) })
}

/// Adds a 64-bit integer.
///
/// One element of `total` values takes as many calls, with `index` from 0; what was not added is 0 or empty. One call with
/// `index` 0 and `total` 1 adds a single value, and over a present one replaces it.
///
/// MAYAQUA_STATUS_EXISTS: the name is there with another type. MAYAQUA_STATUS_INVALID: a name of more than 63 bytes or no UTF-8, an
/// `index` not below `total`. MAYAQUA_STATUS_OVERFLOW: more than 262,144 values or elements, or more than 384 MiB.
///
/// # Safety
///
/// `name` ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_add_int64(
    pack: Pack,
    name: *const c_char,
    value: u64,
    index: usize,
    total: usize,
) -> Status {
    // SAFETY: the caller's.
    boundary(|| unsafe { add(pack, name, |pack, name| pack.add_int64_ex(name, value, index, total)) })
}

/// Adds 1 or 0 as a 32-bit integer.
///
/// One element of `total` values takes as many calls, with `index` from 0; what was not added is 0 or empty. One call with
/// `index` 0 and `total` 1 adds a single value, and over a present one replaces it.
///
/// MAYAQUA_STATUS_EXISTS: the name is there with another type. MAYAQUA_STATUS_INVALID: a name of more than 63 bytes or no UTF-8, an
/// `index` not below `total`. MAYAQUA_STATUS_OVERFLOW: more than 262,144 values or elements, or more than 384 MiB.
///
/// # Safety
///
/// `name` ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_add_bool(
    pack: Pack,
    name: *const c_char,
    value: bool,
    index: usize,
    total: usize,
) -> Status {
    // SAFETY: the caller's.
    boundary(|| unsafe { add(pack, name, |pack, name| pack.add_bool_ex(name, value, index, total)) })
}

/// Adds `size` bytes.
///
/// One element of `total` values takes as many calls, with `index` from 0; what was not added is 0 or empty. One call with
/// `index` 0 and `total` 1 adds a single value, and over a present one replaces it.
///
/// MAYAQUA_STATUS_EXISTS: the name is there with another type. MAYAQUA_STATUS_INVALID: a name of more than 63 bytes or no UTF-8, an
/// `index` not below `total`. MAYAQUA_STATUS_OVERFLOW: more than 262,144 values or elements, or more than 384 MiB.
///
/// # Safety
///
/// `name` ends with a NUL, and `size` bytes at `data` may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_add_data(
    pack: Pack,
    name: *const c_char,
    data: *const u8,
    size: usize,
    index: usize,
    total: usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let data = unsafe { arg::bytes(data, size)? };
        // SAFETY: the caller's.
        unsafe { add(pack, name, |pack, name| pack.add_data_ex(name, data, index, total)) }
    })
}

/// Adds a string without the spaces and tabs at its ends.
///
/// One element of `total` values takes as many calls, with `index` from 0; what was not added is 0 or empty. One call with
/// `index` 0 and `total` 1 adds a single value, and over a present one replaces it.
///
/// MAYAQUA_STATUS_EXISTS: the name is there with another type. MAYAQUA_STATUS_INVALID: a name of more than 63 bytes or no UTF-8, an
/// `index` not below `total`. MAYAQUA_STATUS_OVERFLOW: more than 262,144 values or elements, or more than 384 MiB.
///
/// # Safety
///
/// `name` and `string` end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_add_str(
    pack: Pack,
    name: *const c_char,
    string: *const c_char,
    index: usize,
    total: usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let string = unsafe { arg::string(string)? };
        // SAFETY: the caller's.
        unsafe { add(pack, name, |pack, name| pack.add_str_ex(name, string, index, total)) }
    })
}

/// Adds a wide string, given in UTF-8, without the spaces and tabs at its ends.
///
/// One element of `total` values takes as many calls, with `index` from 0; what was not added is 0 or empty. One call with
/// `index` 0 and `total` 1 adds a single value, and over a present one replaces it.
///
/// MAYAQUA_STATUS_EXISTS: the name is there with another type. MAYAQUA_STATUS_INVALID: a name of more than 63 bytes or no UTF-8, an
/// `index` not below `total`. MAYAQUA_STATUS_OVERFLOW: more than 262,144 values or elements, or more than 384 MiB.
///
/// # Safety
///
/// `name` and `string` end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_add_uni_str(
    pack: Pack,
    name: *const c_char,
    string: *const c_char,
    index: usize,
    total: usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let string = UniStr::from(unsafe { arg::text(string)? });
        // SAFETY: the caller's.
        unsafe { add(pack, name, |pack, name| pack.add_uni_str_ex(name, string, index, total)) }
    })
}

/// Gives a 32-bit integer.
///
/// MAYAQUA_STATUS_NOT_FOUND: no such element, of another type, or with fewer values.
///
/// # Safety
///
/// `name` ends with a NUL; the result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_get_int(
    pack: Pack,
    name: *const c_char,
    index: usize,
    value: *mut u32,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let name = unsafe { arg::text(name)? };
        let found = values(pack, name, |values| match values {
            Values::Int(values) => Ok(*at(values, index)?),
            values => other_type(values),
        })?;
        // SAFETY: the caller's.
        unsafe { arg::put(value, found) }
    })
}

/// Gives a 64-bit integer.
///
/// MAYAQUA_STATUS_NOT_FOUND: no such element, of another type, or with fewer values.
///
/// # Safety
///
/// `name` ends with a NUL; the result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_get_int64(
    pack: Pack,
    name: *const c_char,
    index: usize,
    value: *mut u64,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let name = unsafe { arg::text(name)? };
        let found = values(pack, name, |values| match values {
            Values::Int64(values) => Ok(*at(values, index)?),
            values => other_type(values),
        })?;
        // SAFETY: the caller's.
        unsafe { arg::put(value, found) }
    })
}

/// Gives whether a 32-bit integer is not 0.
///
/// MAYAQUA_STATUS_NOT_FOUND: no such element, of another type, or with fewer values.
///
/// # Safety
///
/// `name` ends with a NUL; the result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_get_bool(
    pack: Pack,
    name: *const c_char,
    index: usize,
    value: *mut bool,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let name = unsafe { arg::text(name)? };
        let found = values(pack, name, |values| match values {
            Values::Int(values) => Ok(0 != *at(values, index)?),
            values => other_type(values),
        })?;
        // SAFETY: the caller's.
        unsafe { arg::put(value, found) }
    })
}

/// Copies the bytes of a value into the caller's buffer and gives their number.
///
/// MAYAQUA_STATUS_NOT_FOUND: no such element, of another type, or with fewer values. MAYAQUA_STATUS_NO_SPACE:
/// `capacity` is too small; only the size is given.
///
/// # Safety
///
/// `name` ends with a NUL; `capacity` bytes at `data` and a `size_t` at `size` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_get_data(
    pack: Pack,
    name: *const c_char,
    index: usize,
    data: *mut u8,
    capacity: usize,
    size: *mut usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let name = unsafe { arg::text(name)? };
        values(pack, name, |values| match values {
            // SAFETY: the caller's.
            Values::Data(values) => unsafe { arg::put_bytes(at(values, index)?, data, capacity, size) },
            values => other_type(values),
        })
    })
}

/// Copies a string into the caller's buffer, with its NUL; `size` does not count that.
///
/// MAYAQUA_STATUS_NOT_FOUND: no such element, of another type, or with fewer values. MAYAQUA_STATUS_NO_SPACE:
/// `capacity` is too small; only the size is given.
///
/// # Safety
///
/// `name` ends with a NUL; `capacity` bytes at `string` and a `size_t` at `size` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_get_str(
    pack: Pack,
    name: *const c_char,
    index: usize,
    string: *mut c_char,
    capacity: usize,
    size: *mut usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let name = unsafe { arg::text(name)? };
        values(pack, name, |values| match values {
            // SAFETY: the caller's.
            Values::Str(values) => unsafe { arg::put_string(at(values, index)?, string, capacity, size) },
            values => other_type(values),
        })
    })
}

/// Copies a wide string into the caller's buffer as UTF-8, with its NUL; `size` does not count that. A unit that is no
/// character becomes U+FFFD.
///
/// MAYAQUA_STATUS_NOT_FOUND: no such element, of another type, or with fewer values. MAYAQUA_STATUS_NO_SPACE:
/// `capacity` is too small; only the size is given.
///
/// # Safety
///
/// `name` ends with a NUL; `capacity` bytes at `string` and a `size_t` at `size` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_get_uni_str(
    pack: Pack,
    name: *const c_char,
    index: usize,
    string: *mut c_char,
    capacity: usize,
    size: *mut usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let name = unsafe { arg::text(name)? };
        values(pack, name, |values| match values {
            // SAFETY: the caller's.
            Values::UniStr(values) => unsafe {
                arg::put_string(at(values, index)?.to_string().as_bytes(), string, capacity, size)
            },
            values => other_type(values),
        })
    })
}
