//! The loop: step 1 of [`super`], and what it has of its own beside connections.
#![forbid(unsafe_code)]

use super::link::{Link, PLAINTEXT_MAX};
use super::up::{Chosen, Held, choose};
use super::{Datagrams, RECORD_BYTES, REPORT_INTERVAL_MS};
use crate::adapter::{Adapter, BATCH_FRAMES_MAX, Device, Error, FrameBatch, MAX_PACKET_SIZE, Offloaded, Span};
use crate::framing::wire::MAX_TCP_CONNECTION;
use crate::framing::{Compressor, Decompressor, DropReason};
use crate::session::{Role, Traffic};
use arrayvec::ArrayVec;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;

/// Most connections of a session.
pub const LINKS_MAX: usize = MAX_TCP_CONNECTION as usize;

/// How often the window of a busy peer is looked at, in milliseconds.
const WINDOW_LOOK_MS: u64 = 1;

/// Most descriptors that wake the owner.
const WAKERS_MAX: usize = 4;

/// What a session agreed on that this path heeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which end this is.
    pub role: Role,
    /// C: `SESSION.Timeout`, in milliseconds.
    pub timeout_ms: u32,
    /// C: `SESSION.UseCompress`.
    pub use_compress: bool,
    /// C: `SESSION.QoS`.
    pub use_qos: bool,
}

/// What keep-alives need of the owner.
pub struct Keeping<'k> {
    /// Now, in milliseconds of the owner's clock.
    pub now: u64,
    /// C: `rand`.
    pub random: &'k mut dyn FnMut() -> u32,
    /// This end's UDP port for the peer, if it is known (C: `MyPortByNatTServer`).
    pub nat_t_port: Option<u16>,
    /// It is new, and the peer is to learn it at once.
    pub is_port_new: bool,
    /// UDP acceleration is up, or nearly.
    pub is_udp_near: bool,
}

/// Why [`Path::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// One of the owner's descriptors is readable.
    Woken,
    /// A connection is lost: [`Link::lost`].
    Lost,
    /// The owner's time has come, or frames have passed that it has not been told of.
    Due,
    /// The TAP is gone.
    Adapter(Error),
}

/// Bytes of one direction (C: `TotalSendSize` and `TotalSendSizeReal`, `TotalRecvSize` and `TotalRecvSizeReal`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// With frames as they were before compression.
    pub size: u64,
    /// With frames as they are on the wire.
    pub size_real: u64,
}

impl Totals {
    #[inline]
    pub(super) fn add(&mut self, size: u64, size_real: u64) {
        self.size += size;
        self.size_real += size_real;
    }
}

/// What has passed since the owner took it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Frames by kind.
    pub traffic: Traffic,
    /// Bytes towards the server.
    pub sent: Totals,
    /// Bytes from the server.
    pub received: Totals,
    /// The last time that something came or went; 0: never.
    pub last_comm_time: u64,
    /// The peer's UDP port, if a keep-alive named it.
    pub peer_port: Option<u16>,
    dropped: [u64; DropReason::ALL.len()],
}

impl Passed {
    /// Frames lost here, by reason.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().map(|reason| (reason, self.dropped[reason as usize])).filter(|&(_, n)| n != 0)
    }

    pub(super) fn drop_frames(&mut self, reason: DropReason, frames: u64) {
        self.dropped[reason as usize] += frames;
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Expanding frames of a session with compression.
#[derive(Debug)]
pub(super) struct Expand {
    pub(super) decompressor: Decompressor,
    pub(super) arena: FrameBatch,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared<'a, D> {
    pub(super) adapter: &'a mut Offloaded<D>,
    pub(super) plaintext: Box<[u8]>,
    pub(super) spans: Vec<Span>,
    pub(super) record: Box<[u8]>,
    pub(super) priority_record: Box<[u8]>,
    pub(super) held: Held,
    pub(super) compressor: Option<Compressor>,
    pub(super) expand: Option<Expand>,
    pub(super) passed: Passed,
}

/// A session's way between TAP and TCP connections.
pub struct Path<'a, D> {
    terms: Terms,
    shared: Shared<'a, D>,
    links: Vec<Link>,
    datagrams: Option<Box<dyn Datagrams + 'a>>,
    /// The last datagrams left frames that are too long for one to a connection.
    leaves_long: bool,
    /// When the owner is to be told of what has passed.
    report_at: Option<u64>,
}

/// What one poll found.
struct Ready {
    tap: bool,
    datagrams: bool,
    woken: bool,
    links: u64,
}

const _: () = assert!(LINKS_MAX <= u64::BITS as usize);

impl<'a, D: Device> Path<'a, D> {
    /// A path on `adapter`, without a connection yet. All memory that it will use itself is allocated here.
    pub fn new(adapter: &'a mut Offloaded<D>, terms: Terms) -> Self {
        let priority = if terms.use_qos { RECORD_BYTES } else { 0 };
        let expand = terms.use_compress.then(|| Expand {
            decompressor: Decompressor::new(),
            arena: FrameBatch::new(BATCH_FRAMES_MAX, BATCH_FRAMES_MAX * MAX_PACKET_SIZE),
        });
        let shared = Shared {
            adapter,
            plaintext: vec![0; PLAINTEXT_MAX].into_boxed_slice(),
            spans: Vec::with_capacity(BATCH_FRAMES_MAX),
            record: vec![0; RECORD_BYTES].into_boxed_slice(),
            priority_record: vec![0; priority].into_boxed_slice(),
            held: if terms.use_qos { Held::new() } else { Held::default() },
            compressor: terms.use_compress.then(Compressor::new),
            expand,
            passed: Passed::default(),
        };
        Self {
            terms,
            shared,
            links: Vec::with_capacity(LINKS_MAX),
            datagrams: None,
            leaves_long: false,
            report_at: None,
        }
    }

    /// Adds a connection. False: there are as many as there may be, and it is dropped.
    #[must_use]
    pub fn add(&mut self, link: Link) -> bool {
        let has_room = self.links.len() < LINKS_MAX;
        if has_room {
            self.links.push(link);
        }
        has_room
    }

    /// Has frames go as datagrams while they can.
    pub fn set_datagrams(&mut self, datagrams: impl Datagrams + 'a) {
        self.datagrams = Some(Box::new(datagrams));
    }

    /// Takes a connection out, after a goodbye. The others keep their order.
    pub fn remove(&mut self, id: usize) {
        if let Some(place) = self.links.iter().position(|link| link.id == id) {
            self.links.remove(place).say_goodbye();
        }
    }

    /// The connections, in the order in which they joined.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The adapter.
    #[must_use]
    pub fn adapter(&self) -> &Offloaded<D> {
        self.shared.adapter
    }

    /// What has passed since it was last taken.
    pub fn take_passed(&mut self) -> Passed {
        self.report_at = None;
        std::mem::take(&mut self.shared.passed)
    }

    /// The earliest time at which a connection's timers have something to say.
    #[must_use]
    pub fn next_due(&self) -> u64 {
        let Terms { timeout_ms, role, .. } = self.terms;
        let due = |link: &Link| {
            let mut timers = link.timers;
            if link.is_blocked() {
                // It owes no keep-alive until the kernel takes what waits, and that wakes by itself.
                timers.next_keep_alive_time = u64::MAX;
            }
            timers.next_due(timeout_ms, role)
        };
        self.links.iter().map(due).min().unwrap_or(u64::MAX)
    }

    /// Carries frames until the owner is wanted: at `due` at the latest, in milliseconds of `clock`. `wakers` are the
    /// owner's descriptors, at most four.
    #[inline]
    pub fn run(
        &mut self,
        wakers: &[BorrowedFd<'_>],
        due: u64,
        clock: impl Fn() -> u64,
        keeping: &mut Keeping<'_>,
    ) -> Pause {
        let mut now = clock();
        if let Some(datagrams) = &mut self.datagrams
            && let Err(error) = self.shared.poll_datagrams(&mut **datagrams, now)
        {
            return Pause::Adapter(error);
        }
        loop {
            keeping.now = now;
            self.shared.keep_alive(&mut self.links, &self.terms, keeping);
            keeping.is_port_new = false;
            for link in self.links.iter_mut().filter(|link| link.window.is_full()) {
                link.window.look(&link.socket, now);
            }
            let chosen = choose(&self.links, &self.terms);
            let until = self.report_at.map_or(due, |at| at.min(due));
            if now >= until {
                return Pause::Due;
            }
            let ready = match self.wait(wakers, chosen, until - now) {
                Ok(ready) => ready,
                Err(Errno::INTR) => continue,
                // Out of memory, say: the owner's time comes, and it goes on from there.
                Err(_) => return Pause::Due,
            };
            now = clock();
            keeping.now = now;
            if let Err(error) = self.turn(&ready, keeping) {
                return Pause::Adapter(error);
            }
            if ready.woken {
                return Pause::Woken;
            }
            if self.links.iter().any(|link| link.lost.is_some()) {
                return Pause::Lost;
            }
            if self.report_at.is_none() && !self.shared.passed.is_nothing() {
                self.report_at = Some(now + REPORT_INTERVAL_MS);
            }
            now = clock();
        }
    }

    /// Whether frames go as datagrams now: those that were held back go first.
    fn sends_datagrams(&self) -> bool {
        self.shared.held.is_empty() && self.datagrams.as_deref().is_some_and(Datagrams::is_ready)
    }

    /// Whether what the TAP has can go now. While some of it is too long for a datagram, all of it waits for a connection:
    /// long frames are lost otherwise, and the inner TCP's that they belong to.
    fn reads_tap(&self, chosen: Option<Chosen>) -> bool {
        match self.sends_datagrams() {
            true => !self.leaves_long || chosen.is_some_and(|chosen| chosen.normal.is_some()),
            false => chosen.is_some(),
        }
    }

    /// Whether frames that were held back can go now.
    fn has_held(&self, chosen: Option<Chosen>) -> bool {
        !self.shared.held.is_empty() && chosen.is_some_and(|chosen| chosen.normal.is_some())
    }

    /// Waits until something is ready, at most for so many milliseconds.
    #[inline(always)]
    fn wait(&self, wakers: &[BorrowedFd<'_>], chosen: Option<Chosen>, milliseconds: u64) -> Result<Ready, Errno> {
        let mut fds: ArrayVec<PollFd<'_>, { 2 + WAKERS_MAX + LINKS_MAX }> = ArrayVec::new();
        let reads_tap = self.reads_tap(chosen);
        let tap = self.shared.adapter.readiness().filter(|_| reads_tap);
        let datagrams = self.datagrams.as_deref().map(Datagrams::socket);
        let wakers = wakers.get(..WAKERS_MAX).unwrap_or(wakers);
        fds.extend(wakers.iter().map(|waker| PollFd::from_borrowed_fd(*waker, PollFlags::IN)));
        for link in &self.links {
            let out = if link.is_blocked() { PollFlags::OUT } else { PollFlags::empty() };
            fds.push(PollFd::from_borrowed_fd(link.socket(), PollFlags::IN | out));
        }
        fds.extend(datagrams.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)));
        fds.extend(tap.map(|tap| PollFd::from_borrowed_fd(tap, PollFlags::IN)));
        let has_fresh = self.links.iter().any(|link| link.is_fresh);
        // Nothing tells that a window has opened again: it is looked at.
        let is_held = self.links.iter().any(|link| link.window.is_full());
        let milliseconds = if is_held { milliseconds.min(WINDOW_LOOK_MS) } else { milliseconds };
        let timeout = timespec(if has_fresh || self.has_held(chosen) { 0 } else { milliseconds });
        poll(&mut fds, Some(&timeout))?;
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let (waker_fds, others) = fds.split_at_checked(wakers.len()).unwrap_or_default();
        let (link_fds, others) = others.split_at_checked(self.links.len()).unwrap_or_default();
        let (datagram_fds, tap_fds) = others.split_at_checked(datagrams.iter().len()).unwrap_or_default();
        let mut links = 0;
        for (place, (fd, link)) in link_fds.iter().zip(&self.links).enumerate() {
            links |= u64::from(is_ready(fd) || link.is_fresh) << place;
        }
        let any = |fds: &[PollFd<'_>]| fds.iter().any(is_ready);
        Ok(Ready { tap: any(tap_fds), datagrams: any(datagram_fds), woken: any(waker_fds), links })
    }

    /// Moves what is ready, once each way.
    #[inline(always)]
    fn turn(&mut self, ready: &Ready, keeping: &mut Keeping<'_>) -> Result<(), Error> {
        for (place, link) in self.links.iter_mut().enumerate() {
            if ready.links >> place & 1 == 0 {
                continue;
            }
            if link.is_blocked() && link.flush() != 0 {
                self.shared.passed.last_comm_time = self.shared.passed.last_comm_time.max(keeping.now);
            }
            self.shared.receive(link, keeping.now)?;
        }
        if ready.datagrams
            && let Some(datagrams) = &mut self.datagrams
        {
            self.shared.poll_datagrams(&mut **datagrams, keeping.now)?;
        }
        let chosen = choose(&self.links, &self.terms);
        let takes_from_tap = ready.tap && self.reads_tap(chosen);
        if !takes_from_tap && !self.has_held(chosen) {
            return Ok(());
        }
        let sends_datagrams = self.sends_datagrams();
        if let Some(datagrams) = self.datagrams.as_deref_mut().filter(|_| sends_datagrams) {
            let link = chosen.and_then(|chosen| self.links.get_mut(chosen.normal?));
            self.leaves_long = self.shared.send_datagrams(datagrams, link, &self.terms, keeping)?;
        } else if let Some(chosen) = chosen {
            self.shared.send(&mut self.links, chosen, &self.terms, keeping)?;
        }
        Ok(())
    }
}

impl<D> Drop for Path<'_, D> {
    /// Every connection gets a goodbye.
    fn drop(&mut self) {
        self.links.iter_mut().for_each(Link::say_goodbye);
    }
}

fn timespec(milliseconds: u64) -> Timespec {
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    Timespec { tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000 }
}
