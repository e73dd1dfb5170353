//! A fault proxy between client and server, for TCP and UDP, whose every decision follows from a seed.
//!
//! The way of a byte or a datagram:
//!  1. The client connects to the proxy as if it were the server (`Lab::start_proxy` gives both the same address, each in
//!     its own network namespace, with no way between them but the proxy), and the proxy connects to the server.
//!  2. `tcp.rs` and `udp.rs` move bytes and datagrams with sockets that never block, one thread per connection and one for
//!     all datagrams.
//!  3. [`Stream`] and [`Datagrams`] decide: what goes on, when, changed how, and what ends. They know no socket and no clock.
//!
//! What a [`FaultSpec`] says is in [`SYNTAX`]. Which bytes share a packet is the kernel's business; which byte is the last
//! one before a reset, which is damaged, and which datagrams are lost, is the seed's.

mod datagrams;
mod spec;
mod stream;
mod tcp;
mod udp;

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use datagrams::{DatagramCounts, Datagrams};
use serde::Serialize;
pub use spec::{At, Fault, FaultKind, FaultSpec, SYNTAX, SpecError};
pub use stream::{Step, Stream};

use crate::frames::Direction;

/// The longest that a thread of the proxy waits before it looks whether it shall end.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where a proxy listens and where it connects to.
pub struct Ends {
    /// Clients' connections come here.
    pub listener: TcpListener,
    /// Clients' datagrams come here, each for the port of the same number at the server.
    pub datagrams: Vec<UdpSocket>,
    /// The server; datagrams go to its address and their own port.
    pub server: SocketAddr,
    /// Run first on each thread that opens sockets towards the server (to enter its network namespace, say).
    pub enter: Arc<dyn Fn() -> io::Result<()> + Send + Sync>,
}

/// A running proxy; dropping it resets its connections and ends its threads.
pub struct Proxy {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What a proxy has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ProxyCounts {
    /// Connections that were accepted.
    pub connections: u64,
    /// Bytes that went on, both ways together.
    pub bytes: u64,
    /// Resets, closes and silences by decision.
    pub endings: u64,
    /// Datagrams that came in, both ways together.
    pub datagrams: u64,
    /// Datagrams that were lost, doubled, overtaken or damaged by decision.
    pub datagram_faults: u64,
}

/// What the threads share.
struct Shared {
    started: Instant,
    stop: AtomicBool,
    /// The numbers of the connections that are open, and of those that shall be reset.
    open: Mutex<Vec<u32>>,
    doomed: Mutex<Vec<u32>>,
    /// Grows with every [`Proxy::set`].
    changes: AtomicU64,
    spec: Mutex<FaultSpec>,
    counts: Mutex<ProxyCounts>,
}

impl Shared {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn spec(&self) -> FaultSpec {
        lock(&self.spec).clone()
    }

    fn count(&self, change: impl FnOnce(&mut ProxyCounts)) {
        change(&mut lock(&self.counts));
    }

    fn shall_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Proxy {
    /// Starts the threads.
    pub fn start(ends: Ends, spec: &FaultSpec) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            started: Instant::now(),
            stop: AtomicBool::new(false),
            open: Mutex::default(),
            doomed: Mutex::default(),
            changes: AtomicU64::new(0),
            spec: Mutex::new(spec.clone()),
            counts: Mutex::default(),
        });
        let mut proxy = Self { shared: Arc::clone(&shared), threads: Vec::new() };
        let Ends { listener, datagrams, server, enter } = ends;
        listener.set_nonblocking(true)?;
        let (tcp, udp) = ((Arc::clone(&shared), Arc::clone(&enter)), (shared, enter));
        proxy.spawn("proxy-tcp", move || tcp::accept(&listener, server, &*tcp.1, &tcp.0))?;
        proxy.spawn("proxy-udp", move || udp::relay(datagrams, server.ip(), &*udp.1, &udp.0))?;
        Ok(proxy)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let report = move || {
            if let Err(error) = work() {
                eprintln!("fault proxy: {error}");
            }
        };
        self.threads.push(std::thread::Builder::new().name(name.into()).spawn(report)?);
        Ok(())
    }

    /// Other faults, for connections that are made from now on and for all datagrams.
    pub fn set(&self, spec: &FaultSpec) {
        *lock(&self.shared.spec) = spec.clone();
        self.shared.changes.fetch_add(1, Ordering::Release);
    }

    /// Resets all connections that are open now.
    pub fn reset_connections(&self) {
        let open = lock(&self.shared.open).clone();
        lock(&self.shared.doomed).extend(open);
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> ProxyCounts {
        *lock(&self.shared.counts)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("spec", &self.shared.spec().to_string()).field("counts", &self.counts()).finish()
    }
}

/// What a thread that died held is still what it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The key of all draws of one direction of one connection (0: the datagrams).
fn key(seed: u64, direction: Direction, connection: u32) -> u64 {
    draw(seed, (u64::from(connection) << 1) | u64::from(direction == Direction::Down))
}

/// The n-th number of a key: SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) fn draw(key: u64, n: u64) -> u64 {
    let value = key.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
