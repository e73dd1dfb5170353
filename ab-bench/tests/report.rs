//! The report computed from made-up runs, whose differences are therefore known. Needs no root.

use std::fs;
use std::path::Path;

use ab_bench::ab::{
    self, AGAIN, ContestantFacts, Failure, Host, Metric, Report, Row, Run, SCHEMA_VERSION, SessionFacts, Verdict,
};
use ab_bench::frames::Direction;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A contestant's true CPU-seconds per GB and Gbit/s.
type Truth<'a> = (&'a str, f64, f64);

/// `rounds` rounds of runs with a noise of about `noise` (relative) on every figure.
fn report(truths: &[Truth<'_>], rounds: u32, noise: f64, seed: u64) -> Report {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut jitter = |value: f64| value * (1.0 + noise * (rng.random::<f64>() + rng.random::<f64>() - 1.0));
    let mut runs = Vec::new();
    let again = (AGAIN, truths[0].1, truths[0].2);
    for round in 0..=rounds {
        for (name, cpu_s_per_gb, gbit_per_s) in truths.iter().chain([&again]) {
            for direction in [Direction::Up, Direction::Down] {
                let (seconds, rate) = (2.0, jitter(*gbit_per_s));
                let gigabytes = rate * seconds / 8.0;
                let client_cpu_s = jitter(*cpu_s_per_gb) * gigabytes;
                runs.push(Run {
                    contestant: (*name).to_owned(),
                    round,
                    direction,
                    connect_s: 0.4,
                    bytes: (gigabytes * 1e9) as u64,
                    seconds,
                    client_cpu_s,
                    client_user_s: client_cpu_s / 2.0,
                    client_system_s: client_cpu_s / 2.0,
                    server_cpu_s: 3.0 * gigabytes,
                    machine_cpu_s: client_cpu_s + jitter(4.0) * gigabytes,
                    steal_s: 0.0,
                    retransmits: 1,
                });
            }
        }
    }
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        started_unix_s: 1_700_000_000,
        duration_s: 90.0,
        complete: true,
        seed,
        rounds,
        seconds_per_run: 2,
        server: "vendored".into(),
        host: Host {
            kernel: "6.18.0".into(),
            cpu: "A made-up processor".into(),
            cpus: 2,
            governor: "none".into(),
            iperf3: "iperf 3.12".into(),
            git_commit: "0123456789".into(),
        },
        session: SessionFacts {
            connections: 1,
            encrypt: true,
            compress: false,
            udp_acceleration: false,
            mtu: 1500,
            streams: 1,
        },
        contestants: truths
            .iter()
            .map(|(name, ..)| ContestantFacts {
                name: (*name).to_owned(),
                version: String::new(),
                cipher: "TLS_AES_256_GCM_SHA384".into(),
                outer_congestion_control: "cubic".into(),
                inner_congestion_control: "cubic".into(),
            })
            .collect(),
        baseline: truths[0].0.to_owned(),
        failures: Vec::new(),
        runs,
        rows: Vec::new(),
    };
    report.compare();
    report
}

fn row<'a>(report: &'a Report, metric: Metric, direction: Direction, contestant: &str) -> &'a Row {
    let mut rows = report.rows.iter();
    rows.find(|row| row.metric == metric && row.direction == direction && row.contestant == contestant).unwrap()
}

#[test]
fn a_planted_five_per_cent_is_found_and_its_sign_is_right() {
    let report = report(&[("c", 2.0, 2.0), ("rust", 2.1, 1.9)], 16, 0.03, 1);
    for direction in [Direction::Up, Direction::Down] {
        let cpu = row(&report, Metric::ClientCpuSPerGb, direction, "rust");
        assert_eq!(cpu.verdict, Verdict::Worse, "{cpu:?}");
        assert!((cpu.ratio.unwrap().value - 1.05).abs() < 0.02 && cpu.wilcoxon_p.unwrap() < 0.05, "{cpu:?}");
        let goodput = row(&report, Metric::GoodputGbitPerS, direction, "rust");
        assert_eq!(goodput.verdict, Verdict::Worse, "{goodput:?}");
    }
}

#[test]
fn less_cpu_and_more_goodput_are_better() {
    let report = report(&[("c", 2.0, 2.0), ("rust", 0.8, 2.6)], 6, 0.05, 2);
    for metric in Metric::ALL {
        assert_eq!(row(&report, metric, Direction::Up, "rust").verdict, Verdict::Better);
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
    for run in report.runs.iter_mut().filter(|run| run.contestant == AGAIN) {
        run.client_cpu_s *= 1.2;
    }
    report.compare();
    assert_eq!(row(&report, Metric::ClientCpuSPerGb, Direction::Up, AGAIN).verdict, Verdict::Void);
    assert_eq!(row(&report, Metric::ClientCpuSPerGb, Direction::Up, "rust").verdict, Verdict::Void);
    assert!(ab::sentences(&report).iter().any(|sentence| sentence.contains("misses 1.00")));
}

#[test]
fn the_warm_up_is_not_compared_and_gaps_are_left_out() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 2.0)], 8, 0.02, 4);
    report.runs.retain(|run| run.contestant != "rust" || run.round < 5);
    for run in report.runs.iter_mut().filter(|run| run.round == 0) {
        run.client_cpu_s *= 100.0;
    }
    report.compare();
    let row = row(&report, Metric::ClientCpuSPerGb, Direction::Up, "rust");
    assert_eq!(row.pair_ratios.len(), 4);
    assert!(row.ratio.unwrap().contains(0.5), "{row:?}");
}

#[test]
fn failures_and_interruptions_are_said() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 2.0)], 2, 0.02, 5);
    report.complete = false;
    report.failures.push(Failure { contestant: "official".into(), round: 0, reason: "no route".into() });
    let sentences = ab::sentences(&report);
    assert_eq!(sentences[0], "official FAILED in round 0: no route");
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
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 2.0)], 6, 0.02, 7);
    report.failures.push(Failure { contestant: "official".into(), round: 0, reason: "no route".into() });
    let mut keys = Vec::new();
    collect_keys(&serde_json::to_value(&report).unwrap(), &mut keys);
    assert!(keys.len() > 40, "{keys:?}");
    let missing: Vec<_> = keys.iter().filter(|key| !documentation.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "{} does not explain {missing:?}", path.display());
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
