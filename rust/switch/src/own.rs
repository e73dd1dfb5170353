//! Where a thread keeps its block of counters: a word that every dispatched call reads. What is in the block is in
//! `counters.rs`.
//!
//! On x86-64 Linux the word is declared and read by assembly. Code for a static library cannot know that it will end in a
//! program, so `thread_local!` is a call of `__tls_get_addr` there. The linker takes the call out again, but not what
//! the compiler did for its sake: registers saved and arguments moved, which is more than all else that a dispatcher does.
//! C says `tls_model("initial-exec")`; stable Rust has no word for it.

use crate::counters::Block;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod word {
    use super::Block;
    use std::arch::{asm, global_asm};

    // Eight bytes in each thread, which begin as null.
    global_asm!(
        ".pushsection .tbss.switch_own_block, \"awT\", @nobits",
        ".p2align 3",
        ".globl switch_own_block",
        ".hidden switch_own_block",
        ".type switch_own_block, @object",
        ".size switch_own_block, 8",
        "switch_own_block:",
        ".zero 8",
        ".popsection",
    );

    #[inline(always)]
    pub fn get() -> Option<&'static Block> {
        let block: *const Block;
        // SAFETY: the linker puts the word's offset from the thread's own address where the first instruction reads it;
        // both only load. What was stored by `set` is null or lives for good.
        unsafe {
            asm!(
                "mov {block}, qword ptr [rip + switch_own_block@GOTTPOFF]",
                "mov {block}, qword ptr fs:[{block}]",
                block = out(reg) block,
                options(pure, readonly, nostack, preserves_flags),
            );
            block.as_ref()
        }
    }

    pub fn set(block: Option<&'static Block>) {
        let block = block.map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: as above; the word is eight bytes, and this thread's alone.
        unsafe {
            asm!(
                "mov {place}, qword ptr [rip + switch_own_block@GOTTPOFF]",
                "mov qword ptr fs:[{place}], {block}",
                place = out(reg) _,
                block = in(reg) block,
                options(nostack, preserves_flags),
            );
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod word {
    use super::Block;
    use std::cell::Cell;

    thread_local! {
        /// No destructor, so reading it is always allowed.
        static BLOCK: Cell<Option<&'static Block>> = const { Cell::new(None) };
    }

    #[inline(always)]
    pub fn get() -> Option<&'static Block> {
        BLOCK.get()
    }

    pub fn set(block: Option<&'static Block>) {
        BLOCK.set(block);
    }
}

/// This thread's block; `None` before its first swapped call and after its end. Allowed at any time.
#[inline(always)]
pub(crate) fn block() -> Option<&'static Block> {
    word::get()
}

/// Gives this thread a block, or takes it.
pub(crate) fn set_block(block: Option<&'static Block>) {
    word::set(block);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each thread begins without a block, keeps its own, and ends without changing another's.
    #[test]
    fn every_thread_has_its_own() {
        let leaked = || -> &'static Block { Box::leak(Box::new(Block::new(0))) };
        let hold = |own: &'static Block| {
            assert!(block().is_none());
            set_block(Some(own));
            std::thread::yield_now();
            assert!(std::ptr::eq(block().expect("a block"), own));
        };
        std::thread::scope(|scope| {
            let here = scope.spawn(move || {
                let own = leaked();
                hold(own);
                std::thread::scope(|scope| {
                    (0..8).for_each(|_| drop(scope.spawn(move || hold(leaked()))));
                });
                assert!(std::ptr::eq(block().expect("a block"), own));
                set_block(None);
                assert!(block().is_none());
            });
            here.join().expect("the thread's checks");
        });
    }
}
