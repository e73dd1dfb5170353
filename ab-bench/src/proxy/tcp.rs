//! The proxy's connections: sockets that do not block, one thread for the two ends of each connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use super::{FaultSpec, PATIENCE, Shared, Step, Stream, lock};
use crate::frames::Direction;

/// Connections at once; one more is reset. A session has 32.
const CONNECTIONS_MAX: usize = 64;
/// How long the server may take to accept.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of one read.
const READ_MAX: usize = 16 * 1024;

/// Accepts until the proxy ends; the connections' threads inherit the namespace that `enter` enters.
pub(super) fn accept(
    listener: &TcpListener,
    server: SocketAddr,
    enter: &(dyn Fn() -> io::Result<()> + Send + Sync),
    shared: &Arc<Shared>,
) -> io::Result<()> {
    enter()?;
    let mut number = 0;
    thread::scope(|scope| {
        while !shared.shall_stop() {
            let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
            wait(&mut ready, PATIENCE)?;
            let client = match listener.accept() {
                Ok((client, _)) => client,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            number += 1;
            shared.count(|counts| counts.connections += 1);
            if lock(&shared.open).len() >= CONNECTIONS_MAX {
                abort(client);
                continue;
            }
            lock(&shared.open).push(number);
            scope.spawn(move || {
                serve(client, server, number, shared);
                lock(&shared.open).retain(|open| *open != number);
                lock(&shared.doomed).retain(|doomed| *doomed != number);
            });
        }
        Ok(())
    })
}

/// Serves one connection to its end. Whatever goes wrong at one end is a reset at the other.
fn serve(client: TcpStream, server: SocketAddr, number: u32, shared: &Shared) {
    let server = match TcpStream::connect_timeout(&server, CONNECT_PATIENCE) {
        Ok(server) => server,
        Err(_) => return abort(client),
    };
    let spec = shared.spec();
    let mut pair = Pair { ends: [client, server], streams: streams(&spec, number), has_read_end: [false; 2] };
    if pair.run(number, shared).is_err() {
        pair.ends.into_iter().for_each(abort);
    }
}

fn streams(spec: &FaultSpec, number: u32) -> [Stream; 2] {
    [Direction::Up, Direction::Down].map(|direction| Stream::new(spec, direction, number))
}

/// The two ends of a connection; stream 0 goes from end 0, the client, to end 1, and stream 1 back.
struct Pair {
    ends: [TcpStream; 2],
    streams: [Stream; 2],
    has_read_end: [bool; 2],
}

/// What one stream waits for.
struct Wants {
    write: bool,
    until: Option<Duration>,
}

impl Pair {
    /// Until both directions have ended in order (`Ok`), or the connection is to be reset.
    fn run(&mut self, number: u32, shared: &Shared) -> io::Result<()> {
        for end in &self.ends {
            end.set_nonblocking(true)?;
            end.set_nodelay(true)?;
        }
        let mut finished = [false; 2];
        loop {
            if shared.shall_stop() || lock(&shared.doomed).contains(&number) {
                return Err(ErrorKind::ConnectionReset.into());
            }
            let mut wants = [true; 2].map(|_| Wants { write: false, until: None });
            for way in 0..2 {
                match self.forward(way, shared, &mut wants[way])? {
                    Flow::GoesOn => {}
                    Flow::Finished => finished[way] = true,
                    Flow::Closed => return Ok(()),
                }
            }
            if finished == [true; 2] {
                return Ok(());
            }
            self.wait_and_read(shared, &wants)?;
        }
    }

    /// Writes what one stream has to give now.
    fn forward(&mut self, way: usize, shared: &Shared, wants: &mut Wants) -> io::Result<Flow> {
        let to = &mut self.ends[1 - way];
        loop {
            let now = shared.now();
            match self.streams[way].step(now) {
                Step::Write(bytes) => match to.write(bytes) {
                    Ok(count) => {
                        self.streams[way].wrote(count, now);
                        shared.count(|counts| counts.bytes += count as u64);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        wants.write = true;
                        return Ok(Flow::GoesOn);
                    }
                    Err(error) => return Err(error),
                },
                Step::Wait(until) => {
                    wants.until = Some(until);
                    return Ok(Flow::GoesOn);
                }
                Step::Idle => return Ok(Flow::GoesOn),
                Step::Finish => {
                    to.shutdown(Shutdown::Write)?;
                    return Ok(Flow::Finished);
                }
                Step::Close => {
                    shared.count(|counts| counts.endings += 1);
                    return Ok(Flow::Closed);
                }
                Step::Reset => {
                    shared.count(|counts| counts.endings += 1);
                    return Err(ErrorKind::ConnectionReset.into());
                }
            }
        }
    }

    fn wait_and_read(&mut self, shared: &Shared, wants: &[Wants; 2]) -> io::Result<()> {
        let now = shared.now();
        let reads = [0, 1].map(|way| !self.has_read_end[way] && self.streams[way].wants(now));
        let flags = |end: usize| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, reads[end]);
            flags.set(PollFlags::POLLOUT, wants[1 - end].write);
            flags
        };
        let until = wants.iter().filter_map(|wants| wants.until).min();
        let span = until.map_or(PATIENCE, |until| until.saturating_sub(now).min(PATIENCE));
        let mut ready = [0, 1].map(|end| PollFd::new(self.ends[end].as_fd(), flags(end)));
        wait(&mut ready, span)?;
        let events = ready.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        if events.iter().any(|events| events.contains(PollFlags::POLLERR)) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let mut buffer = [0; READ_MAX];
        for way in 0..2 {
            if !reads[way] || !events[way].intersects(PollFlags::POLLIN | PollFlags::POLLHUP) {
                continue;
            }
            match self.ends[way].read(&mut buffer) {
                Ok(0) => {
                    self.has_read_end[way] = true;
                    self.streams[way].end();
                }
                Ok(count) => self.streams[way].push(&buffer[..count], shared.now()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

enum Flow {
    GoesOn,
    Finished,
    Closed,
}

/// Waits for one of the descriptors, to the millisecond above.
pub(super) fn wait(ready: &mut [PollFd<'_>], span: Duration) -> io::Result<()> {
    let ms = span.as_micros().div_ceil(1000).min(PATIENCE.as_millis());
    let timeout = u16::try_from(ms).map_or(PollTimeout::MAX, PollTimeout::from);
    match poll(ready, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Ends a connection by a reset.
fn abort(end: TcpStream) {
    // Without it the end is a close, which is all that can be done then.
    let _ = setsockopt(&end, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 });
}
