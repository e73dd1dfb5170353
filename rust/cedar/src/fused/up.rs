//! From the TAP to a connection: steps 5 to 7 of [`super`].
//!
//! With QoS the TAP is read while only the connection for priority takes frames: an urgent frame must not wait behind others.
//! The others are held back ([`Held`]), as the C's queue holds them, and lost when that is full.
#![forbid(unsafe_code)]

use super::link::Link;
use super::path::{Keeping, Shared, Terms};
use super::{BATCH_FRAMES, RECORDS_MAX};
use crate::adapter::{Device, Error, FrameBatch};
use crate::framing::wire::{MAX_BLOCK_SIZE, MAX_PACKET_SIZE, MAX_STORED_QUEUE_NUM};
use crate::framing::{
    Batch, Compressor, DropReason, MAX_ENCODED_KEEP_ALIVE_SIZE, PushError, Statistics, encode_keep_alive,
    is_priority_highest_packet_for_qos,
};

/// The connections that take frames now: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    /// All frames but those that follow.
    pub(super) normal: Option<usize>,
    /// Frames with priority, if the session keeps a connection for them.
    pub(super) priority: Option<usize>,
}

/// Chooses among the connections that send and are not blocked: the one that was blocked least, the last of equals
/// (C: `ConnectionSend`). With QoS the last of several that send is kept for priority; while it is blocked, frames with
/// priority go with the others. `None`: nothing can be sent now.
#[inline]
pub(super) fn choose(links: &[Link], terms: &Terms) -> Option<Chosen> {
    let senders = || (0..).zip(links).filter(|(_, link)| link.timers.sends(terms.role) && link.lost.is_none());
    let last = senders().map(|(place, _)| place).last();
    let kept = last.filter(|_| terms.use_qos && senders().nth(1).is_some());
    let is_free = |link: &Link| !link.is_blocked() && !link.window.is_full();
    let free = senders().filter(|&(place, link)| Some(place) != kept && is_free(link));
    let normal = free.min_by_key(|&(place, link)| (link.timers.late_count, std::cmp::Reverse(place)));
    let normal = normal.map(|(place, _)| place);
    let priority = kept.filter(|&place| links.get(place).is_some_and(|link| !link.is_blocked()));
    (normal.is_some() || priority.is_some()).then_some(Chosen { normal, priority })
}

/// What was sealed for one connection in a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batched {
    bytes: usize,
    pub(super) frames: u64,
}

impl Batched {
    pub(super) fn add(&mut self, bytes: usize, frames: u64) {
        self.bytes += bytes;
        self.frames += frames;
    }
}

/// What a turn has done so far.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    /// Frames taken from those held back and from the TAP.
    taken: u32,
    normal: Batched,
    priority: Batched,
}

/// Frames without priority that were read while no connection took them (C: `SendBlocks`), in their order.
#[derive(Debug, Default)]
pub(super) struct Held {
    frames: FrameBatch,
    taken: usize,
}

impl Held {
    /// As many frames as the C's queue holds.
    pub(super) fn new() -> Self {
        Self { frames: FrameBatch::new(MAX_STORED_QUEUE_NUM, MAX_STORED_QUEUE_NUM * MAX_PACKET_SIZE), taken: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.frames.len()
    }

    /// Gives frames to `take`, `max` at most, until it takes no more. Returns how many it took.
    fn unload(&mut self, max: u32, mut take: impl FnMut(&[u8]) -> bool) -> u32 {
        let mut count = 0;
        while count < max && !self.is_empty() && take(self.frames.frames().frame(self.taken)) {
            self.taken += 1;
            count += 1;
        }
        if self.is_empty() {
            self.frames.clear();
            self.taken = 0;
        }
        count
    }
}

impl<D: Device> Shared<'_, D> {
    /// Sends frames on the connections chosen: those held back, and those of the TAP. A record is written, then sealed; all
    /// records of a turn are sent by one call.
    ///
    /// # Errors
    /// The TAP is gone.
    #[inline(always)]
    pub(super) fn send(
        &mut self,
        links: &mut [Link],
        chosen: Chosen,
        terms: &Terms,
        keeping: &mut Keeping<'_>,
    ) -> Result<(), Error> {
        let mut sent = Sent::default();
        let mut result = Ok(true);
        for _ in 0..RECORDS_MAX {
            result = self.seal_record(links, chosen, &mut sent);
            if !matches!(result, Ok(true)) {
                break;
            }
        }
        for (place, passed) in [(chosen.priority, sent.priority), (chosen.normal, sent.normal)] {
            if let Some(link) = place.and_then(|place| links.get_mut(place)) {
                self.flush(link, passed, terms, keeping);
            }
        }
        result.map(drop)
    }

    /// Seals as many frames as fit into a record, for each of the connections chosen. Whether there may be more.
    #[inline(always)]
    fn seal_record(&mut self, links: &mut [Link], chosen: Chosen, sent: &mut Sent) -> Result<bool, Error> {
        let Self { adapter, record, priority_record, held, compressor, passed, .. } = self;
        let mut statistics = [Statistics::default(); 2];
        let [normal_statistics, priority_statistics] = &mut statistics;
        let mut normal = Batch::new(record, normal_statistics);
        let mut priority = Batch::new(priority_record, priority_statistics);
        let room_min = if compressor.is_some() { MAX_BLOCK_SIZE } else { MAX_PACKET_SIZE };
        if chosen.normal.is_some() {
            let left = BATCH_FRAMES.saturating_sub(sent.taken);
            sent.taken +=
                held.unload(left, |frame| push(&mut normal, frame, compressor.as_mut()) != Err(PushError::Full));
        }
        let mut result = Ok(false);
        while sent.taken < BATCH_FRAMES {
            if normal.room().len() < room_min || (chosen.priority.is_some() && priority.room().len() < room_min) {
                result = Ok(true);
                break;
            }
            let frame = match adapter.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            };
            sent.taken += 1;
            let is_urgent = chosen.priority.is_some() && is_priority_highest_packet_for_qos(frame);
            if !is_urgent && (chosen.normal.is_none() || !held.is_empty()) {
                if held.frames.push(frame) {
                    passed.traffic.send.count(frame);
                } else {
                    passed.drop_frames(DropReason::SendQueueFull, 1);
                }
                continue;
            }
            passed.traffic.send.count(frame);
            let into = if is_urgent { &mut priority } else { &mut normal };
            if push(into, frame, compressor.as_mut()).is_err() {
                // There is room, so the frame is too long; which the adapter's are not.
                passed.drop_frames(DropReason::Oversize, 1);
            }
        }
        let sizes = [normal.finish(), priority.finish()];
        for statistics in statistics {
            passed.sent.add(statistics.total_size(), statistics.total_size_real());
        }
        sent.normal.add(sizes[0], statistics[0].frames);
        sent.priority.add(sizes[1], statistics[1].frames);
        for (place, record, size) in [(chosen.priority, priority_record, sizes[1]), (chosen.normal, record, sizes[0])] {
            if let Some(link) = place.and_then(|place| links.get_mut(place)) {
                link.seal(record.get(..size).unwrap_or_default());
            }
        }
        result
    }

    /// Sends what has been sealed.
    #[inline(always)]
    pub(super) fn flush(&mut self, link: &mut Link, passed: Batched, terms: &Terms, keeping: &mut Keeping<'_>) {
        if passed.frames == 0 {
            return;
        }
        link.window.sent(passed.bytes, passed.frames);
        if link.flush() != 0 {
            self.passed.last_comm_time = self.passed.last_comm_time.max(keeping.now);
        }
        link.window.look(&link.socket, keeping.now);
        // With UDP acceleration keep-alives go on: they carry the port.
        if !keeping.is_udp_near {
            link.timers.postpone_keep_alive(keeping.now, terms.timeout_ms, (keeping.random)());
        }
    }

    /// Sends keep-alives on the connections that owe one. A connection that is blocked has enough to say.
    pub(super) fn keep_alive(&mut self, links: &mut [Link], terms: &Terms, keeping: &mut Keeping<'_>) {
        for link in links.iter_mut().filter(|link| link.timers.sends(terms.role) && link.lost.is_none()) {
            if link.is_blocked() || !link.timers.is_keep_alive_due(keeping.now, keeping.is_port_new) {
                continue;
            }
            let mut statistics = Statistics::default();
            let mut bytes = [0; MAX_ENCODED_KEEP_ALIVE_SIZE];
            let Ok(size) = encode_keep_alive(&mut bytes, keeping.nat_t_port, &mut keeping.random, &mut statistics)
            else {
                return;
            };
            link.seal(bytes.get(..size).unwrap_or_default());
            link.flush();
            self.passed.sent.add(statistics.total_size(), statistics.total_size_real());
            link.timers.postpone_keep_alive(keeping.now, terms.timeout_ms, (keeping.random)());
        }
    }
}

#[inline(always)]
fn push(batch: &mut Batch<'_>, frame: &[u8], compressor: Option<&mut Compressor>) -> Result<(), PushError> {
    match compressor {
        None => batch.push(frame),
        Some(compressor) => batch.push_compressed(frame, compressor),
    }
}
