//! One TAP, one packet per system call; batches are made of it in [`crate::adapter::offload`].
//!
//! 1. `read` gives the next packet; when there is none, the interface is looked after, at most twice a second.
//! 2. `write` gives a packet to the kernel, from pieces; what cannot be written is told by kind, never taken for success.
//! 3. Deleted: every call fails with EBADFD at once (and `poll` reports POLLERR), which is [`Error::Gone`].
//!    Set down, renamed, moved to another namespace: the descriptor works on; [`TapDevice::link`] tells.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::netlink::{Monitor, Netlink};
use super::sys;
use crate::adapter::{Device, Error, Offloaded, Offloads, WriteError};

/// How often an idle adapter looks whether its interface changed.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The adapter on a TAP.
pub type Tap = Offloaded<TapDevice>;

/// What became of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Up: it carries frames.
    Up,
    /// Set down: it gives no frame, and frames written are dropped and counted.
    Down,
    /// In another network namespace, where it goes on carrying frames.
    Moved,
    /// Deleted.
    Gone,
}

/// State and present name of the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// What became of it.
    pub state: LinkState,
    /// Its name now.
    pub name: String,
}

/// A TAP's descriptor, and an ear for changes of its interface.
#[derive(Debug)]
pub struct TapDevice {
    tun: Arc<OwnedFd>,
    offloads: Offloads,
    watch: Watch,
}

impl TapDevice {
    pub(super) fn new(tun: Arc<OwnedFd>, offloads: Offloads, index: u32, link: LinkStatus) -> io::Result<TapDevice> {
        let watch = Watch {
            monitor: Monitor::open()?,
            netlink: Netlink::open()?,
            index,
            next_look: Instant::now() + LOOK_INTERVAL,
            link,
        };
        Ok(TapDevice { tun, offloads, watch })
    }

    /// The interface as it was last seen: not older than half a second while the adapter is asked for frames.
    pub fn link(&self) -> &LinkStatus {
        &self.watch.link
    }

    /// Readable when some interface of the namespace changed; then [`TapDevice::look`] is to be called. For those that
    /// sleep longer than half a second.
    pub fn link_changes(&self) -> BorrowedFd<'_> {
        self.watch.monitor.as_fd()
    }

    /// Looks at the interface now.
    pub fn look(&mut self) -> &LinkStatus {
        self.watch.look(self.tun.as_fd());
        &self.watch.link
    }
}

impl Device for TapDevice {
    fn offloads(&self) -> Offloads {
        self.offloads
    }

    #[inline(always)]
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        loop {
            match rustix::io::read(&self.tun, &mut *buffer) {
                Ok(0) => return Ok(None),
                Ok(len) => return Ok(Some(len)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.watch.look_if_due(self.tun.as_fd());
                    return Ok(None);
                }
                Err(errno) if is_gone(errno) => return Err(Error::Gone),
                Err(errno) => return Err(Error::Read { errno: errno.raw_os_error() }),
            }
        }
    }

    #[inline(always)]
    fn write(&mut self, parts: &[IoSlice<'_>]) -> Result<(), WriteError> {
        loop {
            match rustix::io::writev(&self.tun, parts) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOBUFS) => return Err(WriteError::Full),
                Err(Errno::IO) => return Err(WriteError::Down),
                Err(Errno::NOMEM) => return Err(WriteError::NoMemory),
                Err(errno) if is_gone(errno) => return Err(WriteError::Gone),
                Err(_) => return Err(WriteError::Refused),
            }
        }
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.tun.as_fd())
    }
}

/// EBADFD: the interface was deleted. The others: the kernel says the same in other words.
fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::BADFD | Errno::NODEV | Errno::NXIO | Errno::IO)
}

/// Follows an interface through renaming, down and up, and other namespaces.
#[derive(Debug)]
struct Watch {
    monitor: Monitor,
    netlink: Netlink,
    index: u32,
    next_look: Instant,
    link: LinkStatus,
}

impl Watch {
    #[inline]
    fn look_if_due(&mut self, tun: BorrowedFd<'_>) {
        let now = Instant::now();
        if now >= self.next_look {
            self.next_look = now + LOOK_INTERVAL;
            if self.monitor.changed() {
                self.look(tun);
            }
        }
    }

    fn look(&mut self, tun: BorrowedFd<'_>) {
        let link = self.ask(tun);
        if link != self.link {
            tracing::warn!(before = ?self.link, now = ?link, "the network interface changed");
            self.link = link;
        }
    }

    /// Asks the namespace of the adapter by index, and the descriptor when it does not know.
    fn ask(&mut self, tun: BorrowedFd<'_>) -> LinkStatus {
        match (sys::attached_name(tun), self.netlink.link_by_index(self.index)) {
            (Err(_), _) => LinkStatus { state: LinkState::Gone, name: self.link.name.clone() },
            (Ok(name), Ok(link)) if link.name == name => {
                LinkStatus { state: if link.up { LinkState::Up } else { LinkState::Down }, name }
            }
            (Ok(name), _) => LinkStatus { state: LinkState::Moved, name },
        }
    }
}
