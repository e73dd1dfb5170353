//! The queue of `Mayaqua/Memory.c`: what goes in first comes out first.
//!
//! The C's queue keeps pointers in a FIFO and has no limit; here the limit is the maker's choice.
//! Not here: the lock and the reference count of the C's queue.

use std::collections::VecDeque;

/// A queue of items (C: `QUEUE`).
#[derive(Clone, Debug)]
pub struct Queue<T> {
    items: VecDeque<T>,
    limit: usize,
}

/// The queue has as many items as it may; the one that was to go in comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full")]
pub struct QueueFull<T>(pub T);

impl<T> Queue<T> {
    /// An empty queue of at most `limit` items (C: `NewQueue` and `NewQueueFast`, Mayaqua/Memory.c).
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { items: VecDeque::new(), limit }
    }

    /// Puts an item at the end (C: `InsertQueue`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// [`QueueFull`] with the item.
    pub fn insert(&mut self, item: T) -> Result<(), QueueFull<T>> {
        if self.items.len() >= self.limit {
            return Err(QueueFull(item));
        }
        self.items.push_back(item);
        Ok(())
    }

    /// Takes the item that has waited longest (C: `GetNext`, Mayaqua/Memory.c).
    pub fn get_next(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// Number of items (C: `GetQueueNum`, Mayaqua/Memory.c).
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out_and_full_is_an_answer() {
        let mut queue = Queue::new(2);
        assert_eq!(queue.get_next(), None);
        assert_eq!((queue.insert(1), queue.insert(2), queue.insert(3)), (Ok(()), Ok(()), Err(QueueFull(3))));
        assert_eq!((queue.get_next(), queue.len()), (Some(1), 1));
        assert_eq!(queue.insert(3), Ok(()));
        assert_eq!((queue.get_next(), queue.get_next(), queue.get_next()), (Some(2), Some(3), None));
        assert!(queue.is_empty());
    }
}
