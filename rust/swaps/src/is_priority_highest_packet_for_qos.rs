//! `IsPriorityHighestPacketForQoS`: whether a frame goes to the session's priority queue.
//!
//! Ownership: the frame is only read. No locks are held or taken.

use crate::memory;
use crate::saved::{self, Saved};
use softether_sys::{UINT, bool_};
use std::ffi::c_void;

switch::swap! {
    /// Whether a frame has priority (C: `IsPriorityHighestPacketForQoS`, Cedar/Session.c). Null has none.
    pub unsafe extern "C" fn IsPriorityHighestPacketForQoS(data: *mut c_void, size: UINT) -> bool_;
    swap: crate::IS_PRIORITY_HIGHEST_PACKET_FOR_QOS,
    signature: softether_sys::IsPriorityHighestPacketForQoS,
    c: c_IsPriorityHighestPacketForQoS,
    contract: pure,
    rust: rust,
    self_test: self_test,
    input: (save, rerun),
}

/// The Rust side.
///
/// # Safety
/// `data` is null or `size` readable bytes.
pub unsafe fn rust(data: *mut c_void, size: UINT) -> bool_ {
    // SAFETY: the caller's; null becomes an empty frame, which has no priority.
    let frame = unsafe { memory::view(data, size) };
    cedar::framing::is_priority_highest_packet_for_qos(frame).into()
}

/// # Safety
/// As for [`rust`].
unsafe fn save(data: *mut c_void, size: UINT, input: &mut Vec<u8>) -> bool {
    // SAFETY: the caller's.
    unsafe { saved::put_data(data, size, input) };
    true
}

fn rerun(input: &[u8]) -> bool {
    let mut saved = Saved::new(input);
    let (Some((frame, size)), true) = (saved.data(), saved.is_read()) else { return false };
    // SAFETY: null, or as many bytes.
    unsafe { IsPriorityHighestPacketForQoS(saved::pointer(frame), size) };
    true
}

/// Both sides on IPv4 with and without a type of service, and on ICMP of the sizes at its limits.
fn self_test() -> Result<(), String> {
    let mut frame = [0; 129];
    frame[12] = 0x08;
    for (type_of_service, protocol) in [(0, 6), (0x10, 6), (8, 1), (0, 1)] {
        (frame[15], frame[23]) = (type_of_service, protocol);
        for size in [0, 15, 16, 33, 34, 128, 129] {
            let data = frame.as_mut_ptr().cast();
            // SAFETY: size is at most the array's.
            let (c, rust) = unsafe { (c_IsPriorityHighestPacketForQoS(data, size), rust(data, size)) };
            if c != rust {
                return Err(format!("size {size}, type of service {type_of_service}, protocol {protocol}: c {c}, rust {rust}"));
            }
        }
    }
    Ok(())
}
