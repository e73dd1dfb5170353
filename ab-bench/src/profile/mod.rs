//! Where the CPU time of a client goes: stacks sampled while it carries traffic, and its system calls counted.
//!
//! Both disturb what they look at, so neither is ever taken in a run that is timed. `perf.rs` samples, `syscalls.rs`
//! counts, `run.rs` does both to clients in a lab, `flame.rs` makes trees of stacks; the pictures in the page are the report's.

mod flame;
mod perf;
mod run;
mod syscalls;

use std::io;

pub use flame::{Flame, by_work, flamegraph_svg, prune};
pub use perf::sample;
pub use run::{Profiles, Subject, Want, run};
pub use syscalls::{Syscall, count, parse_strace};

/// What a profile needs, or where it failed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A program is not installed.
    #[error("`{program}` is missing: install it with `apt install {package}`")]
    Missing {
        /// The program.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A program said no.
    #[error("`{program}` failed: {reason}")]
    Failed {
        /// The program.
        program: &'static str,
        /// Its last words.
        reason: String,
    },
    /// Nothing was seen of the process.
    #[error("no sample of process {0}: it used no CPU time meanwhile, or it ended")]
    Empty(u32),
    /// A file or a process could not be handled.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Starts a program whose absence is worth a hint.
fn start(
    command: &mut std::process::Command,
    program: &'static str,
    package: &'static str,
) -> Result<std::process::Child, ProfileError> {
    command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ProfileError::Missing { program, package },
        _ => ProfileError::Io { what: "start a profiler", source },
    })
}
