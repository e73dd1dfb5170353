//! Frames as datagrams beside the connections: where UDP acceleration joins the path.
#![forbid(unsafe_code)]

use super::link::Link;
use super::path::{Keeping, Shared, Terms};
use super::up::Batched;
use super::{BATCH_FRAMES, RECORDS_MAX, Totals};
use crate::adapter::{Adapter, Device, Error, Frames};
use crate::framing::wire::MAX_PACKET_SIZE;
use crate::framing::{Batch, DropReason, Statistics};
use std::os::fd::BorrowedFd;

/// A session's UDP acceleration, as its owner has it (C: `UDP_ACCEL`, Cedar/UdpAccel.h).
pub trait Datagrams {
    /// Readable when something has come.
    fn socket(&self) -> BorrowedFd<'_>;

    /// Receives what has come, hands out its frames, several at once or each by itself, and does what time asks for:
    /// keep-alives, questions to NAT-T servers. Called when the socket is readable, and at the beginning of each
    /// [`Path::run`](super::Path::run).
    fn poll(&mut self, now: u64, each: &mut dyn FnMut(Frames<'_>));

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
        datagrams.poll(now, &mut |frames| {
            if result.is_err() {
                return;
            }
            for frame in frames.iter() {
                passed.traffic.recv.count(frame);
                count(&mut passed.received, frame);
            }
            result = match frames.len() {
                // Its neighbours come by themselves, too.
                1 => adapter.put_frame(frames.frame(0)),
                _ => adapter.flush().and_then(|()| adapter.send(frames)),
            };
        });
        result?;
        adapter.flush()
    }

    /// Reads frames from the TAP and sends them as datagrams, those that no datagram carries on `link`. Whether there were
    /// any of these.
    ///
    /// # Errors
    /// The TAP is gone.
    pub(super) fn send_datagrams(
        &mut self,
        datagrams: &mut dyn Datagrams,
        mut link: Option<&mut Link>,
        terms: &Terms,
        keeping: &mut Keeping<'_>,
    ) -> Result<bool, Error> {
        let mut long = Batched::default();
        let mut taken = 0;
        let mut result = Ok(true);
        for _ in 0..RECORDS_MAX {
            let Self { adapter, record, passed, .. } = self;
            let mut statistics = Statistics::default();
            let mut others = Batch::new(record, &mut statistics);
            result = loop {
                if taken == BATCH_FRAMES {
                    break Ok(false);
                }
                if others.room().len() < MAX_PACKET_SIZE {
                    break Ok(true);
                }
                let frame = match adapter.next_frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break Ok(false),
                    Err(error) => break Err(error),
                };
                taken += 1;
                passed.traffic.send.count(frame);
                if datagrams.carries(frame.len()) {
                    count(&mut passed.sent, frame);
                    datagrams.send(frame);
                } else if others.push(frame).is_err() {
                    passed.drop_frames(DropReason::Oversize, 1);
                }
            };
            let size = others.finish();
            passed.sent.add(statistics.total_size(), statistics.total_size_real());
            long.add(size, statistics.frames);
            if let Some(link) = link.as_deref_mut() {
                link.seal(record.get(..size).unwrap_or_default());
            }
            if !matches!(result, Ok(true)) {
                break;
            }
        }
        datagrams.flush();
        match link {
            Some(link) => self.flush(link, long, terms, keeping),
            // The first ones, while something else has every connection blocked.
            None => self.passed.drop_frames(DropReason::SendQueueFull, long.frames),
        }
        result.map(|_| long.frames != 0)
    }
}

/// A frame's own bytes count, as in the C.
fn count(totals: &mut Totals, frame: &[u8]) {
    totals.add(frame.len() as u64, frame.len() as u64);
}
