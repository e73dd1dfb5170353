//! Recording what goes in and out of the framing of a session, for `cutover-replay`.
//!
//! `CUTOVER_RECORD_PLAINTEXT=FILE` in the environment of a client makes a new file, readable by its owner alone, of the
//! first session whose `ConnectionSend` and `ConnectionReceive` run in Rust: every frame of it, and every byte of its
//! connections behind TLS. It is meant for synthetic traffic; the log says that it happens. Frames that go by UDP
//! acceleration or R-UDP's bulk transfer do not pass the framing and are not in it.
//!
//! The file is a line, then events:
//!
//! ```text
//!   cutover-record 1 framing <newline>
//!   event = u8 kind, u8 socket, u32 size, size bytes       numbers are big-endian
//!
//!   'C'  the session, first and once: u8 compression, u8 QoS
//!   'q'  in, up: a block that was queued: u8 priority, u8 compressed, u32 size before compression, the block
//!   'w'  out, up: what was put into the transmit FIFO of a socket: one batch
//!   'S'  end of one call of ConnectionSend
//!   'r'  in, down: what one read of a socket gave
//!   'f'  out, down: a frame that was delivered: u32 its size on the wire, the frame
//!   'R'  end of one call of ConnectionReceive
//! ```
//!
//! The word `framing` is the kind of the record; other kinds may follow. Sockets are numbered in the order in which they
//! were first seen. Keep-alives of this end are random and are not recorded; those of the other end are in 'r'.

use crate::memory::{list, queue, view};
use softether_sys::{BLOCK, CONNECTION, SESSION, TCPSOCK};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The environment variable that asks for a record.
pub const VARIABLE: &str = "CUTOVER_RECORD_PLAINTEXT";

/// The first line of a record of this kind.
pub const FIRST_LINE: &[u8] = b"cutover-record 1 framing\n";

/// Bytes after which a record ends.
const RECORD_SIZE_MAX: usize = 256 << 20;

/// One event of a record, see the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'r> {
    /// 'C'.
    Session {
        /// `SESSION.UseCompress`.
        use_compress: bool,
        /// `SESSION.QoS`.
        use_qos: bool,
    },
    /// 'q'.
    Queued {
        /// Whether it stood in the queue for priority.
        has_priority: bool,
        /// `BLOCK.Compressed`.
        is_compressed: bool,
        /// `BLOCK.SizeofData`.
        size_of_data: u32,
        /// The bytes to be sent.
        body: &'r [u8],
    },
    /// 'w'.
    Written {
        /// The socket's number.
        socket: u8,
        /// One batch.
        bytes: &'r [u8],
    },
    /// 'S'.
    SendEnds,
    /// 'r'.
    Read {
        /// The socket's number.
        socket: u8,
        /// As one call gave them.
        bytes: &'r [u8],
    },
    /// 'f'.
    Delivered {
        /// `BLOCK.SizeofData`.
        size_of_data: u32,
        /// The frame.
        frame: &'r [u8],
    },
    /// 'R'.
    ReceiveEnds,
}

/// A record that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// It ends in the middle of an event.
    #[error("the record is cut at byte {at}")]
    Cut {
        /// Where the event begins, behind the first line.
        at: usize,
    },
    /// An event is none.
    #[error("there is no event at byte {at} of the record")]
    Unknown {
        /// Where it begins, behind the first line.
        at: usize,
    },
}

impl<'r> Event<'r> {
    /// The events behind the first line of a record.
    ///
    /// # Errors
    /// [`BadRecord`]
    pub fn all(bytes: &'r [u8]) -> Result<Vec<Self>, BadRecord> {
        let (mut events, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let (&[kind, socket, a, b, c, d], behind) = rest.split_first_chunk().ok_or(BadRecord::Cut { at })?;
            let size = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_| BadRecord::Cut { at })?;
            let (body, behind) = behind.split_at_checked(size).ok_or(BadRecord::Cut { at })?;
            events.push(Self::one(kind, socket, body).ok_or(BadRecord::Unknown { at })?);
            rest = behind;
        }
        Ok(events)
    }

    fn one(kind: u8, socket: u8, bytes: &'r [u8]) -> Option<Self> {
        Some(match (kind, bytes) {
            (b'C', &[compress, qos]) => Self::Session { use_compress: compress != 0, use_qos: qos != 0 },
            (b'q', &[priority, compressed, a, b, c, d, ref body @ ..]) => Self::Queued {
                has_priority: priority != 0,
                is_compressed: compressed != 0,
                size_of_data: u32::from_be_bytes([a, b, c, d]),
                body,
            },
            (b'w', bytes) => Self::Written { socket, bytes },
            (b'S', []) => Self::SendEnds,
            (b'r', bytes) => Self::Read { socket, bytes },
            (b'f', &[a, b, c, d, ref frame @ ..]) => {
                Self::Delivered { size_of_data: u32::from_be_bytes([a, b, c, d]), frame }
            }
            (b'R', []) => Self::ReceiveEnds,
            _ => return None,
        })
    }

    /// Appends the event to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut put = |kind, socket, head: &[u8], body: &[u8]| {
            let size = u32::try_from(head.len() + body.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&[kind, socket]);
            out.extend_from_slice(&size.to_be_bytes());
            out.extend_from_slice(head);
            out.extend_from_slice(body);
        };
        match *self {
            Self::Session { use_compress, use_qos } => put(b'C', 0, &[use_compress.into(), use_qos.into()], &[]),
            Self::Queued { has_priority, is_compressed, size_of_data, body } => {
                let [a, b, c, d] = size_of_data.to_be_bytes();
                put(b'q', 0, &[has_priority.into(), is_compressed.into(), a, b, c, d], body);
            }
            Self::Written { socket, bytes } => put(b'w', socket, &[], bytes),
            Self::SendEnds => put(b'S', 0, &[], &[]),
            Self::Read { socket, bytes } => put(b'r', socket, &[], bytes),
            Self::Delivered { size_of_data, frame } => put(b'f', 0, &size_of_data.to_be_bytes(), frame),
            Self::ReceiveEnds => put(b'R', 0, &[], &[]),
        }
    }
}

/// The record that this process writes.
pub(crate) struct Recorder {
    file: File,
    /// The first bytes of the key of the session that is recorded; others are not.
    session: Option<[u8; 8]>,
    sockets: Vec<*const TCPSOCK>,
    /// Events of the call that has not ended.
    pending: Vec<u8>,
    written: usize,
}

// SAFETY: the addresses are compared, never followed.
unsafe impl Send for Recorder {}

static RECORDER: OnceLock<Option<Mutex<Recorder>>> = OnceLock::new();

/// Hands the recorder to `record`, if there is one and the connection is of the session that is recorded.
///
/// # Safety
/// `c` is a connection with a session, on that session's thread.
pub(crate) unsafe fn with(c: *const CONNECTION, record: impl FnOnce(&mut Recorder)) {
    let Some(recorder) = RECORDER.get_or_init(Recorder::from_environment) else { return };
    let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller's.
    if recorder.is_of(unsafe { &*(*c).Session }) {
        record(&mut recorder);
    }
}

impl Recorder {
    fn from_environment() -> Option<Mutex<Self>> {
        let path = std::env::var_os(VARIABLE)?;
        let path = path.display();
        let opened = std::env::var_os(VARIABLE).ok_or_else(|| io::ErrorKind::NotFound.into()).and_then(|path| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(FIRST_LINE).map(|()| file)
        });
        match opened {
            Ok(file) => {
                tracing::warn!("{VARIABLE}: all frames of this session are written to {path} as they are");
                let (sockets, pending) = (Vec::new(), Vec::new());
                Some(Mutex::new(Self { file, session: None, sockets, pending, written: 0 }))
            }
            Err(error) => {
                tracing::error!("{VARIABLE}: nothing is recorded: {path}: {error}");
                None
            }
        }
    }

    fn is_of(&mut self, s: &SESSION) -> bool {
        let Some(&key) = s.SessionKey.first_chunk() else { return false };
        if self.session.is_none() {
            self.session = Some(key);
            self.put(&Event::Session { use_compress: s.UseCompress != 0, use_qos: s.QoS != 0 });
        }
        self.session == Some(key)
    }

    fn put(&mut self, event: &Event<'_>) {
        event.write(&mut self.pending);
    }

    /// # Safety
    /// `ts` is a socket of `c`, on its session's thread.
    unsafe fn socket(&mut self, c: *const CONNECTION, ts: *const TCPSOCK) -> u8 {
        // SAFETY: the caller's. All are numbered at once, so that their order is the list's.
        for ts in unsafe { list::snapshot::<TCPSOCK>((*(*c).Tcp).TcpSockList) } {
            if !self.sockets.contains(&ts.cast_const()) {
                self.sockets.push(ts);
            }
        }
        let place = self.sockets.iter().position(|&known| known == ts);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    /// All blocks of a queue, which are about to be sent.
    ///
    /// # Safety
    /// The queue holds whole blocks and is this thread's.
    pub(crate) unsafe fn queued(&mut self, queue: *const softether_sys::QUEUE, has_priority: bool) {
        // SAFETY: the caller's.
        for b in unsafe { queue::items::<BLOCK>(queue).map(|b| &*b) } {
            // SAFETY: a block owns its bytes.
            let body = unsafe { view(b.Buf.cast(), b.Size) };
            let (is_compressed, size_of_data) = (b.Compressed != 0, b.SizeofData);
            self.put(&Event::Queued { has_priority, is_compressed, size_of_data, body });
        }
    }

    /// A batch for a socket.
    ///
    /// # Safety
    /// `ts` is a socket of `c`, on its session's thread.
    pub(crate) unsafe fn written(&mut self, c: *const CONNECTION, ts: *const TCPSOCK, bytes: &[u8]) {
        // SAFETY: the caller's.
        let socket = unsafe { self.socket(c, ts) };
        self.put(&Event::Written { socket, bytes });
    }

    /// What a socket gave.
    ///
    /// # Safety
    /// As [`Recorder::written`].
    pub(crate) unsafe fn read(&mut self, c: *const CONNECTION, ts: *const TCPSOCK, bytes: &[u8]) {
        // SAFETY: the caller's.
        let socket = unsafe { self.socket(c, ts) };
        self.put(&Event::Read { socket, bytes });
    }

    /// The end of a call of `ConnectionSend`.
    pub(crate) fn send_ends(&mut self) {
        self.end(&Event::SendEnds);
    }

    /// The end of a call of `ConnectionReceive`: the blocks in the queue behind the first `before` have come in it.
    ///
    /// # Safety
    /// `c` is a connection on its session's thread.
    pub(crate) unsafe fn receive_ends(&mut self, c: *const CONNECTION, before: usize) {
        // SAFETY: the caller's; the queue holds whole blocks.
        for b in unsafe { queue::items::<BLOCK>((*c).ReceivedBlocks).skip(before).map(|b| &*b) } {
            // SAFETY: a block owns its bytes.
            let frame = unsafe { view(b.Buf.cast(), b.Size) };
            self.put(&Event::Delivered { size_of_data: b.SizeofData, frame });
        }
        self.end(&Event::ReceiveEnds);
    }

    /// Writes the events of a call; a call without any leaves none.
    fn end(&mut self, event: &Event<'_>) {
        if self.pending.is_empty() || self.written > RECORD_SIZE_MAX {
            self.pending.clear();
            return;
        }
        self.put(event);
        if let Err(error) = self.file.write_all(&self.pending) {
            tracing::error!("{VARIABLE}: the record ends here: {error}");
            self.written = RECORD_SIZE_MAX;
        }
        self.written += self.pending.len();
        if self.written > RECORD_SIZE_MAX {
            tracing::warn!("{VARIABLE}: the record ends here, at {} bytes", self.written);
        }
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of event, there and back; and a record that is cut or damaged is refused.
    #[test]
    fn events_there_and_back() {
        let events = [
            Event::Session { use_compress: true, use_qos: false },
            Event::Queued { has_priority: true, is_compressed: true, size_of_data: 60, body: b"zlib" },
            Event::Written { socket: 3, bytes: b"batch" },
            Event::SendEnds,
            Event::Read { socket: 31, bytes: b"" },
            Event::Delivered { size_of_data: 4, frame: b"frame" },
            Event::ReceiveEnds,
        ];
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for event in &events {
            event.write(&mut bytes);
            ends.push(bytes.len());
        }
        assert_eq!(Event::all(&bytes).as_deref(), Ok(&events[..]));
        for cut in 0..bytes.len() {
            let whole = ends.contains(&cut);
            let at = ends.iter().rev().find(|&&end| end <= cut).copied().expect("the first is 0");
            let read = Event::all(&bytes[..cut]);
            assert!(if whole { read.is_ok() } else { read == Err(BadRecord::Cut { at }) }, "{cut}: {read:?}");
        }
        bytes[0] = b'?';
        assert_eq!(Event::all(&bytes), Err(BadRecord::Unknown { at: 0 }));
    }
}
