//! The fused path against real servers: numbered frames both ways over every kind of transport it knows, with both
//! record layers; and what happens when a connection, the server or the interface goes.
//!
//! The programs are those of `./zigw build test`, as in `end_to_end.rs`. Without root the lab says what to do.

mod support;

use std::time::{Duration, Instant};

use ab_bench::frames::{Direction, FramePlan, FrameReport};
use ab_bench::lab::{Client, ClientSpec, Lab, ServerKind, Side};
use serde_json::Value;
use support::{LIMIT, bin, is_full, lab, rust_with, start, stop};

/// How long a client may take until it carries frames again, or has 32 connections, of which it makes one a second.
const RECOVERY: Duration = Duration::from_secs(60);
/// Frames each way in a check.
const FRAMES: u32 = 3000;

/// Starts a client, and waits until it says that it is connected, and how.
fn begin(lab: &Lab, spec: &ClientSpec) -> (Client, Value) {
    let client = start(lab, spec);
    let status = wait_for(lab, &client, "a path", |status| status["path"].is_string());
    (client, status)
}

fn status(lab: &Lab) -> Value {
    let program = bin("cutover-rust");
    let arguments = [program.as_os_str(), "status".as_ref(), "--json".as_ref()];
    let output = lab.run_ok(Side::Client, &arguments, LIMIT).unwrap_or_else(|error| panic!("{error}"));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Waits until the client says this of itself.
fn wait_for(lab: &Lab, client: &Client, what: &str, mut is_so: impl FnMut(&Value) -> bool) -> Value {
    let deadline = Instant::now() + RECOVERY;
    loop {
        let status = status(lab);
        if is_so(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{what} did not come: {status}\n{}", client.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn carry(lab: &Lab, client: &Client, frames: u32, seed: u64) -> [FrameReport; 2] {
    [Direction::Up, Direction::Down].map(|direction| {
        let plan = FramePlan::new(frames, seed);
        lab.carry_frames(client, direction, &plan).unwrap_or_else(|error| panic!("{error}\n{}", client.log()))
    })
}

/// Over one connection frames stay in order; over several they may overtake one another. None is lost or damaged.
fn carry_all(lab: &Lab, client: &Client, is_ordered: bool, what: &str) {
    carry_some(lab, client, FRAMES, is_ordered, what);
}

fn carry_some(lab: &Lab, client: &Client, frames: u32, is_ordered: bool, what: &str) {
    for report in carry(lab, client, frames, 7) {
        let is_whole = report.received == u64::from(frames) && report.lost == 0 && report.damaged == 0;
        assert!(is_whole && (report.is_clean() || !is_ordered), "{what}: {report}\n{}", client.log());
    }
}

#[test]
fn every_transport_with_rusts_record_layer() {
    every_transport("*=rust", &Value::Null);
}

#[test]
fn every_transport_with_openssls_record_layer() {
    every_transport("*=rust,tls=c", &"TLS by OpenSSL".into());
}

fn every_transport(modes: &str, reason: &Value) {
    let lab = lab(ServerKind::Vendored);
    let plain = rust_with(modes);
    for (kind, spec) in [
        ("1 connection", plain.clone()),
        ("2 connections", ClientSpec { connections: 2, ..plain.clone() }),
        ("8 connections", ClientSpec { connections: 8, ..plain.clone() }),
        ("32 connections", ClientSpec { connections: 32, ..plain.clone() }),
        ("half duplex", ClientSpec { connections: 4, half_duplex: true, ..plain.clone() }),
        ("compression", ClientSpec { compress: true, ..plain.clone() }),
        ("compression over 4", ClientSpec { compress: true, connections: 4, ..plain.clone() }),
    ] {
        let what = format!("{kind}, {modes}");
        // They come one a second.
        if spec.connections == 32 && modes != "*=rust" && !is_full() {
            continue;
        }
        let client = start(&lab, &spec);
        let want = u64::from(spec.connections);
        let status = wait_for(&lab, &client, &what, |status| status["connections"] == want);
        assert_eq!((&status["path"], &status["path_reason"]), (&"fused".into(), reason), "{what}: {status}");
        carry_all(&lab, &client, spec.connections == 1, &what);
        stop(client);
    }
}

#[test]
fn a_session_without_encryption_is_carried_in_the_clear() {
    let lab = lab(ServerKind::Vendored);
    for connections in [1, 4] {
        let (client, status) = begin(&lab, &ClientSpec { encrypt: false, connections, ..rust_with("*=rust") });
        assert_eq!(status["path"], "fused");
        carry_all(&lab, &client, connections == 1, "in the clear");
        stop(client);
    }
}

/// What goes by UDP on the path is `faults.rs`'s.
#[test]
fn compressed_frames_go_by_udp_on_the_seams() {
    let lab = lab(ServerKind::Vendored);
    let (client, status) = begin(&lab, &ClientSpec { udp_acceleration: true, compress: true, ..rust_with("*=rust") });
    assert_eq!(
        (&status["path"], &status["path_reason"]),
        (&"seams".into(), &"UDP acceleration with compression".into())
    );
    carry_all(&lab, &client, false, "compressed, by UDP");
    stop(client);
}

/// TLS 1.3 keys are replaced in both directions under traffic, again and again, by the server's OpenSSL and this record layer.
#[test]
fn keys_are_replaced_while_frames_pass() {
    let lab = lab(ServerKind::Vendored);
    let mut spec = ClientSpec { connections: 2, ..ClientSpec::cutover(bin("cutover-planted"), "*=rust") };
    spec.env.extend([("CUTOVER_PLANT".into(), "key-update".into()), ("CUTOVER_LOG".into(), "info".into())]);
    let (client, _) = begin(&lab, &spec);
    let status_before = wait_for(&lab, &client, "the second connection", |status| status["connections"] == 2);
    assert_eq!((&status_before["path"], &status_before["path_reason"]), (&"fused".into(), &Value::Null));
    // A third at a time: a peer that does nothing but replace keys, 32 times in a row, is refused, and while frames go up
    // the server has nothing else to send.
    for _ in 0..3 {
        carry_some(&lab, &client, FRAMES / 3, false, "keys are replaced");
    }
    for key in ["the next key seals what is sent", "the next key opens what comes"] {
        let times = client.log().matches(key).count();
        assert!(times >= 5, "{key}: {times} times\n{}", client.log());
    }
    let status = status(&lab);
    assert_eq!((&status["reconnects"], &status["connections"]), (&0.into(), &2.into()), "{status}");
    stop(client);
}

/// TLS 1.2 with each cipher suite that the record layer knows, as the server chooses it.
#[test]
fn tls_1_2_is_carried() {
    let lab = lab(ServerKind::Vendored);
    let openssl_conf = lab.dir().join("tls12.cnf");
    let lines = "openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\nMaxProtocol=TLSv1.2\n";
    std::fs::write(&openssl_conf, lines).expect("a file of the lab's");
    for suite in ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"] {
        lab.server().vpncmd(&format!("ServerCipherSet {suite}")).unwrap_or_else(|error| panic!("{error}"));
        let mut spec = rust_with("*=rust");
        spec.env.push(("OPENSSL_CONF".into(), openssl_conf.clone().into()));
        let (client, status) = begin(&lab, &spec);
        assert_eq!((&status["path"], &status["path_reason"]), (&"fused".into(), &Value::Null), "{suite}: {status}");
        assert_eq!(status["cipher"], suite, "{status}");
        carry_all(&lab, &client, true, suite);
        stop(client);
    }
}

#[test]
fn debians_server_too() {
    let lab = lab(ServerKind::Debian);
    for modes in ["*=rust", "*=rust,tls=c"] {
        let (client, status) = begin(&lab, &ClientSpec { connections: 2, ..rust_with(modes) });
        assert_eq!(status["path"], "fused", "{modes}");
        carry_all(&lab, &client, false, modes);
        stop(client);
    }
}

#[test]
fn what_the_path_does_not_know_takes_the_seams_and_says_why() {
    let lab = lab(ServerKind::Vendored);
    for (modes, path, reason) in [
        ("*=rust,adapter=c", "seams", "the packet adapter runs on c"),
        ("*=rust,connection_send=c", "seams", "framing runs on c"),
        ("*=rust,session=c", "c", "SessionMain runs on c"),
    ] {
        let (client, status) = begin(&lab, &rust_with(modes));
        assert_eq!((&status["path"], &status["path_reason"]), (&path.into(), &reason.into()), "{modes}: {status}");
        carry_all(&lab, &client, true, modes);
        stop(client);
    }
}

/// The numbers that a person sees are those of the frames that passed.
#[test]
fn the_counters_are_true() {
    let lab = lab(ServerKind::Vendored);
    let (client, before) = begin(&lab, &rust_with("*=rust"));
    let frames = |status: &Value, direction: &str| status[direction]["frames"].as_u64().unwrap();
    carry_all(&lab, &client, true, "counted");
    std::thread::sleep(Duration::from_millis(400));
    let after = status(&lab);
    for direction in ["sent", "received"] {
        let passed = frames(&after, direction) - frames(&before, direction);
        // The lab introduces its addresses with frames more, and the kernel says hello now and then.
        let expected = u64::from(FRAMES)..2 * u64::from(FRAMES);
        assert!(expected.contains(&passed), "{direction}: {passed}");
    }
    stop(client);
}

#[test]
fn a_server_that_is_killed_is_met_again() {
    let mut lab = lab(ServerKind::Vendored);
    for modes in ["*=rust", "*=rust,tls=c"] {
        let client = start(&lab, &ClientSpec { connections: 2, ..rust_with(modes) });
        carry_all(&lab, &client, false, "before");
        lab.server_mut().kill().unwrap();
        lab.server_mut().restart().unwrap();
        wait_for(&lab, &client, "another session", |status| {
            status["state"] == "connected" && status["reconnects"].as_u64().is_some_and(|count| count > 0)
        });
        assert_eq!(status(&lab)["path"], "fused", "{modes}");
        carry_all(&lab, &client, false, "after");
        stop(client);
    }
}

/// The card is deleted under the session: it ends within a second or two, with the C's error for it.
#[test]
fn a_deleted_interface_ends_the_session() {
    let lab = lab(ServerKind::Vendored);
    let mut client = start(&lab, &rust_with("*=rust"));
    lab.run_ok(Side::Client, &["ip", "link", "delete", "cut0"], LIMIT).unwrap();
    let deadline = Instant::now() + LIMIT;
    while !client.log().contains("the packet adapter ends the session") {
        assert!(Instant::now() < deadline, "it was not noticed\n{}", client.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = client.process().kill();
}
