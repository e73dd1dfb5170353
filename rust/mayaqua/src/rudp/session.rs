//! One session: a stream of bytes each way, in order and without loss, and bulk datagrams beside it. No socket, no clock, no
//! randomness; those are arguments. (C: `RUDP_SESSION`, and what `RUDPRecvProc` and `RUDPInterruptProc` do for each,
//! Mayaqua/Network.c.)
//!
//! 1. The client sends 20 random bytes, which all keys come from, and 19 more, every 200 ms until a segment comes back
//!    ([`Session::connect`]). The server takes them for a new session ([`Session::accept`]) and asks for a sign of life at once.
//! 2. [`Session::write`] keeps bytes; [`Session::poll`] makes segments of up to 512 of them, at most 64 numbers at a time, and
//!    sends each again at 1.2 times the round trip (or 200 ms), then twice that, and so on, up to 4.8 s, until its number comes
//!    back.
//! 3. [`Session::receive`] keeps segments by number and answers theirs; `poll` puts those without a gap into the stream, as long
//!    as not too much of it is unread: a reader that is slow stops the peer's window.
//! 4. Who has sent nothing for 2.5 to 4.8 s asks for a sign of life. Who has not had its own clock back for 12 s gives up.
//! 5. The stream of a client begins with 8 bytes: the number of the segment that ends the session, whoever sends it. It goes out
//!    five times ([`Session::close`]), and is not answered.
//!
//! Everything has a limit: 64 segments that came too early, [`ACKS_MAX`] numbers to answer, [`RUDP_MAX_FIFO_SIZE`] bytes and a
//! window more in each direction, [`RUDP_BULK_MAX_RECV_PKTS_IN_QUEUE`] bulk datagrams.

use super::bulk::{Bulk, BulkKeys};
use super::keys::{Key, Keys, Side};
use super::wire::{self, RUDP_MAX_NUM_ACK, RUDP_MAX_SEGMENT_SIZE, Segment};
use super::{Random, number_of, rand_interval};
use crate::crypto::{AeadError, SHA1_SIZE, same, sha1};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

/// First time between two sendings of a segment whose round trip is not known, and between two of a client's first datagram, in
/// milliseconds (C: the same name, Network.h; so are the following).
pub const RUDP_RESEND_TIMER: u64 = 200;
/// Longest time between two sendings of a segment, in milliseconds.
pub const RUDP_RESEND_TIMER_MAX: u64 = 4792;
/// Shortest time after which an idle end asks for a sign of life, in milliseconds.
pub const RUDP_KEEPALIVE_INTERVAL_MIN: u32 = 2500;
/// Longest time after which an idle end asks for a sign of life, in milliseconds.
pub const RUDP_KEEPALIVE_INTERVAL_MAX: u32 = 4792;
/// Time without the own clock in what comes after which a session is over, in milliseconds.
pub const RUDP_TIMEOUT: u64 = 12_000;
/// Most bytes that wait to be made segments, and from which on no more are put into the stream.
pub const RUDP_MAX_FIFO_SIZE: usize = 1600 * 1600;
/// Most bulk datagrams that wait to be read.
pub const RUDP_BULK_MAX_RECV_PKTS_IN_QUEUE: usize = 8192;

/// Most numbers of segments that wait to be answered; what comes beyond them comes again. (The C has no limit.)
pub const ACKS_MAX: usize = 4 * RUDP_MAX_NUM_ACK;

/// Bytes of a client's first datagram, and from which on a datagram is none.
const INITIAL_SIZE: usize = SHA1_SIZE + 19;
const SEGMENT_SIZE_LEAST: usize = 40;
/// How often the end is said.
const DISCONNECTS: usize = 5;
/// All ends of sessions have these bits (C: a number in `RUDPNewSession`).
const DISCONNECT_BITS: u64 = 0xffff_ffff_0000_0000;

/// What datagrams look like, which the signature of segments depends on (C: `RUDP_STACK.Protocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    /// UDP as it is.
    Udp,
    /// As DNS, for a service of this name (C: `SvcName`).
    Dns(&'a str),
}

impl Transport<'_> {
    /// What signatures are masked with.
    fn mask(self) -> Option<Key> {
        match self {
            Self::Udp => None,
            Self::Dns(service) => Some(sha1(service.trim_matches([' ', '\t']).to_ascii_lowercase().as_bytes())),
        }
    }
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A client that has heard nothing yet (C: `RUDP_SESSION_STATUS_CONNECT_SENT`).
    Connecting,
    /// Both know of each other (C: `RUDP_SESSION_STATUS_ESTABLISHED`).
    Established,
    /// It is over (C: `DisconnectFlag`). What had arrived can be read.
    Closed(End),
}

/// Why it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// This end said so.
    Here,
    /// The peer said so (C: `DisconnectedByYou`).
    Peer,
    /// The peer gave no sign of life for [`RUDP_TIMEOUT`].
    TimedOut,
}

/// A segment that has not arrived yet, as far as is known (C: `RUDP_SEGMENT`).
struct Sending {
    data: Box<[u8]>,
    /// `None`: at once.
    next_send: Option<u64>,
    times: u32,
}

/// One end of a session (C: `RUDP_SESSION`). Times are milliseconds of a clock that never goes back and is the same in all calls.
pub struct Session {
    side: Side,
    initial: Key,
    keys: Keys,
    mask: Option<Key>,
    peer: SocketAddr,
    status: Status,
    /// By number (C: `SendSegmentList`, `RecvSegmentList`, `ReplyAckList`).
    sending: BTreeMap<u64, Sending>,
    early: BTreeMap<u64, Vec<u8>>,
    acks: BTreeSet<u64>,
    next_seq_no: u64,
    /// All up to this number are in the stream (C: `LastRecvCompleteSeqNo`).
    complete_seq_no: u64,
    outgoing: VecDeque<u8>,
    incoming: VecDeque<u8>,
    /// `None`: say something as soon as possible (C: 0 in `LastSentTick`).
    last_sent: Option<u64>,
    keep_alive_interval: u64,
    /// The peer's clock (C: `YourTick`), and the latest of the own that came back (C: `LatestRecvMyTick`).
    peer_tick: u64,
    echoed_tick: u64,
    /// The latest round trip; 0 for none known (C: `CurrentRtt`).
    round_trip: u64,
    /// The number of the segment that ends the session; a server learns it (C: `Magic_Disconnect`).
    disconnect: Option<u64>,
    bulk: Option<Bulk>,
    frames: VecDeque<Vec<u8>>,
}

impl std::fmt::Debug for Session {
    /// Not the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("side", &self.side)
            .field("peer", &self.peer)
            .field("status", &self.status)
            .finish()
    }
}

impl Session {
    /// A client's end; the next [`Session::poll`] sends its first datagram to `peer` (C: `RUDPNewSession` as
    /// `NewRUDPClientDirect` and `RUDPInterruptProc` call it, Mayaqua/Network.c).
    #[must_use]
    pub fn connect(now: u64, peer: SocketAddr, transport: Transport<'_>, random: Random<'_>) -> Self {
        let mut initial = [0; SHA1_SIZE];
        random(&mut initial);
        let mut session = Self::new(Side::Client, &initial, now, peer, transport, random);
        let disconnect = DISCONNECT_BITS | u64::from(number_of(random));
        session.disconnect = Some(disconnect);
        session.outgoing.extend(disconnect.to_be_bytes());
        session
    }

    /// A server's end, of a client's first datagram; `None` if that is none (C: `RUDPNewSession` as `RUDPRecvProc` calls it,
    /// Mayaqua/Network.c). Whoever accepts has to limit how many.
    #[must_use]
    pub fn accept(
        now: u64,
        peer: SocketAddr,
        transport: Transport<'_>,
        datagram: &[u8],
        random: Random<'_>,
    ) -> Option<Self> {
        let initial = datagram.first_chunk().filter(|_| datagram.len() < SEGMENT_SIZE_LEAST)?;
        let mut session = Self::new(Side::Server, initial, now, peer, transport, random);
        session.status = Status::Established;
        Some(session)
    }

    fn new(
        side: Side,
        initial: &Key,
        now: u64,
        peer: SocketAddr,
        transport: Transport<'_>,
        random: Random<'_>,
    ) -> Self {
        Self {
            side,
            initial: *initial,
            keys: Keys::derive(initial, side),
            mask: transport.mask(),
            peer,
            status: Status::Connecting,
            sending: BTreeMap::new(),
            early: BTreeMap::new(),
            acks: BTreeSet::new(),
            next_seq_no: 1,
            complete_seq_no: 0,
            outgoing: VecDeque::new(),
            incoming: VecDeque::new(),
            last_sent: None,
            keep_alive_interval: keep_alive_interval(random),
            peer_tick: 0,
            echoed_tick: now,
            round_trip: 0,
            disconnect: None,
            bulk: None,
            frames: VecDeque::new(),
        }
    }

    /// How far it is.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Where datagrams go now: a NAT may change the peer's port.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The latest round trip in milliseconds, 0 if none is known.
    #[must_use]
    pub const fn round_trip(&self) -> u64 {
        self.round_trip
    }

    /// Whether everything that was written has arrived.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.outgoing.is_empty() && self.sending.is_empty()
    }

    /// Keeps bytes to send; how many, 0 if [`RUDP_MAX_FIFO_SIZE`] wait already or it is over.
    pub fn write(&mut self, data: &[u8]) -> usize {
        if matches!(self.status, Status::Closed(_)) {
            return 0;
        }
        let room = RUDP_MAX_FIFO_SIZE.saturating_sub(self.outgoing.len());
        let taken = data.get(..room).unwrap_or(data);
        self.outgoing.extend(taken);
        taken.len()
    }

    /// Takes bytes out of the stream; how many, 0 if there are none. The next [`Session::poll`] puts more into it.
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        // Before a server knows how the session ends, what is there may be that.
        if self.disconnect.is_none() {
            return 0;
        }
        let size = buffer.len().min(self.incoming.len());
        for (place, byte) in buffer.iter_mut().zip(self.incoming.drain(..size)) {
            *place = byte;
        }
        size
    }

    /// Sets the keys of bulk datagrams, which come by other ways (C: `BulkSendKey`, `BulkRecvKey`, set in Cedar/Protocol.c).
    ///
    /// # Errors
    ///
    /// As [`crate::crypto::AeadKey::new`], for no key that has the type's length.
    pub fn set_bulk_keys(&mut self, keys: &BulkKeys) -> Result<(), AeadError> {
        self.bulk = Some(Bulk::new(keys)?);
        Ok(())
    }

    /// A bulk datagram of `data`; `None` without keys, and before or after the session (C: `RUDPBulkSend`).
    pub fn seal_bulk(&mut self, data: &[u8], random: Random<'_>) -> Option<Vec<u8>> {
        let bulk = self.bulk.as_mut().filter(|_| self.status == Status::Established)?;
        bulk.seal(data, random)
    }

    /// The next bulk datagram's data that came.
    pub fn take_bulk(&mut self) -> Option<Vec<u8>> {
        self.frames.pop_front()
    }

    /// Takes what came from `source`; whether it is of this session (C: `RUDPRecvProc` for one session, Mayaqua/Network.c).
    /// [`Session::poll`] answers.
    pub fn receive(&mut self, now: u64, source: SocketAddr, datagram: &[u8]) -> bool {
        if matches!(self.status, Status::Closed(_)) {
            return false;
        }
        if datagram.len() < SEGMENT_SIZE_LEAST {
            return self.receive_short(source, datagram);
        }
        let is_ours = match wire::open(datagram, &self.keys.receive, self.mask.as_ref()) {
            // It answers a clock that this end has not shown yet.
            Some(segment) if segment.your_tick > now => false,
            Some(segment) => {
                self.take(now, segment);
                true
            }
            None => self.receive_bulk(datagram),
        };
        if is_ours {
            self.peer.set_port(source.port());
        }
        is_ours
    }

    fn receive_short(&mut self, source: SocketAddr, datagram: &[u8]) -> bool {
        match self.side {
            // A NAT-T server had the server send this to open its NAT, from the port that answers.
            Side::Client if datagram.len() < SHA1_SIZE => {
                let is_first = self.status == Status::Connecting && source.ip() == self.peer.ip();
                if is_first {
                    self.peer.set_port(source.port());
                }
                is_first
            }
            Side::Client => false,
            // The client has not had an answer, or has moved.
            Side::Server => {
                let is_same = datagram.starts_with(&self.initial);
                if is_same {
                    self.peer = source;
                    self.last_sent = None;
                }
                is_same
            }
        }
    }

    fn receive_bulk(&mut self, datagram: &[u8]) -> bool {
        let Some(data) = self.bulk.as_mut().and_then(|bulk| bulk.open(datagram)) else { return false };
        if self.frames.len() < RUDP_BULK_MAX_RECV_PKTS_IN_QUEUE {
            self.frames.push_back(data);
        }
        true
    }

    /// (C: the second half of `RUDPProcessRecvPacket`, Mayaqua/Network.c.)
    fn take(&mut self, now: u64, segment: Segment) {
        // (C: `RUDPProcessAck2`, `RUDPProcessAck`, Mayaqua/Network.c.)
        self.sending = self.sending.split_off(&segment.max_ack.saturating_add(1));
        segment.acks.iter().for_each(|ack| drop(self.sending.remove(ack)));
        // One less, so that what is said back is never ahead of the peer's clock.
        let peer_tick = if segment.my_tick >= 2 { segment.my_tick - 1 } else { segment.my_tick };
        self.peer_tick = self.peer_tick.max(peer_tick);
        if segment.your_tick > self.echoed_tick {
            self.echoed_tick = segment.your_tick;
            self.round_trip = now - segment.your_tick;
        }
        if segment.seq_no == 0 {
            return;
        }
        if Some(segment.seq_no) == self.disconnect {
            // What came before the end is whole, and not more than a window.
            while self.put_into_stream() {}
            self.status = Status::Closed(End::Peer);
            return;
        }
        self.take_data(segment.seq_no, segment.data);
        self.status = Status::Established;
    }

    /// (C: `RUDPProcessRecvPayload`, Mayaqua/Network.c.)
    fn take_data(&mut self, seq_no: u64, data: Vec<u8>) {
        let is_in_window = seq_no <= self.complete_seq_no.saturating_add(RUDP_MAX_NUM_ACK as u64);
        let is_data = !data.is_empty() && data.len() <= RUDP_MAX_SEGMENT_SIZE;
        if !is_in_window || !is_data || self.acks.len() >= ACKS_MAX {
            return;
        }
        self.acks.insert(seq_no);
        if seq_no > self.complete_seq_no {
            self.early.entry(seq_no).or_insert(data);
        }
    }

    /// Does what is due, and gives what is to be sent to [`Session::peer`] to `send` (C: `RUDPInterruptProc` for one session, and
    /// `RUDPSendPacket`, Mayaqua/Network.c). To be called after everything that came, was written or read, and at [`Session::next_due`].
    pub fn poll(&mut self, now: u64, random: Random<'_>, send: &mut dyn FnMut(&[u8])) {
        match self.status {
            Status::Closed(_) => {}
            Status::Connecting => self.poll_connecting(now, random, send),
            Status::Established if now >= self.echoed_tick.saturating_add(RUDP_TIMEOUT) => {
                self.end(End::TimedOut, now, random, send);
            }
            Status::Established => {
                while self.incoming.len() <= RUDP_MAX_FIFO_SIZE && self.put_into_stream() {}
                self.learn_disconnect();
                self.make_segments();
                self.ask_for_life(now, random);
                self.send_due(now, random, send);
                while !self.acks.is_empty() {
                    self.send_segment(self.next_seq_no, &[], now, random, send);
                }
            }
        }
    }

    fn poll_connecting(&mut self, now: u64, random: Random<'_>, send: &mut dyn FnMut(&[u8])) {
        if self.last_sent.is_none_or(|sent| now >= sent.saturating_add(RUDP_RESEND_TIMER)) {
            self.last_sent = Some(now);
            let mut first = [0; INITIAL_SIZE];
            random(&mut first);
            first[..SHA1_SIZE].copy_from_slice(&self.initial);
            send(&first);
        }
    }

    /// Puts the next segment into the stream; whether it is there.
    fn put_into_stream(&mut self) -> bool {
        let Some(data) = self.early.remove(&(self.complete_seq_no + 1)) else { return false };
        self.complete_seq_no += 1;
        if same(&data, &self.keys.keep_alive_request) {
            if self.sending.is_empty() {
                self.queue(self.keys.keep_alive_response.into());
            }
        } else if !same(&data, &self.keys.keep_alive_response) {
            self.incoming.extend(data);
        }
        true
    }

    /// A server reads how the session ends.
    fn learn_disconnect(&mut self) {
        while self.disconnect.is_none() && self.incoming.len() >= 8 {
            let number = self.incoming.drain(..8).fold(0, |number, byte| number << 8 | u64::from(byte));
            self.disconnect = Some(number).filter(|number| number & DISCONNECT_BITS != 0);
        }
    }

    fn make_segments(&mut self) {
        while self.window_end().is_none_or(|end| self.next_seq_no <= end) && !self.outgoing.is_empty() {
            let size = self.outgoing.len().min(RUDP_MAX_SEGMENT_SIZE);
            let data = self.outgoing.drain(..size).collect();
            self.queue(data);
        }
    }

    /// The highest number that may be on its way; `None` if nothing is (C: `RUDPGetCurrentSendingMinSeqNo` and 63,
    /// Mayaqua/Network.c).
    fn window_end(&self) -> Option<u64> {
        self.sending.first_key_value().map(|(first, _)| first.saturating_add(RUDP_MAX_NUM_ACK as u64 - 1))
    }

    /// (C: `RUDPSendSegment`, Mayaqua/Network.c.)
    fn queue(&mut self, data: Box<[u8]>) {
        self.sending.insert(self.next_seq_no, Sending { data, next_send: None, times: 0 });
        self.next_seq_no += 1;
    }

    fn ask_for_life(&mut self, now: u64, random: Random<'_>) {
        let is_silent = self.last_sent.is_none_or(|sent| now >= sent.saturating_add(self.keep_alive_interval));
        if is_silent && self.sending.is_empty() {
            self.queue(self.keys.keep_alive_request.into());
            self.keep_alive_interval = keep_alive_interval(random);
        }
    }

    fn send_due(&mut self, now: u64, random: Random<'_>, send: &mut dyn FnMut(&[u8])) {
        let Some(end) = self.window_end() else { return };
        let first = if self.round_trip == 0 { RUDP_RESEND_TIMER } else { self.round_trip.saturating_mul(120) / 100 };
        // Taken out, since sending needs the rest of the session.
        let mut sending = std::mem::take(&mut self.sending);
        for (seq_no, segment) in sending.range_mut(..=end) {
            if segment.next_send.is_none_or(|time| now >= time) {
                self.send_segment(*seq_no, &segment.data, now, random, send);
                let interval = first.saturating_mul(1 << segment.times.min(10)).min(RUDP_RESEND_TIMER_MAX);
                segment.times = segment.times.saturating_add(1);
                segment.next_send = Some(now.saturating_add(interval));
            }
        }
        self.sending = sending;
    }

    /// Sends a segment, with as many numbers that wait to be answered as fit (C: `RUDPSendSegmentNow`, Mayaqua/Network.c, which
    /// takes for the next IV bytes of the datagram before).
    fn send_segment(&mut self, seq_no: u64, data: &[u8], now: u64, random: Random<'_>, send: &mut dyn FnMut(&[u8])) {
        let mut drawn = [0; SHA1_SIZE + 1];
        random(&mut drawn);
        let [padding, iv @ ..] = drawn;
        let acks = std::iter::from_fn(|| self.acks.pop_first()).take(RUDP_MAX_NUM_ACK).collect();
        let (your_tick, max_ack) = (self.peer_tick, self.complete_seq_no);
        let segment = Segment { my_tick: now, your_tick, max_ack, acks, seq_no, data: data.to_vec() };
        send(&wire::seal(&segment, &self.keys.send, &iv, padding, self.mask.as_ref()));
        if !data.is_empty() {
            self.last_sent = Some(now);
        }
    }

    /// Ends the session, and tells the peer. What was written and has not arrived is lost; see [`Session::is_flushed`] (C:
    /// `RUDPDisconnectSession`, Mayaqua/Network.c).
    pub fn close(&mut self, now: u64, random: Random<'_>, send: &mut dyn FnMut(&[u8])) {
        self.end(End::Here, now, random, send);
    }

    fn end(&mut self, end: End, now: u64, random: Random<'_>, send: &mut dyn FnMut(&[u8])) {
        if matches!(self.status, Status::Closed(_)) {
            return;
        }
        if let Some(disconnect) = self.disconnect.filter(|_| self.status == Status::Established) {
            (0..DISCONNECTS).for_each(|_| self.send_segment(disconnect, &[], now, random, send));
        }
        self.status = Status::Closed(end);
    }

    /// When [`Session::poll`] has something to do, if nothing happens before; `None` when it is over (C: the times that
    /// AddInterrupt is told).
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        let last_sent = |interval: u64| self.last_sent.map_or(0, |sent| sent.saturating_add(interval));
        match self.status {
            Status::Closed(_) => None,
            Status::Connecting => Some(last_sent(RUDP_RESEND_TIMER)),
            Status::Established => {
                let window = self.window_end();
                let has_room = window.is_none_or(|end| self.next_seq_no <= end);
                let next_in_stream = self.early.contains_key(&(self.complete_seq_no + 1));
                let is_now = !self.acks.is_empty()
                    || (has_room && !self.outgoing.is_empty())
                    || (next_in_stream && self.incoming.len() <= RUDP_MAX_FIFO_SIZE);
                if is_now {
                    return Some(0);
                }
                let segments = self.sending.range(..=window.unwrap_or(0));
                let resend = segments.map(|(_, segment)| segment.next_send.unwrap_or(0));
                // While segments are on their way nobody is asked for a sign of life.
                let keep_alive = self.sending.is_empty().then(|| last_sent(self.keep_alive_interval));
                let timeout = self.echoed_tick.saturating_add(RUDP_TIMEOUT);
                resend.chain(keep_alive).chain([timeout]).min()
            }
        }
    }
}

fn keep_alive_interval(random: Random<'_>) -> u64 {
    u64::from(rand_interval(RUDP_KEEPALIVE_INTERVAL_MIN, RUDP_KEEPALIVE_INTERVAL_MAX, number_of(random)))
}

#[cfg(test)]
impl Session {
    /// What all keys come from.
    pub(super) const fn initial(&self) -> Key {
        self.initial
    }

    /// Bytes that are kept, and one for each number.
    pub(super) fn kept(&self) -> usize {
        let segments = self.sending.values().map(|segment| segment.data.len()).sum::<usize>();
        let early = self.early.values().map(Vec::len).sum::<usize>();
        let frames = self.frames.iter().map(Vec::len).sum::<usize>();
        segments + early + frames + self.acks.len() + self.incoming.len() + self.outgoing.len()
    }
}
