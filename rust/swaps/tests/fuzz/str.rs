//! Strings: the swaps of `Mayaqua/Str.c` and of hashes.

/// One input on both sides.
pub fn run(input: &[u8]) {
    match input.split_first() {
        Some((0..=223, rest)) => super::shims::run(swaps::strings::ITEMS, rest),
        Some((_, rest)) => super::shims::run(swaps::crypto::ITEMS, rest),
        None => {}
    }
}
