//! The session's loop against a real server: every combination of the three groups' sides over every kind of transport,
//! and what ends a session: a panic, a server that is killed or stands still, a connection that dies, terms that are
//! refused. Frames are numbered, and every one is accounted for.
//!
//! The programs are those that `./zigw build test-programs` installs, as for `end_to_end.rs`. Needs root. By default each
//! transport runs with one choice of sides and with its opposite, so that every side of every group meets every
//! transport; `CUTOVER_TEST_FULL=1 cargo test -p ab-bench --test session` runs all 72, and the longer forms of the others.

mod support;

use std::thread;
use std::time::{Duration, Instant};

use ab_bench::frames::{Direction, FramePlan};
use ab_bench::lab::{Client, ClientSpec, Lab, LabError, Side};
use nix::sys::signal::Signal;
use serde_json::Value;
use support::{LIMIT, answers, bin, is_full, rust_with, start, stop, vendored};

/// Frames each way in a check.
const FRAMES: u32 = 1000;

fn planted(fault: &str, swaps: &str) -> ClientSpec {
    let mut spec = ClientSpec::cutover(bin("cutover-planted"), swaps);
    spec.env.push(("CUTOVER_PLANT".into(), fault.into()));
    spec
}

/// What `cutover COMMAND --json` answers.
fn ask(lab: &Lab, command: &str) -> Value {
    let program = bin("cutover-rust");
    let arguments = [program.as_os_str(), command.as_ref(), "--json".as_ref()];
    let output = lab.run_ok(Side::Client, &arguments, LIMIT).unwrap_or_else(|error| panic!("{error}"));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// One swap, as `cutover swaps` shows it.
fn swap(lab: &Lab, name: &str) -> Value {
    let answer = ask(lab, "swaps");
    let swaps = answer["swaps"].as_array().expect("a list of swaps");
    swaps.iter().find(|swap| swap["name"] == name).expect("the swap").clone()
}

fn wait_for(client: &Client, what: &str, patience: Duration, mut is_there: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !is_there() {
        assert!(Instant::now() < deadline, "no {what}\n{}", client.log());
        thread::sleep(Duration::from_millis(100));
    }
}

/// Carries frames both ways: each arrives once and as it was sent, and, over one TCP connection, in order.
fn carry(lab: &Lab, client: &Client, is_ordered: bool, what: &str) {
    for (direction, seed) in [(Direction::Up, 1), (Direction::Down, 2)] {
        let report = lab.carry_frames(client, direction, &FramePlan::new(FRAMES, seed));
        let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
        let is_good = report.lost == 0 && report.duplicated == 0 && report.damaged == 0;
        assert!(is_good && (report.reordered == 0 || !is_ordered), "{what}, {direction:?}: {report}\n{}", client.log());
    }
}

/// The index of the interface, which a new one would not have, with its addresses.
fn interface(lab: &Lab) -> String {
    let output = lab.run_ok(Side::Client, &["ip", "-oneline", "address", "show", "cut0"], LIMIT);
    String::from_utf8_lossy(&output.unwrap_or_else(|error| panic!("{error}")).stdout).into_owned()
}

/// A kind of transport: its name, how it is asked for, and whether it keeps frames in order.
struct Transport {
    name: &'static str,
    connections: u8,
    half_duplex: bool,
    compress: bool,
    encrypt: bool,
    udp_acceleration: bool,
    qos: bool,
}

const PLAIN: Transport = Transport {
    name: "1 connection",
    connections: 1,
    half_duplex: false,
    compress: false,
    encrypt: true,
    udp_acceleration: false,
    qos: false,
};

const TRANSPORTS: [Transport; 9] = [
    PLAIN,
    Transport { name: "2 connections", connections: 2, ..PLAIN },
    Transport { name: "8 connections", connections: 8, ..PLAIN },
    Transport { name: "32 connections", connections: 32, ..PLAIN },
    Transport { name: "half duplex", connections: 4, half_duplex: true, ..PLAIN },
    Transport { name: "compression", compress: true, ..PLAIN },
    Transport { name: "encryption off", encrypt: false, ..PLAIN },
    Transport { name: "UDP acceleration", udp_acceleration: true, ..PLAIN },
    Transport { name: "QoS", connections: 2, qos: true, ..PLAIN },
];

const GROUPS: [&str; 3] = ["adapter", "session", "framing"];

/// The modes in which the groups of `choice`'s bits run on Rust.
fn sides(choice: usize) -> String {
    let group = |(bit, name)| format!("{name}={}", if choice >> bit & 1 == 1 { "rust" } else { "c" });
    let groups: Vec<String> = GROUPS.into_iter().enumerate().map(group).collect();
    format!("*=rust,{}", groups.join(","))
}

#[test]
fn every_combination_of_sides_carries_frames_over_every_other_transport() {
    every_combination(0);
}

#[test]
fn every_combination_of_sides_carries_frames_over_the_transports_between() {
    every_combination(1);
}

/// Every second transport, from this one on: two labs share the work.
fn every_combination(first: usize) {
    let lab = vendored();
    for (number, transport) in TRANSPORTS.iter().enumerate().skip(first).step_by(2) {
        // They come one a second; `modes_of_the_group_change_under_traffic` has them, too.
        if transport.connections == 32 && !is_full() {
            continue;
        }
        let chosen = number % 4;
        for choice in (0..8).filter(|&choice| is_full() || choice == chosen || choice == 7 - chosen) {
            let begun = Instant::now();
            run_cell(&lab, transport, choice);
            println!("{:5.1} s  {}: {}", begun.elapsed().as_secs_f64(), transport.name, sides(choice));
        }
    }
}

fn run_cell(lab: &Lab, transport: &Transport, choice: usize) {
    let swaps = sides(choice);
    let what = format!("{}, {swaps}", transport.name);
    let Transport { connections, half_duplex, compress, encrypt, udp_acceleration, qos, .. } = *transport;
    let spec = ClientSpec { connections, half_duplex, compress, encrypt, udp_acceleration, ..rust_with(&swaps) };
    let mut config = lab.client_config(&spec).expect("a configuration");
    config["transport"].as_table_mut().expect("a table").insert("qos".to_owned(), qos.into());
    let client = lab.start_client_with_config(&spec, &config.to_string()).unwrap_or_else(|e| panic!("{what}: {e}"));
    wait_for(&client, &what, Duration::from_secs(15 + u64::from(connections)), || {
        let status = ask(lab, "status");
        status["connections"] == connections && status["udp_acceleration"] == udp_acceleration
    });
    carry(lab, &client, connections == 1 && !udp_acceleration, &what);
    let status = ask(lab, "status");
    let (path, reason) = (status["path"].as_str(), status["path_reason"].as_str());
    match (choice >> 1 & 1, choice & 1) {
        (0, _) => assert_eq!(path, Some("c"), "{what}: {status}"),
        (_, 0) => assert_eq!((path, reason), (Some("seams"), Some("the packet adapter runs on c")), "{what}"),
        _ => assert!(path.is_some_and(|path| path != "c"), "{what}: {status}"),
    }
    let answer = ask(lab, "swaps");
    for swap in answer["swaps"].as_array().expect("a list of swaps") {
        assert_eq!((&swap["panics"], &swap["demotions"]), (&0.into(), &0.into()), "{what}: {swap}");
    }
    stop(client);
}

/// F6: the session ends, C's locks are free again, and C serves the next one over the same interface.
#[test]
fn a_panic_in_the_loop_ends_the_session_and_c_runs_the_next() {
    let lab = vendored();
    for (fault, swaps) in
        [("session", "*=c,session_main=rust"), ("session-locked", "*=c,session_main=rust"), ("session", "*=rust")]
    {
        let spec = planted(fault, swaps);
        let config = lab.client_config(&spec).expect("a configuration");
        let client = lab.start_client_with_config(&spec, &config.to_string()).unwrap_or_else(|error| panic!("{error}"));
        let before = interface(&lab);
        wait_for(&client, "panic", LIMIT, || answers(&lab) && swap(&lab, "session_main")["panics"] == 1);
        wait_for(&client, "reconnect", LIMIT, || answers(&lab) && ask(&lab, "status")["path"] == "c");
        carry(&lab, &client, true, &format!("{fault}, {swaps}"));
        let counted = swap(&lab, "session_main");
        assert_eq!((&counted["panics"], &counted["demotions"], &counted["mode"]), (&1.into(), &1.into(), &"c".into()));
        assert_eq!(ask(&lab, "status")["reconnects"], 1);
        assert_eq!(interface(&lab), before, "it is the same interface with the same addresses");
        assert!(!client.log().contains("planted\n"), "the panic's message is withheld:\n{}", client.log());
        stop(client);
    }
}

/// F2: while frames pass, the server is killed and started again.
#[test]
fn a_server_that_is_killed_is_met_again() {
    // With everything on Rust: tests/fused.rs.
    for swaps in ["*=rust,session=c", "*=c,session=rust"] {
        let mut lab = vendored();
        let client = start(&lab, &ClientSpec { connections: 2, ..rust_with(swaps) });
        carry(&lab, &client, false, swaps);
        let before = interface(&lab);
        lab.server_mut().kill().expect("the server is killed");
        lab.server_mut().restart().expect("the server starts again");
        wait_for(&client, "reconnect", Duration::from_secs(60), || answers(&lab));
        carry(&lab, &client, false, swaps);
        assert_eq!(ask(&lab, "status")["reconnects"], 1, "{swaps}");
        assert_eq!(interface(&lab), before, "{swaps}");
        stop(client);
    }
}

/// F2: the server stands still. For a moment nothing is lost; after a minute (`CUTOVER_TEST_FULL`) the session has timed
/// out, and is made again.
#[test]
fn a_server_that_stands_still_is_waited_for() {
    for swaps in ["*=rust,session=c", "*=rust"] {
        let lab = vendored();
        let client = start(&lab, &rust_with(swaps));
        carry(&lab, &client, true, swaps);
        lab.server().signal(Signal::SIGSTOP).expect("the server stops");
        thread::sleep(Duration::from_secs(if is_full() { 60 } else { 3 }));
        let state = ask(&lab, "status")["state"].clone();
        lab.server().signal(Signal::SIGCONT).expect("the server goes on");
        wait_for(&client, "answer", Duration::from_secs(60), || answers(&lab));
        carry(&lab, &client, true, swaps);
        let is_same = ask(&lab, "status")["reconnects"] == 0;
        assert_eq!(is_same, !is_full(), "{swaps}: {state} before\n{}", client.log());
        stop(client);
    }
}

/// F8: the session group's modes change under a session of 32 connections: 200 times, or 10,000 (`CUTOVER_TEST_FULL`).
/// What is chosen per session waits for the next one.
#[test]
fn modes_of_the_group_change_under_traffic() {
    let lab = vendored();
    let client = start(&lab, &ClientSpec { connections: 32, ..rust_with("*=rust") });
    wait_for(&client, "32 connections", Duration::from_secs(60), || ask(&lab, "status")["connections"] == 32);
    let path = ask(&lab, "status")["path"].clone();
    let (program, switches) = (bin("cutover-rust"), if is_full() { 10_000 } else { 200 });
    let line = format!(
        "i=0; while [ $i -lt {} ]; do \"$0\" swaps set session=c && \"$0\" swaps set session=rust || exit 1; i=$((i+1)); done",
        switches / 2
    );
    let arguments = ["sh".as_ref(), "-c".as_ref(), line.as_ref(), program.as_os_str()];
    thread::scope(|scope| {
        let switching = scope.spawn(|| lab.run_ok(Side::Client, &arguments, Duration::from_secs(1200)));
        while !switching.is_finished() {
            carry(&lab, &client, false, "switching");
        }
        switching.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"));
    });
    let status = ask(&lab, "status");
    assert_eq!((&status["path"], &status["reconnects"]), (&path, &0.into()), "the session kept its loop");
    stop(client);
}

/// The loop's side changes with the next session, which comes at once, by a clean reconnect, if asked.
#[test]
fn the_loop_changes_sides_at_once_if_asked() {
    let lab = vendored();
    let client = start(&lab, &rust_with("*=rust"));
    let before = interface(&lab);
    let program = bin("cutover-rust");
    let set = |arguments: &[&str]| {
        let head = [program.as_os_str(), "swaps".as_ref(), "set".as_ref()].into_iter();
        let line: Vec<&std::ffi::OsStr> = head.chain(arguments.iter().map(|argument| argument.as_ref())).collect();
        lab.run_ok(Side::Client, &line, LIMIT).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    };
    let is_on_c = || ask(&lab, "status")["path"] == "c";
    set(&["session=c"]);
    set(&["session=rust"]);
    assert!(!is_on_c() && ask(&lab, "status")["reconnects"] == 0, "nobody has asked for a new session");
    for (modes, on_c) in [("session=c", true), ("session=rust", false)] {
        set(&[modes, "--reconnect"]);
        let is_connected = || ask(&lab, "status")["state"] == "connected";
        wait_for(&client, modes, LIMIT, || is_connected() && is_on_c() == on_c && answers(&lab));
        carry(&lab, &client, true, modes);
        assert_eq!(interface(&lab), before, "{modes}");
    }
    assert_eq!(ask(&lab, "status")["reconnects"], 2);
    stop(client);
}

/// I8: a server that wants no encryption although it was asked for ends the client; its other terms are clamped.
#[test]
fn terms_are_refused_or_clamped_on_both_sides() {
    let lab = vendored();
    for swaps in ["*=c", "*=rust"] {
        match lab.start_client(&planted("plaintext", swaps)) {
            Err(LabError::ClientEnded { status, log, .. }) => {
                assert_eq!(status.code(), Some(11), "{swaps}\n{log}");
                assert!(log.contains("unencrypted"), "{swaps}\n{log}");
            }
            Err(error) => panic!("{swaps}: {error}"),
            Ok(client) => panic!("{swaps}: the client sent plaintext\n{}", client.log()),
        }
        for fault in ["timeout-0", "timeout-max"] {
            let client = start(&lab, &planted(fault, swaps));
            carry(&lab, &client, true, &format!("{fault}, {swaps}"));
            stop(client);
        }
    }
}
