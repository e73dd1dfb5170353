//! Mayaqua's heap and counters as the shims use them. Memory that crosses a seam is Mayaqua's: it has a header and
//! a canary that only its own functions know.

pub mod block;
pub mod compared;
pub mod connection;
pub mod drops;
pub mod fifo;
pub mod http;
pub mod list;
pub mod pack;
pub mod queue;
pub mod session;
pub mod socket_fifo;
pub(crate) mod spare;
pub mod udp_accel;

use softether_sys as sys;
use std::ffi::c_void;
use std::slice;

/// `size` bytes of Mayaqua memory, not initialised. Mayaqua ends the process rather than return null.
pub fn malloc(size: u32) -> *mut c_void {
    // SAFETY: Malloc takes any size.
    unsafe { sys::Malloc(size) }
}

/// Gives memory of [`malloc`] back; null is ignored, as by the C.
///
/// # Safety
/// `memory` came from Mayaqua and is used no more.
pub unsafe fn free(memory: *mut c_void) {
    // SAFETY: the caller's.
    unsafe { sys::Free(memory) }
}

/// A copy of `bytes` in Mayaqua memory.
pub fn malloc_copy(bytes: &[u8]) -> *mut c_void {
    let copy = malloc(index(bytes.len()));
    // SAFETY: the new memory holds bytes.len() bytes and overlaps nothing.
    unsafe { copy.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    copy
}

/// The bytes behind a C pointer; empty if there are none, whatever the pointer.
///
/// # Safety
/// `size` bytes at `data` stay readable and unwritten for `'a`.
pub unsafe fn view<'a>(data: *const c_void, size: u32) -> &'a [u8] {
    if data.is_null() || size == 0 {
        return &[];
    }
    // SAFETY: the caller's.
    unsafe { slice::from_raw_parts(data.cast(), size as usize) }
}

/// A length as the C counts: no block of Mayaqua's is larger than 32 bits can say.
pub fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a length from C memory fits 32 bits")
}

/// Adds one to a counter of the kernel status, if it is kept (C: `KS_INC`, Mayaqua/Mayaqua.h).
#[inline]
pub fn ks_inc(id: u32) {
    if is_tracking() {
        ks_add(id, 1);
    }
}

/// Takes one from a counter of the kernel status, if it is kept (C: `KS_DEC`, Mayaqua/Mayaqua.h).
#[inline]
pub fn ks_dec(id: u32) {
    if is_tracking() {
        ks_add(id, u64::MAX);
    }
}

/// Whether the counters are kept (C: `IsTrackingEnabled`, Mayaqua/Tracking.c).
#[inline]
pub fn is_tracking() -> bool {
    // SAFETY: numbers that are set at the start and the end of Mayaqua.
    unsafe { (sys::g_debug | sys::g_memcheck) != 0 && sys::kernel_status_inited != 0 }
}

/// Adds to a counter (C: `KS_ADD`, Mayaqua/Mayaqua.h); two's complement subtracts.
#[cold]
#[inline(never)]
pub fn ks_add(id: u32, n: u64) {
    // SAFETY: the lock of `id` guards both arrays, which have 128 places; ids are the header's constants.
    unsafe {
        sys::LockKernelStatus(id);
        let place = id as usize;
        sys::kernel_status[place] = sys::kernel_status[place].wrapping_add(n);
        sys::kernel_status_max[place] = sys::kernel_status_max[place].max(sys::kernel_status[place]);
        sys::UnlockKernelStatus(id);
    }
}

/// The C library's `rand`, which Mayaqua seeds and both sides draw from.
pub fn rand() -> u32 {
    unsafe extern "C" {
        safe fn rand() -> std::ffi::c_int;
    }
    rand().cast_unsigned()
}
