//! Many datagrams in one system call, for UDP acceleration. No protocol here: bytes, sizes and addresses.
//!
//! The way of datagrams out:
//!
//! 1. [`Outbox::room`] gives memory for the next one, right behind the last; [`Outbox::commit`] says how long it became.
//! 2. Neighbours of one length become a run, which the kernel cuts up again (UDP GSO): it goes through the network stack
//!    once. One shorter datagram may end a run. Whoever pads equal frames equally gets long runs.
//! 3. [`Outbox::send`] hands all runs to one call (sendmmsg). What the kernel does not take now is dropped and counted, as
//!    the C drops it: a datagram that waits is worth less than the next.
//!
//! And in: [`Inbox::receive`] takes up to 128 in one call (recvmmsg), each into its own 2048 bytes.
//!
//! [`path_mtu`] says how long an IP packet may be that nobody on its way cuts, as far as the kernel has heard.
//!
//! Not used: UDP GRO. The C pads every datagram by a random number of bytes, so that the kernel finds no two of a length.
//! After construction nothing allocates.

mod sys;

use crate::udp_accel::wire::UDP_ACCELERATION_TMP_BUF_SIZE;
use arrayvec::ArrayVec;
use rustix::net::sockopt::{ip_mtu, ipv6_mtu};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::BorrowedFd;
use sys::{Headers, MESSAGES_MAX, RECEIVED_MAX};

/// Most datagrams of a run: the kernel's limit (UDP_MAX_SEGMENTS of old).
const RUN_DATAGRAMS_MAX: usize = 64;
/// Most bytes of a run: an IP packet of 65,535 with the longest headers.
const RUN_BYTES_MAX: usize = 65_535 - 40 - 8;
/// Bytes that an outbox holds: what one super-packet off the card becomes, and more.
const OUTBOX_BYTES: usize = 256 * 1024;

/// What sending has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Datagrams that the kernel took.
    pub datagrams: u64,
    /// Datagrams that it did not take, for want of memory or because the way is gone.
    pub dropped: u64,
    /// System calls.
    pub calls: u64,
    /// The last error, if any: the caller decides whether it ends the session.
    pub error: Option<i32>,
}

/// Datagrams that go to one address.
#[derive(Debug)]
pub struct Outbox {
    bytes: Box<[u8]>,
    used: usize,
    runs: ArrayVec<Run, MESSAGES_MAX>,
    /// Whether the kernel cuts runs.
    has_gso: bool,
}

/// Datagrams side by side.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: usize,
    size: usize,
    /// The length of each but the last.
    segment: usize,
    count: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: vec![0; OUTBOX_BYTES].into(), used: 0, runs: ArrayVec::new(), has_gso: true }
    }

    /// Memory for the next datagram. `None`: [`Outbox::send`] comes first.
    pub fn room(&mut self, size: usize) -> Option<&mut [u8]> {
        if self.runs.is_full() { None } else { self.bytes.get_mut(self.used..self.used.checked_add(size)?) }
    }

    /// The datagram that was built at the start of [`Outbox::room`] has so many bytes, no more than asked for.
    pub fn commit(&mut self, size: usize) {
        let start = self.used;
        self.used += size;
        match self.runs.last_mut() {
            Some(run) if self.has_gso && run.takes(size) => {
                run.size += size;
                run.count += 1;
            }
            _ => self.runs.push(Run { start, size, segment: size, count: 1 }),
        }
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Sends everything to one address; it is empty then.
    pub fn send(&mut self, socket: BorrowedFd<'_>, to: SocketAddr) -> Sent {
        let mut sent = Sent::default();
        let runs = std::mem::take(&mut self.runs);
        let mut rest = &runs[..];
        while !rest.is_empty() {
            sent.calls += 1;
            let result = {
                let messages: ArrayVec<_, MESSAGES_MAX> = rest.iter().map(|run| self.message(run)).collect();
                sys::send_many(socket, &messages, to)
            };
            match result {
                Ok(count) => {
                    let (taken, left) = rest.split_at(count.clamp(1, rest.len()));
                    sent.datagrams += taken.iter().map(|run| run.count as u64).sum::<u64>();
                    rest = left;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if self.cannot_cut(&error) && rest[0].count > 1 => {
                    self.has_gso = false;
                    self.send_one_by_one(socket, &rest[0], to, &mut sent);
                    rest = &rest[1..];
                }
                Err(error) => {
                    sent.error = error.raw_os_error();
                    // The way may be gone for one datagram only (too long for it): the next one has its chance.
                    sent.dropped += rest[0].count as u64;
                    rest = &rest[1..];
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::OutOfMemory) {
                        sent.dropped += rest.iter().map(|run| run.count as u64).sum::<u64>();
                        break;
                    }
                }
            }
        }
        self.used = 0;
        sent
    }

    /// A kernel or a card that does not cut answers with one of these.
    fn cannot_cut(&self, error: &io::Error) -> bool {
        self.has_gso
            && matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EOPNOTSUPP | libc::EMSGSIZE))
    }

    fn message(&self, run: &Run) -> sys::Message<'_> {
        // A run's segments are datagrams, which are below 65,536 bytes.
        let segment = (run.count > 1).then(|| u16::try_from(run.segment).unwrap_or(u16::MAX));
        (&self.bytes[run.start..run.start + run.size], segment)
    }

    fn send_one_by_one(&self, socket: BorrowedFd<'_>, run: &Run, to: SocketAddr, sent: &mut Sent) {
        for datagram in self.bytes[run.start..run.start + run.size].chunks(run.segment) {
            sent.calls += 1;
            match sys::send_many(socket, &[(datagram, None)], to) {
                Ok(_) => sent.datagrams += 1,
                Err(error) => {
                    sent.error = error.raw_os_error();
                    sent.dropped += 1;
                }
            }
        }
    }
}

impl Run {
    /// Whether a datagram of this size may follow in the run: of one length with the others, or shorter and the last.
    const fn takes(&self, size: usize) -> bool {
        let is_open = self.size == self.segment * self.count;
        is_open
            && size > 0
            && size <= self.segment
            && self.count < RUN_DATAGRAMS_MAX
            && self.size + size <= RUN_BYTES_MAX
    }
}

/// The MTU of the way from one address to another, in bytes of IP packets: the interface's, or less where a router has
/// said so. `None`: the kernel does not tell. Only a connected socket knows, so one is made and dropped; nothing is sent.
#[must_use]
pub fn path_mtu(from: IpAddr, to: SocketAddr) -> Option<usize> {
    let socket = UdpSocket::bind((from, 0)).ok()?;
    socket.connect(to).ok()?;
    let mtu = if to.is_ipv6() { ipv6_mtu(&socket) } else { ip_mtu(&socket) };
    usize::try_from(mtu.ok()?).ok()
}

/// Datagrams that came.
#[derive(Debug)]
pub struct Inbox {
    buffers: Box<[[u8; UDP_ACCELERATION_TMP_BUF_SIZE]]>,
    sources: [(usize, SocketAddr); RECEIVED_MAX],
    headers: Box<Headers>,
    count: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbox {
    /// Most datagrams of one [`Inbox::receive`]; fewer mean that no more are there now.
    pub const DATAGRAMS_MAX: usize = RECEIVED_MAX;

    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let nowhere = (0, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let buffers = vec![[0; UDP_ACCELERATION_TMP_BUF_SIZE]; RECEIVED_MAX].into();
        Self { buffers, sources: [nowhere; RECEIVED_MAX], headers: Headers::new(), count: 0 }
    }

    /// Receives what is there now, in the place of what was in it, and returns how many datagrams that are.
    ///
    /// # Errors
    ///
    /// The system's; nothing being there is none of them.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.count = match self.headers.receive_many(socket, &mut self.buffers, &mut self.sources) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(error) => {
                self.count = 0;
                return Err(error);
            }
        };
        Ok(self.count)
    }

    /// The datagrams that were received last, each with where it came from. A longer one than 2048 bytes is cut.
    pub fn datagrams(&mut self) -> impl Iterator<Item = (&mut [u8], SocketAddr)> {
        let filled = self.buffers.iter_mut().zip(&self.sources).take(self.count);
        filled.map(|(buffer, (size, source))| (&mut buffer[..*size], *source))
    }

    /// The memory in which datagram number `n` begins at `n` times [`UDP_ACCELERATION_TMP_BUF_SIZE`].
    #[must_use]
    pub fn memory(&self) -> &[u8] {
        self.buffers.as_flattened()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    fn pair() -> (UdpSocket, UdpSocket) {
        let [from, to] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        to.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (from, to)
    }

    fn datagram(number: usize, size: usize) -> Vec<u8> {
        (0..size).map(|at| (number * 7 + at).to_le_bytes()[0]).collect()
    }

    /// Most datagrams on their way at once: what a socket's default receive buffer holds, small ones too.
    const IN_FLIGHT_MAX: u64 = 90;

    /// Sends datagrams of these sizes in as few outboxes as hold them; they must come whole and in order.
    fn carry(sizes: &[usize], has_gso: bool) -> Sent {
        let (from, to) = pair();
        let mut outbox = Outbox { has_gso, ..Outbox::new() };
        let mut inbox = Inbox::new();
        let (mut all, mut came) = (Sent::default(), 0);
        let address = to.local_addr().unwrap();
        let mut flush = |outbox: &mut Outbox, came: &mut usize| {
            let sent = outbox.send(from.as_fd(), address);
            assert_eq!((sent.dropped, sent.error), (0, None));
            all.datagrams += sent.datagrams;
            all.calls += sent.calls;
            while (*came as u64) < all.datagrams {
                to.peek(&mut [0]).expect("a datagram");
                assert_ne!(inbox.receive(to.as_fd()).unwrap(), 0);
                for (bytes, source) in inbox.datagrams() {
                    assert_eq!(source, from.local_addr().unwrap());
                    assert_eq!(bytes, datagram(*came, sizes[*came]), "datagram {came}");
                    *came += 1;
                }
            }
        };
        let mut waiting = 0;
        for (number, &size) in sizes.iter().enumerate() {
            waiting += 1;
            if outbox.room(size).is_none() || waiting > IN_FLIGHT_MAX {
                waiting = 1;
                flush(&mut outbox, &mut came);
            }
            outbox.room(size).expect("an empty outbox has room")[..size].copy_from_slice(&datagram(number, size));
            outbox.commit(size);
        }
        flush(&mut outbox, &mut came);
        assert!(outbox.is_empty());
        assert_eq!(came, sizes.len());
        all
    }

    #[test]
    fn datagrams_of_one_length_share_a_run_and_come_apart() {
        let sent = carry(&[1400; 90], true);
        assert_eq!((sent.datagrams, sent.calls), (90, 1));
        assert_eq!(carry(&[1400; 60], false), Sent { datagrams: 60, calls: 1, ..Sent::default() });
    }

    #[test]
    fn every_mixture_of_sizes_comes_whole_and_in_order() {
        let mut sizes = vec![1, 1, 1, 2, 1, 1, 2, 2, 2048, 2048, 1, 1426, 1426, 7, 7, 1426];
        sizes.extend(1..=300);
        sizes.extend((1..=300).rev());
        let mut state = 12_345_u32;
        sizes.extend((0..2000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state & 0x700 == 0 { (state >> 16) as usize % 1500 + 1 } else { 1426 }
        }));
        for has_gso in [true, false] {
            carry(&sizes, has_gso);
        }
    }

    #[test]
    fn a_run_ends_at_its_limits() {
        let mut outbox = Outbox::new();
        for _ in 0..65 {
            outbox.commit(100);
        }
        assert_eq!(outbox.runs.iter().map(|run| run.count).collect::<Vec<_>>(), [64, 1]);
        outbox.commit(50);
        outbox.commit(50);
        assert_eq!(outbox.runs.iter().map(|run| run.count).collect::<Vec<_>>(), [64, 2, 1], "a short one is the last");
        let mut outbox = Outbox::new();
        for _ in 0..60 {
            outbox.commit(1426);
        }
        assert!(outbox.runs.iter().all(|run| run.size <= RUN_BYTES_MAX) && outbox.runs.len() == 2);
    }

    #[test]
    fn without_room_there_is_none() {
        let mut outbox = Outbox::new();
        assert!(outbox.room(OUTBOX_BYTES).is_some() && outbox.room(OUTBOX_BYTES + 1).is_none());
        for size in 1..=MESSAGES_MAX {
            assert!(outbox.room(size).is_some());
            outbox.commit(size);
        }
        assert!(outbox.room(1).is_none(), "no message is left");
    }

    #[test]
    fn a_datagram_that_is_too_long_for_the_way_is_dropped_and_the_next_is_not() {
        let (from, to) = pair();
        let mut outbox = Outbox::new();
        for size in [1000, 70_000, 500] {
            outbox.room(size).unwrap().fill(1);
            outbox.commit(size);
        }
        let sent = outbox.send(from.as_fd(), to.local_addr().unwrap());
        assert_eq!((sent.datagrams, sent.dropped, sent.error), (2, 1, Some(libc::EMSGSIZE)));
        assert_eq!([to.recv(&mut [0; 2000]).unwrap(), to.recv(&mut [0; 2000]).unwrap()], [1000, 500]);
    }

    #[test]
    fn nothing_there_is_no_error_and_a_closed_port_is_one() {
        let (from, to) = pair();
        let mut inbox = Inbox::new();
        assert_eq!(inbox.receive(to.as_fd()).unwrap(), 0);
        assert_eq!(inbox.datagrams().count(), 0);
        let closed = to.local_addr().unwrap();
        drop(to);
        from.connect(closed).unwrap();
        let mut outbox = Outbox::new();
        outbox.room(3).unwrap().fill(1);
        outbox.commit(3);
        outbox.send(from.as_fd(), closed);
        let error = loop {
            match inbox.receive(from.as_fd()) {
                Ok(_) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn the_way_on_this_host_has_its_interfaces_mtu() {
        let loopback = std::fs::read_to_string("/sys/class/net/lo/mtu").unwrap().trim().parse().unwrap();
        // No packet of IPv4 is longer than 65,535 bytes, whatever the interface takes.
        let ways = [(IpAddr::from(Ipv4Addr::LOCALHOST), 65_535.min(loopback)), ("::1".parse().unwrap(), loopback)];
        for (address, mtu) in ways {
            assert_eq!(path_mtu(address, (address, 9).into()), Some(mtu));
        }
        assert_eq!(
            path_mtu(Ipv4Addr::LOCALHOST.into(), "[::1]:9".parse().unwrap()),
            None,
            "no way from one to the other"
        );
    }

    #[test]
    fn ipv6_works_too() {
        let [from, to] = [0, 1].map(|_| UdpSocket::bind("[::1]:0").unwrap());
        let mut outbox = Outbox::new();
        outbox.room(5).unwrap().copy_from_slice(b"hello");
        outbox.commit(5);
        assert_eq!(outbox.send(from.as_fd(), to.local_addr().unwrap()).datagrams, 1);
        to.peek(&mut [0; 9]).unwrap();
        let mut inbox = Inbox::new();
        inbox.receive(to.as_fd()).unwrap();
        let (bytes, source) = inbox.datagrams().next().expect("a datagram");
        assert_eq!((&*bytes, source), (&b"hello"[..], from.local_addr().unwrap()));
    }
}
