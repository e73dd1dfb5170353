//! The sequence of the swaps on memory: what their self-tests and differential tests run.

use super::*;

/// Calls the functions in random order on blocks of its own.
pub fn sequence(api: &Api, random: &mut Random, trace: &mut Trace) {
    /// What a block is and holds.
    unsafe fn seen(block: *mut c_void) -> impl std::hash::Hash {
        // SAFETY: a block of the sequence whose bytes were all written.
        unsafe {
            tag_of(block).map(|tag| ((*tag).Size, (*tag).ZeroFree, (*tag).Padding, memory::view(block, (*tag).Size)))
        }
    }
    // SAFETY: the blocks are ours and freed once, bytes have the sizes that are said, null is allowed.
    unsafe {
        let mut blocks = [ptr::null_mut::<c_void>(); 8];
        while trace.is_open() {
            let place = random.below(8) as usize;
            let block = blocks[place];
            let size = if random.below(64) == 0 { random.below(1 << 17) } else { random.below(200) };
            let number = random.number();
            let mut bytes = random.bytes(size.min(300));
            let mut others = random.bytes(size.min(300));
            let common = random.below(memory::index(bytes.len()) + 1);
            others[..common as usize].copy_from_slice(&bytes[..common as usize]);
            let mut or_null = |bytes: &mut Vec<u8>| match random.step(32) {
                0 => ptr::null_mut(),
                _ => bytes.as_mut_ptr().cast::<c_void>(),
            };
            let (one, other) = (or_null(&mut bytes), or_null(&mut others));
            let few = size.min(300);
            let mut make = |name, made: *mut c_void, is_written: bool| {
                if !is_written {
                    made.cast::<u8>().write_bytes(number as u8, size as usize);
                }
                trace.note(name, seen(made));
                (api.free)(std::mem::replace(&mut blocks[place], made));
                trace.note("free", ());
            };
            match random.below(32) {
                0 | 1 => make("malloc", (api.malloc)(size), false),
                2 => make("malloc_ex", (api.malloc_ex)(size, number as u32 & 1), false),
                3 | 4 => make("zero_malloc", (api.zero_malloc)(size), true),
                5 => make("zero_malloc_ex", (api.zero_malloc_ex)(size, number as u32 & 1), true),
                6 => make("clone", (api.clone)(one, few), true),
                7 => make("add_head", (api.add_head)(one, few, other, few / 2), true),
                8..13 => {
                    let before = (api.get_mem_size)(block);
                    let moved = (api.re_alloc)(block, size);
                    blocks[place] = moved;
                    // What is new has no value yet.
                    if !moved.is_null() && size > before {
                        moved.cast::<u8>().add(before as usize).write_bytes(number as u8, (size - before) as usize);
                    }
                    trace.note("get_mem_size", before);
                    trace.note("re_alloc", seen(moved));
                }
                13 => {
                    (api.free_safe)(&raw mut blocks[place]);
                    trace.note("free_safe", blocks[place].is_null());
                }
                14 => trace.note("get_mem_size", (api.get_mem_size)(block)),
                15..18 => {
                    (api.copy)(one, other, few);
                    trace.note("copy", &bytes);
                }
                18 | 19 => {
                    let from = common as usize / 2;
                    (api.move_memory)(one, bytes.as_mut_ptr().add(from).cast(), few - from as u32);
                    trace.note("move_memory", &bytes);
                }
                20..23 => {
                    (api.zero)(one, common);
                    trace.note("zero", &bytes);
                }
                23 | 24 => trace.note("cmp", ((api.cmp)(one, other, few).signum(), (api.cmp)(one, other, common))),
                25 => {
                    (api.zero)(one, common);
                    trace.note("is_zero", ((api.is_zero)(one, few), (api.is_zero)(one, common)));
                }
                26 | 27 => {
                    (api.xor_data)(one, [one, other][number as usize & 1], other, few);
                    trace.note("xor_data", &bytes);
                }
                28 => trace.note("swap16", (api.swap16)(number as u16)),
                29 => trace.note("swap32", (api.swap32)(number as u32)),
                30 => trace.note("swap64", (api.swap64)(number)),
                _ => trace.note("swap64", (api.swap64)(u64::MAX - 1)),
            }
        }
        for block in blocks {
            (api.free)(block);
        }
        (api.free)(ptr::null_mut());
    }
}
