//! Frames as datagrams beside the connections: where UDP acceleration joins the path.
#![forbid(unsafe_code)]

use super::path::Shared;
use super::{BATCH_FRAMES, Totals};
use crate::adapter::{Device, Error};
use crate::framing::wire::MAX_PACKET_SIZE;
use crate::framing::{Batch, DropReason, Statistics};
use std::os::fd::BorrowedFd;

/// A session's UDP acceleration, as its owner has it (C: `UDP_ACCEL`, Cedar/UdpAccel.h).
pub trait Datagrams {
    /// Readable when something has come.
    fn socket(&self) -> BorrowedFd<'_>;

    /// Receives what has come, hands out each frame, and does what time asks for: keep-alives, questions to NAT-T
    /// servers. Called when the socket is readable, and at the beginning of each [`Path::run`](super::Path::run).
    fn poll(&mut self, now: u64, each: &mut dyn FnMut(&[u8]));

    /// Whether frames go this way now.
    fn is_ready(&self) -> bool;

    /// Whether a frame of this size goes this way; others go by TCP. All, as in the C, unless the owner knows better.
    fn carries(&self, frame_size: usize) -> bool {
        let _ = frame_size;
        true
    }

    /// Sends a frame, or keeps it until the next [`Datagrams::flush`].
    fn send(&mut self, frame: &[u8]);

    /// Sends what was kept.
    fn flush(&mut self);
}

impl<D: Device> Shared<'_, D> {
    /// Gives what has come as datagrams to the TAP.
    ///
    /// # Errors
    /// The TAP is gone.
    pub(super) fn poll_datagrams(&mut self, datagrams: &mut dyn Datagrams, now: u64) -> Result<(), Error> {
        let Self { adapter, passed, .. } = self;
        let mut result = Ok(());
        datagrams.poll(now, &mut |frame| {
            if result.is_ok() {
                passed.traffic.recv.count(frame);
                count(&mut passed.received, frame);
                result = adapter.put_frame(frame);
            }
        });
        result?;
        adapter.flush()
    }

    /// Reads frames from the TAP and sends them as datagrams; returns the size of the batch for TCP, of those that no
    /// datagram carries, and their number.
    ///
    /// # Errors
    /// The TAP is gone.
    pub(super) fn send_datagrams(&mut self, datagrams: &mut dyn Datagrams) -> Result<(usize, u64), Error> {
        let Self { adapter, batch, passed, .. } = self;
        let mut statistics = Statistics::default();
        let mut others = Batch::new(batch, &mut statistics);
        for _ in 0..BATCH_FRAMES {
            if others.room().len() < MAX_PACKET_SIZE {
                break;
            }
            let Some(frame) = adapter.next_frame()? else { break };
            passed.traffic.send.count(frame);
            if datagrams.carries(frame.len()) {
                count(&mut passed.sent, frame);
                datagrams.send(frame);
            } else if others.push(frame).is_err() {
                passed.drop_frames(DropReason::Oversize, 1);
            }
        }
        datagrams.flush();
        let size = others.finish();
        passed.sent.add(statistics.total_size(), statistics.total_size_real());
        Ok((size, statistics.frames))
    }
}

/// A frame's own bytes count, as in the C.
fn count(totals: &mut Totals, frame: &[u8]) {
    totals.add(frame.len() as u64, frame.len() as u64);
}
