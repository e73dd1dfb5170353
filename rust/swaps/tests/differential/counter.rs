//! The swaps on COUNTER and REF on both sides, and what one iteration of their benchmarks does.

use softether_sys::{COUNTER, REF};
use swaps::counter::{Api, sequence};

family_tests! { Api, sequence }

/// A counter, alive to the end of the process.
fn counter() -> *mut COUNTER {
    // SAFETY: a counter may be made at any time.
    unsafe { (Api::C.new_counter)() }
}

/// A reference count, alive to the end of the process.
fn reference() -> *mut REF {
    // SAFETY: a reference count may be made at any time.
    unsafe { (Api::C.new_ref)() }
}

works! {
    new_counter(f) {} { (Api::C.delete_counter)(f()) }
    delete_counter(f) {} { f((Api::C.new_counter)()) }
    count(f) { let c = counter(); } { f(c) }
    inc(f) { let c = counter(); } { f(c) }
    dec(f) { let c = counter(); } { (*c).c = 2; f(c) }
    new_ref(f) {} { (Api::C.release)(f()) }
    add_ref(f) { let reference = reference(); } { f(reference) }
    release(f) {} { f((Api::C.new_ref)()) }
}

/// Threads that count on both sides at once lose nothing.
#[cfg(test)]
#[test]
fn sides_count_beside_each_other() {
    crate::support::start();
    const TIMES: u32 = 20_000;
    // SAFETY: the counter is alive until all threads have ended; it is made for several of them.
    unsafe {
        let c = (Api::C.new_counter)().expose_provenance();
        std::thread::scope(|scope| {
            for api in [Api::C, Api::RUST, Api::C, Api::RUST] {
                scope.spawn(move || {
                    for _ in 0..TIMES {
                        (api.inc)(std::ptr::with_exposed_provenance_mut(c));
                        (api.inc)(std::ptr::with_exposed_provenance_mut(c));
                        (api.dec)(std::ptr::with_exposed_provenance_mut(c));
                    }
                });
            }
        });
        let c = std::ptr::with_exposed_provenance_mut(c);
        assert_eq!(((Api::C.count)(c), (Api::RUST.count)(c)), (4 * TIMES, 4 * TIMES));
        (Api::RUST.delete_counter)(c);
    }
}
