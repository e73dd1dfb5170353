//! The part of `cutover-ab` that measures nothing in the lab: rendering, gates, comparing reports, the micro rig.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use clap::{Args, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::production::{self, Moment};
use super::{Gate, ReportError, Scrape, delta_table, figure, read, sentences, table, write};
use crate::ab::schema::{MicroRow, Report};
use crate::micro::{self, Micro};

/// A gate is not met.
pub const EXIT_GATE: u8 = 3;

/// What is asked of a report; the same words for a new one and for one that is rendered again.
#[derive(Debug, Clone, Default, Args)]
pub struct Judgement {
    /// Call the report void if the noise of client CPU or goodput (half of an A/A interval) is above this: `5%`
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    pub noise_floor: Option<f64>,
    /// A goal, met by the bound of the interval: 'rust/c cpu_s_per_gb.down <= 0.35'. Unmet: exit code 3. May be repeated
    #[arg(long = "gate", value_name = "GATE")]
    pub gates: Vec<Gate>,
}

/// What can be done with reports.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Render a report again from its report.json, and judge it anew; or make one of a client's metrics
    Report {
        /// Where report.json is, or goes
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Make the report of scrapes of one client's metrics, files in the order in which they were made: at the begin, at
        /// the end, and better often between. A file's time is when it was written last
        #[arg(long, value_name = "FILE", num_args = 2..)]
        from_metrics: Vec<PathBuf>,
        /// What is asked of it.
        #[command(flatten)]
        judgement: Judgement,
    },
    /// Show what changed between two reports
    Compare {
        /// The older report's directory or file
        old: PathBuf,
        /// The newer one's
        new: PathBuf,
    },
    /// Time and count every swap by itself, C and Rust in one process (in a checkout of Cutover)
    Micro {
        /// Add the results to the report in this directory
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
        /// Only swaps whose name contains this
        #[arg(value_name = "NAME")]
        filter: Option<String>,
    },
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim();
    match number.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err("want a percentage above 0, like `5%`".into()),
    }
}

/// Does what the command says.
pub fn run(command: &Command) -> Result<ExitCode, String> {
    match command {
        Command::Report { dir, from_metrics, judgement } if from_metrics.is_empty() => {
            conclude(&mut load(dir)?, dir, judgement)
        }
        Command::Report { dir, from_metrics, judgement } => {
            let moments = from_metrics.iter().map(|path| moment(path)).collect::<Result<Vec<Moment>, String>>()?;
            let mut report = production::from_scrapes(&moments, std::env::args().collect())?;
            std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
            let code = conclude(&mut report, dir, judgement)?;
            if !report.micro.is_empty() {
                println!("{}", micro_table(&report.micro));
            }
            Ok(code)
        }
        Command::Compare { old, new } => {
            println!("{}", delta_table(&load(old)?, &load(new)?));
            Ok(ExitCode::SUCCESS)
        }
        Command::Micro { into, filter } => {
            // Who asks for a report that is not there should not learn it after minutes.
            let mut report = into.as_ref().map(|dir| load(dir)).transpose()?;
            let measured = run_micro(filter.clone())?;
            if let (Some(dir), Some(report)) = (into, &mut report) {
                report.micro = measured.rows;
                write(report, dir).map_err(words)?;
                println!("added to {}", dir.join("report.html").display());
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A scrape, made when its file was written.
fn moment(path: &Path) -> Result<Moment, String> {
    let words = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| words(&error))?;
    let written = std::fs::metadata(path).and_then(|facts| facts.modified()).map_err(|error| words(&error))?;
    let unix_s = written.duration_since(UNIX_EPOCH).map_err(|error| words(&error))?.as_secs_f64();
    Ok(Moment { unix_s, scrape: Scrape::parse(&text).map_err(|error| words(&error))? })
}

fn load(path: &Path) -> Result<Report, String> {
    read(path).map_err(words)
}

fn words(error: ReportError) -> String {
    error.to_string()
}

/// Runs the micro rig in the checkout that is the working directory, and prints its table.
pub fn run_micro(filter: Option<String>) -> Result<Micro, String> {
    let checkout = PathBuf::from(".");
    let options = micro::Options { dir: checkout.join("target/cutover-micro"), checkout, filter };
    let measured = micro::run(&options).map_err(|error| error.to_string())?;
    println!("{}", micro_table(&measured.rows));
    if let Some(reason) = &measured.uncounted {
        println!("instructions and allocations were not counted: {reason}");
    }
    Ok(measured)
}

/// Judges a report, writes all its files, prints what a newcomer sees first, and answers with the exit code: 0, 1 for a
/// report that is interrupted, void or holds failures, 3 for a gate that is not met.
pub fn conclude(report: &mut Report, dir: &Path, judgement: &Judgement) -> Result<ExitCode, String> {
    if judgement.noise_floor.is_some() {
        report.noise_floor_max = judgement.noise_floor;
    }
    report.compare();
    write(report, dir).map_err(words)?;
    if !report.rows.is_empty() {
        println!("{}", table(report));
    }
    for sentence in sentences(report) {
        println!("{sentence}");
    }
    let mut all_met = true;
    for gate in &judgement.gates {
        let outcome = gate.check(report).map_err(|error| error.to_string())?;
        all_met &= outcome.is_met;
        outcome.lines.iter().for_each(|line| println!("{line}"));
    }
    println!(
        "{:.0} s; {} rows from {} runs in {}",
        report.duration_s,
        report.rows.len(),
        report.runs.len(),
        dir.join("report.html").display()
    );
    let good = report.complete && report.failures.is_empty() && !report.is_void();
    Ok(match (good, all_met) {
        (_, false) => ExitCode::from(EXIT_GATE),
        (false, true) => ExitCode::FAILURE,
        (true, true) => ExitCode::SUCCESS,
    })
}

/// One line per swap.
fn micro_table(rows: &[MicroRow]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "swap",
        "C ns",
        "Rust ns",
        "Rust / C",
        "dispatched ns",
        "C instr.",
        "Rust instr.",
        "C allocs",
        "Rust allocs",
    ]);
    for c in rows.iter().filter(|row| row.side == "c") {
        let side = |side: &str| rows.iter().find(|row| row.bench == c.bench && row.side == side);
        let (rust, dispatched) = (side("rust"), side("dispatched"));
        let optional = |value: Option<f64>| value.map_or_else(|| "–".into(), figure);
        table.add_row([
            c.bench.clone(),
            figure(c.ns.value),
            optional(rust.map(|row| row.ns.value)),
            optional(rust.map(|row| row.ns.value / c.ns.value)),
            optional(dispatched.map(|row| row.ns.value)),
            optional(c.instructions),
            optional(rust.and_then(|row| row.instructions)),
            optional(c.allocations),
            optional(rust.and_then(|row| row.allocations)),
        ]);
    }
    for column in 1..9 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}
