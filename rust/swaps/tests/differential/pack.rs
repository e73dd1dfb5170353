//! The swaps of `Mayaqua/Pack.c` on both sides.

both_sides_of! {
    compare_pack_name get_element is_element pack_get_index_count pack_get_int pack_get_int_ex pack_get_bool
    pack_get_bool_ex pack_get_int64 pack_get_int64_ex pack_get_data_size pack_get_data_size_ex pack_get_data
    pack_get_data2 pack_get_data_ex2 pack_get_str pack_get_str_ex pack_get_uni_str pack_get_uni_str_ex pack_cmp_str
    new_int_value new_int64_value new_data_value new_str_value buf_to_pack
}

use softether_sys as sys;

/// A message of one element `x` of a type and a number of values.
fn announcing(value_type: u8, values: u32, rest: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 1, 0, 0, 0, 2, b'x', 0, 0, 0, value_type][..], &values.to_be_bytes(), rest].concat()
}

/// Reads a message, and says whether it was taken.
#[cfg(buf_to_pack)]
fn is_taken(message: &[u8], function: buf_to_pack::Function) -> bool {
    crate::support::start();
    // SAFETY: the BUF and the PACK are this function's.
    unsafe {
        let buf = sys::NewBufFromMemory(message.as_ptr().cast_mut().cast(), message.len() as sys::UINT);
        let pack = function(buf);
        sys::FreeBuf(buf);
        sys::FreePack(pack);
        !pack.is_null()
    }
}

/// RELIABILITY I6: `pack-memory-bomb`, `pack-truncated`, `pack-unknown-type`, `pack-value-too-large`, `pack-nul-inside` and
/// `pack-name-length` through the function that the client calls on what a server sends. C takes each.
#[test]
#[cfg(buf_to_pack)]
fn what_a_server_announces_must_be_there() {
    let long_name = [&[0, 0, 0, 1, 0, 0, 0, 101][..], &[b'n'; 100], &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7]].concat();
    for (id, message) in [
        ("pack-memory-bomb", announcing(9, 262_144, &[])),
        ("pack-truncated", announcing(0, 1, &[0, 0])),
        ("pack-unknown-type", announcing(9, 3, &[])),
        ("pack-value-too-large", announcing(1, 1, &[0xff; 8])),
        ("pack-nul-inside", announcing(2, 1, &[0, 0, 0, 3, b'a', 0, b'b'])),
        ("pack-name-length", long_name),
    ] {
        assert!(crate::support::is_known_difference(id), "{id} is not in the list");
        assert!(is_taken(&message, buf_to_pack::C), "the C does not show {id}");
        assert!(!is_taken(&message, buf_to_pack::RUST), "Rust does not refuse {id}");
    }
    // What C refuses too, and lengths that wrap, which C must not be asked: it would read before its memory.
    for message in [
        announcing(0, 262_145, &[]),
        announcing(0, u32::MAX, &[]),
        vec![0xff; 4],
        [&[0, 0, 0, 1][..], &[0xff; 4], &[0; 64]].concat(),
        [&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xf0][..], &[b'n'; 64]].concat(),
        announcing(2, 1, &[0xff; 4]),
        announcing(3, 1, &[0xff; 4]),
    ] {
        assert!(!is_taken(&message, buf_to_pack::RUST), "{}", message.escape_ascii());
    }
}
