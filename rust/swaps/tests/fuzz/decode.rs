//! Decoding: `ConnectionReceive` on bytes of the fuzzer's making, cut where it wants.
//!
//! Equal must be, after each call: the frames, the counters, what the socket waits for and holds, and whether it is
//! connected. Known differences: behind a breach of the protocol the C has more frames (`parse-after-error`,
//! `keep-alive-desync`), and only as many as Rust before it; for a bad zlib stream the C has an empty frame
//! (`expand-failed`).

use super::Choices;
use super::support::connection::Connection;
use super::support::{is_known_difference, start};
use softether_sys::{CANCEL, CONNECTION, SESSION};
use std::ptr;
use swaps::connection_receive;

/// Bytes that a socket pair takes without blocking.
const PIECE_SIZE_MAX: usize = 60_000;
const STEPS_MAX: usize = 64;
/// Bytes that the Rust side keeps of a part that is cut: less than the longest block.
const HELD_MAX: u32 = 3200;

/// One input on both sides.
pub fn run(input: &[u8]) {
    start();
    let mut choices = Choices::new(input);
    let use_compress = choices.byte() & 1 == 1;
    let pieces = pieces(&mut choices, use_compress);
    // SAFETY: a connection of its own each, and no cancel objects.
    let c = |c, c1, c2| unsafe { connection_receive::c_ConnectionReceive(c, c1, c2) };
    // SAFETY: as above.
    let rust = |c, c1, c2| unsafe { connection_receive::rust(c, c1, c2) };
    let (mut control, mut candidate) = (Receiver::new(use_compress), Receiver::new(use_compress));
    for (at, piece) in pieces.iter().enumerate() {
        let (c, rust) = (control.receive(c, piece), candidate.receive(rust, piece));
        assert_eq!(c.is_connected, rust.is_connected, "piece {at}");
        if !c.is_connected {
            assert!(c.frames.starts_with(&rust.frames), "piece {at}: other frames before the error");
            let allows_more = ["parse-after-error", "keep-alive-desync"].into_iter().all(is_known_difference);
            assert!(allows_more || c == rust, "piece {at}: more frames behind the error");
            return;
        }
        assert_eq!(c, rust, "piece {at}");
        assert!(candidate.held() < HELD_MAX, "piece {at}: {} bytes are held", candidate.held());
    }
}

/// What the fuzzer wants to send, in the pieces in which it arrives.
fn pieces(choices: &mut Choices<'_>, use_compress: bool) -> Vec<Vec<u8>> {
    const WORDS: [u32; 16] =
        [0, 1, 2, 13, 14, 512, 513, 1514, 1600, 1601, 3200, 3201, 1 << 31, u32::MAX - 1, u32::MAX, u32::MAX];
    let (mut pieces, mut wire) = (Vec::new(), Vec::new());
    for _ in 0..STEPS_MAX {
        if choices.is_empty() {
            break;
        }
        match choices.byte() % 8 {
            0 => wire.extend_from_slice(&WORDS[usize::from(choices.byte()) % WORDS.len()].to_be_bytes()),
            1 => {
                let size = choices.byte().into();
                wire.extend(choices.bytes(size));
            }
            2 => wire.resize(wire.len() + choices.size(3200), choices.byte()),
            3..=5 => batch(choices, use_compress, &mut wire),
            6 => keep_alive(choices, &mut wire),
            _ => {
                // A cut somewhere in what has come together so far.
                let rest = wire.split_off(wire.len().min(choices.size(3200)));
                pieces.push(std::mem::replace(&mut wire, rest));
            }
        }
        while wire.len() > PIECE_SIZE_MAX {
            let rest = wire.split_off(PIECE_SIZE_MAX);
            pieces.push(std::mem::replace(&mut wire, rest));
        }
    }
    pieces.push(wire);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// A well-formed batch, at times with a count that is not its number of blocks.
fn batch(choices: &mut Choices<'_>, use_compress: bool, wire: &mut Vec<u8>) {
    let blocks = choices.byte() % 16;
    let count = match choices.byte() {
        0..=15 => u32::from(blocks) + 1,
        _ => u32::from(blocks),
    };
    wire.extend_from_slice(&count.to_be_bytes());
    for _ in 0..blocks {
        let size = choices.size(3200);
        let mut body = choices.contents(size);
        if use_compress && !choices.byte().is_multiple_of(8) {
            body.truncate(1700);
            body = super::compression::compressed(&body);
            body.truncate(3200);
        }
        wire.extend_from_slice(&(body.len() as u32).to_be_bytes());
        wire.extend_from_slice(&body);
    }
}

/// A well-formed keep-alive, at times with a NAT-T signature, whole or not.
fn keep_alive(choices: &mut Choices<'_>, wire: &mut Vec<u8>) {
    let size = choices.size(512);
    let mut body = choices.contents(size);
    let signature = b"NATT_MY_PORT\x13\x88";
    let length = signature.len().min(body.len());
    if choices.byte().is_multiple_of(2) {
        body[..length].copy_from_slice(&signature[..length]);
    }
    wire.extend_from_slice(&[0xff; 4]);
    wire.extend_from_slice(&(body.len() as u32).to_be_bytes());
    wire.extend_from_slice(&body);
}

/// A connection with one socket that receives.
struct Receiver {
    connection: Connection,
    /// Bytes on the wire of the C's empty frames (`expand-failed`).
    bad: u64,
}

/// What one call leaves behind.
#[derive(Debug, PartialEq)]
struct Seen {
    is_connected: bool,
    frames: Vec<Vec<u8>>,
    totals: (u64, u64),
    waits_for: String,
}

impl Receiver {
    fn new(use_compress: bool) -> Self {
        let connection = Connection::new(1);
        // SAFETY: the session is ours.
        unsafe { (*connection.s).UseCompress = use_compress.into() };
        Self { connection, bad: 0 }
    }

    fn receive(&mut self, function: impl Fn(*mut CONNECTION, *mut CANCEL, *mut CANCEL), piece: &[u8]) -> Seen {
        self.connection.write(0, piece);
        function(self.connection.c, ptr::null_mut(), ptr::null_mut());
        let (mut frames, bad) = (Vec::new(), &mut self.bad);
        self.connection.drain(|frame, size_on_wire| {
            if frame.is_empty() && is_known_difference("expand-failed") {
                *bad += u64::from(size_on_wire);
            } else {
                frames.push(frame.to_vec());
            }
        });
        // SAFETY: session and socket are ours; a socket is freed in the call behind the one that disconnects it.
        let (s, sock): (&SESSION, _) = unsafe { (&*self.connection.s, &*(*self.connection.sockets[0]).Sock) };
        Seen {
            is_connected: sock.Connected != 0,
            frames,
            totals: (s.TotalRecvSize, s.TotalRecvSizeReal - self.bad),
            waits_for: self.connection.receiving(0),
        }
    }

    fn held(&self) -> u32 {
        // SAFETY: the socket is ours and connected.
        unsafe { (*(*self.connection.sockets[0]).RecvFifo).size }
    }
}
