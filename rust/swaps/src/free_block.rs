//! `FreeBlock`: frees a BLOCK and the buffer it owns.
//!
//! Ownership: block and buffer are gone afterwards. No locks are held or taken.

use crate::memory;
use softether_sys::BLOCK;

switch::swap! {
    /// Frees a BLOCK and its buffer (C: `FreeBlock`, Cedar/Connection.c). Null is ignored.
    pub unsafe extern "C" fn FreeBlock(b: *mut BLOCK);
    swap: crate::FREE_BLOCK,
    signature: softether_sys::FreeBlock,
    c: c_FreeBlock,
    contract: effect(()),
    rust: rust,
    self_test: self_test,
}

/// The Rust side.
///
/// # Safety
/// `b` is null or a block that is used no more.
pub unsafe fn rust(b: *mut BLOCK) {
    if b.is_null() {
        return;
    }
    // SAFETY: the caller's; a block owns its buffer, and both are Mayaqua memory.
    unsafe {
        memory::free((*b).Buf.cast());
        memory::free(b.cast());
    }
}

/// Frees null, a block without and a block with a buffer: Mayaqua's canaries end the process at a wrong free.
fn self_test() -> Result<(), String> {
    for buffer in [std::ptr::null_mut(), memory::malloc(1)] {
        let block = memory::malloc(memory::index(size_of::<BLOCK>())).cast::<BLOCK>();
        // SAFETY: new memory of a block's size, all of whose members may be zero.
        unsafe {
            block.write_bytes(0, 1);
            (*block).Buf = buffer.cast();
            rust(block);
        }
    }
    // SAFETY: null is ignored.
    unsafe { rust(std::ptr::null_mut()) };
    Ok(())
}
