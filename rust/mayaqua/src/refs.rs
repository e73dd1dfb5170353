//! The reference count of `Mayaqua/Object.c`, for what C code counts. Rust code has `Arc`.

use crate::counter::Counter;

/// A number of owners, one at first (C: `REF`).
#[derive(Debug)]
pub struct Ref(Counter);

impl Default for Ref {
    fn default() -> Self {
        Self::new()
    }
}

impl Ref {
    /// One owner (C: `NewRef`, Mayaqua/Object.c).
    #[must_use]
    pub fn new() -> Self {
        let counter = Counter::new();
        counter.inc();
        Self(counter)
    }

    /// One owner more; how many there are (C: `AddRef`, Mayaqua/Object.c).
    pub fn add_ref(&self) -> u32 {
        self.0.inc()
    }

    /// One owner less; how many there are, 0 if it was the last, who frees what was counted
    /// (C: `Release`, Mayaqua/Object.c, which also frees the count).
    pub fn release(&self) -> u32 {
        self.0.dec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_owner_sees_zero() {
        let owners = Ref::new();
        assert_eq!((owners.add_ref(), owners.release(), owners.release(), owners.release()), (2, 1, 0, 0));
    }
}
