//! Encoding: `ConnectionSend` on queues of the fuzzer's making, over one to four sockets.
//!
//! Both sides draw from the same `rand`, so that every byte on every socket must be the same, keep-alives included, and
//! so must be what is counted and when the next keep-alive is due. Known difference: Rust leaves frames of more than
//! 1600 bytes out (`send-oversize`).

use super::support::connection::Connection;
use super::support::{is_known_difference, start};
use super::{Choices, seed_rand};
use softether_sys::{CONNECTION, TCP_BOTH, TCP_CLIENT_TO_SERVER, TCP_SERVER_TO_CLIENT, UINT64};
use swaps::connection_send;

const TURNS_MAX: usize = 8;
const FRAMES_MAX: u8 = 24;

/// One call: what is queued before it, and the state of the sockets.
struct Turn {
    /// Frames, and whether each has priority.
    frames: Vec<(Vec<u8>, bool)>,
    late_counts: Vec<u32>,
    last_recv_times: Vec<u64>,
    is_rudp: bool,
    now: u64,
}

/// One input on both sides.
pub fn run(input: &[u8]) {
    start();
    let mut choices = Choices::new(input);
    let sockets = 1 + usize::from(choices.byte() % 4);
    let flags = choices.byte();
    let (use_qos, use_compress) = (flags & 1 != 0, flags & 2 != 0);
    let directions: Vec<u32> = (0..sockets)
        .map(|_| [TCP_BOTH, TCP_BOTH, TCP_CLIENT_TO_SERVER, TCP_SERVER_TO_CLIENT][usize::from(choices.byte() % 4)])
        .collect();
    let mut sides = [Sender::new(&directions, use_qos, use_compress), Sender::new(&directions, use_qos, use_compress)];
    let mut now = 1_000;
    for at in 0..TURNS_MAX {
        if choices.is_empty() {
            break;
        }
        let turn = turn(&mut choices, sockets, &mut now);
        // SAFETY: a connection of its own.
        let c = sides[0].send(&turn, at, |c, now| unsafe { connection_send::c_ConnectionSend(c, now) });
        // SAFETY: as above.
        let rust = sides[1].send(&turn, at, |c, now| unsafe { connection_send::rust(c, now) });
        if is_known_difference("send-oversize") && turn.frames.iter().any(|(frame, _)| frame.len() > 1600) {
            let blocks = |bytes: &[Vec<u8>]| bytes.iter().flat_map(|bytes| blocks(bytes)).collect::<Vec<_>>();
            let expected: Vec<Vec<u8>> = blocks(&c.bytes).into_iter().filter(|block| block.len() <= 1600).collect();
            if !use_compress {
                assert_eq!(expected, blocks(&rust.bytes), "turn {at}");
            }
            // What was counted and drawn differs from here on.
            return;
        }
        assert_eq!(c, rust, "turn {at}");
    }
}

fn turn(choices: &mut Choices<'_>, sockets: usize, now: &mut u64) -> Turn {
    *now += u64::from(choices.u16());
    let frames = (0..choices.byte() % FRAMES_MAX)
        .map(|_| {
            let size = choices.size(3300);
            (choices.contents(size), choices.byte().is_multiple_of(4))
        })
        .collect();
    Turn {
        frames,
        late_counts: (0..sockets).map(|_| u32::from(choices.byte() % 3)).collect(),
        last_recv_times: (0..sockets).map(|_| u64::from(choices.byte() % 3)).collect(),
        is_rudp: choices.byte().is_multiple_of(8),
        now: *now,
    }
}

/// The bodies of all blocks of a socket's bytes.
fn blocks(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut take = |size: usize| {
        let (taken, rest) = bytes.split_at_checked(size)?;
        bytes = rest;
        Some(taken)
    };
    let mut blocks = Vec::new();
    while let Some(count) = take(4) {
        let count = u32::from_be_bytes(count.try_into().expect("four bytes"));
        let is_keep_alive = count == u32::MAX;
        for _ in 0..if is_keep_alive { 1 } else { count } {
            let size = u32::from_be_bytes(take(4).expect("a size").try_into().expect("four bytes"));
            let body = take(size as usize).expect("a body");
            if !is_keep_alive {
                blocks.push(body.to_vec());
            }
        }
    }
    blocks
}

struct Sender(Connection);

/// What one call leaves behind.
#[derive(Debug, PartialEq)]
struct Sent {
    bytes: Vec<Vec<u8>>,
    next_keep_alives: Vec<u64>,
    totals: (u64, u64, u32),
    budgets: String,
}

impl Sender {
    fn new(directions: &[u32], use_qos: bool, use_compress: bool) -> Self {
        let connection = Connection::new(directions.len());
        // SAFETY: session and sockets are ours.
        unsafe {
            (*connection.s).QoS = use_qos.into();
            (*connection.s).UseCompress = use_compress.into();
            for (&ts, &direction) in connection.sockets.iter().zip(directions) {
                (*ts).Direction = direction;
                // The clock of the machine is not the test's.
                ((*ts).LastCommTime, (*ts).LastRecvTime) = (0, 0);
            }
        }
        Self(connection)
    }

    fn send(&mut self, turn: &Turn, at: usize, function: impl Fn(*mut CONNECTION, UINT64)) -> Sent {
        let connection = &mut self.0;
        for (frame, has_priority) in &turn.frames {
            connection.queue(frame, *has_priority);
        }
        // SAFETY: session and sockets are ours and stay connected.
        unsafe {
            (*connection.s).IsRUDPSession = turn.is_rudp.into();
            let states = turn.late_counts.iter().zip(&turn.last_recv_times);
            for (&ts, (&late_count, &last_recv_time)) in connection.sockets.iter().zip(states) {
                ((*ts).LateCount, (*ts).LastRecvTime) = (late_count, last_recv_time);
            }
        }
        seed_rand(at as u32);
        function(connection.c, turn.now);
        let bytes = (0..connection.sockets.len()).map(|socket| connection.read(socket)).collect();
        // SAFETY: as above.
        unsafe {
            let (s, c) = (&*connection.s, &*connection.c);
            Sent {
                bytes,
                next_keep_alives: connection.sockets.iter().map(|&ts| (*ts).NextKeepAliveTime).collect(),
                totals: (s.TotalSendSize, s.TotalSendSizeReal, c.CurrentSendQueueSize),
                budgets: connection.budgets(),
            }
        }
    }
}
