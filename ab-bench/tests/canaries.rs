//! Faults that the harness must find, and one that it must not invent. Needs root, and Debian's client.
//!
//! A dropped frame and a flipped bit in a million are planted at the far end (`cutover-peer --plant`), where they look
//! like those of any client. A client that costs 5 % more CPU than its twin, and a C that is its own twin, need a quiet
//! machine and ten minutes: docs/BENCH.md names the command of that canary and what it found.

use std::path::Path;
use std::process::Command;

use ab_bench::ab::schema::{Metric, Report};
use ab_bench::report::{Verdict, read};

/// Carries a million numbered frames up through the peer and gives what the lab says of them.
fn a_million_frames(plant: Option<&str>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutover-lab"));
    command.args(["--server", "peer", "--client", "official", "frames", "--up-only"]);
    command.args(["--count", "1000000", "--min", "64", "--max", "64"]);
    command.env_remove("CUTOVER_PEER_PLANT").envs(plant.map(|plant| ("CUTOVER_PEER_PLANT", plant)));
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("1000000 frames sent"), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), printed)
}

#[test]
fn a_million_sound_frames_are_clean() {
    let (clean, printed) = a_million_frames(None);
    assert!(clean && printed.contains("0 lost, 0 duplicated, 0 reordered, 0 damaged"), "{printed}");
}

#[test]
fn one_dropped_frame_in_a_million_is_found() {
    let (clean, printed) = a_million_frames(Some("drop:700000"));
    assert!(!clean && printed.contains("1 lost, 0 duplicated, 0 reordered, 0 damaged"), "{printed}");
}

#[test]
fn one_flipped_bit_in_a_million_frames_is_found() {
    let (clean, printed) = a_million_frames(Some("flip:700000"));
    assert!(!clean && printed.contains("1 lost, 0 duplicated, 0 reordered, 1 damaged"), "{printed}");
    assert!(printed.contains("64 bytes instead of 64, from byte 63 on"), "{printed}");
}

/// Compares two contestants that are the same program by client CPU; the report, and what was printed.
fn twins(name: &str, programs: [&str; 2], more: &[&str]) -> (Report, String) {
    let bin =
        std::env::var_os("CUTOVER_BIN_DIR").expect("CUTOVER_BIN_DIR names the folder of `./zigw build test-programs`");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("canaries").join(name);
    let [first, second] = programs.map(|program| Path::new(&bin).join(program).display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutover-ab"));
    command.args(["--bin", &format!("one={first}"), "--bin", &format!("two={second}"), "--contestants", "one,two"]);
    command
        .args(["--rig", "peer", "--metrics", "cpu_s_per_gb", "--rounds", "20", "--seconds", "1"])
        .args(more)
        .arg("--out")
        .arg(&out);
    let output = command.output().unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report = read(&out).unwrap_or_else(|error| panic!("{error}: {printed}"));
    println!("{printed}");
    (report, printed)
}

/// The verdicts on client CPU, each way.
fn verdicts(report: &Report) -> Vec<Verdict> {
    let compared = report.rows.iter().filter(|row| row.contestant == "two" && row.metric == Metric::CpuSPerGb);
    compared.map(|row| row.verdict).collect()
}

#[test]
#[ignore = "takes five minutes of a quiet machine"]
fn five_per_cent_more_cpu_is_found() {
    let (report, printed) = twins("burn", ["cutover-planted"; 2], &["--plant", "two=burn"]);
    let verdicts = verdicts(&report);
    assert!(verdicts.contains(&Verdict::Worse) && !verdicts.contains(&Verdict::Better), "{printed}");
}

#[test]
#[ignore = "takes five minutes of a quiet machine"]
fn between_c_and_c_nothing_is_found() {
    let (report, printed) = twins("c", ["cutover-c"; 2], &[]);
    let verdicts = verdicts(&report);
    assert!(verdicts.len() == 3 && verdicts.iter().all(|verdict| *verdict == Verdict::NoDifference), "{printed}");
}
