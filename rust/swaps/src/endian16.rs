//! `Endian16`: a number of 16 bits between the host's byte order and the network's.

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
}

/// The Rust side.
///
/// # Safety
/// None: it takes any number. `unsafe` is the macro's form.
pub unsafe fn rust(src: USHORT) -> USHORT {
    mayaqua::memory::endian16(src)
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
