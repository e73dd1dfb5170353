//! `IsPriorityHighestPacketForQoS` on both sides.

use crate::support::{Trace, bytes, random};
use rand::Rng;
use softether_sys::{UINT, bool_};
use std::ffi::c_void;
use std::hint::black_box;
use std::ptr;

both_sides! { is_priority_highest_packet_for_qos:
    fn IsPriorityHighestPacketForQoS c_IsPriorityHighestPacketForQoS(data: *mut c_void, size: UINT) -> bool_ }

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    // SAFETY: null is allowed with any size.
    unsafe {
        assert_eq!(function(ptr::null_mut(), 0), 0);
        assert_eq!(function(ptr::null_mut(), 1514), 0);
    }
    let mut see = |frame: &mut [u8]| {
        // SAFETY: the frame's own bytes.
        let priority = unsafe { function(frame.as_mut_ptr().cast(), frame.len() as UINT) };
        assert!(priority <= 1, "false or true");
        trace.push(format!("{} bytes: {priority}", frame.len()));
    };

    // Every size around the limits, with each field that decides at each value that matters.
    for size in (1..=40).chain(120..=140) {
        for ether_type in [[0x08, 0x00], [0x86, 0xdd], [0x81, 0x00], [0x08, 0x06]] {
            for (type_of_service, protocol) in [(0, 1), (0, 6), (8, 17), (0x10, 6), (0xff, 1)] {
                let mut frame = vec![0; size];
                for (offset, value) in [(12, ether_type[0]), (13, ether_type[1]), (15, type_of_service), (23, protocol)] {
                    if let Some(byte) = frame.get_mut(offset) {
                        *byte = value;
                    }
                }
                see(&mut frame);
            }
        }
    }
    let mut random = random();
    for _ in 0..1000 {
        let size = random.random_range(1..1600);
        let mut frame = bytes(&mut random, size);
        if size > 13 && random.random() {
            frame[12..14].copy_from_slice(&[0x08, 0x00]);
        }
        see(&mut frame);
    }
    trace
}

/// One call on a full TCP frame.
pub fn work(function: Function) -> impl FnMut() {
    let mut frame = vec![0_u8; 1514];
    frame[12] = 0x08;
    frame[23] = 6;
    move || {
        // SAFETY: the frame's own bytes.
        black_box(unsafe { function(black_box(frame.as_mut_ptr().cast()), 1514) });
    }
}
