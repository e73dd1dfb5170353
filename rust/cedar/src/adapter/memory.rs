//! Two adapters joined in memory, each end for a thread of its own. No kernel but an eventfd per direction, which makes
//! an end readable in `poll` like a TAP. Batches cross in a bounded ring (crossbeam-queue) without a lock; a sender copies
//! frames into a batch of its own pool and never allocates.
//!
//! 1. [`Adapter::send`] takes batches from the pool, fills them and pushes them into the ring; when either is out of room
//!    the frames are dropped and counted.
//! 2. It then makes the other end readable.
//! 3. [`Adapter::receive`] takes batches from the ring; an emptied one goes back to its pool.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::ArrayQueue;
use rustix::event::{EventfdFlags, eventfd};

use super::batch::{BatchPool, Frames, PooledBatch};
use super::packet::{frame_max, network_header};
use super::{Adapter, DropReason, ETHERNET_HEADER, Error, MAX_PACKET_SIZE, Stats};

/// Frames and bytes of one batch in the ring.
const RING_BATCH_FRAMES: usize = 128;
const RING_BATCH_BYTES: usize = RING_BATCH_FRAMES * MAX_PACKET_SIZE;

/// One direction.
#[derive(Debug)]
struct Lane {
    ring: ArrayQueue<PooledBatch>,
    readable: OwnedFd,
    closed: AtomicBool,
}

impl Lane {
    fn new(batches: usize) -> Result<Lane, rustix::io::Errno> {
        Ok(Lane {
            ring: ArrayQueue::new(batches),
            readable: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
            closed: AtomicBool::new(false),
        })
    }

    fn signal(&self) {
        // Full (EAGAIN) means that the other end is readable already.
        let _ = rustix::io::write(&self.readable, &1u64.to_ne_bytes());
    }

    /// Makes the lane unreadable until the next signal.
    fn quiet(&self) {
        let _ = rustix::io::read(&self.readable, &mut [0u8; 8]);
    }
}

/// One end of a pair.
#[derive(Debug)]
pub struct End {
    outgoing: Arc<Lane>,
    incoming: Arc<Lane>,
    pool: BatchPool,
    /// The batch being handed out and the number of its next frame.
    current: Option<(PooledBatch, usize)>,
    stats: Stats,
}

/// Two joined ends; in each direction at most `batches` batches of 128 frames wait.
pub fn pair(batches: usize) -> Result<(End, End), rustix::io::Errno> {
    let batches = batches.max(1);
    let (there, back) = (Arc::new(Lane::new(batches)?), Arc::new(Lane::new(batches)?));
    Ok((End::new(&there, &back, batches), End::new(&back, &there, batches)))
}

impl End {
    fn new(outgoing: &Arc<Lane>, incoming: &Arc<Lane>, batches: usize) -> End {
        End {
            outgoing: Arc::clone(outgoing),
            incoming: Arc::clone(incoming),
            // One more is filled while the ring is full, another is being emptied at the far end.
            pool: BatchPool::new(batches + 2, RING_BATCH_FRAMES, RING_BATCH_BYTES),
            current: None,
            stats: Stats::default(),
        }
    }

    /// Copies the next frames of `frames` from `*position` on into a batch.
    fn fill(&mut self, batch: &mut PooledBatch, frames: Frames<'_>, position: &mut usize) {
        while *position < frames.len() {
            let frame = frames.frame(*position);
            let dropped = match frame.len() {
                0..ETHERNET_HEADER => Some(DropReason::Runt),
                len if len > network_header(frame).map_or(0, |(l3, _)| frame_max(l3)) => Some(DropReason::Oversize),
                _ if batch.push(frame) => None,
                _ => return,
            };
            match dropped {
                Some(reason) => self.stats.send_drops.add(reason, 1),
                None => {
                    self.stats.frames_sent += 1;
                    self.stats.bytes_sent += frame.len() as u64;
                }
            }
            *position += 1;
        }
    }

    /// Gives a filled batch to the other end, or counts its frames as dropped.
    fn push(&mut self, batch: PooledBatch) {
        if batch.is_empty() {
            return;
        }
        self.stats.writes += 1;
        match self.outgoing.ring.push(batch) {
            Ok(()) => self.outgoing.signal(),
            Err(batch) => {
                let bytes: usize = batch.frames().iter().map(<[u8]>::len).sum();
                self.stats.frames_sent -= batch.len() as u64;
                self.stats.bytes_sent -= bytes as u64;
                self.stats.send_drops.add(DropReason::Full, batch.len() as u64);
            }
        }
    }

    /// The batch to hand out from: the current one or the next in the ring.
    fn next_batch(&mut self) -> Result<Option<(PooledBatch, usize)>, Error> {
        if let Some(current) = self.current.take() {
            return Ok(Some(current));
        }
        self.stats.reads += 1;
        // Quiet first, then look: a batch pushed in between signals again.
        if self.incoming.ring.is_empty() {
            self.incoming.quiet();
        }
        // Closed first, then look: what was pushed before closing is still handed out.
        let closed = self.incoming.closed.load(Ordering::Acquire);
        match self.incoming.ring.pop() {
            Some(batch) => Ok(Some((batch, 0))),
            None if closed => Err(Error::Gone),
            None => Ok(None),
        }
    }
}

impl Adapter for End {
    fn receive(&mut self, frames_max: usize, mut each: impl FnMut(&[u8])) -> Result<usize, Error> {
        let mut received = 0;
        while received < frames_max {
            let Some((batch, mut position)) = self.next_batch()? else { break };
            let frames = batch.frames();
            while position < frames.len() && received < frames_max {
                let frame = frames.frame(position);
                self.stats.bytes_received += frame.len() as u64;
                each(frame);
                position += 1;
                received += 1;
            }
            if position < frames.len() {
                self.current = Some((batch, position));
            }
        }
        self.stats.frames_received += received as u64;
        Ok(received)
    }

    fn send(&mut self, frames: Frames<'_>) -> Result<(), Error> {
        if self.outgoing.closed.load(Ordering::Acquire) {
            return Err(Error::Gone);
        }
        let mut position = 0;
        while position < frames.len() {
            let Some(mut batch) = self.pool.take() else {
                self.stats.send_drops.add(DropReason::Full, (frames.len() - position) as u64);
                return Ok(());
            };
            self.fill(&mut batch, frames, &mut position);
            self.push(batch);
        }
        Ok(())
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.incoming.readable.as_fd())
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}

impl Drop for End {
    /// The other end learns of it when it has taken what is left.
    fn drop(&mut self) {
        for lane in [&self.outgoing, &self.incoming] {
            lane.closed.store(true, Ordering::Release);
            lane.signal();
        }
    }
}
