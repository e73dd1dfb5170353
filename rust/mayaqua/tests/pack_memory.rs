//! How much memory reading a PACK takes: at most four times its input plus 64 KiB, whatever the input announces
//! (RELIABILITY I6; known difference `pack-memory-bomb`).

use mayaqua::pack::{MAX_ELEMENT_NUM, MAX_VALUE_NUM, MAX_VALUE_SIZE, Pack};
use proptest::prelude::*;

const SLACK: u64 = 64 * 1024;

/// Reads `input` and holds the peak against the bound. What was read is dropped inside.
fn measure(input: &[u8]) -> bool {
    let mut read = false;
    let memory = allocation_counter::measure(|| read = Pack::decode(input).is_ok());
    let bound = 4 * input.len() as u64 + SLACK;
    assert!(
        memory.bytes_max <= bound,
        "{} bytes for an input of {}; the bound is {bound}",
        memory.bytes_max,
        input.len()
    );
    read
}

fn int(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend(value.to_be_bytes());
}

/// `elements` elements of `values` values each, `value` for every one of them.
fn message(elements: u32, value_type: u32, values: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    int(&mut bytes, elements);
    for number in 0..elements {
        let name = format!("{number:x}");
        int(&mut bytes, u32::try_from(name.len()).unwrap() + 1);
        bytes.extend(name.bytes());
        int(&mut bytes, value_type);
        int(&mut bytes, values);
        (0..values).for_each(|_| bytes.extend(value));
    }
    bytes
}

#[test]
fn the_most_elements_with_the_smallest_values() {
    for (value_type, value) in [(0, &[0; 4][..]), (1, &[0; 4]), (2, &[0; 4]), (3, &[0, 0, 0, 1, 0]), (4, &[0; 8])] {
        assert!(measure(&message(20_000, value_type, 1, value)));
        assert!(measure(&message(1, value_type, MAX_VALUE_NUM, value)));
        assert!(measure(&message(1000, value_type, 3, value)));
    }
    assert!(measure(&message(MAX_ELEMENT_NUM, 0, 1, &[0; 4])));
}

#[test]
fn large_values() {
    let mut value = 10_000_000u32.to_be_bytes().to_vec();
    value.resize(value.len() + 10_000_000, b'\xc3');
    for value_type in 1..=3 {
        assert!(measure(&message(1, value_type, 2, &value)));
    }
}

#[test]
fn announced_and_not_there() {
    for count in [MAX_ELEMENT_NUM, MAX_ELEMENT_NUM + 1, u32::MAX] {
        let mut bytes = message(1, 0, 1, &[0; 4]);
        bytes[..4].copy_from_slice(&count.to_be_bytes());
        assert!(!measure(&bytes));
    }
    for count in [MAX_VALUE_NUM, MAX_VALUE_NUM + 1, u32::MAX] {
        for value_type in 0..=5 {
            let mut bytes = message(1, value_type, 0, &[]);
            let end = bytes.len() - 4;
            bytes[end..].copy_from_slice(&count.to_be_bytes());
            assert!(!measure(&bytes));
            bytes.resize(bytes.len() + 1000, 0);
            assert!(!measure(&bytes));
        }
    }
    for size in [1, MAX_VALUE_SIZE, MAX_VALUE_SIZE + 1, u32::MAX] {
        for value_type in 1..=3 {
            assert!(!measure(&message(1, value_type, 1, &size.to_be_bytes())));
        }
    }
}

/// The measure itself: a bound that could not be broken would show nothing.
#[test]
fn the_measure_sees_what_is_taken() {
    let memory = allocation_counter::measure(|| drop(std::hint::black_box(vec![0u8; 1 << 20])));
    assert_eq!(memory.bytes_max, 1 << 20);
}

proptest! {
    #[test]
    fn anything(bytes in prop::collection::vec(prop_oneof![4 => Just(0u8), 2 => 0..6u8, 1 => any::<u8>()], 0..400)) {
        measure(&bytes);
    }
}
