//! The swaps on memory: Mayaqua's heap, and copying, comparing and clearing bytes (C: Mayaqua/Memory.c).
//!
//! A block of Mayaqua's has a tag of 16 bytes before it and comes from the C library's allocator. The Rust side keeps both:
//! `Malloc` may be on one side and `Free` on the other, for the same block, in any order; the tests alternate them. So the
//! heap's functions are swaps like others, each with a switch of its own that may be moved at any time. What Rust leaves out
//! is the C's global lock around `malloc` and five calls on the way there.
//!
//! 1. A size is taken in the machine's width: the tag never makes it wrap (known difference `malloc-wraps`).
//! 2. Without memory it waits and tries again as the C does, and ends the process after the C's number of times.
//! 3. Before a block is freed, resized or measured its tag is looked at, always: a block that is freed twice or never was
//!    Mayaqua's ends the process with the C's own message (known difference `free-unchecked`).

mod sequence;
mod shadow;

use crate::family::{Random, Trace, family};
use crate::memory::{self, is_tracking, ks_add, ks_dec, ks_inc};
use softether_sys::{
    self as sys, KS_COPY_COUNT, KS_CURRENT_MEM_COUNT, KS_FREE_COUNT, KS_MALLOC_COUNT, KS_REALLOC_COUNT,
    KS_TOTAL_MEM_COUNT, KS_TOTAL_MEM_SIZE, KS_ZERO_COUNT, MEMTAG, MEMTAG_MAGIC, UINT, UINT64, USHORT, bool_,
};
use std::ffi::{c_int, c_void};
use std::ptr;
use switch::{Control, Difference, Kind, Shape, Verdict, compare_bytes};
use zeroize::Zeroize;

pub use sequence::sequence;
use shadow::*;

const TAG_SIZE: usize = size_of::<MEMTAG>();

/// How often the C tries, and how long it waits between (C: `MEMORY_MAX_RETRY`, `MEMORY_SLEEP_TIME`, Mayaqua/Memory.h).
const MAX_RETRY: u32 = 30;
const SLEEP_MS: UINT = 150;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn free(block: *mut c_void);
    fn memcmp(one: *const c_void, other: *const c_void, size: usize) -> c_int;
}

family! {
    sequence: sequence;

    /// A block of `size` bytes (C: `Malloc`, Mayaqua/Memory.c). Never null.
    cloned(shadow_malloc) malloc = Malloc(size: UINT) -> *mut c_void {
        allocate(size, 0, Content::Any)
    }

    /// A block of `size` bytes, which may be cleared when it is freed (C: `MallocEx`, Mayaqua/Memory.c).
    cloned(shadow_malloc_ex) malloc_ex = MallocEx(size: UINT, zero_clear_when_free: bool_) -> *mut c_void {
        allocate(size, zero_clear_when_free, Content::Any)
    }

    /// A block of `size` zeros (C: `ZeroMalloc`, Mayaqua/Memory.c).
    cloned(shadow_zero_malloc) zero_malloc = ZeroMalloc(size: UINT) -> *mut c_void {
        allocate(size, 0, Content::Zeros)
    }

    /// A block of `size` zeros, which may be cleared when it is freed (C: `ZeroMallocEx`, Mayaqua/Memory.c).
    cloned(shadow_zero_malloc_ex) zero_malloc_ex = ZeroMallocEx(size: UINT, zero_clear_when_free: bool_) -> *mut c_void {
        allocate(size, zero_clear_when_free, Content::Zeros)
    }

    /// Makes a block larger or smaller; it may move (C: `ReAlloc`, Mayaqua/Memory.c). Null gives null.
    effect(ptr::null_mut()) re_alloc = ReAlloc(addr: *mut c_void, size: UINT) -> *mut c_void {
        // SAFETY: the caller's.
        unsafe { resize(addr, size) }
    }

    /// Frees a block (C: `Free`, Mayaqua/Memory.c). Null is ignored.
    effect(()) free = Free(addr: *mut c_void) {
        // SAFETY: the caller's.
        unsafe { release(addr) };
    }

    /// Frees a block and forgets it (C: `FreeSafe`, Mayaqua/Memory.c).
    effect(()) free_safe = FreeSafe(addr: *mut *mut c_void) {
        // SAFETY: the caller's; the C follows `addr` unseen, too.
        unsafe { release(addr.replace(ptr::null_mut())) };
    }

    /// The size of a block (C: `GetMemSize`, Mayaqua/Memory.c).
    pure get_mem_size = GetMemSize(addr: *mut c_void) -> UINT {
        // SAFETY: the caller's.
        unsafe { tag_of(addr).map_or(0, |tag| (*tag).Size) }
    }

    /// A block with a copy of `size` bytes (C: `Clone`, Mayaqua/Memory.c).
    cloned(shadow_clone) clone = Clone(addr: *mut c_void, size: UINT) -> *mut c_void {
        if addr.is_null() {
            return ptr::null_mut();
        }
        let copy = memory::malloc(size);
        // SAFETY: the caller's; the new block has `size` bytes.
        unsafe { copy.cast::<u8>().copy_from_nonoverlapping(addr.cast(), size as usize) };
        copy
    }

    /// A block of a head and what follows it (C: `AddHead`, Mayaqua/Memory.c).
    cloned(shadow_add_head) add_head =
        AddHead(src: *mut c_void, src_size: UINT, head: *mut c_void, head_size: UINT) -> *mut c_void {
        if (src.is_null() && src_size != 0) || (head.is_null() && head_size != 0) {
            return ptr::null_mut();
        }
        let whole = memory::malloc(head_size.checked_add(src_size).expect("a block below 4 GiB"));
        // SAFETY: the caller's; the new block has room for both.
        unsafe {
            let (head, src) = (memory::view(head, head_size), memory::view(src, src_size));
            let at = whole.cast::<u8>();
            at.copy_from_nonoverlapping(head.as_ptr(), head.len());
            at.add(head.len()).copy_from_nonoverlapping(src.as_ptr(), src.len());
        }
        whole
    }

    /// Copies bytes that do not overlap (C: `Copy`, Mayaqua/Memory.c).
    cloned(shadow_copy) copy = Copy(dst: *mut c_void, src: *mut c_void, size: UINT) {
        if is_work(dst, src, size) {
            ks_inc(KS_COPY_COUNT);
            // SAFETY: the caller's.
            unsafe { dst.cast::<u8>().copy_from_nonoverlapping(src.cast(), size as usize) };
        }
    }

    /// Copies bytes that may overlap (C: `Move`, Mayaqua/Memory.c).
    cloned(shadow_move) move_memory = Move(dst: *mut c_void, src: *mut c_void, size: UINT) {
        if is_work(dst, src, size) {
            ks_inc(KS_COPY_COUNT);
            // SAFETY: the caller's.
            unsafe { dst.cast::<u8>().copy_from(src.cast(), size as usize) };
        }
    }

    /// Makes zeros of bytes (C: `Zero`, Mayaqua/Memory.c).
    cloned(shadow_zero) zero = Zero(addr: *mut c_void, size: UINT) {
        if !addr.is_null() && size != 0 {
            ks_inc(KS_ZERO_COUNT);
            // SAFETY: the caller's.
            unsafe { addr.cast::<u8>().write_bytes(0, size as usize) };
        }
    }

    /// Compares bytes as `memcmp` does (C: `Cmp`, Mayaqua/Memory.c). Null equals anything.
    pure cmp = Cmp(p1: *mut c_void, p2: *mut c_void, size: UINT) -> c_int {
        if p1.is_null() || p2.is_null() || size == 0 {
            return 0;
        }
        // SAFETY: the caller's.
        unsafe { memcmp(p1, p2, size as usize) }
    }

    /// Whether all bytes are zero (C: `IsZero`, Mayaqua/Memory.c). Null is.
    pure is_zero = IsZero(data: *mut c_void, size: UINT) -> bool_ {
        // SAFETY: the caller's.
        let (blocks, rest) = unsafe { memory::view(data, size) }.as_chunks::<64>();
        // A block at a time, since a byte that may end the loop keeps the compiler from looking at several at once.
        let is_zero = |block: &[u8; 64]| block.iter().fold(0, |any, byte| any | byte) == 0;
        (blocks.iter().all(is_zero) && rest.iter().all(|byte| *byte == 0)).into()
    }

    /// The exclusive or of two strings of bytes; `dst` may be one of them (C: `XorData`, Mayaqua/Memory.c).
    cloned(shadow_xor_data) xor_data = XorData(dst: *mut c_void, src1: *mut c_void, src2: *mut c_void, size: UINT) {
        if dst.is_null() || src1.is_null() || src2.is_null() {
            return;
        }
        for place in 0..size as usize {
            // SAFETY: the caller's; byte by byte, as the C, whatever overlaps.
            unsafe {
                let at = |p: *mut c_void| p.cast::<u8>().add(place);
                at(dst).write(at(src1).read() ^ at(src2).read());
            }
        }
    }

    /// Reverses two bytes (C: `Swap16`, Mayaqua/Memory.c).
    pure swap16 = Swap16(value: USHORT) -> USHORT {
        mayaqua::memory::swap16(value)
    }

    /// Reverses four bytes (C: `Swap32`, Mayaqua/Memory.c).
    pure swap32 = Swap32(value: UINT) -> UINT {
        mayaqua::memory::swap32(value)
    }

    /// Reverses eight bytes (C: `Swap64`, Mayaqua/Memory.c).
    pure swap64 = Swap64(value: UINT64) -> UINT64 {
        mayaqua::memory::swap64(value)
    }
}

/// What a new block holds.
#[derive(Clone, Copy, PartialEq)]
enum Content {
    Any,
    Zeros,
}

fn is_work(dst: *mut c_void, src: *mut c_void, size: UINT) -> bool {
    !dst.is_null() && !src.is_null() && size != 0 && dst != src
}

/// The C library's block for `size` bytes and the tag.
const fn real_size(size: UINT) -> usize {
    TAG_SIZE + if size == 0 { 1 } else { size as usize }
}

/// What the C's counters and its list of objects are told as a size.
fn told_size(size: UINT) -> UINT {
    UINT::try_from(real_size(size)).unwrap_or(UINT::MAX)
}

#[inline]
fn allocate(size: UINT, zero_free: bool_, content: Content) -> *mut c_void {
    // SAFETY: any size is allowed.
    let block = || unsafe {
        match content {
            Content::Any => malloc(real_size(size)),
            Content::Zeros => calloc(1, real_size(size)),
        }
    };
    let mut real = block();
    if real.is_null() {
        real = insist(block, c"InternalMalloc: error: malloc() failed.\n\n");
    }
    if is_tracking() {
        ks_inc(KS_MALLOC_COUNT);
        ks_inc(KS_TOTAL_MEM_COUNT);
        ks_add(KS_TOTAL_MEM_SIZE, u64::from(told_size(size)));
        ks_inc(KS_CURRENT_MEM_COUNT);
        // SAFETY: the block is new; the name is only read.
        unsafe { sys::TrackNewObj(real.addr() as u64, c"MEM".as_ptr().cast_mut(), told_size(size)) };
    }
    tagged(real, size, zero_free)
}

/// Writes the tag of a block, and gives what is behind it.
fn tagged(real: *mut c_void, size: UINT, zero_free: bool_) -> *mut c_void {
    // SAFETY: every block has room for a tag, and the C library's alignment, which is that of a MEMTAG or more.
    unsafe {
        real.cast::<MEMTAG>().write(MEMTAG { Magic: MEMTAG_MAGIC, Size: size, ZeroFree: zero_free, Padding: 0 });
        real.byte_add(TAG_SIZE)
    }
}

/// Tries again and again to get memory, and ends the process if there is none.
#[cold]
fn insist(block: impl Fn() -> *mut c_void, message: &std::ffi::CStr) -> *mut c_void {
    for _ in 0..MAX_RETRY {
        // SAFETY: it waits.
        unsafe { sys::OSSleep(SLEEP_MS) };
        let real = block();
        if !real.is_null() {
            return real;
        }
    }
    // SAFETY: the message is read; it does not come back.
    unsafe { sys::AbortExitEx(message.as_ptr().cast_mut()) };
    std::process::abort()
}

/// The tag of a block; `None` for null, and for what the C takes for null: the address that a null tag would give.
///
/// # Safety
/// `addr` is null or was a block of Mayaqua's: with another one the bytes before it are read.
#[inline]
unsafe fn tag_of(addr: *mut c_void) -> Option<*mut MEMTAG> {
    if addr.is_null() || addr.addr() == TAG_SIZE {
        return None;
    }
    let tag = addr.wrapping_byte_sub(TAG_SIZE).cast::<MEMTAG>();
    // SAFETY: the caller's.
    if unsafe { (*tag).Magic } != MEMTAG_MAGIC {
        not_a_block();
    }
    Some(tag)
}

/// Ends the process as the C's `CheckMemTag` does.
#[cold]
fn not_a_block() -> ! {
    // SAFETY: the message is read.
    unsafe { sys::AbortExitEx(c"CheckMemTag: tag->Magic != MEMTAG_MAGIC".as_ptr().cast_mut()) };
    std::process::abort()
}

/// # Safety
/// `addr` is null or a block, which is its caller's no more but as what this gives.
unsafe fn resize(addr: *mut c_void, size: UINT) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe {
        let Some(tag) = tag_of(addr) else { return ptr::null_mut() };
        if (*tag).Size == size {
            return addr;
        }
        if (*tag).ZeroFree != 0 {
            // The old place must be cleared.
            let moved = allocate(size, 1, Content::Any);
            let kept = size.min((*tag).Size) as usize;
            moved.cast::<u8>().copy_from_nonoverlapping(addr.cast(), kept);
            release(addr);
            return moved;
        }
        let mut real = realloc(tag.cast(), real_size(size));
        if real.is_null() {
            real = insist(|| realloc(tag.cast(), real_size(size)), c"InternalReAlloc: error: realloc() failed.\n\n");
        }
        if is_tracking() {
            ks_inc(KS_REALLOC_COUNT);
            ks_add(KS_TOTAL_MEM_SIZE, u64::from(told_size(size)));
            sys::TrackChangeObjSize(tag.addr() as u64, told_size(size), real.addr() as u64);
        }
        tagged(real, size, 0)
    }
}

/// # Safety
/// `addr` is null or a block that is used no more.
#[inline]
unsafe fn release(addr: *mut c_void) {
    // SAFETY: the caller's.
    unsafe {
        let Some(tag) = tag_of(addr) else { return };
        if (*tag).ZeroFree != 0 {
            std::slice::from_raw_parts_mut(addr.cast::<u8>(), (*tag).Size as usize).zeroize();
        }
        // Volatile, or it would be left out before `free`.
        (&raw mut (*tag).Magic).write_volatile(0);
        if is_tracking() {
            ks_dec(KS_CURRENT_MEM_COUNT);
            ks_inc(KS_FREE_COUNT);
            sys::TrackDeleteObj(tag.addr() as u64);
        }
        free(tag.cast());
    }
}
