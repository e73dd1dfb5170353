//! The lab's SoftEther server: found, started in the foreground, configured through vpncmd.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rand::RngExt;
use rand::distr::Alphanumeric;
use sha2::{Digest, Sha256};

use super::world::World;
use super::{
    ANONYMOUS_USER, CpuTimes, HUB, LabError, LabOptions, LabProcess, SERVER_ADDRESS, SERVER_TAP, Side,
    TUNNEL_SERVER_ADDRESS, USER, WorkDir, ip_batch, process, tune_tunnel_end,
};

/// How long the server may take to listen, to be configured, to make its TAP; each.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// Where Debian's package keeps the executables and the message table.
const DEBIAN_DIR: &str = "/usr/libexec/softether";

/// Whose build of the SoftEther server runs in the lab.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ServerKind {
    /// Built from the vendored C by `./zigw build`. Looked for in [`LabOptions::server_dir`], then in the directory
    /// that `CUTOVER_SERVER_DIR` names, then in `../libexec/cutover` beside the running executable.
    #[default]
    Vendored,
    /// Debian's packages softether-vpnserver and softether-vpncmd.
    Debian,
    /// The lab's own peer: it speaks the server's side and is there to be faster than any client.
    Peer,
}

/// The same after a restart, as the gateway behind a real bridge keeps its address: clients have it in their ARP tables.
const SERVER_TAP_MAC: &str = "02:00:0a:4e:00:01";

/// A running server with hub, users and TAP bridge.
#[derive(Debug)]
pub struct Server {
    // First, so that it ends before the world that it lives in.
    process: Option<LabProcess>,
    world: Arc<World>,
    kind: ServerKind,
    dir: PathBuf,
    password: String,
    pin: String,
}

/// The files that a server needs; they lie in one directory or in Debian's several.
struct ServerFiles {
    vpnserver: PathBuf,
    vpncmd: PathBuf,
    hamcore: PathBuf,
}

impl Server {
    pub(crate) fn start(world: &Arc<World>, work_dir: &WorkDir, options: &LabOptions) -> Result<Self, LabError> {
        let dir = work_dir.path().join("server");
        if options.server == ServerKind::Peer {
            fs::create_dir(&dir).map_err(|source| LabError::io(format!("create {}", dir.display()), source))?;
        } else {
            ServerFiles::find(options)?.copy_to(&dir)?;
        }
        let password: String = rand::rng().sample_iter(&Alphanumeric).take(20).map(char::from).collect();
        let mut server =
            Self { process: None, world: Arc::clone(world), kind: options.server, dir, password, pin: String::new() };
        server.launch()?;
        if options.server != ServerKind::Peer {
            server.configure()?;
        }
        server.pin = server.read_pin()?;
        server.set_up_tap()?;
        Ok(server)
    }

    /// Whose build it is.
    #[must_use]
    pub fn kind(&self) -> ServerKind {
        self.kind
    }

    /// The password of [`USER`].
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The SHA-256 of its certificate, as `sha256:<hex>`.
    #[must_use]
    pub fn pin(&self) -> &str {
        &self.pin
    }

    /// The CPU time that it has used so far.
    pub fn cpu(&self) -> Result<CpuTimes, LabError> {
        CpuTimes::of(self.running()?.worker())
    }

    /// Sends a signal to all of its processes (SIGSTOP and SIGCONT, say).
    pub fn signal(&self, signal: Signal) -> Result<(), LabError> {
        self.running()?.signal_group(signal)
    }

    /// Kills it (SIGKILL), as a crash would.
    pub fn kill(&mut self) -> Result<(), LabError> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            self.world.wait_gone(Side::Server, SERVER_TAP)?;
        }
        Ok(())
    }

    /// Kills it if it runs, and starts it with the same hub, users, certificate and bridge.
    pub fn restart(&mut self) -> Result<(), LabError> {
        self.kill()?;
        self.launch()?;
        self.set_up_tap()
    }

    /// Runs lines of vpncmd as the server's administrator; returns what vpncmd printed.
    pub fn vpncmd(&self, lines: &str) -> Result<String, LabError> {
        if self.kind == ServerKind::Peer {
            let hint = "the peer has no administrator: ask its log".into();
            return Err(LabError::Missing { what: "vpncmd for the peer".into(), hint });
        }
        let program = self.dir.join("vpncmd");
        let target: [&str; 2] = ["localhost:443", "/SERVER"];
        run_vpncmd(&self.world, Side::Server, &program, &target, &self.dir, lines)
    }

    /// Asks the server for its certificate; returns the SHA-256 of it as [`Server::pin`] does.
    pub fn read_pin(&self) -> Result<String, LabError> {
        if self.kind == ServerKind::Peer {
            let pin = fs::read_to_string(self.dir.join("pin"));
            return pin.map_err(|source| LabError::io("read the peer's pin", source));
        }
        // A file name that begins with a slash would be taken for an option: server.pem is relative to `dir`.
        self.vpncmd("ServerCertGet server.pem\n")?;
        let path = self.dir.join("server.pem");
        let text = fs::read(&path).map_err(|source| LabError::io("read the server's certificate", source))?;
        let certificate = pem::parse(text)
            .map_err(|error| LabError::io("parse the server's certificate", std::io::Error::other(error)))?;
        let hash: String = Sha256::digest(certificate.contents()).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("sha256:{hash}"))
    }

    fn running(&self) -> Result<&LabProcess, LabError> {
        self.process.as_ref().ok_or_else(|| LabError::Missing {
            what: "the server".into(),
            hint: "it has been killed; `restart` starts it again".into(),
        })
    }

    fn launch(&mut self) -> Result<(), LabError> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .map_err(|source| LabError::io("create the server's log", source))?;
        let error_log = log.try_clone().map_err(|source| LabError::io("share the server's log", source))?;
        let mut command = match self.kind {
            ServerKind::Peer => self.peer_command()?,
            ServerKind::Vendored | ServerKind::Debian => {
                let mut command = Command::new(self.dir.join("vpnserver"));
                command.arg("execsvc");
                command
            }
        };
        command.current_dir(&self.dir).stdin(Stdio::null()).stdout(log).stderr(error_log);
        self.process = Some(LabProcess::spawn(&self.world, Side::Server, command)?);
        self.wait_until("the server's listening on port 443", |world| world.listens(Side::Server, 443))
    }

    /// The peer leaves its certificate's hash in a file.
    fn peer_command(&self) -> Result<Command, LabError> {
        let program = std::env::current_exe().map_err(|source| LabError::io("find the running executable", source))?;
        // A test's executable lies one directory deeper than the programs.
        let beside = program.ancestors().skip(1).take(2).map(|dir| dir.join("cutover-peer"));
        let peer = beside.into_iter().find(|path| path.is_file()).ok_or_else(|| LabError::Missing {
            what: "`cutover-peer` beside this program".into(),
            hint: "build it with `./zigw build ab` or `cargo build -p ab-bench`".into(),
        })?;
        let mut command = Command::new(peer);
        command.args(["--listen", &format!("{SERVER_ADDRESS}:443"), "--tap", SERVER_TAP, "--tap-mac", SERVER_TAP_MAC]);
        command.args(["--hub", HUB, "--user", USER, "--user", ANONYMOUS_USER]);
        command.arg("--pin-file").arg(self.dir.join("pin"));
        Ok(command)
    }

    /// Everything that it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.log_path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn configure(&self) -> Result<(), LabError> {
        let password = &self.password;
        self.vpncmd(&format!(
            "BridgeCreate {HUB} /DEVICE:srv /TAP:yes\n\
             Hub {HUB}\n\
             UserCreate {USER} /GROUP:none /REALNAME:none /NOTE:none\n\
             UserPasswordSet {USER} /PASSWORD:{password}\n\
             UserCreate {ANONYMOUS_USER} /GROUP:none /REALNAME:none /NOTE:none\n\
             UserAnonymousSet {ANONYMOUS_USER}\n\
             Flush\n"
        ))
        .map(drop)
    }

    fn set_up_tap(&mut self) -> Result<(), LabError> {
        self.wait_until("the server's TAP", |world| world.has_interface(Side::Server, SERVER_TAP))?;
        ip_batch(
            &self.world,
            Side::Server,
            &format!(
                "address add {TUNNEL_SERVER_ADDRESS}/24 dev {SERVER_TAP}\n\
                 link set {SERVER_TAP} address {SERVER_TAP_MAC} up\n"
            ),
        )?;
        tune_tunnel_end(&self.world, Side::Server, SERVER_TAP, TUNNEL_SERVER_ADDRESS)
    }

    /// Asks `ready` until it says yes.
    fn wait_until(&mut self, what: &str, ready: impl Fn(&World) -> Result<bool, LabError>) -> Result<(), LabError> {
        let deadline = Instant::now() + PATIENCE;
        while !ready(&self.world)? {
            if let Some(process) = &mut self.process
                && let Some(status) = process.try_wait()?
            {
                return Err(LabError::ServerEnded { status, log: tail(&self.log_path()) });
            }
            if Instant::now() >= deadline {
                let detail = format!("; the server printed:\n{}", tail(&self.log_path()));
                return Err(LabError::TimedOut { what: what.into(), after: PATIENCE, detail });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("server.log")
    }
}

impl ServerFiles {
    fn find(options: &LabOptions) -> Result<Self, LabError> {
        let files = match options.server {
            ServerKind::Vendored | ServerKind::Peer => Self::in_dir(&vendored_dir(options)?),
            ServerKind::Debian => Self {
                vpnserver: Path::new(DEBIAN_DIR).join("vpnserver/vpnserver"),
                vpncmd: Path::new(DEBIAN_DIR).join("vpncmd/vpncmd"),
                hamcore: Path::new(DEBIAN_DIR).join("vpnserver/hamcore.se2"),
            },
        };
        let hint = match options.server {
            ServerKind::Vendored | ServerKind::Peer => {
                "build it with `./zigw build`, or use Debian's with `--server debian`"
            }
            ServerKind::Debian => "install it with `apt install softether-vpnserver softether-vpncmd`",
        };
        for path in [&files.vpnserver, &files.vpncmd, &files.hamcore] {
            if !path.exists() {
                return Err(LabError::Missing { what: path.display().to_string(), hint: hint.into() });
            }
        }
        Ok(files)
    }

    fn in_dir(dir: &Path) -> Self {
        Self { vpnserver: dir.join("vpnserver"), vpncmd: dir.join("vpncmd"), hamcore: dir.join("hamcore.se2") }
    }

    /// A server keeps its state beside its executable (unless it was built with fixed paths, which are private to
    /// the lab anyway), so each lab runs a copy.
    fn copy_to(&self, dir: &Path) -> Result<(), LabError> {
        let copy = |from: &Path, name: &str| {
            fs::copy(from, dir.join(name))
                .map_err(|source| LabError::io(format!("copy {} to {}", from.display(), dir.display()), source))
        };
        fs::create_dir(dir).map_err(|source| LabError::io(format!("create {}", dir.display()), source))?;
        copy(&self.vpnserver, "vpnserver")?;
        copy(&self.vpncmd, "vpncmd")?;
        copy(&self.hamcore, "hamcore.se2")?;
        Ok(())
    }
}

fn vendored_dir(options: &LabOptions) -> Result<PathBuf, LabError> {
    if let Some(dir) = &options.server_dir {
        return Ok(dir.clone());
    }
    if let Some(dir) = std::env::var_os("CUTOVER_SERVER_DIR") {
        return Ok(dir.into());
    }
    let program = std::env::current_exe().map_err(|source| LabError::io("find the running executable", source))?;
    let bin = program.parent().unwrap_or(Path::new("/"));
    Ok(bin.parent().unwrap_or(bin).join("libexec/cutover"))
}

/// Runs lines of vpncmd from a file (a password on the command line could be seen by others).
pub(crate) fn run_vpncmd(
    world: &Arc<World>,
    side: Side,
    program: &Path,
    target: &[&str],
    dir: &Path,
    lines: &str,
) -> Result<String, LabError> {
    let script = dir.join("vpncmd.txt");
    fs::write(&script, lines).map_err(|source| LabError::io(format!("write {}", script.display()), source))?;
    let program = program.to_string_lossy();
    let input = format!("/IN:{}", script.display());
    // vpncmd writes files relative to its working directory, and the shell is the shortest way to set that.
    let mut argv = vec!["sh", "-c", "cd \"$0\" && exec \"$@\""];
    let dir = dir.to_string_lossy();
    argv.extend([dir.as_ref(), program.as_ref()]);
    argv.extend(target);
    argv.push(&input);
    let deadline = Instant::now() + PATIENCE;
    let output = loop {
        let output = process::run(world, side, &argv, None, PATIENCE)?;
        // The port answers a little earlier than the service behind it.
        let refused = String::from_utf8_lossy(&output.stdout).contains("Connection to the server failed.");
        if !refused || Instant::now() >= deadline {
            break output;
        }
        thread::sleep(POLL);
    };
    // The script may hold a password.
    fs::remove_file(&script).map_err(|source| LabError::io(format!("remove {}", script.display()), source))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Its status does not tell of every failed line, its output does.
    if !output.status.success() || text.contains("Error occurred.") {
        return Err(LabError::CommandFailed { command: "vpncmd".into(), status: output.status, output: text });
    }
    Ok(text)
}

/// The last lines of a log file, or nothing.
pub(crate) fn tail(path: &Path) -> String {
    const LINES: usize = 20;
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
