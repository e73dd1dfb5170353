//! Exhibits of `ConnectionSend`, `SendKeepAlive` and `GenNextKeepAliveSpan`.

use super::{Side, described};
use crate::support::connection::Connection;
use softether_sys::{ReadFifo, UDP_ACCEL};
use std::{ptr, slice};
use switch::{Mode, Setting, Source};

/// The sizes of the blocks that a peer reads after one call.
fn sent(side: Side, connection: &mut Connection) -> Vec<usize> {
    // SAFETY: the connection is ours; no keep-alive is due.
    unsafe {
        (*connection.sockets[0]).NextKeepAliveTime = u64::MAX;
        side.send(connection.c, 1_000);
    }
    let bytes = connection.read(0);
    let word = |at: usize| bytes[at..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word)) as usize;
    let (mut sizes, mut at) = (Vec::new(), 4);
    for _ in 0..word(0) {
        sizes.push(word(at));
        at += 4 + word(at);
    }
    assert_eq!(at, bytes.len(), "a whole batch");
    sizes
}

/// I4: what each keep-alive declares, and what it is.
pub fn keep_alives(side: Side) -> String {
    const COUNT: u32 = 100_000;
    let connection = Connection::new(1);
    let mut right = 0;
    // SAFETY: session and socket are ours; of UDP acceleration only the port is looked at, and it outlives its use.
    unsafe {
        let mut udp: Box<UDP_ACCEL> = Box::new(std::mem::zeroed());
        udp.MyPortByNatTServer = 5000;
        (*connection.s).UdpAccel = &mut *udp;
        let fifo = (*connection.sockets[0]).SendFifo;
        for number in 0..COUNT {
            (*connection.s).UseUdpAcceleration = number % 2;
            side.send_keep_alive(connection.c, connection.sockets[0]);
            let start = (*fifo).p.cast::<u8>().add((*fifo).pos as usize);
            let bytes = slice::from_raw_parts(start, (*fifo).size as usize);
            let declared = bytes[4..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word));
            right += u32::from(declared as usize + 8 == bytes.len() && declared < 512);
            ReadFifo(fifo, ptr::null_mut(), u32::MAX);
        }
        (*connection.s).UdpAccel = ptr::null_mut();
    }
    format!("the declared length is the real one in {right}")
}

/// I8: a session timeout that the server has set.
pub fn span(side: Side, timeout: u32) -> String {
    let connection = Connection::new(0);
    // SAFETY: the session is ours; that the process may end here is what is shown.
    let span = unsafe {
        (*connection.s).Timeout = timeout;
        side.span(connection.c)
    };
    format!("keep-alive after {span} ms")
}

/// I8: the limit by which the quota of a socket is divided.
pub fn no_connections(side: Side) -> String {
    let mut connection = Connection::new(1);
    connection.queue(&[0x5a; 60], false);
    // SAFETY: as above.
    unsafe { (*connection.s).MaxConnection = 0 };
    let sizes = sent(side, &mut connection);
    described("block sent", &sizes)
}

/// Frames that no receiver takes.
pub fn oversize(side: Side) -> String {
    let mut connection = Connection::new(1);
    for size in [60, 1601, 3201, 61] {
        connection.queue(&vec![0x5a; size], false);
    }
    let sizes = sent(side, &mut connection);
    described("block sent", &sizes)
}

/// A transmit FIFO whose position is about to wrap, with a frame to be sent. The Rust side through its dispatcher, which
/// holds the panic.
pub fn fifo_overflow(side: Side) -> String {
    let swap = swaps::connection_send::ENTRY.swap;
    swap.set(Setting::RUST, Source::Api).expect("to be set");
    switch::install_panic_hook();
    let mut connection = Connection::new(1);
    connection.queue(&[0x5a; 60], false);
    // SAFETY: the connection is ours; that C may write where nothing is, and ends the process, is what is shown.
    unsafe {
        (*connection.sockets[0]).NextKeepAliveTime = u64::MAX;
        let fifo = (*connection.sockets[0]).SendFifo;
        ((*fifo).pos, (*fifo).memsize) = (u32::MAX - 8, u32::MAX);
        match side {
            Side::C => side.send(connection.c, 1_000),
            Side::Rust => swaps::connection_send::ConnectionSend(connection.c, 1_000),
        }
        (*fifo).pos = 0;
        let end = if (*connection.s).SessionTimeOuted == 0 { "goes on" } else { "ends as one that timed out" };
        let mode = if swap.setting().mode() == Mode::C { "C" } else { "Rust" };
        format!("{} bytes sent, the session {end}, the next runs on {mode}", connection.read(0).len())
    }
}
