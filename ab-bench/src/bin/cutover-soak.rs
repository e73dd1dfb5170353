//! `cutover-soak`: numbered frames for as long as one likes, while the client is treated badly.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ab_bench::lab::{LabError, ServerKind};
use ab_bench::soak::{self, Progress, SoakOptions, SoakReport};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

const NOTES: &str = "\
Modes are switched through the control socket, connections reset and slowed by the fault proxy, the server killed and
started again; what and when follows from the seed. Passed is: every frame that was sent has arrived intact or was sent
during a reset or a restart; memory (4 MiB), descriptors (2) and threads (2) grow no further from the second fifth of the
run to the last; the client ends with 0 on SIGTERM. Exit code: 0 passed, 1 a rule broken, 2 could not run. Ctrl-C ends it
early and keeps what was measured. The lab needs root.";

/// Soak the client: numbered frames both ways, modes switched, connections reset, the server killed.
#[derive(Parser)]
#[command(name = "cutover-soak", version, after_help = NOTES)]
struct Arguments {
    /// How long
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Frames per second, each way
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// Seconds from one event to the next
    #[arg(long, default_value_t = 15.0)]
    every: f64,
    /// Seed of contents, sizes, events and faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The client [default: `cutover-rust` beside this program]
    #[arg(long)]
    client: Option<PathBuf>,
    /// Whose server
    #[arg(long, value_enum, default_value = "vendored")]
    server: ServerKind,
    /// TCP connections of the session
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=32))]
    connections: u8,
    /// UDP acceleration
    #[arg(long)]
    udp: bool,
    /// Write the whole result to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match act(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cutover-soak: {error}");
            ExitCode::from(2)
        }
    }
}

fn act(arguments: &Arguments) -> Result<bool, LabError> {
    let io_error = |what: &str| {
        let what = what.to_owned();
        move |source| LabError::Io { what, source }
    };
    let options = options(arguments)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(io_error("catch signals"))?;
    }
    let bar = progress_bar(options.duration);
    let result = soak::run(&options, &stop, |progress| show(&bar, progress));
    bar.finish_and_clear();
    let report = result?;
    println!("{report}");
    if let Some(path) = &arguments.json {
        write_json(&report, path).map_err(io_error(&format!("write {}", path.display())))?;
    }
    Ok(report.faults().is_empty())
}

fn options(arguments: &Arguments) -> Result<SoakOptions, LabError> {
    let span = |seconds: f64| {
        Duration::try_from_secs_f64(seconds).map_err(|error| LabError::Missing {
            what: format!("a time instead of {seconds} s"),
            hint: error.to_string(),
        })
    };
    let client = match &arguments.client {
        Some(client) => client.clone(),
        None => std::env::current_exe().unwrap_or_default().with_file_name("cutover-rust"),
    };
    Ok(SoakOptions {
        rate: arguments.rate,
        every: span(arguments.every)?,
        seed: arguments.seed,
        server: arguments.server,
        connections: arguments.connections,
        udp_acceleration: arguments.udp,
        ..SoakOptions::new(client, span(arguments.minutes * 60.0)?)
    })
}

fn progress_bar(duration: Duration) -> ProgressBar {
    let bar = ProgressBar::new(duration.as_secs());
    let style = ProgressStyle::with_template("{bar:30} {elapsed_precise} of {len} s  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn show(bar: &ProgressBar, progress: &Progress) {
    let [(up_sent, up), (down_sent, down)] = progress.frames;
    bar.set_position(progress.elapsed.as_secs());
    bar.set_message(format!("up {up}/{up_sent}  down {down}/{down_sent}  {}", progress.event));
}

fn write_json(report: &SoakReport, path: &PathBuf) -> io::Result<()> {
    let mut file = io::BufWriter::new(std::fs::File::create(path)?);
    serde_json::to_writer_pretty(&mut file, report)?;
    file.write_all(b"\n")?;
    file.flush()
}
