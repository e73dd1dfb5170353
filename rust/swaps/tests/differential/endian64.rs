//! `Endian64` on both sides.

use crate::support::{Trace, random};
use rand::Rng;
use softether_sys::UINT64;
use std::hint::black_box;

both_sides! { endian64: fn Endian64 c_Endian64(src: UINT64) -> UINT64 }

fn body(function: Function) -> Trace {
    let mut random = random();
    let edges = [0, 1, 0xff, 0x100, UINT64::MAX - 1, UINT64::MAX];
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
