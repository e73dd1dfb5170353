//! `ConnectionReceive` on both sides: what comes out of the wire's bytes, however they are cut, and what is counted.
//! A model of the stream says which frames must come; the trace holds everything else that the C leaves behind.

use crate::support::connection::{Connection, Pool, frames, turns_per_entry};
use crate::support::{Trace, is_known_difference, random};
use rand::Rng;
use rand::rngs::StdRng;
use softether_sys::{CANCEL, CONNECTION, SESSION, TCP_CLIENT_TO_SERVER, TCP_SERVER_TO_CLIENT, TCPSOCK, UINT, UINT64};
use std::collections::VecDeque;
use std::ptr;

both_sides! { connection_receive:
    fn ConnectionReceive c_ConnectionReceive(c: *mut CONNECTION, c1: *mut CANCEL, c2: *mut CANCEL) }

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    // SAFETY: null is ignored.
    unsafe { function(ptr::null_mut(), ptr::null_mut(), ptr::null_mut()) };
    let mut random = random();
    let (frames, pool) = (frames(), Pool::new(&mut random));
    // In per cent; a frame through zlib costs as much as fifty others.
    for (share, sockets, use_compress) in [(70, 1, false), (20, 3, false), (9, 8, false), (1, 2, true)] {
        let mut stream = Streams::new(sockets, use_compress);
        stream.run(function, &mut random, &pool, frames * share / 100, &mut trace);
    }
    limits(function, &mut trace);
    endings(function, &mut trace);
    trace
}

/// Random traffic on some sockets of one connection.
struct Streams {
    connection: Connection,
    wires: Vec<Wire>,
    use_compress: bool,
    /// Bytes of streams that expand to nothing usable: the C delivers an empty frame for each (`expand-failed`).
    bad: u64,
}

/// What a peer has still to send.
#[derive(Default)]
struct Wire {
    bytes: Vec<u8>,
    sent: usize,
    /// The frames in it, each with the place where it is complete.
    frames: VecDeque<(usize, Vec<u8>)>,
}

impl Streams {
    fn new(sockets: usize, use_compress: bool) -> Self {
        let connection = Connection::new(sockets);
        // SAFETY: the session is ours.
        unsafe { (*connection.s).UseCompress = use_compress.into() };
        let wires = (0..sockets).map(|_| Wire::default()).collect();
        Self { connection, wires, use_compress, bad: 0 }
    }

    /// Sends `count` frames and looks at what arrives, turn by turn.
    fn run(&mut self, function: Function, random: &mut StdRng, pool: &Pool, count: usize, trace: &mut Trace) {
        let (mut made, mut turn) = (0, 0_usize);
        while made < count || self.wires.iter().any(|wire| wire.sent < wire.bytes.len()) {
            let mut expected = Vec::new();
            for socket in 0..self.wires.len() {
                if self.wires[socket].bytes.len() - self.wires[socket].sent < 1 << 16 && made < count {
                    made += self.refill(socket, random, pool);
                }
                self.send(socket, random, &mut expected);
            }
            // SAFETY: the connection is ours; no cancel object is given.
            unsafe { function(self.connection.c, ptr::null_mut(), ptr::null_mut()) };
            self.check(&expected);
            if turn.is_multiple_of(16 * turns_per_entry()) {
                trace.push(self.seen());
            }
            turn += 1;
        }
        trace.push(self.seen());
        assert_eq!(self.connection.socket_count() as usize, self.wires.len(), "a good peer was disconnected");
    }

    /// Appends a batch or a keep-alive to what a peer sends. Returns the number of frames.
    fn refill(&mut self, socket: usize, random: &mut StdRng, pool: &Pool) -> usize {
        let wire = &mut self.wires[socket];
        if wire.sent == wire.bytes.len() {
            assert!(wire.frames.is_empty());
            (wire.bytes, wire.sent) = (Vec::new(), 0);
        }
        if random.random_ratio(1, 8) {
            let size = random.random_range(0..=512);
            let mut body = pool.frame(random, size).to_vec();
            if body.len() >= 14 && random.random() {
                body[..12].copy_from_slice(b"NATT_MY_PORT");
            }
            wire.bytes.extend_from_slice(&[0xff; 4]);
            wire.bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
            wire.bytes.extend_from_slice(&body);
            return 0;
        }
        let count = if random.random_ratio(1, 16) { 0 } else { random.random_range(1..=128) };
        wire.bytes.extend_from_slice(&(count as u32).to_be_bytes());
        for _ in 0..count {
            self.block(socket, random, pool);
        }
        count
    }

    /// Appends one block: a frame of any size, or one that must be dropped.
    fn block(&mut self, socket: usize, random: &mut StdRng, pool: &Pool) {
        let wire = &mut self.wires[socket];
        let size = match random.random_range(0..32) {
            0 => [0, 1, 13, 14, 1599, 1600][random.random_range(0..6)],
            1 if !self.use_compress => random.random_range(1601..=3200),
            2..=9 => random.random_range(1000..=1514),
            _ => random.random_range(14..=128),
        };
        let frame = pool.frame(random, size);
        let is_bad = self.use_compress && size > 0 && random.random_ratio(1, 32);
        let body = match (self.use_compress, is_bad) {
            (true, false) => compress(frame),
            _ => frame.to_vec(),
        };
        wire.bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
        wire.bytes.extend_from_slice(&body);
        let is_delivered = if self.use_compress { !is_bad && size > 0 } else { (1..=1600).contains(&size) };
        if is_delivered {
            wire.frames.push_back((wire.bytes.len(), frame.to_vec()));
        }
    }

    /// Sends a piece of random length, of a few bytes or of many frames, and notes what it completes.
    fn send(&mut self, socket: usize, random: &mut StdRng, expected: &mut Vec<Vec<u8>>) {
        let wire = &mut self.wires[socket];
        let most = if random.random_ratio(1, 4) { 7 } else { 30_000 };
        let end = wire.bytes.len().min(wire.sent + random.random_range(1..=most));
        self.connection.write(socket, &wire.bytes[wire.sent..end]);
        wire.sent = end;
        while wire.frames.front().is_some_and(|(complete, _)| *complete <= end) {
            expected.extend(wire.frames.pop_front().map(|(_, frame)| frame));
        }
    }

    /// What was received is what was to come. Empty frames are the C's way to drop.
    fn check(&mut self, expected: &[Vec<u8>]) {
        let allows_empty = is_known_difference("expand-failed");
        let mut next = 0;
        let bad = &mut self.bad;
        self.connection.drain(|frame, size_on_wire| {
            if frame.is_empty() && allows_empty {
                *bad += u64::from(size_on_wire);
                return;
            }
            assert!(expected.get(next).is_some_and(|expected| expected == frame), "frame {next} of {}", expected.len());
            next += 1;
        });
        assert_eq!(next, expected.len(), "frames are missing");
    }

    fn seen(&self) -> String {
        // SAFETY: the session is ours.
        let (total, real) = unsafe { ((*self.connection.s).TotalRecvSize, (*self.connection.s).TotalRecvSizeReal) };
        let sockets: Vec<String> = (0..self.wires.len()).map(|socket| self.connection.receiving(socket)).collect();
        // The C's empty frames are in the queue's budget, too.
        let budgets = if self.use_compress { String::new() } else { self.connection.budgets() };
        format!("{total} {} {budgets} {}", real - self.bad, sockets.join(", "))
    }
}

/// A zlib stream, as a peer with compression sends it.
fn compress(frame: &[u8]) -> Vec<u8> {
    let mut stream = vec![0; 2 * frame.len() + 256];
    // SAFETY: both have the bytes they say.
    let size = unsafe {
        let source = frame.as_ptr().cast_mut().cast();
        softether_sys::Compress(stream.as_mut_ptr().cast(), stream.len() as u32, source, frame.len() as u32)
    };
    stream.truncate(size as usize);
    stream
}

/// A batch of frames, as it stands on the wire.
fn batch(frames: &[&[u8]]) -> Vec<u8> {
    let mut bytes = (frames.len() as u32).to_be_bytes().to_vec();
    for frame in frames {
        bytes.extend_from_slice(&(frame.len() as u32).to_be_bytes());
        bytes.extend_from_slice(frame);
    }
    bytes
}

/// More frames than the queue holds, and budgets that are used up.
fn limits(function: Function, trace: &mut Trace) {
    let frame = [0x5a; 20];
    for (queue_budget, fifo_budget) in [(0, 0), (2000, 0), (2020, 0), (2048, 0), (0, 10_230_000), (0, 10_240_000)] {
        let mut connection = Connection::new(1);
        // SAFETY: all is ours, and no cancel object is given. Another session has used up a part of the budgets.
        unsafe {
            ((*(*connection.c).Cedar).QueueBudget, (*(*connection.c).Cedar).FifoBudget) = (queue_budget, fifo_budget);
            for _ in 0..3 {
                let (s, ts) = (connection.s, connection.sockets[0]);
                (*s).Timeout = UINT::MAX;
                ((*s).LastCommTime, (*ts).LastCommTime, (*ts).LastRecvTime) = (0, 0, 0);
                connection.write(0, &batch(&vec![&frame[..]; 1100]));
                function(connection.c, ptr::null_mut(), ptr::null_mut());
                let heard = [(*s).LastCommTime, (*ts).LastCommTime, (*ts).LastRecvTime].map(|time| time != 0);
                let mut received = 0;
                connection.drain(|_, _| received += 1);
                let total = (*connection.s).TotalRecvSize;
                trace.push(format!("{received} frames {total} {heard:?} {}", connection.budgets()));
            }
        }
    }
}

/// Sockets that end: by the peer, by silence, by their time, by half duplex.
fn endings(function: Function, trace: &mut Trace) {
    for ending in ["none", "closed", "silent", "silent, not received on", "time is over", "one way", "both ways"] {
        let mut connection = Connection::new(3);
        // SAFETY: all is ours, and no cancel object is given.
        unsafe {
            prepare(ending, &mut connection);
            for turn in 0..2 {
                function(connection.c, ptr::null_mut(), ptr::null_mut());
                let disconnected = (*connection.s).NumDisconnected;
                trace.push(format!("{ending}, turn {turn}: {} left, {disconnected} lost", connection.socket_count()));
            }
        }
    }
}

/// Brings one of three sockets, or all, near its end.
///
/// # Safety
/// The connection is the caller's alone.
unsafe fn prepare(ending: &str, connection: &mut Connection) {
    let s = connection.s;
    let [first, second, third] = [0, 1, 2].map(|place| connection.sockets[place]);
    // SAFETY: the caller's.
    unsafe {
        match ending {
            "closed" => drop(connection.peers.remove(1)),
            "silent" => silence_first(s, &connection.sockets),
            "silent, not received on" => {
                silence_first(s, &connection.sockets);
                (*first).Direction = TCP_CLIENT_TO_SERVER;
            }
            "time is over" => {
                (*(*s).ClientOption).ConnectionDisconnectSpan = 1;
                (*third).DisconnectTick = 1;
            }
            "one way" => {
                (*s).HalfConnection = 1;
                for ts in [first, second, third] {
                    (*ts).Direction = TCP_SERVER_TO_CLIENT;
                }
            }
            "both ways" => {
                (*s).HalfConnection = 1;
                (*second).Direction = TCP_SERVER_TO_CLIENT;
            }
            _ => (),
        }
    }
}

/// Makes the first socket silent for longer than the session's timeout, and the others as if heard of in the future.
///
/// # Safety
/// Session and sockets are the caller's alone.
unsafe fn silence_first(s: *mut SESSION, sockets: &[*mut TCPSOCK]) {
    // SAFETY: the caller's.
    unsafe {
        (*s).Timeout = 1;
        for (place, &ts) in sockets.iter().enumerate() {
            (*ts).LastCommTime = if place == 0 { 0 } else { UINT64::MAX };
        }
        softether_sys::SleepThread(5);
    }
}

/// A burst of 32 full frames: the peer's write, the wait, two reads, decoding, 32 blocks, and taking them out again.
pub fn work(function: Function) -> impl FnMut() {
    let mut connection = Connection::new(1);
    let burst = batch(&[&[0x5a; 1514][..]; 32]);
    move || {
        connection.write(0, &burst);
        // SAFETY: the connection is ours, and no cancel object is given.
        unsafe { function(connection.c, ptr::null_mut(), ptr::null_mut()) };
        connection.drain(|_, _| ());
    }
}

#[cfg(test)]
#[allow(unused_imports, reason = "the benchmark is built with cfg(test), but without tests")]
mod tests {
    use super::*;
    use crate::support::start;
    use std::cell::Cell;
    use std::io::Write;

    /// C and Rust take turns on one connection, from call to call, and no frame is lost or changed.
    #[test]
    fn c_and_rust_take_turns() {
        thread_local!(static TURN: Cell<u32> = const { Cell::new(0) });
        let alternate: Function = |c, c1, c2| {
            let turn = TURN.get();
            TURN.set(turn + 1);
            // SAFETY: as for the function itself. The order has no short period.
            unsafe { if turn.wrapping_mul(turn) % 7 < 3 { C(c, c1, c2) } else { RUST(c, c1, c2) } }
        };
        start();
        let mut random = random();
        let pool = Pool::new(&mut random);
        for (sockets, use_compress) in [(1, false), (4, false), (2, true)] {
            let count = frames() / if use_compress { 1000 } else { 20 };
            Streams::new(sockets, use_compress).run(alternate, &mut random, &pool, count, &mut Trace::new());
        }
    }

    /// Known differences `parse-after-error` and `keep-alive-desync`: what stands behind a breach of the protocol is frames
    /// to the C, and nothing to Rust. Both disconnect the socket.
    #[test]
    fn nothing_is_parsed_after_an_error() {
        start();
        let behind = batch(&[&[0xbb; 60]]);
        let oversize = [&batch(&[&[0xaa; 60]])[..], &[0, 0, 0, 9, 0, 0, 12, 129], &[0; 3200], &behind[4..], &[0; 7]].concat();
        let keep_alive = [&[0xff, 0xff, 0xff, 0xff, 0, 0, 2, 1][..], &[0; 512], &behind].concat();
        for (name, wire, before, error_at) in
            [("an oversize block", oversize, 1, 76), ("an oversize keep-alive", keep_alive, 0, 8)]
        {
            for cut in [0, 1, 7, 8, 70, 75, 76, 79, 500] {
                // What comes in a later call than the error is lost to both.
                let behind = usize::from(cut < error_at);
                for (function, expected) in [(C, before + behind), (RUST, before)] {
                    let mut connection = Connection::new(1);
                    let mut received = 0;
                    for piece in [&wire[..cut], &wire[cut..]] {
                        // The first piece may have been the end.
                        let _ = connection.peers[0].write_all(piece);
                        // SAFETY: the connection is ours, and no cancel object is given.
                        unsafe { function(connection.c, ptr::null_mut(), ptr::null_mut()) };
                        connection.drain(|_, _| received += 1);
                    }
                    assert_eq!(received, expected, "{name}, cut at {cut}");
                    // SAFETY: as above.
                    unsafe { function(connection.c, ptr::null_mut(), ptr::null_mut()) };
                    assert_eq!(connection.socket_count(), 0, "{name} is an end");
                }
            }
        }
    }

    /// Known difference `lost-at-the-end`: frames that come together with the end of the connection.
    #[test]
    fn the_last_frames_arrive() {
        start();
        for (function, expected) in [(C, 0), (RUST, 2)] {
            let mut connection = Connection::new(1);
            connection.write(0, &batch(&[&[0xaa; 60], &[0xbb; 60]]));
            connection.peers.clear();
            let mut received = 0;
            // SAFETY: the connection is ours, and no cancel object is given.
            unsafe { function(connection.c, ptr::null_mut(), ptr::null_mut()) };
            connection.drain(|_, _| received += 1);
            assert_eq!((received, connection.socket_count()), (expected, 0));
        }
    }
}
