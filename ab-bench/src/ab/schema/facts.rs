//! What must be known about the machine, the rigs, the settings and the contestants to repeat a measurement.

use serde::{Deserialize, Serialize};

/// How thorough a measurement is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effort {
    /// `quick`, `full` or `own`.
    pub name: String,
    /// Pairs of the baseline with itself, an even number.
    pub aa_rounds: u32,
    /// Rounds of all contestants, an even number.
    pub rounds: u32,
    /// Seconds of one run.
    pub seconds_per_run: f64,
}

/// The machine and the programs on it. Empty strings: could not be found out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// `/proc/sys/kernel/osrelease`.
    pub kernel: String,
    /// The processor's name.
    pub cpu: String,
    /// How many processors the kernel offers.
    pub cpus: usize,
    /// Those of its flags that matter for ciphers and checksums.
    pub cpu_flags: Vec<String>,
    /// The hypervisor as the processor reports it (`hypervisor` flag), or `none`.
    pub hypervisor: String,
    /// Main memory in bytes.
    pub memory_bytes: u64,
    /// The frequency governor, or `none`.
    pub governor: String,
    /// The mitigations that are on, one `name: state` each, those that are not affected left out.
    pub mitigations: Vec<String>,
    /// The distribution's name and version.
    pub os: String,
    /// First line of `iperf3 --version`.
    pub iperf3: String,
    /// Version of the OpenSSL that the C links.
    pub openssl: String,
    /// The commit of the checkout in the working directory, with `-dirty` if files are changed.
    pub git_commit: String,
    /// Which processors the client, the server and the traffic were pinned to; `none` if the kernel chose.
    pub pinning: String,
}

/// Against which far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rig {
    /// An unmodified SoftEther server with a TAP bridge (for a neighbour: its own server).
    Real,
    /// The lab's own peer, which speaks the server's side and is there to be faster than any client.
    Peer,
    /// No lab: a client in production, as its metrics tell.
    Production,
}

impl Rig {
    /// As in the JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Peer => "peer",
            Self::Production => "production",
        }
    }
}

/// A rig as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RigFacts {
    /// Which.
    pub rig: Rig,
    /// `vendored`, `debian` or `cutover-peer`.
    pub far_end: String,
    /// The far end's version.
    pub version: String,
    /// Offloads of the two ends of the veth that carries the outer TCP: the features that are on.
    pub offloads: Vec<String>,
    /// MTU of that veth in bytes.
    pub mtu: u32,
}

/// How sessions were set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// What runs call it: `default`, `connections=8`, …
    pub id: String,
    /// TCP connections of a session.
    pub connections: u8,
    /// Each connection carries one direction only.
    pub half_duplex: bool,
    /// TLS for the data.
    pub encrypt: bool,
    /// zlib on every frame.
    pub compress: bool,
    /// Frames over UDP.
    pub udp_acceleration: bool,
    /// MTU of the tunnel in bytes.
    pub mtu: u32,
    /// Inner TCP streams of a run.
    pub streams: u32,
    /// Bytes that the sender hands to inner TCP at once; absent: iperf3's 128 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_bytes: Option<u32>,
}

/// A contestant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContestantFacts {
    /// `c`, `c-dispatched`, `rust`, `official`, `openvpn-udp`, …
    pub name: String,
    /// What it is, for people: `untouched C`, `Rust build, every swap on C`, …
    pub what: String,
    /// What the program says about its version; empty if it says nothing.
    pub version: String,
    /// Its `CUTOVER_SWAPS`; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swaps: Option<String>,
    /// How it was built; absent if it was not built here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildFacts>,
    /// What was seen of its sessions, by rig and setting.
    pub observed: Vec<Observed>,
}

/// How a contestant was built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildFacts {
    /// `c` or `rust`: `-Dimpl`.
    pub implementation: String,
    /// SHA-256 of the executable.
    pub sha256: String,
    /// Compilers and flags as the executable tells them; empty: it tells none.
    pub flags: Vec<String>,
}

/// What really ran, as seen during the warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Where.
    pub rig: super::Rig,
    /// Which setting.
    pub setting: String,
    /// The cipher as the server saw it; empty if unknown.
    pub cipher: String,
    /// Congestion control of the session's TCP connections.
    pub outer_congestion_control: String,
    /// Congestion control of iperf3's TCP connection.
    pub inner_congestion_control: String,
}
