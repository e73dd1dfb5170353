//! `cutover-ab`: compares clients in the lab and writes a report.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ab_bench::ab::schema::{Phase, Report};
use ab_bench::ab::{self, Budget, Options, Progress};
use ab_bench::lab::ServerKind;
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
#[command(name = "cutover-ab", version, after_help = EXAMPLES)]
struct Arguments {
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
    /// Where report.json and report.svg go
    #[arg(long, value_name = "DIR", default_value = "ab-report")]
    out: PathBuf,
    /// Seed of the order of the runs and of the bootstrap
    #[arg(long, default_value_t = 1)]
    seed: u64,
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
    match compare(&Arguments::parse()) {
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
    let report = ab::run(&options, show).map_err(|error| error.to_string())?;
    bar.finish_and_clear();

    write_report(&report, &arguments.out)?;
    println!("{}", ab::table(&report));
    for sentence in ab::sentences(&report) {
        println!("{sentence}");
    }
    println!("{:.0} s; report in {}", report.duration_s, arguments.out.join("report.json").display());
    let good = report.complete && report.failures.is_empty();
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

fn write_report(report: &Report, dir: &Path) -> Result<(), String> {
    let json = serde_json::to_string_pretty(report).map_err(|error| format!("cannot write the report: {error}"))?;
    let path = dir.join("report.json");
    fs::write(&path, json + "\n").map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let path = dir.join("report.svg");
    ab::draw(report, &path).map_err(|error| format!("cannot draw {}: {error}", path.display()))
}
