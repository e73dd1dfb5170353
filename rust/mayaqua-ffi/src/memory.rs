//! Memory for programs that want it checked: the library knows every block, so a wrong free is an error.
//!
//! Unlike the C's `Malloc` these return null where there is no memory, and unlike `free` they take the size, which must be
//! the block's.

use crate::arg;
use crate::error::{Failure, Status, boundary, value};
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::collections::HashMap;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroize;

/// What every block is aligned to, as those of malloc are.
const ALIGNMENT: usize = 16;

/// Sizes of the blocks that are in use, by their addresses.
static BLOCKS: Mutex<Option<HashMap<usize, usize>>> = Mutex::new(None);

fn blocks() -> MutexGuard<'static, Option<HashMap<usize, usize>>> {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn layout(size: usize) -> Result<Layout, Failure> {
    // As in the C a block of no bytes has one.
    Layout::from_size_align(size.max(1), ALIGNMENT)
        .map_err(|_| Failure::new(Status::NoMemory, format_args!("{size} bytes are more than an object can have")))
}

fn allocate(size: usize, zero: bool) -> Result<*mut c_void, Failure> {
    let layout = layout(size)?;
    // SAFETY: the layout has at least one byte.
    let block = unsafe { if zero { alloc_zeroed(layout) } else { alloc(layout) } };
    if block.is_null() {
        return Err(Failure::new(Status::NoMemory, format_args!("there are no {size} bytes")));
    }
    blocks().get_or_insert_default().insert(block.addr(), size);
    Ok(block.cast())
}

/// Takes a block out of the table, if it is there with that size.
fn forget(block: *mut c_void, size: usize) -> Result<(), Failure> {
    let mut blocks = blocks();
    let known = blocks.get_or_insert_default();
    match known.get(&block.addr()) {
        Some(known_size) if *known_size == size => known.remove(&block.addr()),
        Some(known_size) => {
            return Err(Failure::invalid(format_args!("the block has {known_size} bytes, not {size}")));
        }
        None => return Err(Failure::invalid("no such block: it was freed, or is not of mayaqua_malloc")),
    };
    Ok(())
}

/// Wipes and gives back a block that was taken out of the table.
///
/// # Safety
///
/// `block` came from [`allocate`] with `size`, and [`forget`] has just found it.
unsafe fn release(block: *mut c_void, size: usize) -> Result<(), Failure> {
    let layout = layout(size)?;
    // SAFETY: the block has so many bytes and is nobody's any more; it came from this allocator with this layout.
    unsafe {
        slice::from_raw_parts_mut(block.cast::<MaybeUninit<u8>>(), layout.size()).zeroize();
        dealloc(block.cast(), layout);
    }
    Ok(())
}

/// `size` bytes, not initialised, aligned to 16; the caller frees them with mayaqua_free. Null if there is no memory;
/// mayaqua_last_error() says so. A size of 0 gives a block of its own.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_malloc(size: usize) -> *mut c_void {
    value(ptr::null_mut(), || allocate(size, false))
}

/// As mayaqua_malloc, all zeros.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_zero_malloc(size: usize) -> *mut c_void {
    value(ptr::null_mut(), || allocate(size, true))
}

/// A block of `new_size` bytes with what fits of the block at `memory`, which has `size` bytes and is freed. Null, with
/// the block untouched, if there is no memory or no such block. A null `memory` is none.
///
/// # Safety
///
/// `memory` is null, or nobody else uses the block meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_realloc(memory: *mut c_void, size: usize, new_size: usize) -> *mut c_void {
    value(ptr::null_mut(), || {
        if memory.is_null() {
            return allocate(new_size, false);
        }
        let block = allocate(new_size, false)?;
        if let Err(failure) = forget(memory, size) {
            forget(block, new_size)?;
            // SAFETY: made above and just found.
            unsafe { release(block, new_size)? };
            return Err(failure);
        }
        // SAFETY: two blocks of at least so many bytes; `memory` was in the table until now.
        unsafe {
            ptr::copy_nonoverlapping(memory.cast::<u8>(), block.cast::<u8>(), size.min(new_size));
            release(memory, size)?;
        }
        Ok(block)
    })
}

/// Wipes a block and gives it back. `size` is what it was asked for with. Null is none.
///
/// MAYAQUA_STATUS_INVALID: there is no such block (it was freed already, or is not of mayaqua_malloc), or it has another
/// size; nothing is done.
///
/// # Safety
///
/// Nobody else uses the block meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_free(memory: *mut c_void, size: usize) -> Status {
    boundary(|| {
        if memory.is_null() {
            return Ok(());
        }
        forget(memory, size)?;
        // SAFETY: just found, and taken out.
        unsafe { release(memory, size) }
    })
}

/// Makes `size` bytes zero, also where a compiler sees that nobody reads them.
///
/// MAYAQUA_STATUS_INVALID: null.
///
/// # Safety
///
/// `size` bytes at `memory` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_zero(memory: *mut c_void, size: usize) -> Status {
    boundary(|| {
        if size == 0 {
            return Ok(());
        }
        if memory.is_null() || isize::try_from(size).is_err() {
            return Err(Failure::invalid("there are no such bytes"));
        }
        // SAFETY: the caller's; bytes need not be initialised to be written.
        unsafe { slice::from_raw_parts_mut(memory.cast::<MaybeUninit<u8>>(), size) }.zeroize();
        Ok(())
    })
}

/// Copies `size` bytes; the places may overlap.
///
/// MAYAQUA_STATUS_INVALID: null.
///
/// # Safety
///
/// `size` bytes at `src` may be read and as many at `dst` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_copy(dst: *mut c_void, src: *const c_void, size: usize) -> Status {
    boundary(|| {
        if size == 0 {
            return Ok(());
        }
        if dst.is_null() || src.is_null() || isize::try_from(size).is_err() {
            return Err(Failure::invalid("there are no such bytes"));
        }
        // SAFETY: the caller's.
        unsafe { ptr::copy(src.cast::<u8>(), dst.cast::<u8>(), size) };
        Ok(())
    })
}

/// Whether `size` bytes are the same, in a time that depends on `size` only.
///
/// # Safety
///
/// `size` bytes at `a` and at `b` may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_same(a: *const c_void, b: *const c_void, size: usize, same: *mut bool) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe {
            let (a, b) = (arg::bytes(a.cast(), size)?, arg::bytes(b.cast(), size)?);
            arg::put(same, mayaqua::crypto::same(a, b))
        }
    })
}
