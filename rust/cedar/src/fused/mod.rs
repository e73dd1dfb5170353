//! The fused path: frames between the TAP and a session's TCP connections, with nothing of the C's shape in between.
//! Stands for what `SessionMain`, `ConnectionSend` and `ConnectionReceive` (`Cedar/Session.c`, `Cedar/Connection.c`) do
//! with each frame. One thread, one loop ([`Path::run`]); a turn of it:
//!
//! 1. `poll` over the TAP, every connection's socket, and what wakes the owner. The TAP is asked for only while the
//!    connection that would send can take more: back-pressure in the place of queues.
//!
//! Down, per readable connection
//!
//! 2. One `recv` of up to [`RECEIVE_MAX`] bytes. [`Protection`] opens the whole records into one contiguous piece of
//!    plaintext ([`crate::tls`]); a clear connection is received straight into it.
//! 3. [`SliceDecoder`](crate::framing::SliceDecoder) walks the frames in place, across record boundaries. What is cut at
//!    the end waits in front of the next turn's plaintext.
//! 4. The adapter merges neighbours into super-packets and writes them ([`crate::adapter`]).
//!
//! Up
//!
//! 5. The adapter reads super-packets and cuts them into frames, each of which is written once, behind its size, into a
//!    batch ([`Batch`](crate::framing::Batch)) of at most [`RECORD_BYTES`].
//! 6. Each batch is sealed as a record into the connection's send buffer, and [`RECORDS_MAX`] of them are sent by one call.
//!    What the kernel does not take stays there, and nothing more is read from the TAP for this connection until it has gone.
//! 7. What waits unread at the peer bounds what is sent, too (`window`): a server drops what is beyond 1024 frames a turn.
//! 8. Keep-alives go the same way when they are due. While UDP acceleration works, frames go by it in both directions
//!    ([`Datagrams`]).
//!
//! The loop returns to its owner ([`Pause`]) when it is woken, when a connection is lost, when time has something to
//! say, and while frames pass every [`REPORT_INTERVAL_MS`], so that what others see of the session stays true.
//!
//! Nothing is allocated, queued or locked per frame, and no system call is made per frame. Time, randomness and the
//! decision which connection lives come from the owner; `cedar::session` decides for it. Not here: the C's structs
//! (`swaps::fused`), the datagrams of UDP acceleration, how keys are come by.
//!
//! One thread and not two: a direction each would let a second core help, but every packet of TCP wants an answer in the
//! other direction, so both would write to the TAP and wake each other; see docs/FUSED.md.

mod datagrams;
mod down;
mod link;
mod path;
mod protection;
#[cfg(target_os = "linux")]
mod udp;
mod up;
mod window;

pub use datagrams::Datagrams;
pub use link::{Direction, Link, LinkCounters, Lost};
pub use path::{Keeping, LINKS_MAX, Passed, Path, Pause, Terms, Totals};
pub use protection::{Protection, Records};
#[cfg(target_os = "linux")]
pub use udp::{Udp, UdpCounters};

/// Bytes that one `recv` asks for: more overflow the second-level cache on their way to the TAP, fewer cost calls.
pub const RECEIVE_MAX: usize = 128 * 1024;

/// Bytes of a batch towards the server, counts and sizes included: a full TLS record. It is sealed as soon as it is
/// written, while it stands in the first-level cache.
pub const RECORD_BYTES: usize = 16 * 1024;

/// Records of a turn towards the server, which are sent by one call.
pub const RECORDS_MAX: usize = 8;

/// Frames of a turn towards the server: half of what it takes from its sockets in a turn before it drops
/// (C: `MAX_STORED_QUEUE_NUM`).
pub const BATCH_FRAMES: u32 = 512;

/// Unsent bytes that the kernel keeps for a connection before it takes no more (`TCP_NOTSENT_LOWAT`). What waits there
/// delays what comes behind it.
pub const NOTSENT_LOWAT: u32 = 128 * 1024;

/// How often the owner is told of passing frames, in milliseconds.
pub const REPORT_INTERVAL_MS: u64 = 50;
