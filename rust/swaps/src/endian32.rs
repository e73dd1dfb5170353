//! `Endian32`: a number of 32 bits between the host's byte order and the network's.

use crate::saved::{self, Saved};
use softether_sys::UINT;

switch::swap! {
    /// Swaps between the host's and the network's byte order (C: `Endian32`, Mayaqua/Memory.c).
    pub unsafe extern "C" fn Endian32(src: UINT) -> UINT;
    swap: crate::ENDIAN32,
    signature: softether_sys::Endian32,
    c: c_Endian32,
    contract: pure,
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

/// The Rust side.
///
/// # Safety
/// None: it takes any number. `unsafe` is the macro's form.
pub unsafe fn rust(src: UINT) -> UINT {
    mayaqua::memory::endian32(src)
}

/// # Safety
/// None: it takes any number.
unsafe fn save(src: UINT, input: &mut Vec<u8>) -> bool {
    saved::put_number(src.into(), input);
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some(src), true) = (saved.number().and_then(|src| UINT::try_from(src).ok()), saved.is_read()) else { return false };
    // SAFETY: it takes any number.
    unsafe { Endian32(src) };
    true
}

/// Both sides on the edges of the type.
fn self_test() -> Result<(), String> {
    for src in [0, 1, 0x1234, UINT::MAX - 1, UINT::MAX] {
        // SAFETY: both sides take any number.
        let (c, rust) = unsafe { (c_Endian32(src), rust(src)) };
        if c != rust {
            return Err(format!("{src:#x}: c {c:#x}, rust {rust:#x}"));
        }
    }
    Ok(())
}
