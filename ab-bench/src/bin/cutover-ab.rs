//! `cutover-ab`: compares clients in the lab and writes a report.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ab_bench::ab::schema::{Phase, Report, Setting};
use ab_bench::ab::{self, Budget, Mix, Observer, Options, Progress, Wanted};
use ab_bench::calibrate::Costs;
use ab_bench::lab::{ClientSpec, ServerKind};
use ab_bench::profile::{self, Subject, Want};
use ab_bench::report;
use ab_bench::report::cli::{self, Command, Judgement};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

const EXAMPLES: &str = "\
Examples:
  ./zigw build ab -- --quick --out report      builds both sides and compares them in two minutes
  cutover-ab --bin c=c/cutover --bin rust=rust/cutover --out report
  cutover-ab --contestants c --mix framing=rust,adapter=rust --mix '*=rust,session=c' --quick
  cutover-ab --contestants c --each --metrics cpu_s_per_gb --rounds 6
  cutover-ab --sweep connections=1,2,8,32 --sweep encrypt=yes,no --metrics goodput_gbit_per_s,cpu_s_per_gb
  cutover-ab --contestants official,openvpn-udp,boringtun --server debian
  cutover-ab --resume report                   goes on where Ctrl-C ended it

Ctrl-C ends it after the current visit; what was measured is kept and reported.
The columns and report.json are explained in docs/BENCH.md.";

/// Compare the C with the Rust (and with Debian's client, and others) through a real SoftEther server.
#[derive(Parser)]
#[command(name = "cutover-ab", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// An executable `cutover`: `c=PATH` (built with -Dimpl=c) or `rust=PATH` (built with -Dimpl=rust)
    /// [default: `cutover-c` and `cutover-rust` beside this program]
    #[arg(long = "bin", value_name = "NAME=PATH", value_parser = name_and_path)]
    programs: Vec<(String, PathBuf)>,
    /// Who is compared, the baseline first: c, c-dispatched, rust, official, openvpn-tcp, openvpn-udp, openconnect,
    /// boringtun, gotatun [default: c, rust; without --quick also c-dispatched, and official if installed]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    contestants: Vec<String>,
    /// A contestant made of the Rust build: these groups or swaps in these modes (c, rust, shadow, shadow@1%), the others on
    /// C; `*=rust` first turns that round
    #[arg(long = "mix", value_name = "[NAME:]SWAP=MODE,…")]
    mixes: Vec<Mix>,
    /// A contestant for every swap: that one alone on Rust
    #[arg(long)]
    each: bool,
    /// Against which far ends: the real server, the lab's own faster peer [default: both; with --quick real]
    #[arg(long, value_enum, value_delimiter = ',')]
    rig: Vec<RigName>,
    /// Whose real server: built from the vendored C, or Debian's package
    #[arg(long, value_enum, default_value = "vendored")]
    server: RealServer,
    /// Measure this setting for every value (connections, half_duplex, encrypt, compress, udp_acceleration, streams, payload)
    #[arg(long = "sweep", value_name = "KEY=VALUE,…")]
    sweeps: Vec<String>,
    /// Only these metrics, by their names in report.json; in one way only with `.up`, `.down` or `.both` behind the name
    /// [default: with --quick CPU and goodput, otherwise nearly all]
    #[arg(long, value_name = "NAME[.WAY],…", value_delimiter = ',')]
    metrics: Vec<Wanted>,
    /// Plant a fault in a contestant of the planted-faults build, for the harness to find: `burn` costs 5 % more CPU
    #[arg(long = "plant", value_name = "NAME=FAULT", value_parser = name_and_fault)]
    plants: Vec<(String, String)>,
    /// At most two minutes instead of fifteen (for the default contestants, metrics and settings)
    #[arg(long)]
    quick: bool,
    /// So many rounds instead of what fits the time (even, and as many A/A rounds)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=200))]
    rounds: Option<u32>,
    /// So many seconds per run instead of what fits the time
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: Option<u16>,
    /// Where report.html, report.json and their like go
    #[arg(long, value_name = "DIR", default_value = "ab-report")]
    out: PathBuf,
    /// Go on with the interrupted measurement of this directory, with its own options
    #[arg(long, value_name = "DIR", exclusive = true)]
    resume: Option<PathBuf>,
    /// Seed of the order of the runs and of the bootstrap
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run the micro rig too (in a checkout of Cutover): every swap by itself
    #[arg(long)]
    micro: bool,
    /// Add flamegraphs of the baseline and of one other contestant, from runs that are not timed (needs perf)
    #[arg(long)]
    profile: bool,
    /// Add their system calls by name, from runs that are not timed (needs strace)
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    judgement: Judgement,
}

/// Where no progress bar can be drawn, a line is written about so often.
const SILENCE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RigName {
    Real,
    Peer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RealServer {
    Vendored,
    Debian,
}

fn name_and_path(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("want NAME=PATH")?;
    if !Path::new(path).is_file() {
        return Err(format!("{path} is no file"));
    }
    Ok((name.to_owned(), path.into()))
}

fn name_and_fault(text: &str) -> Result<(String, String), String> {
    let (name, fault) = text.split_once('=').ok_or("want NAME=FAULT")?;
    Ok((name.to_owned(), fault.to_owned()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(command) => cli::run(command),
        None => compare(arguments),
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("cutover-ab: {message}");
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: Arguments) -> Result<ExitCode, String> {
    let command: Vec<String> = std::env::args().collect();
    let (arguments, options, so_far) = match &arguments.resume {
        None => {
            let options = options(&arguments, command)?;
            (arguments, options, None)
        }
        Some(dir) => {
            let so_far = read_report(dir)?;
            let mut again = Arguments::try_parse_from(&so_far.command)
                .map_err(|error| format!("{} has another version's command line: {error}", dir.display()))?;
            again.out = dir.clone();
            let options = options(&again, so_far.command.clone())?;
            check_same(&options, &so_far)?;
            (again, options, Some(so_far))
        }
    };
    let out = &arguments.out;
    // Before the measurement, not after it, is the time to learn that the report cannot be written.
    fs::create_dir_all(out).map_err(|error| format!("cannot create {}: {error}", out.display()))?;

    let stop = stop_flag()?;
    eprintln!("timing the machine’s parts by themselves (some seconds)");
    // The parts cost the same beside whichever far end; at least one rig is measured.
    let calibrated_beside = options.rigs.first().copied().unwrap_or_default();
    let costs = Costs::measure_in_new_lab(calibrated_beside).map_err(|error| error.to_string())?;
    let mut watcher = Watcher { stop, bar: progress_bar(), said: Instant::now(), out: out.clone(), trouble: None };
    let mut report = ab::run(&options, so_far, &mut watcher).map_err(|error| error.to_string())?;
    watcher.bar.finish_and_clear();
    if let Some(trouble) = watcher.trouble {
        return Err(trouble);
    }
    add_calibration(&mut report, costs, calibrated_beside, arguments.quick);
    if report.complete {
        add_profiles(&mut report, &options, &arguments);
        if arguments.micro {
            // What was measured over many minutes is not given up for what cannot be built.
            match cli::run_micro(None) {
                Ok(micro) => report.micro = micro.rows,
                Err(error) => report.notes.push(format!("no swap by itself: {error}")),
            }
        }
    }
    let code = cli::conclude(&mut report, out, &arguments.judgement)?;
    if !report.complete {
        println!("go on with: cutover-ab --resume {}", out.display());
    }
    Ok(code)
}

/// What the machine's parts cost, once more after the measurement unless it is a quick or an interrupted one.
fn add_calibration(report: &mut Report, mut costs: Costs, beside: ServerKind, quick: bool) {
    if report.complete && !quick {
        match Costs::measure_in_new_lab(beside) {
            Ok(again) => costs.add(again),
            Err(error) => eprintln!("cutover-ab: no second calibration: {error}"),
        }
    }
    let rigs: Vec<_> = report.rigs.iter().map(|facts| facts.rig).collect();
    report.calibration = Some(costs.calibration(&rigs, &report.settings));
}

/// Looks at the baseline and at the contestant that the report puts first.
fn add_profiles(report: &mut Report, options: &Options, arguments: &Arguments) {
    let want = Want { stacks: arguments.profile, syscalls: arguments.trace };
    let (Some(server), true) = (options.rigs.first(), want.stacks || want.syscalls) else {
        return;
    };
    let candidate = report::candidate(report).map(|candidate| candidate.name.clone());
    let names = [Some(report.baseline.clone()), candidate];
    let contestants =
        names.into_iter().flatten().filter_map(|name| options.contestants.iter().find(|one| one.name == name));
    let subjects: Vec<Subject> = contestants
        .map(|contestant| {
            let mut spec = ClientSpec::new(contestant.kind.clone());
            spec.env.extend(contestant.swaps.iter().map(|swaps| ("CUTOVER_SWAPS".into(), swaps.into())));
            Subject { name: contestant.name.clone(), spec }
        })
        .collect();
    match profile::run(*server, server.rig(), &subjects, want, &arguments.out) {
        Ok(profiles) => {
            report.profiles = profiles.profiles;
            report.notes.extend(profiles.failures.iter().map(|failure| format!("no profile of {failure}")));
        }
        Err(error) => report.notes.push(format!("no profiles: {error}")),
    }
}

/// Whose real server.
fn real_server(arguments: &Arguments) -> ServerKind {
    match arguments.server {
        RealServer::Vendored => ServerKind::Vendored,
        RealServer::Debian => ServerKind::Debian,
    }
}

/// What the command line asks for.
fn options(arguments: &Arguments, command: Vec<String>) -> Result<Options, String> {
    let programs = if arguments.programs.is_empty() { programs_beside_me() } else { arguments.programs.clone() };
    let each = if arguments.each { ab::SWAPS } else { &[] };
    let mut contestants = ab::contestants(&names(arguments, &programs), &programs, &arguments.mixes, each)?;
    for (name, fault) in &arguments.plants {
        let contestant = contestants.iter_mut().find(|contestant| contestant.name == *name);
        let contestant =
            contestant.ok_or_else(|| format!("`--plant {name}=…` is for a contestant that is not compared"))?;
        contestant.env.push(("CUTOVER_PLANT".into(), fault.clone()));
        contestant.what.push_str(&format!(", planted: {fault}"));
    }
    let real = real_server(arguments);
    let both = if arguments.quick { &[RigName::Real][..] } else { &[RigName::Real, RigName::Peer] };
    let names = if arguments.rig.is_empty() { both } else { &arguments.rig };
    let rigs: Vec<ServerKind> =
        names.iter().map(|name| if *name == RigName::Real { real } else { ServerKind::Peer }).collect();
    let jobs = match (&arguments.metrics[..], arguments.quick) {
        ([], true) => ab::quick_jobs(),
        ([], false) => ab::full_jobs(),
        (metrics, _) => ab::jobs_for(metrics),
    };
    let settings = settings(&arguments.sweeps)?;
    let budget = if arguments.quick { Budget::Quick } else { Budget::Full };
    let mut effort = budget.effort(contestants.len(), rigs.len() * settings.len(), &jobs, arguments.rounds);
    if let Some(seconds) = arguments.seconds {
        effort.seconds_per_run = f64::from(seconds);
        effort.name = "own".into();
    }
    Ok(Options { contestants, rigs, settings, jobs, effort, seed: arguments.seed, command })
}

/// The default setting and the points of all sweeps, each once.
fn settings(sweeps: &[String]) -> Result<Vec<Setting>, String> {
    let mut settings: Vec<Setting> = Vec::new();
    for text in sweeps {
        for setting in ab::sweep(text)? {
            if settings.iter().all(|other| other.id != setting.id) {
                settings.push(setting);
            }
        }
    }
    Ok(if settings.is_empty() { vec![ab::default_setting()] } else { settings })
}

fn read_report(dir: &Path) -> Result<Report, String> {
    let path = dir.join("report.json");
    let failed = |error: &dyn std::fmt::Display| format!("cannot go on with {}: {error}", path.display());
    let report: Report =
        serde_json::from_slice(&fs::read(&path).map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
    if report.complete { Err(failed(&"it is complete")) } else { Ok(report) }
}

/// Runs of other programs must not be mixed with those that are there.
fn check_same(options: &Options, so_far: &Report) -> Result<(), String> {
    let hash = |facts: &ab::schema::ContestantFacts| facts.build.as_ref().map(|build| build.sha256.clone());
    for contestant in &options.contestants {
        let before = so_far.contestants.iter().find(|facts| facts.name == contestant.name);
        if before.map(hash) != Some(hash(&ab::facts(contestant))) {
            return Err(format!("`{}` was another program when the measurement began: start anew", contestant.name));
        }
    }
    Ok(())
}

/// Shows the progress, keeps the report on disk, and ends it all when a signal came.
struct Watcher {
    stop: Arc<AtomicBool>,
    bar: ProgressBar,
    /// When a line about the progress was last written, where no bar can be drawn.
    said: Instant,
    out: PathBuf,
    trouble: Option<String>,
}

impl Observer for Watcher {
    fn next(&mut self, progress: Progress<'_>) -> bool {
        self.bar.set_length(progress.of as u64);
        self.bar.set_position(progress.done as u64);
        let part = match progress.phase {
            Phase::WarmUp => "warm-up".to_owned(),
            Phase::Aa => format!("A/A {}", progress.round),
            Phase::Ab => format!("round {}", progress.round),
            Phase::Counted => "counting".into(),
        };
        self.bar.set_message(format!("{part}, {}", progress.contestant));
        if !std::io::stderr().is_terminal() && self.said.elapsed() >= SILENCE_MAX {
            self.said = Instant::now();
            let (done, of, left_s) = (progress.done, progress.of, self.bar.eta().as_secs());
            eprintln!("{done} of {of} visits, about {left_s} s left: {part}, {}", progress.contestant);
        }
        self.trouble.is_none() && !self.stop.load(Ordering::Relaxed)
    }

    fn visited(&mut self, report: &Report) {
        self.trouble = write_json(report, &self.out).err();
    }
}

/// What `./zigw build ab` installs.
fn programs_beside_me() -> Vec<(String, PathBuf)> {
    let me = std::env::current_exe().unwrap_or_default();
    let beside = ["c", "rust"].map(|name| (name.to_owned(), me.with_file_name(format!("cutover-{name}"))));
    beside.into_iter().filter(|(_, path)| path.is_file()).collect()
}

fn names(arguments: &Arguments, programs: &[(String, PathBuf)]) -> Vec<String> {
    let asked = &arguments.contestants;
    if !asked.is_empty() {
        return asked.clone();
    }
    let mut names: Vec<String> = programs.iter().map(|(name, _)| name.clone()).collect();
    if !arguments.quick && names.iter().any(|name| name == "rust") {
        names.push("c-dispatched".into());
    }
    // The C is the baseline, in whatever order the executables were given.
    names.sort_by_key(|name| (name != "c", name != "c-dispatched"));
    if !arguments.quick && Path::new("/usr/bin/vpnclient").exists() {
        names.push("official".into());
    }
    names
}

/// Set by Ctrl-C and SIGTERM; a second Ctrl-C ends the program at once.
fn stop_flag() -> Result<Arc<AtomicBool>, String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| format!("cannot catch signals: {error}"))?;
    }
    Ok(stop)
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} visits, {eta} left, {msg}") {
        bar.set_style(style);
    }
    if !std::io::stderr().is_terminal() {
        eprintln!("measuring; the table comes at the end");
    }
    bar
}

/// Writes report.json whole or not at all.
fn write_json(report: &Report, dir: &Path) -> Result<(), String> {
    let json = report::json(report).map_err(|error| format!("cannot write the report: {error}"))?;
    let (new, path) = (dir.join("report.json.new"), dir.join("report.json"));
    fs::write(&new, json)
        .and_then(|()| fs::rename(&new, &path))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
