//! The data phase: frames between one connection and the TAP, in batches. One thread, one loop:
//!
//!  1. `poll` on connection and TAP. The TAP is asked for only while nothing waits to be sent.
//!  2. From the connection: one receive of up to 128 KiB; whole records are opened behind one another; frames are taken
//!     from the plaintext in place; the TAP merges neighbours into super-packets. What is cut waits in front.
//!  3. From the TAP: super-packets are cut into frames, written once into a batch, sealed in full records, and sent with
//!     one call. What the kernel does not take waits.
//!  4. After five seconds without a frame to send, a keep-alive.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use cedar::adapter::Adapter;
use cedar::framing::{self, Batch, Event, PushError, SliceDecoder, Statistics};
use cedar::tls::{FRAGMENT_MAX, Keys};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Card, PeerError, Plant};

/// Bytes of one receive.
const RECEIVE: usize = 128 * 1024;
/// Bytes and frames of a batch towards the client, whose receive queue holds 1024 frames.
const BATCH: usize = 128 * 1024;
const BATCH_FRAMES: u32 = 512;
/// A quarter of the session's timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionCounts {
    /// Frames from the client.
    pub frames_in: u64,
    /// Frames to the client.
    pub frames_out: u64,
}

impl fmt::Display for SessionCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frames in, {} frames out", self.frames_in, self.frames_out)
    }
}

/// Carries frames until the client goes.
pub(super) fn carry(
    stream: &TcpStream,
    keys: Option<Keys>,
    card: &mut Card,
    plant: Option<Plant>,
) -> Result<SessionCounts, PeerError> {
    stream.set_nonblocking(true).map_err(PeerError::io("set the connection non-blocking"))?;
    let mut session = Session {
        stream,
        keys,
        plant,
        decoder: SliceDecoder::new(),
        received: Buffer::new(RECEIVE + FRAGMENT_MAX),
        plain: Buffer::new(RECEIVE + 2 * FRAGMENT_MAX),
        batch: vec![0; BATCH].into_boxed_slice(),
        // A record adds less than a hundredth.
        to_send: Buffer::new(BATCH + BATCH / 8),
        statistics: Statistics::default(),
        counts: SessionCounts::default(),
        last_sent: Instant::now(),
    };
    while session.turn(card)? {}
    Ok(session.counts)
}

/// Bytes between `start` and `end`; new ones are put behind.
struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new(size: usize) -> Self {
        Self { bytes: vec![0; size].into_boxed_slice(), start: 0, end: 0 }
    }

    fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Moves what is there to the front and gives the room behind it.
    fn room(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

struct Session<'a> {
    stream: &'a TcpStream,
    keys: Option<Keys>,
    plant: Option<Plant>,
    decoder: SliceDecoder,
    /// As it came, when there are keys.
    received: Buffer,
    plain: Buffer,
    batch: Box<[u8]>,
    to_send: Buffer,
    statistics: Statistics,
    counts: SessionCounts,
    last_sent: Instant,
}

impl Session<'_> {
    /// One turn; false when the client has gone.
    fn turn(&mut self, card: &mut Card) -> Result<bool, PeerError> {
        let (readable, writable, card_readable) = self.wait(card)?;
        if writable {
            self.send()?;
        }
        if readable && !self.receive_frames(card)? {
            return Ok(false);
        }
        if self.to_send.is_empty() {
            if card_readable {
                self.send_frames(card)?;
            }
            if self.last_sent.elapsed() >= KEEP_ALIVE {
                self.keep_alive()?;
            }
        }
        Ok(true)
    }

    fn wait(&self, card: &Card) -> Result<(bool, bool, bool), PeerError> {
        let waiting = !self.to_send.is_empty();
        let interest = if waiting { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
        let card_fd = card.readiness().ok_or(PeerError::Keys("the TAP cannot be waited for"))?;
        let card_interest = if waiting { PollFlags::empty() } else { PollFlags::POLLIN };
        let mut fds = [PollFd::new(self.stream.as_fd(), interest), PollFd::new(card_fd, card_interest)];
        match poll(&mut fds, PollTimeout::from(1000_u16)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(PeerError::io("wait for frames")(errno.into())),
        }
        let [connection, card] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        let readable = connection.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR);
        Ok((readable, connection.contains(PollFlags::POLLOUT), !card.is_empty()))
    }

    /// One receive, and all frames in it to the card; false at the end.
    fn receive_frames(&mut self, card: &mut Card) -> Result<bool, PeerError> {
        let into = if self.keys.is_some() { &mut self.received } else { &mut self.plain };
        let room = into.room();
        let room_len = room.len().min(RECEIVE);
        match self.stream.read(room.get_mut(..room_len).unwrap_or_default()) {
            Ok(0) => return Ok(false),
            Ok(read) => into.end += read,
            Err(error) if is_not_now(&error) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(PeerError::io("receive frames")(error)),
        }
        loop {
            let goes_on = self.open()?;
            let taken = self.frames_to(card)?;
            if !goes_on {
                return Ok(false);
            }
            // Records that did not fit any more fit now.
            if !taken || self.received.is_empty() {
                break;
            }
        }
        card.flush()?;
        Ok(true)
    }

    /// Opens the whole records that came; false if the client says that no more follow.
    fn open(&mut self) -> Result<bool, PeerError> {
        let Some(keys) = &mut self.keys else {
            return Ok(true);
        };
        let opened = keys.opener.open_all(self.received.filled(), self.plain.room());
        self.received.start += opened.taken;
        self.plain.end += opened.plaintext;
        if opened.key_update_requested {
            keys.sealer.owe_key_update();
        }
        match opened.end {
            None => Ok(true),
            Some(cedar::tls::End::CloseNotify) => Ok(false),
            Some(cedar::tls::End::Failed(error)) => Err(error.into()),
        }
    }

    /// Puts the frames in the plaintext to the card; whether there were any.
    fn frames_to(&mut self, card: &mut Card) -> Result<bool, PeerError> {
        let mut input = self.plain.bytes.get(self.plain.start..self.plain.end).unwrap_or_default();
        let before = self.counts.frames_in;
        while let Some(event) = self.decoder.decode(&mut input)? {
            if let Event::Frame(frame) = event {
                self.counts.frames_in += 1;
                match self.plant {
                    Some(plant) if self.counts.frames_in.is_multiple_of(plant.every()) => {
                        put_planted(card, plant, frame)?;
                    }
                    _ => card.put_frame(frame)?,
                }
            }
        }
        self.plain.start = self.plain.end - input.len();
        Ok(self.counts.frames_in > before)
    }

    /// One batch from the card to the client.
    fn send_frames(&mut self, card: &mut Card) -> Result<(), PeerError> {
        let mut batch = Batch::new(&mut self.batch, &mut self.statistics);
        // A frame is taken from the card only when there is room for the longest.
        while batch.count() < BATCH_FRAMES && batch.room().len() >= cedar::adapter::MAX_PACKET_SIZE {
            let Some(frame) = card.next_frame()? else { break };
            match batch.push(frame) {
                Ok(()) | Err(PushError::Oversize) => {}
                Err(PushError::Full) => break,
            }
        }
        self.counts.frames_out += u64::from(batch.count());
        let length = batch.finish();
        self.seal_and_send(length)
    }

    fn keep_alive(&mut self) -> Result<(), PeerError> {
        let length = framing::encode_keep_alive(&mut self.batch, None, || 1, &mut self.statistics).unwrap_or(0);
        self.seal_and_send(length)
    }

    /// Sends the first `length` bytes of the batch.
    fn seal_and_send(&mut self, length: usize) -> Result<(), PeerError> {
        if length == 0 {
            return Ok(());
        }
        let plaintext = self.batch.get(..length).unwrap_or_default();
        let room = self.to_send.room();
        self.to_send.end = match &mut self.keys {
            Some(keys) => keys.sealer.seal_all(plaintext, room)?,
            None => {
                room.get_mut(..length).unwrap_or_default().copy_from_slice(plaintext);
                length
            }
        };
        self.last_sent = Instant::now();
        self.send()
    }

    fn send(&mut self) -> Result<(), PeerError> {
        while !self.to_send.is_empty() {
            match self.stream.write(self.to_send.filled()) {
                Ok(sent) => self.to_send.start += sent,
                Err(error) if is_not_now(&error) => break,
                Err(error) => return Err(PeerError::io("send frames")(error)),
            }
        }
        Ok(())
    }
}

/// Puts a frame with its fault.
#[cold]
fn put_planted(card: &mut Card, plant: Plant, frame: &[u8]) -> Result<(), PeerError> {
    let mut spoiled = frame.to_vec();
    match (plant, spoiled.last_mut()) {
        (Plant::Flip(_), Some(last)) => *last ^= 1,
        _ => return Ok(()),
    }
    Ok(card.put_frame(&spoiled)?)
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
