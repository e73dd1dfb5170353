//! From a connection to the TAP: steps 2 to 4 of [`super`].
#![forbid(unsafe_code)]

use super::link::{Link, Lost};
use super::path::{Passed, Shared};
use super::protection::Protection;
use crate::adapter::{Adapter, BATCH_FRAMES_MAX, Device, Error, Frames, MAX_PACKET_SIZE, Offloaded, Span};
use crate::framing::{DropReason, Event};
use crate::tls::End;

impl<D: Device> Shared<'_, D> {
    /// Receives once on a connection and gives the frames to the TAP.
    ///
    /// # Errors
    /// The TAP is gone.
    #[inline(always)]
    pub(super) fn receive(&mut self, link: &mut Link, now: u64) -> Result<(), Error> {
        let Some(mut filled) = self.fetch(link, now) else { return Ok(()) };
        loop {
            let cut = self.deliver(link, filled, now)?;
            // What another record layer had kept, or did not fit: there is more without another call.
            match self.reopen(link, cut) {
                Some(more) => filled = more,
                None => break,
            }
        }
        Ok(())
    }

    /// Fills the plaintext with what was cut before and what comes now. `None`: there is nothing new.
    #[inline(always)]
    fn fetch(&mut self, link: &mut Link, now: u64) -> Option<usize> {
        let cut = link.cut.len();
        self.plaintext.get_mut(..cut)?.copy_from_slice(&link.cut);
        let room = self.plaintext.get_mut(cut..)?;
        let is_clear = matches!(link.protection, Protection::Clear);
        let into = if is_clear { &mut *room } else { link.received.get_mut(link.received_len..)? };
        let size = match Link::receive(&link.socket, into) {
            Ok(size) => size,
            Err(lost) => {
                link.lose(lost);
                0
            }
        };
        if size == 0 && !std::mem::take(&mut link.is_fresh) {
            return None;
        }
        if size != 0 {
            link.counters.received_bytes += size as u64;
            link.counters.receives += 1;
            link.timers.last_recv_time = link.timers.last_recv_time.max(now);
            self.passed.last_comm_time = self.passed.last_comm_time.max(now);
        }
        if is_clear {
            return Some(cut + size);
        }
        link.received_len += size;
        Some(cut + open(link, room))
    }

    /// Opens what is left of the bytes received, behind `cut` bytes that wait. `None`: nothing came of it.
    #[inline]
    fn reopen(&mut self, link: &mut Link, cut: usize) -> Option<usize> {
        if !matches!(link.protection, Protection::Foreign(_)) || link.lost.is_some() {
            return None;
        }
        self.plaintext.get_mut(..cut)?.copy_from_slice(&link.cut);
        let opened = open(link, self.plaintext.get_mut(cut..)?);
        (opened != 0).then_some(cut + opened)
    }

    /// Walks the frames in the first `filled` bytes of plaintext, and keeps what is cut at their end. Returns its length.
    #[inline(always)]
    fn deliver(&mut self, link: &mut Link, filled: usize, now: u64) -> Result<usize, Error> {
        let Self { adapter, plaintext, spans, expand, passed, .. } = self;
        let plaintext = plaintext.get(..filled).unwrap_or_default();
        let mut input = plaintext;
        let mut has_heard = false;
        loop {
            let event = match link.decoder.decode(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    link.lose(Lost::Protocol(error));
                    input = &[];
                    break;
                }
            };
            has_heard = true;
            match event {
                Event::Frame(body) => {
                    if let Some(expand) = expand {
                        passed.receive_compressed(expand, body);
                        if !expand.arena.has_room(MAX_PACKET_SIZE) {
                            adapter.send(expand.arena.frames())?;
                            expand.arena.clear();
                        }
                        continue;
                    }
                    passed.receive_frame(body);
                    let end = filled - input.len();
                    spans.push(Span::new(end - body.len(), body.len()));
                    if spans.len() == BATCH_FRAMES_MAX {
                        write(adapter, plaintext, spans)?;
                    }
                }
                Event::KeepAlive(keep_alive) => {
                    passed.peer_port = keep_alive.nat_t_port().map(Into::into).or(passed.peer_port);
                }
                Event::Dropped { reason, .. } => passed.drop_frames(reason, 1),
            }
        }
        if let Some(expand) = expand
            && !expand.arena.is_empty()
        {
            adapter.send(expand.arena.frames())?;
            expand.arena.clear();
        }
        write(adapter, plaintext, spans)?;
        if has_heard {
            link.timers.heard(now);
            passed.last_comm_time = passed.last_comm_time.max(now);
        }
        let overhead = link.decoder.statistics().overhead_bytes;
        passed.received.add(overhead - link.overhead_reported, overhead - link.overhead_reported);
        link.overhead_reported = overhead;
        link.cut.clear();
        link.cut.extend_from_slice(input);
        Ok(link.cut.len())
    }
}

/// Opens the records received, as far as they are whole, and moves the rest to the front.
#[inline]
fn open(link: &mut Link, room: &mut [u8]) -> usize {
    let received = link.received.get(..link.received_len).unwrap_or_default();
    let opened = link.protection.open(received, room);
    let (taken, left) = (opened.taken, link.received_len.saturating_sub(opened.taken));
    if left != 0 && taken != 0 {
        link.received.copy_within(taken..taken + left, 0);
    }
    link.received_len = left;
    match opened.end {
        Some(End::CloseNotify) => link.lose(Lost::Closed),
        Some(End::Failed(error)) => link.lose(Lost::Tls(error)),
        None => {}
    }
    opened.plaintext
}

/// Gives the frames to the card.
#[inline(always)]
fn write<D: Device>(adapter: &mut Offloaded<D>, plaintext: &[u8], spans: &mut Vec<Span>) -> Result<(), Error> {
    if !spans.is_empty() {
        let result = adapter.send(Frames::new(plaintext, spans));
        spans.clear();
        result?;
    }
    Ok(())
}

impl Passed {
    #[inline(always)]
    fn receive_frame(&mut self, frame: &[u8]) {
        self.traffic.recv.count(frame);
        self.received.add(frame.len() as u64, frame.len() as u64);
    }

    /// Expands a frame into the arena, which has room for it.
    fn receive_compressed(&mut self, expand: &mut super::path::Expand, body: &[u8]) {
        match expand.decompressor.expand(body) {
            Ok(frame) => {
                self.traffic.recv.count(frame);
                self.received.add(frame.len() as u64, body.len() as u64);
                if !expand.arena.push(frame) {
                    self.drop_frames(DropReason::ReceiveQueueFull, 1);
                }
            }
            Err(reason) => self.drop_frames(reason, 1),
        }
    }
}
