//! What a report must say about the machine, and how busy the machine is.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// The machine and the programs on it. Empty strings: could not be found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// `/proc/sys/kernel/osrelease`.
    pub kernel: String,
    /// The processor's name.
    pub cpu: String,
    /// How many processors the kernel offers.
    pub cpus: usize,
    /// The frequency governor, or `none`.
    pub governor: String,
    /// First line of `iperf3 --version`.
    pub iperf3: String,
    /// The commit of the checkout in the working directory, with `-dirty` if files are changed.
    pub git_commit: String,
}

impl Host {
    pub(super) fn read() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let governor = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
        Self {
            kernel: first_line(&fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default()),
            cpu: model.map(|(_, name)| name.to_owned()).unwrap_or_default(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            governor: governor.map_or_else(|_| "none".into(), |text| first_line(&text)),
            iperf3: output_of("iperf3", &["--version"]),
            git_commit: output_of("git", &["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]),
        }
    }
}

/// The first line that a program prints; empty if it cannot be run or fails.
pub(super) fn output_of(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => first_line(&String::from_utf8_lossy(&output.stdout)),
        _ => String::new(),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// CPU time of the whole machine since its start, in seconds over all processors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MachineCpu {
    /// Everything but idling, waiting for I/O and stolen time.
    pub busy_s: f64,
    /// What the hypervisor gave to others.
    pub steal_s: f64,
}

impl MachineCpu {
    pub(super) fn read() -> std::io::Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        Self::parse(&stat).ok_or_else(|| std::io::Error::other("/proc/stat is not as expected"))
    }

    /// The first line: user nice system idle iowait irq softirq steal guest guest_nice, in ticks of 10 ms.
    /// Guests are contained in user and nice.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<f64> = stat
            .lines()
            .next()?
            .strip_prefix("cpu ")?
            .split_whitespace()
            .map_while(|field| field.parse().ok())
            .collect();
        let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = fields[..] else {
            return None;
        };
        Some(Self { busy_s: (user + nice + system + irq + softirq) / 100.0, steal_s: steal / 100.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_s_time_is_summed() {
        let stat = "cpu  100 10 200 5000 7 30 60 40 100 10\ncpu0 1 2 3\n";
        assert_eq!(MachineCpu::parse(stat), Some(MachineCpu { busy_s: 4.0, steal_s: 0.4 }));
        assert_eq!(MachineCpu::parse("cpu 1 2 3"), None);
        assert_eq!(MachineCpu::parse(""), None);
    }

    #[test]
    fn a_missing_program_has_no_version() {
        assert_eq!(output_of("no-such-program", &[]), "");
        assert_eq!(output_of("false", &[]), "");
    }
}
