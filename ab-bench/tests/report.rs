//! The report computed from made-up runs, whose differences are therefore known. Needs no root.

use std::fs;
use std::path::Path;

use ab_bench::ab::schema::{
    AGAIN, BuildFacts, Calibration, ContestantFacts, Counter, Counts, Disturbance, Effort, Failure, Histogram, Host,
    Limit, Metric, MicroRow, Observed, Phase, Primitive, Profile, ProfileKind, RejectedPair, RejectionRule, Report,
    Rig, RigFacts, Run, SCHEMA_VERSION, Setting, Way, Workload, derive,
};
use ab_bench::ab::{self, Row, Verdict};
use ab_bench::stats::Estimate;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A contestant's true CPU-seconds per GB and Gbit/s.
type Truth<'a> = (&'a str, f64, f64);

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
fn report(truths: &[Truth<'_>], rounds: u32, noise: f64, seed: u64) -> Report {
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
        failures: Vec::new(),
        rejection_rule: RejectionRule { steal_share_max: 0.02, foreign_share_max: 0.05 },
        rejected_pairs: Vec::new(),
        runs,
        rows: Vec::new(),
        calibration: None,
        micro: Vec::new(),
        profiles: Vec::new(),
    };
    report.compare();
    report
}

/// The metrics that the made-up counts make.
const METRICS: [Metric; 3] = [Metric::CpuSPerGb, Metric::GoodputGbitPerS, Metric::MachineCpuSPerGb];

/// Changes the counts of some runs and computes everything anew.
fn change(report: &mut Report, which: impl Fn(&Run) -> bool, counter: Counter, factor: f64) {
    for run in report.runs.iter_mut().filter(|run| which(run)) {
        *run.counts.get_mut(&counter).unwrap() *= factor;
        run.metrics = derive(run.workload, run.seconds, &run.counts, None);
    }
    report.compare();
}

fn row<'a>(report: &'a Report, metric: Metric, way: Way, contestant: &str) -> &'a Row {
    let mut rows = report.rows.iter();
    rows.find(|row| row.metric == metric && row.way == way && row.contestant == contestant).unwrap()
}

#[test]
fn a_planted_five_per_cent_is_found_and_its_sign_is_right() {
    let report = report(&[("c", 2.0, 2.0), ("rust", 2.1, 1.9)], 16, 0.03, 1);
    for way in [Way::Up, Way::Down] {
        let cpu = row(&report, Metric::CpuSPerGb, way, "rust");
        assert_eq!(cpu.verdict, Verdict::Worse, "{cpu:?}");
        assert!((cpu.ratio.unwrap().value - 1.05).abs() < 0.02 && cpu.wilcoxon_p.unwrap() < 0.05, "{cpu:?}");
        let goodput = row(&report, Metric::GoodputGbitPerS, way, "rust");
        assert_eq!(goodput.verdict, Verdict::Worse, "{goodput:?}");
    }
}

#[test]
fn less_cpu_and_more_goodput_are_better() {
    let report = report(&[("c", 2.0, 2.0), ("rust", 0.8, 2.6)], 6, 0.05, 2);
    for metric in METRICS {
        assert_eq!(row(&report, metric, Way::Up, "rust").verdict, Verdict::Better);
    }
    let sentences = ab::sentences(&report).join("\n");
    assert!(sentences.contains("rust needs 0.4"), "{sentences}");
}

/// Equal contestants must come out equal, but for the one in twenty that a 95 % interval allows.
#[test]
fn equals_are_not_told_apart() {
    let differences = (0..12)
        .flat_map(|seed| report(&[("c", 2.0, 2.0), ("rust", 2.0, 2.0)], 12, 0.06, seed).rows)
        .filter(|row| matches!(row.verdict, Verdict::Better | Verdict::Worse))
        .count();
    assert!(differences <= 6, "{differences} of 72 comparisons of equals found a difference");
}

#[test]
fn a_difference_that_the_baseline_shows_against_itself_is_void() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 2.1, 2.0)], 8, 0.02, 3);
    change(&mut report, |run| run.contestant == AGAIN, Counter::ClientCpuS, 1.2);
    assert_eq!(row(&report, Metric::CpuSPerGb, Way::Up, AGAIN).verdict, Verdict::Void);
    assert_eq!(row(&report, Metric::CpuSPerGb, Way::Up, "rust").verdict, Verdict::Void);
    assert!(ab::sentences(&report).iter().any(|sentence| sentence.contains("misses 1.00")));
}

#[test]
fn the_warm_up_is_not_compared_and_gaps_are_left_out() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 2.0)], 8, 0.02, 4);
    report.runs.retain(|run| run.contestant != "rust" || run.round < 5);
    change(&mut report, |run| run.phase == Phase::WarmUp, Counter::ClientCpuS, 100.0);
    let row = row(&report, Metric::CpuSPerGb, Way::Up, "rust");
    assert_eq!(row.pair_ratios.len(), 4);
    assert!(row.ratio.unwrap().contains(0.5), "{row:?}");
}

fn failure() -> Failure {
    let (rig, setting) = (Rig::Real, "default".into());
    Failure { contestant: "official".into(), rig, setting, phase: Phase::WarmUp, round: 1, reason: "no route".into() }
}

#[test]
fn failures_and_interruptions_are_said() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 2.0)], 2, 0.02, 5);
    report.complete = false;
    report.failures.push(failure());
    let sentences = ab::sentences(&report);
    assert_eq!(sentences[0], "official FAILED in the warm-up: no route");
    assert!(sentences[1].starts_with("Interrupted in round 2 of 2"));
    assert!(sentences[2].contains("2 pairs only"), "{}", sentences[2]);
    assert!(ab::table(&report).contains("2 pairs only"));
}

#[test]
fn the_json_comes_back_as_it_went() {
    let report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 2.0)], 6, 0.02, 6);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

/// docs/BENCH.md must explain every key that report.json has.
#[test]
fn every_key_of_the_json_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/BENCH.md");
    let documentation = fs::read_to_string(&path).unwrap();
    let mut keys = Vec::new();
    collect_keys(&serde_json::to_value(with_everything()).unwrap(), &mut keys);
    let names = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    keys.extend(Metric::ALL.iter().map(|metric| metric.name().to_owned()));
    keys.extend(Workload::ALL.map(|workload| names(serde_json::to_value(workload).unwrap())));
    assert!(keys.len() > 130, "{keys:?}");
    // The names of a table's line may share a beginning: `rtt_load_` stands for its five.
    let is_missing = |key: &&String| !documentation.contains(&format!("`{}`", key.replace("rtt_load_", "rtt_idle_")));
    let missing: Vec<_> = keys.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{} does not explain {missing:?}", path.display());
}

/// A report in which nothing is absent.
fn with_everything() -> Report {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 2.0)], 6, 0.02, 7);
    report.failures.push(failure());
    report.settings[0].payload_bytes = Some(1400);
    report.contestants[1].swaps = Some("*=rust".into());
    let build = BuildFacts { implementation: "rust".into(), sha256: String::new(), flags: Vec::new() };
    report.contestants[1].build = Some(build);
    let (rig, setting, way) = (Rig::Real, "default".to_owned(), Way::Up);
    let cost = Estimate { value: 1.0, low: 0.9, high: 1.1 };
    report.rejected_pairs.push(RejectedPair {
        rig,
        setting: setting.clone(),
        phase: Phase::Ab,
        round: 1,
        contestant: "rust".into(),
        workload: Workload::Bulk,
        way,
        reason: "c: 9 % stolen".into(),
    });
    let primitive = Primitive { name: "copy".into(), what: "memcpy".into(), unit: "s/GB".into(), cost };
    let limit = Limit { rig, setting, metric: Metric::CpuSPerGb, way, value: 0.3, parts: vec![("copy".into(), 0.3)] };
    report.calibration = Some(Calibration { primitives: vec![primitive], limits: vec![limit] });
    report.micro.push(MicroRow {
        bench: "new_block".into(),
        swap: "new_block".into(),
        side: "c".into(),
        ns: cost,
        instructions: Some(100.0),
        allocations: Some(2.0),
    });
    report.profiles.push(Profile {
        kind: ProfileKind::Flamegraph,
        contestant: "c".into(),
        rig,
        way,
        path: Some("c.svg".into()),
        inline: Some("<svg/>".into()),
    });
    report.runs[0].rtt = Some(Histogram { interval_us: 1000, buckets: vec![(1, 1)] });
    report
}

#[test]
fn absent_stays_absent_and_present_comes_back() {
    let all = with_everything();
    assert_eq!(serde_json::from_str::<Report>(&serde_json::to_string(&all).unwrap()).unwrap(), all);
    let plain = serde_json::to_value(report(&[("c", 2.0, 2.0)], 2, 0.02, 7)).unwrap();
    assert!(plain.get("calibration").is_none() && plain.get("micro").is_none());
    assert!(plain["runs"][0].get("rtt").is_none() && plain["runs"][0]["metrics"].get("retransmits_per_gb").is_none());
}

#[test]
fn disturbed_pairs_are_left_out() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 2.0)], 8, 0.02, 10);
    change(&mut report, |run| run.phase == Phase::Ab && run.round <= 3, Counter::ClientCpuS, 50.0);
    let which = |run: &Run| run.phase == Phase::Ab && run.round <= 3 && run.contestant == "c";
    report.runs.iter_mut().filter(|run| which(run)).for_each(|run| run.disturbed = true);
    report.compare();
    let row = row(&report, Metric::CpuSPerGb, Way::Up, "rust");
    assert_eq!(row.pair_ratios.len(), 5);
    assert!((row.baseline_median - 2.0).abs() < 0.2, "{row:?}");
}

fn collect_keys(value: &serde_json::Value, keys: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => map.iter().for_each(|(key, value)| {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
            collect_keys(value, keys);
        }),
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect_keys(value, keys)),
        _ => {}
    }
}

#[test]
fn the_picture_holds_every_row() {
    let report = report(&[("c", 2.0, 2.0), ("rust", 0.8, 2.7), ("official", 2.1, 1.95)], 6, 0.08, 8);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.svg");
    ab::draw(&report, &path).unwrap();
    let svg = fs::read_to_string(&path).unwrap();
    for row in &report.rows {
        let ratio = row.ratio.unwrap();
        assert!(svg.contains(&format!("{:.2} ({:.2} … {:.2})", ratio.value, ratio.low, ratio.high)));
    }
    assert_eq!(svg.matches("<circle").count(), report.rows.iter().map(|row| row.pair_ratios.len() + 1).sum::<usize>());
    assert!(!svg.contains("NaN"));
}

#[test]
fn a_picture_of_nothing_says_so() {
    let mut report = report(&[("c", 2.0, 2.0)], 2, 0.08, 9);
    report.compare();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("empty.svg");
    ab::draw(&report, &path).unwrap();
    assert!(fs::read_to_string(&path).unwrap().contains("Too few pairs"));
}
