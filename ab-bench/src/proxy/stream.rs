//! One direction of one TCP connection: which bytes go on, when, and how it ends. No sockets; the time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use super::spec::{FaultKind, FaultSpec};
use super::{draw, key};
use crate::frames::Direction;

/// Bytes that wait inside; more are not read.
const QUEUED_MAX: usize = 512 * 1024;
/// Most bytes of one write where nothing else limits it.
const WRITE_MAX: usize = 64 * 1024;
/// With a rate, a write holds no more than this span lets through.
const RATE_GRAIN: Duration = Duration::from_millis(5);

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'s> {
    /// Write a part of these bytes and say how many: [`Stream::wrote`].
    Write(&'s [u8]),
    /// Nothing before this time.
    Wait(Duration),
    /// Nothing before more bytes come.
    Idle,
    /// The sender has ended and everything is written: end the other side, too. Said once.
    Finish,
    /// Close both ends.
    Close,
    /// Reset both ends.
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Stall(Duration),
    Half,
    Close,
    Reset,
}

/// See the module.
#[derive(Debug)]
pub struct Stream {
    delay: Duration,
    bits_per_second: Option<u64>,
    pieces: Option<(u32, u32)>,
    /// Places of flipped bits.
    corruptions: Vec<u64>,
    /// What happens after so many written bytes, in their order.
    events: VecDeque<(u64, Event)>,
    key: u64,
    queue: VecDeque<(Duration, Vec<u8>)>,
    /// Bytes of the first chunk that are written already.
    front_written: usize,
    queued: usize,
    taken: u64,
    given: u64,
    /// The length of the piece that is being written, and how many pieces there were before.
    piece: Option<usize>,
    pieces_drawn: u64,
    next_write: Duration,
    stalled_until: Duration,
    is_silent: bool,
    has_ended: bool,
    is_finished: bool,
}

impl Stream {
    /// A direction of a connection; 1 is the first connection.
    #[must_use]
    pub fn new(spec: &FaultSpec, direction: Direction, connection: u32) -> Self {
        let key = key(spec.seed, direction, connection);
        let mut stream = Self {
            delay: Duration::ZERO,
            bits_per_second: None,
            pieces: None,
            corruptions: Vec::new(),
            events: VecDeque::new(),
            key,
            queue: VecDeque::new(),
            front_written: 0,
            queued: 0,
            taken: 0,
            given: 0,
            piece: None,
            pieces_drawn: 0,
            next_write: Duration::ZERO,
            stalled_until: Duration::ZERO,
            is_silent: false,
            has_ended: false,
            is_finished: false,
        };
        for (number, kind) in (1..).zip(spec.on(direction, Some(connection))) {
            let place = |at: super::At| at.on(connection, draw(key, number));
            match kind {
                FaultKind::Delay(span) => stream.delay = span,
                FaultKind::Rate(bits) => stream.bits_per_second = Some(bits),
                FaultKind::Pieces(least, most) => stream.pieces = Some((least, most)),
                FaultKind::CorruptAt(at) => stream.corruptions.push(place(at)),
                FaultKind::Stall(at, span) => stream.events.push_back((place(at), Event::Stall(span))),
                FaultKind::Half(at) => stream.events.push_back((place(at), Event::Half)),
                FaultKind::Close(at) => stream.events.push_back((place(at), Event::Close)),
                FaultKind::Reset(at) => stream.events.push_back((place(at), Event::Reset)),
                FaultKind::Loss(_) | FaultKind::Duplicate(_) | FaultKind::Reorder(_) | FaultKind::Corrupt(_) => {}
            }
        }
        stream.events.make_contiguous().sort_by_key(|(at, _)| *at);
        stream
    }

    /// Whether more bytes may be read.
    #[must_use]
    pub fn wants(&self, now: Duration) -> bool {
        !self.has_ended && (self.is_silent || (self.queued < QUEUED_MAX && now >= self.stalled_until))
    }

    /// Takes bytes that were read.
    pub fn push(&mut self, bytes: &[u8], now: Duration) {
        let start = self.taken;
        self.taken += bytes.len() as u64;
        if self.is_silent {
            return;
        }
        let mut bytes = bytes.to_vec();
        for at in &self.corruptions {
            if let Some(byte) = at.checked_sub(start).and_then(|at| bytes.get_mut(usize::try_from(at).ok()?)) {
                *byte ^= 1 << (draw(self.key, *at) % 8);
            }
        }
        self.queued += bytes.len();
        self.queue.push_back((now + self.delay, bytes));
    }

    /// The sender has ended.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// What to do now.
    pub fn step(&mut self, now: Duration) -> Step<'_> {
        if self.is_silent || self.is_finished {
            return Step::Idle;
        }
        if now < self.stalled_until {
            return Step::Wait(self.stalled_until);
        }
        if let Some((_, event)) = self.events.pop_front_if(|(at, _)| *at <= self.given) {
            match event {
                Event::Stall(span) => {
                    self.stalled_until = now + span;
                    return Step::Wait(self.stalled_until);
                }
                Event::Half => {
                    self.is_silent = true;
                    self.queue.clear();
                    self.queued = 0;
                    return Step::Idle;
                }
                Event::Close => return Step::Close,
                Event::Reset => return Step::Reset,
            }
        }
        match self.queue.front() {
            None if self.has_ended => {
                self.is_finished = true;
                Step::Finish
            }
            None => Step::Idle,
            Some((due, _)) if now < (*due).max(self.next_write) => Step::Wait((*due).max(self.next_write)),
            Some(_) => {
                let size = self.write_size();
                let (_, chunk) = &self.queue[0];
                let rest = &chunk[self.front_written..];
                Step::Write(&rest[..size.min(rest.len())])
            }
        }
    }

    /// How many of the bytes of [`Step::Write`] were written.
    pub fn wrote(&mut self, count: usize, now: Duration) {
        self.given += count as u64;
        self.queued -= count;
        self.front_written += count;
        if self.queue.front().is_some_and(|(_, chunk)| self.front_written >= chunk.len()) {
            self.queue.pop_front();
            self.front_written = 0;
        }
        self.piece = self.piece.map(|left| left.saturating_sub(count)).filter(|left| *left != 0);
        if let Some(bits) = self.bits_per_second {
            let span = Duration::from_secs_f64(count as f64 * 8.0 / bits as f64);
            self.next_write = self.next_write.max(now) + span;
        }
    }

    fn write_size(&mut self) -> usize {
        let mut size = WRITE_MAX;
        if let Some((least, most)) = self.pieces {
            let drawn =
                least + u32::try_from(draw(self.key ^ 1, self.pieces_drawn) % u64::from(most - least + 1)).unwrap_or(0);
            if self.piece.is_none() {
                self.pieces_drawn += 1;
            }
            size = *self.piece.get_or_insert(drawn as usize);
        }
        if let Some(bits) = self.bits_per_second {
            // Saturates, and is a byte at least.
            size = size.min((bits as f64 / 8.0 * RATE_GRAIN.as_secs_f64()) as usize).max(1);
        }
        if let Some((at, _)) = self.events.front() {
            size = size.min(usize::try_from(at - self.given).unwrap_or(usize::MAX));
        }
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Sends `bytes` at time 0 and the end behind them; returns what came with its times, and how it ended.
    fn run(spec: &str, connection: u32, bytes: &[u8]) -> (Vec<(Duration, Vec<u8>)>, &'static str, Duration) {
        let mut stream = Stream::new(&spec.parse().unwrap(), Direction::Up, connection);
        let (mut now, mut came) = (Duration::ZERO, Vec::new());
        let mut unread = bytes;
        for _ in 0..100_000 {
            while stream.wants(now) && !unread.is_empty() {
                let (chunk, rest) = unread.split_at(unread.len().min(1000));
                stream.push(chunk, now);
                unread = rest;
            }
            if unread.is_empty() {
                stream.end();
            }
            match stream.step(now) {
                Step::Write(piece) => {
                    let piece = piece.to_vec();
                    stream.wrote(piece.len(), now);
                    came.push((now, piece));
                }
                Step::Wait(until) => {
                    assert!(until > now, "it waits for the past");
                    now = until;
                }
                Step::Idle => return (came, "idle", now),
                Step::Finish => return (came, "finish", now),
                Step::Close => return (came, "close", now),
                Step::Reset => return (came, "reset", now),
            }
        }
        panic!("{spec}: no end");
    }

    fn joined(came: &[(Duration, Vec<u8>)]) -> Vec<u8> {
        came.iter().flat_map(|(_, piece)| piece.clone()).collect()
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|n| n.to_le_bytes()[0]).collect()
    }

    #[test]
    fn without_faults_everything_passes_at_once() {
        let (came, end, now) = run("", 1, &bytes(5000));
        assert_eq!((joined(&came), end, now), (bytes(5000), "finish", Duration::ZERO));
    }

    #[test]
    fn it_ends_after_exactly_so_many_bytes() {
        for (spec, end) in [("reset", "reset"), ("close", "close"), ("half", "idle")] {
            for at in [0, 1, 999, 1000, 1001, 4999] {
                let (came, ended, _) = run(&format!("{spec}@{at}"), 1, &bytes(5000));
                assert_eq!((joined(&came), ended), (bytes(at), end), "{spec} after {at}");
            }
            assert_eq!(run(&format!("{spec}@5001"), 1, &bytes(5000)).1, "finish");
        }
        assert_eq!(joined(&run("reset@+37", 3, &bytes(500)).0).len(), 111);
    }

    #[test]
    fn a_stall_lasts_as_long_as_it_says() {
        let (came, end, now) = run("stall@100=3s", 1, &bytes(500));
        assert_eq!((joined(&came), end, now), (bytes(500), "finish", 3000 * MS));
        assert!(
            came.iter().filter(|(at, _)| *at == Duration::ZERO).map(|(_, piece)| piece.len()).sum::<usize>() == 100
        );
    }

    #[test]
    fn a_silent_stream_swallows_and_a_stalled_one_does_not_read() {
        let mut stream = Stream::new(&"half@3".parse().unwrap(), Direction::Up, 1);
        stream.push(b"abcdef", MS);
        assert_eq!(stream.step(MS), Step::Write(b"abc"));
        stream.wrote(3, MS);
        assert_eq!(stream.step(MS), Step::Idle);
        for _ in 0..100 {
            assert!(stream.wants(MS));
            stream.push(&[0; 100_000], MS);
        }
        stream.end();
        assert_eq!(stream.step(MS), Step::Idle, "an end is swallowed, too");
        let mut stream = Stream::new(&"stall@0=1s".parse().unwrap(), Direction::Up, 1);
        assert_eq!(stream.step(MS), Step::Wait(1001 * MS));
        assert!(!stream.wants(MS) && stream.wants(1001 * MS));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut stream = Stream::new(&"delay=1s".parse().unwrap(), Direction::Up, 1);
        let mut taken = 0;
        while stream.wants(MS) {
            stream.push(&[0; 1000], MS);
            taken += 1000;
        }
        assert!((QUEUED_MAX..QUEUED_MAX + 1000).contains(&taken), "{taken}");
    }

    #[test]
    fn delay_and_rate_take_their_time() {
        let (came, _, _) = run("delay=20ms", 1, &bytes(10));
        assert_eq!(came, [(20 * MS, bytes(10))]);
        let (came, end, now) = run("rate=80k", 1, &bytes(5000));
        assert_eq!((joined(&came), end), (bytes(5000), "finish"));
        assert!((480 * MS..=500 * MS).contains(&now), "{now:?} for 40,000 bits at 80,000 a second");
    }

    #[test]
    fn pieces_have_their_sizes_and_the_seed_decides() {
        let (came, _, _) = run("pieces=1..7", 1, &bytes(5000));
        assert_eq!(joined(&came), bytes(5000));
        let sizes = |came: &[(Duration, Vec<u8>)]| came.iter().map(|(_, piece)| piece.len()).collect::<Vec<_>>();
        assert!(sizes(&came).iter().all(|size| (1..=7).contains(size)));
        assert!((1..=7).all(|size| sizes(&came).contains(&size)));
        assert_eq!(sizes(&run("pieces=1..7", 1, &bytes(5000)).0), sizes(&came), "the same seed");
        assert_ne!(sizes(&run("pieces=1..7,seed=1", 1, &bytes(5000)).0), sizes(&came), "another seed");
        assert_ne!(sizes(&run("pieces=1..7", 2, &bytes(5000)).0), sizes(&came), "another connection");
    }

    #[test]
    fn one_bit_is_flipped_and_no_other() {
        let (came, _, _) = run("corrupt@1234,corrupt@0", 1, &bytes(5000));
        let differing: Vec<(usize, u32)> = joined(&came)
            .iter()
            .zip(bytes(5000))
            .enumerate()
            .filter(|(_, (came, sent))| *came != sent)
            .map(|(at, (came, sent))| (at, (came ^ sent).count_ones()))
            .collect();
        assert_eq!(differing, [(0, 1), (1234, 1)]);
    }
}
