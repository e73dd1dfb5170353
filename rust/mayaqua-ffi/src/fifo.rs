//! FIFOs of bytes ([`mayaqua::fifo`]).

use crate::arg;
use crate::error::{Status, boundary};
use crate::handle::Table;
use mayaqua::fifo;

/// The objects.
pub(crate) static OBJECTS: Table<fifo::Fifo> = Table::new(2);

/// Bytes that come out in the order in which they went in; at most 2^32 - 1 at a time.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fifo {
    /// The handle's number; 0 is no object.
    pub id: u64,
}

/// Makes an empty FIFO. The caller frees it with mayaqua_fifo_free.
///
/// As mayaqua_buf_new.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_fifo_new(fifo: *mut Fifo) -> Status {
    boundary(|| {
        arg::check(fifo)?;
        let id = OBJECTS.insert(fifo::Fifo::new())?;
        // SAFETY: the caller's.
        unsafe { arg::put(fifo, Fifo { id }) }
    })
}

/// Appends `size` bytes.
///
/// MAYAQUA_STATUS_OVERFLOW, with the FIFO unchanged, if it had more than 2^32 - 1 then.
///
/// # Safety
///
/// `size` bytes at `data` may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_fifo_write(fifo: Fifo, data: *const u8, size: usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let data = unsafe { arg::bytes(data, size)? };
        OBJECTS.with(fifo.id, |fifo| Ok(fifo.write(data)?))
    })
}

/// Moves at most `size` bytes to `data` and gives their number. A null `data` forgets them.
///
/// # Safety
///
/// `data` is null, or `size` bytes there may be written; a `size_t` at `read` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_fifo_read(fifo: Fifo, data: *mut u8, size: usize, read: *mut usize) -> Status {
    boundary(|| {
        arg::check(read)?;
        let count = OBJECTS.with(fifo.id, |fifo| {
            let unread = fifo.unread();
            let found = &unread[..unread.len().min(size)];
            if !data.is_null() {
                // SAFETY: the caller's; no more than what is found is written.
                unsafe { arg::fill(data, found.len(), found)? };
            }
            let count = found.len();
            Ok(fifo.discard(count))
        })?;
        // SAFETY: the caller's.
        unsafe { arg::put(read, count) }
    })
}

/// Copies all bytes into the caller's buffer, without taking them, and gives their number.
///
/// MAYAQUA_STATUS_NO_SPACE: `capacity` is too small; only the number is given.
///
/// # Safety
///
/// `capacity` bytes at `data` and a `size_t` at `size` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_fifo_peek(fifo: Fifo, data: *mut u8, capacity: usize, size: *mut usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        OBJECTS.with(fifo.id, |fifo| unsafe { arg::put_bytes(fifo.unread(), data, capacity, size) })
    })
}

/// Gives the number of bytes that can be read.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_fifo_size(fifo: Fifo, size: *mut u32) -> Status {
    boundary(|| {
        let value = OBJECTS.with(fifo.id, |fifo| Ok(fifo.size()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(size, value) }
    })
}

/// Forgets all bytes.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_fifo_clear(fifo: Fifo) -> Status {
    boundary(|| {
        OBJECTS.with(fifo.id, |fifo| {
            fifo.discard(usize::MAX);
            Ok(())
        })
    })
}

/// Frees a FIFO. A zeroed handle is none.
///
/// MAYAQUA_STATUS_BAD_HANDLE: it was freed already.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_fifo_free(fifo: Fifo) -> Status {
    boundary(|| OBJECTS.remove(fifo.id))
}
