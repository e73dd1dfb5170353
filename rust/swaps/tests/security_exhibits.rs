//! What a hostile or broken peer can do to the framing of either side: the same input, each side in a process of its own.
//!
//! docs/SECURITY-EXHIBITS.md is made of the results and must be what they are; CUTOVER_BLESS writes it anew. What Rust must
//! answer stands here besides, so that no blessing can hide a change for the worse.

#![cfg(all(gen_next_keep_alive_span, send_keep_alive, connection_send, connection_receive, write_fifo))]

#[path = "differential/support.rs"]
#[allow(dead_code, unused_macros, reason = "the differential tests use the rest")]
mod support;

mod exhibits;

use exhibits::{EXHIBITS, Exhibit, Side};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

/// Which exhibit on which side, as `side number`; not set in the parent.
const CHILD: &str = "CUTOVER_TEST_CHILD";
const TEST: &str = "every_exhibit_on_both_sides";
/// Begins the line with a child's result.
const RESULT: &str = "result: ";

const HEAD: &str = "\
# Safety exhibits: framing

What a hostile or broken server (or, for a server, client) sends, and what each side makes of it. Made of the results of
`rust/swaps/tests/security_exhibits.rs`, which runs every row on both sides, each in a process of its own, and fails if one
is no longer so; `CUTOVER_BLESS=1 cargo test -p swaps --test security_exhibits` writes this page anew.

The first column is the case of the reliability list: I1 sizes of blocks, I2 counts, I3 keep-alives that come, I4 keep-alives
that go, I5 compression, I8 numbers of the Welcome, F1 streams cut anywhere, D a defect of the C beside them. Where the two
columns differ, [LEGACY_BEHAVIOUR.md](LEGACY_BEHAVIOUR.md) says why.

| case | input | C | Rust |
| --- | --- | --- | --- |
";

#[test]
fn every_exhibit_on_both_sides() {
    if let Ok(argument) = std::env::var(CHILD) {
        child(&argument);
        return;
    }
    let mut page = HEAD.to_owned();
    for (number, Exhibit { case, input, rust, .. }) in EXHIBITS.iter().enumerate() {
        let [on_c, on_rust] = ["c", "rust"].map(|side| result(&format!("{side} {number}")));
        assert_eq!(&on_rust, rust, "{case}, {input}");
        writeln!(page, "| {case} | {input} | {on_c} | {on_rust} |").expect("to write to a string");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SECURITY-EXHIBITS.md");
    if std::env::var_os("CUTOVER_BLESS").is_some() {
        std::fs::write(&path, page).expect("to write the page");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    for (committed, made) in committed.lines().zip(page.lines()) {
        assert_eq!(committed, made, "the page (left) is not what the tests find (right)");
    }
    assert_eq!(committed.len(), page.len(), "the page and the tests differ in length");
}

/// What one side does, in a process of its own: this test again.
fn result(argument: &str) -> String {
    let mut child = Command::new(std::env::current_exe().expect("the test's own path"));
    let output = child.args(["--exact", TEST, "--nocapture"]).env(CHILD, argument).output().expect("a child");
    if let Some(signal) = output.status.signal() {
        return match signal {
            8 => "the process ends (SIGFPE)".to_owned(),
            11 => "the process ends (SIGSEGV)".to_owned(),
            other => format!("the process ends (signal {other})"),
        };
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let result = said.lines().find_map(|line| line.split_once(RESULT).map(|(_, result)| result.to_owned()));
    result.unwrap_or_else(|| panic!("{argument}: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Runs one exhibit. Its end is no news: no core file is written.
fn child(argument: &str) {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).expect("a lower limit is always allowed");
    let (side, number) = argument.split_once(' ').expect("side and number");
    let side = if side == "c" { Side::C } else { Side::Rust };
    let number: usize = number.parse().expect("a number");
    support::start();
    println!("\n{RESULT}{}", (EXHIBITS[number].run)(side));
}
