//! `Endian64`: a number of 64 bits between the host's byte order and the network's.

use crate::saved::{self, Saved};
use softether_sys::UINT64;

switch::swap! {
    /// Swaps between the host's and the network's byte order (C: `Endian64`, Mayaqua/Memory.c).
    pub unsafe extern "C" fn Endian64(src: UINT64) -> UINT64;
    swap: crate::ENDIAN64,
    signature: softether_sys::Endian64,
    c: c_Endian64,
    contract: pure,
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

/// The Rust side.
///
/// # Safety
/// None: it takes any number. `unsafe` is the macro's form.
pub unsafe fn rust(src: UINT64) -> UINT64 {
    mayaqua::memory::endian64(src)
}

/// # Safety
/// None: it takes any number.
unsafe fn save(src: UINT64, input: &mut Vec<u8>) -> bool {
    saved::put_number(src, input);
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some(src), true) = (saved.number(), saved.is_read()) else { return false };
    // SAFETY: it takes any number.
    unsafe { Endian64(src) };
    true
}

/// Both sides on the edges of the type.
fn self_test() -> Result<(), String> {
    for src in [0, 1, 0x1234, UINT64::MAX - 1, UINT64::MAX] {
        // SAFETY: both sides take any number.
        let (c, rust) = unsafe { (c_Endian64(src), rust(src)) };
        if c != rust {
            return Err(format!("{src:#x}: c {c:#x}, rust {rust:#x}"));
        }
    }
    Ok(())
}
