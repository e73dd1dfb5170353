//! Input that ends the C's process, each side in a child: what happens there, and that Rust goes on. The parents start
//! no Mayaqua, which would take the children's exit codes away from them (it ignores SIGCHLD).

#![cfg(all(gen_next_keep_alive_span, connection_send, get_mem_size))]

#[path = "differential/support.rs"]
#[allow(dead_code, unused_macros, reason = "the differential tests use the rest")]
mod support;

use rustix::process::{Resource, Rlimit, setrlimit};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use support::connection::Connection;
use swaps::{connection_send, gen_next_keep_alive_span};

/// What the child is to do; not set in the parent.
const CHILD: &str = "CUTOVER_TEST_CHILD";

const SIGABRT: i32 = 6;
const SIGFPE: i32 = 8;

/// Runs one test of this file again, in a process of its own, and says by which signal it ended.
fn child(test: &str, argument: &str) -> Option<i32> {
    let mut child = Command::new(std::env::current_exe().expect("the test's own path"));
    let output = child.args(["--exact", test]).env(CHILD, argument).output().expect("a child");
    let said = String::from_utf8_lossy(&output.stdout);
    let signal = output.status.signal();
    assert!(signal.is_some() || (output.status.success() && said.contains("1 passed")), "{argument}: {said}");
    signal
}

/// What this process is to do, if it is a child. Its end is no news: no core file is written.
fn argument() -> Option<String> {
    let argument = std::env::var(CHILD).ok()?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).expect("a lower limit is always allowed");
    Some(argument)
}

/// Known difference `keep-alive-span-zero`: a server's Welcome may say a timeout of 0 or 1.
#[test]
fn keep_alive_span_of_a_timeout_of_zero_or_one() {
    const TEST: &str = "keep_alive_span_of_a_timeout_of_zero_or_one";
    let Some(argument) = argument() else {
        let cases = [("c 0", Some(SIGFPE)), ("c 1", Some(SIGFPE)), ("c 2", None), ("rust 0", None), ("rust 1", None)];
        for (argument, end) in cases {
            assert_eq!(child(TEST, argument), end, "{argument}");
        }
        return;
    };
    let (side, timeout) = argument.split_once(' ').expect("side and timeout");
    support::start();
    let connection = Connection::new(0);
    // SAFETY: the connection is ours; that it may end here is what is shown.
    unsafe {
        (*connection.s).Timeout = timeout.parse().expect("a number");
        let span = match side {
            "c" => gen_next_keep_alive_span::c_GenNextKeepAliveSpan(connection.c),
            _ => gen_next_keep_alive_span::rust(connection.c),
        };
        assert_eq!(span, 0);
    }
}

/// Known difference `quota-zero-connections`: a session that may have no connection has something to send.
#[test]
fn send_quota_of_no_connections() {
    let Some(side) = argument() else {
        for (side, end) in [("c", Some(SIGFPE)), ("rust", None)] {
            assert_eq!(child("send_quota_of_no_connections", side), end, "{side}");
        }
        return;
    };
    support::start();
    let mut connection = Connection::new(1);
    connection.queue(&[0x5a; 1000], false);
    // SAFETY: as above.
    unsafe {
        (*connection.s).MaxConnection = 0;
        match side.as_str() {
            "c" => connection_send::c_ConnectionSend(connection.c, 1_000),
            _ => connection_send::rust(connection.c, 1_000),
        }
    }
    assert!(connection.read(0).len() > 1000, "the frame was sent");
}

/// Known difference `free-unchecked`: the size of something that is no block, and of one that is freed already.
#[test]
fn what_is_no_block_is_not_measured() {
    let Some(side) = argument() else {
        for (side, end) in [("c", None), ("rust", Some(SIGABRT)), ("rust twice", Some(SIGABRT))] {
            assert_eq!(child("what_is_no_block_is_not_measured", side), end, "{side}");
        }
        return;
    };
    // The C's last words are a file, too.
    std::env::set_current_dir(std::env::temp_dir()).expect("a folder for temporary files");
    support::start();
    // SAFETY: the block is ours, and what is before its middle is zeros; that the process may end here is what is shown.
    unsafe {
        let (c, rust) = (swaps::heap::Api::C, swaps::heap::Api::RUST);
        let block = (c.zero_malloc)(100);
        match side.as_str() {
            "c" => assert_eq!((c.get_mem_size)(block.byte_add(64)), 0),
            "rust" => assert_eq!((rust.get_mem_size)(block.byte_add(64)), 0),
            _ => {
                (rust.free)(block);
                (rust.free)(block);
            }
        }
    }
}
