//! A TCP connection (C: `SOCK` of the type `SOCK_TCP`, Mayaqua/Network.c).

use super::wait::Wait;
use super::{Cancel, Limit};
use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

/// A connection for one thread; reads and writes wait as long as [`Tcp::set_timeout`] says, or until the [`Cancel`] of its
/// connect is cancelled. Dropping it closes it (C: `ReleaseSock`, `CleanupSock`).
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    wait: Wait,
}

impl Tcp {
    /// Connects to an address (C: `ConnectTimeoutIPv4`, Mayaqua/Network.c).
    ///
    /// # Errors
    ///
    /// `TimedOut`; `ConnectionAborted` when cancelled; what the system says.
    pub fn connect(address: SocketAddr, limit: &Limit) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        let mut wait = Wait::new(&mut stream, &limit.cancel)?;
        wait.timeout = limit.timeout;
        wait.until(|| match stream.take_error()? {
            Some(error) => Err(error),
            None => stream.peer_addr().map(drop).map_err(|error| match error.kind() {
                // Still on its way.
                ErrorKind::NotConnected => ErrorKind::WouldBlock.into(),
                _ => error,
            }),
        })?;
        wait.timeout = None;
        stream.set_nodelay(true)?;
        Ok(Self { stream, wait })
    }

    /// Takes over a connection of std.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn from_std(stream: std::net::TcpStream, cancel: &Cancel) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let wait = Wait::new(&mut stream, cancel)?;
        Ok(Self { stream, wait })
    }

    /// For how long each read and write may wait; `None`: for ever (C: `SetTimeout`, Mayaqua/Network.c; `GetTimeout`).
    pub const fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.wait.timeout = timeout;
    }

    /// When all reads and writes end, whatever each may take; `None`: never. A peer that sends a byte now and then is held to
    /// this, and not to a timeout.
    pub const fn set_end(&mut self, end: Option<Instant>) {
        self.wait.end = end;
    }

    /// The peer's address and this side's (C: `QuerySocketInformation`, Mayaqua/Network.c).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.stream.peer_addr()?, self.stream.local_addr()?))
    }

    /// Says that this side sends no more, or that nothing shall come any more either (C: `Disconnect`, Mayaqua/Network.c).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.stream.shutdown(how)
    }
}

impl Read for Tcp {
    /// (C: `Recv` and, by `read_exact`, `RecvAll`, Mayaqua/Network.c).
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stream = &self.stream;
        self.wait.until(|| (&mut &*stream).read(buffer))
    }
}

impl Write for Tcp {
    /// (C: `Send` and, by `write_all`, `SendAll`, Mayaqua/Network.c).
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let stream = &self.stream;
        self.wait.until(|| (&mut &*stream).write(data))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
