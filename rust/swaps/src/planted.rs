//! Faults for the tests to find, compiled only with the feature `planted-faults` and never in a product.
//!
//! `CUTOVER_PLANT=mismatch` makes the Rust side of `WriteFifo` write one wrong byte, `CUTOVER_PLANT=panic` makes it
//! panic, each once it has served a hundred calls: late enough to be under traffic.

use softether_sys::FIFO;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const HARMLESS_CALLS: u32 = 100;

/// Strikes at a FIFO that was just written to.
pub fn strike(fifo: &mut FIFO) {
    static FAULT: OnceLock<String> = OnceLock::new();
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let fault = FAULT.get_or_init(|| std::env::var("CUTOVER_PLANT").unwrap_or_default());
    if fault.is_empty() || CALLS.fetch_add(1, Ordering::Relaxed) < HARMLESS_CALLS {
        return;
    }
    match fault.as_str() {
        // SAFETY: a FIFO that was written to has a last unread byte.
        "mismatch" => unsafe { *fifo.p.cast::<u8>().add((fifo.pos + fifo.size) as usize - 1) ^= 1 },
        "panic" => panic!("planted"),
        other => panic!("CUTOVER_PLANT={other}: mismatch or panic"),
    }
}
