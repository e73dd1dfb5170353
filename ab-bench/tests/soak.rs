//! The soak itself, for seconds: it passes, it keeps what was measured when it is interrupted, and it can fail.
//!
//! The programs are those that `./zigw build test-programs` installs. Needs root.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ab_bench::soak::{self, EventKind, SoakOptions};
use support::{bin, server_dir};

fn options(seconds: u64) -> SoakOptions {
    SoakOptions {
        server_dir: Some(server_dir()),
        rate: 200,
        every: Duration::from_secs(2),
        ..SoakOptions::new(bin("cutover-rust"), Duration::from_secs(seconds))
    }
}

#[test]
fn fourteen_seconds_pass() {
    let report = soak::run(&options(14), &AtomicBool::new(false), |_| ()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(report.faults(), [""; 0], "{report}\n{}", report.client_log.join("\n"));
    assert!(report.count(EventKind::Modes) >= 1 && report.count(EventKind::Restart) >= 1, "{report}");
    for way in &report.ways {
        assert!(way.received > 1000, "{report}");
    }
}

#[test]
fn an_interrupted_soak_keeps_what_was_measured() {
    let stop = AtomicBool::new(false);
    let is_enough = |progress: &soak::Progress| progress.frames.iter().all(|(_, received)| *received > 100);
    let show = |progress: &soak::Progress| stop.store(is_enough(progress), Ordering::Relaxed);
    let report = soak::run(&options(3600), &stop, show).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.interrupted && report.ways.iter().all(|way| way.received > 100), "{report}");
    assert!(report.elapsed < Duration::from_secs(600), "{report}");
}

#[test]
fn a_client_that_ends_is_a_fault() {
    // It ends at once, so that there is nothing to soak.
    let options = SoakOptions { client: "/bin/false".into(), ..options(5) };
    assert!(soak::run(&options, &AtomicBool::new(false), |_| ()).is_err());
}
