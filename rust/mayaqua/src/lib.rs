//! Safe Rust port of SoftEther's Mayaqua: the pure parts, without C types and without I/O.
//!
//! Modules carry the names of the C's own words, so that whoever knows `Mayaqua/Memory.c` finds them:
//! [`fifo`] is `FIFO` and its functions, [`memory`] the byte-order helpers.
//! Views of C structures and everything that calls C live in the crate `swaps`, not here.

#![forbid(unsafe_code)]

pub mod fifo;
pub mod memory;
