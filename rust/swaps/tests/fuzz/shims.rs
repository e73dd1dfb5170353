//! Families of shims: a function that the fuzzer chooses, on arguments that its roles draw from the input, on both sides.

use super::support::start;
use swaps::shims::draw::{Draw, Item};

/// One input on both sides.
pub fn run(items: &[Item], input: &[u8]) {
    start();
    let Some((choice, rest)) = input.split_first() else { return };
    let item = items[usize::from(*choice) % items.len()];
    let (c, rust) = ((item.c)(&mut Draw::of(rest)), (item.rust)(&mut Draw::of(rest)));
    assert_eq!(c, rust, "{}", item.name);
}
