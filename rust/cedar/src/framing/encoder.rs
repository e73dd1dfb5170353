//! The encoder of the data phase: frames in, bytes for the connection out (C: the TCP branch of `ConnectionSend`).
//!
//! 1. A [`Batch`] starts at the beginning of the caller's buffer and leaves room for the number of its frames.
//! 2. Each frame gets its size in front: copied once ([`Batch::push`]), compressed into the buffer
//!    ([`Batch::push_compressed`]), or built there by the caller without any copy ([`Batch::room`], [`Batch::commit`]).
//! 3. [`Batch::finish`] writes the number and says how many bytes to send.
//!
//! [`encode`] and [`encode_vectored`] do this for frames that are there already, after one pass over their lengths.
//! Not here: the choice of the connection, its quota, the queue for frames with priority.

use super::compression::Compressor;
use super::statistics::{DropReason, Statistics};
use super::wire::{KEEP_ALIVE_MAGIC, MAX_BLOCK_SIZE, MAX_PACKET_SIZE, WORD_SIZE, to_usize, word};
use std::io::IoSlice;

/// The caller's buffer is too small; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{needed} bytes of buffer are needed, {available} are there")]
pub struct BufferTooSmall {
    /// Bytes (or slices) that are needed.
    pub needed: usize,
    /// Bytes (or slices) that are there.
    pub available: usize,
}

/// Why a frame did not go into a [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The buffer is full: finish this batch and put the frame into the next.
    #[error("the batch is full")]
    Full,
    /// The frame is longer than [`MAX_PACKET_SIZE`]. It is lost and has been counted.
    #[error("the frame is longer than {MAX_PACKET_SIZE} bytes")]
    Oversize,
}

/// A batch of frames that is being written into a buffer.
#[derive(Debug)]
pub struct Batch<'a> {
    out: &'a mut [u8],
    end: usize,
    count: u32,
    statistics: &'a mut Statistics,
}

impl<'a> Batch<'a> {
    /// An empty batch at the start of `out`. `statistics` is that of the sending direction.
    pub fn new(out: &'a mut [u8], statistics: &'a mut Statistics) -> Self {
        Self { out, end: WORD_SIZE, count: 0, statistics }
    }

    /// Number of frames in the batch.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Copies `frame` behind the others.
    ///
    /// # Errors
    ///
    /// [`PushError`], with the batch unchanged.
    #[inline]
    pub fn push(&mut self, frame: &[u8]) -> Result<(), PushError> {
        self.push_block(frame, frame.len())
    }

    /// Copies the body of a block behind the others: a frame of `size` bytes that may be compressed already, and may
    /// then be empty, which means nothing (C: a `BLOCK` with `Size` and `SizeofData`).
    ///
    /// # Errors
    ///
    /// [`PushError`], with the batch unchanged.
    #[inline]
    pub fn push_block(&mut self, body: &[u8], size: usize) -> Result<(), PushError> {
        self.check_size(size)?;
        let room = self.room();
        let room = room.get_mut(..body.len()).ok_or(PushError::Full)?;
        room.copy_from_slice(body);
        self.append(body.len(), size)
    }

    /// Compresses `frame` behind the others. A frame that does not get smaller may take a few bytes more than its size.
    ///
    /// # Errors
    ///
    /// [`PushError`], with the batch unchanged.
    pub fn push_compressed(&mut self, frame: &[u8], compressor: &mut Compressor) -> Result<(), PushError> {
        self.check_size(frame.len())?;
        match compressor.compress(frame, self.room()) {
            0 => Err(PushError::Full),
            wire_size => self.append(wire_size, frame.len()),
        }
    }

    /// Room for the body of the next frame, at most [`MAX_BLOCK_SIZE`] bytes; empty when the batch is full.
    #[inline]
    pub fn room(&mut self) -> &mut [u8] {
        let free = self.out.get_mut(self.end..).unwrap_or_default();
        let body = free.get_mut(WORD_SIZE..).unwrap_or_default();
        let size = body.len().min(MAX_BLOCK_SIZE);
        &mut body[..size]
    }

    /// Takes the first `size` bytes of [`Batch::room`] as the next frame.
    ///
    /// # Errors
    ///
    /// [`PushError`], with the batch unchanged.
    #[inline]
    pub fn commit(&mut self, size: usize) -> Result<(), PushError> {
        self.check_size(size)?;
        self.append(size, size)
    }

    /// Writes the number of frames and returns the length of the batch in bytes: 0 if there is no frame.
    #[must_use]
    pub fn finish(self) -> usize {
        match self.out.first_chunk_mut() {
            Some(count) if self.count > 0 => {
                *count = self.count.to_be_bytes();
                self.statistics.record_overhead(WORD_SIZE);
                self.end
            }
            _ => 0,
        }
    }

    #[inline]
    fn check_size(&mut self, size: usize) -> Result<(), PushError> {
        if size <= MAX_PACKET_SIZE {
            return Ok(());
        }
        self.statistics.record_drop(DropReason::Oversize, size);
        Err(PushError::Oversize)
    }

    /// Writes the size in front of a body of `wire_size` bytes that stands in the room already.
    #[inline]
    fn append(&mut self, wire_size: usize, size: usize) -> Result<(), PushError> {
        // A count of KEEP_ALIVE_MAGIC would mean something else.
        if self.count == KEEP_ALIVE_MAGIC - 1 {
            return Err(PushError::Full);
        }
        let block = self.out.get_mut(self.end..).unwrap_or_default();
        let block = block.get_mut(..WORD_SIZE + wire_size).ok_or(PushError::Full)?;
        block[..WORD_SIZE].copy_from_slice(&word(wire_size));
        self.end += WORD_SIZE + wire_size;
        self.count += 1;
        self.statistics.record_overhead(WORD_SIZE);
        self.statistics.record_frame(size, wire_size);
        Ok(())
    }
}

/// Bytes that [`encode`] writes for frames of these sizes. Oversize frames are not written.
pub fn encoded_len(sizes: impl IntoIterator<Item = usize>) -> usize {
    let blocks: usize = sizes.into_iter().filter(|&size| size <= MAX_PACKET_SIZE).map(|size| WORD_SIZE + size).sum();
    if blocks == 0 { 0 } else { WORD_SIZE + blocks }
}

/// Writes `frames` as one batch to the start of `out` and returns its length in bytes: 0 if there is no frame.
/// Oversize frames are left out and counted.
///
/// # Errors
///
/// [`BufferTooSmall`], with nothing written or counted.
pub fn encode(frames: &[&[u8]], out: &mut [u8], statistics: &mut Statistics) -> Result<usize, BufferTooSmall> {
    let needed = encoded_len(frames.iter().map(|frame| frame.len()));
    let available = out.len();
    if needed > available {
        return Err(BufferTooSmall { needed, available });
    }
    let mut batch = Batch::new(out, statistics);
    for frame in frames {
        // Oversize frames have been counted. Full cannot be: the room was computed.
        if batch.push(frame) == Err(PushError::Full) {
            return Err(BufferTooSmall { needed, available });
        }
    }
    Ok(batch.finish())
}

/// Describes `frames` as one batch without copying them, for a vectored write: `slices` gets a header and a frame in
/// turn. Returns the number of slices used: 0 if there is no frame. Oversize frames are left out and counted.
///
/// `headers` is the memory of the headers, one word per frame and one for their number.
/// This is for connections without encryption; a TLS record needs its bytes in one piece.
///
/// # Errors
///
/// [`BufferTooSmall`], counted in words or slices and with nothing written, if `headers` has not one word more than
/// there are frames, or `slices` not twice as many slices.
pub fn encode_vectored<'a>(
    frames: &[&'a [u8]],
    headers: &'a mut [[u8; WORD_SIZE]],
    slices: &mut [IoSlice<'a>],
    statistics: &mut Statistics,
) -> Result<usize, BufferTooSmall> {
    for (needed, available) in [(frames.len() + 1, headers.len()), (frames.len() * 2, slices.len())] {
        if needed > available {
            return Err(BufferTooSmall { needed, available });
        }
    }

    let mut count: u32 = 0;
    let [head, sizes @ ..] = headers else {
        return Ok(0);
    };
    let mut sizes_left = sizes.iter_mut();
    for frame in frames {
        let size = frame.len();
        if size > MAX_PACKET_SIZE {
            statistics.record_drop(DropReason::Oversize, size);
        } else if let Some(header) = sizes_left.next() {
            *header = word(size);
            count += 1;
            statistics.record_overhead(WORD_SIZE);
            statistics.record_frame(size, size);
        }
    }
    if count == 0 {
        return Ok(0);
    }
    *head = count.to_be_bytes();
    statistics.record_overhead(WORD_SIZE);

    // The number goes out together with the size of the first frame.
    let headers: &'a [[u8; WORD_SIZE]] = headers;
    let (first, others) = headers.split_at(2);
    let headers = std::iter::once(first).chain(others.chunks(1));
    let written = frames.iter().filter(|frame| frame.len() <= MAX_PACKET_SIZE);
    for ((pair, header), frame) in slices.chunks_exact_mut(2).zip(headers).zip(written) {
        pair[0] = IoSlice::new(header.as_flattened());
        pair[1] = IoSlice::new(frame);
    }
    Ok(2 * to_usize(count))
}
