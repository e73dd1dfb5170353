//! The client behind the fault proxy, against a real server: connections cut while they are made, bytes in pieces, delays,
//! stalls, damaged bytes, lost and damaged datagrams; with every swap on C, on Rust, and mixed. `docs/FAULTS.md` says what
//! must hold; `CUTOVER_TEST_FULL=1` runs the cases that take minutes, too.
//!
//! The programs are those that `./zigw build test-programs` installs. Needs root.

mod support;

use std::time::{Duration, Instant};

use ab_bench::frames::{Direction, FramePlan, FrameReport, FrameSizes};
use ab_bench::lab::{Client, ClientSpec, FAULT_ADDRESS, Lab, LabError, ServerKind, Side};
use ab_bench::proxy::FaultSpec;
use support::{LIMIT, answers, bin, is_full, rust_with, stop, vendored};

/// C, Rust, and a seam between every two groups.
const SIDES: [&str; 3] = ["*=c", "*=rust", "*=c,framing=rust"];

fn faults(text: &str) -> FaultSpec {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn client(swaps: &str) -> ClientSpec {
    ClientSpec { server: FAULT_ADDRESS, ..rust_with(swaps) }
}

fn carry(lab: &Lab, client: &Client, direction: Direction, plan: &FramePlan) -> FrameReport {
    lab.carry_frames(client, direction, plan).unwrap_or_else(|error| panic!("{error}"))
}

/// Frames both ways; every one must arrive, once, in order.
fn carry_clean(lab: &Lab, client: &Client, count: u32, what: &str) {
    for direction in [Direction::Up, Direction::Down] {
        let report = carry(lab, client, direction, &FramePlan::new(count, 3));
        assert!(report.is_clean(), "{what}, {direction:?}: {report}\n{}", client.log());
    }
}

/// Waits until the server's end answers through the tunnel.
fn wait_for_the_tunnel(lab: &Lab, client: &Client, patience: Duration) {
    let deadline = Instant::now() + patience;
    while !answers(lab) {
        assert!(Instant::now() < deadline, "no way through the tunnel within {patience:?}\n{}", client.log());
    }
}

fn stop_and_see_nothing_left(lab: &Lab, client: Client) {
    stop(client);
    let links = lab.run_ok(Side::Client, &["ip", "-brief", "link"], LIMIT).unwrap();
    assert!(!String::from_utf8_lossy(&links.stdout).contains("cut0"), "an interface is left behind");
}

/// F1, F2: a login that is cut or reset anywhere is a transient failure, never a hang, a crash, or a permanent one.
#[test]
fn a_login_that_is_cut_anywhere_ends_with_a_transient_code() {
    let lab = vendored();
    let proxy = lab.start_proxy(&FaultSpec::default()).unwrap();
    let mut config = lab.client_config(&client("")).unwrap();
    config.insert("reconnect".into(), toml::toml! { enabled = false }.into());
    let places: Vec<u32> = if is_full() { (0..1500).step_by(7).collect() } else { vec![0, 1, 5, 77, 310, 900] };
    for side in SIDES {
        for (number, place) in places.iter().enumerate() {
            let way = if number % 2 == 0 { "up" } else { "down" };
            let ending = if number % 3 == 0 { "close" } else { "reset" };
            let spec = format!("{way}:{ending}@{place}");
            proxy.set(&faults(&spec));
            match lab.start_client_with_config(&client(side), &config.to_string()) {
                Err(LabError::ClientEnded { status, log }) => {
                    let code = status.code().unwrap_or_else(|| panic!("{side}, {spec}: it ended with {status}\n{log}"));
                    assert!((20..30).contains(&code), "{side}, {spec}: exit code {code}\n{log}");
                }
                Err(error) => panic!("{side}, {spec}: {error}"),
                Ok(client) => panic!("{side}, {spec}: it connected\n{}", client.log()),
            }
        }
    }
    assert_eq!(proxy.counts().endings, (SIDES.len() * places.len()) as u64);
}

/// F1: whatever the pieces in which bytes come and go, no frame is lost.
#[test]
fn reads_and_writes_of_1_to_7_bytes_lose_nothing() {
    let lab = vendored();
    let _proxy = lab.start_proxy(&faults("pieces=1..7")).unwrap();
    for side in SIDES {
        let client = lab.start_client(&client(side)).unwrap_or_else(|error| panic!("{side}: {error}"));
        carry_clean(&lab, &client, 300, side);
        stop_and_see_nothing_left(&lab, client);
    }
}

/// F2, F3: a slow, late and now and then stalled way loses nothing either: the window closes, and opens again.
#[test]
fn delays_a_narrow_way_and_closed_windows_lose_nothing() {
    let lab = vendored();
    let _proxy = lab.start_proxy(&faults("delay=5ms,rate=30M,stall@60000=200ms,down:stall@90000=200ms")).unwrap();
    for side in SIDES {
        let client = lab.start_client(&client(side)).unwrap_or_else(|error| panic!("{side}: {error}"));
        carry_clean(&lab, &client, 400, side);
        stop_and_see_nothing_left(&lab, client);
    }
}

/// F3: of a damaged record nothing arrives; the session ends, and the next one carries frames again.
#[test]
fn a_damaged_byte_reaches_no_frame_and_the_client_connects_again() {
    let lab = vendored();
    let proxy = lab.start_proxy(&FaultSpec::default()).unwrap();
    let sides = if is_full() { &SIDES[..] } else { &SIDES[1..2] };
    for side in sides {
        // On this connection only: the next one is whole.
        let next = proxy.counts().connections + 1;
        proxy.set(&faults(&format!("down:corrupt@60000#{next}")));
        let client = lab.start_client(&client(side)).unwrap_or_else(|error| panic!("{side}: {error}"));
        let report = carry(&lab, &client, Direction::Down, &FramePlan::new(200, 3));
        assert!(report.lost > 0, "{side}: the damage was not noticed: {report}");
        assert_eq!((report.damaged, report.duplicated), (0, 0), "{side}: {report}");
        wait_for_the_tunnel(&lab, &client, Duration::from_secs(60));
        carry_clean(&lab, &client, 300, side);
        stop_and_see_nothing_left(&lab, client);
    }
}

/// F3: with UDP acceleration, a lost datagram is a lost frame and no more; damaged ones are no frames.
#[test]
fn lost_doubled_reordered_and_damaged_datagrams_damage_no_frame() {
    const FRAMES: u32 = 1000;
    let lab = vendored();
    let proxy = lab.start_proxy(&FaultSpec::default()).unwrap();
    let sides = if is_full() { &SIDES[..2] } else { &SIDES[1..2] };
    for side in sides {
        proxy.set(&FaultSpec::default());
        let spec = ClientSpec { udp_acceleration: true, ..client(side) };
        let client = lab.start_client(&spec).unwrap_or_else(|error| panic!("{side}: {error}"));
        wait_for_udp(&lab, &client, &proxy, side);
        proxy.set(&faults("loss=3%,dup=3%,reorder=3%,corrupt=3%,seed=5"));
        let before = proxy.counts().datagrams;
        for direction in [Direction::Up, Direction::Down] {
            let plan = FramePlan { sizes: FrameSizes::new(60, 1300), window: 32, ..FramePlan::new(FRAMES, 4) };
            let report = carry(&lab, &client, direction, &plan);
            assert_eq!(report.damaged, 0, "{side}, {direction:?}: {report}");
            let (lost, duplicated) = (report.lost, report.duplicated);
            // 6 % are lost or damaged and 3 % doubled, by decision.
            assert!((20..200).contains(&lost), "{side}, {direction:?}: {report}\n{}", client.log());
            assert!((5..100).contains(&duplicated), "{side}, {direction:?}: {report}\n{}", client.log());
        }
        assert!(proxy.counts().datagrams - before > u64::from(FRAMES), "{side}: the frames did not go by UDP");
        stop_and_see_nothing_left(&lab, client);
    }
}

/// UDP acceleration on the fused path: frames go as datagrams, both ways, and those that do not fit into one by TCP; nothing
/// is lost, doubled or damaged.
#[test]
fn frames_go_by_udp_on_the_fused_path() {
    const FRAMES: u32 = 2000;
    let servers = [ServerKind::Vendored, ServerKind::Debian];
    for server in if is_full() { &servers[..] } else { &servers[..1] } {
        let lab = support::lab(*server);
        let proxy = lab.start_proxy(&FaultSpec::default()).unwrap();
        let spec = ClientSpec { udp_acceleration: true, ..client("*=rust") };
        let client = lab.start_client(&spec).unwrap_or_else(|error| panic!("{server:?}: {error}"));
        wait_for_udp(&lab, &client, &proxy, "*=rust");
        let before = proxy.counts().datagrams;
        for direction in [Direction::Up, Direction::Down] {
            let report = carry(&lab, &client, direction, &FramePlan { window: 16, ..FramePlan::new(FRAMES, 4) });
            let dropped = [Side::Client, Side::Server].map(|side| datagrams_dropped(&lab, side));
            let is_sound = report.lost == 0 && report.duplicated == 0 && report.damaged == 0;
            let status = status(&lab);
            assert!(is_sound, "{server:?}, {direction:?}: {report}\n{dropped:#?}\n{status}\n{}", client.log());
        }
        // Nine in ten of all sizes fit.
        let datagrams = proxy.counts().datagrams - before;
        assert!(datagrams > u64::from(FRAMES * 3 / 2), "{server:?}: only {datagrams} datagrams\n{}", client.log());
        let status = status(&lab);
        assert_eq!(status["path"], "fused", "{server:?}: {status}");
        // A narrower way to the proxy, which the client asks for with each keep-alive: what fits no more goes by TCP, and
        // not in fragments.
        lab.run_ok(Side::Client, &["ip", "link", "set", "lo", "mtu", "1000"], LIMIT).unwrap();
        std::thread::sleep(Duration::from_secs(4));
        let before = lab.udp_received(Side::Client).unwrap();
        let report = carry(&lab, &client, Direction::Up, &FramePlan { window: 16, ..FramePlan::new(FRAMES, 5) });
        let came = lab.udp_received(Side::Client).unwrap().since(before);
        assert_eq!((report.lost, report.damaged, came.fragments), (0, 0, 0), "{server:?}: {report}\n{}", client.log());
        // Six in ten of all sizes fit.
        assert!(came.datagrams > u64::from(FRAMES / 2), "{server:?}: only {came:?}\n{}", client.log());
        stop_and_see_nothing_left(&lab, client);
    }
}

/// What the kernel says of one side's datagrams: its line of counters, errors of full buffers among them.
fn datagrams_dropped(lab: &Lab, side: Side) -> String {
    let output = lab
        .run_ok(side, &["grep", "-E", "^(Ip|Udp):", "/proc/net/snmp"], LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Sends frames until they go as datagrams, both ways, which takes ten seconds.
fn wait_for_udp(lab: &Lab, client: &Client, proxy: &ab_bench::proxy::Proxy, side: &str) {
    const PROBES: u32 = 100;
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let before = proxy.counts().datagrams;
        for direction in [Direction::Up, Direction::Down] {
            let plan = FramePlan { sizes: FrameSizes::new(60, 1300), ..FramePlan::new(PROBES, 9) };
            carry(lab, client, direction, &plan);
        }
        if proxy.counts().datagrams - before >= u64::from(2 * PROBES) {
            return;
        }
        assert!(Instant::now() < deadline, "{side}: no UDP within a minute\n{}", client.log());
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// F2: of several connections one is reset. What the server makes of that (docs/FAULTS.md) may end the session, but frames pass
/// again, over all connections.
#[test]
fn one_of_several_connections_is_reset() {
    const CONNECTIONS: u8 = 3;
    let lab = vendored();
    let proxy = lab.start_proxy(&FaultSpec::default()).unwrap();
    let sides = if is_full() { &SIDES[..] } else { &SIDES[1..2] };
    for side in sides {
        let second = proxy.counts().connections + 2;
        proxy.set(&faults(&format!("up:reset@60000#{second}")));
        let spec = ClientSpec { connections: CONNECTIONS, ..client(side) };
        let client = lab.start_client(&spec).unwrap_or_else(|error| panic!("{side}: {error}"));
        let deadline = Instant::now() + Duration::from_secs(60);
        let before = proxy.counts().endings;
        while proxy.counts().endings == before {
            assert!(Instant::now() < deadline, "{side}: nothing was reset\n{}", client.log());
            let report = carry(&lab, &client, Direction::Up, &FramePlan::new(500, 3));
            assert_eq!(report.damaged, 0, "{side}: {report}");
        }
        loop {
            wait_for_the_tunnel(&lab, &client, Duration::from_secs(60));
            let report = carry(&lab, &client, Direction::Up, &FramePlan::new(500, 3));
            assert_eq!(report.damaged, 0, "{side}: {report}");
            if report.lost == 0 && status(&lab)["connections"] == CONNECTIONS {
                break;
            }
            assert!(Instant::now() < deadline, "{side}: {report}\n{}", client.log());
        }
        stop_and_see_nothing_left(&lab, client);
    }
}

/// What `cutover status` answers.
fn status(lab: &Lab) -> serde_json::Value {
    let status = [bin("cutover-rust").into_os_string(), "status".into(), "--json".into()];
    let status = lab.run_ok(Side::Client, &status, LIMIT).unwrap();
    serde_json::from_slice(&status.stdout).expect("JSON")
}

/// F2: a way that goes silent without an end is noticed when the session's timeout is over, and the client comes back.
#[test]
fn a_half_open_connection_is_left_after_the_timeout() {
    if !is_full() {
        return;
    }
    let lab = vendored();
    let proxy = lab.start_proxy(&FaultSpec::default()).unwrap();
    for side in SIDES {
        for way in ["up", "down"] {
            let next = proxy.counts().connections + 1;
            proxy.set(&faults(&format!("{way}:half@60000#{next}")));
            let client = lab.start_client(&client(side)).unwrap_or_else(|error| panic!("{side}: {error}"));
            let direction = if way == "up" { Direction::Up } else { Direction::Down };
            let report = carry(&lab, &client, direction, &FramePlan::new(200, 3));
            assert!(report.lost > 0 && report.damaged == 0, "{side}, {way}: {report}");
            wait_for_the_tunnel(&lab, &client, Duration::from_secs(120));
            carry_clean(&lab, &client, 300, side);
            stop_and_see_nothing_left(&lab, client);
        }
    }
}
