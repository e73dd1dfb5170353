//! What the end-to-end tests begin and end with: the programs, a lab, a client. What is checked is each test's own.
//!
//! The programs are those that `./zigw build test-programs` installs into zig-out/bin; `CUTOVER_BIN_DIR` names another
//! folder. Without root the lab says what to do, and the tests fail.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::PathBuf;
use std::time::Duration;

use ab_bench::lab::{Client, ClientSpec, Lab, LabOptions, ServerKind, Side};

/// How long a command in the lab may take.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Whether the long forms are asked for: every combination, minutes of waiting.
pub fn is_full() -> bool {
    std::env::var_os("CUTOVER_TEST_FULL").is_some()
}

/// Where the programs are.
pub fn programs() -> PathBuf {
    std::env::var_os("CUTOVER_BIN_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../zig-out/bin"), PathBuf::from)
}

/// One of the programs.
pub fn bin(name: &str) -> PathBuf {
    let program = programs().join(name);
    assert!(program.is_file(), "{} is missing; `./zigw build test-programs` installs it", program.display());
    program
}

/// Where the vendored server is.
pub fn server_dir() -> PathBuf {
    bin("cutover-rust").with_file_name("../libexec/cutover")
}

/// A lab with that server.
pub fn lab(server: ServerKind) -> Lab {
    let server_dir = matches!(server, ServerKind::Vendored).then(server_dir);
    Lab::start(&LabOptions { server, server_dir }).unwrap_or_else(|error| panic!("{error}"))
}

/// A lab with the vendored server.
pub fn vendored() -> Lab {
    lab(ServerKind::Vendored)
}

/// The client with every swap in, in these modes.
pub fn rust_with(swaps: &str) -> ClientSpec {
    ClientSpec::cutover(bin("cutover-rust"), swaps)
}

/// Starts a client; it says that it is connected.
pub fn start(lab: &Lab, spec: &ClientSpec) -> Client {
    lab.start_client(spec).unwrap_or_else(|error| panic!("{error}"))
}

/// Ends a client, which must end well.
pub fn stop(client: Client) {
    let log = client.log();
    let status = client.stop().unwrap_or_else(|error| panic!("{error}"));
    assert!(status.success(), "the client ended with {status}\n{log}");
}

/// Whether the server's end of the tunnel answers.
pub fn answers(lab: &Lab) -> bool {
    let ping = lab.run(Side::Client, &["ping", "-c1", "-W1", "10.78.0.1"], LIMIT);
    ping.is_ok_and(|output| output.status.success())
}
