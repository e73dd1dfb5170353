//! A UDP socket (C: `SOCK` of the type `SOCK_UDP`, Mayaqua/Network.c).

use super::Cancel;
use super::wait::Wait;
use mio::net::UdpSocket;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Bytes that a socket's buffers may have, as far as the system lets them (C: the same name, Network.h).
pub const UDP_MAX_BUFFER_SIZE: usize = 11_911_168;

/// Below this a buffer is left as the system made it (C: a number in `SetSocketBufferSizeWithBestEffort`).
const UDP_BUFFER_SIZE_LEAST: usize = 32_768;

/// The TOS of what goes before other traffic (C: a number in `SetSockHighPriority`).
const TOS_HIGH_PRIORITY: u32 = 16;

/// A socket for one thread; see [`super::Tcp`] for how it waits.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    wait: Wait,
}

impl Udp {
    /// A socket at an address; port 0 is any that is free (C: `NewUDP`, `NewUDPEx`, `NewUDPEx2`, `NewUDPEx3`, `NewUDP4`,
    /// `NewUDP6`, `NewUDP4ForSpecificIp`, Mayaqua/Network.c).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn bind(address: SocketAddr, cancel: &Cancel) -> io::Result<Self> {
        let mut socket = UdpSocket::bind(address)?;
        enlarge_buffers(&SockRef::from(&socket));
        let wait = Wait::new(&mut socket, cancel)?;
        Ok(Self { socket, wait })
    }

    /// The socket, watched by nobody.
    pub(crate) fn into_socket(mut self) -> io::Result<UdpSocket> {
        self.wait.release(&mut self.socket)?;
        Ok(self.socket)
    }

    /// Where it is.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// For how long each operation may wait; `None`: for ever.
    pub const fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.wait.timeout = timeout;
    }

    /// When all operations end, whatever each may take; `None`: never.
    pub const fn set_end(&mut self, end: Option<Instant>) {
        self.wait.end = end;
    }

    /// Whether what is sent goes before other traffic where a network cares for that; IPv4 only (C: `SetSockHighPriority`,
    /// `SetSockTos`, Mayaqua/Network.c, which takes no notice of an error).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_high_priority(&self, is_high: bool) -> io::Result<()> {
        SockRef::from(&self.socket).set_tos_v4(if is_high { TOS_HIGH_PRIORITY } else { 0 })
    }

    /// Sends one datagram (C: `SendTo`, `SendToEx`, `SendTo6Ex`, Mayaqua/Network.c).
    ///
    /// # Errors
    ///
    /// As [`Udp::receive_from`]; a datagram that is too long.
    pub fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> io::Result<usize> {
        let socket = &self.socket;
        self.wait.until(|| socket.send_to(data, peer))
    }

    /// Receives one datagram, cut to the length of `buffer`, and who sent it (C: `RecvFrom`, `RecvFrom6`, Mayaqua/Network.c).
    ///
    /// # Errors
    ///
    /// `TimedOut`; `ConnectionAborted` when cancelled; what the system says.
    pub fn receive_from(&mut self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let socket = &self.socket;
        self.wait.until(|| socket.recv_from(buffer))
    }
}

/// Lets a socket's buffers have [`UDP_MAX_BUFFER_SIZE`], or as much less as the system takes; none is no error (C:
/// `InitUdpSocketBufferSize`, `SetSocketBufferSizeWithBestEffort`, `SetSocketBufferSize`, Mayaqua/Network.c). Linux takes every
/// size and gives what `net.core.rmem_max` and `wmem_max` allow.
pub(crate) fn enlarge_buffers(socket: &SockRef<'_>) {
    let sizes = || {
        let smaller = |size: &usize| Some(size / 3 * 2).filter(|size| *size >= UDP_BUFFER_SIZE_LEAST);
        std::iter::successors(Some(UDP_MAX_BUFFER_SIZE), smaller)
    };
    let _ = sizes().find(|size| socket.set_send_buffer_size(*size).is_ok());
    let _ = sizes().find(|size| socket.set_recv_buffer_size(*size).is_ok());
}
