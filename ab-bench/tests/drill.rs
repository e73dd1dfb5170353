//! The drill's small form, as `./zigw build test` runs it; `./zigw build drill` runs the whole one.

mod support;

use ab_bench::drill::{Options, run};
use support::programs;

#[test]
#[ignore = "does not hold yet: docs/CUTOVER.md, \"The drill\""]
fn a_small_drill_holds_what_is_promised() {
    let programs = programs().canonicalize().expect("`./zigw build test` installs the programs");
    let options = Options { sessions: 4, switches: 500, overhead_seconds: 0, programs, server_dir: None };
    let report = run(&options, &mut |part| println!("{part}")).unwrap_or_else(|error| panic!("{error}"));
    println!("{report}");
    assert!(report.holds(), "{report}");
}
