//! The runs in the Go benchmark text format, so that benchstat can check our statistics:
//!
//! ```text
//! benchstat -col /who -row /rig,/setting,/way bench.txt
//! ```
//!
//! It compares medians by the Mann-Whitney test, without pairs: expect wider doubt than ours, and the same direction.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::ab::schema::{AGAIN, Metric, Phase, Report, Run};

/// One line per compared run, with every metric that it has.
#[must_use]
pub fn bench_format(report: &Report) -> String {
    let host = &report.host;
    let mut text = format!("goos: linux\ngoarch: {}\npkg: cutover/ab-bench\n", std::env::consts::ARCH);
    for (key, value) in [("cpu", &host.cpu), ("kernel", &host.kernel), ("commit", &host.git_commit)] {
        if !value.is_empty() {
            let _ = writeln!(text, "{key}: {value}");
        }
    }
    let runs = || report.runs.iter().filter(|run| is_compared(run));
    let metrics: BTreeSet<Metric> = runs().flat_map(|run| run.metrics.keys().copied()).collect();
    for metric in metrics {
        let better = if metric.more_is_better() { "higher" } else { "lower" };
        let _ = writeln!(text, "Unit {} better={better}", metric.name());
    }
    for run in runs() {
        let figures = run.metrics.iter().filter(|(_, value)| value.is_finite());
        let figures: Vec<String> = figures.map(|(metric, value)| format!("{value} {}", metric.name())).collect();
        if !figures.is_empty() {
            let _ = writeln!(text, "{} 1 {}", name(run), figures.join(" "));
        }
    }
    for row in &report.micro {
        let _ = writeln!(
            text,
            "BenchmarkSwap/bench={}/who={} 1 {} ns/op",
            row.bench.replace('/', "_"),
            row.side,
            row.ns.value
        );
    }
    text
}

fn is_compared(run: &Run) -> bool {
    matches!(run.phase, Phase::Ab | Phase::Counted) && run.contestant != AGAIN && !run.disturbed
}

/// `BenchmarkBulk/rig=real/setting=default/way=up/who=rust`; what it compares by is a key, and none holds a blank.
fn name(run: &Run) -> String {
    let word = |text: &str| text.replace([' ', '\t', '/'], "_");
    let (workload, setting, who) = (format!("{:?}", run.workload), word(&run.setting), word(&run.contestant));
    format!("Benchmark{workload}/rig={}/setting={setting}/way={}/who={who}", run.rig.name(), run.way.name())
}
