//! Criterion rows `swap/<name>/{c,rust,dispatched}`: one for every line of the registry, in one process.
//!
//! What a row does is the `work` of the swap's differential test. `dispatched` is what the program calls, with the
//! swap left on C: its distance to `c` is the price of being able to switch.
//!
//! With `CUTOVER_COUNT=N` nothing is timed: each row does its work N times inside [`cutover_count_row`] and prints its
//! name, so that callgrind can count instructions and allocations row by row (`cutover-ab micro` does that);
//! `CUTOVER_COUNT_ONLY` is part of the names of those that are wanted.

use criterion::{BenchmarkId, Criterion, criterion_main};

#[path = "../../rust/swaps/tests/differential/support.rs"]
#[macro_use]
mod support;

include!("../../rust/swaps/src/registry.rs");

/// One file for all swaps of a family.
#[path = "../../rust/swaps/tests/differential"]
#[allow(dead_code, unused_imports, reason = "the test's part")]
mod families {
    pub mod buffer;
    pub mod counter;
    pub mod crypto;
    pub mod fifo;
    pub mod heap;
    pub mod http;
    pub mod list;
    pub mod pack;
    pub mod queue;
    pub mod strings;
}

#[path = "../../rust/swaps/tests/differential"]
mod differential {
    macro_rules! lines {
        ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident $(, in $home:ident)?;)*) => {
            $(lines! { @module $name $($home)? })*
        };
        (@module $name:ident) => {
            #[cfg($name)]
            #[allow(dead_code, reason = "the test's part")]
            pub mod $name;
        };
        (@module $name:ident $home:ident) => {
            #[cfg($name)]
            pub use super::families::$home::$name;
        };
    }
    with_registry!(lines);
}

macro_rules! lines {
    ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident $(, in $home:ident)?;)*) => {
        fn time() {
            let mut criterion = Criterion::default().configure_from_args();
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

        fn count(times: u32, only: &str) {
            $(
                #[cfg($name)]
                if stringify!($name).contains(only) {
                    use differential::$name::{C, DISPATCHER, RUST, work};
                    for (side, function) in [("c", C), ("rust", RUST), ("dispatched", DISPATCHER)] {
                        let mut work = work(function);
                        // What is set up once must not count, nor what came before: the second of two parts is read.
                        cutover_count_row(&mut work, WARM_UP);
                        cutover_count_row(&mut work, times);
                        println!(concat!("row swap/", stringify!($name), "/{}"), side);
                    }
                }
            )*
        }
    };
}
with_registry!(lines);

const WARM_UP: u32 = 16;

/// The only function in which callgrind collects; it dumps a part whenever this returns.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn cutover_count_row(work: &mut dyn FnMut(), times: u32) {
    for _ in 0..std::hint::black_box(times) {
        work();
    }
}

fn swaps() {
    support::start();
    match std::env::var("CUTOVER_COUNT").map(|times| times.parse()) {
        Ok(Ok(times)) => count(times, &std::env::var("CUTOVER_COUNT_ONLY").unwrap_or_default()),
        Ok(Err(error)) => panic!("CUTOVER_COUNT is no number: {error}"),
        Err(_) => time(),
    }
}

criterion_main!(swaps);
