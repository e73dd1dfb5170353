//! The C API of [`mayaqua`]: `mayaqua_ffi.h`, `libmayaqua.a`, `libmayaqua.so`. Usable without SoftEther's C.
//!
//! Every exported function does four things: it checks its arguments, finds the object behind a handle, calls safe code,
//! and turns the result into a [`Status`]. No panic leaves it ([`error::boundary`]), no handle reaches freed memory
//! ([`handle`]), no pointer is read before it was looked at ([`arg`]). What the caller must grant is in each function's
//! `# Safety` and comes down to one thing: pointers and sizes that belong together.

pub mod arg;
pub mod buf;
pub mod error;
pub mod fifo;
pub mod handle;
pub mod library;
pub mod list;
pub mod memory;
pub mod pack;
pub mod pack_values;
pub mod queue;
pub mod sha;
pub mod str;

pub use error::Status;
