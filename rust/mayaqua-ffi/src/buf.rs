//! Buffers: bytes with one position for reading and writing ([`mayaqua::buffer`]).

use crate::arg;
use crate::error::{Failure, Status, boundary};
use crate::handle::Table;
use mayaqua::buffer;
use std::ffi::c_char;

/// The objects.
pub(crate) static OBJECTS: Table<buffer::Buf> = Table::new(1);

/// A buffer of at most 2^32 - 1 bytes with one position for reading and writing.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buf {
    /// The handle's number; 0 is no object.
    pub id: u64,
}

/// Where a seek starts.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// From the position, backward.
    Backward = -1,
    /// From the start.
    Set = 0,
    /// From the position, forward.
    Forward = 1,
}

/// Makes an empty buffer. The caller frees it with mayaqua_buf_free.
///
/// MAYAQUA_STATUS_NOT_INITIALIZED; MAYAQUA_STATUS_NO_MEMORY beyond 16,777,215 buffers at a time.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_new(buf: *mut Buf) -> Status {
    boundary(|| {
        arg::check(buf)?;
        let id = OBJECTS.insert(buffer::Buf::new())?;
        // SAFETY: the caller's.
        unsafe { arg::put(buf, Buf { id }) }
    })
}

/// Makes a buffer with a copy of `size` bytes, at its start. The caller frees it with mayaqua_buf_free.
///
/// As mayaqua_buf_new; MAYAQUA_STATUS_OVERFLOW beyond 2^32 - 1 bytes.
///
/// # Safety
///
/// `size` bytes at `data` may be read, and a handle written at `buf`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_from_memory(data: *const u8, size: usize, buf: *mut Buf) -> Status {
    boundary(|| {
        arg::check(buf)?;
        // SAFETY: the caller's.
        let data = unsafe { arg::bytes(data, size)? };
        let id = OBJECTS.insert(buffer::Buf::from_memory(data)?)?;
        // SAFETY: the caller's.
        unsafe { arg::put(buf, Buf { id }) }
    })
}

/// Writes `size` bytes at the position, which moves behind them. The buffer ends there: a write in the middle cuts off the
/// rest. Nothing to write changes nothing.
///
/// MAYAQUA_STATUS_OVERFLOW, with the buffer unchanged, beyond 2^32 - 1 bytes.
///
/// # Safety
///
/// `size` bytes at `data` may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_write(buf: Buf, data: *const u8, size: usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let data = unsafe { arg::bytes(data, size)? };
        OBJECTS.with(buf.id, |buf| Ok(buf.write(data)?))
    })
}

/// Fills `size` bytes from the position, which moves behind them, and says how many the buffer had; the others become zeros.
///
/// # Safety
///
/// `size` bytes at `data` and a `size_t` at `read` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_read(buf: Buf, data: *mut u8, size: usize, read: *mut usize) -> Status {
    boundary(|| {
        arg::check(read)?;
        let count = OBJECTS.with(buf.id, |buf| {
            let position = buf.position();
            let found = buf.take(size);
            let count = found.len();
            // SAFETY: the caller's.
            let filled = unsafe { arg::fill(data, size, found) };
            filled.inspect_err(|_| buf.seek(position, buffer::Seek::Set)).map(|()| count)
        })?;
        // SAFETY: the caller's.
        unsafe { arg::put(read, count) }
    })
}

/// Gives the number of bytes in the buffer.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_size(buf: Buf, size: *mut u32) -> Status {
    boundary(|| {
        let value = OBJECTS.with(buf.id, |buf| Ok(buf.size()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(size, value) }
    })
}

/// Gives the position, at most the size.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_position(buf: Buf, position: *mut u32) -> Status {
    boundary(|| {
        let value = OBJECTS.with(buf.id, |buf| Ok(buf.position()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(position, value) }
    })
}

/// Gives the number of bytes from the position on.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_remaining(buf: Buf, remaining: *mut u32) -> Status {
    boundary(|| {
        let value = OBJECTS.with(buf.id, |buf| Ok(buf.remaining_size()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(remaining, value) }
    })
}

/// Moves the position by `offset` bytes from where `mode` (MayaquaSeek) says. It stays within the buffer.
///
/// MAYAQUA_STATUS_INVALID: a mode that is none.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_buf_seek(buf: Buf, offset: u32, mode: i32) -> Status {
    boundary(|| {
        let modes = [
            (Seek::Backward, buffer::Seek::Backward),
            (Seek::Set, buffer::Seek::Set),
            (Seek::Forward, buffer::Seek::Forward),
        ];
        let known = modes.into_iter().find(|(known, _)| *known as i32 == mode);
        let (_, mode) = known.ok_or_else(|| Failure::invalid(format_args!("{mode} is no MayaquaSeek")))?;
        OBJECTS.with(buf.id, |buf| {
            buf.seek(offset, mode);
            Ok(())
        })
    })
}

/// Forgets all bytes; the position is 0 then.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_buf_clear(buf: Buf) -> Status {
    boundary(|| {
        OBJECTS.with(buf.id, |buf| {
            buf.clear();
            Ok(())
        })
    })
}

/// Copies all bytes, whatever the position, into the caller's buffer, and gives their number.
///
/// MAYAQUA_STATUS_NO_SPACE: `capacity` is too small; only the number is given.
///
/// # Safety
///
/// `capacity` bytes at `data` and a `size_t` at `size` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_data(buf: Buf, data: *mut u8, capacity: usize, size: *mut usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        OBJECTS.with(buf.id, |buf| unsafe { arg::put_bytes(buf.data(), data, capacity, size) })
    })
}

/// Writes one byte, as mayaqua_buf_write does.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_buf_write_char(buf: Buf, value: u8) -> Status {
    boundary(|| OBJECTS.with(buf.id, |buf| Ok(buf.write_char(value)?)))
}

/// Reads one byte; 0, with the position at the end, if there are fewer.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_read_char(buf: Buf, value: *mut u8) -> Status {
    boundary(|| {
        arg::check(value)?;
        let read = OBJECTS.with(buf.id, |buf| Ok(buf.read_char()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(value, read) }
    })
}

/// Writes two bytes, big-endian, as mayaqua_buf_write does.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_buf_write_short(buf: Buf, value: u16) -> Status {
    boundary(|| OBJECTS.with(buf.id, |buf| Ok(buf.write_short(value)?)))
}

/// Reads two bytes, big-endian; 0, with the position at the end, if there are fewer.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_read_short(buf: Buf, value: *mut u16) -> Status {
    boundary(|| {
        arg::check(value)?;
        let read = OBJECTS.with(buf.id, |buf| Ok(buf.read_short()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(value, read) }
    })
}

/// Writes four bytes, big-endian, as mayaqua_buf_write does.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_buf_write_int(buf: Buf, value: u32) -> Status {
    boundary(|| OBJECTS.with(buf.id, |buf| Ok(buf.write_int(value)?)))
}

/// Reads four bytes, big-endian; 0, with the position at the end, if there are fewer.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_read_int(buf: Buf, value: *mut u32) -> Status {
    boundary(|| {
        arg::check(value)?;
        let read = OBJECTS.with(buf.id, |buf| Ok(buf.read_int()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(value, read) }
    })
}

/// Writes eight bytes, big-endian, as mayaqua_buf_write does.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_buf_write_int64(buf: Buf, value: u64) -> Status {
    boundary(|| OBJECTS.with(buf.id, |buf| Ok(buf.write_int64(value)?)))
}

/// Reads eight bytes, big-endian; 0, with the position at the end, if there are fewer.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_read_int64(buf: Buf, value: *mut u64) -> Status {
    boundary(|| {
        arg::check(value)?;
        let read = OBJECTS.with(buf.id, |buf| Ok(buf.read_int64()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(value, read) }
    })
}

/// Writes a string after four bytes of its length plus one.
///
/// # Safety
///
/// `string` ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_write_str(buf: Buf, string: *const c_char) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let string = unsafe { arg::string(string)? };
        OBJECTS.with(buf.id, |buf| Ok(buf.write_str(string)?))
    })
}

/// Reads a string that was written so into a block of `capacity` bytes; what does not fit is skipped, as is what follows a NUL
/// inside.
///
/// MAYAQUA_STATUS_BAD_MESSAGE: no string is there, or not all of it; MAYAQUA_STATUS_INVALID: a capacity of 0.
///
/// # Safety
///
/// `capacity` bytes at `string` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_buf_read_str(buf: Buf, string: *mut c_char, capacity: usize) -> Status {
    boundary(|| {
        if capacity == 0 {
            return Err(Failure::invalid("a string needs room for its NUL"));
        }
        arg::check(string)?;
        let read = OBJECTS.with(buf.id, |buf| buf.read_str(capacity).ok_or_else(|| Status::BadMessage.into()))?;
        let mut size = 0;
        // SAFETY: the caller's; what is read has at most `capacity - 1` bytes.
        unsafe { arg::put_string(mayaqua::str::until_nul(&read), string, capacity, &raw mut size) }
    })
}

/// Frees a buffer. A zeroed handle is none.
///
/// MAYAQUA_STATUS_BAD_HANDLE: it was freed already.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_buf_free(buf: Buf) -> Status {
    boundary(|| OBJECTS.remove(buf.id))
}
