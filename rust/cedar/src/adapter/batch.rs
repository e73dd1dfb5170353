//! Many frames in one piece of memory ([`FrameBatch`], [`Frames`]) and a bounded pool of such batches for threads that
//! pass them on ([`BatchPool`]). Nothing here allocates after construction.
#![forbid(unsafe_code)]

use std::mem;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

/// Where one frame stands in a batch's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Span {
    /// A frame in memory of less than 4 GiB; beyond that it is cut out of nothing.
    #[inline]
    #[must_use]
    pub fn new(start: usize, len: usize) -> Span {
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Span { start: narrow(start), len: narrow(len) }
    }

    fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start.saturating_add(self.len as usize)
    }
}

/// A borrowed batch: frames anywhere in one piece of memory, in order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Frames<'a> {
    /// The frames that `spans` cut out of `bytes`. A span outside of `bytes` is an empty frame.
    pub fn new(bytes: &'a [u8], spans: &'a [Span]) -> Frames<'a> {
        Frames { bytes, spans }
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Frame number `index`; empty when there is none.
    #[inline]
    pub fn frame(&self, index: usize) -> &'a [u8] {
        self.spans.get(index).and_then(|span| self.bytes.get(span.range())).unwrap_or(&[])
    }

    /// The frames in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let frames = *self;
        (0..frames.len()).map(move |index| frames.frame(index))
    }

    /// The batch in parts of at most `frames_max` frames.
    pub fn chunks(&self, frames_max: usize) -> impl Iterator<Item = Frames<'a>> + use<'a> {
        let bytes = self.bytes;
        self.spans.chunks(frames_max.max(1)).map(move |spans| Frames { bytes, spans })
    }
}

/// An owned batch of bounded size.
#[derive(Debug, Default)]
pub struct FrameBatch {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    bytes_max: usize,
    frames_max: usize,
}

impl FrameBatch {
    /// An empty batch for at most `frames_max` frames of together at most `bytes_max` bytes (below 4 GiB).
    pub fn new(frames_max: usize, bytes_max: usize) -> FrameBatch {
        let bytes_max = bytes_max.min(u32::MAX as usize);
        FrameBatch {
            bytes: Vec::with_capacity(bytes_max),
            spans: Vec::with_capacity(frames_max),
            bytes_max,
            frames_max,
        }
    }

    /// Appends a copy of `frame`. `false`: the batch is full and unchanged.
    #[inline]
    #[must_use]
    pub fn push(&mut self, frame: &[u8]) -> bool {
        if !self.has_room(frame.len()) {
            return false;
        }
        let (Ok(start), Ok(len)) = (u32::try_from(self.bytes.len()), u32::try_from(frame.len())) else {
            return false;
        };
        self.bytes.extend_from_slice(frame);
        self.spans.push(Span { start, len });
        true
    }

    /// Whether a frame of `len` bytes fits.
    #[inline]
    pub fn has_room(&self, len: usize) -> bool {
        self.spans.len() < self.frames_max && len <= self.bytes_max - self.bytes.len()
    }

    /// The frames, in the order they were pushed.
    pub fn frames(&self) -> Frames<'_> {
        Frames::new(&self.bytes, &self.spans)
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }
}

/// A fixed number of batches that threads take and give back without a lock.
#[derive(Debug, Clone)]
pub struct BatchPool {
    free: Arc<ArrayQueue<FrameBatch>>,
}

impl BatchPool {
    /// A pool of `batches` batches (at least one), each of the given size.
    pub fn new(batches: usize, frames_max: usize, bytes_max: usize) -> BatchPool {
        let free = ArrayQueue::new(batches.max(1));
        while free.push(FrameBatch::new(frames_max, bytes_max)).is_ok() {}
        BatchPool { free: Arc::new(free) }
    }

    /// An empty batch, or `None` while all are in use: then the caller drops and counts, or waits.
    pub fn take(&self) -> Option<PooledBatch> {
        let batch = self.free.pop()?;
        Some(PooledBatch { batch, home: Arc::clone(&self.free) })
    }

    /// How many batches are free.
    pub fn available(&self) -> usize {
        self.free.len()
    }
}

/// A batch on loan; dropping it empties it and gives it back.
#[derive(Debug)]
pub struct PooledBatch {
    batch: FrameBatch,
    home: Arc<ArrayQueue<FrameBatch>>,
}

impl Deref for PooledBatch {
    type Target = FrameBatch;

    fn deref(&self) -> &FrameBatch {
        &self.batch
    }
}

impl DerefMut for PooledBatch {
    fn deref_mut(&mut self) -> &mut FrameBatch {
        &mut self.batch
    }
}

impl Drop for PooledBatch {
    fn drop(&mut self) {
        let mut batch = mem::take(&mut self.batch);
        batch.clear();
        // The queue has a place for every batch it lent, so this push finds room.
        let _ = self.home.push(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_refuses_what_does_not_fit_and_stays_as_it_was() {
        let mut batch = FrameBatch::new(3, 10);
        assert!(batch.push(b"1234"));
        assert!(!batch.push(b"1234567"), "too many bytes");
        assert!(batch.push(b"123456"));
        assert!(batch.push(b""), "an empty frame fits a full arena");
        assert!(!batch.push(b""), "too many frames");
        let frames: Vec<&[u8]> = batch.frames().iter().collect();
        assert_eq!(frames, [b"1234".as_slice(), b"123456", b""]);
    }

    #[test]
    fn spans_outside_the_bytes_are_empty_frames() {
        let spans = [Span { start: 2, len: 2 }, Span { start: 2, len: 3 }, Span { start: u32::MAX, len: u32::MAX }];
        let frames = Frames::new(b"abcd", &spans);
        assert_eq!(frames.iter().collect::<Vec<_>>(), [b"cd".as_slice(), b"", b""]);
        assert_eq!(frames.frame(3), b"");
        assert_eq!(frames.chunks(2).map(|c| c.len()).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn the_pool_lends_what_it_has_and_takes_it_back_empty() {
        let pool = BatchPool::new(2, 4, 64);
        let mut first = pool.take().unwrap();
        let second = pool.take().unwrap();
        assert!(pool.take().is_none());
        assert!(first.push(b"frame"));
        drop(first);
        assert_eq!(pool.available(), 1);
        assert!(pool.take().unwrap().is_empty());
        drop(second);
        assert_eq!(pool.available(), 2);
    }

    #[test]
    fn a_batch_comes_home_from_another_thread() {
        let pool = BatchPool::new(1, 4, 64);
        let batch = pool.take().unwrap();
        std::thread::spawn(move || drop(batch)).join().unwrap();
        assert_eq!(pool.available(), 1);
    }
}
