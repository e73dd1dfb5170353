//! How two new blocks, and what two sides write, are compared in shadow mode.

use super::*;

/// Compares two new blocks and their first `bytes` bytes, and frees Rust's.
///
/// # Safety
/// Both came from the two sides of one function.
unsafe fn compare_blocks(control: *mut c_void, candidate: *mut c_void, bytes: UINT) -> Verdict {
    // SAFETY: the caller's.
    unsafe {
        let members =
            |tag: Option<*mut MEMTAG>| tag.map(|tag| ((*tag).Magic, (*tag).Size, (*tag).ZeroFree, (*tag).Padding));
        let verdict = match members(tag_of(control)) == members(tag_of(candidate)) {
            true => compare_bytes(memory::view(control, bytes), memory::view(candidate, bytes)),
            false => Err(Difference::new(Kind::State, Shape::Word("block"), Shape::Word("another block"))),
        };
        release(candidate);
        verdict
    }
}

pub(super) unsafe fn shadow_malloc(size: UINT, control: Control<'_, *mut c_void>) -> Verdict {
    // SAFETY: both are new.
    unsafe { compare_blocks(control.run(), malloc::RUST(size), 0) }
}

pub(super) unsafe fn shadow_malloc_ex(size: UINT, zero_free: bool_, control: Control<'_, *mut c_void>) -> Verdict {
    // SAFETY: both are new.
    unsafe { compare_blocks(control.run(), malloc_ex::RUST(size, zero_free), 0) }
}

pub(super) unsafe fn shadow_zero_malloc(size: UINT, control: Control<'_, *mut c_void>) -> Verdict {
    // SAFETY: both are new.
    unsafe { compare_blocks(control.run(), zero_malloc::RUST(size), size) }
}

pub(super) unsafe fn shadow_zero_malloc_ex(size: UINT, zero_free: bool_, control: Control<'_, *mut c_void>) -> Verdict {
    // SAFETY: both are new.
    unsafe { compare_blocks(control.run(), zero_malloc_ex::RUST(size, zero_free), size) }
}

pub(super) unsafe fn shadow_clone(addr: *mut c_void, size: UINT, control: Control<'_, *mut c_void>) -> Verdict {
    // SAFETY: the caller's, and both blocks are new.
    unsafe { compare_blocks(control.run(), clone::RUST(addr, size), size) }
}

pub(super) unsafe fn shadow_add_head(
    src: *mut c_void,
    src_size: UINT,
    head: *mut c_void,
    head_size: UINT,
    control: Control<'_, *mut c_void>,
) -> Verdict {
    // SAFETY: the caller's, and both blocks are new.
    unsafe {
        let size = src_size.saturating_add(head_size);
        compare_blocks(control.run(), add_head::RUST(src, src_size, head, head_size), size)
    }
}

/// Compares what C writes to `size` bytes at `dst` with what Rust writes to a copy of them. Rust comes first, since C may
/// overwrite what both read.
///
/// # Safety
/// `dst` is null or has `size` bytes, and `rust` writes to as many.
unsafe fn compare_writes(
    dst: *mut c_void,
    size: UINT,
    control: Control<'_, ()>,
    rust: impl FnOnce(*mut c_void),
) -> Verdict {
    // SAFETY: the caller's.
    unsafe {
        let mut candidate = memory::view(dst, size).to_vec();
        rust(if dst.is_null() { dst } else { candidate.as_mut_ptr().cast() });
        control.run();
        compare_bytes(memory::view(dst, size), &candidate)
    }
}

pub(super) unsafe fn shadow_copy(dst: *mut c_void, src: *mut c_void, size: UINT, control: Control<'_, ()>) -> Verdict {
    // SAFETY: the caller's.
    unsafe { compare_writes(dst, size, control, |dst| copy::RUST(dst, src, size)) }
}

pub(super) unsafe fn shadow_move(dst: *mut c_void, src: *mut c_void, size: UINT, control: Control<'_, ()>) -> Verdict {
    // SAFETY: the caller's.
    unsafe { compare_writes(dst, size, control, |dst| move_memory::RUST(dst, src, size)) }
}

pub(super) unsafe fn shadow_zero(addr: *mut c_void, size: UINT, control: Control<'_, ()>) -> Verdict {
    // SAFETY: the caller's.
    unsafe { compare_writes(addr, size, control, |addr| zero::RUST(addr, size)) }
}

pub(super) unsafe fn shadow_xor_data(
    dst: *mut c_void,
    src1: *mut c_void,
    src2: *mut c_void,
    size: UINT,
    control: Control<'_, ()>,
) -> Verdict {
    // SAFETY: the caller's.
    unsafe { compare_writes(dst, size, control, |dst| xor_data::RUST(dst, src1, src2, size)) }
}
