//! Safe Rust port of SoftEther's Mayaqua: the pure parts, without C types and without I/O.
//!
//! Modules carry the names of the C's own words, so that whoever knows `Mayaqua/Memory.c` finds them:
//! [`buffer`] is `BUF`, [`fifo`] is `FIFO`, [`memory`] the byte-order helpers, [`mod@str`] and [`uni_str`] the strings of
//! `Str.c` and `Internat.c`, [`pack`] the messages of `Pack.c`.
//! Views of C structures and everything that calls C live in the crate `swaps`, not here.

#![forbid(unsafe_code)]

pub mod buffer;
pub mod fifo;
pub mod memory;
pub mod pack;
pub mod str;
pub mod uni_str;
