//! The crate `mayaqua` against the C itself: the same steps on both sides, edges first, then random ones from a seed that is
//! printed (`CUTOVER_TEST_SEED=N` repeats them). What is compared here are the C's functions and the safe crate; swaps have
//! tests of their own (`../differential`).
//!
//! `MAYAQUA_PACKS=100000000` makes the run over random PACKs a long one.

// The C calls the swapped functions, which this crate defines.
use swaps as _;

#[allow(dead_code, unused_macros, unused_imports, reason = "the frame of the differential tests is not used here")]
#[path = "../differential/support.rs"]
mod support;

mod buffers;
mod crypto;
mod lists;
mod network;
mod packs;
mod rudp;
mod signatures;
mod strings;
mod tables;
