//! The proxy's datagrams: one thread for all of them. A client's address and port make a flow, with a socket of its own
//! towards the server, so that answers find their way back.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{setsockopt, sockopt};

use super::tcp::wait;
use super::{Datagrams, FaultSpec, PATIENCE, Shared};
use crate::frames::Direction;

/// Flows at once; the one that was made first gives way.
const FLOWS_MAX: usize = 64;
/// Datagrams that are taken from one socket before another has its turn.
const TURN_MAX: usize = 64;

/// Room for what comes while the proxy gets no processor: it loses what it is told to lose, and no more.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;

/// A client's socket as the server sees it.
struct Flow {
    client: SocketAddr,
    /// The place of the socket that the client sends to.
    listener: usize,
    upstream: UdpSocket,
    up: Datagrams,
    down: Datagrams,
}

/// Relays until the proxy ends.
pub(super) fn relay(
    listeners: Vec<UdpSocket>,
    server: IpAddr,
    enter: &(dyn Fn() -> io::Result<()> + Send + Sync),
    shared: &Shared,
) -> io::Result<()> {
    if listeners.is_empty() {
        return Ok(());
    }
    enter()?;
    listeners.iter().try_for_each(prepare)?;
    let mut relay = Relay { listeners, server, flows: Vec::new(), spec: shared.spec(), changes: 0 };
    while !shared.shall_stop() {
        relay.follow(shared);
        relay.receive(shared)?;
        let next = relay.send(shared.now());
        relay.wait(next, shared)?;
    }
    Ok(())
}

struct Relay {
    listeners: Vec<UdpSocket>,
    server: IpAddr,
    flows: Vec<Flow>,
    spec: FaultSpec,
    changes: u64,
}

impl Relay {
    /// Takes over a changed specification.
    fn follow(&mut self, shared: &Shared) {
        let changes = shared.changes.load(Ordering::Acquire);
        if changes != self.changes {
            self.changes = changes;
            self.spec = shared.spec();
            for flow in &mut self.flows {
                flow.up.set(&self.spec, Direction::Up);
                flow.down.set(&self.spec, Direction::Down);
            }
        }
    }

    fn receive(&mut self, shared: &Shared) -> io::Result<()> {
        let mut buffer = [0; 65_536];
        for listener in 0..self.listeners.len() {
            for _ in 0..TURN_MAX {
                let Some((size, client)) = received(self.listeners[listener].recv_from(&mut buffer))? else { break };
                let flow = self.flow(listener, client)?;
                take(&mut self.flows[flow].up, &buffer[..size], shared);
            }
        }
        for flow in &mut self.flows {
            for _ in 0..TURN_MAX {
                let Some(size) = received(flow.upstream.recv(&mut buffer))? else { break };
                take(&mut flow.down, &buffer[..size], shared);
            }
        }
        Ok(())
    }

    /// The place of a client's flow, made if it is new.
    fn flow(&mut self, listener: usize, client: SocketAddr) -> io::Result<usize> {
        let is_it = |flow: &Flow| flow.client == client && flow.listener == listener;
        if let Some(place) = self.flows.iter().position(is_it) {
            return Ok(place);
        }
        if self.flows.len() >= FLOWS_MAX {
            self.flows.remove(0);
        }
        let upstream = UdpSocket::bind(SocketAddr::new(self.server, 0))?;
        upstream.connect((self.server, self.listeners[listener].local_addr()?.port()))?;
        prepare(&upstream)?;
        let [up, down] = [Direction::Up, Direction::Down].map(|direction| Datagrams::new(&self.spec, direction));
        self.flows.push(Flow { client, listener, upstream, up, down });
        Ok(self.flows.len() - 1)
    }

    /// Sends what is due, and says when more is. What the kernel does not take is lost, as on any wire.
    fn send(&mut self, now: Duration) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        for flow in &mut self.flows {
            while let Some(datagram) = flow.up.pop(now) {
                let _ = flow.upstream.send(&datagram);
            }
            while let Some(datagram) = flow.down.pop(now) {
                let _ = self.listeners[flow.listener].send_to(&datagram, flow.client);
            }
            next = [next, flow.up.next_due(), flow.down.next_due()].into_iter().flatten().min();
        }
        next
    }

    fn wait(&self, next: Option<Duration>, shared: &Shared) -> io::Result<()> {
        let sockets = self.listeners.iter().chain(self.flows.iter().map(|flow| &flow.upstream));
        let mut ready: Vec<PollFd<'_>> = sockets.map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        wait(&mut ready, next.map_or(PATIENCE, |next| next.saturating_sub(shared.now())))
    }
}

fn prepare(socket: &UdpSocket) -> io::Result<()> {
    // Without root as much as anybody may have.
    setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES)
        .or_else(|_| setsockopt(socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES))?;
    socket.set_nonblocking(true)
}

fn take(datagrams: &mut Datagrams, datagram: &[u8], shared: &Shared) {
    let faults = |counts: super::DatagramCounts| counts.lost + counts.duplicated + counts.reordered + counts.corrupted;
    let before = faults(datagrams.counts());
    datagrams.push(datagram, shared.now());
    let new = faults(datagrams.counts()) - before;
    shared.count(|counts| {
        counts.datagrams += 1;
        counts.datagram_faults += new;
    });
}

/// What a call received; `None` if nothing is there. A port that is closed at the other end is nothing, too.
fn received<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionRefused => Ok(None),
            _ => Err(error),
        },
    }
}
