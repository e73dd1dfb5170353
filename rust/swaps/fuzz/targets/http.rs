//! The fuzz target `http`; what it does is in rust/swaps/tests/fuzz/http.rs.
#![no_main]

#[path = "../../tests/fuzz/mod.rs"]
#[allow(dead_code, reason = "the other targets use the rest")]
mod fuzz;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::http::run(input));
