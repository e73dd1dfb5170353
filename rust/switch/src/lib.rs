//! Run-time cutover: which side of a swapped function runs, C or Rust, and what is seen of it.
//!
//! A *swap* is a function that exists twice in one binary. Its exported symbol is a dispatcher, written
//! by [`swap!`], which reads the swap's mode and calls C (`c`), Rust behind a panic boundary (`rust`),
//! or both and compares (`shadow`). A mismatch or a panic demotes the swap to C; only a person promotes
//! it again. This crate knows nothing of SoftEther and contains no C.
//!
//! | file | holds |
//! | --- | --- |
//! | `mode.rs` | modes, contracts, sources, settings |
//! | `spec.rs` | `"new_block=shadow@1%,framing=rust@10%,*=c"` |
//! | `swap.rs` | one swap: its mode, demotion, self-test state, counters |
//! | `swap_macro.rs` | the `swap!` macro |
//! | `dispatch.rs` | how one call runs under each contract |
//! | `session.rs` | the thread's session id and the draw of a percentage |
//! | `counters.rs` | per-thread counts and sampled times |
//! | `mismatch.rs` | comparators, differences, redacted records |
//! | `panic.rs` | the panic boundary and hook |
//! | `watch.rs` | finding a Rust side that does not come back |
//! | `crash.rs` | which swap ran when the process crashed |
//! | `switchboard.rs` | all swaps of a build: applying a spec, self-tests, JSON |
//!
//! # Example
//!
//! The C twin is written in Rust here; in the product it is the vendored C under its new link name.
//!
//! ```
//! # #![allow(non_snake_case)]
//! use switch::{Contract, Info, ModeSpec, Source, Swap, Switchboard};
//!
//! // The registry's part: what is swapped.
//! pub static ENDIAN32: Swap = Swap::new(Info {
//!     index: 0,
//!     name: "endian32",
//!     symbol: "Endian32",
//!     file: "Mayaqua/Memory.c",
//!     group: "endian",
//!     contract: Contract::Pure,
//! });
//!
//! // The C's part: the renamed definition, and the declaration that bindgen reads from the header.
//! #[unsafe(no_mangle)]
//! extern "C" fn c_Endian32(src: u32) -> u32 {
//!     u32::from_be(src)
//! }
//! mod sys {
//!     unsafe extern "C" {
//!         pub fn Endian32(src: u32) -> u32;
//!     }
//! }
//!
//! // The swap's file.
//! mod endian32 {
//!     switch::swap! {
//!         /// Swaps between the host's and the network's byte order.
//!         pub unsafe extern "C" fn Endian32(src: u32) -> u32;
//!         swap: crate::ENDIAN32,
//!         signature: crate::sys::Endian32,
//!         c: c_Endian32,
//!         contract: pure,
//!         rust: rust,
//!         self_test: self_test,
//!     }
//!
//!     unsafe fn rust(src: u32) -> u32 {
//!         src.to_be()
//!     }
//!
//!     fn self_test() -> Result<(), String> {
//!         for src in [0, 1, 0x0102_0304, u32::MAX] {
//!             // SAFETY: both sides take any number.
//!             let (c, rust) = unsafe { (c_Endian32(src), rust(src)) };
//!             if c != rust {
//!                 return Err(format!("{src:#x}: c {c:#x}, rust {rust:#x}"));
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! fn main() {
//!     switch::install_panic_hook();
//!     static ENTRIES: [&switch::Entry; 1] = [&endian32::ENTRY];
//!     let board = Switchboard::new(&ENTRIES);
//!     assert!(board.self_test_all().is_empty());
//!     board.apply(&ModeSpec::parse("endian=shadow").unwrap(), Source::Config).unwrap();
//!
//!     // SAFETY: Endian32 takes any number.
//!     let swapped = unsafe { sys::Endian32(0x0102_0304) };
//!     assert_eq!(swapped, 0x0102_0304u32.to_be());
//!
//!     let counters = ENDIAN32.counters();
//!     assert_eq!((counters.calls_shadow, counters.mismatches), (1, 0));
//!     assert!(board.to_json().contains(r#""mode":"shadow""#));
//! }
//! ```

#[doc(hidden)]
pub mod capture;
mod counters;
mod crash;
#[doc(hidden)]
pub mod dispatch;
mod mismatch;
mod mode;
mod own;
mod panic;
mod session;
mod spec;
mod swap;
mod swap_macro;
mod switchboard;
mod watch;

pub use capture::{CALL_FIRST_LINE, INPUT_SIZE_MAX, capture_to};
pub use counters::{MAX_SWAPS, SAMPLE_EVERY, TimeSummary};
pub use crash::record_crashes;
pub use dispatch::Control;
pub use mismatch::{
    Difference, Kind, MismatchRecord, Shape, Shaped, Sides, Verdict, build_id, compare_bytes, compare_results, digest,
    set_build_id,
};
pub use mode::{Contract, Mode, Setting, Source, UnknownMode};
pub use panic::{guard, install_panic_hook};
pub use session::{SessionGuard, current_session, enter_session, is_within};
pub use spec::{ModeSpec, SpecEntry, SpecError, Specificity, specificity};
pub use swap::{Counters, Info, RECORDS_MAX, Refusal, SelfTest, Status, Swap};
pub use switchboard::{Calls, Entry, Failure, Report, SwapReport, Switchboard};
pub use watch::{Stuck, Watch};
