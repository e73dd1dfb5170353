//! Numbered frames: sent on one interface, received on another, every one checked.
//!
//! What travels, in the order it happens:
//!  1. [`FramePlan`] says how many frames of which sizes; [`Pattern`] turns a number into the frame's bytes.
//!  2. The server's side introduces its addresses, so that the hub need not flood. They are known when the introductions
//!     have come out at the client.
//!  3. [`carry`] sends them in order on one packet socket and receives on another, in two threads. The sender
//!     keeps at most `window` frames on the way, because a SoftEther queue that is full drops what comes.
//!  4. [`Checker`] compares each received frame with the bytes that its number calls for, and keeps the account.
//!  5. [`FrameReport`] says what was lost, doubled, out of order or damaged, by number.

mod check;
mod pattern;
mod socket;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use pattern::Claim;

pub use check::{Checker, Damage, FrameReport};
pub use pattern::{ETHERTYPE, FRAME_SIZE_MAX, FRAME_SIZE_MIN, FrameSizes, MacAddress, Pattern};
pub use socket::PacketSocket;

/// How often the sender looks whether its window has opened: long before a full window has passed.
const WINDOW_POLL: Duration = Duration::from_micros(20);
/// When no frame has come for this long, the sender takes those on the way for lost, and goes on.
const STALL: Duration = Duration::from_millis(300);
/// How long the last frames are waited for: a server that gets no processor, or a segment that TCP sends once more, makes
/// a frame late, and late is not lost.
const LATE_MAX: Duration = Duration::from_secs(2);

/// When none has come out for this long, introductions are sent once more, and that so often.
const INTRODUCTION_PATIENCE: Duration = Duration::from_millis(200);
const INTRODUCTIONS_MAX: u32 = 15;

/// Which way frames go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What to send.
#[derive(Debug, Clone)]
pub struct FramePlan {
    /// How many frames.
    pub count: u32,
    /// How long they are.
    pub sizes: FrameSizes,
    /// Seed of the contents and sizes.
    pub seed: u64,
    /// How many frames may be on the way at once.
    pub window: u32,
}

impl FramePlan {
    /// `count` frames of all sizes, 128 on the way at once.
    #[must_use]
    pub fn new(count: u32, seed: u64) -> Self {
        Self { count, sizes: FrameSizes::ALL, seed, window: 128 }
    }
}

/// Sends the plan's frames from one side to the other and checks what arrives.
/// `client` and `server` are sockets on the TAPs of the two sides.
pub fn carry(
    client: &PacketSocket,
    server: &PacketSocket,
    direction: Direction,
    plan: &FramePlan,
) -> io::Result<FrameReport> {
    let pattern = Pattern::new(plan, direction, client.address());
    introduce(client, server, &pattern)?;
    let (sender, receiver) = match direction {
        Direction::Up => (client, server),
        Direction::Down => (server, client),
    };
    let mut checker = Checker::new(pattern.clone(), plan.count);
    let flight = Flight::default();
    let all_sent = AtomicBool::new(false);
    let started = Instant::now();
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receive_all(receiver, &mut checker, &flight, &all_sent));
        let sent = send_all(sender, plan, &pattern, &flight);
        all_sent.store(true, Ordering::Release);
        let received = receiving.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        sent.and(received)
    })?;
    Ok(checker.finish(started.elapsed()))
}

/// Makes the server's addresses known to the hub, which learns each before it forwards the frame. Without the wait the
/// first frames up overtake the introductions when the server's bridge is slow, are flooded, and every so often one of
/// them is dropped. A tunnel that lets none through is not waited for without end: what is lost is in the account.
fn introduce(client: &PacketSocket, server: &PacketSocket, pattern: &Pattern) -> io::Result<()> {
    let mut unknown: BTreeSet<u8> = (0..=u8::MAX).collect();
    let mut buffer = vec![0; FRAME_SIZE_MAX];
    let mut wave = unknown.len();
    for _ in 0..INTRODUCTIONS_MAX {
        let before = unknown.len();
        for low in unknown.iter().take(wave) {
            server.send(&pattern.introduction(*low))?;
        }
        let mut last_arrival = Instant::now();
        while !unknown.is_empty() && last_arrival.elapsed() < INTRODUCTION_PATIENCE {
            if let Some(length) = client.receive(&mut buffer)?
                && let Claim::Introduction(low) = pattern.claim(&buffer[..length.min(buffer.len())])
            {
                unknown.remove(&low);
                last_arrival = Instant::now();
            }
        }
        // Where nothing comes through, more would only fill the queues.
        wave = if unknown.len() < before { unknown.len() } else { 1 };
    }
    Ok(())
}

/// The frames on the way, as far as sender and receiver know.
#[derive(Default)]
struct Flight(Mutex<Counted>);

/// Frames before `first` do not count any more: they have arrived, or are taken for lost. Should one of these arrive after
/// all, it makes no room for another: otherwise each pause of the machine would widen the window for good.
#[derive(Clone, Copy, Default)]
struct Counted {
    first: u32,
    arrived: u32,
}

impl Flight {
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrive(&self, number: u32) {
        let mut counted = self.lock();
        counted.arrived += u32::from(number >= counted.first);
    }

    /// How many are on the way when `sent` have been sent, and how many have arrived.
    fn count(&self, sent: u32) -> (u32, u32) {
        let Counted { first, arrived } = *self.lock();
        ((sent - first).saturating_sub(arrived), arrived)
    }

    /// Takes those on the way for lost.
    fn write_off(&self, sent: u32) {
        *self.lock() = Counted { first: sent, arrived: 0 };
    }
}

/// Sends frame after frame while fewer than `window` are on the way.
fn send_all(sender: &PacketSocket, plan: &FramePlan, pattern: &Pattern, flight: &Flight) -> io::Result<()> {
    let mut frame = Vec::with_capacity(FRAME_SIZE_MAX);
    for number in 0..plan.count {
        let (mut on_way, mut seen) = flight.count(number);
        let mut seen_at = Instant::now();
        while on_way >= plan.window.max(1) {
            // Asleep, because whoever carries the frames wants the processor.
            thread::sleep(WINDOW_POLL);
            let before = seen;
            (on_way, seen) = flight.count(number);
            if seen != before {
                seen_at = Instant::now();
            } else if seen_at.elapsed() >= STALL {
                flight.write_off(number);
                break;
            }
        }
        pattern.write(number, &mut frame);
        sender.send(&frame)?;
    }
    Ok(())
}

/// Receives until every frame has come, or nothing has come for a while after the last was sent.
fn receive_all(
    receiver: &PacketSocket,
    checker: &mut Checker,
    flight: &Flight,
    all_sent: &AtomicBool,
) -> io::Result<()> {
    // Longer than any frame, so that one that has grown on the way is seen to have grown.
    let mut buffer = vec![0; 2 * FRAME_SIZE_MAX];
    let mut last_arrival = Instant::now();
    while !checker.is_complete() {
        if let Some(length) = receiver.receive(&mut buffer)? {
            if let Some(number) = checker.accept(&buffer[..length.min(buffer.len())]) {
                flight.arrive(number);
            }
            last_arrival = Instant::now();
        } else if all_sent.load(Ordering::Acquire) && last_arrival.elapsed() >= LATE_MAX {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_for_lost_and_arrives_does_not_widen_the_window() {
        let flight = Flight::default();
        (0..10).for_each(|number| flight.arrive(number));
        assert_eq!(flight.count(42), (32, 10));
        flight.write_off(42);
        assert_eq!(flight.count(74), (32, 0));
        (10..42).for_each(|number| flight.arrive(number));
        assert_eq!(flight.count(74), (32, 0), "the late ones");
        (42..74).for_each(|number| flight.arrive(number));
        assert_eq!(flight.count(74), (0, 32));
        flight.arrive(73);
        assert_eq!(flight.count(74).0, 0, "a duplicate");
    }
}
