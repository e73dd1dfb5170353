//! PACKs: messages of named, typed lists of values ([`mayaqua::pack`]). Their values: [`crate::pack_values`].

use crate::arg;
use crate::error::{Failure, Status, boundary};
use crate::handle::Table;
use mayaqua::pack;
use std::ffi::c_char;

impl From<pack::Error> for Failure {
    fn from(error: pack::Error) -> Self {
        let status = match error {
            pack::Error::DuplicateName => Status::Exists,
            pack::Error::NameTooLong(_) | pack::Error::IndexOutOfRange { .. } => Status::Invalid,
            pack::Error::TooManyElements(_)
            | pack::Error::TooManyValues(_)
            | pack::Error::ValueTooLarge(_)
            | pack::Error::PackTooLarge(_) => Status::Overflow,
            _ => Status::BadMessage,
        };
        Self::new(status, error)
    }
}

/// The objects.
pub(crate) static OBJECTS: Table<pack::Pack> = Table::new(5);

/// A message: elements by name, without regard to case, each with values of one type.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pack {
    /// The handle's number; 0 is no object.
    pub id: u64,
}

/// The type of an element's values, with the number that stands for it on the wire.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// 32-bit integers.
    Int = 0,
    /// Bytes.
    Data = 1,
    /// Strings of no known encoding.
    Str = 2,
    /// Wide strings, as UTF-8.
    UniStr = 3,
    /// 64-bit integers.
    Int64 = 4,
}

/// Makes a PACK without elements. The caller frees it with mayaqua_pack_free.
///
/// As mayaqua_buf_new.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_new(pack: *mut Pack) -> Status {
    boundary(|| {
        arg::check(pack)?;
        let id = OBJECTS.insert(pack::Pack::new())?;
        // SAFETY: the caller's.
        unsafe { arg::put(pack, Pack { id }) }
    })
}

/// Reads a PACK from the front of `size` bytes; what follows it is not looked at. The caller frees it with
/// mayaqua_pack_free. Memory beyond four times `size` plus 64 KiB is never taken, whatever the bytes say.
///
/// As mayaqua_buf_new; MAYAQUA_STATUS_BAD_MESSAGE: it is cut off or not well-formed; MAYAQUA_STATUS_EXISTS: a name is there twice;
/// MAYAQUA_STATUS_INVALID: a name is too long; MAYAQUA_STATUS_OVERFLOW: there are too many elements or values, or they are too
/// large.
///
/// # Safety
///
/// `size` bytes at `data` may be read, and a handle written at `pack`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_from_bytes(data: *const u8, size: usize, pack: *mut Pack) -> Status {
    boundary(|| {
        arg::check(pack)?;
        // SAFETY: the caller's.
        let data = unsafe { arg::bytes(data, size)? };
        let id = OBJECTS.insert(pack::Pack::decode(data)?)?;
        // SAFETY: the caller's.
        unsafe { arg::put(pack, Pack { id }) }
    })
}

/// Writes the PACK into the caller's buffer and gives the number of bytes.
///
/// MAYAQUA_STATUS_NO_SPACE: `capacity` is too small; only the number is given. MAYAQUA_STATUS_OVERFLOW beyond 512 MiB.
///
/// # Safety
///
/// `capacity` bytes at `data` and a `size_t` at `size` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_to_bytes(pack: Pack, data: *mut u8, capacity: usize, size: *mut usize) -> Status {
    boundary(|| {
        OBJECTS.with(pack.id, |pack| {
            let bytes = pack.encode()?;
            // SAFETY: the caller's.
            unsafe { arg::put_bytes(&bytes, data, capacity, size) }
        })
    })
}

/// Gives the number of elements.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_num(pack: Pack, num: *mut usize) -> Status {
    boundary(|| {
        let value = OBJECTS.with(pack.id, |pack| Ok(pack.len()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(num, value) }
    })
}

/// Gives the name of the element at a place, in the order in which elements are written, with its NUL; `size` does not count
/// that.
///
/// MAYAQUA_STATUS_NOT_FOUND: there is no such place. MAYAQUA_STATUS_NO_SPACE: `capacity` is too small (64 are always enough).
///
/// # Safety
///
/// `capacity` bytes at `name` and a `size_t` at `size` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_name(
    pack: Pack,
    place: usize,
    name: *mut c_char,
    capacity: usize,
    size: *mut usize,
) -> Status {
    boundary(|| {
        OBJECTS.with(pack.id, |pack| {
            let element = pack.elements().nth(place).ok_or(Status::NotFound)?;
            // SAFETY: the caller's.
            unsafe { arg::put_string(element.name_bytes(), name, capacity, size) }
        })
    })
}

/// Gives the type (MayaquaValueType) of an element's values and their number.
///
/// MAYAQUA_STATUS_NOT_FOUND: there is no such element.
///
/// # Safety
///
/// `name` ends with a NUL; a `uint32_t` at `value_type` and a `size_t` at `num` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_type(
    pack: Pack,
    name: *const c_char,
    value_type: *mut u32,
    num: *mut usize,
) -> Status {
    boundary(|| {
        arg::check(value_type)?;
        // SAFETY: the caller's.
        let name = unsafe { arg::text(name)? };
        let (found, values) = OBJECTS.with(pack.id, |pack| {
            let element = pack.element(name).ok_or(Status::NotFound)?;
            Ok((element.value_type().number(), element.values().len()))
        })?;
        // SAFETY: the caller's.
        unsafe {
            arg::put(num, values)?;
            arg::put(value_type, found)
        }
    })
}

/// Removes an element.
///
/// MAYAQUA_STATUS_NOT_FOUND: there is no such element.
///
/// # Safety
///
/// `name` ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_pack_delete(pack: Pack, name: *const c_char) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let name = unsafe { arg::text(name)? };
        OBJECTS.with(pack.id, |pack| if pack.del_element(name) { Ok(()) } else { Err(Status::NotFound.into()) })
    })
}

/// Frees a PACK. A zeroed handle is none.
///
/// MAYAQUA_STATUS_BAD_HANDLE: it was freed already.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_pack_free(pack: Pack) -> Status {
    boundary(|| OBJECTS.remove(pack.id))
}
