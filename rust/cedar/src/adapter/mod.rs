//! The packet adapter: the client's virtual Ethernet card, seen as batches of frames.
//!
//! Stands for `Cedar/VLanUnix.c` (`VLanGetNextPacket`, `VLanPutPacket`, `VLanGetCancel`) and for the
//! PACKET_ADAPTER table of `Cedar/Session.h`. It knows nothing of sessions, sockets or the wire format.
//!
//! A frame's way up, from the card to the server:
//!
//! 1. [`Device::read`] takes one packet off the card: a frame, or with offloads a super-packet of up to 64 KiB.
//! 2. [`segment`] plans the split, refuses what is malformed, and finishes checksums the kernel left open.
//! 3. [`Offloaded::receive`] or [`Offloaded::next_frame`] hands out frames of at most 1514 bytes (1518 tagged), in place.
//!
//! And down, from the server to the card:
//!
//! 4. [`Offloaded::send`] takes a batch; [`Offloaded::put_frame`] collects one until [`Offloaded::flush`].
//! 5. [`coalesce`] groups neighbours of one flow, once both checksums of each are verified.
//! 6. [`Device::write`] gives each group to the card in one call, straight from the batch's bytes.
//!    A refused super-packet is written again as single frames.
//!
//! Locks: none. An adapter belongs to one thread; only [`batch::BatchPool`] and [`memory`] are shared.
//!
//! | module | holds |
//! | --- | --- |
//! | [`vnet_hdr`], [`checksum`], [`packet`], [`segment`], [`coalesce`] | the codecs: no I/O, no `unsafe` |
//! | [`batch`] | frames in one piece of memory, and a bounded pool of them |
//! | [`offload`] | [`Offloaded`]: a device plus segmentation and coalescing |
//! | [`linux`] | the TAP device and its interface |
//! | `bsd` | the device on macOS and FreeBSD, one frame per call |
//! | [`memory`], [`replay`] | adapters without a kernel, for tests and benches |

use std::os::fd::BorrowedFd;

pub mod batch;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub mod bsd;
pub mod checksum;
pub mod coalesce;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(target_os = "linux")]
pub mod memory;
pub mod offload;
pub mod packet;
pub mod replay;
pub mod segment;
mod simd;
pub mod stats;
pub mod vnet_hdr;

pub use batch::{FrameBatch, Frames, Span};
pub use offload::Offloaded;
pub use stats::{DropReason, Stats};

/// Bytes of an Ethernet header without a VLAN tag.
pub const ETHERNET_HEADER: usize = 14;

/// Longest untagged frame on the SoftEther side, in bytes, without the frame check sequence.
pub const FRAME_MAX: usize = 1514;

/// Longest frame with one IEEE 802.1Q tag on the SoftEther side, in bytes.
pub const FRAME_MAX_TAGGED: usize = FRAME_MAX + packet::VLAN_TAG;

/// Longest frame that is written to the card, in bytes: `MAX_PACKET_SIZE` of `Cedar/Cedar.h`.
pub const MAX_PACKET_SIZE: usize = 1600;

/// Most frames in a batch: what `ConnectionReceive` keeps in a turn (`MAX_SEND_SOCKET_QUEUE_NUM` is 128, its receive
/// limit 1024).
pub const BATCH_FRAMES_MAX: usize = 1024;

/// Why an adapter can do no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The card was deleted, or the other end of a pair was dropped.
    #[error("the network interface is gone: another program deleted it, or the other end was closed")]
    Gone,
    /// The operating system refused a read for a reason that a repetition does not mend.
    #[error("reading the network interface failed (errno {errno})")]
    Read {
        /// The `errno` of the failed call.
        errno: i32,
    },
}

/// Why one write to a device carried nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteError {
    /// The device has no room now (EAGAIN, ENOBUFS).
    Full,
    /// The interface is set down (EIO).
    Down,
    /// The kernel has no memory for the packet (ENOMEM).
    NoMemory,
    /// The kernel refuses this packet (EINVAL and the rest): a super-packet may still pass as single frames.
    Refused,
    /// The device is no longer there.
    Gone,
}

/// What a device does for the packets that cross it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offloads {
    /// Each packet is preceded by a [`vnet_hdr::VnetHdr`].
    pub vnet_hdr: bool,
    /// TCP super-packets over IPv4 and IPv6, both ways.
    pub tcp: bool,
    /// UDP super-packets over IPv4 and IPv6, both ways.
    pub udp: bool,
}

/// A card: one call moves one packet. Nothing here waits, and an interrupted call (EINTR) is repeated inside.
pub trait Device {
    /// What this device does. It does not change while the device lives.
    fn offloads(&self) -> Offloads;

    /// Reads one packet into `buffer`, vnet header first where there is one. `None`: nothing there now.
    /// A packet longer than `buffer` is cut.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error>;

    /// Writes one packet that consists of `parts`, vnet header first where there is one.
    fn write(&mut self, parts: &[std::io::IoSlice<'_>]) -> Result<(), WriteError>;

    /// Readable when [`Device::read`] has something to give or to say.
    fn readiness(&self) -> Option<BorrowedFd<'_>>;
}

/// An adapter: batches of frames, each at most [`FRAME_MAX_TAGGED`] bytes when received. Dropping it closes it.
pub trait Adapter {
    /// Hands at most `frames_max` frames to `each` and returns how many; fewer means that nothing more is there now.
    fn receive(&mut self, frames_max: usize, each: impl FnMut(&[u8])) -> Result<usize, Error>;

    /// Sends `frames` and counts what could not be sent, with its reason, in [`Adapter::stats`].
    fn send(&mut self, frames: Frames<'_>) -> Result<(), Error>;

    /// Readable when [`Adapter::receive`] has something to give or to say.
    fn readiness(&self) -> Option<BorrowedFd<'_>>;

    /// What crossed the adapter and what was dropped, since it was made.
    fn stats(&self) -> &Stats;
}
