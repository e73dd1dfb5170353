//! What a report must say about the machine, and how busy the machine is.

use std::fs;
use std::process::Command;

use super::schema::Host;

impl Host {
    /// Looks at this machine.
    pub(super) fn read() -> Self {
        let cpuinfo = text("/proc/cpuinfo");
        let field = |key: &str| {
            let mut lines = cpuinfo.lines();
            lines.find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':')).unwrap_or_default().trim()
        };
        let has = |flag: &str| field("flags").split(' ').any(|word| word == flag);
        let governor = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
        Self {
            kernel: first_line(&text("/proc/sys/kernel/osrelease")),
            cpu: field("model name").to_owned(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            cpu_flags: CPU_FLAGS.iter().filter(|flag| has(flag)).map(|flag| (*flag).to_owned()).collect(),
            hypervisor: if has("hypervisor") { "yes" } else { "none" }.to_owned(),
            memory_bytes: memory_bytes(&text("/proc/meminfo")).unwrap_or(0),
            governor: governor.map_or_else(|_| "none".into(), |text| first_line(&text)),
            mitigations: mitigations(),
            os: os_name(&text("/etc/os-release")),
            iperf3: output_of("iperf3", &["--version"]),
            openssl: output_of("openssl", &["version"]),
            git_commit: output_of("git", &["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]),
            pinning: "none".into(),
        }
    }
}

/// The flags that decide how fast ciphers and checksums are.
const CPU_FLAGS: [&str; 8] = ["aes", "pclmulqdq", "sse4_2", "avx2", "avx512f", "vaes", "vpclmulqdq", "sha_ni"];

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let kib: u64 = meminfo.lines().next()?.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

fn os_name(os_release: &str) -> String {
    let name = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or_default().trim_matches('"').to_owned()
}

fn mitigations() -> Vec<String> {
    let entries = fs::read_dir("/sys/devices/system/cpu/vulnerabilities").into_iter().flatten().flatten();
    let mut states: Vec<String> = entries
        .filter_map(|entry| {
            let state = first_line(&fs::read_to_string(entry.path()).ok()?);
            (state != "Not affected").then(|| format!("{}: {state}", entry.file_name().to_string_lossy()))
        })
        .collect();
    states.sort();
    states
}

/// The first line that a program prints; empty if it cannot be run or fails.
pub(super) fn output_of(program: &str, arguments: &[&str]) -> String {
    lines_of(program, arguments).into_iter().next().unwrap_or_default()
}

/// The lines that a program prints; none if it cannot be run or fails.
pub(super) fn lines_of(program: &str, arguments: &[&str]) -> Vec<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().to_owned()).collect()
        }
        _ => Vec::new(),
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
    fn facts_are_read_from_the_kernel_s_texts() {
        assert_eq!(memory_bytes("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16 * 1024));
        assert_eq!(memory_bytes("nonsense"), None);
        assert_eq!(os_name("ID=debian\nPRETTY_NAME=\"Debian 12\"\n"), "Debian 12");
    }

    #[test]
    fn a_missing_program_has_no_version() {
        assert_eq!(output_of("no-such-program", &[]), "");
        assert_eq!(output_of("false", &[]), "");
    }
}
