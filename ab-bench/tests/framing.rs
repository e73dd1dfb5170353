//! Framing end to end: sessions of every kind of transport, framing on C and on Rust in turns, against the vendored server,
//! Debian's, and one that runs in Rust itself. Every frame is numbered and accounted for; numbered IPv4 and IPv6 datagrams
//! go through the tunnel besides.
//!
//! Programs as in end_to_end.rs, and `cutover-framing` (built with `-Dswaps=framing`), `cutover-vpnserver` (the server
//! on the swaps), `cutover-replay`. Without root the lab says what to do, and the tests fail. By default every number of
//! connections, in both directions or one, meets each server with one of the four choices of encryption and compression;
//! `CUTOVER_TEST_FULL=1 cargo test -p ab-bench --test framing` runs all of them.

mod support;

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ab_bench::frames::{Direction, FramePlan, FrameReport};
use ab_bench::lab::{
    Client, ClientSpec, Lab, LabOptions, SERVER_TAP, ServerKind, Side, TUNNEL_CLIENT_ADDRESS, TUNNEL_SERVER_ADDRESS,
};
use support::{LIMIT, answers, bin, is_full, lab, server_dir, stop};

/// Frames each way in one check.
const FRAMES: u32 = 400;
/// Datagrams each way in one check.
const DATAGRAMS: u32 = 100;

fn start(lab: &Lab, spec: &ClientSpec) -> Client {
    let client = support::start(lab, spec);
    give_ipv6_addresses(lab, &client);
    // What comes before the session's first turn is not the session's to carry.
    let deadline = Instant::now() + LIMIT;
    while !answers(lab) {
        assert!(Instant::now() < deadline, "no answer through the tunnel\n{}", client.log());
    }
    client
}

fn set(lab: &Lab, modes: &str) {
    let program = bin("cutover-framing");
    let arguments = [program.as_os_str(), "swaps".as_ref(), "set".as_ref(), modes.as_ref()];
    lab.run_ok(Side::Client, &arguments, LIMIT).unwrap_or_else(|error| panic!("{modes}: {error}"));
}

/// Each swap of the running client: name, mode, calls of the Rust side; and no swap may have failed.
fn calls_of_rust(lab: &Lab, swap: &str) -> u64 {
    let program = bin("cutover-framing");
    let output = lab.run_ok(Side::Client, &[program.as_os_str(), "swaps".as_ref(), "--json".as_ref()], LIMIT).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let swaps = answer["swaps"].as_array().expect("a list of swaps");
    for swap in swaps {
        for count in ["mismatches", "panics", "demotions"] {
            assert_eq!(swap[count], 0, "{count}: {swap}");
        }
    }
    let swap = swaps.iter().find(|entry| entry["name"] == swap).expect("the swap is in the build");
    swap["calls"]["rust"].as_u64().expect("a count")
}

/// Carries numbered frames both ways: each arrives once and whole. Over one TCP connection, they arrive in order, too.
fn carry(lab: &Lab, client: &Client, is_one_stream: bool, what: &str) {
    for (direction, seed) in [(Direction::Up, 1), (Direction::Down, 2)] {
        // What UDP's socket buffer surely holds.
        let plan = FramePlan { window: 48, ..FramePlan::new(FRAMES, seed) };
        let report = lab.carry_frames(client, direction, &plan).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(is_whole(&report), "{what}, {direction:?}: {report}\n{}", client.log());
        assert!(!is_one_stream || report.reordered == 0, "{what}, {direction:?}: {report}");
    }
    for version in [4, 6] {
        for direction in [Direction::Up, Direction::Down] {
            carry_datagrams(lab, version, direction)
                .unwrap_or_else(|e| panic!("{what}, IPv{version} {direction:?}: {e}"));
        }
    }
}

fn is_whole(report: &FrameReport) -> bool {
    report.received == report.sent && report.lost == 0 && report.damaged == 0 && report.duplicated == 0
}

/// TCP kinds of session: connections, half duplex, encryption, compression. Of the last two, unless all are asked for,
/// one choice for each of the first two, another for each `turn`.
fn kinds(program: &Path, swaps: &str, turn: usize) -> Vec<(String, ClientSpec)> {
    let mut kinds = Vec::new();
    let directions = [(1, false), (2, false), (2, true), (8, false), (8, true), (32, false), (32, true)];
    for (place, (connections, half_duplex)) in directions.into_iter().enumerate() {
        let choices = [(true, false), (true, true), (false, false), (false, true)];
        for (choice, (encrypt, compress)) in choices.into_iter().enumerate() {
            // 32 connections come one a second.
            let is_slow = connections == 32 && (half_duplex || turn > 0);
            if !is_full() && (is_slow || choice != (place + turn) % choices.len()) {
                continue;
            }
            let half = if half_duplex { ", half duplex" } else { "" };
            let name = format!("{connections} connections{half}, encryption {encrypt}, compression {compress}");
            let plain = ClientSpec::cutover(program, swaps);
            kinds.push((name, ClientSpec { connections, half_duplex, encrypt, compress, ..plain }));
        }
    }
    kinds
}

/// All kinds of TCP transport against one server, framing on C, on Rust and on C again in the running client.
fn all_kinds(server: ServerKind, turn: usize) {
    let lab = lab(server);
    for (kind, spec) in kinds(&bin("cutover-framing"), "*=c", turn) {
        let client = start(&lab, &spec);
        let is_one_stream = spec.connections == 1;
        carry(&lab, &client, is_one_stream, &format!("{kind}, on c"));
        set(&lab, "framing=rust");
        carry(&lab, &client, is_one_stream, &format!("{kind}, on rust"));
        let calls = calls_of_rust(&lab, "connection_send").min(calls_of_rust(&lab, "connection_receive"));
        assert!(calls > 0, "{kind}: framing did not run in Rust");
        set(&lab, "framing=c");
        carry(&lab, &client, is_one_stream, &format!("{kind}, on c again"));
        stop(client);
    }
}

#[test]
fn every_kind_of_transport_with_the_vendored_server() {
    all_kinds(ServerKind::Vendored, 0);
}

#[test]
fn every_kind_of_transport_with_debians_server() {
    all_kinds(ServerKind::Debian, 2);
}

#[test]
fn udp_acceleration_is_used_and_carries_frames() {
    for server in [ServerKind::Vendored, ServerKind::Debian] {
        let lab = lab(server);
        for (encrypt, compress) in [(true, false), (true, true), (false, false)] {
            // Ten seconds pass until each is used.
            if !is_full() && (encrypt && compress) == matches!(server, ServerKind::Vendored) {
                continue;
            }
            let plain = ClientSpec::cutover(bin("cutover-framing"), "framing=rust");
            let client = start(&lab, &ClientSpec { udp_acceleration: true, encrypt, compress, ..plain });
            let what = format!("{server:?}, encryption {encrypt}, compression {compress}");
            lab.wait_for_udp(&client).unwrap_or_else(|error| panic!("{what}: {error}\n{}", client.log()));
            for modes in ["framing=rust", "framing=c", "framing=rust"] {
                set(&lab, modes);
                let before = lab.udp_received(Side::Server).unwrap();
                carry(&lab, &client, false, &format!("{what}, {modes}"));
                let used = lab.udp_received(Side::Server).unwrap().since(before).datagrams;
                assert!(used >= FRAMES.into(), "{what}, {modes}: {used} datagrams for {FRAMES} frames each way");
            }
            stop(client);
        }
    }
}

/// SoftEther's server with every swap in it on Rust serves the untouched C and the Rust client alike.
#[test]
fn a_server_on_rust_serves() {
    let folder = std::env::temp_dir().join(format!("cutover-server-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    symlink(bin("cutover-vpnserver"), folder.join("vpnserver")).unwrap();
    for name in ["vpncmd", "hamcore.se2"] {
        symlink(std::fs::canonicalize(server_dir().join(name)).unwrap(), folder.join(name)).unwrap();
    }
    let options = LabOptions { server: ServerKind::Vendored, server_dir: Some(folder.clone()) };
    let lab = Lab::start(&options).unwrap_or_else(|error| panic!("{error}"));
    std::fs::remove_dir_all(folder).unwrap();
    for (connections, half_duplex, compress, encrypt) in
        [(1, false, false, true), (1, false, true, true), (8, false, false, true), (4, true, true, false)]
    {
        for program in ["cutover-c", "cutover-framing"] {
            let plain = ClientSpec::cutover(bin(program), "");
            let client = start(&lab, &ClientSpec { connections, half_duplex, compress, encrypt, ..plain });
            carry(&lab, &client, connections == 1, &format!("{program}, {connections} connections"));
            stop(client);
        }
    }
}

/// What `CUTOVER_RECORD_PLAINTEXT` records of a session comes out of C and Rust as it was. With CUTOVER_BLESS the
/// records become the test data of rust/replay.
#[test]
fn recorded_sessions_are_replayed() {
    for (name, connections, compress) in
        [("plain.rec", 1, false), ("compressed.rec", 1, true), ("connections.rec", 4, false)]
    {
        // A hub keeps an address for a while with the session that had it; each recording has a hub of its own.
        let lab = lab(ServerKind::Vendored);
        let record = lab.dir().join(name);
        let mut spec = ClientSpec { connections, compress, ..ClientSpec::cutover(bin("cutover-framing"), "") };
        spec.env.push(("CUTOVER_RECORD_PLAINTEXT".into(), record.clone().into()));
        let client = start(&lab, &spec);
        for direction in [Direction::Up, Direction::Down] {
            let report = lab.carry_frames(&client, direction, &FramePlan::new(40, 3)).unwrap();
            assert!(is_whole(&report), "{name}: {report}");
        }
        assert!(client.log().contains("CUTOVER_RECORD_PLAINTEXT"), "it is not said:\n{}", client.log());
        stop(client);
        let output = Command::new(bin("cutover-replay")).arg(&record).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
        println!("{name}: {said}");
        if std::env::var_os("CUTOVER_BLESS").is_some() {
            let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rust/replay/tests/data");
            std::fs::copy(&record, data.join(name)).unwrap();
        }
    }
}

/// How often frames over many connections overtake one another, on either side, in turns. Not a test of equality: the
/// differential tests hold the order that both make of the same arrivals. It prints.
#[test]
#[ignore = "a measurement; docs/BENCH.md has its result"]
fn frames_that_overtake_one_another() {
    let lab = lab(ServerKind::Vendored);
    for (connections, window) in [(8, 128), (32, 128), (32, 900)] {
        let client = start(&lab, &ClientSpec { connections, ..ClientSpec::cutover(bin("cutover-framing"), "*=c") });
        let mut reordered = [Vec::new(), Vec::new()];
        for seed in 0..30 {
            for (side, reordered) in ["c", "rust"].into_iter().zip(&mut reordered) {
                set(&lab, &format!("framing={side}"));
                let plan = FramePlan { window, ..FramePlan::new(5000, seed) };
                let report = lab.carry_frames(&client, Direction::Down, &plan).unwrap();
                assert!(is_whole(&report), "{side}: {report}");
                reordered.push(report.reordered);
            }
        }
        let [c, rust] = reordered;
        println!(
            "{connections} connections, {window} frames on the way, of 5000 each run\n  c    {c:?}\n  rust {rust:?}"
        );
        stop(client);
    }
}

const CLIENT_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd78, 0, 0, 0, 0, 0, 0, 2);
const SERVER_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd78, 0, 0, 0, 0, 0, 0, 1);

/// The lab has IPv6 switched off; the tunnel's two ends get an address each.
fn give_ipv6_addresses(lab: &Lab, client: &Client) {
    for (side, interface, address) in
        [(Side::Client, client.interface(), CLIENT_IPV6), (Side::Server, SERVER_TAP, SERVER_IPV6)]
    {
        let line = "echo 0 > /proc/sys/net/ipv6/conf/$0/disable_ipv6 && ip -6 address replace $1/64 dev $0 nodad";
        lab.run_ok(side, &["sh", "-c", line, interface, &address.to_string()], LIMIT).unwrap();
    }
}

/// Sends numbered datagrams of many sizes from one end of the tunnel to the other, some on the way at once. Each must
/// come once and whole.
fn carry_datagrams(lab: &Lab, version: u8, direction: Direction) -> std::io::Result<()> {
    const WINDOW: u32 = 16;
    let addresses: [IpAddr; 2] = match version {
        4 => [TUNNEL_CLIENT_ADDRESS.into(), TUNNEL_SERVER_ADDRESS.into()],
        _ => [CLIENT_IPV6.into(), SERVER_IPV6.into()],
    };
    let open = |side, address: IpAddr| lab.within(side, || UdpSocket::bind(SocketAddr::new(address, 0))).unwrap();
    let (client, server) = (open(Side::Client, addresses[0])?, open(Side::Server, addresses[1])?);
    let (sender, receiver) = match direction {
        Direction::Up => (client, server),
        Direction::Down => (server, client),
    };
    let to = receiver.local_addr()?;
    receiver.set_read_timeout(Some(Duration::from_secs(10)))?;
    let datagram = |number: u32| -> Vec<u8> {
        let size = 4 + (number as usize * 389) % 1440;
        number.to_be_bytes().into_iter().chain(std::iter::repeat(number.to_le_bytes()[0])).take(size).collect()
    };
    let arrived = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            for number in 0..DATAGRAMS {
                let begun = Instant::now();
                while number >= arrived.load(Ordering::Acquire) + WINDOW && begun.elapsed() < LIMIT {
                    std::thread::yield_now();
                }
                sender.send_to(&datagram(number), to)?;
            }
            Ok(())
        });
        let mut seen = vec![false; DATAGRAMS as usize];
        let mut buffer = [0; 2048];
        for _ in 0..DATAGRAMS {
            let size = receiver.recv(&mut buffer)?;
            let received = &buffer[..size];
            let number = received.first_chunk().map_or(u32::MAX, |number| u32::from_be_bytes(*number));
            let is_new = seen.get_mut(number as usize).is_some_and(|seen| !std::mem::replace(seen, true));
            if !is_new || received != datagram(number) {
                return Err(std::io::Error::other(format!("datagram {number} is damaged or came twice")));
            }
            arrived.fetch_add(1, Ordering::Release);
        }
        sending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
