//! What /proc tells about processes: context switches, memory, and who else used the machine.

use std::collections::HashMap;
use std::fs;
use std::io;

use nix::unistd::Pid;

/// How often a process's threads gave up or lost their processor so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Switches {
    /// By waiting for something; each is followed by a wake-up.
    pub voluntary: u64,
    /// Because their time was up.
    pub forced: u64,
}

impl Switches {
    /// Of all threads that the process has now.
    pub(super) fn of(process: Pid) -> io::Result<Self> {
        let mut sum = Self::default();
        for thread in fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
            // A thread may end meanwhile.
            let Ok(status) = fs::read_to_string(thread.path().join("status")) else { continue };
            sum.voluntary += number(&status, "voluntary_ctxt_switches:").unwrap_or(0);
            sum.forced += number(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        }
        Ok(sum)
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            voluntary: self.voluntary.saturating_sub(before.voluntary),
            forced: self.forced.saturating_sub(before.forced),
        }
    }
}

/// The largest resident set of a process so far, in bytes.
pub(super) fn peak_memory(process: Pid) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kib = number(&status, "VmHWM:").ok_or_else(|| io::Error::other("/proc/PID/status has no VmHWM"))?;
    Ok(kib.saturating_mul(1024))
}

fn number(status: &str, key: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok())
}

/// CPU time of the programs outside the measurement: all but us, the lab's and the kernel's own threads.
#[derive(Debug, Clone, Default)]
pub(super) struct Foreign {
    // Ticks by PID.
    used: HashMap<u32, u64>,
}

/// A tick of /proc/PID/stat.
const TICK_S: f64 = 0.01;
/// The flag in /proc/PID/stat that marks the kernel's threads.
const PF_KTHREAD: u64 = 0x0020_0000;

impl Foreign {
    /// What they have used so far.
    pub(super) fn read() -> Self {
        let me = std::process::id();
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        // The lab's processes have a PID namespace of their own.
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let ours = namespace("self");
        let used = pids.filter(|pid| *pid != me).filter_map(|pid| {
            let stat = Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
            let is_foreign = !stat.is_kernel && namespace(&pid.to_string()) == ours;
            is_foreign.then_some((pid, stat.ticks))
        });
        Self { used: used.collect() }
    }

    /// Seconds used since `before` by those that still run; one that is new counts whole.
    pub(super) fn seconds_since(&self, before: &Self) -> f64 {
        let ticks = self.used.iter().map(|(pid, used)| used.saturating_sub(before.used.get(pid).copied().unwrap_or(0)));
        ticks.sum::<u64>() as f64 * TICK_S
    }
}

struct Stat {
    is_kernel: bool,
    ticks: u64,
}

impl Stat {
    /// Fields 9 (flags), 14 and 15 (utime, stime); the command name before them may hold anything.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let field = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self { is_kernel: field(6)? & PF_KTHREAD != 0, ticks: field(11)? + field(12)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_texts_are_read() {
        let stat = Stat::parse("7 (a) b) c) S 1 7 7 0 -1 2097152 10 0 0 0 123 45 0 0 20 0 1 0 99").unwrap();
        assert_eq!((stat.is_kernel, stat.ticks), (true, 168));
        assert!(Stat::parse("7 (a) S 1").is_none());
        assert_eq!(number("VmPeak:\t 9 kB\nVmHWM:\t   12 kB\n", "VmHWM:"), Some(12));
    }

    #[test]
    fn this_process_has_memory_and_switches() {
        let me = nix::unistd::getpid();
        assert!(peak_memory(me).unwrap() > 1 << 20);
        let before = Switches::of(me).unwrap();
        (0..20).for_each(|_| std::thread::sleep(std::time::Duration::from_millis(1)));
        assert!(Switches::of(me).unwrap().since(before).voluntary >= 20);
    }

    /// A busy child is foreign, we are not.
    #[test]
    fn foreign_load_is_seen() {
        let before = Foreign::read();
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(700));
        let used = Foreign::read().seconds_since(&before);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(used > 0.1, "{used}");
    }
}
