//! UDP acceleration in Rust, as the path's [`Datagrams`](super::Datagrams) want it (C: the UDP parts of `ConnectionSend` and
//! `ConnectionReceive`, and `UdpAccelPoll`).
//!
//! Up: a frame is copied once, behind room for its header, padded like its equals in the batch, sealed in place, and sent
//! with the batch by one call. Down: datagrams are received by the batch, opened in place, and written to the TAP from there. The protocol is
//! `cedar::udp_accel`'s, the system calls are `cedar::datagram`'s.

use crate::adapter::{Frames, Span};
use crate::datagram::{Inbox, Outbox, path_mtu};
use crate::framing::wire::MAX_PACKET_SIZE;
use crate::udp_accel::wire::UDP_ACCELERATION_TMP_BUF_SIZE;
use crate::udp_accel::{NatT, Received, UdpAccel};
use arrayvec::ArrayVec;
use rustix::io::Errno;
use rustix::net::{SendFlags, getsockname, sendto};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Batches of datagrams received in a turn, so that TCP and the card have theirs.
const RECEIVES_MAX: usize = 2;

/// Errors of a turn that mean nothing; more are fatal (C: the same name, Mayaqua/Network.h).
const MAX_NUM_IGNORE_ERRORS: u32 = 1024;

/// UDP acceleration of a session: its state and its socket.
#[derive(Debug)]
pub struct Udp {
    /// What the owner reads and writes between runs.
    pub accel: UdpAccel,
    /// The socket does not work any more, and the session is to end (C: `FatalError`).
    pub is_broken: bool,
    /// What has passed, for people.
    pub counters: UdpCounters,
    socket: OwnedFd,
    outbox: Outbox,
    inbox: Inbox,
    /// Where the frames stand in the inbox.
    spans: ArrayVec<Span, { Inbox::DATAGRAMS_MAX }>,
    /// Of the batch that is being collected: equal frames get equal padding, and so share a run.
    random: u32,
}

/// Datagrams of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpCounters {
    /// The kernel took them.
    pub sent: u64,
    /// The kernel did not: its buffer was full, or there was no way.
    pub not_sent: u64,
    /// They came, and were the peer's.
    pub received: u64,
    /// They came, and were refused.
    pub rejected: u64,
    /// Calls of sendmmsg and recvmmsg.
    pub calls: u64,
}

impl Udp {
    /// `socket` does not block, and is bound.
    #[must_use]
    pub fn new(accel: UdpAccel, socket: OwnedFd) -> Self {
        Self {
            accel,
            is_broken: false,
            counters: UdpCounters::default(),
            socket,
            outbox: Outbox::new(),
            inbox: Inbox::new(),
            spans: ArrayVec::new(),
            random: 0,
        }
    }

    /// Readable when something has come.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Receives what has come, hands out its frames where they stand, and sends what is due: keep-alives, questions to NAT-T servers.
    pub fn poll(&mut self, now: u64, mut random: impl FnMut() -> u32, each: &mut dyn FnMut(Frames<'_>)) {
        self.accel.state.now = now;
        self.receive_all(each);
        let due = self.accel.state.poll(&mut random);
        if due.keep_alive {
            self.look_at_the_way();
            self.send_keep_alive(random());
        }
        if let Some(server) = due.nat_t_request {
            self.send_to(NatT::REQUEST, server);
        }
        self.random = random();
    }

    /// Asks how long datagrams may be now. Where one would be fragmented, the frame goes by TCP.
    fn look_at_the_way(&mut self) {
        let own = getsockname(&self.socket).ok().and_then(|own| SocketAddr::try_from(own).ok());
        let mtu = own.and_then(|own| path_mtu(own.ip(), self.accel.state.peer()));
        self.accel.set_path_mtu(mtu);
    }

    fn send_keep_alive(&mut self, random: u32) {
        let mut datagram = [0; UDP_ACCELERATION_TMP_BUF_SIZE];
        let padding = self.accel.padding(0, random);
        let Ok(size) = self.accel.seal(&mut datagram, 0, false, padding) else { return };
        for target in self.accel.state.keep_alive_targets() {
            self.send_to(datagram.get(..size).unwrap_or_default(), target);
        }
    }

    fn send_to(&mut self, datagram: &[u8], target: SocketAddr) {
        match sendto(&self.socket, datagram, SendFlags::DONTWAIT, &target) {
            Ok(_) => {}
            Err(errno) => self.heed(errno.raw_os_error()),
        }
    }

    /// Whether the datagram of such a frame is never fragmented.
    #[must_use]
    pub fn carries(&self, frame_size: usize) -> bool {
        self.accel.carries(frame_size)
    }

    /// Takes a frame that [`Udp::carries`] for the batch.
    #[inline]
    pub fn send(&mut self, frame: &[u8]) {
        let padding = self.accel.padding(frame.len(), self.random);
        let size = self.accel.datagram_size(frame.len(), padding);
        if self.outbox.room(size).is_none() {
            self.flush();
        }
        let head = self.accel.headroom();
        let Some(room) = self.outbox.room(size) else { return };
        if let Some(place) = room.get_mut(head..head + frame.len()) {
            place.copy_from_slice(frame);
            match self.accel.seal(room, frame.len(), false, padding) {
                Ok(size) => self.outbox.commit(size),
                Err(_) => self.counters.not_sent += 1,
            }
        }
    }

    /// Sends the batch.
    #[inline]
    pub fn flush(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        let sent = self.outbox.send(self.socket.as_fd(), self.accel.state.peer());
        self.counters.sent += sent.datagrams;
        self.counters.not_sent += sent.dropped;
        self.counters.calls += sent.calls;
        if let Some(errno) = sent.error {
            self.heed(errno);
        }
    }

    /// Decides what an error means: nothing, or the end (C: `IgnoreSendErr`, `IgnoreRecvErr`, Mayaqua/Network.c).
    fn heed(&mut self, errno: i32) {
        let is_harmless = [
            Errno::AGAIN,
            Errno::CONNREFUSED,
            Errno::CONNRESET,
            Errno::MSGSIZE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::INTR,
        ];
        if !is_harmless.iter().any(|harmless| harmless.raw_os_error() == errno) {
            tracing::warn!(errno, "the socket of UDP acceleration failed");
            self.is_broken = true;
        }
    }

    fn receive_all(&mut self, each: &mut dyn FnMut(Frames<'_>)) {
        let mut ignored = 0;
        let mut batches = 0;
        while batches < RECEIVES_MAX && !self.is_broken {
            match self.receive(each) {
                Ok(count) if count < Inbox::DATAGRAMS_MAX => return,
                Ok(_) => batches += 1,
                Err(error) => {
                    self.heed(error.raw_os_error().unwrap_or_default());
                    ignored += 1;
                    self.is_broken |= ignored >= MAX_NUM_IGNORE_ERRORS;
                }
            }
        }
    }

    /// Receives a batch and hands out its frames. Returns how many datagrams there were.
    fn receive(&mut self, each: &mut dyn FnMut(Frames<'_>)) -> io::Result<usize> {
        self.counters.calls += 1;
        let count = self.inbox.receive(self.socket.as_fd())?;
        let Self { accel, inbox, counters, spans, .. } = self;
        spans.clear();
        for (number, (datagram, source)) in inbox.datagrams().enumerate() {
            if accel.state.is_from_nat_t(source) {
                accel.state.take_nat_t_answer(datagram);
                continue;
            }
            let begin = datagram.as_ptr().addr();
            match accel.open(datagram, source) {
                // The session agreed on no compression, or it would not be here.
                Ok(Received { frame, is_compressed: false }) if frame.len() <= MAX_PACKET_SIZE => {
                    counters.received += 1;
                    if !frame.is_empty() {
                        let before = frame.as_ptr().addr() - begin;
                        spans.push(Span::new(number * UDP_ACCELERATION_TMP_BUF_SIZE + before, frame.len()));
                    }
                }
                Ok(_) | Err(_) => counters.rejected += 1,
            }
        }
        if !spans.is_empty() {
            each(Frames::new(inbox.memory(), spans));
        }
        Ok(count)
    }
}
