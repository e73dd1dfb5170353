//! What the system says of a secret's pages, and what happens at their edges: a process of its own dies there.

#![cfg(target_os = "linux")]

use secure::{Error, Secret};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// Runs one test of this file again, in a process that is told so, and gives the signal that ended it.
fn signal_of(test: &str) -> Option<i32> {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--exact", "--nocapture", test]).env("SECURE_TEST_INSIDE", "1").output();
    output.unwrap().status.signal()
}

fn is_inside() -> bool {
    std::env::var_os("SECURE_TEST_INSIDE").is_some()
}

const SEGMENTATION_FAULT: i32 = 11;

#[test]
fn a_byte_behind_the_secret_ends_the_process() {
    let secret = Secret::new(5000).unwrap();
    let behind = secret.as_slice().as_ptr_range().end;
    if is_inside() {
        // SAFETY: none: that this ends the process is the test.
        std::process::exit(unsafe { behind.read_volatile() }.into());
    }
    assert_eq!(signal_of("a_byte_behind_the_secret_ends_the_process"), Some(SEGMENTATION_FAULT));
}

#[test]
fn a_page_before_the_secret_ends_the_process() {
    let secret = Secret::new(rustix_page()).unwrap();
    let before = secret.as_slice().as_ptr().wrapping_sub(1);
    if is_inside() {
        // SAFETY: none: that this ends the process is the test.
        std::process::exit(unsafe { before.read_volatile() }.into());
    }
    assert_eq!(signal_of("a_page_before_the_secret_ends_the_process"), Some(SEGMENTATION_FAULT));
}

#[test]
fn a_secret_that_is_gone_ends_the_process() {
    let place = Secret::new(32).unwrap().as_slice().as_ptr();
    if is_inside() {
        // SAFETY: none: that this ends the process is the test.
        std::process::exit(unsafe { place.read_volatile() }.into());
    }
    assert_eq!(signal_of("a_secret_that_is_gone_ends_the_process"), Some(SEGMENTATION_FAULT));
}

fn rustix_page() -> usize {
    rustix::param::page_size()
}

#[test]
fn the_pages_are_locked_and_not_dumped_and_not_in_children() {
    let secret = Secret::new(32).unwrap();
    let address = secret.as_slice().as_ptr().addr();
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    let mut flags = Vec::new();
    for line in maps.lines() {
        if let Some((start, end)) = line.split_whitespace().next().and_then(|range| range.split_once('-')) {
            let hex = |digits| usize::from_str_radix(digits, 16);
            if let (Ok(start), Ok(end)) = (hex(start), hex(end)) {
                inside = (start..end).contains(&address);
                assert!(!inside || end - start == rustix_page(), "the page stands alone");
            }
        } else if let (true, Some(found)) = (inside, line.strip_prefix("VmFlags:")) {
            flags = found.split_whitespace().map(str::to_owned).collect();
        }
    }
    // lo: locked; dd: not dumped; wf: wiped on fork.
    for flag in ["lo", "dd", "wf"] {
        assert!(flags.iter().any(|found| found == flag), "{flag} is not among {flags:?}");
    }
}

#[test]
fn a_secret_is_taken_and_its_source_wiped() {
    let mut source = *b"key";
    let mut secret = Secret::take(&mut source).unwrap();
    assert_eq!((secret.as_slice(), source), (&b"key"[..], [0; 3]));
    secret.as_mut_slice()[0] = b'K';
    assert_eq!(secret, Secret::take(&mut b"Key".to_vec()).unwrap());
    assert_ne!(secret, Secret::new(3).unwrap());
    assert_eq!(format!("{secret:?}"), "Secret(3 bytes)");
}

#[test]
fn sizes_that_cannot_be() {
    assert_eq!(Secret::new(0).unwrap_err(), Error::Size(0));
    assert_eq!(Secret::new(usize::MAX).unwrap_err(), Error::Size(usize::MAX));
    assert_eq!(Secret::new(isize::MAX as usize).unwrap_err(), Error::Size(isize::MAX as usize));
}

#[test]
fn a_limit_on_locked_memory_is_an_error_that_says_so() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if !is_inside() {
        let program = std::env::current_exe().unwrap();
        let name = "a_limit_on_locked_memory_is_an_error_that_says_so";
        // The limit does not hold for who may lock what he likes.
        let mut command = Command::new("setpriv");
        if rustix::process::geteuid().is_root() {
            command.args(["--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]);
        }
        let status = command.arg(program).args(["--exact", name]).env("SECURE_TEST_INSIDE", "1").status().unwrap();
        assert!(status.success());
        return;
    }
    setrlimit(Resource::Memlock, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
    assert!(matches!(Secret::new(32), Err(Error::Lock(_))));
    assert!(Secret::new(32).unwrap_err().to_string().contains("ulimit -l"));
}
