//! A client's connection over a socket: a thread that sends and receives, and a stream for another that reads and writes.
//! (C: `NewRUDPClientDirect`, `RUDPMainThread`, Mayaqua/Network.c, between which and the session two sockets of TCP and two
//! tubes stand.)
//!
//! 1. The thread waits for the socket, for the session's next time, or to be woken, and owns nothing but the socket.
//! 2. What comes goes into the session, under the lock; what the session wants sent is collected there and sent without it.
//! 3. [`Stream`] reads and writes in the session under the lock, wakes the thread, and waits for the thread's signal.

use super::dns::{open_dns, seal_dns};
use super::keys::Side;
use super::session::{End, Session, Status, Transport};
use super::{BulkKeys, Random};
use crate::net::{Cancel, Limit, Udp, Wake, enlarge_buffers};
use crate::tick::tick64;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::SockRef;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const SOCKET: Token = Token(0);
const WAKER: Token = Token(1);

/// Most datagrams that are taken before what they ask for is done.
const DATAGRAMS_MAX: usize = 64;
/// Most bulk datagrams that wait to be sent.
const BULK_MAX: usize = 1024;
/// Longest wait, so that a clock that stands still does no harm.
const WAIT_MAX: Duration = Duration::from_secs(5);

struct State {
    session: Session,
    bulk: Vec<Vec<u8>>,
    /// The stream was dropped, or there is no connection to wait for any more.
    is_left: bool,
    /// The thread is gone: what ended it, if not the session.
    gone: Option<ErrorKind>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    waker: Waker,
}

impl Shared {
    /// A panic of the other thread spoils nothing here: no value is of use to both before a statement is over.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_thread(&self) {
        // The only failure is a full counter, which wakes as well.
        let _ = self.waker.wake();
    }
}

impl Wake for Shared {
    fn wake(&self) {
        // With the lock: who has looked at the flag waits already.
        let _state = self.state();
        self.changed.notify_all();
    }
}

/// A connection for one thread; reads and writes wait as long as [`Stream::set_timeout`] says, or until the [`Cancel`] of its
/// connect is cancelled. Dropping it ends it at once: what has to arrive is to be flushed before.
pub struct Stream {
    shared: Arc<Shared>,
    cancel: Cancel,
    timeout: Option<Duration>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shared.state().session.fmt(f)
    }
}

impl Stream {
    /// Connects to a server that is known to be at `peer` (C: `NewRUDPClientDirect`, `NewRUDP`, Mayaqua/Network.c). As long as nobody answers
    /// it is tried again: the limit should have a time (the C's are 5 s, and 12 s).
    ///
    /// # Errors
    ///
    /// `TimedOut`; `ConnectionAborted` when cancelled; what the system says.
    pub fn connect(peer: SocketAddr, transport: Transport<'_>, limit: &Limit) -> io::Result<Self> {
        let any: SocketAddr = match peer {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        enlarge_buffers(&SockRef::from(&socket));
        Self::over(socket, peer, transport, limit)
    }

    /// The same over a socket, which [`super::nat_t::find`] has used, unless that said `same_lan`.
    ///
    /// # Errors
    ///
    /// As [`Stream::connect`].
    pub fn connect_over(udp: Udp, peer: SocketAddr, transport: Transport<'_>, limit: &Limit) -> io::Result<Self> {
        Self::over(udp.into_socket()?, peer, transport, limit)
    }

    fn over(mut socket: UdpSocket, peer: SocketAddr, transport: Transport<'_>, limit: &Limit) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let session = drawn(|random| Session::connect(tick64(), peer, transport, random))?;
        let state = Mutex::new(State { session, bulk: Vec::new(), is_left: false, gone: None });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), waker });
        limit.cancel.tell(&shared);
        let is_dns = matches!(transport, Transport::Dns(_));
        let driver = Driver { socket, poll, shared: Arc::clone(&shared), is_dns, error: ErrorKind::BrokenPipe };
        let thread = thread::Builder::new().name("r-udp".to_owned()).spawn(move || driver.run())?;
        let mut stream = Self { shared, cancel: limit.cancel.clone(), timeout: limit.timeout, thread: Some(thread) };
        stream.wait(|state| (state.session.status() != Status::Connecting).then_some(()))?;
        stream.timeout = None;
        Ok(stream)
    }

    /// For how long each read, write and flush may wait; `None`: for ever.
    pub const fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Sets the keys of bulk datagrams.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn set_bulk_keys(&self, keys: &BulkKeys) -> io::Result<()> {
        self.shared.state().session.set_bulk_keys(keys).map_err(io::Error::other)
    }

    /// Sends a bulk datagram, which may be lost; whether there was room for it.
    ///
    /// # Errors
    ///
    /// `NotConnected` without keys or when it is over; the system has no randomness.
    pub fn send_bulk(&self, data: &[u8]) -> io::Result<bool> {
        let mut state = self.shared.state();
        if state.bulk.len() >= BULK_MAX {
            return Ok(false);
        }
        let sealed = drawn(|random| state.session.seal_bulk(data, random))?;
        state.bulk.push(sealed.ok_or(ErrorKind::NotConnected)?);
        drop(state);
        self.shared.wake_thread();
        Ok(true)
    }

    /// Waits for a bulk datagram; `None` at the end.
    ///
    /// # Errors
    ///
    /// As reading.
    pub fn receive_bulk(&self) -> io::Result<Option<Vec<u8>>> {
        self.wait(|state| {
            let frame = state.session.take_bulk();
            let is_over = matches!(state.session.status(), Status::Closed(End::Peer | End::Here));
            (frame.is_some() || is_over).then_some(frame)
        })
    }

    /// Where the server is now, and the latest round trip in milliseconds, 0 if none is known.
    #[must_use]
    pub fn peer(&self) -> (SocketAddr, u64) {
        let state = self.shared.state();
        (state.session.peer(), state.session.round_trip())
    }

    /// Tries `attempt` until it gives something, the session fails, the time is over or it is cancelled.
    fn wait<T>(&self, mut attempt: impl FnMut(&mut State) -> Option<T>) -> io::Result<T> {
        let end = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.shared.state();
        loop {
            if self.cancel.is_cancelled() {
                return Err(io::Error::new(ErrorKind::ConnectionAborted, "cancelled"));
            }
            if let Some(result) = attempt(&mut state) {
                return Ok(result);
            }
            if state.session.status() == Status::Closed(End::TimedOut) {
                return Err(io::Error::new(ErrorKind::TimedOut, "the server is silent"));
            }
            if let Some(error) = state.gone {
                return Err(error.into());
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            state = match left {
                None => self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return Err(io::Error::new(ErrorKind::TimedOut, "timed out")),
                Some(left) => self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.wait(|state| {
            let size = state.session.read(buffer);
            let is_over = matches!(state.session.status(), Status::Closed(End::Peer | End::Here));
            (size != 0 || is_over || buffer.is_empty()).then_some(size)
        })?;
        // What was read makes room for more.
        self.shared.wake_thread();
        Ok(size)
    }
}

impl Write for Stream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let size = self.wait(|state| {
            if matches!(state.session.status(), Status::Closed(End::Peer | End::Here)) {
                return Some(Err(io::Error::from(ErrorKind::BrokenPipe)));
            }
            let size = state.session.write(data);
            (size != 0 || data.is_empty()).then_some(Ok(size))
        })??;
        self.shared.wake_thread();
        Ok(size)
    }

    /// Waits until everything has arrived.
    fn flush(&mut self) -> io::Result<()> {
        self.wait(|state| {
            if state.session.is_flushed() {
                return Some(Ok(()));
            }
            let is_over = matches!(state.session.status(), Status::Closed(End::Peer | End::Here));
            is_over.then(|| Err(io::Error::from(ErrorKind::BrokenPipe)))
        })?
    }
}

impl Drop for Stream {
    /// Ends the session and waits for the thread, which waits for nothing then (C: `FreeRUDP`, Mayaqua/Network.c).
    fn drop(&mut self) {
        self.shared.state().is_left = true;
        self.shared.wake_thread();
        // A thread that has panicked has nothing left to do.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The thread's part.
struct Driver {
    socket: UdpSocket,
    poll: Poll,
    shared: Arc<Shared>,
    is_dns: bool,
    /// What waits for the thread in vain is told.
    error: ErrorKind,
}

impl Drop for Driver {
    /// Also when the thread panics.
    fn drop(&mut self) {
        self.shared.state().gone = Some(self.error);
        self.shared.changed.notify_all();
    }
}

impl Driver {
    fn run(mut self) {
        if let Err(error) = self.serve() {
            self.error = error.kind();
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(4);
        let mut buffer = vec![0; 65_536];
        loop {
            let is_drained = self.receive(&mut buffer);
            let due = self.send()?;
            self.shared.changed.notify_all();
            let Some(due) = due else { return Ok(()) };
            let wait = Duration::from_millis(due.saturating_sub(tick64())).min(WAIT_MAX);
            let wait = if is_drained { wait } else { Duration::ZERO };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }

    /// Takes what came; whether that is all. An error of the socket says that a datagram found nobody: time tells.
    fn receive(&self, buffer: &mut [u8]) -> bool {
        for _ in 0..DATAGRAMS_MAX {
            match self.socket.recv_from(buffer) {
                Ok((size, source)) => {
                    let datagram = buffer.get(..size).unwrap_or_default();
                    let plain = if self.is_dns { open_dns(datagram, Side::Client) } else { Some(([0; 2], datagram)) };
                    if let Some((_, datagram)) = plain {
                        self.shared.state().session.receive(tick64(), source, datagram);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => {}
            }
        }
        false
    }

    /// Sends what is due; when the next is, `None` when it is over.
    fn send(&self) -> io::Result<Option<u64>> {
        let mut state = self.shared.state();
        let mut datagrams = std::mem::take(&mut state.bulk);
        let mut collect = |datagram: &[u8]| datagrams.push(datagram.to_vec());
        let now = tick64();
        let is_left = state.is_left;
        drawn(|random| match is_left {
            false => state.session.poll(now, random, &mut collect),
            true => state.session.close(now, random, &mut collect),
        })?;
        let (peer, due) = (state.session.peer(), state.session.next_due());
        drop(state);
        for datagram in datagrams {
            // What the system does not take is lost on the way, as any datagram may be.
            let _ = if self.is_dns {
                let (id, random) = drawn(|random| {
                    let (mut id, mut bytes) = ([0; 2], [0; 8]);
                    random(&mut id);
                    random(&mut bytes);
                    (id, bytes)
                })?;
                self.socket.send_to(&seal_dns(&datagram, Side::Client, id, random), peer)
            } else {
                self.socket.send_to(&datagram, peer)
            };
        }
        Ok(due)
    }
}

/// Does something that needs randomness, if the system has some.
fn drawn<T>(work: impl FnOnce(Random<'_>) -> T) -> io::Result<T> {
    let mut failed = None;
    let result = work(&mut |bytes| {
        if let Err(error) = getrandom::fill(bytes) {
            failed = Some(error);
        }
    });
    failed.map_or(Ok(result), |error| Err(io::Error::other(error)))
}
