//! The C's BLOCK: a frame on its way through a session (C: Cedar/Connection.c).

use super::{free as free_memory, index, malloc, malloc_copy};
use softether_sys::BLOCK;

/// A block that owns a copy of `frame`, which came in `size_of_data` bytes.
pub fn holding(frame: &[u8], size_of_data: u32) -> *mut BLOCK {
    let block = malloc(index(size_of::<BLOCK>())).cast::<BLOCK>();
    let made = BLOCK {
        Compressed: 0,
        Size: index(frame.len()),
        SizeofData: size_of_data,
        Buf: malloc_copy(frame).cast(),
        PriorityQoS: 0,
        Ttl: 0,
        Param1: 0,
        IsFlooding: 0,
        RawFlagRetUdpAccel: 0,
    };
    // SAFETY: new memory of the size and, being Mayaqua's, the alignment of a BLOCK.
    unsafe { block.write(made) };
    block
}

/// Frees a block and its buffer (C: `FreeBlock`).
///
/// # Safety
/// `block` owns its buffer and is used no more.
pub unsafe fn free(block: *mut BLOCK) {
    // SAFETY: the caller's; both are Mayaqua memory.
    unsafe {
        free_memory((*block).Buf.cast());
        free_memory(block.cast());
    }
}
