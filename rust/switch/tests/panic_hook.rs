//! The panic hook, in a process of its own: it is set once and for all threads.

#![allow(missing_docs)]

use std::process::Command;

use switch::{Contract, Info, Setting, Source, Swap, dispatch, install_panic_hook};

static SWAP: Swap =
    Swap::new(Info { index: 0, name: "leaky", symbol: "Leaky", file: "", group: "test", contract: Contract::Pure });

const INNER: &str = "SWITCH_TEST_PANIC_HOOK";

/// Runs itself again to read what the process prints.
#[test]
fn swapped_panics_show_their_place_and_other_panics_their_message() {
    if std::env::var_os(INNER).is_some() {
        return panic_both_ways();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("swapped_panics_show_their_place_and_other_panics_their_message")
        .env(INNER, "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("panic in swap leaky at "), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
    assert!(stderr.contains("not swapped code"), "{stderr}");
}

fn panic_both_ways() {
    install_panic_hook();
    install_panic_hook();
    SWAP.set(Setting::RUST, Source::Api).unwrap();
    let rust = || -> u32 { panic!("the password is hunter2") };
    let line = line!() - 1;
    assert_eq!(dispatch::pure(&SWAP, || 1, rust, switch::compare_results, || 0), 1);
    let reason = SWAP.status().demoted.unwrap();
    assert!(reason.contains(&format!("panic_hook.rs:{line}:")), "{reason}");
    // On the same thread: the boundary's end ends the withholding.
    std::panic::catch_unwind(|| panic!("not swapped code")).unwrap_err();
}
