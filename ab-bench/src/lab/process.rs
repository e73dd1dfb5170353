//! Processes in the lab: started by the lab thread, waited for with a limit, killed when their handle goes.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::world::World;
use super::{LabError, Side};

const POLL: Duration = Duration::from_millis(5);

/// A running process of the lab, at the head of its own process group. Dropping the handle kills the group.
#[derive(Debug)]
pub struct LabProcess {
    child: Child,
    name: String,
    own_group: bool,
    // The world must not end before its processes are reaped.
    world: Arc<World>,
}

impl LabProcess {
    pub(crate) fn spawn(world: &Arc<World>, side: Side, command: Command) -> Result<Self, LabError> {
        Self::spawn_in(world, side, command, false)
    }

    /// As `spawn`, but in our own process group: for what talks to the terminal.
    pub(crate) fn spawn_foreground(world: &Arc<World>, side: Side, command: Command) -> Result<Self, LabError> {
        Self::spawn_in(world, side, command, true)
    }

    fn spawn_in(world: &Arc<World>, side: Side, command: Command, foreground: bool) -> Result<Self, LabError> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = world.spawn(side, command, foreground).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => LabError::Missing { what: format!("`{name}`"), hint: install_hint(&name) },
            _ => LabError::io(format!("start `{name}` in the lab"), source),
        })?;
        Ok(Self { child, name, own_group: !foreground, world: Arc::clone(world) })
    }

    /// The PID as the host sees it (also when this process itself counts differently inside the lab).
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) -> Result<(), LabError> {
        kill(self.pid(), signal).map_err(|errno| LabError::io(format!("send {signal} to `{}`", self.name), errno))
    }

    /// Sends a signal to the process and those that it has started.
    pub(crate) fn signal_group(&self, signal: Signal) -> Result<(), LabError> {
        killpg(self.pid(), signal).map_err(|errno| LabError::io(format!("send {signal} to `{}`", self.name), errno))
    }

    /// How it ended, or `None` while it runs.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, LabError> {
        self.child.try_wait().map_err(|source| LabError::io(format!("wait for `{}`", self.name), source))
    }

    /// Waits for its end, however long that takes.
    pub fn wait(&mut self) -> Result<ExitStatus, LabError> {
        self.child.wait().map_err(|source| LabError::io(format!("wait for `{}`", self.name), source))
    }

    /// Waits for its end; `None` if it still runs after `timeout`.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>, LabError> {
        let deadline = Instant::now() + timeout;
        loop {
            let status = self.try_wait()?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
    }

    /// Kills its process group (SIGKILL) and reaps it.
    pub fn kill(&mut self) -> Result<ExitStatus, LabError> {
        if self.own_group {
            // Fails when the whole group has ended already, which is what was wanted.
            let _ = killpg(self.pid(), Signal::SIGKILL);
        } else {
            let _ = self.child.kill();
        }
        self.wait()
    }

    /// The world that it lives in.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// Its standard output, once, if the command asked for a pipe.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard error, once, if the command asked for a pipe.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// The process that does the work: SoftEther's services fork once and only watch over their child.
    pub(crate) fn worker(&self) -> Pid {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let only_child = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        only_child.map_or_else(|| self.pid(), Pid::from_raw)
    }

    pub(crate) fn pid(&self) -> Pid {
        // PIDs are below 2^22.
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }
}

impl Drop for LabProcess {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.kill();
        }
    }
}

/// Runs a command to its end with `input` on its standard input; kills it after `timeout`.
///
/// The output goes to files in memory, not to pipes: a background process that the command leaves behind cannot
/// hold us up by holding a pipe open.
pub(crate) fn run<A: AsRef<OsStr>>(
    world: &Arc<World>,
    side: Side,
    argv: &[A],
    input: Option<&str>,
    timeout: Duration,
) -> Result<Output, LabError> {
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| LabError::Missing { what: "a command".into(), hint: "name one after `--`".into() })?;
    let in_memory = |source| LabError::io("keep a command's output in memory", source);
    let mut streams = [memory_file("").map_err(in_memory)?, memory_file("").map_err(in_memory)?];
    let mut command = Command::new(program);
    command.args(arguments);
    command.stdout(streams[0].try_clone().map_err(in_memory)?);
    command.stderr(streams[1].try_clone().map_err(in_memory)?);
    command.stdin(match input {
        Some(text) => Stdio::from(memory_file(text).map_err(in_memory)?),
        None => Stdio::null(),
    });

    let mut process = LabProcess::spawn(world, side, command)?;
    let ended = process.wait_timeout(timeout)?;
    let status = match ended {
        Some(status) => status,
        None => process.kill()?,
    };
    let [stdout, stderr] = streams.each_mut().map(read_whole);
    let output = Output { status, stdout: stdout.map_err(in_memory)?, stderr: stderr.map_err(in_memory)? };
    match ended {
        Some(_) => Ok(output),
        None => Err(LabError::TimedOut {
            what: format!("the end of `{}`", command_line(argv)),
            after: timeout,
            detail: format!("; it printed:\n{}", both_streams(&output)),
        }),
    }
}

/// As [`run`]; a status other than success is an error.
pub(crate) fn run_ok<A: AsRef<OsStr>>(
    world: &Arc<World>,
    side: Side,
    argv: &[A],
    input: Option<&str>,
    timeout: Duration,
) -> Result<Output, LabError> {
    let output = run(world, side, argv, input, timeout)?;
    if output.status.success() {
        return Ok(output);
    }
    Err(LabError::CommandFailed { command: command_line(argv), status: output.status, output: both_streams(&output) })
}

fn memory_file(text: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"cutover-lab", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

fn read_whole(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn command_line<A: AsRef<OsStr>>(argv: &[A]) -> String {
    argv.iter().map(|word| word.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn both_streams(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    text.join("\n").trim().to_owned()
}

/// Which Debian package brings a program that the lab uses.
fn install_hint(program: &str) -> String {
    let package = match program {
        "ip" | "ss" => "iproute2",
        "ping" => "iputils-ping",
        other => other,
    };
    format!("install it with `apt install {package}`")
}
