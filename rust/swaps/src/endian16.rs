//! `Endian16`: a number of 16 bits between the host's byte order and the network's.

use crate::saved::{self, Saved};
use softether_sys::USHORT;

switch::swap! {
    /// Swaps between the host's and the network's byte order (C: `Endian16`, Mayaqua/Memory.c).
    pub unsafe extern "C" fn Endian16(src: USHORT) -> USHORT;
    swap: crate::ENDIAN16,
    signature: softether_sys::Endian16,
    c: c_Endian16,
    contract: pure,
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

/// The Rust side.
///
/// # Safety
/// None: it takes any number. `unsafe` is the macro's form.
pub unsafe fn rust(src: USHORT) -> USHORT {
    mayaqua::memory::endian16(src)
}

/// # Safety
/// None: it takes any number.
unsafe fn save(src: USHORT, input: &mut Vec<u8>) -> bool {
    saved::put_number(src.into(), input);
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some(src), true) = (saved.number().and_then(|src| USHORT::try_from(src).ok()), saved.is_read()) else { return false };
    // SAFETY: it takes any number.
    unsafe { Endian16(src) };
    true
}

/// Both sides on the edges of the type.
fn self_test() -> Result<(), String> {
    for src in [0, 1, 0x1234, USHORT::MAX - 1, USHORT::MAX] {
        // SAFETY: both sides take any number.
        let (c, rust) = unsafe { (c_Endian16(src), rust(src)) };
        if c != rust {
            return Err(format!("{src:#x}: c {c:#x}, rust {rust:#x}"));
        }
    }
    Ok(())
}
