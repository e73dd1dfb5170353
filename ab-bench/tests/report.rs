//! The report computed from made-up runs, whose differences are therefore known. Needs no root.

mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ab_bench::ab::schema::{AGAIN, Counter, Metric, Phase, RejectedPair, Report, Run, Way, Workload, derive};
use ab_bench::report::{
    self, Change, Gate, GateError, Row, Verdict, bench_format, delta_table, deltas, markdown, picture, sentences, table,
};
use sample::{failure, full, report};

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
    let sentences = sentences(&report).join("\n");
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
    assert!(sentences(&report).iter().any(|sentence| sentence.contains("misses 1.00")));
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

#[test]
fn failures_and_interruptions_are_said() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 2.0)], 2, 0.02, 5);
    report.complete = false;
    report.failures.push(failure());
    let sentences = sentences(&report);
    assert_eq!(sentences[0], "official FAILED in the warm-up: no route");
    assert!(sentences[1].starts_with("Interrupted in round 2 of 2"));
    assert!(sentences[2].contains("2 pairs only"), "{}", sentences[2]);
    assert!(table(&report).contains("2 pairs only"));
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
    collect_keys(&serde_json::to_value(full()).unwrap(), &mut keys);
    let names = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    keys.extend(Metric::ALL.iter().map(|metric| metric.name().to_owned()));
    keys.extend(Workload::ALL.map(|workload| names(serde_json::to_value(workload).unwrap())));
    assert!(keys.len() > 130, "{keys:?}");
    // The names of a table's line may share a beginning: `rtt_load_` stands for its five.
    let is_missing = |key: &&String| !documentation.contains(&format!("`{}`", key.replace("rtt_load_", "rtt_idle_")));
    let missing: Vec<_> = keys.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{} does not explain {missing:?}", path.display());
}

#[test]
fn absent_stays_absent_and_present_comes_back() {
    let all = full();
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

#[test]
fn pairs_that_were_left_out_are_counted_aloud() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 2.0)], 8, 0.02, 10);
    assert!(!sentences(&report).join("\n").contains("DISTURBED"));
    let is_compared = |run: &&Run| matches!(run.phase, Phase::Aa | Phase::Ab) && run.contestant != "c";
    let compared: Vec<Run> = report.runs.iter().filter(is_compared).cloned().collect();
    let rejected = compared.iter().map(|run| RejectedPair {
        rig: run.rig,
        setting: run.setting.clone(),
        phase: run.phase,
        round: run.round,
        contestant: run.contestant.clone(),
        workload: run.workload,
        way: run.way,
        reason: "c: 0.0 % stolen, 41.0 % foreign".into(),
    });
    let all: Vec<RejectedPair> = rejected.collect();
    report.rejected_pairs = all[..3].to_vec();
    let said = sentences(&report).join("\n");
    assert!(
        said.contains(&format!("DISTURBED: 3 of {} pairs", all.len())) && said.contains("41.0 % foreign"),
        "{said}"
    );
    report.rejected_pairs = all;
    assert!(sentences(&report).join("\n").contains("Nothing is left to compare"));
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
    let svg = picture(&report);
    for row in &report.rows {
        let ratio = row.ratio.unwrap();
        assert!(svg.contains(&format!("{:.2} ({:.2} … {:.2})", ratio.value, ratio.low, ratio.high)), "{row:?}");
    }
    assert_eq!(svg.matches("<circle").count(), report.rows.iter().map(|row| row.pair_ratios.len() + 1).sum::<usize>());
    assert!(!svg.contains("NaN") && svg.contains("<title") && svg.contains("<desc"));
}

#[test]
fn a_picture_of_nothing_says_so() {
    assert!(picture(&report(&[("c", 2.0, 2.0)], 2, 0.08, 9)).contains("Too few pairs"));
}

#[test]
fn noise_above_the_floor_makes_the_report_void() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 3.0)], 8, 0.10, 11);
    let noise = report.noise().unwrap();
    report.noise_floor_max = Some(noise * 1.01);
    report.compare();
    assert!(!report.is_void());
    assert_eq!(row(&report, Metric::CpuSPerGb, Way::Up, "rust").verdict, Verdict::Better);
    report.noise_floor_max = Some(0.001);
    report.compare();
    assert!(report.is_void());
    assert!(report.rows.iter().all(|row| row.verdict == Verdict::Void || row.is_noise()));
    assert!(sentences(&report)[0].starts_with("VOID: the noise"), "{:?}", sentences(&report));
    report.runs.retain(|run| run.phase != Phase::Aa);
    report.compare();
    assert!(report.is_void(), "an unknown noise is not below a floor");
}

/// Where zero is in good health, there is no ratio, and the verdict comes from the differences.
#[test]
fn zeros_have_no_ratio_but_a_verdict() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 2.0, 2.0)], 8, 0.02, 12);
    let retransmits = |report: &mut Report, of: fn(&Run) -> f64| {
        for run in &mut report.runs {
            run.counts.insert(Counter::Retransmits, of(run));
            run.metrics = derive(run.workload, run.seconds, &run.counts, None);
        }
        report.compare();
    };
    retransmits(&mut report, |_| 0.0);
    assert_eq!(row(&report, Metric::RetransmitsPerGb, Way::Up, "rust").verdict, Verdict::NoDifference);
    assert_eq!(row(&report, Metric::RetransmitsPerGb, Way::Up, AGAIN).verdict, Verdict::Quiet);
    retransmits(&mut report, |run| if run.contestant == "rust" { f64::from(run.round) } else { 0.0 });
    let worse = row(&report, Metric::RetransmitsPerGb, Way::Up, "rust");
    assert_eq!((worse.verdict, worse.ratio), (Verdict::Worse, None));
    retransmits(&mut report, |run| if run.contestant == "c" { f64::from(run.round) } else { 0.0 });
    assert_eq!(row(&report, Metric::RetransmitsPerGb, Way::Up, "rust").verdict, Verdict::Better);
}

#[test]
fn what_was_counted_once_has_a_row_without_an_interval() {
    let report = full();
    let syscalls = row(&report, Metric::SyscallsPerFrame, Way::Up, "rust");
    assert_eq!((syscalls.verdict, syscalls.ratio), (Verdict::Counted, None));
    assert!((syscalls.median - 0.09).abs() < 1e-9 && (syscalls.baseline_median - 1.3).abs() < 1e-9);
}

#[test]
fn the_share_of_the_limit_is_known() {
    let report = full();
    let cpu = row(&report, Metric::CpuSPerGb, Way::Up, "rust");
    let (limit, share) = report.reached(cpu).unwrap();
    assert!((share - limit.value / cpu.median).abs() < 1e-12 && (0.2..0.5).contains(&share), "{share}");
    let goodput = row(&report, Metric::GoodputGbitPerS, Way::Up, "rust");
    let (limit, share) = report.reached(goodput).unwrap();
    assert!((share - goodput.median / limit.value).abs() < 1e-12);
    assert!(report.reached(row(&report, Metric::MachineCpuSPerGb, Way::Up, "rust")).is_none());
    assert!(table(&report).contains("of the limit"));
}

fn gate(text: &str) -> Gate {
    text.parse().unwrap()
}

#[test]
fn gates_are_met_by_the_bound_and_not_by_the_estimate() {
    let report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 3.0)], 8, 0.06, 13);
    let ratio = row(&report, Metric::CpuSPerGb, Way::Down, "rust").ratio.unwrap();
    let is_met = |text: String| gate(&text).check(&report).unwrap().is_met;
    assert!(is_met(format!("rust/c cpu_s_per_gb.down <= {}", ratio.high)));
    assert!(!is_met(format!("rust/c cpu_s_per_gb.down < {}", ratio.high)));
    assert!(!is_met(format!("rust/c cpu_s_per_gb.down <= {}", ratio.value)), "the estimate alone is not enough");
    assert!(is_met(format!("rust/c cpu_s_per_gb.down >= {}", ratio.low)));
    assert!(!is_met(format!("rust/c cpu_s_per_gb.down > {}", ratio.low)));
    assert!(is_met("rust/c goodput_gbit_per_s >= 1.2".into()), "both ways");
    assert!(
        is_met("rust/c cpu_s_per_gb@real <= 0.6".into()) && is_met("rust/c cpu_s_per_gb@real/default <= 0.6".into())
    );
    assert!(
        is_met("rust cpu_s_per_gb <= 1.1".into()) && !is_met("c cpu_s_per_gb <= 1.1".into()),
        "figures by themselves"
    );
}

#[test]
fn gates_know_the_limit_and_what_was_counted() {
    let report = full();
    let is_met = |text: &str| gate(text).check(&report).unwrap().is_met;
    assert!(is_met("rust/limit cpu_s_per_gb.up >= 0.25") && !is_met("rust/limit cpu_s_per_gb.up >= 0.5"));
    assert!(is_met("rust syscalls_per_frame.up <= 0.1") && is_met("rust/c syscalls_per_frame <= 0.1"));
}

#[test]
fn a_void_row_meets_no_gate() {
    let mut report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 3.0)], 2, 0.06, 14);
    report.compare();
    let outcome = gate("rust/c cpu_s_per_gb.up <= 9").check(&report).unwrap();
    assert!(!outcome.is_met && outcome.lines[0].contains("void"), "{outcome:?}");
}

#[test]
fn gates_that_cannot_be_applied_say_what_could() {
    let error = |text: &str| text.parse::<Gate>().unwrap_err().to_string();
    assert!(error("rust/c latency <= 1").contains("unknown metric `latency`. There are: cpu_s_per_gb, "));
    assert!(error("rust/c cpu_s_per_gb.sideways <= 1").contains("the ways are up, down, both and none"));
    assert!(error("rust/c cpu_s_per_gb@moon <= 1").contains("the rigs are real and peer"));
    assert!(error("rust/c cpu_s_per_gb == 1").contains("compare by"));
    assert!(error("rust/c cpu_s_per_gb <= much").contains("number"));
    assert!(error("rust/c cpu_s_per_gb<=1").contains("four words"));
    let report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 3.0)], 6, 0.06, 15);
    let error = |text: &str| gate(text).check(&report).unwrap_err();
    assert!(matches!(error("go/c cpu_s_per_gb <= 1"), GateError::Unknown { known, .. } if known == "c, rust"));
    assert!(matches!(error("rust/official cpu_s_per_gb <= 1"), GateError::Unknown { known, .. } if known == "c"));
    let missing = error("rust/c rtt_load_p99_us <= 1").to_string();
    assert!(missing.contains("cpu_s_per_gb.up"), "{missing}");
}

#[test]
fn two_reports_are_held_against_one_another() {
    let old = report(&[("c", 2.0, 2.0), ("rust", 1.0, 3.0), ("gone", 1.0, 1.0)], 8, 0.03, 16);
    let new = report(&[("c", 2.0, 2.0), ("rust", 1.5, 3.0), ("new", 1.0, 1.0)], 8, 0.03, 17);
    let deltas = deltas(&old, &new);
    let of =
        |what: &str, who: &str| deltas.iter().find(|delta| delta.what.starts_with(what) && delta.who == who).unwrap();
    assert_eq!(of("client CPU, s/GB · real default up", "rust / c").change, Change::Worse);
    assert_eq!(of("goodput", "rust / c").change, Change::Same);
    assert_eq!(of("goodput", "gone / c").change, Change::Gone);
    assert_eq!(of("goodput", "new / c").change, Change::New);
    assert!(delta_table(&old, &new).contains("worse"));
    let reverse = report::deltas(&new, &old);
    assert!(reverse.iter().any(|delta| delta.change == Change::Better));
}

/// Each line is `BenchmarkName N value unit …`; a unit and a name hold no blanks.
#[test]
fn the_bench_format_is_what_benchstat_reads() {
    let report = full();
    let text = bench_format(&report);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("Benchmark")).collect();
    assert!(lines.len() > 100, "{}", lines.len());
    for line in &lines {
        let fields: Vec<&str> = line.split(' ').collect();
        assert!(fields.len() >= 4 && fields.len().is_multiple_of(2) && fields[1] == "1", "{line}");
        assert!(fields[2..].chunks(2).all(|pair| pair[0].parse::<f64>().is_ok()), "{line}");
    }
    assert!(text.contains("Unit cpu_s_per_gb better=lower\nUnit "));
    let rust_up = |line: &&&str| line.starts_with("BenchmarkBulk/rig=real/setting=default/way=up/who=rust ");
    assert_eq!(lines.iter().filter(rust_up).count(), 8, "warm-up and A/A left out");
}

#[test]
fn the_markdown_holds_every_row() {
    let report = full();
    let text = markdown(&report);
    let cells = text.lines().filter(|line| line.starts_with("| ") && line.matches(" | ").count() >= 9);
    assert_eq!(cells.count(), report.rows.len() + 2 * report.places().len());
    assert!(text.contains("official FAILED") && text.contains("## The physical limit"));
}

fn directory(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn cutover_ab(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cutover-ab")).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).join("");
    (output.status.code(), text)
}

#[test]
fn a_report_is_rendered_again_and_judged() {
    let dir = directory("rendered");
    let report = report(&[("c", 2.0, 2.0), ("rust", 1.0, 3.0)], 8, 0.03, 18);
    report::write(&report, &dir).unwrap();
    for file in ["report.md", "report.html", "report.svg", "bench.txt"] {
        fs::remove_file(dir.join(file)).unwrap();
    }
    let path = dir.to_str().unwrap();
    let (code, text) = cutover_ab(&["report", path, "--gate", "rust/c cpu_s_per_gb <= 0.6"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("rust needs 0.") && text.contains("met "), "{text}");
    for file in ["report.md", "report.html", "report.svg", "bench.txt"] {
        assert!(fs::metadata(dir.join(file)).unwrap().len() > 500, "{file}");
    }
    assert_eq!(report::read(&dir).unwrap(), report, "rendering changes nothing");
    assert_eq!(cutover_ab(&["report", path, "--gate", "rust/c cpu_s_per_gb <= 0.3"]).0, Some(3));
    let (code, text) = cutover_ab(&["report", path, "--gate", "rust/c speed <= 1"]);
    assert!(code == Some(2) && text.contains("There are: cpu_s_per_gb"), "{text}");
    let (code, text) = cutover_ab(&["report", path, "--noise-floor", "0.01%"]);
    assert!(code == Some(1) && text.contains("VOID"), "{text}");
    let (code, text) = cutover_ab(&["compare", path, path]);
    assert!(code == Some(0) && text.contains("no change shown"), "{text}");
}

#[test]
fn what_is_no_report_is_said_to_be_none() {
    let dir = directory("no-report");
    let said = |path: &Path| report::read(path).unwrap_err().to_string();
    assert!(said(&dir).contains("cannot read"));
    fs::write(dir.join("report.json"), "{}").unwrap();
    assert!(said(&dir).contains("is no report: missing field"));
    fs::write(dir.join("report.json"), r#"{"schema_version": 1}"#).unwrap();
    assert!(said(&dir).contains("has schema version 1, this program reads"));
    let (code, text) = cutover_ab(&["report", dir.to_str().unwrap()]);
    assert!(code == Some(1) && text.contains("schema version 1"), "{text}");
}
