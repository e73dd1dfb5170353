//! Every swap of the registry, the same test body on both sides.
//!
//! A swap's file here gives its `body`: it calls the function it is handed with edge values first and random ones
//! after, asserts what must hold on either side, and returns a trace of all it saw. The traces of C and Rust must be
//! equal, and the same body through the dispatcher in shadow mode must find no mismatch.

#[macro_use]
mod support;

#[allow(dead_code, reason = "`works!` is the benchmark's part")]
mod buffer;
#[allow(dead_code, reason = "`works!` is the benchmark's part")]
mod counter;
#[allow(dead_code, unused_imports, reason = "`work` is the benchmark's part")]
mod crypto;
#[allow(dead_code, reason = "`works!` is the benchmark's part")]
mod fifo;
#[allow(dead_code, reason = "`works!` is the benchmark's part")]
mod heap;
#[allow(dead_code, unused_imports, reason = "`work` is the benchmark's part")]
mod http;
#[allow(dead_code, reason = "`works!` is the benchmark's part")]
mod list;
#[allow(dead_code, unused_imports, reason = "`work` is the benchmark's part")]
mod pack;
#[allow(dead_code, reason = "`works!` is the benchmark's part")]
mod queue;
#[allow(dead_code, unused_imports, reason = "`work` is the benchmark's part")]
mod strings;

include!("../../src/registry.rs");

macro_rules! lines {
    ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident $(, in $home:ident)?;)*) => {
        $(lines! { @module $name $($home)? })*
    };
    (@module $name:ident) => {
        #[cfg($name)]
        #[allow(dead_code, reason = "`work` is the benchmark's part")]
        mod $name;
    };
    // A family has a file for all of its swaps.
    (@module $name:ident $home:ident) => {};
}
with_registry!(lines);

/// Both sides are really there, and are different code.
#[test]
fn the_sides_are_different_code() {
    assert_eq!(swaps::ENTRIES.len(), swaps::REGISTRY.len(), "the tests are of every swap");
    for entry in swaps::ENTRIES {
        let (c, rust) = ((entry.c_address)(), (entry.rust_address)());
        assert_ne!(c, rust, "{} has one side only", entry.swap.info().name);
    }
}

/// The self-tests that run at the start of the client pass, and there is one for each swap.
#[test]
fn self_tests_pass() {
    support::start();
    let board = switch::Switchboard::new(swaps::ENTRIES);
    assert_eq!(board.self_test_all(), []);
}

/// The comparisons allow what docs/LEGACY_BEHAVIOUR.md lists, and nothing else.
#[test]
fn known_differences_are_those_of_the_list() {
    for id in ["expand-failed", "parse-after-error", "send-oversize"] {
        assert!(support::is_known_difference(id), "{id}");
    }
    for id in ["", "expand", "expand-failed ", "no-such-difference"] {
        assert!(!support::is_known_difference(id), "{id}");
    }
}
