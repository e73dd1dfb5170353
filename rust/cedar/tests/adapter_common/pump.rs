//! Two TAPs joined in user space: what leaves one card enters the other, frame by frame checked on the way. Stands for
//! everything between two clients, without a session or a network.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use cedar::adapter::linux::{TapDevice, Tier};
use cedar::adapter::{Adapter, Device, FrameBatch, Offloaded, Stats};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{check_frame, netns};

/// How frames are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `receive` and `send`, as the fused path does.
    Batch,
    /// `next_frame`, `put_frame` and `flush`, as the C's session loop does.
    OneByOne,
}

/// Frames carried from one adapter to the other in a turn.
const TURN_FRAMES: usize = 256;

/// Carries one turn of frames, each seen by `look`, and says how many.
pub fn carry<D: Device>(
    from: &mut Offloaded<D>,
    to: &mut Offloaded<D>,
    way: Way,
    mut look: impl FnMut(&[u8]),
) -> usize {
    match way {
        Way::Batch => {
            let mut batch = FrameBatch::new(TURN_FRAMES, TURN_FRAMES * 1518);
            let count = from.receive(TURN_FRAMES, |frame| {
                look(frame);
                assert!(batch.push(frame));
            });
            to.send(batch.frames()).unwrap();
            count.unwrap()
        }
        Way::OneByOne => {
            let mut count = 0;
            while count < TURN_FRAMES {
                let Some(frame) = from.next_frame().unwrap() else { break };
                look(frame);
                to.put_frame(frame).unwrap();
                count += 1;
            }
            to.flush().unwrap();
            count
        }
    }
}

/// Waits until one of the adapters has something, at most 20 ms.
pub fn wait<D: Device>(a: &Offloaded<D>, b: &Offloaded<D>) {
    let (a, b) = (a.readiness().unwrap(), b.readiness().unwrap());
    let mut fds = [PollFd::new(&a, PollFlags::IN), PollFd::new(&b, PollFlags::IN)];
    let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 20_000_000 }));
}

/// Two hosts, 1 and 2, each in a namespace with a TAP of `tier`; `one` and `two` run in them, both TAPs joined
/// meanwhile. Returns the counters of both adapters.
pub fn joined<F, G>(tier: Tier, way: Way, one: F, two: G) -> (Stats, Stats)
where
    F: FnOnce() + Send + 'static,
    G: FnOnce() + Send + 'static,
{
    let (one, two) = joined_by(tier, way, |device| device, one, two);
    (*one.stats(), *two.stats())
}

/// The same with a device of one's own around each TAP; returns both adapters.
pub fn joined_by<D, F, G>(
    tier: Tier,
    way: Way,
    wrap: fn(TapDevice) -> D,
    one: F,
    two: G,
) -> (Offloaded<D>, Offloaded<D>)
where
    D: Device + Send + 'static,
    F: FnOnce() + Send + 'static,
    G: FnOnce() + Send + 'static,
{
    let (send_tap, taps) = channel();
    let mut hosts = Vec::new();
    let bodies: [(u8, Box<dyn FnOnce() + Send>); 2] = [(1, Box::new(one)), (2, Box::new(two))];
    for (host, body) in bodies {
        let send_tap = send_tap.clone();
        hosts.push(thread::spawn(move || {
            netns::enter();
            let mut interface = netns::interface("vpn_test", host, tier);
            send_tap.send((host, Offloaded::new(wrap(interface.device().unwrap())))).unwrap();
            body();
            interface
        }));
    }
    let mut taps: Vec<(u8, Offloaded<D>)> = taps.iter().take(2).collect();
    taps.sort_by_key(|(host, _)| *host);
    let (mut b, mut a) = (taps.pop().unwrap().1, taps.pop().unwrap().1);
    let stop = Arc::new(AtomicBool::new(false));
    let pump = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            // A wrong frame is told when both hosts are done; ending the pump here would leave them waiting.
            let mut wrong = None;
            let mut look = |frame: &[u8]| {
                if let Err(panic) = std::panic::catch_unwind(|| check_frame(frame)) {
                    wrong.get_or_insert(panic);
                }
            };
            loop {
                let moved = carry(&mut a, &mut b, way, &mut look) + carry(&mut b, &mut a, way, &mut look);
                if moved == 0 {
                    if stop.load(Ordering::Acquire) {
                        break;
                    }
                    wait(&a, &b);
                }
            }
            match wrong {
                Some(panic) => std::panic::resume_unwind(panic),
                None => (a, b),
            }
        })
    };
    let results: Vec<_> = hosts.into_iter().map(thread::JoinHandle::join).collect();
    stop.store(true, Ordering::Release);
    let adapters = pump.join();
    for result in results {
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }
    adapters.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The byte at `position` of every test transfer.
pub fn byte_at(position: u64) -> u8 {
    (position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// `len` bytes of a test transfer from `position` on.
pub fn bytes_at(position: u64, len: usize) -> Vec<u8> {
    (position..position + len as u64).map(byte_at).collect()
}

/// Accepts one connection on `address`, reads to its end, checks every byte, and answers with as many.
pub fn serve_tcp(address: IpAddr, total: u64) {
    use std::io::Write;
    let listener = patiently(|| std::net::TcpListener::bind(SocketAddr::new(address, 5_000)));
    let (mut stream, _) = listener.accept().unwrap();
    read_all(&mut stream, total);
    write_all(&mut stream, total);
    stream.flush().unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
}

/// The other side of [`serve_tcp`].
pub fn call_tcp(address: IpAddr, total: u64) {
    let mut stream = connect(address);
    write_all(&mut stream, total);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    read_all(&mut stream, total);
}

/// Connects to port 5000 of `address`, where nobody may listen yet.
pub fn connect(address: IpAddr) -> std::net::TcpStream {
    patiently(|| std::net::TcpStream::connect(SocketAddr::new(address, 5_000)))
}

/// Tries for ten seconds: IPv6 addresses are usable only after duplicate address detection.
pub fn patiently<T>(attempt: impl Fn() -> std::io::Result<T>) -> T {
    let mut result = attempt();
    for _ in 0..500 {
        match result {
            Ok(value) => return value,
            Err(_) => thread::sleep(std::time::Duration::from_millis(20)),
        }
        result = attempt();
    }
    result.unwrap_or_else(|error| panic!("gave up: {error}"))
}

fn write_all(stream: &mut std::net::TcpStream, total: u64) {
    use std::io::Write;
    let mut position = 0;
    while position < total {
        let len = (total - position).min(100_000) as usize;
        stream.write_all(&bytes_at(position, len)).unwrap();
        position += len as u64;
    }
}

fn read_all(stream: &mut std::net::TcpStream, total: u64) {
    use std::io::Read;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut position = 0;
    let mut buffer = vec![0; 100_000];
    loop {
        let len = stream.read(&mut buffer).unwrap();
        if len == 0 {
            break;
        }
        assert!(buffer[..len] == bytes_at(position, len), "wrong bytes after {position}");
        position += len as u64;
    }
    assert_eq!(position, total);
}
