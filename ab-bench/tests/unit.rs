//! The unit of docs/examples under a real systemd, which is PID 1 of a world of its own in the lab's client namespace.
//!
//! How such a world comes up:
//!  1. A tree is laid out: the program, the unit as it is, a configuration, the password, and a handful of targets.
//!  2. A cgroup is made for it in the host's unified hierarchy.
//!  3. A shell in new mount, UTS, IPC, PID and cgroup namespaces lays the tree over /usr and /etc, read-only, mounts
//!     its own /proc, /run, /tmp, /var/lib and /sys/fs/cgroup, and becomes systemd.
//!  4. `systemctl` is run in that world by nsenter.
//!
//! Nothing of the host but the cgroup is changed, and that goes with the world. Where there is no systemd, or no unified
//! hierarchy to make a cgroup in, the tests say so and do nothing. Without root the lab says what to do, and they fail.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ab_bench::lab::{HUB, Lab, LabProcess, SERVER_ADDRESS, Side, USER};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{LIMIT, answers, bin, server_dir, vendored};

const SYSTEMD: &str = "/usr/lib/systemd/systemd";
const UNIT: &str = "cutover@office";
/// What the unit asks for in `TimeoutStopSec=`.
const STOP_MAX: Duration = Duration::from_secs(5);

/// `$1`: the tree, `$2`: the cgroup. The shell goes into the cgroup first, so that the namespace begins there. Mounts are
/// shared, as they are with systemd on a machine: the credentials of a unit reach its own namespace that way.
const BOOT: &str = r#"
set -e
echo 0 > "$2/cgroup.procs"
exec unshare --cgroup -- sh -e -c '
    mount -t proc -o nosuid,nodev,noexec proc /proc
    mount -t overlay -o "lowerdir=$1/usr:/usr" overlay /usr
    mount -t overlay -o "lowerdir=$1/etc:/etc" overlay /etc
    mount --bind "$1/cutover" /etc/cutover
    mount --bind "$1/credstore" /etc/credstore
    mount --bind "$1/units" /etc/cutover-units
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    for dir in /root /run /var/lib /var/log /var/tmp; do mount -t tmpfs -o mode=0755 tmpfs "$dir"; done
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    mount --make-rshared /
    hostname office
    exec env -i PATH="$PATH" container=lab SYSTEMD_UNIT_PATH=/etc/cutover-units "$0" --system
' "$0" "$1"
"#;

/// systemd's world. It ends with this value.
struct World {
    lab: Lab,
    process: LabProcess,
    tree: PathBuf,
    cgroup: PathBuf,
}

impl World {
    /// Boots systemd beside a running server, with the unit and what it needs; `None`, with the reason printed, where
    /// that cannot be.
    fn boot(program: &str) -> Option<Self> {
        if !Path::new(SYSTEMD).exists() {
            println!("not run: there is no {SYSTEMD}");
            return None;
        }
        let lab = vendored();
        let cgroup = match new_cgroup() {
            Ok(cgroup) => cgroup,
            Err(reason) => {
                println!("not run: systemd needs a cgroup of its own: {reason}");
                return None;
            }
        };
        let tree = lab.dir().join("systemd");
        lay_out(&tree, program);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--", "sh", "-c", BOOT, SYSTEMD]);
        command.arg(&tree).arg(&cgroup).stdin(Stdio::null());
        let console = fs::File::create(tree.join("console")).unwrap();
        command.stdout(console.try_clone().unwrap()).stderr(console);
        let process = lab.spawn(Side::Client, command).unwrap_or_else(|error| panic!("{error}"));
        let world = Self { lab, process, tree, cgroup };
        world.set_password(world.lab.password());
        world.configure("");
        world.wait_until("systemd", || text(&world.systemctl(&["is-system-running"])) == "running\n");
        Some(world)
    }

    /// systemd's PID on the host: the child that `unshare` waits for.
    fn systemd(&self) -> Option<u32> {
        let id = self.process.id();
        fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?.split_whitespace().next()?.parse().ok()
    }

    /// Runs a command in systemd's world, as root and outside of the unit.
    fn run(&self, words: &[&str]) -> Output {
        // The host's PID, the lab's, systemd's own.
        let pid = self.systemd().and_then(|pid| status_of(pid, "NSpid")).expect("systemd runs");
        let pid = pid.split_whitespace().nth(1).expect("a PID in the lab").to_owned();
        let arguments = ["nsenter", "--target", &pid, "--all", "--"].iter().chain(words).copied().collect::<Vec<_>>();
        self.lab.run(Side::Client, &arguments, LIMIT).unwrap_or_else(|error| panic!("{error}\n{}", self.console()))
    }

    fn systemctl(&self, words: &[&str]) -> Output {
        self.run(&[&["systemctl"], words].concat())
    }

    /// As `systemctl`, and it must succeed.
    fn systemctl_ok(&self, words: &[&str]) {
        let output = self.systemctl(words);
        assert!(output.status.success(), "{words:?}: {output:?}\n{}", self.log());
    }

    /// A property of the unit.
    fn property(&self, name: &str) -> String {
        text(&self.systemctl(&["show", "--value", "--property", name, UNIT])).trim().to_owned()
    }

    /// The client's PID in systemd's world.
    fn main_pid(&self) -> String {
        let pid = self.property("MainPID");
        assert_ne!(pid, "0", "the client does not run\n{}", self.log());
        pid
    }

    /// What the unit's processes have said, and systemd about them.
    fn log(&self) -> String {
        text(&self.run(&["journalctl", "--no-pager", "--output", "short-monotonic", "--unit", UNIT]))
    }

    fn console(&self) -> String {
        fs::read_to_string(self.tree.join("console")).unwrap_or_default()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) -> Duration {
        let begun = Instant::now();
        while self.systemd().and_then(|pid| status_of(pid, "Name")).is_none_or(|name| name != "systemd") || !is_so() {
            assert!(begun.elapsed() < LIMIT, "{what} takes longer than {LIMIT:?}\n{}", self.console());
            thread::sleep(Duration::from_millis(50));
        }
        begun.elapsed()
    }

    fn set_password(&self, password: &str) {
        write_secret(&self.tree.join("credstore/cutover.office"), password);
    }

    /// The configuration, with lines at its end.
    fn configure(&self, more: &str) {
        let pin = self.lab.pin();
        let config = format!(
            "server = \"{SERVER_ADDRESS}\"\nhub = \"{HUB}\"\n\
             [auth]\nuser = \"{USER}\"\npassword_credential = \"password\"\n\
             [tls]\npin = \"{pin}\"\n\
             [interface]\nname = \"cut0\"\naddress = \"10.78.0.2/24\"\n{more}"
        );
        fs::write(self.tree.join("cutover/office.toml"), config).unwrap();
    }

    /// Lines for the unit's `[Service]`, as an administrator would add them.
    fn drop_in(&self, lines: &str) {
        let dir = self.tree.join("units/cutover@.service.d");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("test.conf"), format!("[Service]\n{lines}\n")).unwrap();
        self.systemctl_ok(&["daemon-reload"]);
    }

    /// The modes of the running client.
    fn modes(&self) -> Vec<(String, String)> {
        let output = self.run(&["cutover", "swaps", "--instance", "office", "--json"]);
        let table: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}\n{}", self.log()));
        let rows = table["swaps"].as_array().expect("swaps");
        rows.iter().map(|row| (row["name"].to_string(), row["mode"].as_str().unwrap().to_owned())).collect()
    }

    /// Whether all functions are on C, but for the clock, which stays until the process ends.
    fn all_on_c(&self) -> bool {
        self.modes().iter().all(|(name, mode)| mode == "c" || name.contains("init_tick64"))
    }

    fn has_interface(&self) -> bool {
        self.lab.run(Side::Client, &["ip", "link", "show", "cut0"], LIMIT).is_ok_and(|output| output.status.success())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}", self.console());
        }
        // The kernel ends all that lives in the PID namespace with its init.
        if let Some(pid) = self.systemd().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.process.wait_timeout(LIMIT);
        let deadline = Instant::now() + LIMIT;
        while self.cgroup.exists() && Instant::now() < deadline {
            remove_cgroups(&self.cgroup);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Makes a cgroup where the unified hierarchy is mounted, and removes those of tests that were killed.
fn new_cgroup() -> Result<PathBuf, String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const PREFIX: &str = "cutover-unit-";
    let mounts = fs::read_to_string("/proc/mounts").map_err(|error| error.to_string())?;
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let root = fields.filter(|fields| fields.get(2) == Some(&"cgroup2")).find_map(|fields| fields.get(1).copied());
    let root = Path::new(root.ok_or("no unified hierarchy is mounted")?);
    for entry in fs::read_dir(root).map_err(|error| error.to_string())?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove_cgroups(&entry.path());
        }
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = root.join(format!("{PREFIX}{}-{number}", std::process::id()));
    fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Removes a cgroup and those below. One in which something still ends is busy for that long, and stays.
fn remove_cgroups(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroups(&entry.path());
        }
    }
    let _ = fs::remove_dir(path);
}

/// The tree that lies over the host's: the client as `cutover`, the unit, and what systemd needs to be up.
fn lay_out(tree: &Path, program: &str) {
    for dir in ["usr/bin", "usr/libexec/cutover", "etc/cutover", "etc/credstore", "etc/cutover-units"] {
        fs::create_dir_all(tree.join(dir)).unwrap();
    }
    for dir in ["cutover", "credstore", "units"] {
        fs::create_dir_all(tree.join(dir)).unwrap();
    }
    fs::copy(bin(program), tree.join("usr/bin/cutover")).unwrap();
    fs::copy(server_dir().join("hamcore.se2"), tree.join("usr/libexec/cutover/hamcore.se2")).unwrap();
    fs::write(tree.join("etc/machine-id"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let units = tree.join("units");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/cutover@.service");
    fs::copy(example, units.join("cutover@.service")).unwrap();
    for name in ["systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket"] {
        fs::copy(Path::new("/usr/lib/systemd/system").join(name), units.join(name)).unwrap();
    }
    for name in ["basic", "sysinit", "sockets", "shutdown", "network-online", "multi-user"] {
        fs::write(units.join(format!("{name}.target")), "[Unit]\nDefaultDependencies=no\n").unwrap();
    }
    let default = "[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service\nAfter=systemd-journald.service\n";
    fs::write(units.join("default.target"), default).unwrap();
}

fn write_secret(path: &Path, secret: &str) {
    fs::write(path, secret).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A line of /proc/PID/status.
fn status_of(pid: u32, name: &str) -> Option<String> {
    line_of(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, name)
}

fn line_of(status: &str, name: &str) -> Option<String> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

#[test]
fn it_is_started_when_the_tunnel_is_up_and_stopped_when_all_is_gone() {
    let Some(world) = World::boot("cutover-rust") else { return };
    // A server that stands still accepts connections and says nothing.
    world.lab.server().signal(Signal::SIGSTOP).unwrap();
    world.systemctl_ok(&["start", "--no-block", UNIT]);
    world.wait_until("the client", || world.property("MainPID") != "0");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(world.property("ActiveState"), "activating", "{}", world.log());
    assert!(!answers(&world.lab));
    world.lab.server().signal(Signal::SIGCONT).unwrap();
    world.systemctl_ok(&["start", UNIT]);
    assert_eq!(
        (world.property("ActiveState"), world.property("StatusText")),
        ("active".into(), "the tunnel is up".into())
    );
    assert!(answers(&world.lab), "started, and the tunnel does not answer\n{}", world.log());
    assert!(world.log().contains("cutover["), "the log is in the journal: {}", world.log());

    let begun = Instant::now();
    world.systemctl_ok(&["stop", UNIT]);
    let took = begun.elapsed();
    assert!(took < STOP_MAX, "{took:?}\n{}", world.log());
    let ended = ["ActiveState", "Result", "ExecMainStatus", "NRestarts"].map(|name| world.property(name));
    assert_eq!(ended, ["inactive", "success", "0", "0"], "{}", world.log());
    assert!(!world.has_interface(), "the interface is left");
    let left = text(&world.run(&["ls", "/run/cutover", "/run/credentials"]));
    assert!(!left.contains("sock") && !left.contains("office.service"), "{left}");
}

#[test]
fn a_frozen_server_does_not_hold_up_the_stop() {
    let Some(world) = World::boot("cutover-rust") else { return };
    world.systemctl_ok(&["start", UNIT]);
    world.lab.server().signal(Signal::SIGSTOP).unwrap();
    let begun = Instant::now();
    world.systemctl_ok(&["stop", UNIT]);
    assert!(begun.elapsed() < STOP_MAX, "{:?}\n{}", begun.elapsed(), world.log());
    assert_eq!((world.property("Result"), world.property("ExecMainStatus")), ("success".into(), "0".into()));
    assert!(!world.has_interface(), "the interface is left");
}

/// What the unit is to keep from the client, and what it is to let through: lines for a shell.
const FORBIDDEN: [&str; 8] = [
    ": > /var/log/written",
    ": > /etc/cutover/written",
    "ls /root/file",
    // Root's processes have more rights than this one; PID 1 is systemd.
    "cat /proc/1/environ",
    "echo 0 > /proc/sys/net/ipv4/ip_forward",
    "mkdir -p /sys/fs/cgroup/made",
    "unshare --user true",
    // The kernel's log by another name: a device that is not /dev/net/tun.
    ": > /var/lib/kmsg",
];
const ALLOWED: [&str; 5] = [
    ": > /run/cutover/written",
    ": > /var/lib/cutover/written",
    ": < /dev/net/tun",
    "test -s \"$CREDENTIALS_DIRECTORY/password\"",
    "ip tuntap add probe0 mode tap && ip tuntap del probe0 mode tap",
];

/// A shell of the unit, before the client, tries what the client must not be able to do, and what it must.
#[test]
fn the_process_has_what_the_unit_grants_and_no_more() {
    let Some(world) = World::boot("cutover-rust") else { return };
    let lines = FORBIDDEN.iter().chain(&ALLOWED);
    let script: String = lines.map(|line| format!("if ({line}) >/dev/null 2>&1; then echo '{line}'; fi\n")).collect();
    fs::write(world.tree.join("cutover/probe"), script).unwrap();
    world.run(&["sh", "-c", ": > /root/file; mknod /var/lib/kmsg c 1 11"]);
    world.drop_in("ExecStartPre=/bin/sh -c 'sh /etc/cutover/probe > /run/cutover/probed'");
    world.systemctl_ok(&["start", UNIT]);
    let worked = text(&world.run(&["cat", "/run/cutover/probed"]));
    assert_eq!(worked.lines().collect::<Vec<_>>(), ALLOWED, "what works under the unit");
    // All that was kept from it is there: in the same world, and outside of the unit, it works.
    let worked = text(&world.run(&["sh", "/etc/cutover/probe"]));
    assert_eq!(worked.lines().take(FORBIDDEN.len()).collect::<Vec<_>>(), FORBIDDEN, "what works outside of it");

    let status = text(&world.run(&["cat", &format!("/proc/{}/status", world.main_pid())]));
    let line = |name| line_of(&status, name).unwrap_or_else(|| panic!("{name}: {status}"));
    const CAP_NET_ADMIN: &str = "0000000000001000";
    for name in ["CapBnd", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(line(name), CAP_NET_ADMIN, "{name}");
    }
    assert_eq!((line("NoNewPrivs").as_str(), line("Seccomp").as_str()), ("1", "2"));
    let mode = text(&world.run(&["stat", "-c", "%a", "/run/cutover", "/var/lib/cutover", "/run/cutover/office.sock"]));
    assert_eq!(mode, "700\n700\n600\n");
}

#[test]
fn a_client_that_stands_still_is_killed_by_the_watchdog_and_started_again() {
    let Some(world) = World::boot("cutover-rust") else { return };
    world.drop_in("WatchdogSec=3");
    world.systemctl_ok(&["start", UNIT]);
    // It is fed: nothing happens in a time that is longer.
    let first = world.main_pid();
    thread::sleep(Duration::from_secs(5));
    assert_eq!((world.main_pid(), world.property("NRestarts")), (first.clone(), "0".into()), "{}", world.log());

    world.systemctl_ok(&["kill", "--signal", "STOP", UNIT]);
    let restarted = world.wait_until("the restart", || world.property("NRestarts") == "1");
    assert!(restarted > Duration::from_secs(1), "{restarted:?}: sooner than the watchdog can know");
    world.wait_until("the tunnel", || world.property("ActiveState") == "active" && answers(&world.lab));
    assert_ne!(world.main_pid(), first);
    let log = world.log();
    assert!(log.contains("Watchdog timeout") && log.contains("Failed with result 'watchdog'"), "{log}");
}

/// The process that a hanging function is left behind with replaces itself under the unit's restrictions, too.
#[test]
fn a_call_that_hangs_costs_a_new_session_and_not_the_service() {
    let Some(world) = World::boot("cutover-planted") else { return };
    world.drop_in("Environment=CUTOVER_PLANT=endless 'CUTOVER_SWAPS=*=c,write_fifo=rust'");
    world.systemctl_ok(&["start", UNIT]);
    let process = world.main_pid();
    let _ = world.lab.run(Side::Client, &["ping", "-f", "-c200", "-w2", "10.78.0.1"], LIMIT);
    world.wait_until("the replacement", || world.log().contains("replacing the process"));
    world.wait_until("the tunnel", || answers(&world.lab));
    assert_eq!((world.main_pid(), world.property("NRestarts")), (process, "0".into()), "{}", world.log());
    assert_eq!(world.property("ActiveState"), "active");
    assert!(world.all_on_c(), "{:?}\n{}", world.modes(), world.log());
    world.systemctl_ok(&["stop", UNIT]);
    assert_eq!(world.property("Result"), "success", "{}", world.log());
    assert!(!world.has_interface(), "the interface is left");
}

#[test]
fn what_the_runbook_says_about_systemctl_works() {
    let Some(world) = World::boot("cutover-rust") else { return };
    world.systemctl_ok(&["start", UNIT]);
    let process = world.main_pid();
    let mode = |name: &str| {
        let name = format!("\"{name}\"");
        world.modes().into_iter().find(|(row, _)| *row == name).expect("the swap").1
    };
    assert_eq!(mode("new_block"), "rust");

    world.configure("[swaps]\nnew_block = \"c\"\n");
    world.systemctl_ok(&["reload", UNIT]);
    world.wait_until("the reload", || mode("new_block") == "c");
    assert_eq!(mode("write_fifo"), "rust");

    world.systemctl_ok(&["kill", "--signal", "USR1", UNIT]);
    world.wait_until("everything on C", || world.all_on_c());
    world.wait_until("the tunnel", || answers(&world.lab));
    assert_eq!((world.main_pid(), world.property("NRestarts")), (process, "0".into()), "{}", world.log());

    world.systemctl_ok(&["set-environment", "CUTOVER_SWAPS=*=c"]);
    world.run(&["sh", "-c", "rm -f /var/lib/cutover/office.state"]);
    world.systemctl_ok(&["restart", UNIT]);
    assert!(world.modes().iter().all(|(_, mode)| mode == "c"), "{:?}", world.modes());
    assert!(answers(&world.lab));

    // Entries of the journal itself, not lines of standard error.
    world.drop_in("Environment=CUTOVER_LOG_TO=journald");
    world.systemctl_ok(&["restart", UNIT]);
    let entries = text(&world.run(&[
        "journalctl",
        "--output",
        "cat",
        "--unit",
        UNIT,
        "_TRANSPORT=journal",
        "SYSLOG_IDENTIFIER=cutover",
    ]));
    assert!(!entries.trim().is_empty(), "{}", world.log());
}

#[test]
fn what_cannot_work_is_tried_once_and_what_may_is_tried_again() {
    let Some(world) = World::boot("cutover-rust") else { return };
    world.set_password("not it");
    let output = world.systemctl(&["start", UNIT]);
    assert!(!output.status.success(), "{output:?}");
    // Longer than RestartSec=.
    thread::sleep(Duration::from_secs(3));
    let ended = ["ActiveState", "Result", "ExecMainStatus", "NRestarts"].map(|name| world.property(name));
    assert_eq!(ended, ["failed", "exit-code", "10", "0"], "{}", world.log());

    // Nobody listens there, and the client is told not to try again by itself: exit code 20.
    world.set_password(world.lab.password());
    world.configure("[reconnect]\nenabled = false\n");
    world.lab.server().signal(Signal::SIGSTOP).unwrap();
    world.systemctl_ok(&["start", "--no-block", UNIT]);
    world.lab.run_ok(Side::Client, &["ip", "link", "set", "vc0", "down"], LIMIT).unwrap();
    world.wait_until("two more attempts", || world.property("NRestarts").parse::<u32>().unwrap() >= 2);
    world.lab.run_ok(Side::Client, &["ip", "link", "set", "vc0", "up"], LIMIT).unwrap();
    world.lab.server().signal(Signal::SIGCONT).unwrap();
    world.wait_until("the tunnel", || world.property("ActiveState") == "active" && answers(&world.lab));
}
