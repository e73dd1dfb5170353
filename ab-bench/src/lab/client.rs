//! Clients in the lab: the project's `cutover`, and Debian's vpnclient as the official one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::signal::Signal;
use nix::time::clock_getcpuclockid;
use nix::unistd::{Pid, SysconfVar, sysconf};
use serde_json::json;

use super::neighbour::{self, NEIGHBOUR_SERVER_ADDRESS, Neighbour};
use super::server::{run_vpncmd, tail};
use super::{
    ANONYMOUS_USER, HUB, Lab, LabError, LabProcess, SERVER_ADDRESS, Side, TUNNEL_CLIENT_ADDRESS, TUNNEL_SERVER_ADDRESS,
    USER, ip_batch, tune_tunnel_end,
};

pub(super) const POLL: Duration = Duration::from_millis(10);
/// How long one question to the server's TAP may take.
const PROBE: Duration = Duration::from_millis(200);
/// How long a client may take to end after SIGTERM before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Where vpncmd talks to Debian's client.
const OFFICIAL_CONTROL_PORT: u16 = 9931;
/// A port of the server's TAP on which nobody listens: its refusal is the answer that is waited for.
const CLOSED_PORT: u16 = 9;

/// Which client program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientKind {
    /// The project's client, as `PROGRAM up FILE`.
    Cutover(PathBuf),
    /// Debian's vpnclient.
    Official,
    /// Someone else's tunnel with its own server.
    Neighbour(Neighbour),
}

/// How the client authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// As the lab's user with the right password.
    Password,
    /// As the lab's user with this password.
    WrongPassword(String),
    /// As the lab's anonymous user.
    Anonymous,
}

/// What client to start and how it shall connect. `ClientSpec::new` gives one TCP connection with encryption and
/// without compression, UDP acceleration and QoS: one stream of TLS, which is what is compared.
#[derive(Debug, Clone)]
pub struct ClientSpec {
    /// The program.
    pub kind: ClientKind,
    /// Added to the client's environment, `CUTOVER_SWAPS` for example.
    pub env: Vec<(OsString, OsString)>,
    /// Who connects.
    pub auth: ClientAuth,
    /// The TAP's name (the official client puts `vpn_` before it).
    pub interface: String,
    /// The TAP's address, with a prefix of 24 bits.
    pub address: Ipv4Addr,
    /// TCP connections, 1..=32.
    pub connections: u8,
    /// Each connection carries one direction only (needs two or more connections).
    pub half_duplex: bool,
    /// TLS for the data, not only for the login.
    pub encrypt: bool,
    /// zlib on every frame.
    pub compress: bool,
    /// Frames over UDP when that works.
    pub udp_acceleration: bool,
    /// The server as the client sees it: [`SERVER_ADDRESS`], or [`FAULT_ADDRESS`](super::FAULT_ADDRESS) through the
    /// fault proxy.
    pub server: Ipv4Addr,
    /// How long to wait until the tunnel is up.
    pub timeout: Duration,
}

impl ClientSpec {
    /// The plain case, see the type.
    #[must_use]
    pub fn new(kind: ClientKind) -> Self {
        Self {
            kind,
            env: Vec::new(),
            auth: ClientAuth::Password,
            interface: "cut0".into(),
            address: TUNNEL_CLIENT_ADDRESS,
            connections: 1,
            half_duplex: false,
            encrypt: true,
            compress: false,
            udp_acceleration: false,
            server: SERVER_ADDRESS,
            timeout: Duration::from_secs(20),
        }
    }

    /// The `cutover` client with this environment `CUTOVER_SWAPS`.
    #[must_use]
    pub fn cutover(program: impl Into<PathBuf>, swaps: &str) -> Self {
        let mut spec = Self::new(ClientKind::Cutover(program.into()));
        spec.env.push(("CUTOVER_SWAPS".into(), swaps.into()));
        spec
    }

    /// Debian's client.
    #[must_use]
    pub fn official() -> Self {
        Self::new(ClientKind::Official)
    }
}

/// CPU time that a client has used so far, all its threads, those that have ended too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTimes {
    /// User and system, exact.
    pub total: Duration,
    /// User, in steps of the kernel's clock tick (10 ms).
    pub user: Duration,
    /// System, in steps of the kernel's clock tick (10 ms).
    pub system: Duration,
}

impl CpuTimes {
    pub(crate) fn of(process: Pid) -> Result<Self, LabError> {
        let failed = |source: io::Error| LabError::io(format!("read the CPU time of process {process}"), source);
        let clock = clock_getcpuclockid(process).map_err(|errno| failed(errno.into()))?;
        let total = clock.now().map_err(|errno| failed(errno.into()))?;
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).map_err(failed)?;
        let (user, system) =
            ticks(&stat).ok_or_else(|| failed(io::Error::other("/proc/PID/stat is not as expected")))?;
        let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|n| u64::try_from(n).ok()).unwrap_or(100);
        let duration = |ticks: u64| Duration::from_millis(ticks * 1000 / per_second.max(1));
        Ok(Self { total: Duration::from(total), user: duration(user), system: duration(system) })
    }
}

/// A running client whose tunnel was up when it was handed out. Dropping it kills it.
#[derive(Debug)]
pub struct Client {
    process: LabProcess,
    interface: String,
    dir: PathBuf,
    connect_time: Duration,
    kind: ClientKind,
    // A neighbour's own server.
    server: Option<LabProcess>,
}

impl Client {
    pub(crate) fn start(lab: &Lab, spec: &ClientSpec, config: Option<&str>) -> Result<Self, LabError> {
        let started = Instant::now();
        let dir = lab.new_path("client");
        fs::create_dir(&dir).map_err(|source| LabError::io(format!("create {}", dir.display()), source))?;
        let mut client = match &spec.kind {
            ClientKind::Cutover(program) => start_cutover(lab, spec, program, config, dir)?,
            ClientKind::Official => start_official(lab, spec, dir)?,
            ClientKind::Neighbour(neighbour) => start_neighbour(lab, *neighbour, dir)?,
        };
        client.wait_until_up(lab, spec, started + spec.timeout)?;
        client.connect_time = started.elapsed();
        Ok(client)
    }

    /// The name of its TAP.
    #[must_use]
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Its PID as the host sees it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// From the start of the program to the first answer through the tunnel.
    #[must_use]
    pub fn connect_time(&self) -> Duration {
        self.connect_time
    }

    /// Which program it is.
    #[must_use]
    pub fn kind(&self) -> &ClientKind {
        &self.kind
    }

    /// Its files: configuration, password, log.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Everything that it has printed so far, both streams.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(log_path(&self.dir)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Its process, to send signals to or to ask whether it still runs.
    pub fn process(&mut self) -> &mut LabProcess {
        &mut self.process
    }

    /// Asks it to end (SIGTERM) and waits; kills it when it does not. Its status tells which.
    pub fn stop(mut self) -> Result<ExitStatus, LabError> {
        let official = self.kind == ClientKind::Official;
        if official {
            // Its watching parent ends without a word to the child.
            self.process.signal_group(Signal::SIGTERM)?;
        } else {
            self.process.signal(Signal::SIGTERM)?;
        }
        let status = match self.process.wait_timeout(STOP_PATIENCE)? {
            Some(status) if official => self.wait_gone().map(|()| status),
            Some(status) => Ok(status),
            None => self.process.kill().and_then(|status| self.wait_gone().map(|()| status)),
        };
        // The server's interface goes with it, and the next pair takes the same name.
        if let Some(mut server) = self.server.take() {
            server.kill()?;
        }
        status
    }

    /// Kills it (SIGKILL), as a crash would.
    pub fn kill(mut self) -> Result<ExitStatus, LabError> {
        let status = self.process.kill()?;
        self.wait_gone().map(|()| status)
    }

    fn wait_gone(&self) -> Result<(), LabError> {
        self.process.world().wait_gone(Side::Client, &self.interface)
    }

    /// The process that carries the frames, by its PID on the host.
    #[must_use]
    pub fn worker(&self) -> Pid {
        // Only the official client has a watching parent; a `cutover` that starts helpers is still itself.
        if self.kind == ClientKind::Official { self.process.worker() } else { self.process.pid() }
    }

    /// The CPU time that it has used so far.
    pub fn cpu(&self) -> Result<CpuTimes, LabError> {
        CpuTimes::of(self.worker())
    }

    /// The CPU time that the far end of its tunnel has used so far; `None` for ocserv, which has a process per client.
    pub fn far_cpu(&self, lab: &Lab) -> Result<Option<CpuTimes>, LabError> {
        match (&self.server, &self.kind) {
            (_, ClientKind::Neighbour(Neighbour::Openconnect)) => Ok(None),
            (Some(server), _) => CpuTimes::of(server.pid()).map(Some),
            (None, _) => lab.server().cpu().map(Some),
        }
    }

    /// The far end's address inside the tunnel.
    #[must_use]
    pub fn far_address(&self) -> Ipv4Addr {
        match self.kind {
            ClientKind::Neighbour(_) => NEIGHBOUR_SERVER_ADDRESS,
            ClientKind::Cutover(_) | ClientKind::Official => TUNNEL_SERVER_ADDRESS,
        }
    }

    fn wait_until_up(&mut self, lab: &Lab, spec: &ClientSpec, deadline: Instant) -> Result<(), LabError> {
        self.wait_for("the client's interface", spec, deadline, |interface| match &spec.kind {
            ClientKind::Cutover(_) => lab.within(Side::Client, || has_address(interface, spec.address)),
            ClientKind::Official | ClientKind::Neighbour(_) => lab.world().has_interface(Side::Client, interface),
        })?;
        if spec.kind == ClientKind::Official {
            let (address, interface) = (spec.address, &self.interface);
            let lines = format!("address add {address}/24 dev {interface}\nlink set {interface} up\n");
            ip_batch(lab.world(), Side::Client, &lines)?;
        }
        match spec.kind {
            ClientKind::Neighbour(neighbour) => neighbour::tune(lab, neighbour)?,
            _ => tune_tunnel_end(lab.world(), Side::Client, &self.interface, spec.address)?,
        }
        let far = self.far_address();
        self.wait_for("an answer through the tunnel", spec, deadline, |_| lab.within(Side::Client, || answers(far)))
    }

    /// Asks `ready` until it says yes, the client ends, or time is up.
    fn wait_for(
        &mut self,
        what: &str,
        spec: &ClientSpec,
        deadline: Instant,
        ready: impl Fn(&str) -> Result<bool, LabError>,
    ) -> Result<(), LabError> {
        while !ready(&self.interface)? {
            let log = || tail(&log_path(&self.dir));
            if let Some(status) = self.process.try_wait()? {
                return Err(LabError::ClientEnded { status, log: log() });
            }
            if Instant::now() >= deadline {
                let detail = format!("; the client printed:\n{}", log());
                return Err(LabError::TimedOut { what: what.into(), after: spec.timeout, detail });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

/// The configuration of the `cutover` client for this spec.
pub(crate) fn config(lab: &Lab, spec: &ClientSpec) -> Result<toml::Table, LabError> {
    let auth = match &spec.auth {
        ClientAuth::Password => password_auth(lab, lab.password())?,
        ClientAuth::WrongPassword(password) => password_auth(lab, password)?,
        ClientAuth::Anonymous => json!({ "type": "anonymous", "user": ANONYMOUS_USER }),
    };
    let config = json!({
        "server": spec.server,
        "port": 443,
        "hub": HUB,
        "auth": auth,
        "tls": { "pin": lab.pin() },
        "transport": {
            "connections": spec.connections,
            "half_duplex": spec.half_duplex,
            "encrypt": spec.encrypt,
            "compress": spec.compress,
            "udp_acceleration": spec.udp_acceleration,
            "qos": false,
        },
        "interface": { "name": spec.interface, "address": format!("{}/24", spec.address), "mtu": 1500 },
    });
    toml::Table::try_from(config)
        .map_err(|error| LabError::io("write the client's configuration", io::Error::other(error)))
}

fn password_auth(lab: &Lab, password: &str) -> Result<serde_json::Value, LabError> {
    let path = lab.new_path("password");
    let failed = |source| LabError::io("write the password file", source);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    file.write_all(password.as_bytes()).map_err(failed)?;
    Ok(json!({ "type": "password", "user": USER, "password_file": path }))
}

fn start_cutover(
    lab: &Lab,
    spec: &ClientSpec,
    program: &Path,
    config_text: Option<&str>,
    dir: PathBuf,
) -> Result<Client, LabError> {
    if !program.exists() {
        let hint = "build it with `./zigw build`".into();
        return Err(LabError::Missing { what: program.display().to_string(), hint });
    }
    let text = match config_text {
        Some(text) => text.to_owned(),
        None => config(lab, spec)?.to_string(),
    };
    let path = dir.join("lab.toml");
    fs::write(&path, text).map_err(|source| LabError::io(format!("write {}", path.display()), source))?;
    let mut command = logged(Command::new(program), &dir, "client")?;
    // What the caller's environment says about swaps would falsify comparisons.
    command.arg("up").arg(&path).env_remove("CUTOVER_SWAPS").env("CUTOVER_STATE_DIR", dir.join("state"));
    command.envs(spec.env.iter().cloned());
    let process = lab.spawn(Side::Client, command)?;
    let (interface, kind) = (spec.interface.clone(), spec.kind.clone());
    Ok(Client { process, interface, dir, connect_time: Duration::ZERO, kind, server: None })
}

fn start_neighbour(lab: &Lab, neighbour: Neighbour, dir: PathBuf) -> Result<Client, LabError> {
    let neighbour::Pair { server, client, interface } = neighbour.start(lab, &dir)?;
    let kind = ClientKind::Neighbour(neighbour);
    Ok(Client { process: client, interface, dir, connect_time: Duration::ZERO, kind, server: Some(server) })
}

/// Starts Debian's client in the foreground and configures it through vpncmd.
fn start_official(lab: &Lab, spec: &ClientSpec, dir: PathBuf) -> Result<Client, LabError> {
    let missing = || LabError::Missing {
        what: "Debian's vpnclient".into(),
        hint: "install it with `apt install softether-vpnclient softether-vpncmd`".into(),
    };
    if !Path::new("/usr/bin/vpnclient").exists() || !Path::new("/usr/bin/vpncmd").exists() {
        return Err(missing());
    }
    // The accounts of an official client that ran before in this lab.
    let forget = ["rm", "-rf", "/var/lib/softether/vpn_client.config", "/var/lib/softether/backup.vpn_client.config"];
    lab.run_ok(Side::Client, &forget, spec.timeout)?;
    let mut command = logged(Command::new("/usr/bin/vpnclient"), &dir, "client")?;
    command.arg("execsvc").envs(spec.env.iter().cloned());
    let process = lab.spawn(Side::Client, command)?;
    let mut client = Client {
        process,
        interface: format!("vpn_{}", spec.interface),
        dir,
        connect_time: Duration::ZERO,
        kind: ClientKind::Official,
        server: None,
    };
    client.wait_for("the official client's control port", spec, Instant::now() + spec.timeout, |_| {
        lab.world().listens(Side::Client, OFFICIAL_CONTROL_PORT)
    })?;
    let script = official_script(lab, spec);
    run_vpncmd(
        lab.world(),
        Side::Client,
        Path::new("/usr/bin/vpncmd"),
        &["localhost", "/CLIENT"],
        &client.dir,
        &script,
    )?;
    Ok(client)
}

fn official_script(lab: &Lab, spec: &ClientSpec) -> String {
    let yes = |on: bool| if on { "yes" } else { "no" };
    let (user, password) = match &spec.auth {
        ClientAuth::Password => (USER, Some(lab.password())),
        ClientAuth::WrongPassword(password) => (USER, Some(password.as_str())),
        ClientAuth::Anonymous => (ANONYMOUS_USER, None),
    };
    let auth = match password {
        Some(password) => format!("AccountPasswordSet lab /PASSWORD:{password} /TYPE:standard"),
        None => "AccountAnonymousSet lab".into(),
    };
    let encrypt = if spec.encrypt { "AccountEncryptEnable lab" } else { "AccountEncryptDisable lab" };
    let compress = if spec.compress { "AccountCompressEnable lab" } else { "AccountCompressDisable lab" };
    format!(
        "NicCreate {nic}\n\
         AccountCreate lab /SERVER:{server}:443 /HUB:{HUB} /USERNAME:{user} /NICNAME:{nic}\n\
         {auth}\n{encrypt}\n{compress}\n\
         AccountDetailSet lab /MAXTCP:{connections} /INTERVAL:1 /TTL:0 /HALF:{half} /BRIDGE:no /MONITOR:no \
         /NOTRACK:no /NOQOS:yes /DISABLEUDP:{no_udp}\n\
         AccountConnect lab\n",
        nic = spec.interface,
        server = spec.server,
        connections = spec.connections,
        half = yes(spec.half_duplex),
        no_udp = yes(!spec.udp_acceleration),
    )
}

/// Sends what a command prints to `NAME.log` in `dir`.
pub(super) fn logged(mut command: Command, dir: &Path, name: &str) -> Result<Command, LabError> {
    let failed = |source| LabError::io(format!("create the log of the {name}"), source);
    let log = File::create(dir.join(format!("{name}.log"))).map_err(failed)?;
    let error_log = log.try_clone().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(log).stderr(error_log);
    Ok(command)
}

fn log_path(dir: &Path) -> PathBuf {
    dir.join("client.log")
}

/// Whether the interface is up with this address (asked in the caller's network namespace). A client gives it the address
/// first, and no route leads to an interface that is down.
fn has_address(interface: &str, address: Ipv4Addr) -> bool {
    getifaddrs().is_ok_and(|mut all| {
        all.any(|entry| {
            entry.interface_name == interface
                && entry.flags.contains(InterfaceFlags::IFF_UP)
                && entry.address.as_ref().and_then(|a| a.as_sockaddr_in()).is_some_and(|a| a.ip() == address)
        })
    })
}

/// Whether a host refuses a connection, as one does that is there and does not listen.
fn answers(host: Ipv4Addr) -> bool {
    let target = (host, CLOSED_PORT).into();
    match TcpStream::connect_timeout(&target, PROBE) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::ConnectionRefused,
    }
}

/// utime and stime of /proc/PID/stat, fields 14 and 15; the command name before them may hold anything.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_survive_any_command_name() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194304 10 0 0 0 123 45 0 0 20 0 1 0 99 0 0";
        assert_eq!(ticks(stat), Some((123, 45)));
        assert_eq!(ticks("7 (a"), None);
        assert_eq!(ticks("7 (a) S 1 2"), None);
    }
}
