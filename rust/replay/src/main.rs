//! `cutover-replay`: what a client recorded, through both sides. Exit code 0: the same; 1: a difference; 2: no record.

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

const NOTES: &str = "\
A record of a session is made by a client with Rust framing and CUTOVER_RECORD_PLAINTEXT=FILE in its environment, for example
  CUTOVER_RECORD_PLAINTEXT=session.rec cutover-lab frames --count 1000
It holds every frame of the session as it is: record synthetic traffic only.

A record of a call is made when shadow finds a mismatch in a client with CUTOVER_CAPTURE_PLAINTEXT=FOLDER in its
environment. It holds what the function was called with as it is, traffic included.";

/// Give a recorded session, or the input of a call that mismatched, to C and Rust and compare what comes out.
#[derive(Parser)]
#[command(name = "cutover-replay", version, after_help = NOTES)]
struct Arguments {
    /// The record
    file: PathBuf,
}

fn main() -> ExitCode {
    let Arguments { file } = Arguments::parse();
    let report = std::fs::read(&file)
        .map_err(|error| error.to_string())
        .and_then(|bytes| replay::replay(&bytes).map_err(|error| error.to_string()));
    match report {
        Ok(report) => {
            println!("{report}");
            ExitCode::from(u8::from(!report.is_same()))
        }
        Err(error) => {
            eprintln!("cutover-replay: {}: {error}", file.display());
            ExitCode::from(2)
        }
    }
}
