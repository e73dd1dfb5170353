//! What can go wrong with a lab. Every message says what was tried, on what, and where it can, what to do.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// An error of the lab.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The caller lacks the rights to make namespaces.
    #[error("the lab makes network namespaces and needs root: run the same command with sudo")]
    NotRoot,
    /// There is no TUN/TAP device.
    #[error(
        "cannot open /dev/net/tun ({0}): load it with `modprobe tun`; \
         in a container start it with `--device /dev/net/tun --cap-add NET_ADMIN`"
    )]
    NoTun(io::Error),
    /// A program or file is not there.
    #[error("{what} not found: {hint}")]
    Missing {
        /// What is missing.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// A system call or file operation failed.
    #[error("could not {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A command in the lab failed.
    #[error("`{command}` failed in the lab ({status}):\n{output}")]
    CommandFailed {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed, both streams.
        output: String,
    },
    /// Inner TCP was to go by UDP acceleration, and did not.
    #[error(
        "not all went by UDP acceleration, or in fragments: {segments} full segments of inner TCP, {datagrams} UDP datagrams, \
         {fragments} fragments"
    )]
    NotByUdp {
        /// Bytes carried, as segments of 1448.
        segments: u64,
        /// UDP datagrams that came meanwhile where the bytes came out.
        datagrams: u64,
        /// Fragments of IP packets that came there.
        fragments: u64,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {after:?}{detail}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// The limit.
        after: Duration,
        /// What was seen instead (may be empty).
        detail: String,
    },
    /// The client ended before the tunnel was up.
    #[error("the client ended before the tunnel was up ({status}):\n{log}")]
    ClientEnded {
        /// How it ended: its exit code tells why.
        status: ExitStatus,
        /// The end of what it printed.
        log: String,
    },
    /// The server ended on its own.
    #[error("the server ended ({status}):\n{log}")]
    ServerEnded {
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed.
        log: String,
    },
}

impl LabError {
    /// An I/O error with what was tried.
    pub(crate) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), source: source.into() }
    }
}
