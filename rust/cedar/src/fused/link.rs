//! One TCP connection of a session: its socket, its protection, and what has come or is to go but has not yet.
//! The C has a TCPSOCK with two FIFOs in its place.
#![forbid(unsafe_code)]

use super::protection::Protection;
use super::window::Window;
use super::{NOTSENT_LOWAT, RECEIVE_MAX, RECORD_BYTES, RECORDS_MAX};
use crate::framing::wire::{MAX_BLOCK_SIZE, WORD_SIZE};
use crate::framing::{MAX_ENCODED_KEEP_ALIVE_SIZE, ProtocolError, SliceDecoder};
use crate::session::TcpSock;
use crate::tls::{Error, FRAGMENT_MAX, HEADER, SealError};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::SockRef;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub use crate::session::Direction;

/// Most plaintext that may wait when a connection joins: one TLS record that the login had read already.
const HANDED_OVER_MAX: usize = crate::tls::PLAINTEXT_MAX;

/// Most plaintext in a turn: what was cut before, or handed over, and what is received.
pub(super) const PLAINTEXT_MAX: usize =
    RECEIVE_MAX + HEADER + FRAGMENT_MAX + HANDED_OVER_MAX + WORD_SIZE + MAX_BLOCK_SIZE;

/// Why a connection is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The peer closed it, or said that it sends no more.
    #[error("the server closed the connection")]
    Closed,
    /// The kernel says so: reset, timed out, no route.
    #[error("the connection failed (errno {})", .0.raw_os_error())]
    System(Errno),
    /// Its records are not what the peer sent, or break the protocol.
    #[error("TLS: {0}")]
    Tls(Error),
    /// Its key is used up.
    #[error("TLS: {0}")]
    Seal(SealError),
    /// The peer broke the framing's protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(ProtocolError),
}

/// What has passed on one connection since it joined (C: `SendSize`, `SendNum`, `RecvSize`, `RecvNum` of SOCK).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Bytes given to the kernel, as they are on the wire.
    pub sent_bytes: u64,
    /// Calls of `send` that took something.
    pub sends: u64,
    /// Bytes received, as they are on the wire.
    pub received_bytes: u64,
    /// Calls of `recv` that gave something.
    pub receives: u64,
}

/// One TCP connection.
#[derive(Debug)]
pub struct Link {
    /// The owner's name for it.
    pub(super) id: usize,
    pub(super) socket: OwnedFd,
    pub(super) protection: Protection,
    pub(super) timers: TcpSock,
    pub(super) decoder: SliceDecoder,
    pub(super) counters: LinkCounters,
    pub(super) lost: Option<Lost>,
    /// Plaintext is there that came before the connection joined.
    pub(super) is_fresh: bool,
    /// Bytes as received: records, of which the last may be incomplete.
    pub(super) received: Box<[u8]>,
    pub(super) received_len: usize,
    /// Plaintext that begins a number or a body and does not end it.
    pub(super) cut: Vec<u8>,
    /// Bytes to send; those before `sent` the kernel has.
    pub(super) sending: Box<[u8]>,
    pub(super) sending_len: usize,
    pub(super) sent: usize,
    pub(super) overhead_reported: u64,
    pub(super) window: Window,
}

impl Link {
    /// A connection on `socket`, which is connected. `id` is for the owner. `handed_over` is plaintext that came
    /// already, at most one record's; `use_compress` is the session's. All memory it will use is allocated here.
    #[must_use]
    pub fn new(
        id: usize,
        socket: OwnedFd,
        protection: Protection,
        timers: TcpSock,
        use_compress: bool,
        handed_over: &[u8],
    ) -> Self {
        // A kernel that refuses is left as it is.
        let _ = SockRef::from(&socket).set_tcp_nodelay(true);
        let _ = SockRef::from(&socket).set_tcp_notsent_lowat(NOTSENT_LOWAT);
        let mut cut = Vec::with_capacity(HANDED_OVER_MAX + WORD_SIZE + MAX_BLOCK_SIZE);
        cut.extend_from_slice(handed_over.get(..HANDED_OVER_MAX).unwrap_or(handed_over));
        let is_clear = matches!(protection, Protection::Clear);
        let received = if is_clear { 0 } else { RECEIVE_MAX + HEADER + FRAGMENT_MAX };
        const { assert!(MAX_ENCODED_KEEP_ALIVE_SIZE <= RECORD_BYTES) };
        let sending = RECORDS_MAX * protection.sealed_len_max(RECORD_BYTES);
        Self {
            id,
            socket,
            protection,
            timers,
            decoder: SliceDecoder::resume(SliceDecoder::new().position(), use_compress),
            counters: LinkCounters::default(),
            lost: None,
            is_fresh: !cut.is_empty(),
            received: vec![0; received].into_boxed_slice(),
            received_len: 0,
            cut,
            sending: vec![0; sending].into_boxed_slice(),
            sending_len: 0,
            sent: 0,
            overhead_reported: 0,
            window: Window::default(),
        }
    }

    /// The owner's name for it.
    #[must_use]
    pub fn id(&self) -> usize {
        self.id
    }

    /// Its timers.
    #[must_use]
    pub fn timers(&self) -> &TcpSock {
        &self.timers
    }

    /// What has passed.
    #[must_use]
    pub fn counters(&self) -> LinkCounters {
        self.counters
    }

    /// What stands between plaintext and the wire.
    #[must_use]
    pub fn protection(&self) -> &Protection {
        &self.protection
    }

    /// Why it is of no further use, if so.
    #[must_use]
    pub fn lost(&self) -> Option<Lost> {
        self.lost
    }

    pub(super) fn lose(&mut self, why: Lost) {
        self.lost.get_or_insert(why);
    }

    /// Whether bytes wait for the kernel.
    #[inline]
    pub(super) fn is_blocked(&self) -> bool {
        self.sent < self.sending_len
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Receives once, at most [`RECEIVE_MAX`] bytes; 0: nothing is there.
    #[inline(always)]
    pub(super) fn receive(socket: &OwnedFd, into: &mut [u8]) -> Result<usize, Lost> {
        let room = into.len().min(RECEIVE_MAX);
        let into = into.get_mut(..room).unwrap_or_default();
        if into.is_empty() {
            // No room is not the end of the stream, which a read of nothing would look like.
            return Ok(0);
        }
        loop {
            match rustix::net::recv(socket, &mut *into, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Err(Lost::Closed),
                Ok((size, _)) => return Ok(size.min(into.len())),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                Err(errno) => return Err(Lost::System(errno)),
            }
        }
    }

    /// Sends what waits, as far as the kernel takes it. Returns the bytes it took.
    #[inline(always)]
    pub(super) fn flush(&mut self) -> usize {
        let mut taken = 0;
        while self.is_blocked() {
            let waiting = self.sending.get(self.sent..self.sending_len).unwrap_or_default();
            match rustix::net::send(&self.socket, waiting, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(size) => {
                    self.sent += size;
                    taken += size;
                    self.counters.sent_bytes += size as u64;
                    self.counters.sends += 1;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => {
                    self.lose(Lost::System(errno));
                    break;
                }
            }
        }
        if self.sending_len != 0 {
            self.timers.sent(!self.is_blocked());
        }
        if !self.is_blocked() {
            (self.sent, self.sending_len) = (0, 0);
        }
        taken
    }

    /// Seals `plaintext`, if it is not empty, behind what was sealed since the last flush, which left nothing.
    #[inline]
    pub(super) fn seal(&mut self, plaintext: &[u8]) {
        debug_assert_eq!(self.sent, 0);
        if plaintext.is_empty() || self.lost.is_some() {
            return;
        }
        let room = self.sending.get_mut(self.sending_len..).unwrap_or_default();
        match self.protection.seal(plaintext, room) {
            Ok(size) => self.sending_len += size,
            Err(error) => self.lose(Lost::Seal(error)),
        }
    }

    /// Says goodbye as far as the kernel takes it now, and forgets what waits.
    pub(super) fn say_goodbye(&mut self) {
        if self.is_blocked() {
            // A record is half sent: nothing can follow it.
            return;
        }
        let error = match self.lost {
            None => None,
            Some(Lost::Tls(error)) => Some(error),
            Some(Lost::Protocol(_)) => None,
            Some(Lost::Closed | Lost::System(_) | Lost::Seal(_)) => return,
        };
        let size = self.protection.seal_end(error, &mut self.sending);
        (self.sent, self.sending_len) = (0, size);
        self.flush();
    }
}
