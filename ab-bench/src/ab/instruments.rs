//! Counting what a client does inside: system calls and heap allocations, by the kernel's own counters.
//!
//! Both come from `perf_event_open`: the tracepoint raw_syscalls:sys_enter, and a uprobe on each function of the C
//! library that allocates. They are the same for every contestant, whatever language it is written in, and they slow it
//! down, so nothing is timed meanwhile.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Pid;
use object::{Object, ObjectSymbol};
use perf_event::events::{Software, Tracepoint};
use perf_event::{Builder, Counter};

use crate::lab::{Lab, LabError, Side};

/// What allocates in a C library. `operator new`, Rust's `alloc` and Zig's C allocator end in one of them.
const ALLOCATORS: [&str; 6] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"];

/// The instruments, found once per lab.
#[derive(Debug)]
pub(super) struct Instruments {
    sys_enter: u64,
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub syscalls: u64,
    pub allocations: u64,
}

impl Instruments {
    /// Looks the tracepoint up. The lab mounts tracefs for itself, because a host may not have done so.
    pub(super) fn find(lab: &Lab) -> Result<Self, LabError> {
        let script = "mkdir -p \"$0\" && mount -t tracefs tracefs \"$0\" && cat \"$0/events/raw_syscalls/sys_enter/id\"; umount \"$0\"";
        let dir = lab.dir().join("tracefs");
        let argv = ["sh", "-c", script, &dir.to_string_lossy()];
        let output = lab.run(Side::Client, &argv, Duration::from_secs(10))?;
        let id = String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|_| LabError::Missing {
            what: "the tracepoint raw_syscalls:sys_enter".into(),
            hint: "system calls and allocations are not counted; the kernel needs CONFIG_FTRACE_SYSCALLS".into(),
        })?;
        Ok(Self { sys_enter: id })
    }

    /// Counts what a process does while `work` runs, all of its threads, those that it starts meanwhile too.
    pub(super) fn count<T>(
        &self,
        process: Pid,
        work: impl FnOnce() -> Result<T, LabError>,
    ) -> Result<(T, Counted), LabError> {
        let failed = |source| LabError::Io { what: format!("count what process {process} does"), source };
        let mut syscalls = Vec::new();
        let mut allocations = Vec::new();
        let probes = allocator_probes(process).map_err(failed)?;
        for thread in threads(process).map_err(failed)? {
            syscalls.push(of_thread(Builder::new(Tracepoint::with_id(self.sys_enter)), thread).map_err(failed)?);
            for probe in &probes {
                allocations.push(of_thread(probe.builder(), thread).map_err(failed)?);
            }
        }
        let set = |counters: &mut [Counter], on: bool| {
            counters.iter_mut().try_for_each(|counter| if on { counter.enable() } else { counter.disable() })
        };
        set(&mut syscalls, true).and_then(|()| set(&mut allocations, true)).map_err(failed)?;
        let result = work()?;
        set(&mut syscalls, false).and_then(|()| set(&mut allocations, false)).map_err(failed)?;
        let sum = |counters: &mut [Counter]| counters.iter_mut().map(Counter::read).sum::<io::Result<u64>>();
        let counted = Counted {
            syscalls: sum(&mut syscalls).map_err(failed)?,
            allocations: sum(&mut allocations).map_err(failed)?,
        };
        Ok((result, counted))
    }
}

fn of_thread(mut builder: Builder<'_>, thread: i32) -> io::Result<Counter> {
    builder.observe_pid(thread).any_cpu().inherit(true).include_kernel().build()
}

/// A place in a file where a probe is set.
struct Probe {
    file: CString,
    offset: u64,
    /// The kernel's number for probes in user space.
    kind: u32,
}

impl Probe {
    fn new(file: &Path, offset: u64) -> io::Result<Self> {
        let kind = fs::read_to_string("/sys/bus/event_source/devices/uprobe/type")?;
        let kind = kind.trim().parse().map_err(io::Error::other)?;
        Ok(Self { file: CString::new(file.as_os_str().as_bytes())?, offset, kind })
    }

    /// The crate has no event for a uprobe, so the attributes of an empty one are filled in (perf_event_open(2): config1 is
    /// the path, config2 the offset). The builder must not outlive `self`, which owns the path.
    fn builder(&self) -> Builder<'_> {
        let mut builder = Builder::new(Software::DUMMY);
        let attributes = builder.attrs_mut();
        attributes.type_ = self.kind;
        attributes.config = 0;
        attributes.uprobe_path = self.file.as_ptr() as u64;
        attributes.probe_offset = self.offset;
        builder
    }
}

fn threads(process: Pid) -> io::Result<Vec<i32>> {
    let entries = fs::read_dir(format!("/proc/{process}/task"))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// A probe on each allocator of the C library that the process has mapped.
fn allocator_probes(process: Pid) -> io::Result<Vec<Probe>> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let library = c_library(&maps).ok_or_else(|| io::Error::other("it maps no C library"))?;
    let bytes = fs::read(&library)?;
    let offsets = function_offsets(&bytes, &ALLOCATORS).map_err(io::Error::other)?;
    offsets.into_iter().map(|offset| Probe::new(&library, offset)).collect()
}

fn c_library(maps: &str) -> Option<PathBuf> {
    maps.lines().find_map(|line| {
        let path = Path::new(line.split_whitespace().nth(5)?);
        let name = path.file_name()?.to_str()?;
        (name.starts_with("libc.so") || name.starts_with("libc-") || name.starts_with("ld-musl"))
            .then(|| path.to_owned())
    })
}

/// Where in the file the named functions begin, each place once.
fn function_offsets(library: &[u8], names: &[&str]) -> Result<Vec<u64>, object::Error> {
    use object::{ObjectSegment, SymbolKind};
    let file = object::File::parse(library)?;
    let to_offset = |address: u64| {
        file.segments().find_map(|segment| {
            let within = address.checked_sub(segment.address()).filter(|within| *within < segment.size())?;
            Some(segment.file_range().0 + within)
        })
    };
    let mut offsets: Vec<u64> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
        .filter(|symbol| symbol.name().is_ok_and(|name| names.contains(&name)))
        .filter_map(|symbol| to_offset(symbol.address()))
        .collect();
    offsets.sort_unstable();
    offsets.dedup();
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn this_process_s_c_library_has_the_allocators() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let library = c_library(&maps).unwrap();
        let offsets = function_offsets(&fs::read(library).unwrap(), &ALLOCATORS).unwrap();
        // memalign may be another name of aligned_alloc.
        assert!((5..=6).contains(&offsets.len()), "{offsets:?}");
        assert!(function_offsets(&[], &ALLOCATORS).is_err());
    }

    /// Needs root. `cat` reads and writes once for each byte that it is handed one at a time.
    #[test]
    fn system_calls_of_a_known_program_are_counted() {
        assert!(nix::unistd::geteuid().is_root(), "this test needs root: run it with sudo");
        let script = "mount -t tracefs tracefs /mnt && cat /mnt/events/raw_syscalls/sys_enter/id";
        let output = Command::new("unshare").args(["--mount", "sh", "-c", script]).output().unwrap();
        let sys_enter = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut bounce = |times: u64| {
            for _ in 0..times {
                to.write_all(b"x").unwrap();
                from.read_exact(&mut [0]).unwrap();
            }
        };
        // So that it is past its start.
        bounce(1);
        let process = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let ((), counted) = Instruments { sys_enter }
            .count(process, || {
                bounce(100);
                Ok(())
            })
            .unwrap();
        assert!((199..=201).contains(&counted.syscalls), "{counted:?}");
        assert_eq!(counted.allocations, 0);
        drop(to);
        child.wait().unwrap();
    }
}
