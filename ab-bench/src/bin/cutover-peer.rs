//! `cutover-peer`: the far end that the peer rig measures against. The lab starts it; nobody else needs to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use ab_bench::peer::{Peer, PeerOptions, Plant};
use clap::Parser;

/// Speak a SoftEther server's side of one session, as fast as can be, with a TAP behind it. For measurements in a
/// private network namespace only: it asks for no password.
#[derive(Parser)]
#[command(name = "cutover-peer", version)]
struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The TAP to make
    #[arg(long, value_name = "NAME")]
    tap: String,
    /// Its MAC address
    #[arg(long, value_name = "MAC", value_parser = mac)]
    tap_mac: [u8; 6],
    /// The only hub
    #[arg(long)]
    hub: String,
    /// Who may log in (may be repeated)
    #[arg(long = "user", required = true)]
    users: Vec<String>,
    /// Where the SHA-256 of the certificate goes
    #[arg(long, value_name = "FILE")]
    pin_file: PathBuf,
    /// A fault for the tests of the harness to find: drop:N or flip:N, every N frames from the client
    #[arg(long, env = "CUTOVER_PEER_PLANT", value_name = "FAULT")]
    plant: Option<Plant>,
}

fn mac(text: &str) -> Result<[u8; 6], String> {
    let bytes: Result<Vec<u8>, _> = text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect();
    bytes.ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| "want six bytes in hex, 02:00:0a:4e:00:01".into())
}

fn main() -> ExitCode {
    let Arguments { listen, tap, tap_mac, hub, users, pin_file, plant } = Arguments::parse();
    let peer = Peer::start(PeerOptions { listen, tap, tap_mac, hub, users, pin_file, plant });
    let result = peer.and_then(|peer| peer.serve(|line| eprintln!("{line}")));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cutover-peer: {error}");
            ExitCode::FAILURE
        }
    }
}
