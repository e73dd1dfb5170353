//! A UDP socket (C: `SOCK` of the type `SOCK_UDP`, Mayaqua/Network.c).

use super::Cancel;
use super::wait::Wait;
use mio::net::UdpSocket;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

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
        let wait = Wait::new(&mut socket, cancel)?;
        Ok(Self { socket, wait })
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
