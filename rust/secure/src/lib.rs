//! Memory for secrets, and memory that is used again.
//!
//! | type | for | what it promises |
//! | --- | --- | --- |
//! | [`ZeroingBuffer`] | passwords and messages that hold them | wiped when it grows, shrinks and goes; not shown by `Debug` |
//! | [`Pool`], [`Pooled`] | buffers of one size, again and again | a named limit; wiped before another gets it |
//! | [`Secret`] | keys | pages of its own: not swapped, not in core dumps, not in forked children, guarded on both sides |
//!
//! What none of them can do: keep a secret from somebody who reads this process's memory, or wipe the copies that a caller
//! makes. Comparison in constant time: [`same`].

mod buffer;
mod pool;
mod secret;

pub use buffer::ZeroingBuffer;
pub use pool::{Pool, Pooled};
pub use secret::{Error, Secret};

/// Whether both are the same, in a time that depends on their lengths only.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(a, b).into()
}
