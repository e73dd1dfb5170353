//! `ConnectionSend` on both sides: what the peers read, on which socket, and what is counted. The frames that were queued
//! say what must come; the trace holds everything else that the C leaves behind. Keep-alives are random and are only
//! held to their form.

use crate::support::connection::{Connection, Pool, frames, turns_per_entry};
use crate::support::{Trace, random};
use rand::Rng;
use rand::rngs::StdRng;
use softether_sys::{CONNECTION, TCP_BOTH, TCP_CLIENT_TO_SERVER, TCP_SERVER_TO_CLIENT, UINT64, Uncompress};
use std::ptr;

both_sides! { connection_send: fn ConnectionSend c_ConnectionSend(c: *mut CONNECTION, now: UINT64) }

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    // SAFETY: null is ignored.
    unsafe { function(ptr::null_mut(), 0) };
    let mut random = random();
    let (frames, pool) = (frames(), Pool::new(&mut random));
    // In per cent; a frame through zlib costs as much as fifty others.
    for (share, sockets, use_qos, use_compress) in
        [(60, 1, false, false), (15, 1, true, false), (12, 3, false, false), (12, 4, true, false), (1, 2, true, true)]
    {
        let mut sender = Sender::new(sockets, use_qos, use_compress);
        sender.run(function, &mut random, &pool, frames * share / 100, &mut trace);
    }
    slow_peer(function, &mut trace);
    lost_peer(function, &mut trace);
    directions(function, &mut trace);
    trace
}

/// A connection that sends, with what its peers have read.
struct Sender {
    connection: Connection,
    use_qos: bool,
    use_compress: bool,
    now: UINT64,
    /// Bytes of keep-alives, whose number and size are random.
    keep_alives: u64,
}

impl Sender {
    fn new(sockets: usize, use_qos: bool, use_compress: bool) -> Self {
        let connection = Connection::new(sockets);
        // SAFETY: the session is ours.
        unsafe {
            (*connection.s).QoS = use_qos.into();
            (*connection.s).UseCompress = use_compress.into();
        }
        Self { connection, use_qos, use_compress, now: 1_000, keep_alives: 0 }
    }

    /// Sends `count` frames and looks at what the peers read, turn by turn.
    fn run(&mut self, function: Function, random: &mut StdRng, pool: &Pool, count: usize, trace: &mut Trace) {
        let (mut queued, mut turn) = (0, 0_usize);
        while queued < count {
            let (mut priority, mut normal) = (Vec::new(), Vec::new());
            for _ in 0..random.random_range(0..=128) {
                let size = match random.random_range(0..16) {
                    0 => [0, 1, 13, 14, 1599, 1600][random.random_range(0..6)],
                    1..=4 => random.random_range(1000..=1514),
                    _ => random.random_range(14..=128),
                };
                let (frame, is_first) = (pool.frame(random, size), self.use_qos && random.random_ratio(1, 8));
                self.connection.queue(frame, is_first);
                if is_first { &mut priority } else { &mut normal }.push(frame.to_vec());
                queued += 1;
            }
            for &ts in &self.connection.sockets {
                // SAFETY: the sockets live. As if the kernel had refused before.
                unsafe { ((*ts).LateCount, (*ts).LastRecvTime) = (random.random_range(0..3), random.random_range(0..3)) };
            }
            self.now += random.random_range(0..1000);
            // SAFETY: the connection is ours.
            unsafe {
                (*self.connection.s).IsRUDPSession = random.random_ratio(1, 4).into();
                function(self.connection.c, self.now);
            }
            let seen = self.check(&priority, &normal);
            if turn.is_multiple_of(turns_per_entry()) {
                trace.push(seen);
            }
            turn += 1;
        }
    }

    /// Priority and the rest have come whole, and each on one socket.
    fn check(&mut self, priority: &[Vec<u8>], normal: &[Vec<u8>]) -> String {
        let sockets = self.connection.sockets.len();
        let read: Vec<Vec<Vec<u8>>> = (0..sockets).map(|socket| self.read(socket)).collect();
        let used: Vec<usize> = (0..sockets).filter(|&socket| !read[socket].is_empty()).collect();
        let apart = self.use_qos && sockets > 1;
        if apart {
            assert_eq!(read[sockets - 1], priority, "the last socket is kept for priority");
            assert_eq!(read[..sockets - 1].concat(), normal);
            assert!(used.len() <= 2);
        } else {
            assert_eq!(read.concat(), [priority, normal].concat());
            assert!(used.len() <= 1);
        }
        // SAFETY: the connection lives.
        let (total, real, queued) = unsafe {
            let (s, c) = (&*self.connection.s, &*self.connection.c);
            (s.TotalSendSize, s.TotalSendSizeReal, c.CurrentSendQueueSize)
        };
        format!("{used:?} {} {} {queued}", total - self.keep_alives, real - self.keep_alives)
    }

    /// The frames that a peer reads now: whole batches, keep-alives among them.
    fn read(&mut self, socket: usize) -> Vec<Vec<u8>> {
        let bytes = self.connection.read(socket);
        let mut rest = &bytes[..];
        let mut take = |size: usize| {
            let (taken, behind) = rest.split_at(size);
            rest = behind;
            (taken, behind.is_empty())
        };
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
        let mut frames = Vec::new();
        let mut is_end = bytes.is_empty();
        while !is_end {
            let count = number(take(4).0);
            if count == u32::MAX {
                let size = number(take(4).0);
                is_end = take(size as usize).1;
                self.keep_alives += 8 + u64::from(size);
                continue;
            }
            assert_ne!(count, 0, "an empty batch");
            for _ in 0..count {
                let size = number(take(4).0) as usize;
                let body;
                (body, is_end) = take(size);
                frames.push(if self.use_compress { expand(body) } else { body.to_vec() });
            }
        }
        frames
    }
}

/// What a peer with compression makes of a block.
fn expand(stream: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 1600];
    // SAFETY: both have the bytes they say.
    let size = unsafe {
        Uncompress(frame.as_mut_ptr().cast(), 1600, stream.as_ptr().cast_mut().cast(), stream.len() as u32)
    };
    frame.truncate(size as usize);
    frame
}

/// A peer that does not read: the FIFO fills to its quota, then whole queues are thrown away; then it reads again.
fn slow_peer(function: Function, trace: &mut Trace) {
    for max_connection in [1, 4, 32] {
        let mut connection = Connection::new(1);
        let ts = connection.sockets[0];
        // SAFETY: connection and socket are ours. A keep-alive would be random.
        unsafe {
            (*connection.s).MaxConnection = max_connection;
            (*ts).NextKeepAliveTime = UINT64::MAX;
            for turn in 0..40 {
                for _ in 0..100 {
                    connection.queue(&[turn; 1514], false);
                }
                function(connection.c, 1_000);
                trace.push(sending(&connection));
            }
            let mut read = 0;
            loop {
                match connection.read(0).len() {
                    0 => break,
                    size => read += size,
                }
                function(connection.c, 1_000);
                trace.push(sending(&connection));
            }
            trace.push(format!("{} read {read}", sending(&connection)));
            assert_eq!((*ts).LateCount, 0, "all is sent");
        }
    }
}

/// What the first socket and the connection hold, and what was counted.
fn sending(connection: &Connection) -> String {
    // SAFETY: all of them live.
    unsafe {
        let (s, c, ts) = (&*connection.s, &*connection.c, &*connection.sockets[0]);
        let queued = (c.CurrentSendQueueSize, (*c.SendBlocks).num_item);
        let (waiting, budgets) = ((*ts.SendFifo).size, connection.budgets());
        format!("{waiting} late {} {queued:?} {} {budgets}", ts.LateCount, s.TotalSendSize)
    }
}

/// A peer that is gone: the call that finds it out keeps the socket, the next one removes it and uses another.
fn lost_peer(function: Function, trace: &mut Trace) {
    let mut connection = Connection::new(2);
    connection.peers.pop();
    for turn in 0..3 {
        connection.queue(&[0x5a; 100], false);
        // SAFETY: the connection is ours; no keep-alive is due before `turn` 1000.
        unsafe { function(connection.c, turn) };
        let has_batch = connection.read(0).len() > 8 + 512;
        trace.push(format!("turn {turn}: {} sockets, {has_batch}", connection.socket_count()));
    }
    // The last peer goes, too: nothing is sent, and what is queued stays.
    connection.peers.clear();
    for turn in 3..6 {
        connection.queue(&[0x5a; 100], false);
        // SAFETY: as above.
        let waiting = unsafe {
            function(connection.c, turn);
            (*(*connection.c).SendBlocks).num_item
        };
        trace.push(format!("turn {turn}: {} sockets, {waiting} waiting", connection.socket_count()));
    }
}

/// Which sockets a client and a server send on in half duplex, and that one that blocks is left alone.
fn directions(function: Function, trace: &mut Trace) {
    for server_mode in [0, 1] {
        let mut connection = Connection::new(4);
        // SAFETY: connection and sockets are ours.
        unsafe {
            (*connection.s).ServerMode = server_mode;
            let directions = [TCP_BOTH, TCP_CLIENT_TO_SERVER, TCP_SERVER_TO_CLIENT, TCP_BOTH];
            for (&ts, direction) in connection.sockets.iter().zip(directions) {
                (*ts).Direction = direction;
                (*ts).NextKeepAliveTime = 2_000;
            }
            (*(*connection.sockets[3]).Sock).AsyncMode = 0;
            connection.queue(&[0x5a; 1000], false);
            function(connection.c, 1_000);
            // Who sends a batch needs no keep-alive soon.
            let postponed = |socket: usize| (*connection.sockets[socket]).NextKeepAliveTime > 2_000;
            let postponed = [0, 1, 2, 3].map(postponed);
            let sent = [0, 1, 2, 3].map(|socket| connection.read(socket).len());
            trace.push(format!("server {server_mode}: {sent:?} {postponed:?} {}", (*connection.s).LastCommTime));
            // A keep-alive that is due goes out once.
            for _ in 0..2 {
                function(connection.c, 60_000);
                let sent = [0, 1, 2, 3].map(|socket| !connection.read(socket).is_empty());
                trace.push(format!("server {server_mode}: {sent:?}"));
            }
            (*connection.s).ServerMode = 0;
        }
    }
}

/// A burst of 32 full frames: 32 blocks, the batch, one write, and the peer's reads.
pub fn work(function: Function) -> impl FnMut() {
    let mut connection = Connection::new(1);
    let mut now = 1_000;
    move || {
        for _ in 0..32 {
            connection.queue(&[0x5a; 1514], false);
        }
        now += 1;
        // SAFETY: the connection is ours.
        unsafe { function(connection.c, now) };
        connection.read_to(0, |_| ());
    }
}

#[cfg(test)]
#[allow(unused_imports, reason = "the benchmark is built with cfg(test), but without tests")]
mod tests {
    use super::*;
    use crate::support::start;
    use cedar::framing::DropReason;
    use std::cell::Cell;
    use switch::{Mode, Setting, Source};

    /// C and Rust take turns on one connection, from call to call.
    #[test]
    fn c_and_rust_take_turns() {
        thread_local!(static TURN: Cell<u32> = const { Cell::new(0) });
        let alternate: Function = |c, now| {
            let turn = TURN.get();
            TURN.set(turn + 1);
            // SAFETY: as for the function itself. The order has no short period.
            unsafe { if turn.wrapping_mul(turn) % 7 < 3 { C(c, now) } else { RUST(c, now) } }
        };
        start();
        let mut random = random();
        let pool = Pool::new(&mut random);
        for (sockets, use_qos, use_compress) in [(1, false, false), (4, true, false), (2, false, true)] {
            let count = frames() / if use_compress { 1000 } else { 20 };
            let mut sender = Sender::new(sockets, use_qos, use_compress);
            sender.run(alternate, &mut random, &pool, count, &mut Trace::new());
        }
    }

    /// Known difference `send-oversize`: a frame that no receiver takes.
    #[test]
    fn an_oversize_frame_stays_here() {
        start();
        for (function, expected) in [(C, vec![60, 1601, 3201, 61]), (RUST, vec![60, 61])] {
            let mut sender = Sender::new(1, false, false);
            let before = swaps::drops::dropped(DropReason::Oversize);
            for size in [60, 1601, 3201, 61] {
                sender.connection.queue(&vec![0x5a; size], false);
            }
            // SAFETY: the connection is ours.
            unsafe { function(sender.connection.c, 1_000) };
            let sizes: Vec<usize> = sender.read(0).iter().map(Vec::len).collect();
            assert_eq!(sizes, expected);
            let counted = swaps::drops::dropped(DropReason::Oversize) - before;
            assert!(counted >= 4 - expected.len() as u64, "they are counted");
            // SAFETY: the connection lives.
            assert_eq!(unsafe { (*sender.connection.c).CurrentSendQueueSize }, 0);
        }
    }

    /// What Rust does not know is C's, and counted; nothing at all is nobody's.
    #[test]
    fn a_connection_of_a_hub_falls_back() {
        start();
        let connection = Connection::new(1);
        let fallbacks = || swaps::connection_send::ENTRY.swap.counters().fallbacks;
        let before = fallbacks();
        // SAFETY: the connection is ours, and as before at the end; C sends nothing for a hub's own.
        unsafe {
            RUST(std::ptr::null_mut(), 1_000);
            let protocol = std::mem::replace(&mut (*connection.c).Protocol, softether_sys::CONNECTION_HUB_BRIDGE);
            RUST(connection.c, 1_000);
            (*connection.c).Protocol = protocol;
        }
        assert_eq!(fallbacks() - before, 1);
    }

    /// A panic ends the session as a timeout does, so that a client connects again; C is not called on what is half done.
    #[test]
    fn a_panic_ends_the_session() {
        start();
        let swap = swaps::connection_send::ENTRY.swap;
        swap.set(Setting::RUST, Source::Api).expect("to be set");
        let mut connection = Connection::new(1);
        connection.queue(&[0x5a; 60], false);
        // SAFETY: the connection is ours; a FIFO at the end of its 32 bits makes the Rust side panic.
        unsafe {
            (*connection.sockets[0]).NextKeepAliveTime = UINT64::MAX;
            let fifo = (*connection.sockets[0]).SendFifo;
            (*fifo).pos = u32::MAX;
            DISPATCHER(connection.c, 1_000);
            (*fifo).pos = 0;
            assert_eq!((*connection.s).SessionTimeOuted, 1);
        }
        assert_eq!(connection.read(0), b"", "C was called");
        assert_eq!((swap.counters().panics, swap.setting().mode()), (1, Mode::C));
    }
}
