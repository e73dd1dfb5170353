//! Stacks by `perf record`, on the CPU clock, of the whole machine, filtered by process afterwards.
//!
//! Sampled per task, the clock's interrupts pile up where a task is switched in and show a false third of the time in
//! finish_task_switch; sampled per processor they do not. Stacks are unwound from the tables that every build has
//! (`--call-graph dwarf`), so neither side needs frame pointers that it would otherwise not have.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use super::{ProfileError, start};

/// Samples a second and processor; not a divisor of the kernel's tick.
const HERTZ: &str = "997";
/// Bytes of stack that each sample keeps: the C holds whole packets and names in its frames, and with 8 KiB half of its
/// stacks end before their first function.
const STACK: &str = "dwarf,32768";
/// How long perf may take to begin, and to write its last samples.
const PATIENCE: Duration = Duration::from_secs(20);

/// Samples the machine while `work` runs and returns, with `work`'s result, the stacks of process `pid` in folded form
/// (`frame;frame;frame count`, one a line). The recording lies in `dir` meanwhile.
pub fn sample<T>(pid: u32, dir: &Path, work: impl FnOnce() -> T) -> Result<(T, String), ProfileError> {
    let recording = dir.join(format!("perf-{pid}.data"));
    let mut control = Control::create(dir, pid)?;
    let mut command = Command::new("perf");
    command.args(["record", "--quiet", "--all-cpus", "--event", "cpu-clock", "--freq", HERTZ, "--call-graph", STACK]);
    // Perf takes its time to start: it begins to sample when told to, and says that it has begun.
    command.args(["--delay", "-1", "--control", &control.argument()]).arg("--output").arg(&recording);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut perf = start(&mut command, "perf", "linux-perf")?;
    if !control.begin(&mut perf)? {
        let _ = perf.kill();
        return Err(failure(perf.wait_with_output().map_err(|source| ProfileError::Io { what: "end perf", source })?));
    }
    let done = work();
    let recorded = end(perf).and_then(|()| fold(pid, &recording));
    // A recording is tens of megabytes and has served its purpose.
    let _ = std::fs::remove_file(&recording);
    Ok((done, recorded?))
}

/// The two named pipes on which perf is told to begin and answers that it has.
struct Control {
    paths: [PathBuf; 2],
    pipes: [File; 2],
}

impl Control {
    fn create(dir: &Path, pid: u32) -> Result<Self, ProfileError> {
        let io = |source| ProfileError::Io { what: "make the pipes that control perf", source };
        let paths = ["control", "answer"].map(|name| dir.join(format!("perf-{pid}.{name}")));
        let open = |path: &PathBuf| {
            let _ = std::fs::remove_file(path);
            mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
            // Open for both, so that opening waits for nobody.
            File::options().read(true).write(true).custom_flags(nix::libc::O_NONBLOCK).open(path)
        };
        let pipes = [open(&paths[0]).map_err(io)?, open(&paths[1]).map_err(io)?];
        Ok(Self { paths, pipes })
    }

    fn argument(&self) -> String {
        format!("fifo:{},{}", self.paths[0].display(), self.paths[1].display())
    }

    /// Whether perf samples now; if not, it has ended or does not answer.
    fn begin(&mut self, perf: &mut Child) -> Result<bool, ProfileError> {
        let io = |source| ProfileError::Io { what: "tell perf to begin", source };
        let [control, answer] = &mut self.pipes;
        control.write_all(b"enable\n").map_err(io)?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && perf.try_wait().map_err(io)?.is_none() {
            if answer.read(&mut [0; 16]).is_ok_and(|length| length > 0) {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(false)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.paths.iter().for_each(|path| drop(std::fs::remove_file(path)));
    }
}

/// Ends perf as Ctrl-C does, and waits until its file is complete.
fn end(mut perf: Child) -> Result<(), ProfileError> {
    let io = |source| ProfileError::Io { what: "end perf", source };
    // PIDs are below 2^22.
    let pid = Pid::from_raw(i32::try_from(perf.id()).unwrap_or(i32::MAX));
    kill(pid, Signal::SIGINT).map_err(|errno| io(errno.into()))?;
    let deadline = Instant::now() + PATIENCE;
    while perf.try_wait().map_err(io)?.is_none() {
        if Instant::now() >= deadline {
            perf.kill().map_err(io)?;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = perf.wait_with_output().map_err(io)?;
    let interrupted = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(Signal::SIGINT as i32);
    if output.status.success() || interrupted {
        return Ok(());
    }
    Err(failure(output))
}

fn failure(output: Output) -> ProfileError {
    ProfileError::Failed { program: "perf", reason: String::from_utf8_lossy(&output.stderr).trim().to_owned() }
}

fn fold(pid: u32, recording: &Path) -> Result<String, ProfileError> {
    let io = |source| ProfileError::Io { what: "read what perf recorded", source };
    let mut command = Command::new("perf");
    command.args([
        "script",
        "--no-inline",
        "--fields",
        "comm,pid,tid,time,event,ip,sym,dso",
        "--pid",
        &pid.to_string(),
    ]);
    command.arg("--input").arg(recording).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut script = start(&mut command, "perf", "linux-perf")?;
    let text = script.stdout.take().ok_or(ProfileError::Empty(pid))?;
    let mut options = Options::default();
    options.annotate_kernel = true;
    let mut folded = Vec::new();
    let collapsed = Folder::from(options).collapse(BufReader::new(text), &mut folded);
    script.wait().map_err(io)?;
    // The folder calls an empty recording an error; for us it is an answer.
    let folded = String::from_utf8_lossy(&folded).into_owned();
    match collapsed {
        _ if folded.trim().is_empty() => Err(ProfileError::Empty(pid)),
        Ok(()) => Ok(folded),
        Err(error) => Err(ProfileError::Failed { program: "perf script", reason: error.to_string() }),
    }
}
