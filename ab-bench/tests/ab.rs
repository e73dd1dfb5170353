//! `cutover-ab` as a person starts it, with Debian's server and client. Most of this needs root.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use ab_bench::ab::schema::{Counter, Phase, Report};
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
    ] {
        let output = cutover_ab(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}

/// One contestant cannot connect, and a person loses patience: the rest is measured and reported all the same.
#[test]
fn a_failing_contestant_and_an_interruption_leave_a_report() {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("interrupted");
    let _ = fs::remove_dir_all(&out);
    let arguments = ["--bin", "c=/bin/false", "--contestants", "c,official", "--server", "debian", "--quick", "--out"];
    let child = cutover_ab(&arguments).arg(&out).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_secs(35));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("c FAILED in the warm-up") && printed.contains("Interrupted "), "{printed}");

    let report: Report = serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    assert!(!report.complete);
    assert_eq!((report.failures.len(), report.failures[0].contestant.as_str()), (1, "c"));
    assert_eq!(report.baseline, "official");
    assert!(
        report
            .runs
            .iter()
            .any(|run| run.phase == Phase::Aa && run.counts.get(&Counter::Bytes).is_some_and(|n| *n > 1e6)),
        "{:?}",
        report.runs
    );
    let official = &report.contestants[1];
    let seen = &official.observed[0];
    assert_eq!((&seen.outer_congestion_control[..], &seen.inner_congestion_control[..]), ("cubic", "cubic"));
    assert!(seen.cipher.contains("AES"), "{official:?}");
    assert!(fs::read_to_string(out.join("report.svg")).unwrap().contains("</svg>"));
}
