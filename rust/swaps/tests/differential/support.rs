//! What the differential tests and the benches share: starting Mayaqua, random input, and the frame of one test.

#[allow(dead_code, reason = "each of the swaps on connections uses a part")]
#[path = "support/connection.rs"]
pub mod connection;
#[allow(dead_code, reason = "two of the swaps use it")]
#[path = "support/socket_fifo.rs"]
pub mod socket_fifo;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::ffi::CString;
use std::sync::{Once, OnceLock};

/// What a body saw, step by step, without addresses.
pub type Trace = Vec<String>;

/// Starts the C library as a program would, once per process.
pub fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let program = std::env::current_exe().expect("the test's own path");
        let name = CString::new(program.to_str().expect("a path in UTF-8")).expect("a path without NUL");
        static NAME: OnceLock<CString> = OnceLock::new();
        let mut arguments = [NAME.get_or_init(|| name).as_ptr().cast_mut()];
        // SAFETY: called once, before any other function of Mayaqua; the argument is read, and lives as long as the process.
        // Minimal mode leaves out the message tables, which no swapped function reads.
        unsafe {
            softether_sys::MayaquaMinimalMode();
            softether_sys::InitMayaqua(0, 0, 1, arguments.as_mut_ptr());
        }
    });
}

/// `CUTOVER_TEST_SEED`, or a fixed seed.
pub fn seed() -> u64 {
    let seed = std::env::var("CUTOVER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5EED);
    println!("CUTOVER_TEST_SEED={seed}");
    seed
}

/// Random input that is the same for both sides.
pub fn random() -> StdRng {
    StdRng::seed_from_u64(seed())
}

/// What the tests of shims run: every combination of edges that there is, up to a limit, and as many random cases.
#[allow(dead_code, reason = "the benches have none")]
pub fn cases() -> swaps::shims::draw::Cases {
    swaps::shims::draw::Cases { seed: seed(), edges: 3200, random: 500 }
}

/// Random bytes, half of the time of few different values, so that they compress.
pub fn bytes(random: &mut StdRng, size: usize) -> Vec<u8> {
    let mask = if random.random() { 0xff } else { 0x03 };
    (0..size).map(|_| random.random::<u8>() & mask).collect()
}

/// Whether docs/LEGACY_BEHAVIOUR.md lists a difference. Comparisons ask here before they allow one, so that a row that is
/// taken out of the list makes them fail.
pub fn is_known_difference(id: &str) -> bool {
    static LIST: &str = include_str!("../../../../docs/LEGACY_BEHAVIOUR.md");
    LIST.lines().any(|line| {
        line.strip_prefix("| `").and_then(|row| row.strip_prefix(id)).is_some_and(|row| row.starts_with("` |"))
    })
}

/// A short stand-in for bytes in a trace: length and hash.
pub fn summary(bytes: &[u8]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{} bytes {:016x}", bytes.len(), hasher.finish())
}

/// Writes the tests of one swap around its `body`, and the rows of its benchmark around its `work`.
///
/// ```ignore
/// both_sides! { new_block: fn NewBlock c_NewBlock(data: *mut c_void, size: UINT, compress: c_int) -> *mut BLOCK }
/// fn body(function: Function) -> Trace { … }
/// pub fn work(function: Function) -> impl FnMut() { … }
/// ```
macro_rules! both_sides {
    ($name:ident: fn $symbol:ident $c:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?) => {
        /// Either side, or the dispatcher before them.
        pub type Function = unsafe fn($($ty),*) $(-> $ret)?;

        /// The vendored C.
        // SAFETY: as for the function itself.
        pub const C: Function = |$($arg),*| unsafe { swaps::$name::$c($($arg),*) };
        /// The Rust side.
        // SAFETY: as for the function itself.
        pub const RUST: Function = |$($arg),*| unsafe { swaps::$name::rust($($arg),*) };
        /// What everyone calls.
        // SAFETY: as for the function itself.
        pub const DISPATCHER: Function = |$($arg),*| unsafe { swaps::$name::$symbol($($arg),*) };

        tests_of_both_sides! { $name }
    };
}

/// The two tests around a `body`.
macro_rules! tests_of_both_sides {
    ($name:ident) => {
        #[cfg(test)]
        #[test]
        fn c_and_rust_agree() {
            $crate::support::start();
            let (c, rust) = (body(C), body(RUST));
            assert!(!c.is_empty(), "the body saw nothing");
            for (step, (c, rust)) in c.iter().zip(&rust).enumerate() {
                assert_eq!(c, rust, "step {step}: C left, Rust right");
            }
            assert_eq!(c.len(), rust.len(), "one side took more steps");
        }

        #[cfg(test)]
        #[test]
        fn shadow_finds_nothing() {
            use switch::{Contract, Setting, Source};
            $crate::support::start();
            let swap = swaps::$name::ENTRY.swap;
            let shadow = Setting::SHADOW;
            if swap.info().contract == Contract::Effect {
                assert!(swap.set(shadow, Source::Api).is_err(), "an effect must not be shadowed");
                return;
            }
            swap.set(shadow, Source::Api).expect("to be set");
            assert_eq!(body(DISPATCHER), body(C), "a shadowed call returns what C returns");
            let counters = swap.counters();
            assert!(counters.calls_shadow > 0, "nothing was shadowed");
            assert_eq!((counters.mismatches, counters.panics), (0, 0), "{:?}", swap.records());
        }
    };
}

/// Writes the tests of shims, each over the arguments that its roles draw: edges first, then random ones.
///
/// ```ignore
/// both_sides_of! { str_len str_cpy }
/// ```
#[allow(unused_macros, reason = "the benches have rows, and no tests")]
macro_rules! both_sides_of {
    ($($name:ident)*) => {$(
        #[cfg($name)]
        pub mod $name {
            pub use swaps::$name::{C, DISPATCHER, Function, RUST, work};

            fn body(function: Function) -> $crate::support::Trace {
                swaps::$name::trace(function, $crate::support::cases())
            }

            tests_of_both_sides! { $name }
        }
    )*};
}

/// Writes `body` and `work` of a function that changes the byte order of a number: edges first, then random ones.
macro_rules! byte_order_body {
    ($ty:ty) => {
        fn body(function: Function) -> $crate::support::Trace {
            use rand::Rng;
            let mut random = $crate::support::random();
            let edges = [0, 1, 0xff, 0x100, <$ty>::MAX - 1, <$ty>::MAX];
            let inputs = edges.into_iter().chain((0..1000).map(|_| random.random()));
            inputs
                .map(|src: $ty| {
                    // SAFETY: it takes any number.
                    let (once, twice) = unsafe { (function(src), function(function(src))) };
                    assert_eq!(twice, src, "its own inverse");
                    assert_eq!(once.to_ne_bytes(), src.to_be_bytes(), "network order in memory");
                    format!("{src:x} {once:x}")
                })
                .collect()
        }

        /// One call.
        pub fn work(function: Function) -> impl FnMut() {
            move || {
                // SAFETY: it takes any number.
                std::hint::black_box(unsafe { function(std::hint::black_box(0x1234)) });
            }
        }
    };
}

/// Writes the tests of a family around its sequence: long, with each function alone on Rust, with all of them, and
/// through the dispatchers in shadow mode.
#[allow(unused_macros, reason = "the benchmark has no use for it")]
macro_rules! family_tests {
    ($api:ident, $sequence:ident) => {
        #[cfg(test)]
        mod both_sides {
            use super::{$api, $sequence};
            use swaps::family::{Random, Trace};

            const STEPS: usize = 3_000;

            fn run(api: &$api) -> Trace {
                $crate::support::start();
                let mut trace = Trace::new(STEPS);
                $sequence(api, &mut Random::new($crate::support::seed()), &mut trace);
                trace
            }

            #[test]
            fn c_and_rust_agree() {
                let c = run(&$api::C);
                for (name, api) in $api::ONE_ON_RUST {
                    assert!(c.calls(name) > 0, "the sequence does not call {name}");
                    assert_eq!(c.compare(&run(api)), Ok(()), "{name} alone on Rust");
                }
                assert_eq!(c.compare(&run(&$api::RUST)), Ok(()), "all on Rust");
            }

            #[test]
            fn shadow_finds_nothing() {
                use switch::{Contract, Setting, Source};
                $crate::support::start();
                let swaps: Vec<_> = swaps::ENTRIES
                    .iter()
                    .map(|entry| entry.swap)
                    .filter(|swap| $api::ONE_ON_RUST.iter().any(|(name, _)| *name == swap.info().name))
                    .collect();
                for swap in &swaps {
                    let is_effect = swap.info().contract == Contract::Effect;
                    assert_eq!(swap.set(Setting::SHADOW, Source::Api).is_err(), is_effect, "{}", swap.info().name);
                }
                assert_eq!(
                    run(&$api::C).compare(&run(&$api::DISPATCHER)),
                    Ok(()),
                    "a shadowed call returns what C returns"
                );
                for swap in swaps.iter().filter(|swap| swap.info().contract != Contract::Effect) {
                    let counters = swap.counters();
                    assert!(counters.calls_shadow > 0, "{} was not shadowed", swap.info().name);
                    assert_eq!((counters.mismatches, counters.panics), (0, 0), "{:?}", swap.records());
                }
            }
        }
    };
}

/// What one iteration of the benchmark of each swap of a family does, after what is set up once: a module for each, of
/// the form that `both_sides!` makes. The structures that an iteration works on are its own.
///
/// ```ignore
/// works! { write_buf_int(f) { let b = full(); } { f(b, 1) } }
/// ```
macro_rules! works {
    ($($name:ident($f:ident) { $($setup:tt)* } $work:block)*) => {$(
        #[allow(dead_code, unused_imports, reason = "the benchmark's part")]
        pub mod $name {
            use super::*;
            pub use swaps::$name::{C, DISPATCHER, Function, RUST};

            /// One iteration.
            pub fn work($f: Function) -> impl FnMut() {
                $($setup)*
                move || {
                    // SAFETY: the arguments are what the function wants; the structures are this benchmark's own.
                    #[allow(clippy::unit_arg, reason = "some functions give nothing")]
                    std::hint::black_box(unsafe { $work });
                }
            }
        }
    )*};
}
