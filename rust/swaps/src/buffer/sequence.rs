//! The sequence of the swaps on BUF: what their self-tests and differential tests run.

use super::*;

/// Calls the functions in random order on buffers of its own.
pub fn sequence(api: &Api, random: &mut Random, trace: &mut Trace) {
    /// What a buffer is and holds.
    fn seen(b: *const BUF) -> impl std::hash::Hash {
        // SAFETY: null, or a buffer of the sequence.
        unsafe { b.cast::<Buffer>().as_ref() }.map(|b| (b.0.Size, b.0.Current, b.0.SizeReserved, b.bytes()))
    }
    // SAFETY: the buffers are ours and freed once; bytes and places have the sizes that are said; null is allowed.
    unsafe {
        let (mut b, mut other) = ((api.new_buf)(), (api.new_buf)());
        trace.note("new_buf", (seen(b), seen(other)));
        while trace.is_open() {
            let at = if random.below(32) == 0 { ptr::null_mut() } else { b };
            let size = match random.below(8) {
                0 => 0,
                1 => random.below(300),
                2 if random.below(16) == 0 => random.below(INIT_BUF_SIZE * 2),
                _ => random.below(10),
            };
            let number = random.number();
            let mut bytes = random.bytes(size);
            let data = if random.below(32) == 0 { ptr::null_mut() } else { bytes.as_mut_ptr().cast::<c_void>() };
            let mut string = random.bytes(size % 60);
            string.retain(|byte| *byte != 0);
            string.push(0);
            let str = if random.below(32) == 0 { ptr::null_mut() } else { string.as_mut_ptr().cast::<c_char>() };
            macro_rules! step {
                ($name:ident($($arg:expr),*)) => {{
                    let gave = (api.$name)($($arg),*);
                    trace.note(stringify!($name), (gave, seen(b), seen(other)));
                }};
                // What was made takes the other's place.
                ($name:ident($($arg:expr),*) makes) => {{
                    let made = (api.$name)($($arg),*);
                    trace.note(stringify!($name), (seen(made), seen(b)));
                    if !made.is_null() {
                        (api.free_buf)(std::mem::replace(&mut other, made));
                        trace.note("free_buf", seen(other));
                    }
                }};
            }
            match random.step(36) {
                0 => step!(new_buf() makes),
                1 => step!(new_buf_from_memory(data, size) makes),
                2 => step!(mem_to_buf(data, size) makes),
                3 => step!(clone_buf(at) makes),
                4 => step!(clear_buf(at)),
                5..8 => step!(write_buf(at, data, size)),
                8 => step!(write_buf_char(at, number as u8)),
                9 => step!(write_buf_short(at, number as u16)),
                10 => step!(write_buf_int(at, number as u32)),
                11 => step!(write_buf_int64(at, number)),
                12 => step!(write_buf_str(at, str)),
                13 => step!(append_buf_str(at, str)),
                14 => step!(add_buf_str(at, str)),
                15 if (*b).Size < 1 << 15 => step!(write_buf_buf(at, other)),
                16 if (*b).Size < 1 << 15 => step!(write_buf_buf_with_offset(at, other)),
                17 => {
                    let read = (api.read_buf)(at, data, size);
                    trace.note("read_buf", (read, &bytes, seen(b)));
                }
                18 => step!(read_buf_char(at)),
                19 => step!(read_buf_short(at)),
                20 => step!(read_buf_int(at)),
                21 => step!(read_buf_int64(at)),
                22 => {
                    // Often a length that fits is there.
                    if random.below(2) == 0 {
                        (api.seek_buf)(b, random.below(3), -1);
                        (api.write_buf_str)(b, string.as_mut_ptr().cast());
                        (api.seek_buf)(b, memory::index(string.len()) + 3, -1);
                    }
                    let mut place = [0xa5_u8; 40];
                    let read = (api.read_buf_str)(at, place.as_mut_ptr().cast(), size % 40);
                    trace.note("read_buf_str", (read, place, seen(b)));
                }
                23 => step!(read_buf_from_buf(at, size) makes),
                24 => step!(read_remain_buf(at) makes),
                25 => step!(read_buf_remain_size(at)),
                26 => {
                    if random.below(2) == 0 {
                        (api.seek_buf_to_begin)(b);
                        (api.write_buf)(b, [0xef_u8, 0xbb, 0xbf, 0x41].as_mut_ptr().cast(), 4);
                    }
                    step!(buf_skip_utf8_bom(at));
                }
                27..30 => step!(seek_buf(
                    at,
                    [size, number as u32][usize::from(random.below(16) == 0)],
                    random.below(3) as c_int - 1
                )),
                30 => step!(seek_buf_to_begin(at)),
                31 => step!(seek_buf_to_end(at)),
                32 => step!(adjust_buf_size(at, size)),
                33 => step!(compare_buf(at, other)),
                34 => {
                    let same = (api.clone_buf)(b);
                    trace.note(
                        "compare_buf",
                        ((api.compare_buf)(b, same), (api.compare_buf)(ptr::null_mut(), ptr::null_mut())),
                    );
                    (api.free_buf)(same);
                }
                _ => std::mem::swap(&mut b, &mut other),
            }
        }
        (api.free_buf)(b);
        (api.free_buf)(other);
        (api.free_buf)(ptr::null_mut());
    }
}
