//! The report before the first run: what is known about the machine, the far ends and the contestants.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Contestant;
use super::arena::Options;
use super::host;
use super::schema::{BuildFacts, ContestantFacts, Host, RejectionRule, Report, Rig, RigFacts, SCHEMA_VERSION};
use crate::lab::{ClientKind, Lab, ServerKind, Side};

/// Fixed before anything is measured. A steal of 2 % of the machine is 4 % of one of two processors.
const REJECTION_RULE: RejectionRule = RejectionRule { steal_share_max: 0.02, foreign_share_max: 0.05 };
/// The offloads of a veth that change what crosses it.
const OFFLOADS: [&str; 4] =
    ["tcp-segmentation-offload", "generic-segmentation-offload", "generic-receive-offload", "tx-checksumming"];

impl ServerKind {
    /// Which rig it makes.
    #[must_use]
    pub fn rig(self) -> Rig {
        match self {
            Self::Vendored | Self::Debian => Rig::Real,
            Self::Peer => Rig::Peer,
        }
    }

    /// As in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vendored => "vendored",
            Self::Debian => "debian",
            Self::Peer => "cutover-peer",
        }
    }
}

pub(super) fn new_report(options: &Options) -> Report {
    Report {
        schema_version: SCHEMA_VERSION,
        started_unix_s: std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs()),
        duration_s: 0.0,
        complete: false,
        visits_done: 0,
        command: options.command.clone(),
        seed: options.seed,
        effort: options.effort.clone(),
        host: Host::read(),
        rigs: Vec::new(),
        settings: options.settings.clone(),
        contestants: options.contestants.iter().map(contestant).collect(),
        baseline: String::new(),
        loads: Vec::new(),
        failures: Vec::new(),
        notes: Vec::new(),
        rejection_rule: REJECTION_RULE,
        rejected_pairs: Vec::new(),
        noise_floor_max: None,
        runs: Vec::new(),
        rows: Vec::new(),
        calibration: None,
        micro: Vec::new(),
        profiles: Vec::new(),
    }
}

/// What is known about a contestant before it runs.
#[must_use]
pub fn contestant(contestant: &Contestant) -> ContestantFacts {
    let (version, build) = match &contestant.kind {
        ClientKind::Cutover(program) => {
            let lines = host::lines_of(&program.to_string_lossy(), &["version"]);
            let version = lines.first().cloned().unwrap_or_default();
            let implementation = version.split(", ").find_map(|part| part.strip_prefix("impl ")).unwrap_or_default();
            let flags = lines.iter().skip(1).cloned().collect();
            let build = BuildFacts { implementation: implementation.to_owned(), sha256: sha256(program), flags };
            (version, Some(build))
        }
        ClientKind::Official => {
            (host::output_of("dpkg-query", &["--show", "softether-vpnclient"]).replace('\t', " "), None)
        }
        ClientKind::Neighbour(neighbour) => (neighbour.version(), None),
    };
    ContestantFacts {
        name: contestant.name.clone(),
        what: contestant.what.clone(),
        version,
        swaps: contestant.swaps.clone(),
        build,
        observed: Vec::new(),
    }
}

fn sha256(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Notes the rig that has come up, once.
pub(super) fn note_rig(report: &mut Report, lab: &Lab) {
    let kind = lab.server().kind();
    if report.rigs.iter().any(|rig| rig.rig == kind.rig()) {
        return;
    }
    let version = match kind {
        ServerKind::Debian => host::output_of("dpkg-query", &["--show", "softether-vpnserver"]).replace('\t', " "),
        ServerKind::Vendored => "SoftEther VPN Server 5.01.9674, built from the vendored C".to_owned(),
        ServerKind::Peer => format!("cutover-peer {}", env!("CARGO_PKG_VERSION")),
    };
    let features = lab.run(Side::Client, &["ethtool", "--show-features", "vc0"], Duration::from_secs(5));
    let features = features.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let is_on = |name: &&str| features.lines().any(|line| line.trim().starts_with(&format!("{name}: on")));
    let offloads = OFFLOADS.iter().copied().filter(is_on).map(str::to_owned).collect();
    report.rigs.push(RigFacts { rig: kind.rig(), far_end: kind.name().into(), version, offloads, mtu: 1500 });
}
