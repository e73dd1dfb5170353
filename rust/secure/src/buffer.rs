//! A buffer that leaves nothing behind.

use std::fmt;
use zeroize::Zeroize;

/// Bytes that are wiped wherever they were: when the buffer moves to a larger block, when it is cut, when it goes.
#[derive(Default)]
pub struct ZeroingBuffer {
    bytes: Vec<u8>,
}

impl ZeroingBuffer {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An empty buffer that moves at `capacity` bytes at the earliest.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// Takes bytes over without a copy. Blocks that the `Vec` has left before are not wiped.
    #[must_use]
    pub const fn from_vec(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Appends bytes. A block that becomes too small is wiped once its bytes are in the larger one.
    pub fn extend(&mut self, more: &[u8]) {
        let needed = self.bytes.len().saturating_add(more.len());
        if needed > self.bytes.capacity() {
            let capacity = needed.max(self.bytes.capacity().saturating_mul(2));
            let mut larger = Vec::with_capacity(capacity);
            larger.extend_from_slice(&self.bytes);
            std::mem::swap(&mut self.bytes, &mut larger);
            larger.zeroize();
        }
        self.bytes.extend_from_slice(more);
    }

    /// Keeps the first `length` bytes and wipes the others.
    pub fn truncate(&mut self, length: usize) {
        if let Some(cut) = self.bytes.get_mut(length..) {
            cut.zeroize();
            self.bytes.truncate(length);
        }
    }

    /// Wipes all bytes; the block stays for the next.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, to be changed.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Drop for ZeroingBuffer {
    fn drop(&mut self) {
        // All of the block, also what lies behind the last byte.
        self.bytes.zeroize();
    }
}

impl PartialEq for ZeroingBuffer {
    /// In a time that depends on the lengths only.
    fn eq(&self, other: &Self) -> bool {
        crate::same(&self.bytes, &other.bytes)
    }
}

impl Eq for ZeroingBuffer {}

impl fmt::Debug for ZeroingBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZeroingBuffer({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_cutting_and_comparing() {
        let mut buffer = ZeroingBuffer::with_capacity(2);
        for _ in 0..100 {
            buffer.extend(b"secret");
        }
        assert_eq!((buffer.len(), &buffer.as_slice()[594..]), (600, &b"secret"[..]));
        buffer.truncate(6);
        buffer.truncate(7);
        assert_eq!(buffer, ZeroingBuffer::from_vec(b"secret".to_vec()));
        assert_ne!(buffer, ZeroingBuffer::new());
        buffer.as_mut_slice()[0] = b'S';
        assert!(!format!("{buffer:?}").contains("Secret"));
        buffer.clear();
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_is_cut_is_wiped_in_its_place() {
        let mut buffer = ZeroingBuffer::from_vec(b"secret".to_vec());
        buffer.truncate(2);
        // The block is the same, and behind what is left it holds zeros: so far this buffer may grow without moving.
        buffer.bytes.resize(2, 0);
        let block = buffer.bytes.spare_capacity_mut();
        // SAFETY: these four bytes were written before they were cut.
        let behind = unsafe { std::slice::from_raw_parts(block.as_ptr().cast::<u8>(), 4) };
        assert_eq!(behind, [0; 4]);
    }
}
