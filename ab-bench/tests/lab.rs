//! The lab against Debian's server and client. These tests need root and say so when they do not have it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ab_bench::frames::{Checker, Direction, FRAME_SIZE_MAX, FramePlan, FrameSizes, Pattern};
use ab_bench::lab::{ClientAuth, ClientSpec, Lab, LabError, LabOptions, SERVER_TAP, ServerKind, Side};

const LIMIT: Duration = Duration::from_secs(20);

fn debian() -> LabOptions {
    LabOptions { server: ServerKind::Debian, server_dir: None }
}

fn lab() -> Lab {
    Lab::start(&debian()).unwrap_or_else(|error| panic!("{error}"))
}

fn cutover_lab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutover-lab"));
    command.args(["--server", "debian", "--client", "official"]).args(arguments);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn frames_of_all_sizes_arrive_intact_both_ways() {
    let lab = lab();
    let client = lab.start_client(&ClientSpec::official()).unwrap();
    println!("lab up in {:?}, tunnel up in {:?}", lab.start_time(), client.connect_time());
    for direction in [Direction::Up, Direction::Down] {
        for sizes in [FrameSizes::ALL, FrameSizes::new(14, 14), FrameSizes::new(1514, 1514)] {
            let plan = FramePlan { sizes, ..FramePlan::new(2000, 7) };
            let report = lab.carry_frames(&client, direction, &plan).unwrap();
            assert!(report.is_clean(), "{direction:?} {sizes:?}: {report}");
        }
    }
    client.stop().unwrap();
    let links = lab.run_ok(Side::Client, &["ip", "-brief", "link"], LIMIT).unwrap();
    assert!(!String::from_utf8_lossy(&links.stdout).contains("cut0"));
}

/// Why the server's side introduces its addresses: of frames that the hub has to flood, it drops one when there were many
/// in the interval before, and soon nearly all.
#[test]
fn frames_to_addresses_that_the_hub_does_not_know_are_rationed() {
    let lab = lab();
    let client = lab.start_client(&ClientSpec::official()).unwrap();
    let (from, to) = (lab.frame_sockets(Side::Client, client.interface()), lab.frame_sockets(Side::Server, SERVER_TAP));
    let (from, to) = (from().unwrap(), to().unwrap());
    let pattern = Pattern::new(&FramePlan::new(20, 1), Direction::Up, from.address());
    let (mut frame, mut buffer) = (Vec::new(), [0; 2 * FRAME_SIZE_MAX]);
    let lost = [(); 3].map(|()| {
        let mut checker = Checker::new(pattern.clone(), 20);
        for number in 0..20 {
            pattern.write(number, &mut frame);
            from.send(&frame).unwrap();
        }
        // Longer than the interval of half a second.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(600) {
            if let Some(length) = to.receive(&mut buffer).unwrap() {
                checker.accept(&buffer[..length]);
            }
        }
        checker.finish(begun.elapsed()).lost_numbers
    });
    assert_eq!((lost[0].as_slice(), lost[1].as_slice()), (&[][..], &[0][..]), "{lost:?}");
    assert!(lost[2].len() > 1, "{lost:?}");
}

#[test]
fn frames_into_nothing_are_all_reported_lost() {
    let mut lab = lab();
    let client = lab.start_client(&ClientSpec::official()).unwrap();
    // A server that stands still swallows everything.
    lab.server_mut().signal(nix::sys::signal::Signal::SIGSTOP).unwrap();
    let report = lab.carry_frames(&client, Direction::Up, &FramePlan::new(50, 3)).unwrap();
    assert_eq!((report.lost, report.received), (50, 0), "{report}");
}

#[test]
fn two_labs_at_once_do_not_see_one_another() {
    let (first, second) = (lab(), lab());
    assert_ne!(first.dir(), second.dir());
    assert_ne!(first.pin(), second.pin());
    thread::scope(|scope| {
        for lab in [&first, &second] {
            scope.spawn(move || {
                let client = lab.start_client(&ClientSpec::official()).unwrap();
                let report = lab.carry_frames(&client, Direction::Up, &FramePlan::new(1000, 1)).unwrap();
                assert!(report.is_clean(), "{report}");
            });
        }
    });
}

#[test]
fn cubic_runs_outside_and_inside_the_tunnel() {
    let lab = lab();
    let _client = lab.start_client(&ClientSpec::official()).unwrap();
    let _iperf = lab.serve_iperf().unwrap();
    let mut iperf = Command::new("iperf3");
    iperf.args(["-c", "10.78.0.1", "-t", "3"]).stdout(Stdio::null());
    let _load = lab.spawn(Side::Client, iperf).unwrap();
    thread::sleep(Duration::from_secs(1));
    for (side, peers) in [(Side::Client, ["10.77.0.1", "10.78.0.1"]), (Side::Server, ["10.77.0.2", "10.78.0.2"])] {
        for peer in peers {
            let output = lab.run_ok(side, &["ss", "-Htin", "dst", peer], LIMIT).unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("cubic") && !text.contains("bbr"), "{side:?} to {peer}: {text}");
        }
    }
}

#[test]
fn a_restarted_server_has_the_same_certificate_users_and_bridge() {
    let mut lab = lab();
    let client = lab.start_client(&ClientSpec::official()).unwrap();
    client.kill().unwrap();
    let pin = lab.pin().to_owned();
    lab.server_mut().restart().unwrap();
    assert_eq!(lab.server().read_pin().unwrap(), pin);
    let client = lab.start_client(&ClientSpec::official()).unwrap();
    let report = lab.carry_frames(&client, Direction::Up, &FramePlan::new(500, 1)).unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_wrong_password_is_an_error_and_not_a_hang() {
    let lab = lab();
    let mut spec = ClientSpec::official();
    spec.auth = ClientAuth::WrongPassword("wrong".into());
    spec.timeout = Duration::from_secs(3);
    let error = lab.start_client(&spec).unwrap_err();
    assert!(matches!(error, LabError::TimedOut { .. }), "{error}");
}

#[test]
fn the_anonymous_user_may_connect() {
    let lab = lab();
    let spec = ClientSpec { auth: ClientAuth::Anonymous, ..ClientSpec::official() };
    drop(lab.start_client(&spec).unwrap());
}

#[test]
fn the_cpu_time_of_client_and_server_grows_with_traffic() {
    let lab = lab();
    let client = lab.start_client(&ClientSpec::official()).unwrap();
    let (client_before, server_before) = (client.cpu().unwrap(), lab.server().cpu().unwrap());
    lab.carry_frames(&client, Direction::Up, &FramePlan::new(20_000, 1)).unwrap();
    let used = client.cpu().unwrap().total - client_before.total;
    assert!(used > Duration::from_millis(20) && used < LIMIT, "{used:?}");
    assert!(lab.server().cpu().unwrap().total > server_before.total);
}

#[test]
fn commands_end_with_status_output_or_time_out() {
    let lab = lab();
    let output = lab.run(Side::Client, &["sh", "-c", "echo out; echo err >&2; exit 7"], LIMIT).unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));

    let started = Instant::now();
    let error = lab.run(Side::Client, &["sh", "-c", "echo first; sleep 60"], Duration::from_millis(300)).unwrap_err();
    assert!(error.to_string().contains("first"), "{error}");
    let with_orphan = lab.run(Side::Client, &["sh", "-c", "sleep 60 & echo left"], LIMIT).unwrap();
    assert_eq!(with_orphan.stdout, b"left\n");
    assert!(started.elapsed() < Duration::from_secs(50), "it waited for the sleeper");

    let error = lab.run(Side::Client, &["no-such-program"], LIMIT).unwrap_err();
    assert!(error.to_string().contains("no-such-program"), "{error}");
    let error = lab.run_ok(Side::Server, &["ip", "link", "show", "dev", "nothing"], LIMIT).unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");
    lab.run::<&str>(Side::Client, &[], LIMIT).unwrap_err();
}

#[test]
fn the_host_sees_nothing_and_keeps_nothing() {
    let (mounts, links) = (host_mounts(), host_links());
    let lab = lab();
    let dir = lab.dir().to_owned();
    let client = lab.start_client(&ClientSpec::official()).unwrap();
    assert_eq!((host_mounts(), host_links()), (mounts, links));
    assert!(dir.exists());
    drop((client, lab));
    assert!(!dir.exists());
}

/// SIGKILL leaves no chance to clean up: the kernel must end everything, and the next lab the rest.
#[test]
fn nothing_but_a_directory_survives_sigkill_and_the_next_lab_removes_that() {
    let (mounts, links) = (host_mounts(), host_links());
    let mut supervisor = Supervisor::start();
    let inside = supervisor.processes_inside();
    assert!(inside.len() >= 5, "init, server, client, iperf3 and sleep are expected: {inside:?}");
    let networks: HashSet<PathBuf> = inside.iter().filter_map(|pid| namespace(*pid, "net")).collect();
    assert_eq!(networks.len(), 2);

    supervisor.child.kill().unwrap();
    supervisor.child.wait().unwrap();
    let deadline = Instant::now() + LIMIT;
    while inside.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
        assert!(Instant::now() < deadline, "processes of the lab are still there");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((host_mounts(), host_links()), (mounts, links));

    assert!(supervisor.dir.exists(), "SIGKILL cannot remove a directory");
    let next = cutover_lab(&["run", "--", "true"]).env("TMPDIR", supervisor.tmp()).output().unwrap();
    assert!(next.status.success(), "{}", stderr(&next));
    assert!(!supervisor.dir.exists(), "the next lab must remove it");
}

#[test]
fn sigterm_leaves_nothing() {
    let mut supervisor = Supervisor::start();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(supervisor.child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    supervisor.child.wait().unwrap();
    assert!(!supervisor.dir.exists());
}

#[test]
fn the_exit_code_of_the_command_is_that_of_the_lab() {
    let output = cutover_lab(&["run", "--", "sh", "-c", "exit 37"]).output().unwrap();
    assert_eq!(output.status.code(), Some(37), "{}", stderr(&output));
    let output = cutover_lab(&["run", "--", "sh", "-c", "kill -9 $$"]).output().unwrap();
    assert_eq!(output.status.code(), Some(137), "{}", stderr(&output));
}

#[test]
fn without_root_one_line_says_what_to_do() {
    // The executable lies where others may not look, so a copy is run.
    let copy = std::env::temp_dir().join(format!("lab-copy-{}", std::process::id()));
    fs::copy(env!("CARGO_BIN_EXE_cutover-lab"), &copy).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy)
        .args(["--server", "debian", "--client", "official", "shell"])
        .output()
        .unwrap();
    fs::remove_file(&copy).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("sudo"), "{}", stderr(&output));
}

#[test]
fn without_a_tun_device_one_line_says_what_to_do() {
    let output = Command::new("unshare")
        .args([
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs none /dev/net && exec \"$0\" --server debian --client official shell",
        ])
        .arg(env!("CARGO_BIN_EXE_cutover-lab"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("modprobe tun"), "{}", stderr(&output));
}

#[test]
fn a_missing_server_names_the_command_that_builds_it() {
    let options = LabOptions { server: ServerKind::Vendored, server_dir: Some("/nowhere".into()) };
    let error = Lab::start(&options).unwrap_err();
    assert!(error.to_string().contains("./zigw build"), "{error}");
}

/// `cutover-lab run -- sleep`, running in a process of its own and with its own directory for temporary files
/// (other tests' labs would clean up after it).
struct Supervisor {
    child: Child,
    dir: PathBuf,
}

impl Supervisor {
    fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tmp = std::env::temp_dir().join(format!("lab-test-{}-{number}", std::process::id()));
        fs::create_dir(&tmp).unwrap();
        let mut child = cutover_lab(&["run", "--", "sh", "-c", "echo $CUTOVER_LAB; exec sleep 60"])
            .env("TMPDIR", &tmp)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        let dir = PathBuf::from(line.trim());
        assert!(dir.is_dir(), "no lab: {line:?}");
        Self { child, dir }
    }

    fn tmp(&self) -> &Path {
        self.dir.parent().unwrap()
    }

    fn processes_inside(&self) -> Vec<u32> {
        let init = all_pids().into_iter().find(|pid| parent(*pid) == Some(self.child.id())).unwrap();
        let inside = namespace(init, "pid");
        assert_ne!(inside, namespace(std::process::id(), "pid"));
        all_pids().into_iter().filter(|pid| namespace(*pid, "pid") == inside).collect()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(self.tmp());
    }
}

fn all_pids() -> Vec<u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn namespace(pid: u32, kind: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn host_mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    text.lines().filter(|line| line.contains("cutover-lab") || line.contains("softether")).map(str::to_owned).collect()
}

fn host_links() -> Vec<String> {
    let names = fs::read_dir("/sys/class/net").unwrap().flatten();
    let ours = ["vs0", "vc0", "tap_srv", "vpn_cut0", "cut0"];
    names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| ours.contains(&name.as_str()))
        .collect()
}
