//! UDP acceleration: frames of a session as datagrams beside its TCP connections (C: `Cedar/UdpAccel.c`), versions 1
//! and 2 as the C has them. No I/O, no clock and no randomness of its own: they are arguments. After construction
//! nothing allocates.
//!
//! The way of a frame up, C: `UdpAccelSend`
//!
//! 1. [`State::is_send_ready`] says whether the peer has answered by UDP for long enough, and [`UdpAccel::carries`] whether
//!    the frame fits into a datagram that nobody fragments. What does not fit goes by TCP.
//! 2. The caller puts the frame [`UdpAccel::headroom`] bytes into a buffer that has [`UdpAccel::datagram_size`] bytes.
//! 3. [`UdpAccel::seal`] writes header, padding and trailer around it and ciphers it in place.
//! 4. The caller sends it to [`State::peer`]; `cedar::datagram` sends many at once.
//!
//! The way of a frame down, C: `UdpAccelPoll` and `UdpAccelProcessRecvPacket`
//!
//! 1. The caller has received a datagram. The NAT-T server's ([`State::is_from_nat_t`]) go to [`State::take_nat_t_answer`].
//! 2. [`UdpAccel::open`] deciphers it in place, checks it, notes the peer's clock and address, and returns the frame.
//! 3. From time to time [`State::poll`] wants a keep-alive ([`UdpAccel::seal`] with no frame) or a question sent.
//!
//! Replay: as in the C, a datagram is refused when it is 30 s older than the newest one. Younger copies pass, as copies
//! of frames pass on an Ethernet.

#![forbid(unsafe_code)]

mod cipher;
mod state;
pub mod wire;

pub use cipher::{KeyV1, KeyV2, Protection};
pub use state::{Due, KEEP_ALIVE_TARGETS_MAX, NatT, State};

use cipher::Cipher;
use std::net::SocketAddr;
use wire::{
    HEADER_SIZE, Header, KEEP_ALIVE_SIZE_MAX, UDP_ACCELERATION_MAX_PADDING_SIZE,
    UDP_ACCELERATION_SUPPORTED_MAX_PAYLOAD_SIZE,
};

/// UDP acceleration of one session, on one thread.
#[derive(Debug)]
pub struct UdpAccel {
    /// Addresses, clocks and timers. The caller sets `now` before it calls anything.
    pub state: State,
    cipher: Cipher,
    my_cookie: u32,
    your_cookie: u32,
    max_udp_packet_size: usize,
    /// The same, or less where the way to the peer is narrower.
    datagram_size_max: usize,
}

/// A frame that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// The frame, or its zlib stream; empty in a keep-alive.
    pub frame: &'a [u8],
    /// Whether it is compressed.
    pub is_compressed: bool,
}

/// Why a datagram is thrown away. The C does the same in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Too short, or not sealed with the peer's key (in version 1, and without protection, other checks find that).
    #[error("the datagram is not the peer's")]
    NotAuthentic,
    /// It does not carry the cookie that was given to the peer.
    #[error("the datagram carries a wrong cookie")]
    WrongCookie,
    /// Its header is cut, its frame longer than itself, or the zeros at its end are none (version 1).
    #[error("the datagram is malformed")]
    Malformed,
    /// It is at least 30 s older than the newest.
    #[error("the datagram is too old")]
    TooOld,
}

/// Why a frame was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Longer than 1600 bytes.
    #[error("the frame is too long")]
    TooLong,
    /// The buffer has no room for the datagram: the caller's mistake.
    #[error("the buffer is shorter than the datagram")]
    NoRoom,
    /// The cipher refused.
    #[error("the cipher failed")]
    Cipher,
}

impl UdpAccel {
    /// For a session whose keys, cookies and addresses are agreed on (C: `UdpAccelInitClient`).
    /// `None` if the cipher does not take the keys.
    ///
    /// `max_udp_packet_size` is in bytes of UDP payload, see [`wire::max_udp_packet_size`].
    #[must_use]
    pub fn new(
        protection: Protection<'_>,
        my_cookie: u32,
        your_cookie: u32,
        max_udp_packet_size: usize,
        state: State,
    ) -> Option<Self> {
        let cipher = Cipher::new(protection)?;
        let datagram_size_max = max_udp_packet_size;
        Some(Self { state, cipher, my_cookie, your_cookie, max_udp_packet_size, datagram_size_max })
    }

    /// Notes the MTU of the way to [`State::peer`], in bytes of IP packets; `None`: unknown. The C never asks and always
    /// reckons with [`wire::MTU_FOR_PPPOE`], which stays the most that a datagram has.
    pub fn set_path_mtu(&mut self, mtu: Option<usize>) {
        let fits = mtu.map(|mtu| wire::datagram_size_max(mtu, self.state.your_ip.is_ipv6()));
        self.datagram_size_max = fits.map_or(self.max_udp_packet_size, |fits| fits.min(self.max_udp_packet_size));
    }

    /// Bytes of a datagram before its frame.
    #[must_use]
    pub const fn headroom(&self) -> usize {
        self.cipher.iv_size() + HEADER_SIZE
    }

    /// Bytes of the datagram of a frame with so much padding.
    #[must_use]
    pub const fn datagram_size(&self, frame_size: usize, padding: usize) -> usize {
        self.headroom() + frame_size + padding + self.cipher.trailer_size()
    }

    /// Whether the datagram of a frame is never fragmented.
    #[must_use]
    pub const fn carries(&self, frame_size: usize) -> bool {
        frame_size <= UDP_ACCELERATION_SUPPORTED_MAX_PAYLOAD_SIZE
            && self.datagram_size(frame_size, 0) <= self.datagram_size_max
    }

    /// Bytes of padding for a frame, or for a keep-alive of 0 bytes: random, less than 32, and within the longest
    /// datagram. None without protection.
    #[must_use]
    pub const fn padding(&self, frame_size: usize, random: u32) -> usize {
        let longest = if frame_size == 0 { KEEP_ALIVE_SIZE_MAX } else { self.datagram_size_max };
        let spare = longest.saturating_sub(self.datagram_size(frame_size, 0));
        let below = if spare < UDP_ACCELERATION_MAX_PADDING_SIZE { spare } else { UDP_ACCELERATION_MAX_PADDING_SIZE };
        // The remainder is below 32.
        match self.cipher {
            Cipher::Plain => 0,
            _ if below == 0 => 0,
            _ => random as usize % below,
        }
    }

    /// The initialisation vector that the next datagram gets; empty without protection.
    #[must_use]
    pub const fn next_iv(&self) -> &[u8] {
        self.cipher.next_iv()
    }

    /// Seals the frame that stands [`UdpAccel::headroom`] bytes into `buffer`, and returns the size of the datagram, which
    /// begins with `buffer`. A keep-alive has a frame of 0 bytes.
    ///
    /// # Errors
    ///
    /// [`SealError`]; what `buffer` holds then is not to be sent.
    pub fn seal(
        &mut self,
        buffer: &mut [u8],
        frame_size: usize,
        is_compressed: bool,
        padding: usize,
    ) -> Result<usize, SealError> {
        let size = match u16::try_from(frame_size) {
            Ok(size) if frame_size <= UDP_ACCELERATION_SUPPORTED_MAX_PAYLOAD_SIZE => size,
            _ => return Err(SealError::TooLong),
        };
        let datagram_size = self.datagram_size(frame_size, padding);
        let datagram = buffer.get_mut(..datagram_size).ok_or(SealError::NoRoom)?;
        let (iv, rest) = datagram.split_at_mut(self.cipher.iv_size());
        let (inner, trailer) = rest.split_at_mut(HEADER_SIZE + frame_size + padding);
        let header = Header {
            cookie: self.your_cookie,
            tick: self.state.now.max(1),
            echo: self.state.last_recv_your_tick,
            size,
            flag: u8::from(is_compressed),
        };
        inner[..HEADER_SIZE].copy_from_slice(&header.to_bytes());
        inner[HEADER_SIZE + frame_size..].fill(0);
        self.cipher.seal(iv, inner, trailer).map_err(|_| SealError::Cipher)?;
        Ok(datagram_size)
    }

    /// Opens a datagram from `source` in place.
    ///
    /// # Errors
    ///
    /// [`Rejected`]; nothing is noted then.
    pub fn open<'d>(&mut self, datagram: &'d mut [u8], source: SocketAddr) -> Result<Received<'d>, Rejected> {
        let inner = self.cipher.open(datagram).ok_or(Rejected::NotAuthentic)?;
        let (cookie, _) = inner.split_first_chunk().ok_or(Rejected::Malformed)?;
        if u32::from_be_bytes(*cookie) != self.my_cookie {
            return Err(Rejected::WrongCookie);
        }
        let (header, rest) = Header::split(inner).ok_or(Rejected::Malformed)?;
        let (frame, behind) = rest.split_at_checked(usize::from(header.size)).ok_or(Rejected::Malformed)?;
        if let Cipher::V1 { .. } = self.cipher {
            let zeros = behind.last_chunk::<{ wire::UDP_ACCELERATION_PACKET_IV_SIZE_V1 }>();
            if zeros.is_none_or(|zeros| zeros.iter().any(|byte| *byte != 0)) {
                return Err(Rejected::Malformed);
            }
        }
        if !self.state.is_in_window(header.tick) {
            return Err(Rejected::TooOld);
        }
        self.state.heard(header.tick, header.echo, source);
        Ok(Received { frame, is_compressed: header.flag != 0 })
    }
}
