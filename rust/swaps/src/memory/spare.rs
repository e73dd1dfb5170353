//! Memory for what a comparison needs (a copy of a FIFO, of a frame; a place to read to), kept by the thread from one comparison
//! to the next. What is in it is not kept.
//!
//! A FIFO under load has a block of some hundred KB. For the C library a request of that size is no small matter (it first
//! joins all small pieces that were freed), and costs the other requests of the client, too: in a profile of comparing it was
//! a third of all.

use super::{free, index, malloc};
use softether_sys::{MEMTAG, MEMTAG_MAGIC};
use std::cell::RefCell;
use std::ffi::c_void;

/// Blocks per thread: a comparison takes two, and one within it as many.
const BLOCKS_MAX: usize = 4;

/// Larger blocks are not kept, in bytes.
const BLOCK_SIZE_MAX: u32 = 4 << 20;

thread_local! {
    /// The last one given back is the next one taken.
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// A block of Mayaqua memory of at least the size that was asked for.
#[derive(Debug)]
pub struct Block {
    memory: *mut c_void,
    size: u32,
}

impl Block {
    /// A block that holds anything.
    pub fn of(size: u32) -> Self {
        let kept = BLOCKS.try_with(|blocks| blocks.borrow_mut().pop()).ok().flatten();
        kept.filter(|block| block.size >= size).unwrap_or_else(|| Self { memory: malloc(size), size })
    }

    /// A block that begins with these bytes.
    pub fn holding(bytes: &[u8]) -> Self {
        let block = Self::of(index(bytes.len()));
        // SAFETY: it has room for them, and is nobody else's.
        unsafe { block.memory.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        block
    }

    /// Its memory, which whoever gets it may also free or have moved; [`Block::give_back`] says what became of it.
    pub fn memory(&self) -> *mut c_void {
        self.memory
    }

    /// Keeps what has become of the block: `memory`, which may have moved and have another size. What is no whole block any
    /// more is freed, and if it was freed already that ends the process here, as it would without this file.
    ///
    /// # Safety
    /// `memory` is Mayaqua memory, or null, and used no more.
    pub unsafe fn give_back(self, memory: *mut c_void) {
        // Whose memory this was, `memory` is what came of it.
        std::mem::forget(self);
        let tag = memory.cast::<MEMTAG>().wrapping_sub(1);
        // SAFETY: in front of Mayaqua memory is its tag.
        if memory.is_null() || unsafe { (*tag).Magic } != MEMTAG_MAGIC {
            // SAFETY: the caller's.
            return unsafe { free(memory) };
        }
        // SAFETY: as above.
        let block = Self { memory, size: unsafe { (*tag).Size } };
        if block.size > BLOCK_SIZE_MAX {
            return;
        }
        // In a thread that is ending, and where there are enough, it is dropped here.
        let _ = BLOCKS.try_with(|blocks| {
            let mut blocks = blocks.borrow_mut();
            if blocks.len() < BLOCKS_MAX {
                blocks.push(block);
            }
        });
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: nobody else has it.
        unsafe { free(self.memory) };
    }
}
