//! Faults that the harness must find, and one that it must not invent. Needs root, and Debian's client.
//!
//! A dropped frame and a flipped bit in a million are planted at the far end (`cutover-peer --plant`), where they look
//! like those of any client. The third canary, a client that costs 5 % more CPU, needs more time than a test has:
//! docs/BENCH.md names the command and what it found.

use std::process::Command;

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
