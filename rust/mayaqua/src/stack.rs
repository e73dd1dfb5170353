//! The stack of `Mayaqua/Memory.c`: what goes in last comes out first.
//!
//! Not here: the lock and the reference count of the C's stack, and its choice whether to give memory back.

use crate::list::INIT_NUM_RESERVED;

/// A stack of items (C: `SK`).
#[derive(Clone, Debug, Default)]
pub struct Stack<T> {
    items: Vec<T>,
}

/// Number of places when `num_item` are left after a pop (C: `Pop`, Mayaqua/Memory.c): unlike a list's they halve from
/// 64 places on, not only from more.
#[must_use]
pub const fn plan_shrink(num_item: u32, num_reserved: u32) -> u32 {
    let mostly_free = num_item <= num_reserved / 2;
    if mostly_free && num_reserved >= INIT_NUM_RESERVED * 2 { num_reserved / 2 } else { num_reserved }
}

impl<T> Stack<T> {
    /// An empty stack (C: `NewSk`, Mayaqua/Memory.c).
    #[must_use]
    pub const fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// Puts an item on top (C: `Push`, Mayaqua/Memory.c).
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Takes the item on top (C: `Pop`, Mayaqua/Memory.c).
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop()
    }

    /// Number of items (C: `SK.num_item`).
    #[must_use]
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_in_first_out() {
        let mut stack = Stack::new();
        stack.push(1);
        stack.push(2);
        assert_eq!((stack.len(), stack.pop(), stack.pop(), stack.pop()), (2, Some(2), Some(1), None));
        assert!(stack.is_empty());
    }

    #[test]
    fn places_halve_from_64_on() {
        assert_eq!((plan_shrink(32, 64), plan_shrink(33, 64), plan_shrink(0, 32)), (32, 64, 32));
    }
}
