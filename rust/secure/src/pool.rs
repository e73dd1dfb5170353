//! Buffers of one size that are used again instead of allocated again.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroize;

/// Buffers of one size; at most `limit` of them wait for use. Clones share them.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<Vec<Box<[u8]>>>,
    size: usize,
    limit: usize,
}

/// A buffer of a pool: zeros at first; it goes back, wiped, when it is dropped.
pub struct Pooled {
    bytes: Box<[u8]>,
    shared: Arc<Shared>,
}

impl Pool {
    /// A pool of buffers of `size` bytes, of which at most `limit` wait; the others are given back to the system.
    #[must_use]
    pub fn new(size: usize, limit: usize) -> Self {
        Self { shared: Arc::new(Shared { waiting: Mutex::new(Vec::with_capacity(limit)), size, limit }) }
    }

    /// A buffer of zeros: one that waits, or a new one.
    #[must_use]
    pub fn take(&self) -> Pooled {
        let waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = waiting.unwrap_or_else(|| vec![0; self.shared.size].into_boxed_slice());
        Pooled { bytes, shared: Arc::clone(&self.shared) }
    }

    /// Number of buffers that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.bytes.zeroize();
        let bytes = std::mem::take(&mut self.bytes);
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < self.shared.limit {
            waiting.push(bytes);
        }
    }
}

impl Deref for Pooled {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl fmt::Debug for Pooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pooled({} bytes)", self.bytes.len())
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} bytes each, {} of at most {} waiting)", self.shared.size, self.waiting(), self.shared.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_wiped_and_no_more_wait_than_may() {
        let pool = Pool::new(4, 2);
        let mut buffers = [pool.take(), pool.take(), pool.take()];
        buffers[0].copy_from_slice(b"abcd");
        let place = buffers[0].as_ptr();
        drop(buffers);
        assert_eq!(pool.waiting(), 2);
        let taken = [pool.take(), pool.take()];
        assert!(taken.iter().all(|buffer| buffer[..] == [0; 4]));
        assert!(taken.iter().any(|buffer| buffer.as_ptr() == place), "the block itself is used again");
        assert_eq!((pool.waiting(), pool.take().len()), (0, 4));
    }

    #[test]
    fn threads_share_a_pool() {
        let pool = Pool::new(64, 8);
        std::thread::scope(|scope| {
            for fill in 1..5u8 {
                let pool = pool.clone();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        let mut buffer = pool.take();
                        assert!(buffer.iter().all(|byte| *byte == 0));
                        buffer.fill(fill);
                    }
                });
            }
        });
        assert!(pool.waiting() <= 8);
    }
}
