//! Tells `cutover version` what the library was built with and from.

use std::path::Path;
use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version =
        first_line(Command::new(rustc).arg("--version")).unwrap_or_else(|| "rustc of an unknown version".into());
    println!("cargo::rustc-env=CUTOVER_RUSTC={version}");

    // A checkout without git, or a source archive, has no commit.
    if let Some(commit) = first_line(Command::new("git").args(["rev-parse", "--short=12", "HEAD"])) {
        println!("cargo::rustc-env=CUTOVER_COMMIT={commit}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(log) = first_line(Command::new("git").args(["rev-parse", "--git-path", "logs/HEAD"])).filter(exists) {
        println!("cargo::rerun-if-changed={log}");
    }
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_owned)
}

fn exists(path: &String) -> bool {
    Path::new(path).exists()
}
