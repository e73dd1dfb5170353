//! The drill in its small form: two sessions, and of the planted faults the one that no other test has; the others are
//! those of control.rs. `./zigw build drill` runs the whole one.

mod support;

use ab_bench::drill::{FAULTS, Options, run};
use support::programs;

#[test]
fn a_small_drill_holds_what_is_promised() {
    let programs = programs().canonicalize().expect("`./zigw build test-programs` installs the programs");
    let faults: Vec<_> = FAULTS.iter().copied().filter(|fault| fault.name == "session-locked").collect();
    assert_eq!(faults.len(), 1);
    let (sessions, stage_ms, switches, overhead_seconds) = (2, 300, 100, 0);
    let options = Options { sessions, stage_ms, faults, switches, overhead_seconds, programs, server_dir: None };
    let report = run(&options, &mut |part| println!("{part}")).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.holds(), "{report}");
}
