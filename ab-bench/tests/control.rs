//! Cutting over on a live session of a real client and a real server: by the commands of the README, by a plan, and back,
//! by every planted fault; numbered frames pass meanwhile, and every one is checked.
//!
//! The programs are those of `end_to_end.rs`; without root the lab says what to do, and the tests fail.

mod support;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ab_bench::frames::{Direction, FramePlan};
use ab_bench::lab::{Client, ClientKind, ClientSpec, Lab, Side};
use nix::sys::signal::Signal;
use serde_json::Value;
use support::{LIMIT, answers, bin, start, vendored};

/// What the project promises for functions that compute, and for sessions. A test machine that is loaded with other
/// tests may take its time with everything, so the tests allow twice that.
const UNDONE_MAX: Duration = Duration::from_secs(2);
const RECONNECTED_MAX: Duration = Duration::from_secs(10);

/// A client with its state in a folder that outlives it.
fn spec(lab: &Lab, swaps: &str) -> ClientSpec {
    let mut spec = ClientSpec::cutover(bin("cutover-rust"), swaps);
    spec.env.push(("CUTOVER_STATE_DIR".into(), lab.dir().join("state").into()));
    spec.env.push(("CUTOVER_RUNTIME_DIR".into(), lab.dir().join("run").into()));
    spec
}

/// One with a fault in it.
fn planted(lab: &Lab, fault: &str, swaps: &str) -> ClientSpec {
    let mut spec = ClientSpec { kind: ClientKind::Cutover(bin("cutover-planted")), ..spec(lab, swaps) };
    spec.env.push(("CUTOVER_PLANT".into(), fault.into()));
    spec
}

/// `cutover swaps …`: its output, or what it printed when it failed.
fn swaps(lab: &Lab, words: &[&str]) -> Result<String, String> {
    let program = bin("cutover-rust");
    let runtime = format!("CUTOVER_RUNTIME_DIR={}", lab.dir().join("run").display());
    let command = ["env", &runtime, program.to_str().expect("a path"), "swaps"];
    let arguments: Vec<&str> = command.iter().chain(words).copied().collect();
    let output = lab.run(Side::Client, &arguments, LIMIT).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn done(lab: &Lab, words: &[&str]) -> String {
    swaps(lab, words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn table(lab: &Lab) -> Value {
    serde_json::from_str(&done(lab, &["--json"])).expect("JSON")
}

fn row(lab: &Lab, name: &str) -> Value {
    let table = table(lab);
    table["swaps"].as_array().expect("swaps").iter().find(|row| row["name"] == name).expect("the swap").clone()
}

fn wait_until(what: &str, limit: Duration, client: &Client, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < limit, "{what} takes longer than {limit:?}\n{}", client.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

/// Frames of all sizes both ways, until `done` says so; every one must arrive, once, in order, as it was sent.
fn carry_until(lab: &Lab, client: &Client, done: &AtomicBool) -> u64 {
    let mut carried = 0;
    for seed in 1.. {
        for direction in [Direction::Up, Direction::Down] {
            let report = lab.carry_frames(client, direction, &FramePlan::new(500, seed)).expect("frames");
            assert!(report.is_clean(), "{direction:?}: {report}\n{}", client.log());
            carried += report.received;
        }
        if done.load(Ordering::Relaxed) {
            break;
        }
    }
    carried
}

/// Does something while frames pass that are all checked.
fn under_traffic(lab: &Lab, client: &Client, act: impl FnOnce()) -> u64 {
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| carry_until(lab, client, &done));
        let ends = Done(&done);
        act();
        drop(ends);
        traffic.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn audit(lab: &Lab) -> String {
    std::fs::read_to_string(lab.dir().join("state/lab.audit.jsonl")).expect("an audit log")
}

fn interface_index(lab: &Lab) -> String {
    let output = lab.run_ok(Side::Client, &["ip", "-oneline", "address", "show", "cut0"], LIMIT).expect("cut0");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("10.78.0.2/24"), "{text}");
    text.split(':').next().expect("an index").to_owned()
}

#[test]
fn four_commands_move_new_block_on_a_live_session_and_back() {
    let lab = vendored();
    // With everything on Rust the fused path would carry the frames, which has no blocks.
    let client = start(&lab, &spec(&lab, "*=c"));
    for (mode, lane) in [("c", "c"), ("shadow", "shadow"), ("rust", "rust"), ("c", "c")] {
        done(&lab, &["set", &format!("new_block={mode}")]);
        let before = row(&lab, "new_block");
        under_traffic(&lab, &client, || std::thread::sleep(Duration::from_millis(300)));
        let after = row(&lab, "new_block");
        assert_eq!(after["mode"], mode);
        for other in ["c", "shadow", "rust"] {
            let calls = after["calls"][other].as_u64().unwrap() - before["calls"][other].as_u64().unwrap();
            assert_eq!(calls > 0, other == lane, "{calls} calls on {other} in mode {mode}");
        }
    }
    assert!(done(&lab, &["explain", "new_block"]).contains("set to rust by user 0"));
    assert!(done(&lab, &["watch", "--count", "2"]).contains("new_block"));
    assert!(client.stop().unwrap().success());
}

#[test]
fn without_a_control_plane_frames_pass_and_nothing_is_opened_or_kept() {
    let lab = vendored();
    let spec = spec(&lab, "*=c");
    let mut config = lab.client_config(&spec).expect("a configuration");
    config.insert("control".into(), toml::toml! { enabled = false }.into());
    let mut client = lab.start_client_with_config(&spec, &config.to_string()).expect("a client");
    under_traffic(&lab, &client, || std::thread::sleep(Duration::from_millis(300)));
    let error = swaps(&lab, &["set", "new_block=c"]).expect_err("nobody answers");
    assert!(error.contains("no client"), "{error}");
    let entries = std::fs::read_dir(lab.dir().join("run")).expect("the runtime folder");
    let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["lab.lock"]);
    assert!(!lab.dir().join("state").exists());
    // What is left to an operator does no harm.
    client.process().signal(Signal::SIGUSR1).expect("a signal");
    under_traffic(&lab, &client, || std::thread::sleep(Duration::from_millis(300)));
    assert!(client.stop().unwrap().success());
}

/// What computes, and framing with it: from C over shadow to Rust, under traffic.
const COMPUTING: &str = r#"
name = "computing"
[[step]]
swaps = ["framing", "memory"]
stages = ["c", "shadow@1%", "shadow", "rust@1%", "rust@50%", "rust"]
min_time = "300ms"
[step.gates]
error_rate = 0.01
reconnects = 0
"#;

/// What is chosen per session.
const PER_SESSION: &str = r#"
name = "per session"
[[step]]
swaps = ["session", "adapter", "tls"]
stages = ["rust"]
min_time = "1s"
"#;

#[test]
fn plans_move_every_group_from_c_to_rust_while_no_frame_is_lost() {
    let lab = vendored();
    // C by the environment is a start, and no bar to a plan that a person begins.
    let client = start(&lab, &spec(&lab, "*=c"));
    let plan = |text: &str| {
        let file = lab.dir().join("all.toml");
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap().to_owned();
        assert!(done(&lab, &["plan", &file, "--check"]).contains("can be begun"));
        done(&lab, &["plan", &file]);
    };
    let is_done = || table(&lab)["plan"]["state"] == "done";
    under_traffic(&lab, &client, || {
        plan(COMPUTING);
        wait_until("the first plan", LIMIT, &client, is_done);
    });
    // One reconnect, in which nobody promises frames.
    plan(PER_SESSION);
    wait_until("the second plan", LIMIT, &client, is_done);
    wait_until("a new session", RECONNECTED_MAX, &client, || {
        row(&lab, "vlan_get_packet_adapter")["calls"]["rust"] != 0
    });
    wait_until("the tunnel", RECONNECTED_MAX, &client, || answers(&lab));
    under_traffic(&lab, &client, || {});
    let groups = ["framing", "memory", "session", "adapter", "tls"];
    for row in table(&lab)["swaps"].as_array().unwrap() {
        if groups.iter().any(|group| row["group"] == *group) {
            let seen = (&row["mode"], &row["percent"], &row["mismatches"], &row["panics"]);
            assert_eq!(seen, (&"rust".into(), &100.into(), &0.into(), &0.into()), "{row}");
        }
    }
    assert!(client.stop().unwrap().success());
}

fn one_step(lab: &Lab, step: &str) -> PathBuf {
    let file = lab.dir().join("plan.toml");
    std::fs::write(&file, format!("name = \"drill\"\n[[step]]\nmin_time = \"1h\"\n{step}\n")).unwrap();
    file
}

/// Begins a plan under which the fault strikes, and waits until it was found.
fn found(lab: &Lab, client: &Client, step: &str, swap: &str) -> (Duration, String) {
    let file = one_step(lab, step);
    done(lab, &["plan", file.to_str().unwrap()]);
    let took = wait_until("finding the fault", LIMIT, client, || !row(lab, swap)["demoted"].is_null());
    (took, row(lab, swap)["demoted"].as_str().unwrap().to_owned())
}

#[test]
fn a_mismatch_and_a_panic_are_found_undone_with_what_is_bound_audited_and_cost_no_frame() {
    // The second mismatch lies where only the comparison of all bytes that wait finds it.
    for (fault, word, stage) in
        [("mismatch", "mismatch", "shadow"), ("far-mismatch", "mismatch", "shadow"), ("panic", "panic", "rust")]
    {
        let lab = vendored();
        let inputs = lab.dir().join("inputs");
        std::fs::create_dir(&inputs).expect("a folder in the lab");
        let mut spec = planted(&lab, fault, "*=c");
        spec.env.push(("CUTOVER_CAPTURE_PLAINTEXT".into(), inputs.clone().into()));
        spec.env.push(("CUTOVER_LOG".into(), "warn,cutover=info,softether=debug".into()));
        let client = start(&lab, &spec);
        let step = format!("swaps = [\"write_fifo\", \"read_fifo\", \"get_fifo_pointer\"]\nstages = [\"{stage}\"]");
        under_traffic(&lab, &client, || {
            let (took, reason) = found(&lab, &client, &step, "write_fifo");
            assert!(reason.contains(word), "{fault}: {reason}");
            assert!(took < UNDONE_MAX, "{fault}: {took:?}");
            wait_until("the rollback of the bound", UNDONE_MAX, &client, || row(&lab, "read_fifo")["mode"] == "c");
        });
        assert!(audit(&lab).contains("\"what\":\"demoted\",\"swap\":\"write_fifo\""), "{}", audit(&lab));
        assert!(swaps(&lab, &["set", "write_fifo=rust"]).unwrap_err().contains("promote"));
        // C runs the session, and yet its thread is known to work for it.
        let log = client.log();
        let demoted = log.lines().find(|line| line.contains("demoted to c swap=\"write_fifo\""));
        assert!(demoted.is_some_and(|line| line.ends_with(" session=1")), "{log}");
        assert!(log.contains("cutover: debug: "), "the C's Debug() is asked for: {log}");
        assert!(client.stop().unwrap().success());
        inputs_are_made_again(&inputs, word == "mismatch");
        // It stays demoted in the next run of the same build.
        let client = start(&lab, &planted(&lab, "none", "*=rust"));
        assert_eq!(
            (&row(&lab, "write_fifo")["mode"], row(&lab, "write_fifo")["demoted"].is_string()),
            (&"c".into(), true)
        );
        done(&lab, &["promote", "write_fifo"]);
        done(&lab, &["set", "write_fifo=rust"]);
        assert!(client.stop().unwrap().success());
    }
}

/// The input of the call that differed is there, for its owner alone; of a program without the fault both sides agree on it.
fn inputs_are_made_again(folder: &Path, is_one: bool) {
    let files: Vec<PathBuf> = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.unwrap().path()).collect();
    assert_eq!(!files.is_empty(), is_one, "{files:?}");
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy();
        assert!(name.starts_with("write_fifo-"), "{name}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        let output = std::process::Command::new(bin("cutover-replay")).arg(&file).output().expect("cutover-replay");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("bytes differs") && said.ends_with("now c and rust are the same\n"), "{said}");
    }
}

#[test]
fn a_slow_and_a_greedy_candidate_break_their_gates_and_cost_no_frame() {
    for (fault, gate, words) in [("slow", "p99_ratio = 4.0", "timed calls"), ("hog", "growth_mb = 64", "has grown by")]
    {
        let lab = vendored();
        let client = start(&lab, &planted(&lab, fault, "*=c"));
        let step = format!(
            "swaps = [\"write_fifo\", \"read_fifo\", \"get_fifo_pointer\"]\nstages = [\"rust\"]\n[step.gates]\n{gate}"
        );
        under_traffic(&lab, &client, || std::thread::sleep(Duration::from_secs(1)));
        under_traffic(&lab, &client, || {
            let (_, reason) = found(&lab, &client, &step, "write_fifo");
            assert!(reason.contains(words), "{reason}");
        });
        assert!(client.stop().unwrap().success());
    }
}

/// The thread that hangs cannot be saved; the process is replaced, and the tunnel comes back on C in the same interface.
#[test]
fn a_call_that_hangs_is_left_behind_with_its_process_and_the_interface_stays() {
    let lab = vendored();
    let mut client = start(&lab, &planted(&lab, "endless", "*=c"));
    let interface = interface_index(&lab);
    let process = client.id();
    let file = one_step(&lab, "swaps = [\"write_fifo\", \"read_fifo\", \"get_fifo_pointer\"]\nstages = [\"rust\"]");
    done(&lab, &["plan", file.to_str().unwrap()]);
    wait_until("the stage", UNDONE_MAX, &client, || row(&lab, "write_fifo")["mode"] == "rust");
    let begun = Instant::now();
    let _ = lab.run(Side::Client, &["ping", "-f", "-c200", "-w2", "10.78.0.1"], LIMIT);
    wait_until("the replacement", LIMIT, &client, || client.log().contains("replacing the process"));
    wait_until("the tunnel", RECONNECTED_MAX, &client, || answers(&lab));
    println!("hang to tunnel: {:.1} s at most", begun.elapsed().as_secs_f64());
    assert_eq!((interface_index(&lab), client.id()), (interface, process), "same interface, same process id");
    assert!(client.process().try_wait().unwrap().is_none());
    let row = row(&lab, "write_fifo");
    assert!(row["mode"] == "c" && row["demoted"].as_str().unwrap().contains("has not come back"), "{row}");
    under_traffic(&lab, &client, || {});
    assert!(client.stop().unwrap().success());
    assert!(
        lab.run(Side::Client, &["ip", "link", "show", "cut0"], LIMIT).is_ok_and(|o| !o.status.success()),
        "cut0 is left"
    );
}

/// The fused path has no calls to be watched; its rounds are.
#[test]
fn a_fused_session_that_stands_still_is_left_behind_and_everything_runs_on_c() {
    let lab = vendored();
    let mut spec = planted(&lab, "session-stuck", "*=rust");
    spec.env.push(("CUTOVER_LOG".into(), "info".into()));
    let client = start(&lab, &spec);
    let interface = interface_index(&lab);
    assert!(client.log().contains("path=\"fused\""), "{}", client.log());
    let _ = lab.run(Side::Client, &["ping", "-f", "-c200", "-w2", "10.78.0.1"], LIMIT);
    wait_until("the replacement", LIMIT, &client, || client.log().contains("has not gone round"));
    wait_until("the tunnel", RECONNECTED_MAX, &client, || answers(&lab));
    assert_eq!(interface_index(&lab), interface, "the same interface");
    assert!(table(&lab)["swaps"].as_array().unwrap().iter().all(|row| row["mode"] == "c"));
    under_traffic(&lab, &client, || {});
    assert!(client.stop().unwrap().success());
}

#[test]
fn a_crash_is_blamed_on_the_function_at_the_next_start() {
    let lab = vendored();
    let mut client = start(&lab, &planted(&lab, "crash", "*=c"));
    let file = one_step(&lab, "swaps = [\"write_fifo\", \"read_fifo\", \"get_fifo_pointer\"]\nstages = [\"rust\"]");
    done(&lab, &["plan", file.to_str().unwrap()]);
    wait_until("the stage", UNDONE_MAX, &client, || row(&lab, "write_fifo")["mode"] == "rust");
    let _ = lab.run(Side::Client, &["ping", "-f", "-c200", "-w2", "10.78.0.1"], LIMIT);
    let status = client.process().wait_timeout(LIMIT).unwrap().expect("it has crashed");
    assert!(!status.success(), "{status}");
    let client = start(&lab, &planted(&lab, "crash", "*=rust,framing=c"));
    let row = row(&lab, "write_fifo");
    assert_eq!((&row["mode"], &row["demoted"]), (&"c".into(), &"the process crashed inside it".into()), "{row}");
    under_traffic(&lab, &client, || {});
    assert!(client.stop().unwrap().success());
}

#[test]
fn the_kill_switch_works_by_signal_by_file_and_by_the_environment() {
    let lab = vendored();
    let mut client = start(&lab, &spec(&lab, "*=rust"));
    let all_on_c = |lab: &Lab| table(lab)["swaps"].as_array().unwrap().iter().all(|row| row["mode"] == "c");
    assert!(!all_on_c(&lab));
    client.process().signal(Signal::SIGUSR1).unwrap();
    wait_until("SIGUSR1", UNDONE_MAX, &client, || all_on_c(&lab));
    wait_until("the reconnect", RECONNECTED_MAX, &client, || answers(&lab));
    done(&lab, &["set", "*=rust"]);
    let stop_file = lab.dir().join("run/lab.stop");
    std::fs::write(&stop_file, "").unwrap();
    wait_until("the stop file", UNDONE_MAX, &client, || all_on_c(&lab));
    assert!(swaps(&lab, &["set", "new_block=rust"]).unwrap_err().contains("lab.stop"));
    std::fs::remove_file(&stop_file).unwrap();
    done(&lab, &["set", "memory=rust"]);
    assert!(client.stop().unwrap().success());
    let client = start(&lab, &spec(&lab, ""));
    assert_eq!(
        (&row(&lab, "endian32")["mode"], &row(&lab, "new_block")["mode"]),
        (&"rust".into(), &"c".into()),
        "kept"
    );
    assert!(client.stop().unwrap().success());
    let client = start(&lab, &spec(&lab, "*=c"));
    assert!(all_on_c(&lab), "whatever was kept");
    assert!(client.stop().unwrap().success());
    for what in ["\"by\":\"signal\"", "\"by\":\"file\"", "\"uid\":0"] {
        assert!(audit(&lab).contains(what), "{what}: {}", audit(&lab));
    }
}

#[test]
fn a_damaged_state_puts_everything_on_c_with_a_warning() {
    let lab = vendored();
    let client = start(&lab, &spec(&lab, "*=rust"));
    assert!(client.stop().unwrap().success());
    let state = lab.dir().join("state/lab.state");
    let length = std::fs::metadata(&state).unwrap().len();
    std::fs::File::options().write(true).open(&state).unwrap().set_len(length / 2).unwrap();
    let client = start(&lab, &spec(&lab, "*=rust"));
    assert!(table(&lab)["swaps"].as_array().unwrap().iter().all(|row| row["mode"] == "c"));
    assert!(client.log().contains("damaged"), "{}", client.log());
    assert!(client.stop().unwrap().success());
}

/// What arrives at the socket never disturbs the frames.
#[test]
fn bad_input_at_the_socket_gets_a_clear_error_and_the_data_path_never_notices() {
    let lab = vendored();
    let client = start(&lab, &spec(&lab, "*=rust"));
    let plan = |text: &str| {
        let file = lab.dir().join("bad.toml");
        std::fs::write(&file, text).unwrap();
        swaps(&lab, &["plan", file.to_str().unwrap()]).unwrap_err()
    };
    under_traffic(&lab, &client, || {
        for (text, words) in [
            ("name = \"p", "bad.toml:1:"),
            ("name = \"p\"\n[[step]]\nswaps = [\"new_blok\"]\nmin_time = \"1s\"", "bad.toml:3:10: \"new_blok\""),
            (
                "name = \"p\"\n[[step]]\nswaps = [\"endian32\"]\nmin_time = \"1s\"\nstages = [\"rust@101%\"]",
                "bad.toml:5:11: ",
            ),
            (
                "name = \"p\"\n[[step]]\nswaps = [\"endian32\"]\nmin_time = \"1s\"\nstages = [\"rust\", \"shadow\"]",
                "does not go beyond",
            ),
            (
                "name = \"p\"\n[[step]]\nswaps = [\"new_block\"]\nmin_time = \"1s\"",
                "one makes the BLOCK that the other frees",
            ),
            (&"#\n".repeat(100_000), "longer than"),
        ] {
            let error = plan(text);
            assert!(error.contains(words), "{error}");
        }
        for (modes, words) in
            [("new_blok=c", "did you mean"), ("new_block=rust@101%", "0 to 100"), ("session_main=shadow", "effect")]
        {
            let error = swaps(&lab, &["set", modes]).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        let say = |bytes: &[u8]| answer_to(&lab.dir().join("run/lab.sock"), bytes);
        assert!(say(&vec![b'x'; 10 << 20]).contains("too-long"));
        assert!(say(b"{\"v\":1,\"do\":\"swaps.set\",\"mo").contains("bad-request"));
        assert!(say(b"\xff\xfe\n").contains("bad-request"));
        two_controllers(&lab);
    });
    assert!(client.stop().unwrap().success());
}

fn answer_to(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).expect("the socket");
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Each change is whole, and the second of two who saw the same table is told.
fn two_controllers(lab: &Lab) {
    std::thread::scope(|scope| {
        for mode in ["c", "rust"] {
            scope.spawn(move || (0..10).for_each(|_| _ = done(lab, &["set", &format!("memory={mode}")])));
        }
    });
    let table = table(lab);
    let modes: Vec<&Value> = table["swaps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["group"] == "memory")
        .map(|row| &row["mode"])
        .collect();
    assert!(modes.windows(2).all(|pair| pair[0] == pair[1]), "{modes:?}");
    let set =
        format!("{{\"v\":1,\"do\":\"swaps.set\",\"modes\":\"memory=c\",\"generation\":{}}}\n", table["generation"]);
    let both = answer_to(&lab.dir().join("run/lab.sock"), (set.clone() + &set).as_bytes());
    let answers: Vec<&str> = both.lines().collect();
    assert!(answers[0].contains("\"ok\"") && answers[1].contains("have changed since"), "{both:.300}");
}
