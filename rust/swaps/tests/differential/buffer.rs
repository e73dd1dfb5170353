//! The swaps on BUF on both sides, and what one iteration of their benchmarks does.

use softether_sys::BUF;
use std::hint::black_box;
use swaps::buffer::{Api, sequence};

family_tests! { Api, sequence }

/// A buffer with 64 KiB in it, alive to the end of the process.
fn full() -> *mut BUF {
    let mut bytes = vec![0x5a_u8; 1 << 16];
    // SAFETY: the bytes have the size that is said.
    unsafe { (Api::C.mem_to_buf)(bytes.as_mut_ptr().cast(), 1 << 16) }
}

works! {
    new_buf(f) {} { (Api::C.free_buf)(f()) }
    free_buf(f) {} { f((Api::C.new_buf)()) }
    new_buf_from_memory(f) { let mut bytes = [7_u8; 100]; } { (Api::C.free_buf)(f(bytes.as_mut_ptr().cast(), 100)) }
    mem_to_buf(f) { let mut bytes = [7_u8; 100]; } { (Api::C.free_buf)(f(bytes.as_mut_ptr().cast(), 100)) }
    clone_buf(f) { let b = full(); } { (Api::C.free_buf)(f(b)) }
    clear_buf(f) { let b = full(); } { f(b) }
    write_buf(f) { let b = full(); let mut bytes = [7_u8; 1514]; } {
        (*b).Current = 0; f(b, bytes.as_mut_ptr().cast(), 1514)
    }
    write_buf_char(f) { let b = full(); } { (*b).Current = 0; f(b, 1) }
    write_buf_short(f) { let b = full(); } { (*b).Current = 0; f(b, 1) }
    write_buf_int(f) { let b = full(); } { (*b).Current = 0; f(b, 1) }
    write_buf_int64(f) { let b = full(); } { (*b).Current = 0; f(b, 1) }
    write_buf_str(f) { let b = full(); } { (*b).Current = 0; f(b, c"server_product_name".as_ptr().cast_mut()) }
    append_buf_str(f) { let b = full(); } { (*b).Current = 0; f(b, c"server_product_name".as_ptr().cast_mut()) }
    add_buf_str(f) { let b = full(); } { (*b).Current = 0; f(b, c"server_product_name".as_ptr().cast_mut()) }
    write_buf_buf(f) { let (b, other) = (full(), full()); } { (*b).Current = 0; f(b, other) }
    write_buf_buf_with_offset(f) { let (b, other) = (full(), full()); } { (*b).Current = 0; f(b, other) }
    read_buf(f) { let b = full(); let mut to = [0_u8; 1514]; } { (*b).Current = 0; f(b, to.as_mut_ptr().cast(), 1514) }
    read_buf_char(f) { let b = full(); } { (*b).Current = 0; f(b) }
    read_buf_short(f) { let b = full(); } { (*b).Current = 0; f(b) }
    read_buf_int(f) { let b = full(); } { (*b).Current = 0; f(b) }
    read_buf_int64(f) { let b = full(); } { (*b).Current = 0; f(b) }
    read_buf_str(f) {
        let b = full();
        let mut to = [0; 64];
    } {
        (*b).Buf.cast::<[u8; 4]>().write([0, 0, 0, 20]);
        (*b).Current = 0;
        f(b, to.as_mut_ptr(), 64)
    }
    read_buf_from_buf(f) { let b = full(); } { (*b).Current = 0; (Api::C.free_buf)(f(b, 1514)) }
    read_remain_buf(f) { let b = full(); } { (*b).Current = 0; (Api::C.free_buf)(f(b)) }
    read_buf_remain_size(f) { let b = full(); } { f(black_box(b)) }
    buf_skip_utf8_bom(f) { let b = full(); } { f(b) }
    seek_buf(f) { let b = full(); } { f(b, 7, 1) }
    seek_buf_to_begin(f) { let b = full(); } { f(b) }
    seek_buf_to_end(f) { let b = full(); } { f(b) }
    adjust_buf_size(f) { let b = full(); } { f(b, 100) }
    compare_buf(f) { let (b, other) = (full(), full()); } { f(b, other) }
}

/// The canary: the comparison of two buffers finds what differs.
#[cfg(test)]
#[test]
fn differences_are_found() {
    use swaps::buffer::Buffer;
    use swaps::family::Structure;
    crate::support::start();
    let spoils: [fn(&mut BUF); 4] = [
        |b| b.Size -= 1,
        |b| b.Current += 1,
        |b| b.SizeReserved += 1,
        // SAFETY: a block of 64 KiB.
        |b| unsafe { *b.Buf.cast::<u8>().add(0xffff) ^= 1 },
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        let (one, other) = (full(), full());
        // SAFETY: both are ours, and freed once.
        unsafe {
            let view = Buffer::of(one).expect("a buffer");
            assert_eq!(view.compare(Buffer::of(other).expect("a buffer")), Ok(()));
            spoil(&mut *other);
            assert!(view.compare(Buffer::of(other).expect("a buffer")).is_err(), "difference {number}");
            (Api::C.free_buf)(one);
            (Api::C.free_buf)(other);
        }
    }
}

/// Known difference `buf-self`: what a buffer holds is written behind it, though its block moves.
#[cfg(test)]
#[test]
fn a_buffer_is_written_to_itself() {
    assert!(crate::support::is_known_difference("buf-self"));
    crate::support::start();
    let b = full();
    // SAFETY: the buffer is ours, and holds what it says.
    unsafe {
        (Api::RUST.seek_buf_to_end)(b);
        (Api::RUST.write_buf_buf)(b, b);
        let bytes = std::slice::from_raw_parts((*b).Buf.cast::<u8>(), (*b).Size as usize);
        assert_eq!((bytes.len(), bytes.iter().all(|byte| *byte == 0x5a)), (2 << 16, true));
        (Api::RUST.free_buf)(b);
    }
}
