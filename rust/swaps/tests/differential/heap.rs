//! The swaps on memory on both sides, and what one iteration of their benchmarks does.

use std::ffi::c_void;
use std::hint::black_box;
use swaps::heap::{Api, sequence};

family_tests! { Api, sequence }

/// Room for a frame, alive to the end of the process.
fn frame() -> *mut c_void {
    // SAFETY: memory may be taken at any time.
    unsafe { (Api::C.zero_malloc)(1514) }
}

works! {
    malloc(f) {} { (Api::C.free)(f(1514)) }
    malloc_ex(f) {} { (Api::C.free)(f(1514, 1)) }
    zero_malloc(f) {} { (Api::C.free)(f(1514)) }
    zero_malloc_ex(f) {} { (Api::C.free)(f(1514, 0)) }
    re_alloc(f) { let mut block = frame(); let mut size = 1514; } { size ^= 64; block = f(block, size) }
    free(f) {} { f((Api::C.malloc)(1514)) }
    free_safe(f) {} { let mut block = (Api::C.malloc)(1514); f(&raw mut block) }
    get_mem_size(f) { let block = frame(); } { f(black_box(block)) }
    clone(f) { let block = frame(); } { (Api::C.free)(f(block, 1514)) }
    add_head(f) { let block = frame(); } { (Api::C.free)(f(block, 1500, block, 14)) }
    copy(f) { let (to, from) = (frame(), frame()); } { f(to, black_box(from), 1514) }
    move_memory(f) { let block = frame(); } { f(block, black_box(block).byte_add(14), 1500) }
    zero(f) { let block = frame(); } { f(black_box(block), 1514) }
    cmp(f) { let (one, other) = (frame(), frame()); } { f(one, black_box(other), 1514) }
    is_zero(f) { let block = frame(); } { f(black_box(block), 1514) }
    xor_data(f) { let (to, one, other) = (frame(), frame(), frame()); } { f(to, one, other, 1514) }
    swap16(f) {} { f(black_box(0x1234)) }
    swap32(f) {} { f(black_box(0x1234)) }
    swap64(f) {} { f(black_box(0x1234)) }
}

/// Known difference `malloc-wraps`: the C's block for a size near 2^32 is a few bytes, since the tag makes the size wrap.
#[cfg(test)]
#[test]
fn a_size_near_2_to_the_32_is_that_size_or_a_few_bytes() {
    assert!(crate::support::is_known_difference("malloc-wraps"));
    crate::support::start();
    unsafe extern "C" {
        fn malloc_usable_size(block: *mut c_void) -> usize;
    }
    const SIZE: u32 = u32::MAX - 7;
    // SAFETY: both blocks are whole and freed by the side that made them; nothing is written to the C's.
    unsafe {
        let tag = size_of::<softether_sys::MEMTAG>();
        let (c, rust) = ((Api::C.malloc)(SIZE), (Api::RUST.malloc)(SIZE));
        assert_eq!(((Api::C.get_mem_size)(c), (Api::C.get_mem_size)(rust)), (SIZE, SIZE));
        assert!(malloc_usable_size(c.byte_sub(tag)) < 100, "the C has changed");
        assert!(malloc_usable_size(rust.byte_sub(tag)) >= SIZE as usize + tag);
        rust.cast::<u8>().add(SIZE as usize - 1).write(1);
        (Api::C.free)(c);
        (Api::RUST.free)(rust);
    }
}
