//! `cutover-vpnserver`: SoftEther's own server, linked with the swapped functions and run by them. It shows that a
//! server's sessions work on the Rust sides as a client's do; it is no product, and keeps no configuration and no logs.
//!
//! It runs in the foreground until SIGTERM or SIGINT, whatever the arguments. `CUTOVER_SWAPS` sets the modes as in the
//! client; without it every swap runs in Rust. At its end it prints the swaps with their calls to the standard error.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use softether_sys::{
    FreeCedar, FreeMayaqua, InitCedar, InitMayaqua, InitProcessCallOnce, StFree, StInit, StStartServer, StStopServer,
    VgUseStaticLink,
};
use std::ffi::CString;
use switch::{ModeSpec, Source, Switchboard};

fn main() {
    let program = std::env::current_exe().expect("the program's own path");
    let program = CString::new(program.into_os_string().into_encoded_bytes()).expect("a path without NUL");
    let mut arguments = [program.as_ptr().cast_mut(), std::ptr::null_mut()];
    let board = Switchboard::new(swaps::ENTRIES);
    // SAFETY: the order of vpnserver.c and UnixExecService, each once; the argument lives until the end.
    unsafe {
        InitProcessCallOnce();
        VgUseStaticLink();
        InitMayaqua(0, 0, 1, arguments.as_mut_ptr());
        InitCedar();
        set_modes(board);
        StInit();
        StStartServer(0);
        let ended = Signals::new([SIGTERM, SIGINT]).expect("to catch signals").forever().next();
        StStopServer();
        StFree();
        FreeCedar();
        FreeMayaqua();
        eprintln!("ended by signal {ended:?}\n{}", board.to_json());
    }
}

/// The swaps are tested and set before anything serves.
fn set_modes(board: Switchboard) {
    for failure in board.self_test_all() {
        eprintln!("cutover-vpnserver: {failure:?}");
    }
    let modes = std::env::var("CUTOVER_SWAPS").unwrap_or_else(|_| "*=rust".to_owned());
    let spec = ModeSpec::parse(&modes).unwrap_or_else(|error| panic!("CUTOVER_SWAPS: {error}"));
    board.apply(&spec, Source::Environment).unwrap_or_else(|error| panic!("CUTOVER_SWAPS: {error}"));
}
