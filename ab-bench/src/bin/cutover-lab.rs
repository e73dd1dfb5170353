//! `cutover-lab`: a lab for people. A shell or a command in the client's namespace with the tunnel up.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ab_bench::drill;
use ab_bench::frames::{Direction, FramePlan, FrameSizes};
use ab_bench::lab::{
    Client, ClientKind, ClientSpec, FAULT_ADDRESS, Lab, LabError, LabOptions, SERVER_ADDRESS, ServerKind, Side,
    remove_remains,
};
use ab_bench::proxy::{FaultSpec, Proxy, SYNTAX, SpecError};
use clap::{Args, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  cutover-lab shell                           a shell with the tunnel up; `exit` ends the lab
  cutover-lab run -- ping -c3 10.78.0.1       one command, its exit code is ours
  cutover-lab --server debian --client official run -- iperf3 -c 10.78.0.1
  cutover-lab --swaps '*=c,new_block=shadow' frames --count 100000
  cutover-lab --fault 'pieces=1..7,down:reset@+20000' shell

The world that it makes (nothing of it is seen from the host, and any number may run at once):
  client's namespace   vc0 10.77.0.2   cut0 10.78.0.2 (the tunnel)
  server's namespace   vs0 10.77.0.1   tap_srv 10.78.0.1, iperf3 listens on it
  hub DEFAULT, user `test` with a new password, user `guest` without one";

/// A private world on this machine: a real SoftEther server, a client, and the tunnel between them.
#[derive(Parser)]
#[command(name = "cutover-lab", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    world: WorldArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Args)]
struct WorldArguments {
    /// Whose server: built from the vendored C, Debian's package, or the lab's own faster peer
    #[arg(long, value_enum, default_value = "vendored")]
    server: ServerKind,
    /// The client: `official` (Debian's vpnclient), `none`, or the path of a `cutover` executable [default: `cutover-rust` beside this program]
    #[arg(long, value_name = "official|none|PATH")]
    client: Option<OsString>,
    /// Which side each swap of the `cutover` client runs, as in CUTOVER_SWAPS
    #[arg(long, value_name = "NAME=c|shadow|rust,…")]
    swaps: Option<String>,
    /// TCP connections of the session
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=32))]
    connections: u8,
    /// UDP acceleration, which comes on after ten seconds
    #[arg(long)]
    udp: bool,
    /// A fault proxy between client and server: `delay=20ms,reset@+100000,loss=1%,seed=7`; `--fault help` lists the faults
    #[arg(long, value_name = "SPEC", value_parser = fault)]
    fault: Option<FaultSpec>,
}

#[derive(Subcommand)]
enum Action {
    /// Open your shell in the client's namespace with the tunnel up
    Shell,
    /// Run one command there; its exit code becomes ours
    Run {
        /// The command and its arguments, after `--`
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Send numbered frames through the tunnel, both ways, and check every byte of each
    Frames {
        /// How many frames each way
        #[arg(long, default_value_t = 10_000)]
        count: u32,
        /// The shortest frame in bytes
        #[arg(long, default_value_t = 14)]
        min: usize,
        /// The longest frame in bytes
        #[arg(long, default_value_t = 1514)]
        max: usize,
        /// Seed of contents and sizes
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only from the client to the server
        #[arg(long)]
        up_only: bool,
    },
    /// Drill a cutover: a rollout on many sessions under load, every planted fault, thousands of switches
    Drill {
        /// Sessions, each a client of its own
        #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u8).range(1..=100))]
        sessions: u8,
        /// Mode switches under load
        #[arg(long, default_value_t = 10_000)]
        switches: u32,
        /// Seconds per measurement of what comparing costs, of which there are 54; 0 leaves it out
        #[arg(long, default_value_t = 2)]
        overhead_seconds: u32,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove what labs that were killed have left behind (every new lab does so, too)
    Clean,
}

fn main() -> ExitCode {
    match act(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cutover-lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn act(arguments: &Arguments) -> Result<ExitCode, LabError> {
    match &arguments.action {
        Action::Clean => clean(),
        Action::Drill { sessions, switches, overhead_seconds, json } => {
            let programs = std::env::current_exe().unwrap_or_default().parent().map(PathBuf::from).unwrap_or_default();
            let (sessions, switches, overhead_seconds) = (*sessions, *switches, *overhead_seconds);
            let faults = drill::FAULTS.to_vec();
            let options = drill::Options {
                sessions,
                stage_ms: 1000,
                faults,
                switches,
                overhead_seconds,
                programs,
                server_dir: None,
            };
            run_drill(&options, *json)
        }
        Action::Shell => shell(&arguments.world),
        Action::Run { command } => run(&arguments.world, command),
        Action::Frames { count, min, max, seed, up_only } => {
            let plan = FramePlan { sizes: FrameSizes::new(*min, *max), ..FramePlan::new(*count, *seed) };
            frames(&arguments.world, &plan, *up_only)
        }
    }
}

fn run_drill(options: &drill::Options, json: bool) -> Result<ExitCode, LabError> {
    let report = drill::run(options, &mut |part| eprintln!("{part}"))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        println!("{report}");
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn clean() -> Result<ExitCode, LabError> {
    let removed = remove_remains()?;
    for path in &removed {
        println!("removed {}", path.display());
    }
    if removed.is_empty() {
        println!("nothing to remove");
    }
    Ok(ExitCode::SUCCESS)
}

fn shell(arguments: &WorldArguments) -> Result<ExitCode, LabError> {
    let Running { lab, _proxy, client } = start(arguments)?;
    let _iperf = lab.serve_iperf()?;
    let interface = client.as_ref().map_or("none", Client::interface);
    eprintln!("Lab of {}: you are in the client's namespace, the tunnel is {interface}.", lab.dir().display());
    eprintln!("Try `ping 10.78.0.1`, `iperf3 -c 10.78.0.1`, `ip address`, `ss -ti`. `exit` ends the lab.");
    let program = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(program);
    command.env("CUTOVER_LAB", lab.dir()).env("PS1", "lab:\\w\\$ ");
    foreground(&lab, command)
}

fn run(arguments: &WorldArguments, words: &[OsString]) -> Result<ExitCode, LabError> {
    let Running { lab, _proxy, client: _client } = start(arguments)?;
    let _iperf = lab.serve_iperf()?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env("CUTOVER_LAB", lab.dir());
    foreground(&lab, command)
}

fn frames(arguments: &WorldArguments, plan: &FramePlan, up_only: bool) -> Result<ExitCode, LabError> {
    let Running { lab, _proxy, client } = start(arguments)?;
    let client = client.ok_or_else(|| LabError::Missing {
        what: "a client".into(),
        hint: "frames need the tunnel: leave `--client none` out".into(),
    })?;
    let mut clean = true;
    let ways = [("up", Direction::Up), ("down", Direction::Down)];
    for (name, direction) in ways.into_iter().take(if up_only { 1 } else { 2 }) {
        let report = lab.carry_frames(&client, direction, plan)?;
        println!("{name}: {report}");
        clean &= report.is_clean();
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn fault(text: &str) -> Result<FaultSpec, String> {
    if text == "help" { Err(SYNTAX.into()) } else { text.parse().map_err(|error: SpecError| error.to_string()) }
}

/// What runs; fields are dropped from the top.
struct Running {
    client: Option<Client>,
    _proxy: Option<Proxy>,
    lab: Lab,
}

/// Starts lab, proxy and client; without a client for `--client none`.
fn start(arguments: &WorldArguments) -> Result<Running, LabError> {
    let spec = client_spec(arguments)?;
    let lab = Lab::start(&LabOptions { server: arguments.server, server_dir: None })?;
    let proxy = arguments.fault.as_ref().map(|faults| lab.start_proxy(faults)).transpose()?;
    let client = spec.map(|spec| lab.start_client(&spec)).transpose()?;
    let connected = client.as_ref().map_or(Duration::ZERO, Client::connect_time);
    eprintln!("lab up in {:.2} s, tunnel up in {:.2} s", lab.start_time().as_secs_f64(), connected.as_secs_f64());
    Ok(Running { client, _proxy: proxy, lab })
}

fn client_spec(arguments: &WorldArguments) -> Result<Option<ClientSpec>, LabError> {
    let kind = match arguments.client.as_deref() {
        Some(name) if name == "none" => return Ok(None),
        Some(name) if name == "official" => ClientKind::Official,
        Some(path) => ClientKind::Cutover(PathBuf::from(path)),
        None => ClientKind::Cutover(beside_me("cutover-rust")?),
    };
    let mut spec = ClientSpec {
        connections: arguments.connections,
        udp_acceleration: arguments.udp,
        server: if arguments.fault.is_some() { FAULT_ADDRESS } else { SERVER_ADDRESS },
        ..ClientSpec::new(kind)
    };
    spec.env.extend(arguments.swaps.iter().map(|swaps| ("CUTOVER_SWAPS".into(), swaps.into())));
    Ok(Some(spec))
}

fn beside_me(name: &str) -> Result<PathBuf, LabError> {
    let path = std::env::current_exe().unwrap_or_default().with_file_name(name);
    if path.exists() {
        return Ok(path);
    }
    let hint = "build it with `./zigw build lab`, or say `--client official` or `--client PATH`".into();
    Err(LabError::Missing { what: path.display().to_string(), hint })
}

/// Runs a command on the client's side with our terminal; Ctrl-C is for it, the lab ends when it does.
fn foreground(lab: &Lab, command: Command) -> Result<ExitCode, LabError> {
    let stop = Arc::new(AtomicBool::new(false));
    let failed = |source| LabError::Io { what: "catch signals".into(), source };
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(failed)?;
    }
    // Caught and dropped: the terminal sends it to the command as well, whose business it is.
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::default()).map_err(failed)?;
    let mut process = lab.spawn_foreground(Side::Client, command)?;
    let status = loop {
        if let Some(status) = process.wait_timeout(Duration::from_millis(200))? {
            break status;
        }
        if stop.load(Ordering::Relaxed) {
            break process.kill()?;
        }
    };
    take_terminal_back();
    Ok(exit_code(status))
}

/// A shell makes itself the terminal's foreground group; when it has ended, we are to be that again.
fn take_terminal_back() {
    use nix::sys::signal::{SigSet, Signal};
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTTOU);
    // Without a terminal all of this fails, and nothing is to be done.
    if blocked.thread_block().is_ok() {
        let _ = nix::unistd::tcsetpgrp(std::io::stdin(), nix::unistd::getpgrp());
    }
}

/// The command's own code, or 128 + signal as shells have it.
fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
