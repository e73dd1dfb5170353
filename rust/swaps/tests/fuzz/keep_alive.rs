//! Keep-alives: `SendKeepAlive` to the byte, with and without a NAT-T port, and `GenNextKeepAliveSpan` for any timeout.
//! Both sides draw from the same `rand`. Known difference: for a timeout of 0 or 1 the C has no answer
//! (`keep-alive-span-zero`).

use super::support::connection::Connection;
use super::support::{is_known_difference, start};
use super::{Choices, seed_rand};
use softether_sys::{CONNECTION, FIFO, ReadFifo, TCPSOCK, UDP_ACCEL};
use std::{ptr, slice};
use swaps::{gen_next_keep_alive_span, send_keep_alive};

/// One input on both sides.
pub fn run(input: &[u8]) {
    start();
    let mut choices = Choices::new(input);
    let connection = Connection::new(1);
    // SAFETY: all members may be zero; only the members named here are looked at.
    let mut udp: Box<UDP_ACCEL> = unsafe { Box::new(std::mem::zeroed()) };
    while !choices.is_empty() {
        let (seed, flags) = (choices.u32(), choices.byte());
        // The C keeps the port in 32 bits and tells the low 16.
        udp.MyPortByNatTServer = if flags & 4 == 0 { choices.u16().into() } else { choices.u32() };
        // SAFETY: session and connection are ours; `udp` outlives its place in the session, which does not own it.
        unsafe {
            (*connection.s).UseUdpAcceleration = (flags & 1).into();
            (*connection.s).UdpAccel = if flags & 2 == 0 { ptr::null_mut() } else { &mut *udp };
            (*connection.s).Timeout = choices.u32();
        }
        same_keep_alive(&connection, seed);
        same_span(&connection, seed);
    }
    // SAFETY: as above.
    unsafe { (*connection.s).UdpAccel = ptr::null_mut() };
}

fn same_keep_alive(connection: &Connection, seed: u32) {
    let sent = |function: unsafe fn(*mut CONNECTION, *mut TCPSOCK)| {
        seed_rand(seed);
        // SAFETY: connection, session and socket are ours.
        unsafe {
            (*connection.s).TotalSendSize = 0;
            (*connection.s).TotalSendSizeReal = 0;
            function(connection.c, connection.sockets[0]);
            let totals = ((*connection.s).TotalSendSize, (*connection.s).TotalSendSizeReal);
            (drained((*connection.sockets[0]).SendFifo), totals)
        }
    };
    // SAFETY: as for the function itself.
    let c = sent(|c, ts| unsafe { send_keep_alive::c_SendKeepAlive(c, ts) });
    let rust = sent(send_keep_alive::rust);
    assert_eq!(c, rust, "seed {seed}");
    let declared = u32::from_be_bytes(rust.0[4..8].try_into().expect("four bytes"));
    assert_eq!(declared as usize + 8, rust.0.len(), "the declared length is the real one");
}

fn same_span(connection: &Connection, seed: u32) {
    // SAFETY: connection and session are ours; the C is not asked what it cannot answer.
    unsafe {
        seed_rand(seed);
        let rust = gen_next_keep_alive_span::rust(connection.c);
        if (*connection.s).Timeout < 2 && is_known_difference("keep-alive-span-zero") {
            assert_eq!(rust, 0);
            return;
        }
        seed_rand(seed);
        assert_eq!(gen_next_keep_alive_span::c_GenNextKeepAliveSpan(connection.c), rust);
    }
}

/// Takes all bytes out of a FIFO.
///
/// # Safety
/// The FIFO is whole and nobody else uses it.
unsafe fn drained(fifo: *mut FIFO) -> Vec<u8> {
    // SAFETY: the caller's.
    unsafe {
        let (start, size) = ((*fifo).p.cast::<u8>().add((*fifo).pos as usize), (*fifo).size);
        let bytes = slice::from_raw_parts(start, size as usize).to_vec();
        ReadFifo(fifo, ptr::null_mut(), size);
        bytes
    }
}
