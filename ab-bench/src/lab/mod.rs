//! The lab: a private world on one machine in which a real SoftEther server and a client meet.
//!
//! How a lab comes up:
//!  1. A work directory is made and locked (`workdir.rs`); what killed labs left behind is removed.
//!  2. A thread enters a new mount, PID and two network namespaces (`world.rs`); a process whose only task is
//!     to end when we do becomes the init of the PID namespace, so everything in the lab ends with us.
//!  3. The two network namespaces are joined by a veth pair: 10.77.0.1 (server) and 10.77.0.2 (client).
//!  4. The server starts, and gets a hub, users and a TAP bridge (`tap_srv`, 10.78.0.1) (`server.rs`).
//!  5. Clients start on request (`client.rs`); a client is up when the server's TAP answers through it.
//!
//! Nothing of the host is touched: no named namespace, no interface, no mount outlives the process, and all
//! labs use the same addresses because no two of them see one another.

mod client;
mod error;
mod neighbour;
mod process;
mod server;
mod udp;
mod workdir;
mod world;

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub use client::{Client, ClientAuth, ClientKind, ClientSpec, CpuTimes};
pub use error::LabError;
pub use neighbour::Neighbour;
pub use process::LabProcess;
pub use server::{Server, ServerKind};
pub use udp::UdpCounts;
pub use workdir::{WorkDir, remove_remains};
pub use world::Side;

use crate::frames::{self, Direction, FramePlan, FrameReport};
use crate::proxy::{Ends, FaultSpec, Proxy};
use world::World;

/// The server's address on the veth.
pub const SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The client's address on the veth.
pub const CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The address of the server's TAP: what a client reaches through the tunnel.
pub const TUNNEL_SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
/// The address that a client takes inside the tunnel unless its spec says otherwise.
pub const TUNNEL_CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);
/// The server's address where the fault proxy stands between: both sides have it, and only the proxy joins them.
pub const FAULT_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 1);
/// The ports of UDP acceleration that the fault proxy relays, from `UDP_SERVER_PORT_LOWER` on (Cedar/UdpAccel.h): the
/// server takes the first free one for each session.
const FAULT_UDP_PORTS: std::ops::Range<u16> = 40_000..40_032;
/// The hub that every lab has.
pub const HUB: &str = "DEFAULT";
/// The user with a password (see [`Lab::password`]).
pub const USER: &str = "test";
/// The user who may connect without one.
pub const ANONYMOUS_USER: &str = "guest";
/// The server's end of the bridge, a TAP in the server's namespace.
pub const SERVER_TAP: &str = "tap_srv";

/// What kind of lab to make.
#[derive(Debug, Clone, Default)]
pub struct LabOptions {
    /// Whose SoftEther server runs.
    pub server: ServerKind,
    /// Where the vendored server's executables are; absent: see [`ServerKind::Vendored`].
    pub server_dir: Option<PathBuf>,
}

/// What [`Lab::frame_sockets`] gives.
pub type SocketOpener = Arc<dyn Fn() -> io::Result<frames::PacketSocket> + Send + Sync>;

/// A running lab. Dropping it ends every process in it and removes its work directory.
#[derive(Debug)]
pub struct Lab {
    // The order matters: fields are dropped from the top, processes before their world, the directory last.
    server: Server,
    world: Arc<World>,
    work_dir: WorkDir,
    next_path: AtomicU32,
    start_time: Duration,
}

impl Lab {
    /// Makes the namespaces, starts the server and configures it. Takes well under three seconds.
    pub fn start(options: &LabOptions) -> Result<Self, LabError> {
        let started = Instant::now();
        world::check_preconditions()?;
        remove_remains()?;
        let work_dir = WorkDir::create()?;
        let world = Arc::new(World::create(&work_dir)?);
        join_namespaces(&world)?;
        let server = Server::start(&world, &work_dir, options)?;
        Ok(Self { server, world, work_dir, next_path: AtomicU32::new(0), start_time: started.elapsed() })
    }

    /// How long [`Lab::start`] took.
    #[must_use]
    pub fn start_time(&self) -> Duration {
        self.start_time
    }

    /// The directory for this lab's files; gone when the lab is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.work_dir.path()
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The server, to stop, kill or restart it.
    pub fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    /// The password of [`USER`], new in every lab.
    #[must_use]
    pub fn password(&self) -> &str {
        self.server.password()
    }

    /// The SHA-256 of the server's certificate (DER) as `sha256:<hex>`, the form that `pin` takes.
    #[must_use]
    pub fn pin(&self) -> &str {
        self.server.pin()
    }

    /// Runs a command on one side to its end and returns its exit status and output, whatever the status is.
    /// After `timeout` it is killed and an error says so.
    pub fn run<A: AsRef<OsStr>>(&self, side: Side, argv: &[A], timeout: Duration) -> Result<Output, LabError> {
        process::run(&self.world, side, argv, None, timeout)
    }

    /// As [`Lab::run`], and a failing command is an error that quotes its output.
    pub fn run_ok<A: AsRef<OsStr>>(&self, side: Side, argv: &[A], timeout: Duration) -> Result<Output, LabError> {
        process::run_ok(&self.world, side, argv, None, timeout)
    }

    /// Starts a process on one side and leaves it running; it is killed when the handle is dropped.
    pub fn spawn(&self, side: Side, command: Command) -> Result<LabProcess, LabError> {
        LabProcess::spawn(&self.world, side, command)
    }

    /// As [`Lab::spawn`], but in our own process group, so that it gets the terminal's Ctrl-C.
    pub fn spawn_foreground(&self, side: Side, command: Command) -> Result<LabProcess, LabError> {
        LabProcess::spawn_foreground(&self.world, side, command)
    }

    /// Runs `work` on a thread of its own that has entered the network namespace of `side`.
    /// Sockets that it opens stay in that namespace and may be handed out.
    pub fn within<T: Send>(&self, side: Side, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        self.world.within(side, work)
    }

    /// Writes the client's configuration, starts it, and waits until the server's TAP answers through the tunnel.
    pub fn start_client(&self, spec: &ClientSpec) -> Result<Client, LabError> {
        Client::start(self, spec, None)
    }

    /// As [`Lab::start_client`], with `config` instead of [`Lab::client_config`]'s text (the `cutover` client only).
    pub fn start_client_with_config(&self, spec: &ClientSpec, config: &str) -> Result<Client, LabError> {
        Client::start(self, spec, Some(config))
    }

    /// The TOML configuration that [`Lab::start_client`] would write for this spec: change it to test the client's checks.
    pub fn client_config(&self, spec: &ClientSpec) -> Result<toml::Table, LabError> {
        client::config(self, spec)
    }

    /// Starts iperf3's server on the server's side; it listens when this returns and runs until the handle is dropped.
    pub fn serve_iperf(&self) -> Result<LabProcess, LabError> {
        const PORT: u16 = 5201;
        let mut command = Command::new("iperf3");
        command.args(["--server", "--port", &PORT.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = self.spawn(Side::Server, command)?;
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.world.listens(Side::Server, PORT)? {
            if Instant::now() >= deadline {
                let what = "iperf3's listening".into();
                return Err(LabError::TimedOut { what, after: Duration::from_secs(5), detail: String::new() });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(process)
    }

    /// Sends numbered frames through the tunnel and checks every one on the other side.
    pub fn carry_frames(
        &self,
        client: &Client,
        direction: Direction,
        plan: &FramePlan,
    ) -> Result<FrameReport, LabError> {
        let open = |side, interface: &str| {
            self.within(side, || frames::PacketSocket::open(interface))?
                .map_err(|source| LabError::io(format!("open a packet socket on {interface}"), source))
        };
        let (client, server) = (open(Side::Client, client.interface())?, open(Side::Server, SERVER_TAP)?);
        frames::carry(&client, &server, direction, plan).map_err(|source| LabError::io("carry numbered frames", source))
    }

    /// Opens a packet socket on an interface of one side, now or later, again and again.
    #[must_use]
    pub fn frame_sockets(&self, side: Side, interface: &str) -> SocketOpener {
        let (world, interface) = (Arc::clone(&self.world), interface.to_owned());
        Arc::new(move || world.within(side, || frames::PacketSocket::open(&interface)).map_err(io::Error::other)?)
    }

    /// Puts a fault proxy before the server, at [`FAULT_ADDRESS`]: a client whose spec says so goes through it with its
    /// connections and with UDP acceleration. One at a time.
    pub fn start_proxy(&self, spec: &FaultSpec) -> Result<Proxy, LabError> {
        for side in [Side::Client, Side::Server] {
            ip_batch(&self.world, side, &format!("address replace {FAULT_ADDRESS}/32 dev lo\n"))?;
        }
        let failed = |source| LabError::io("start the fault proxy", source);
        let open = || -> io::Result<_> {
            let listener = TcpListener::bind((FAULT_ADDRESS, 443))?;
            let datagrams: io::Result<_> = FAULT_UDP_PORTS.map(|port| UdpSocket::bind((FAULT_ADDRESS, port))).collect();
            Ok((listener, datagrams?))
        };
        let (listener, datagrams) = self.within(Side::Client, open)?.map_err(failed)?;
        let world = Arc::clone(&self.world);
        let enter = Arc::new(move || world.enter(Side::Server));
        Proxy::start(Ends { listener, datagrams, server: (FAULT_ADDRESS, 443).into(), enter }, spec).map_err(failed)
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// A path in the work directory that nobody has used yet.
    pub(crate) fn new_path(&self, what: &str) -> PathBuf {
        let number = self.next_path.fetch_add(1, Ordering::Relaxed);
        self.dir().join(format!("{what}-{number}"))
    }
}

/// Lays the veth between the two namespaces. The congestion control is set per route, because a namespace may
/// not be allowed to choose it for all of its sockets.
fn join_namespaces(world: &Arc<World>) -> Result<(), LabError> {
    // PID 1 is the lab's init, which lives in the client's network namespace.
    let server = format!(
        "link set lo up\n\
         link add vs0 type veth peer name vc0 netns 1\n\
         address add {SERVER_ADDRESS}/24 dev vs0\n\
         link set vs0 up\n\
         route replace 10.77.0.0/24 dev vs0 src {SERVER_ADDRESS} congctl cubic\n"
    );
    let client = format!(
        "link set lo up\n\
         address add {CLIENT_ADDRESS}/24 dev vc0\n\
         link set vc0 up\n\
         route replace 10.77.0.0/24 dev vc0 src {CLIENT_ADDRESS} congctl cubic\n"
    );
    for side in [Side::Server, Side::Client] {
        world
            .within(side, || std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"))?
            .map_err(|source| LabError::io("switch IPv6 off in the lab", source))?;
    }
    ip_batch(world, Side::Server, &server)?;
    ip_batch(world, Side::Client, &client)
}

/// Runs lines of `ip` commands on one side.
pub(crate) fn ip_batch(world: &Arc<World>, side: Side, lines: &str) -> Result<(), LabError> {
    process::run_ok(world, side, &["ip", "-batch", "-"], Some(lines), Duration::from_secs(10)).map(drop)
}

/// Puts the tunnel's route on cubic, and makes a lost ARP request cost 50 ms instead of a second.
pub(crate) fn tune_tunnel_end(
    world: &Arc<World>,
    side: Side,
    interface: &str,
    address: Ipv4Addr,
) -> Result<(), LabError> {
    let retry = format!("/proc/sys/net/ipv4/neigh/{interface}/retrans_time_ms");
    world
        .within(side, move || std::fs::write(retry, "50"))?
        .map_err(|source| LabError::io(format!("set the ARP retry time of {interface}"), source))?;
    ip_batch(world, side, &format!("route replace 10.78.0.0/24 dev {interface} src {address} congctl cubic\n"))
}
