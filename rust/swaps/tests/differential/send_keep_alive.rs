//! `SendKeepAlive` on both sides. Length and padding are random, so the trace is what must hold of every keep-alive.

use crate::support::Trace;
use crate::support::connection::Connection;
use softether_sys::{CONNECTION, ReadFifo, TCPSOCK, UDP_ACCEL, UINT, ZeroMalloc};
use std::ptr;

both_sides! { send_keep_alive: fn SendKeepAlive c_SendKeepAlive(c: *mut CONNECTION, ts: *mut TCPSOCK) }

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    let connection = Connection::new(1);
    let (s, ts) = (connection.s, connection.sockets[0]);
    // SAFETY: nulls are ignored; session, socket and FIFO are ours. Of the UDP acceleration one member is looked at.
    unsafe {
        function(ptr::null_mut(), ts);
        function(connection.c, ptr::null_mut());
        let udp = ZeroMalloc(size_of::<UDP_ACCEL>() as UINT).cast::<UDP_ACCEL>();
        for (is_used, port) in [(0, 0), (0, 5000), (1, 0), (1, 1), (1, 5000), (1, 65_535), (1, 0x12345)] {
            (*s).UdpAccel = udp;
            (*s).UseUdpAcceleration = is_used;
            (*udp).MyPortByNatTServer = port;
            let mut sizes = Vec::new();
            for _ in 0..2000 {
                let before = ((*s).TotalSendSize, (*s).TotalSendSizeReal);
                function(connection.c, ts);
                let bytes = sent(ts);
                assert_eq!(bytes[..4], [0xff; 4]);
                assert_eq!(bytes[4..8], (bytes.len() as u32 - 8).to_be_bytes(), "the declared length is the real one");
                let size = bytes.len() as u64;
                assert_eq!(((*s).TotalSendSize, (*s).TotalSendSizeReal), (before.0 + size, before.1 + size));
                let told = bytes[8..].strip_prefix(b"NATT_MY_PORT").map(|rest| [rest[0], rest[1]]);
                let expected = (is_used != 0 && port != 0).then_some((port as u16).to_be_bytes());
                assert_eq!(told, expected, "port {port}, used {is_used}");
                sizes.push(bytes.len() - 8);
            }
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            assert!(most > Some(&480) && most < Some(&512));
            // Of 2000 lengths up to 511 one is below 14 but for 1 in 10^23 runs.
            let is_least = least == Some(&14);
            trace.push(format!("{is_used} {port}: {}", expected_least(is_used, port) == 0 || is_least));
        }
        (*s).UdpAccel = ptr::null_mut();
        softether_sys::Free(udp.cast());
    }
    trace
}

fn expected_least(is_used: UINT, port: UINT) -> usize {
    if is_used != 0 && port != 0 { 14 } else { 0 }
}

/// Takes what is in the transmit FIFO.
///
/// # Safety
/// The socket lives.
unsafe fn sent(ts: *mut TCPSOCK) -> Vec<u8> {
    // SAFETY: the caller's; the bytes have room.
    unsafe {
        let mut bytes = vec![0_u8; (*(*ts).SendFifo).size as usize];
        ReadFifo((*ts).SendFifo, bytes.as_mut_ptr().cast(), bytes.len() as UINT);
        bytes
    }
}

/// One keep-alive, taken out again by resetting the FIFO's numbers.
pub fn work(function: Function) -> impl FnMut() {
    let connection = Connection::new(1);
    move || {
        let ts = connection.sockets[0];
        // SAFETY: connection and socket are ours.
        unsafe {
            function(connection.c, ts);
            (*(*ts).SendFifo).size = 0;
        }
    }
}
