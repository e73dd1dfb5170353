//! Round-trip times through the tunnel, without coordinated omission.
//!
//!  1. An echo answers datagrams on the server's side.
//!  2. The prober sends one datagram at each point of a fixed schedule, whatever became of those before. One that could
//!     not leave in time counts from when it should have left: a stall costs every probe that it held up.
//!  3. A second thread receives the answers; the time of an answer less the scheduled time of its number is recorded.
//!  4. What has not come a second after the last was sent is lost.
//!
//! Both ends run at real-time priority where the kernel allows it, because it is the tunnel that is measured and not how
//! long the probing program waits for a processor.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram as Recorder;
use nix::libc;

use super::schema::Histogram;
use crate::lab::{Lab, LabError, Side};

/// Where the echo listens.
const PORT: u16 = 7;
/// A probe's payload: its number, and zeros up to the size of a short voice packet.
const PROBE_SIZE: usize = 64;
/// Between two probes.
pub(super) const INTERVAL: Duration = Duration::from_micros(1000);
/// An answer that comes later is none.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a receive blocks at most, so that ends are seen.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(50);
/// No answer is waited for longer than a run and its patience.
const RECORDED_MAX_NS: u64 = 1_000_000_000_000;
/// Significant digits of the recorded times.
const DIGITS: u8 = 2;

/// What the probes found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Probed {
    pub rtt: Histogram,
    pub sent: u64,
    pub lost: u64,
}

/// An open pair of sockets: the prober's in the client's namespace, the echo's in the server's.
pub(super) struct Prober {
    probe: UdpSocket,
    echo: UdpSocket,
}

impl Prober {
    /// Opens both ends; `far` is an address of the server's side that is reached through the tunnel.
    pub(super) fn open(lab: &Lab, far: Ipv4Addr) -> Result<Self, LabError> {
        let failed = |source| LabError::Io { what: format!("open a socket for round trips to {far}"), source };
        let echo = lab.within(Side::Server, || UdpSocket::bind((far, PORT)))?.map_err(failed)?;
        let probe = lab
            .within(Side::Client, || {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                socket.connect((far, PORT))?;
                Ok(socket)
            })?
            .map_err(failed)?;
        for socket in [&echo, &probe] {
            socket.set_read_timeout(Some(RECEIVE_TIMEOUT)).map_err(failed)?;
        }
        Ok(Self { probe, echo })
    }

    /// Probes for as long as `duration`.
    pub(super) fn run(&self, duration: Duration) -> Result<Probed, LabError> {
        let failed = |source| LabError::Io { what: "measure round trips".into(), source };
        let count = u32::try_from(duration.as_micros() / INTERVAL.as_micros()).unwrap_or(u32::MAX);
        let ended = AtomicBool::new(false);
        // A little ahead, so that the threads are ready when the schedule begins.
        let begin = Instant::now() + Duration::from_millis(20);
        thread::scope(|scope| {
            scope.spawn(|| echo(&self.echo, &ended));
            let answers = scope.spawn(|| receive(&self.probe, begin, count));
            let sent = send(&self.probe, begin, count);
            let answers = answers.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            ended.store(true, Ordering::Relaxed);
            sent.and(answers)
        })
        .map(|recorder| probed(&recorder, count))
        .map_err(failed)
    }
}

fn probed(recorder: &Recorder<u64>, count: u32) -> Probed {
    let buckets =
        recorder.iter_recorded().map(|at| (at.value_iterated_to(), at.count_since_last_iteration())).collect();
    let interval_us = u64::try_from(INTERVAL.as_micros()).unwrap_or(u64::MAX);
    let rtt = Histogram { interval_us, buckets };
    let sent = u64::from(count);
    Probed { lost: sent.saturating_sub(rtt.len()), sent, rtt }
}

/// Sends probe after probe by the schedule; late ones at once.
fn send(socket: &UdpSocket, begin: Instant, count: u32) -> io::Result<()> {
    prefer_this_thread();
    let mut probe = [0; PROBE_SIZE];
    for number in 0..count {
        let due = begin + INTERVAL * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        probe[..4].copy_from_slice(&number.to_be_bytes());
        match socket.send(&probe) {
            Ok(_) => {}
            // The interface's queue is full: a lost probe.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Receives answers until all have come or the last one is overdue; records each number once.
fn receive(socket: &UdpSocket, begin: Instant, count: u32) -> io::Result<Recorder<u64>> {
    prefer_this_thread();
    let mut recorder = Recorder::new_with_max(RECORDED_MAX_NS, DIGITS).map_err(io::Error::other)?;
    let mut seen = vec![false; count as usize];
    let mut answer = [0; PROBE_SIZE];
    let deadline = begin + INTERVAL * count + PATIENCE;
    while recorder.len() < u64::from(count) && Instant::now() < deadline {
        match socket.recv(&mut answer) {
            Ok(PROBE_SIZE) => {}
            Ok(_) => continue,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => continue,
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        let number = u32::from_be_bytes([answer[0], answer[1], answer[2], answer[3]]);
        let is_new = seen.get_mut(number as usize).is_some_and(|seen| !std::mem::replace(seen, true));
        if is_new {
            let elapsed = now.saturating_duration_since(begin + INTERVAL * number);
            recorder.saturating_record(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        }
    }
    Ok(recorder)
}

fn echo(socket: &UdpSocket, ended: &AtomicBool) {
    prefer_this_thread();
    let mut probe = [0; PROBE_SIZE];
    while !ended.load(Ordering::Relaxed) {
        match socket.recv_from(&mut probe) {
            // An answer that cannot be sent is a lost probe.
            Ok((length, from)) => drop(socket.send_to(&probe[..length], from)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // At real-time priority nothing may fail in a circle: what follows is lost, and counted so.
            Err(_) => return,
        }
    }
}

/// Real-time priority for the calling thread; without the right to it, things stay as they are.
fn prefer_this_thread() {
    let parameter = libc::sched_param { sched_priority: 1 };
    // SAFETY: the pointer is to a value that outlives the call; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameter) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Prober {
        let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
        let probe = UdpSocket::bind("127.0.0.1:0").unwrap();
        probe.connect(echo.local_addr().unwrap()).unwrap();
        for socket in [&echo, &probe] {
            socket.set_read_timeout(Some(RECEIVE_TIMEOUT)).unwrap();
        }
        Prober { probe, echo }
    }

    #[test]
    fn every_probe_is_answered_and_recorded_once() {
        let probed = pair().run(Duration::from_millis(100)).unwrap();
        assert_eq!((probed.sent, probed.lost, probed.rtt.len()), (100, 0, 100));
    }

    /// An echo that stalls for 100 ms must cost the hundred probes of that time, not only the one that it met.
    #[test]
    fn a_stall_counts_for_every_probe_that_it_held_up() {
        let Prober { probe, echo } = pair();
        let begin = Instant::now() + Duration::from_millis(10);
        let ended = AtomicBool::new(false);
        let recorder = thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = [0; PROBE_SIZE];
                while !ended.load(Ordering::Relaxed) {
                    let Ok((length, from)) = echo.recv_from(&mut buffer) else { continue };
                    if buffer[..4] == 50_u32.to_be_bytes() {
                        thread::sleep(Duration::from_millis(100));
                    }
                    echo.send_to(&buffer[..length], from).unwrap();
                }
            });
            let answers = scope.spawn(|| receive(&probe, begin, 200));
            send(&probe, begin, 200).unwrap();
            let recorder = answers.join().unwrap().unwrap();
            ended.store(true, Ordering::Relaxed);
            recorder
        });
        let probed = probed(&recorder, 200);
        let slow: u64 = probed.rtt.buckets.iter().filter(|(ns, _)| *ns > 40_000_000).map(|(_, count)| count).sum();
        assert!(slow >= 50, "{slow} of 200 probes saw a stall of 100 ms: {probed:?}");
        assert!(probed.rtt.quantile_ns(0.9).unwrap() > 40_000_000, "{probed:?}");
    }

    #[test]
    fn unanswered_probes_are_lost() {
        let Prober { probe, echo } = pair();
        let begin = Instant::now();
        send(&probe, begin, 20).unwrap();
        let recorder = receive(&probe, begin, 20).unwrap();
        assert_eq!(probed(&recorder, 20).lost, 20);
        drop(echo);
    }
}
