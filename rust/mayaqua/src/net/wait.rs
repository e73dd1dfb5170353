//! How a socket waits: by the system, until it is ready, the time is over or it is cancelled.

use super::cancel::{Cancel, Wake};
use mio::event::Source;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SOCKET: Token = Token(0);
const CANCEL: Token = Token(1);

impl Wake for Waker {
    fn wake(&self) {
        // The only failure is a full counter, which wakes as well.
        let _ = Self::wake(self);
    }
}

/// The waiting part of one socket.
#[derive(Debug)]
pub(super) struct Wait {
    poll: Poll,
    events: Events,
    cancel: Cancel,
    /// Wakes `poll` when `cancel` is cancelled, as long as it lives.
    _waker: Arc<Waker>,
    /// For how long each operation may wait.
    pub(super) timeout: Option<Duration>,
    /// When all operations end.
    pub(super) end: Option<Instant>,
}

impl Wait {
    /// Watches `socket`, which does not block.
    pub(super) fn new(socket: &mut impl Source, cancel: &Cancel) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(socket, SOCKET, Interest::READABLE | Interest::WRITABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), CANCEL)?);
        cancel.tell(&waker);
        let events = Events::with_capacity(4);
        Ok(Self { poll, events, cancel: cancel.clone(), _waker: waker, timeout: None, end: None })
    }

    /// Watches `socket` no more.
    pub(super) fn release(&self, socket: &mut impl Source) -> io::Result<()> {
        self.poll.registry().deregister(socket)
    }

    /// Repeats `attempt` until it does not say `WouldBlock`. What became ready while nobody waited is remembered by the
    /// system, so no wait follows a readiness that was missed.
    ///
    /// # Errors
    ///
    /// `TimedOut`; `ConnectionAborted` when cancelled; those of `attempt`.
    pub(super) fn until<T>(&mut self, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let own = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let end = [own, self.end].into_iter().flatten().min();
        loop {
            if self.cancel.is_cancelled() {
                return Err(io::Error::new(ErrorKind::ConnectionAborted, "cancelled"));
            }
            match attempt() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => return result,
            }
            let left = super::left(end);
            if left.is_some_and(|left| left.is_zero()) {
                return Err(io::Error::new(ErrorKind::TimedOut, "timed out"));
            }
            match self.poll.poll(&mut self.events, left) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
}
