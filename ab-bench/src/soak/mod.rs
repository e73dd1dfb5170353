//! The soak: numbered frames both ways for as long as one likes, while modes are switched, connections reset and the server
//! killed; every lost frame accounted for, and the client's memory, descriptors and threads watched.
//!
//! What happens, in order:
//!  1. A lab with a fault proxy before its server, and a client behind it.
//!  2. `traffic.rs` sends numbered frames at a steady rate, both ways, and checks every one that arrives.
//!  3. `events.rs` does something to the client every few seconds; what, follows from the seed. An event that ends
//!     connections lasts until frames that were sent after it arrive again.
//!  4. `watch.rs` samples the client's memory, descriptors and threads once a second.
//!  5. `outage.rs` looks round when frames do not flow although nothing was done.
//!  6. [`SoakReport`] attributes every lost frame to the event during which it was sent. The rules that decide whether the
//!     soak was passed are [`SoakReport::faults`]; they are fixed here, before any run.

mod events;
mod outage;
mod report;
mod traffic;
mod watch;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use events::{Event, EventKind};
pub use outage::Outage;
pub use report::{SoakReport, WayReport};
pub use watch::{Sample, Trend};

use crate::frames::Direction;
use crate::lab::{Client, ClientSpec, FAULT_ADDRESS, Lab, LabError, LabOptions, SERVER_TAP, ServerKind, Side};
use crate::proxy::{FaultSpec, Proxy};
use events::Events;
use traffic::Traffic;
use watch::Watch;

/// How often the driver looks round.
const STEP: Duration = Duration::from_millis(50);
/// After the last frame was sent, late ones may come for so long.
const DRAIN: Duration = Duration::from_millis(1500);

/// What to do for how long.
#[derive(Debug, Clone)]
pub struct SoakOptions {
    /// How long frames are sent.
    pub duration: Duration,
    /// Frames per second, each way.
    pub rate: u32,
    /// The time between the end of one event and the next.
    pub every: Duration,
    /// Seed of contents, sizes, events and faults.
    pub seed: u64,
    /// The `cutover` client.
    pub client: PathBuf,
    /// Whose server.
    pub server: ServerKind,
    /// Where the vendored server's executables are, if not where [`ServerKind`] says.
    pub server_dir: Option<PathBuf>,
    /// TCP connections of the session.
    pub connections: u8,
    /// Whether frames go by UDP once that works.
    pub udp_acceleration: bool,
}

impl SoakOptions {
    /// One connection, 500 frames a second each way, an event every fifteen seconds.
    #[must_use]
    pub fn new(client: PathBuf, duration: Duration) -> Self {
        Self {
            duration,
            rate: 500,
            every: Duration::from_secs(15),
            seed: 1,
            client,
            server: ServerKind::Vendored,
            server_dir: None,
            connections: 1,
            udp_acceleration: false,
        }
    }
}

/// What a soak shows while it runs.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Since the first frame was sent.
    pub elapsed: Duration,
    /// Frames sent and received, up and down.
    pub frames: [(u64, u64); 2],
    /// The newest event.
    pub event: String,
}

/// Everything that runs; fields are dropped from the top.
struct Soak<'o> {
    options: &'o SoakOptions,
    traffic: Traffic,
    client: Client,
    proxy: Proxy,
    lab: Lab,
}

/// Runs a soak until its time is over or `stop` is set; what was measured until then is the result.
pub fn run(options: &SoakOptions, stop: &AtomicBool, mut show: impl FnMut(&Progress)) -> Result<SoakReport, LabError> {
    let lab = Lab::start(&LabOptions { server: options.server, server_dir: options.server_dir.clone() })?;
    let proxy = lab.start_proxy(&FaultSpec::default())?;
    let client = start_client(&lab, options)?;
    let traffic = Traffic::start(
        options,
        lab.frame_sockets(Side::Client, client.interface()),
        lab.frame_sockets(Side::Server, SERVER_TAP),
    )?;
    let mut soak = Soak { options, traffic, client, proxy, lab };
    let mut watch = Watch::new(soak.client.id());
    let mut events = Events::new(options);
    let started = Instant::now();
    let mut error = None;
    let (mut outages, mut is_noticed) = (Vec::new(), false);
    // The last event is given its time: its losses are no others'.
    while (started.elapsed() < options.duration || events.is_open()) && !stop.load(Ordering::Relaxed) && error.is_none()
    {
        watch.sample(started.elapsed());
        error = events.step(&mut soak).err();
        if let Some(status) = soak.client.process().try_wait()? {
            error = Some(LabError::ClientEnded { status, log: soak.client.log() });
        }
        outage::watch(&soak, events.is_open(), &mut is_noticed, &mut outages);
        show(&Progress { elapsed: started.elapsed(), frames: soak.traffic.frames(), event: events.newest() });
        std::thread::sleep(STEP);
    }
    soak.traffic.stop_sending();
    std::thread::sleep(DRAIN);
    let elapsed = started.elapsed();
    let proxy_counts = soak.proxy.counts();
    let Soak { traffic, client, .. } = soak;
    let ways = traffic.finish(&events.log);
    let log = client.log();
    let exit_code = if error.is_none() { client.stop()?.code() } else { None };
    let report = SoakReport {
        schema_version: 1,
        interrupted: stop.load(Ordering::Relaxed),
        error: error.map(|error| error.to_string()),
        elapsed,
        rate: options.rate,
        seed: options.seed,
        connections: options.connections,
        udp_acceleration: options.udp_acceleration,
        exit_code,
        ways,
        events: events.log,
        outages,
        proxy: proxy_counts,
        trends: watch.trends(),
        samples: watch.samples,
        client_log: log
            .lines()
            .rev()
            .take(LOG_LINES)
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
    };
    Ok(report)
}

/// How much of the client's log a report keeps.
const LOG_LINES: usize = 40;

fn start_client(lab: &Lab, options: &SoakOptions) -> Result<Client, LabError> {
    let spec = ClientSpec {
        connections: options.connections,
        udp_acceleration: options.udp_acceleration,
        server: FAULT_ADDRESS,
        ..ClientSpec::cutover(&options.client, "")
    };
    let mut config = lab.client_config(&spec)?;
    // Outages are to be short: what is tested is what happens in between.
    let reconnect = toml::toml! { interval = 1
    max = 2 };
    config.insert("reconnect".into(), reconnect.into());
    lab.start_client_with_config(&spec, &config.to_string())
}

const WAYS: [Direction; 2] = [Direction::Up, Direction::Down];
