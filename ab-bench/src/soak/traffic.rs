//! The frames of a soak: sent at a steady rate by one thread each way, received and checked by another. When an interface
//! goes away with its program and comes back, the sockets are opened again.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::report::{self, Silence, WayReport};
use super::{Event, SoakOptions, WAYS};
use crate::frames::{Checker, Direction, FRAME_SIZE_MAX, FramePlan, FrameSizes, PacketSocket, Pattern};
use crate::lab::{LabError, SocketOpener};

/// The sender's clock: so often it sends what is due.
const TICK: Duration = Duration::from_millis(10);
/// Pause before a socket is opened again.
const REOPEN: Duration = Duration::from_millis(20);
/// How often the server's side makes its addresses known, for hubs that have forgotten them.
const INTRODUCE: Duration = Duration::from_millis(500);
/// Shorter frames do not hold their number, and cannot be told apart after a pause.
const SIZES: (usize, usize) = (18, FRAME_SIZE_MAX);
/// A receiver's pause that is worth a line in the report. 1024 frames, which the seams keep of those that come at once, are
/// two seconds at the usual rate.
const SILENCE: Duration = Duration::from_millis(1000);
/// After a pause of this machine, so many frames are sent at once at most; the others are sent later.
const BURST_MAX: u32 = 64;

/// One way's threads and what they have counted.
pub(super) struct Way {
    shared: Arc<Shared>,
    sender: JoinHandle<()>,
    receiver: JoinHandle<Received>,
}

/// What a receiver has seen.
struct Received {
    checker: Checker,
    /// Frames for which the receiver's own socket had no room.
    dropped: u64,
    /// In order.
    silences: Vec<Silence>,
}

/// What the threads of one way and the driver share.
struct Shared {
    started: Instant,
    stop_sending: AtomicBool,
    stop: AtomicBool,
    sent: AtomicU32,
    received: AtomicU32,
    /// The highest number that has arrived, plus one.
    newest: AtomicU32,
    /// The first number of each tick in which frames were sent.
    ticks: Mutex<Vec<(Duration, u32)>>,
}

/// Both ways.
pub(super) struct Traffic {
    ways: Vec<Way>,
    started: Instant,
}

impl Traffic {
    /// Starts both ways.
    pub fn start(options: &SoakOptions, client: SocketOpener, server: SocketOpener) -> Result<Self, LabError> {
        let failed = |source| LabError::io("start the soak's traffic", source);
        let address = client().map_err(failed)?.address();
        let frames = (options.duration + super::events::RECOVERY_MAX).as_secs_f64() * f64::from(options.rate);
        // More than can be sent; saturates far beyond what fits into memory.
        let count = (frames * 1.1) as u32 + 1000;
        let plan = FramePlan { sizes: FrameSizes::new(SIZES.0, SIZES.1), ..FramePlan::new(count, options.seed) };
        let started = Instant::now();
        let mut traffic = Self { ways: Vec::new(), started };
        for direction in WAYS {
            let (from, to) = match direction {
                Direction::Up => (&client, &server),
                Direction::Down => (&server, &client),
            };
            let pattern = Pattern::new(&plan, direction, address);
            traffic.ways.push(Way::start(started, &pattern, count, options.rate, (from, to), &server).map_err(failed)?);
        }
        Ok(traffic)
    }

    /// Frames sent and received, up and down.
    pub fn frames(&self) -> [(u64, u64); 2] {
        [0, 1].map(|way| {
            let shared = &self.ways[way].shared;
            (shared.sent.load(Ordering::Relaxed).into(), shared.received.load(Ordering::Relaxed).into())
        })
    }

    /// Since the first frame.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether a frame that was sent after this time has arrived, both ways.
    pub fn flows_since(&self, time: Duration) -> bool {
        self.ways.iter().all(|way| {
            let ticks = way.shared.ticks.lock().unwrap_or_else(PoisonError::into_inner);
            let first = ticks.partition_point(|(at, _)| *at < time);
            ticks.get(first).is_some_and(|(_, number)| way.shared.newest.load(Ordering::Acquire) > *number)
        })
    }

    /// No new frames; those on their way are still received.
    pub fn stop_sending(&self) {
        for way in &self.ways {
            way.shared.stop_sending.store(true, Ordering::Relaxed);
        }
    }

    /// Ends the threads and attributes what was lost.
    pub fn finish(self, events: &[Event]) -> Vec<WayReport> {
        let reports = WAYS.into_iter().zip(self.ways).map(|(direction, way)| {
            way.shared.stop.store(true, Ordering::Relaxed);
            let Way { shared, sender, receiver } = way;
            sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let received = receiver.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let ticks = shared.ticks.lock().unwrap_or_else(PoisonError::into_inner);
            let counted =
                report::way(direction, shared.sent.load(Ordering::Relaxed), &received.checker, &ticks, events);
            WayReport { dropped_by_receiver: received.dropped, silences: received.silences, ..counted }
        });
        reports.collect()
    }
}

impl Way {
    fn start(
        started: Instant,
        pattern: &Pattern,
        count: u32,
        rate: u32,
        (from, to): (&SocketOpener, &SocketOpener),
        server: &SocketOpener,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            started,
            stop_sending: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sent: AtomicU32::new(0),
            received: AtomicU32::new(0),
            newest: AtomicU32::new(0),
            ticks: Mutex::default(),
        });
        let receiver = {
            let (shared, open, checker) = (Arc::clone(&shared), Arc::clone(to), Checker::new(pattern.clone(), count));
            thread::Builder::new().name("soak-receive".into()).spawn(move || shared.receive(&open, checker))?
        };
        let sender = {
            let (shared, pattern) = (Arc::clone(&shared), pattern.clone());
            let (open, server) = (Arc::clone(from), Arc::clone(server));
            let send = move || shared.send(&open, &server, &pattern, count, rate);
            thread::Builder::new().name("soak-send".into()).spawn(send)?
        };
        Ok(Self { shared, sender, receiver })
    }
}

impl Shared {
    /// Sends at the rate until told to stop. A frame that the interface does not take is sent and lost.
    fn send(&self, open: &SocketOpener, open_server: &SocketOpener, pattern: &Pattern, count: u32, rate: u32) {
        let (mut socket, mut server) = (None, None);
        let mut frame = Vec::with_capacity(FRAME_SIZE_MAX);
        let mut introduced: Option<Instant> = None;
        let (mut number, mut skipped) = (0, 0);
        while !self.stop_sending.load(Ordering::Relaxed) && number < count {
            if introduced.is_none_or(|at| at.elapsed() >= INTRODUCE) {
                for introduction in pattern.introductions() {
                    attempt(&mut server, open_server, |socket| socket.send(&introduction));
                }
                introduced = Some(Instant::now());
            }
            // Saturates after 99 days at 500 a second.
            let due = (self.started.elapsed().as_secs_f64() * f64::from(rate)) as u32;
            let behind = due.saturating_sub(skipped + number);
            let burst = behind.min(BURST_MAX);
            skipped += behind - burst;
            if burst > 0 {
                self.ticks.lock().unwrap_or_else(PoisonError::into_inner).push((self.started.elapsed(), number));
            }
            for _ in 0..burst.min(count - number) {
                pattern.write(number, &mut frame);
                attempt(&mut socket, open, |socket| socket.send(&frame));
                number += 1;
                self.sent.store(number, Ordering::Relaxed);
            }
            thread::sleep(TICK);
        }
    }

    fn receive(&self, open: &SocketOpener, checker: Checker) -> Received {
        let mut received = Received { checker, dropped: 0, silences: Vec::new() };
        let mut socket: Option<PacketSocket> = None;
        let mut buffer = vec![0; 2 * FRAME_SIZE_MAX];
        let mut last = self.started.elapsed();
        while !self.stop.load(Ordering::Relaxed) {
            match attempt(&mut socket, open, |socket| socket.receive(&mut buffer)) {
                Some(Some(length)) => {
                    let now = self.started.elapsed();
                    if now - last >= SILENCE {
                        received.silences.push(Silence { from: last, to: now });
                    }
                    last = now;
                    received.checker.accept(&buffer[..length.min(buffer.len())]);
                    let report = received.checker.report();
                    self.received.store(u32::try_from(report.received).unwrap_or(u32::MAX), Ordering::Relaxed);
                    self.newest.store(received.checker.highest().map_or(0, |number| number + 1), Ordering::Release);
                }
                Some(None) => {
                    // Asked when there is time; the kernel counts from one question to the next.
                    let dropped = attempt(&mut socket, open, PacketSocket::take_dropped).unwrap_or(0);
                    received.dropped += u64::from(dropped);
                }
                None => thread::sleep(REOPEN),
            }
        }
        received
    }
}

/// Does something with a socket, which is opened if there is none; after an error there is none. `None`: not done.
fn attempt<T>(
    socket: &mut Option<PacketSocket>,
    open: &SocketOpener,
    work: impl FnOnce(&PacketSocket) -> io::Result<T>,
) -> Option<T> {
    if socket.is_none() {
        *socket = open().ok();
    }
    match work(socket.as_ref()?) {
        Ok(value) => Some(value),
        Err(_) => {
            *socket = None;
            None
        }
    }
}
