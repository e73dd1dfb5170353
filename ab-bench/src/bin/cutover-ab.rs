//! `cutover-ab`: compares clients in the lab and writes a report.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ab_bench::ab::schema::{Phase, Report, Rig};
use ab_bench::ab::{self, Budget, Options, Progress};
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
  cutover-ab --contestants c,adapter --swaps 'adapter=*=c,adapter=rust' --quick
  cutover-ab --contestants official --server debian --quick

Ctrl-C ends it after the current visit; what was measured is kept and reported.
The columns and report.json are explained in docs/BENCH.md.";

/// Compare the C with the Rust (and with Debian's client) through a real SoftEther server.
#[derive(Parser)]
#[command(name = "cutover-ab", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// An executable `cutover`: `c=PATH` (built with -Dimpl=c) or `rust=PATH` (built with -Dimpl=rust)
    /// [default: `cutover-c` and `cutover-rust` beside this program]
    #[arg(long = "bin", value_name = "NAME=PATH", value_parser = name_and_path)]
    programs: Vec<(String, PathBuf)>,
    /// Who is compared, the baseline first [default: those given by --bin and --swaps; without --quick also `official` if installed]
    #[arg(long, value_name = "c,rust,official", value_delimiter = ',')]
    contestants: Vec<String>,
    /// A contestant made of the Rust build and modes as in CUTOVER_SWAPS: `adapter=*=c,adapter=rust`
    #[arg(long, value_name = "NAME=MODES", value_parser = name_and_modes)]
    swaps: Vec<(String, String)>,
    /// Whose server: built from the vendored C, or Debian's package
    #[arg(long, value_enum, default_value = "vendored")]
    server: ServerKind,
    /// At most two minutes instead of fifteen
    #[arg(long)]
    quick: bool,
    /// Where report.html, report.json and their like go
    #[arg(long, value_name = "DIR", default_value = "ab-report")]
    out: PathBuf,
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

fn name_and_path(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("want NAME=PATH")?;
    if !Path::new(path).is_file() {
        return Err(format!("{path} is no file"));
    }
    Ok((name.to_owned(), path.into()))
}

fn name_and_modes(text: &str) -> Result<(String, String), String> {
    let (name, modes) = text.split_once('=').ok_or("want NAME=MODES")?;
    Ok((name.to_owned(), modes.to_owned()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(command) => cli::run(command),
        None => compare(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("cutover-ab: {message}");
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: &Arguments) -> Result<ExitCode, String> {
    let programs = if arguments.programs.is_empty() { programs_beside_me() } else { arguments.programs.clone() };
    let contestants = ab::contestants(&names(arguments, &programs), &programs, &arguments.swaps)?;
    let budget = if arguments.quick { Budget::Quick } else { Budget::Full };
    let effort = budget.effort(contestants.len(), 2);
    let options = Options { contestants, server: arguments.server, effort, seed: arguments.seed };
    // Before the measurement, not after it, is the time to learn that the report cannot be written.
    fs::create_dir_all(&arguments.out)
        .map_err(|error| format!("cannot create {}: {error}", arguments.out.display()))?;

    let stop = stop_flag()?;
    let costs = Costs::measure_in_new_lab(arguments.server).map_err(|error| error.to_string())?;
    let bar = progress_bar();
    let show = |progress: Progress<'_>| {
        bar.set_length(progress.of as u64);
        bar.set_position(progress.done as u64);
        let round = match progress.phase {
            Phase::WarmUp => "warm-up".into(),
            Phase::Aa => format!("A/A {}", progress.round),
            Phase::Ab | Phase::Counted => format!("round {}", progress.round),
        };
        bar.set_message(format!("{round}, {}", progress.contestant));
        !stop.load(Ordering::Relaxed)
    };
    let mut report = ab::run(&options, show).map_err(|error| error.to_string())?;
    bar.finish_and_clear();

    add_calibration(&mut report, costs, arguments);
    if report.complete {
        add_profiles(&mut report, &options, arguments);
        if arguments.micro {
            report.micro = cli::run_micro(None)?.rows;
        }
    }
    cli::conclude(&mut report, &arguments.out, &arguments.judgement)
}

/// What the machine's parts cost, once more after the measurement unless it is a quick or an interrupted one.
fn add_calibration(report: &mut Report, mut costs: Costs, arguments: &Arguments) {
    if report.complete && !arguments.quick {
        match Costs::measure_in_new_lab(arguments.server) {
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
    if want == (Want { stacks: false, syscalls: false }) {
        return;
    }
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
    match profile::run(arguments.server, Rig::Real, &subjects, want, &arguments.out) {
        Ok(profiles) => {
            report.profiles = profiles.profiles;
            profiles.failures.iter().for_each(|failure| eprintln!("cutover-ab: no profile: {failure}"));
        }
        Err(error) => eprintln!("cutover-ab: no profiles: {error}"),
    }
}

/// What `./zigw build ab` installs.
fn programs_beside_me() -> Vec<(String, PathBuf)> {
    let me = std::env::current_exe().unwrap_or_default();
    let beside = ["c", "rust"].map(|name| (name.to_owned(), me.with_file_name(format!("cutover-{name}"))));
    beside.into_iter().filter(|(_, path)| path.is_file()).collect()
}

fn names(arguments: &Arguments, programs: &[(String, PathBuf)]) -> Vec<String> {
    if !arguments.contestants.is_empty() {
        return arguments.contestants.clone();
    }
    let mut names: Vec<String> = programs.iter().map(|(name, _)| name.clone()).collect();
    // The C is the baseline, in whatever order the executables were given.
    names.sort_by_key(|name| name != "c");
    for (name, _) in &arguments.swaps {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
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
        eprintln!("measuring; the table comes when it is done");
    }
    bar
}
