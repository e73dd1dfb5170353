//! `cutover-ab` as a person starts it, with Debian's server and client. Most of this needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ab_bench::ab::schema::{Metric, Phase, Report, Workload};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn cutover_ab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutover-ab"));
    command.args(arguments);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn mistakes_are_said_in_one_line() {
    for (arguments, expected) in [
        (&["--contestants", "go"][..], "unknown contestant `go`"),
        (&["--contestants", "rust"], "--bin rust=PATH"),
        (&["--quick"], "no contestant"),
        (&["--bin", "c=/nowhere/cutover"], "/nowhere/cutover is no file"),
        (&["--bin", "cutover"], "NAME=PATH"),
        (&["--contestants", "official", "--out", "/proc/nowhere"], "cannot create /proc/nowhere"),
        (&["--metrics", "speed"], "no such metric: there are cpu_s_per_gb"),
        (&["--contestants", "official", "--sweep", "connections=33"], "a number from 1 to 32"),
        (&["--contestants", "official", "--sweep", "speed=9"], "unknown key `speed`"),
        (&["--contestants", "official", "--mix", "framing=zig"], "a mode is c, rust, shadow"),
        (&["--contestants", "official", "--plant", "rust=burn"], "is not compared"),
        (&["--contestants", "official", "--seconds", "0"], "0 is not in 1..=600"),
        (&["--resume", "/nowhere"], "cannot go on with /nowhere/report.json"),
    ] {
        let output = cutover_ab(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}

/// Runs it with few and short rounds. A person loses patience when so many visits are done and reported, if a number is given.
fn run(arguments: &[&str], out: &Path, interrupt_after: Option<usize>) -> (Option<i32>, String) {
    let child = cutover_ab(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    if let Some(visits) = interrupt_after {
        let deadline = Instant::now() + Duration::from_secs(300);
        let done =
            || fs::read(out.join("report.json")).ok().and_then(|json| serde_json::from_slice::<Report>(&json).ok());
        while done().is_none_or(|report| report.visits_done < visits) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    (output.status.code(), printed)
}

fn read(out: &Path) -> Report {
    serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap()
}

/// One contestant cannot connect, a neighbour is not there or is, and a person loses patience: the rest is measured and
/// reported all the same, and goes on later.
#[test]
fn a_failing_contestant_and_an_interruption_leave_a_report_that_can_be_resumed() {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("interrupted");
    let _ = fs::remove_dir_all(&out);
    let out_text = out.to_str().unwrap();
    let arguments = ["--bin", "c=/bin/false", "--contestants", "c,official", "--server", "debian", "--rig", "real"];
    let short =
        ["--rounds", "2", "--seconds", "1", "--metrics", "goodput_gbit_per_s,rtt_idle_p50_us", "--out", out_text];
    let (code, printed) = run(&[&arguments[..], &short].concat(), &out, Some(3));
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("c FAILED in the warm-up") && printed.contains("Interrupted "), "{printed}");
    assert!(printed.contains(&format!("--resume {out_text}")), "{printed}");

    let report = read(&out);
    assert!(!report.complete && report.visits_done > 1);
    assert_eq!((report.failures.len(), report.failures[0].contestant.as_str()), (1, "c"));
    assert_eq!(report.baseline, "official");
    let official = &report.contestants[1];
    let seen = &official.observed[0];
    assert_eq!((&seen.outer_congestion_control[..], &seen.inner_congestion_control[..]), ("cubic", "cubic"));
    assert!(seen.cipher.contains("AES"), "{official:?}");
    assert!(fs::read_to_string(out.join("report.svg")).unwrap().contains("</svg>"));

    // The failure keeps the code at 1.
    let (code, printed) = run(&["--resume", out_text], &out, None);
    assert_eq!(code, Some(1), "{printed}");
    let whole = read(&out);
    assert!(whole.complete, "{printed}");
    assert_eq!(&whole.runs[..report.runs.len()], &report.runs[..], "what was measured stays");
    let of = |phase| whole.runs.iter().filter(move |run| run.phase == phase && run.workload == Workload::Bulk).count();
    assert_eq!((of(Phase::WarmUp), of(Phase::Aa), of(Phase::Ab)), (3, 2 * 2 * 3, 2 * 3), "three ways each");
    let probed = whole.runs.iter().filter(|run| run.workload == Workload::RttIdle && run.rtt.is_some());
    assert!(probed.count() > 0);
    let (_, printed) = run(&["--resume", out_text], &out, None);
    assert!(printed.contains("it is complete"), "{printed}");
}

/// Every metric on the peer rig, by the official client.
#[test]
fn the_peer_and_every_workload() {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("everything");
    let _ = fs::remove_dir_all(&out);
    let all = Metric::ALL.iter().map(|metric| metric.name()).collect::<Vec<_>>().join(",");
    let short = ["--contestants", "official", "--rig", "peer", "--rounds", "2", "--seconds", "1", "--metrics"];
    let (code, printed) = run(&[&short[..], &[&all[..], "--out", out.to_str().unwrap()]].concat(), &out, None);
    assert_eq!(code, Some(0), "{printed}");
    let report = read(&out);
    assert!(report.failures.is_empty() && report.notes.is_empty(), "{printed}");
    let missing: Vec<&str> = Metric::ALL
        .iter()
        .filter(|metric| !report.runs.iter().any(|run| run.metrics.contains_key(*metric)))
        .map(|metric| metric.name())
        .collect();
    assert!(missing.is_empty(), "not measured: {missing:?}");
    let metric = |metric| report.runs.iter().filter_map(move |run| run.metrics.get(&metric)).copied();
    assert!(metric(Metric::LostPerMillion).all(|lost| lost == 0.0), "frames were lost");
    // The C reads and writes each frame by itself and allocates twice for it.
    assert!(metric(Metric::SyscallsPerFrame).all(|calls| (0.5..20.0).contains(&calls)), "{printed}");
    assert!(metric(Metric::AllocationsPerFrame).all(|calls| (0.5..40.0).contains(&calls)), "{printed}");
    assert!(report.contestants[0].observed[0].cipher.contains("AES"), "{:?}", report.contestants[0]);
}
