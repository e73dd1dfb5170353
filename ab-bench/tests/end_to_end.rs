//! The client against a real server: numbered frames both ways, every one checked, with every swap on each side.
//!
//! The programs are those that `./zigw build test` installs: `cutover-c` (the untouched C), `cutover-rust` (every swap
//! in), `cutover-planted` (with faults to be found), and the server. `CUTOVER_BIN_DIR` names another folder.
//! Without root the lab says what to do, and the tests fail.

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ab_bench::frames::{Direction, FramePlan};
use ab_bench::lab::{Client, ClientAuth, ClientSpec, Lab, LabError, ServerKind, Side};
use nix::sys::signal::Signal;
use serde_json::Value;
use support::{LIMIT, answers, bin, lab, rust_with, start, stop, vendored};

/// Frames each way in a short check.
const FRAMES: u32 = 1000;

struct Line {
    name: &'static str,
    contract: &'static str,
    group: &'static str,
    is_of_family: bool,
}

include!("../../rust/swaps/src/registry.rs");

macro_rules! lines {
    ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident $(, in $home:ident)?;)*) => {
        const REGISTRY: &[Line] = &[$(Line {
            name: stringify!($name),
            contract: stringify!($contract),
            group: stringify!($group),
            is_of_family: ![$(stringify!($home),)? ""][0].is_empty(),
        }),*];
    };
}
with_registry!(lines);

/// What is switched alone, with its lines: a group. With `CUTOVER_TEST_FULL`, which takes minutes, each swap that has a file
/// to itself goes alone; those of a family do so in the differential tests only, since a start of the client would be more than
/// the swap.
fn units() -> Vec<(&'static str, Vec<&'static Line>)> {
    let mut units: Vec<(&str, Vec<&Line>)> = Vec::new();
    let is_full = std::env::var_os("CUTOVER_TEST_FULL").is_some();
    for line in REGISTRY {
        let unit = if is_full && !line.is_of_family { line.name } else { line.group };
        match units.iter_mut().find(|(name, _)| *name == unit) {
            Some((_, lines)) => lines.push(line),
            None => units.push((unit, vec![line])),
        }
    }
    units
}

fn untouched_c() -> ClientSpec {
    ClientSpec::cutover(bin("cutover-c"), "")
}

/// Carries frames of all sizes both ways; every one must arrive, once, in order, as it was sent.
fn carry(lab: &Lab, client: &Client, frames: u32, what: &str) {
    for (direction, seed) in [(Direction::Up, 1), (Direction::Down, 2)] {
        let report = lab
            .carry_frames(client, direction, &FramePlan::new(frames, seed))
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(report.is_clean(), "{what}, {direction:?}: {report}\n{}", client.log());
    }
}

/// The swaps of the running client by name, as `cutover swaps --json` shows them.
fn swaps(lab: &Lab) -> BTreeMap<String, Value> {
    let program = bin("cutover-rust");
    let arguments = [program.as_os_str(), "swaps".as_ref(), "--json".as_ref()];
    let output = lab.run_ok(Side::Client, &arguments, LIMIT).unwrap_or_else(|error| panic!("{error}"));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let list = answer["swaps"].as_array().expect("a list of swaps").clone();
    list.into_iter().map(|swap| (swap["name"].as_str().expect("a name").to_owned(), swap)).collect()
}

fn calls(swap: &Value, side: &str) -> u64 {
    swap["calls"][side].as_u64().expect("a count")
}

fn assert_harmless(swaps: &BTreeMap<String, Value>) {
    for (name, swap) in swaps {
        for count in ["mismatches", "panics", "demotions"] {
            assert_eq!(swap[count], 0, "{count} of {name}: {swap}");
        }
    }
}

#[test]
fn untouched_c_carries_frames() {
    let lab = vendored();
    let client = start(&lab, &untouched_c());
    carry(&lab, &client, 5 * FRAMES, "impl=c");
    stop(client);
}

#[test]
fn all_on_c_all_on_rust_and_all_in_shadow_carry_frames() {
    let lab = vendored();
    for (mode, side) in [("c", "c"), ("rust", "rust"), ("shadow", "shadow")] {
        // Seam by seam: on the fused path, which tests/fused.rs is about, most swaps have nothing to do. Effects, which
        // cannot be shadowed, stay on Rust beside the others' shadow.
        let seams = if mode == "c" { "" } else { ",session_main=c" };
        let client = start(&lab, &rust_with(&format!("*={mode}{seams}")));
        carry(&lab, &client, 3 * FRAMES, mode);
        let swaps = swaps(&lab);
        assert_eq!(swaps.len(), REGISTRY.len(), "every swap is in the build");
        assert_harmless(&swaps);
        for name in ["write_fifo", "read_fifo", "new_block", "endian32"] {
            assert!(calls(&swaps[name], side) > 0, "{name} did not run on {side}: {}", swaps[name]);
        }
        if mode != "shadow" {
            let other = if side == "c" { "rust" } else { "c" };
            for (name, swap) in &swaps {
                // Before the modes are set, at the start, the C serves a few calls.
                assert!(side == "rust" || calls(swap, other) == 0, "{name} ran on {other} too: {swap}");
            }
        }
        stop(client);
    }
}

#[test]
fn each_group_alone_on_rust_carries_frames() {
    let lab = vendored();
    for (unit, lines) in units() {
        let client = start(&lab, &rust_with(&format!("*=c,{unit}=rust")));
        carry(&lab, &client, FRAMES, unit);
        let swaps = swaps(&lab);
        assert_harmless(&swaps);
        for Line { name, .. } in lines {
            assert_eq!(swaps[*name]["mode"], "rust", "{name}");
        }
        stop(client);
    }
}

#[test]
fn each_group_alone_in_shadow_finds_nothing() {
    let lab = vendored();
    for (unit, _) in units().into_iter().filter(|(_, lines)| lines.iter().any(|line| line.contract != "effect")) {
        let client = start(&lab, &rust_with(&format!("*=c,{unit}=shadow")));
        carry(&lab, &client, FRAMES, unit);
        assert_harmless(&swaps(&lab));
        stop(client);
    }
}

#[test]
fn debians_unmodified_server_is_served_too() {
    let lab = lab(ServerKind::Debian);
    for spec in [untouched_c(), rust_with("*=c"), rust_with("*=rust")] {
        let client = start(&lab, &spec);
        carry(&lab, &client, FRAMES, &format!("{:?}", spec.env));
        stop(client);
    }
}

#[test]
fn a_wrong_swap_is_found_by_shadow_demoted_and_reported_while_c_serves() {
    let lab = vendored();
    for name in PLANTED {
        let client = start(&lab, &planted(name, "shadow", "mismatch"));
        carry(&lab, &client, FRAMES, "a planted mismatch");
        let swap = &swaps(&lab)[name];
        assert_eq!(
            (&swap["mismatches"], &swap["demotions"], &swap["mode"]),
            (&1.into(), &1.into(), &"c".into()),
            "{swap}"
        );
        let record = &swap["records"][0];
        assert_eq!(record["swap"], name, "{record}");
        // A shim that is spoiled gives another answer, too, which is compared first.
        assert!(name != "write_fifo" || record["first_differing_offset"].is_u64(), "{record}");
        assert!(client.log().contains(name), "the log names the swap:\n{}", client.log());
        stop(client);
    }
}

#[test]
fn a_panic_is_contained_demoted_and_reported_while_c_serves() {
    let lab = vendored();
    for name in PLANTED {
        let client = start(&lab, &planted(name, "rust", "panic"));
        carry(&lab, &client, FRAMES, "a planted panic");
        let swap = &swaps(&lab)[name];
        assert_eq!((&swap["panics"], &swap["demotions"], &swap["mode"]), (&1.into(), &1.into(), &"c".into()), "{swap}");
        assert!(!client.log().contains("planted\n"), "the panic's message is withheld:\n{}", client.log());
        stop(client);
    }
}

/// Where faults are planted: a swap with a file to itself, and an item of a family.
const PLANTED: [&str; 2] = ["write_fifo", "str_cpy"];

fn planted(swap: &str, mode: &str, fault: &str) -> ClientSpec {
    let mut spec = ClientSpec::cutover(bin("cutover-planted"), &format!("*=c,{swap}={mode}"));
    spec.env.push(("CUTOVER_PLANT".into(), fault.into()));
    spec.env.push(("CUTOVER_PLANT_IN".into(), swap.into()));
    spec
}

#[test]
fn modes_change_in_a_running_client_without_losing_a_frame() {
    let lab = vendored();
    let client = start(&lab, &rust_with("*=c"));
    let program = bin("cutover-rust");
    for modes in ["framing=rust", "new_block=shadow", "*=rust", "*=c"] {
        let arguments = [program.as_os_str(), "swaps".as_ref(), "set".as_ref(), modes.as_ref()];
        lab.run_ok(Side::Client, &arguments, LIMIT).unwrap_or_else(|error| panic!("{modes}: {error}"));
        carry(&lab, &client, FRAMES, modes);
    }
    assert_harmless(&swaps(&lab));
    let only = |pattern: &str| {
        let arguments = [program.as_os_str(), "swaps".as_ref(), "--only".as_ref(), pattern.as_ref()];
        lab.run(Side::Client, &arguments, LIMIT).unwrap_or_else(|error| panic!("{error}"))
    };
    let shown = String::from_utf8_lossy(&only("framing").stdout).into_owned();
    assert!(shown.contains("new_block") && !shown.contains("session_main"), "{shown}");
    assert!(!only("nothing_of_that_name").status.success(), "an empty table is no answer");
    stop(client);
}

#[test]
fn a_server_that_restarts_is_met_again_and_the_interface_stays() {
    let mut lab = vendored();
    let client = start(&lab, &rust_with("*=rust"));
    carry(&lab, &client, FRAMES, "before");
    let link = |lab: &Lab| {
        let output = lab
            .run_ok(Side::Client, &["ip", "-oneline", "link", "show", "cut0"], LIMIT)
            .expect("the interface is there");
        String::from_utf8_lossy(&output.stdout).split(':').next().map(str::to_owned)
    };
    let before = link(&lab);
    lab.server_mut().restart().unwrap();
    let deadline = Instant::now() + Duration::from_secs(40);
    while !answers(&lab) {
        assert!(Instant::now() < deadline, "no reconnect\n{}", client.log());
    }
    assert_eq!(link(&lab), before, "it is the same interface");
    carry(&lab, &client, FRAMES, "after");
    stop(client);
}

/// Starts a client that must end by itself, and returns its exit code and log.
fn refused(lab: &Lab, spec: &ClientSpec, config: Option<&toml::Table>) -> (i32, String) {
    let started = match config {
        Some(config) => lab.start_client_with_config(spec, &config.to_string()),
        None => lab.start_client(spec),
    };
    match started {
        Err(LabError::ClientEnded { status, log, .. }) => (status.code().expect("an exit code"), log),
        Err(error) => panic!("{error}"),
        Ok(client) => panic!("the client connected\n{}", client.log()),
    }
}

/// The client's exit code and log where /dev/net is empty.
fn without_tun_driver(lab: &Lab, spec: &ClientSpec) -> (i32, String) {
    let config = lab.dir().join("no-tun.toml");
    std::fs::write(&config, lab.client_config(spec).unwrap().to_string()).unwrap();
    let line = "mount -t tmpfs none /dev/net && exec \"$0\" up \"$1\"";
    let program = bin("cutover-rust");
    let command = ["unshare", "--mount", "sh", "-c", line].map(std::ffi::OsStr::new);
    let arguments = [&command[..], &[program.as_os_str(), config.as_os_str()]].concat();
    let output = lab.run(Side::Client, &arguments, LIMIT).unwrap_or_else(|error| panic!("{error}"));
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_cannot_work_ends_with_its_exit_code_one_line_and_nothing_left_behind() {
    let lab = vendored();
    let spec = rust_with("*=rust");
    let config = |key: &[&str], value: toml::Value| {
        let mut table = lab.client_config(&spec).unwrap();
        let (last, path) = key.split_last().unwrap();
        let mut at = &mut table;
        for name in path {
            at = at.get_mut(*name).unwrap().as_table_mut().unwrap();
        }
        at.insert((*last).to_owned(), value);
        table
    };
    let no_reconnect: toml::Table = "enabled = false".parse().unwrap();
    let with = |mut table: toml::Table| {
        table.insert("reconnect".to_owned(), no_reconnect.clone().into());
        table
    };

    let wrong_password = ClientSpec { auth: ClientAuth::WrongPassword("not it".into()), ..spec.clone() };
    lab.run_ok(Side::Client, &["ip", "link", "add", "taken0", "type", "veth", "peer", "name", "taken1"], LIMIT)
        .unwrap();
    let cases = [
        ("wrong password", 10, "password", refused(&lab, &wrong_password, None)),
        ("wrong hub", 11, "NOHUB", refused(&lab, &spec, Some(&config(&["hub"], "NOHUB".into())))),
        ("unknown key", 12, "spead", refused(&lab, &spec, Some(&config(&["spead"], 1.into())))),
        (
            "wrong pin",
            13,
            "sha256:",
            refused(&lab, &spec, Some(&config(&["tls", "pin"], format!("sha256:{}", "00".repeat(32)).into()))),
        ),
        ("name taken", 14, "taken0", refused(&lab, &spec, Some(&config(&["interface", "name"], "taken0".into())))),
        ("unreachable", 20, "10.77.0.1", refused(&lab, &spec, Some(&with(config(&["port"], 9.into()))))),
    ];
    let cases = cases.into_iter().chain([("no TUN driver", 14, "/dev/net/tun", without_tun_driver(&lab, &spec))]);
    for (case, code, word, (ended, log)) in cases {
        assert_eq!(ended, code, "{case}:\n{log}");
        assert!(log.contains(word), "{case}: the message names {word}:\n{log}");
    }
    let links = lab.run_ok(Side::Client, &["ip", "-brief", "link"], LIMIT).unwrap();
    assert!(!String::from_utf8_lossy(&links.stdout).contains("cut0"), "an interface is left behind");
    let sockets = lab.run_ok(Side::Client, &["find", "/run/cutover", "-name", "*.sock"], LIMIT).unwrap();
    assert!(sockets.stdout.is_empty(), "a socket is left behind");
}

#[test]
fn sigterm_ends_it_even_when_the_server_is_frozen() {
    let mut lab = vendored();
    let client = start(&lab, &rust_with("*=rust"));
    lab.server_mut().signal(Signal::SIGSTOP).unwrap();
    let begun = Instant::now();
    stop(client);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
