//! System calls by name, counted by strace, which makes each of them many times dearer: never in a timed run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::{ProfileError, start};

/// How long strace may take to attach or to detach.
const PATIENCE: Duration = Duration::from_secs(10);

/// One system call's line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Syscall {
    /// `read`, `writev`, …
    pub name: String,
    /// How often it was called.
    pub calls: u64,
    /// How often it failed (EAGAIN is a failure).
    pub errors: u64,
    /// Time that the kernel spent in it, in seconds; inflated by the tracing.
    pub seconds: f64,
}

/// Counts the system calls of process `pid` and its threads while `work` runs, most frequent first.
pub fn count<T>(pid: u32, dir: &Path, work: impl FnOnce() -> T) -> Result<(T, Vec<Syscall>), ProfileError> {
    let io = |source| ProfileError::Io { what: "trace system calls", source };
    let table = dir.join(format!("strace-{pid}.txt"));
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--summary-only", "--attach", &pid.to_string()]).arg("--output").arg(&table);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut strace = start(&mut command, "strace", "strace")?;
    if !is_traced(pid) {
        let _ = strace.kill();
        let _ = strace.wait();
        let reason = format!("it could not attach to process {pid} (another tracer? no CAP_SYS_PTRACE?)");
        return Err(ProfileError::Failed { program: "strace", reason });
    }
    let done = work();
    let own = Pid::from_raw(i32::try_from(strace.id()).unwrap_or(i32::MAX));
    kill(own, Signal::SIGINT).map_err(|errno| io(errno.into()))?;
    let deadline = Instant::now() + PATIENCE;
    while strace.try_wait().map_err(io)?.is_none() {
        if Instant::now() >= deadline {
            strace.kill().map_err(io)?;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let text = std::fs::read_to_string(&table).map_err(io)?;
    let _ = std::fs::remove_file(&table);
    let mut calls = parse_strace(&text);
    calls.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.name.cmp(&b.name)));
    if calls.is_empty() { Err(ProfileError::Empty(pid)) } else { Ok((done, calls)) }
}

/// Whether someone traces every thread of the process, or does so soon.
fn is_traced(pid: u32) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
        let untraced = threads.flatten().any(|thread| {
            std::fs::read_to_string(thread.path().join("status"))
                .is_ok_and(|status| status.lines().any(|line| line == "TracerPid:\t0"))
        });
        if !untraced {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// The table that `strace -c` prints: `% time, seconds, usecs/call, calls, errors (or nothing), syscall`.
#[must_use]
pub fn parse_strace(table: &str) -> Vec<Syscall> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (share, seconds, calls, errors, name) = match fields[..] {
            [share, seconds, _, calls, name] => (share, seconds, calls, "0", name),
            [share, seconds, _, calls, errors, name] => (share, seconds, calls, errors, name),
            _ => return None,
        };
        share.parse::<f64>().ok().filter(|_| name != "total")?;
        Some(Syscall {
            name: name.to_owned(),
            calls: calls.parse().ok()?,
            errors: errors.parse().ok()?,
            seconds: seconds.parse().ok()?,
        })
    };
    table.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_strace_is_read() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n \
                     61.02    0.051206           3     15012       201 read\n \
                     38.98    0.032711          12      2701           writev\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.083917           4     17713       201 total\n";
        let expected = [
            Syscall { name: "read".into(), calls: 15_012, errors: 201, seconds: 0.051_206 },
            Syscall { name: "writev".into(), calls: 2701, errors: 0, seconds: 0.032_711 },
        ];
        assert_eq!(parse_strace(table), expected);
        assert_eq!(parse_strace("strace: attach: ptrace(PTRACE_SEIZE, 7): Operation not permitted\n"), []);
    }
}
