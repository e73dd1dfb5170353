//! The micro rig: every swap by itself, C and Rust in one process, timed by criterion and counted by callgrind.
//!
//!  1. Cargo builds the bench of the `swaps` crate (benches/swaps.rs) and says where it is.
//!  2. Criterion runs it; its estimates are read from the files that it leaves.
//!  3. Callgrind runs it once more, doing each row's work a known number of times inside one function, and dumps a part
//!     after each: instructions, and calls of the heap's functions, C's and Rust's alike.
//!
//! Callgrind is run directly: gungraun (formerly iai-callgrind) needs a runner of its own, installed in the same version,
//! and would not count allocations by the same instrument. Callgrind knows no AVX-512, so it sees the AVX2 paths.

mod callgrind;
mod criterion;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ab::SWAPS;
use crate::ab::schema::MicroRow;

/// Times that a row's work is done under callgrind.
const COUNT: u32 = 100;

/// What criterion takes for the three sides of a swap, with what it computes.
const SECONDS_PER_SWAP: f64 = 2.7;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// A checkout of Cutover.
    pub checkout: PathBuf,
    /// Where criterion's and callgrind's files go.
    pub dir: PathBuf,
    /// Only benchmarks whose name contains this.
    pub filter: Option<String>,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum MicroError {
    /// The bench could not be built.
    #[error("`{command}` failed in {checkout}: run cutover-ab in a checkout of Cutover that builds")]
    Build {
        /// The command.
        command: &'static str,
        /// Where it was run.
        checkout: String,
    },
    /// The bench itself failed.
    #[error("the bench failed: {0}")]
    Bench(String),
    /// No benchmark has such a name.
    #[error("no benchmark's name contains `{0}`")]
    NoSuchBench(String),
    /// Files or processes.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

fn io(what: &'static str) -> impl FnOnce(io::Error) -> MicroError {
    move |source| MicroError::Io { what, source }
}

/// The rows, and what could not be counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Micro {
    /// One per side of each benchmark.
    pub rows: Vec<MicroRow>,
    /// Why there are no instructions and allocations, if there are none.
    pub uncounted: Option<String>,
}

/// Builds, times and counts. Says on standard error what it does, since this takes minutes.
pub fn run(options: &Options) -> Result<Micro, MicroError> {
    std::fs::create_dir_all(&options.dir).map_err(io("make the directory for results"))?;
    eprintln!("micro: building the bench of the swaps");
    let bench = build(&options.checkout)?;
    let only = options.filter.as_deref().unwrap_or_default();
    let swaps = SWAPS.iter().filter(|swap| swap.contains(only)).count();
    let minutes = (swaps as f64 * SECONDS_PER_SWAP / 60.0).ceil();
    eprintln!("micro: timing {swaps} swaps on C, on Rust and dispatched (about {minutes} min)");
    time(&bench, options)?;
    let mut rows = criterion::read(&options.dir).map_err(io("read criterion's results"))?;
    if let Some(filter) = &options.filter {
        rows.retain(|row| row.bench.contains(filter.as_str()));
    }
    if rows.is_empty() {
        return Err(MicroError::NoSuchBench(options.filter.clone().unwrap_or_default()));
    }
    eprintln!("micro: counting instructions and allocations (callgrind)");
    let uncounted = match callgrind::count(&bench, &options.dir, COUNT, only) {
        Ok(counted) => {
            for row in &mut rows {
                let of = counted.iter().find(|counts| counts.bench == row.bench && counts.side == row.side);
                row.instructions = of.map(|counts| counts.instructions);
                row.allocations = of.map(|counts| counts.allocations);
            }
            None
        }
        Err(error) => Some(error.to_string()),
    };
    Ok(Micro { rows, uncounted })
}

/// Builds the bench and returns its path.
fn build(checkout: &Path) -> Result<PathBuf, MicroError> {
    const COMMAND: &str = "cargo bench -p swaps --bench swaps --no-run";
    let mut command = Command::new("cargo");
    command.args(COMMAND.split(' ').skip(1)).arg("--message-format=json").current_dir(checkout);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(io("start cargo"))?;
    let path = String::from_utf8_lossy(&output.stdout).lines().find_map(executable);
    path.filter(|_| output.status.success())
        .ok_or_else(|| MicroError::Build { command: COMMAND, checkout: checkout.display().to_string() })
}

/// The executable, if this message of cargo's is about the bench.
fn executable(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_bench = message.pointer("/target/kind")?.as_array()?.iter().any(|kind| kind == "bench");
    let path = message.get("executable")?.as_str()?;
    (is_bench && message.pointer("/target/name")? == "swaps").then(|| path.into())
}

fn time(bench: &Path, options: &Options) -> Result<(), MicroError> {
    let mut command = Command::new(bench);
    command.args(["--bench", "--noplot", "--warm-up-time", "0.2", "--measurement-time", "0.5", "--sample-size", "30"]);
    command.args(&options.filter).env("CRITERION_HOME", criterion::home(&options.dir));
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output().map_err(io("start the bench"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(MicroError::Bench(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// `swap/new_block/rust` is the side `rust` of the benchmark `new_block`.
fn bench_and_side(id: &str) -> Option<(&str, &str)> {
    id.strip_prefix("swap/")?.rsplit_once('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bench_is_found_in_cargo_s_messages() {
        let message =
            r#"{"reason":"compiler-artifact","target":{"kind":["bench"],"name":"swaps"},"executable":"/t/swaps-1"}"#;
        assert_eq!(executable(message), Some("/t/swaps-1".into()));
        assert_eq!(executable(&message.replace("\"bench\"", "\"test\"")), None);
        assert_eq!(executable("Compiling swaps"), None);
    }

    #[test]
    fn rows_are_named_by_bench_and_side() {
        assert_eq!(bench_and_side("swap/new_block/rust"), Some(("new_block", "rust")));
        assert_eq!(bench_and_side("swap/connection_send/64/c"), Some(("connection_send/64", "c")));
        assert_eq!(bench_and_side("framing/decode"), None);
    }
}
