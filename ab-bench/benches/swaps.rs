//! Criterion rows `swap/<name>/{c,rust,dispatched}`: one for every line of the registry, in one process.
//!
//! What a row does is the `work` of the swap's differential test. `dispatched` is what the program calls, with the
//! swap left on C: its distance to `c` is the price of being able to switch.

use criterion::{BenchmarkId, Criterion, criterion_main};

#[path = "../../rust/swaps/tests/differential/support.rs"]
#[macro_use]
mod support;

include!("../../rust/swaps/src/registry.rs");

#[path = "../../rust/swaps/tests/differential"]
mod differential {
    macro_rules! lines {
        ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident;)*) => {
            $(
                #[cfg($name)]
                #[allow(dead_code, reason = "the test's part")]
                pub mod $name;
            )*
        };
    }
    with_registry!(lines);
}

macro_rules! lines {
    ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident;)*) => {
        fn swaps() {
            let mut criterion = Criterion::default().configure_from_args();
            support::start();
            $(
                #[cfg($name)]
                {
                    use differential::$name::{C, DISPATCHER, RUST, work};
                    let mut group = criterion.benchmark_group(concat!("swap/", stringify!($name)));
                    for (side, function) in [("c", C), ("rust", RUST), ("dispatched", DISPATCHER)] {
                        let mut work = work(function);
                        group.bench_function(BenchmarkId::from_parameter(side), |bencher| bencher.iter(&mut work));
                    }
                    group.finish();
                }
            )*
            criterion.final_summary();
        }
    };
}
with_registry!(lines);

criterion_main!(swaps);
