//! `Endian32` on both sides.

use crate::support::{Trace, random};
use rand::Rng;
use softether_sys::UINT;
use std::hint::black_box;

both_sides! { endian32: fn Endian32 c_Endian32(src: UINT) -> UINT }

fn body(function: Function) -> Trace {
    let mut random = random();
    let edges = [0, 1, 0xff, 0x100, UINT::MAX - 1, UINT::MAX];
    let inputs = edges.into_iter().chain((0..1000).map(|_| random.random()));
    inputs
        .map(|src| {
            // SAFETY: it takes any number.
            let (once, twice) = unsafe { (function(src), function(function(src))) };
            assert_eq!(twice, src, "its own inverse");
            assert_eq!(once.to_ne_bytes(), src.to_be_bytes(), "network order in memory");
            format!("{src:x} {once:x}")
        })
        .collect()
}

/// One call.
pub fn work(function: Function) -> impl FnMut() {
    move || {
        // SAFETY: it takes any number.
        black_box(unsafe { function(black_box(0x1234)) });
    }
}
