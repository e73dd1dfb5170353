//! Made-up reports, whose truth is therefore known: a small one, and one in which nothing is absent.

#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::LazyLock;

use ab_bench::ab::schema::{
    AGAIN, BuildFacts, Calibration, ContestantFacts, Counter, Counts, Disturbance, Effort, Failure, Histogram, Host,
    Limit, Load, Metric, MicroRow, Observed, Phase, Primitive, Profile, ProfileKind, RejectedPair, RejectionRule,
    Report, Rig, RigFacts, Run, SCHEMA_VERSION, Setting, Way, Workload, derive,
};
use ab_bench::profile::Syscall;
use ab_bench::stats::Estimate;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A contestant's true CPU-seconds per GB and Gbit/s.
pub type Truth<'a> = (&'a str, f64, f64);

/// A run of bulk that took two seconds.
fn run(contestant: &str, phase: Phase, round: u32, way: Way, counts: Counts) -> Run {
    let seconds = 2.0;
    Run {
        rig: Rig::Real,
        setting: "default".into(),
        contestant: contestant.to_owned(),
        phase,
        round,
        workload: Workload::Bulk,
        way,
        started_s: f64::from(round),
        seconds,
        disturbance: Disturbance::default(),
        disturbed: false,
        metrics: derive(Workload::Bulk, seconds, &counts, None),
        counts,
        rtt: None,
    }
}

/// `rounds` rounds of runs with a noise of about `noise` (relative) on every figure.
pub fn report(truths: &[Truth<'_>], rounds: u32, noise: f64, seed: u64) -> Report {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut jitter = |value: f64| value * (1.0 + noise * (rng.random::<f64>() + rng.random::<f64>() - 1.0));
    let mut counts = |(_, cpu_s_per_gb, gbit_per_s): &Truth<'_>| {
        let gigabytes = jitter(*gbit_per_s) * 2.0 / 8.0;
        let client_cpu_s = jitter(*cpu_s_per_gb) * gigabytes;
        Counts::from([
            (Counter::Bytes, gigabytes * 1e9),
            (Counter::ClientCpuS, client_cpu_s),
            (Counter::MachineCpuS, client_cpu_s + jitter(4.0) * gigabytes),
        ])
    };
    let mut runs = Vec::new();
    for way in [Way::Up, Way::Down] {
        runs.extend(truths.iter().map(|truth| run(truth.0, Phase::WarmUp, 1, way, counts(truth))));
        for round in 1..=rounds {
            let same = (AGAIN, truths[0].1, truths[0].2);
            runs.extend([truths[0], same].map(|truth| run(truth.0, Phase::Aa, round, way, counts(&truth))));
            runs.extend(truths.iter().map(|truth| run(truth.0, Phase::Ab, round, way, counts(truth))));
        }
    }
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        started_unix_s: 1_700_000_000,
        duration_s: 90.0,
        complete: true,
        visits_done: 60,
        command: vec!["cutover-ab".into(), "--quick".into()],
        seed,
        effort: Effort { name: "own".into(), aa_rounds: rounds, rounds, seconds_per_run: 2.0 },
        host: Host { kernel: "6.18.0".into(), cpu: "A made-up processor".into(), cpus: 2, ..Host::default() },
        rigs: vec![RigFacts {
            rig: Rig::Real,
            far_end: "vendored".into(),
            version: String::new(),
            offloads: Vec::new(),
            mtu: 1500,
        }],
        settings: vec![Setting {
            id: "default".into(),
            connections: 1,
            half_duplex: false,
            encrypt: true,
            compress: false,
            udp_acceleration: false,
            mtu: 1500,
            streams: 1,
            payload_bytes: None,
        }],
        contestants: truths
            .iter()
            .map(|(name, ..)| ContestantFacts {
                name: (*name).to_owned(),
                what: String::new(),
                version: String::new(),
                swaps: None,
                build: None,
                observed: vec![Observed {
                    rig: Rig::Real,
                    setting: "default".into(),
                    cipher: "TLS_AES_256_GCM_SHA384".into(),
                    outer_congestion_control: "cubic".into(),
                    inner_congestion_control: "cubic".into(),
                }],
            })
            .collect(),
        baseline: truths[0].0.to_owned(),
        loads: vec![Load { rig: Rig::Real, setting: "default".into(), bits_per_s: 800_000_000 }],
        failures: Vec::new(),
        notes: Vec::new(),
        rejection_rule: RejectionRule { steal_share_max: 0.02, foreign_share_max: 0.05 },
        rejected_pairs: Vec::new(),
        noise_floor_max: None,
        runs,
        rows: Vec::new(),
        calibration: None,
        micro: Vec::new(),
        profiles: Vec::new(),
    };
    report.compare();
    report
}

pub fn failure() -> Failure {
    let (rig, setting) = (Rig::Real, "default".into());
    Failure { contestant: "official".into(), rig, setting, phase: Phase::WarmUp, round: 1, reason: "no route".into() }
}

/// A report in which nothing is absent: two rigs, eight contestants, latency, frames, counts, limits, profiles, swaps.
pub fn full() -> Report {
    static FULL: LazyLock<Report> = LazyLock::new(make_full);
    FULL.clone()
}

fn make_full() -> Report {
    const TRUTHS: [Truth<'_>; 7] = [
        ("c", 3.2, 1.25),
        ("c-dispatched", 3.22, 1.25),
        ("rust", 1.05, 1.9),
        ("adapter", 1.9, 1.7),
        ("framing", 3.05, 1.3),
        ("session", 3.25, 1.24),
        ("openvpn-tcp", 9.5, 0.45),
    ];
    let mut report = report(&TRUTHS, 8, 0.05, 42);
    let mut rng = StdRng::seed_from_u64(43);
    let mut more = Vec::new();
    for run in &mut report.runs {
        let cost = run.counts[&Counter::ClientCpuS];
        run.counts.extend([
            (Counter::ClientUserS, cost * 0.38),
            (Counter::ClientSystemS, cost * 0.62),
            (Counter::ServerCpuS, run.counts[&Counter::Bytes] * 2.9e-9),
            (Counter::Retransmits, f64::from(rng.random_range(0..3_u32))),
            (Counter::ContextSwitches, 9_000.0 * cost),
        ]);
        run.metrics = derive(Workload::Bulk, run.seconds, &run.counts, None);
        more.extend(beside(run, &mut rng));
    }
    report.runs.extend(more);
    let peer = report.runs.iter().filter(|run| run.workload == Workload::Bulk).cloned();
    let peer: Vec<Run> = peer.map(|run| Run { rig: Rig::Peer, ..run }).collect();
    report.runs.extend(peer);
    for name in ["c", "rust"] {
        let counts = Counts::from([
            (Counter::Frames, 1e5),
            (Counter::Syscalls, if name == "c" { 1.3e5 } else { 9e3 }),
            (Counter::Allocations, 0.0),
        ]);
        let counted = run(name, Phase::Counted, 1, Way::Up, counts.clone());
        let metrics = derive(Workload::Counted, 2.0, &counts, None);
        report.runs.push(Run { workload: Workload::Counted, metrics, ..counted });
    }
    describe(&mut report);
    report.noise_floor_max = Some(0.1);
    report.compare();
    report
}

/// What else a visit does beside bulk.
fn beside(bulk: &Run, rng: &mut StdRng) -> Vec<Run> {
    let who = &bulk.contestant[..];
    let typical_us = match who {
        "rust" => 60.0,
        "openvpn-tcp" => 260.0,
        _ => 95.0,
    };
    let mut probes = |workload, way, typical_us: f64| {
        let mut buckets = std::collections::BTreeMap::new();
        for _ in 0..400 {
            let stall = if rng.random_bool(0.02) { 12.0 } else { 1.0 };
            let us = typical_us * stall * (0.8 + rng.random::<f64>() + rng.random::<f64>().powi(6) * 4.0);
            // Two significant digits.
            let digits = 10_f64.powf(us.log10().floor() - 1.0);
            *buckets.entry(((us / digits).ceil() * digits * 1000.0).round() as u64).or_insert(0) += 1;
        }
        let rtt = Histogram { interval_us: 1000, buckets: buckets.into_iter().collect() };
        let metrics = derive(workload, 2.0, &Counts::new(), Some(&rtt));
        Run { workload, way, metrics, counts: Counts::new(), rtt: Some(rtt), ..bulk.clone() }
    };
    let mut runs = vec![probes(Workload::RttLoad, bulk.way, typical_us * 6.0)];
    if bulk.way == Way::Up {
        runs.push(probes(Workload::RttIdle, Way::None, typical_us));
        let counts =
            Counts::from([(Counter::ConnectS, 0.4 + rng.random::<f64>() * 0.1), (Counter::PeakMemoryBytes, 2.1e7)]);
        let metrics = derive(Workload::Connect, 1.0, &counts, None);
        runs.push(Run { workload: Workload::Connect, way: Way::None, metrics, counts, rtt: None, ..bulk.clone() });
    }
    let frames = 2e5 * 95.0 / typical_us * (0.95 + rng.random::<f64>() * 0.1);
    let counts = Counts::from([(Counter::FramesSent, frames), (Counter::Frames, frames), (Counter::FramesLost, 0.0)]);
    for workload in [Workload::Frames64, Workload::FramesFull] {
        let metrics = derive(workload, 2.0, &counts, None);
        runs.push(Run { workload, metrics, counts: counts.clone(), rtt: None, ..bulk.clone() });
    }
    runs
}

/// What stands beside the runs.
fn describe(report: &mut Report) {
    let host = &mut report.host;
    host.git_commit = "0123456789abcdef0123456789abcdef01234567-dirty".into();
    host.os = "A made-up system 12".into();
    host.cpu_flags = vec!["avx2".into(), "vaes".into()];
    host.memory_bytes = 24 << 30;
    host.iperf3 = "iperf 3.12".into();
    host.openssl = "OpenSSL 3.0.17".into();
    host.pinning = "none".into();
    report.command = ["cutover-ab", "--each", "--swaps", "adapter=*=c,adapter=rust"].map(str::to_owned).to_vec();
    let peer = RigFacts {
        rig: Rig::Peer,
        far_end: "cutover-peer".into(),
        version: "0.1.0".into(),
        offloads: vec!["tso".into()],
        mtu: 1500,
    };
    report.rigs.push(peer);
    report.failures.push(failure());
    report.settings[0].payload_bytes = Some(1400);
    for contestant in &mut report.contestants {
        contestant.what = format!("what {} is", contestant.name);
        contestant.version = "0.1.0".into();
        contestant.swaps = match &contestant.name[..] {
            "c-dispatched" => Some("*=c".into()),
            "rust" => Some("*=rust".into()),
            name @ ("adapter" | "framing" | "session") => Some(format!("*=c,{name}=rust")),
            _ => None,
        };
    }
    report.contestants[2].build =
        Some(BuildFacts { implementation: "rust".into(), sha256: "ab".repeat(32), flags: vec!["-O2".into()] });
    report.rejected_pairs.push(RejectedPair {
        rig: Rig::Real,
        setting: "default".into(),
        phase: Phase::Ab,
        round: 1,
        contestant: "rust".into(),
        workload: Workload::Bulk,
        way: Way::Up,
        reason: "c: 9 % stolen".into(),
    });
    report.calibration = Some(calibration());
    report.micro = ["new_block", "connection_send", "connection_receive", "endian16", "write_fifo"]
        .iter()
        .enumerate()
        .flat_map(|(index, bench)| {
            [("c", 1.0), ("rust", 0.5 + 0.15 * index as f64), ("dispatched", 1.04)].map(|side| micro(bench, side))
        })
        .collect();
    for way in [Way::Up, Way::Down] {
        for (contestant, folded) in [("c", FOLDED_C), ("rust", FOLDED_RUST)] {
            let profile = |kind, path: Option<&str>, inline: Option<&str>, syscalls| Profile {
                kind,
                contestant: contestant.into(),
                rig: Rig::Real,
                way,
                bytes: 1e9,
                path: path.map(str::to_owned),
                inline: inline.map(str::to_owned),
                syscalls,
            };
            let calls = vec![
                Syscall { name: "read".into(), calls: 730_000, errors: 1200, seconds: 1.4 },
                Syscall { name: "write".into(), calls: 65_000, errors: 0, seconds: 0.9 },
            ];
            report.profiles.push(profile(ProfileKind::Flamegraph, Some("flame.svg"), Some(folded), Vec::new()));
            report.profiles.push(profile(ProfileKind::Syscalls, None, None, calls));
        }
    }
}

fn calibration() -> Calibration {
    let steps = [
        ("tap_read_super", 0.05),
        ("checksum", 0.02),
        ("memcpy", 0.02),
        ("tcp_send", 0.13),
        ("aead_seal_16k_aws_lc", 0.12),
    ];
    let primitive = |(name, cost): &(&str, f64)| Primitive {
        name: (*name).into(),
        what: name.replace('_', " "),
        unit: "s/GB".into(),
        cost: Estimate { value: *cost, low: cost * 0.9, high: cost * 1.2 },
    };
    let parts: Vec<(String, f64)> = steps.iter().map(|(name, cost)| ((*name).to_owned(), *cost)).collect();
    let limit = |rig, way, metric, value, parts: &[(String, f64)]| Limit {
        rig,
        setting: "default".into(),
        metric,
        way,
        value,
        parts: parts.to_vec(),
    };
    let mut limits = Vec::new();
    for rig in [Rig::Real, Rig::Peer] {
        for way in [Way::Up, Way::Down] {
            limits.push(limit(rig, way, Metric::CpuSPerGb, 0.34, &parts));
            limits.push(limit(rig, way, Metric::GoodputGbitPerS, 23.5, &[]));
        }
    }
    Calibration {
        primitives: steps.iter().map(primitive).collect(),
        limits,
        missing: vec!["TAP write: no offload".into()],
    }
}

fn micro(bench: &str, (side, factor): (&str, f64)) -> MicroRow {
    let ns = 40.0 * factor;
    MicroRow {
        bench: bench.into(),
        swap: bench.into(),
        side: side.into(),
        ns: Estimate { value: ns, low: ns * 0.97, high: ns * 1.03 },
        instructions: Some(300.0 * factor),
        allocations: Some(2.0),
    }
}

const FOLDED_C: &str = "\
cutover;start_thread;SessionMain;VLanGetNextPacket;read;entry_SYSCALL_64_[k];ksys_read_[k];tun_do_read_[k] 260
cutover;start_thread;SessionMain;VLanGetNextPacket;Malloc;malloc 60
cutover;start_thread;SessionMain;ConnectionSend;WriteSendFifo;WriteFifo;memcpy 90
cutover;start_thread;SessionMain;ConnectionSend;SendAdd;SSL_write;aes_gcm_enc 280
cutover;start_thread;SessionMain;ConnectionSend;SendAdd;SSL_write;write;entry_SYSCALL_64_[k];tcp_sendmsg_[k];__tcp_transmit_skb_[k] 310
cutover;start_thread;SessionMain;NewBlock;Malloc 50
";
const FOLDED_RUST: &str = "\
cutover;start_thread;cedar::session::fused::turn::h0123456789abcdef;cedar::adapter::tap::read;entry_SYSCALL_64_[k];ksys_read_[k];tun_do_read_[k] 50
cutover;start_thread;cedar::session::fused::turn::h0123456789abcdef;mayaqua::tls::seal;aes_gcm_enc 110
cutover;start_thread;cedar::session::fused::turn::h0123456789abcdef;send;entry_SYSCALL_64_[k];tcp_sendmsg_[k];__tcp_transmit_skb_[k] 150
";
