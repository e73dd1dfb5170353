//! One direction of the datagrams: which are lost, doubled, damaged, and in which order the rest comes. No sockets; the
//! time is an argument. What becomes of the n-th datagram depends on seed, direction and n alone.

use std::collections::VecDeque;
use std::time::Duration;

use super::spec::{FaultKind, FaultSpec};
use super::{draw, key};
use crate::frames::Direction;

/// Datagrams that wait inside; more are dropped, as by any router.
const QUEUED_MAX: usize = 1024;
/// A datagram that is overtaken comes after so many later ones at most, or after this time.
const OVERTAKEN_BY_MAX: u64 = 3;
const OVERTAKEN_FOR_MAX: Duration = Duration::from_millis(50);

/// What has happened to datagrams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DatagramCounts {
    /// They came in.
    pub received: u64,
    /// Never to be seen again, by decision.
    pub lost: u64,
    /// Thrown away because too many were waiting.
    pub overflowed: u64,
    /// Sent twice.
    pub duplicated: u64,
    /// Held back behind later ones.
    pub reordered: u64,
    /// Sent with a flipped bit.
    pub corrupted: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Datagrams {
    delay: Duration,
    bits_per_second: Option<u64>,
    loss: f64,
    duplicate: f64,
    reorder: f64,
    corrupt: f64,
    key: u64,
    queue: VecDeque<(Duration, Vec<u8>)>,
    /// Held back, until so many have come in or until this time.
    held: Option<(u64, Duration, Vec<u8>)>,
    line_free: Duration,
    counts: DatagramCounts,
}

impl Datagrams {
    /// One direction.
    #[must_use]
    pub fn new(spec: &FaultSpec, direction: Direction) -> Self {
        let mut datagrams = Self {
            delay: Duration::ZERO,
            bits_per_second: None,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            corrupt: 0.0,
            key: key(spec.seed, direction, 0),
            queue: VecDeque::new(),
            held: None,
            line_free: Duration::ZERO,
            counts: DatagramCounts::default(),
        };
        datagrams.set(spec, direction);
        datagrams
    }

    /// Goes on with other faults; the count goes on, too.
    pub fn set(&mut self, spec: &FaultSpec, direction: Direction) {
        (self.delay, self.bits_per_second) = (Duration::ZERO, None);
        (self.loss, self.duplicate, self.reorder, self.corrupt) = (0.0, 0.0, 0.0, 0.0);
        self.key = key(spec.seed, direction, 0);
        for kind in spec.on(direction, None) {
            match kind {
                FaultKind::Delay(span) => self.delay = span,
                FaultKind::Rate(bits) => self.bits_per_second = Some(bits),
                FaultKind::Loss(share) => self.loss = share,
                FaultKind::Duplicate(share) => self.duplicate = share,
                FaultKind::Reorder(share) => self.reorder = share,
                FaultKind::Corrupt(share) => self.corrupt = share,
                _ => {}
            }
        }
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> DatagramCounts {
        self.counts
    }

    /// Takes a datagram that was received.
    pub fn push(&mut self, datagram: &[u8], now: Duration) {
        let number = self.counts.received;
        self.counts.received += 1;
        let is_drawn = |share: f64, what: u64| (draw(self.key ^ (what << 56), number) as f64) < share * u64::MAX as f64;
        let [lost, duplicated, overtaken, corrupted] =
            [(self.loss, 1), (self.duplicate, 2), (self.reorder, 3), (self.corrupt, 4)].map(|(s, w)| is_drawn(s, w));
        if lost {
            self.counts.lost += 1;
        } else {
            let mut datagram = datagram.to_vec();
            if corrupted && !datagram.is_empty() {
                let bit = draw(self.key ^ (5 << 56), number) % (datagram.len() as u64 * 8);
                // Below the length.
                datagram[(bit / 8) as usize] ^= 1 << (bit % 8);
                self.counts.corrupted += 1;
            }
            if duplicated {
                self.counts.duplicated += 1;
                self.queue(datagram.clone(), now);
            }
            if overtaken && self.held.is_none() {
                self.counts.reordered += 1;
                let after = number + 1 + draw(self.key ^ (6 << 56), number) % OVERTAKEN_BY_MAX;
                self.held = Some((after, now + OVERTAKEN_FOR_MAX, datagram));
            } else {
                self.queue(datagram, now);
            }
        }
        self.release(now);
    }

    /// The next datagram to send now.
    pub fn pop(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.release(now);
        self.queue.pop_front_if(|(due, _)| *due <= now).map(|(_, datagram)| datagram)
    }

    /// When [`Datagrams::pop`] has something, if nothing comes in before.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        let held = self.held.as_ref().map(|(_, until, _)| *until);
        self.queue.front().map(|(due, _)| *due).into_iter().chain(held).min()
    }

    fn release(&mut self, now: Duration) {
        if let Some((after, until, _)) = self.held
            && (self.counts.received > after || now >= until)
            && let Some((.., datagram)) = self.held.take()
        {
            self.queue(datagram, now);
        }
    }

    fn queue(&mut self, datagram: Vec<u8>, now: Duration) {
        if self.queue.len() >= QUEUED_MAX {
            self.counts.overflowed += 1;
            return;
        }
        let mut due = now;
        if let Some(bits) = self.bits_per_second {
            self.line_free =
                self.line_free.max(now) + Duration::from_secs_f64(datagram.len() as f64 * 8.0 / bits as f64);
            due = self.line_free;
        }
        self.queue.push_back((due + self.delay, datagram));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Sends `count` numbered datagrams, one per millisecond, and returns what came, then the counts.
    fn run(spec: &str, count: u32) -> (Vec<(Duration, Vec<u8>)>, DatagramCounts) {
        let mut datagrams = Datagrams::new(&spec.parse().unwrap(), Direction::Down);
        let mut came = Vec::new();
        for number in 0..count + 10_000 {
            let now = number * MS;
            if number < count {
                datagrams.push(&number.to_be_bytes(), now);
            }
            while let Some(datagram) = datagrams.pop(now) {
                came.push((now, datagram));
            }
        }
        assert_eq!(datagrams.next_due(), None, "something is left");
        (came, datagrams.counts())
    }

    fn numbers(came: &[(Duration, Vec<u8>)]) -> Vec<u32> {
        came.iter().map(|(_, datagram)| u32::from_be_bytes(datagram[..].try_into().unwrap())).collect()
    }

    #[test]
    fn without_faults_all_come_in_order() {
        let (came, counts) = run("", 1000);
        assert_eq!(numbers(&came), (0..1000).collect::<Vec<_>>());
        assert_eq!(counts, DatagramCounts { received: 1000, ..DatagramCounts::default() });
    }

    #[test]
    fn shares_are_kept_and_every_datagram_is_accounted_for() {
        let (came, counts) = run("loss=10%,dup=5%,reorder=20%", 10_000);
        assert!((800..1200).contains(&counts.lost) && (300..700).contains(&counts.duplicated), "{counts:?}");
        assert!(counts.reordered > 500 && counts.overflowed == 0, "{counts:?}");
        assert_eq!(came.len() as u64, 10_000 - counts.lost + counts.duplicated);
        let numbers = numbers(&came);
        assert!(numbers.windows(2).any(|pair| pair[0] > pair[1]), "none was overtaken");
        for (place, number) in numbers.iter().enumerate() {
            let later = numbers[..place].iter().filter(|before| *before > number).count() as u64;
            assert!(later <= 2 * (OVERTAKEN_BY_MAX + 1), "{number} was overtaken by {later}");
        }
        assert_eq!(run("loss=10%,dup=5%,reorder=20%", 10_000).0, came, "the same seed");
        assert_ne!(run("loss=10%,dup=5%,reorder=20%,seed=1", 10_000).0, came, "another seed");
    }

    #[test]
    fn all_or_none() {
        assert_eq!(run("loss=100%", 100).0, []);
        assert_eq!(run("dup=100%", 100).0.len(), 200);
        let (came, counts) = run("corrupt=100%", 100);
        assert_eq!(counts.corrupted, 100);
        for (sent, number) in (0..).zip(numbers(&came)) {
            assert_eq!((number ^ sent).count_ones(), 1);
        }
    }

    #[test]
    fn delay_and_rate() {
        assert_eq!(run("delay=20ms", 1).0[0].0, 20 * MS);
        let (came, _) = run("rate=16k", 100);
        assert_eq!(came.last().unwrap().0, 200 * MS, "100 × 32 bits at 16,000 a second");
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut datagrams = Datagrams::new(&"delay=1s".parse().unwrap(), Direction::Up);
        (0..2000).for_each(|_| datagrams.push(b"x", Duration::ZERO));
        assert_eq!(datagrams.counts().overflowed, 2000 - QUEUED_MAX as u64);
    }
}
