//! R-UDP: the C's own TCP over UDP (`Mayaqua/Network.c`), which reaches servers behind a NAT that no TCP reaches, with the help
//! of SoftEther's NAT-T servers. A [`Stream`] takes the place of a TCP connection under TLS.
//!
//! | module | C | holds |
//! | --- | --- | --- |
//! | [`Session`] | `RUDP_SESSION` | one end of a connection, without socket, clock and randomness |
//! | `wire` | `RUDPSendSegmentNow` and its reader | segments |
//! | `bulk` | `RUDPBulkSend` and its reader | frames beside the stream |
//! | `keys` | `RUDPNewSession` | what is derived from the client's first datagram |
//! | `dns` | parts of `RUDPMainThread` | the same disguised as DNS |
//! | [`nat_t`] | `NewRUDPClientNatT` | the question to a NAT-T server where a server is |
//! | [`race`] | `ConnectEx4`, `ConnectThreadForTcp` and so on | TCP, NAT-T and DNS against each other |
//! | [`Stream`] | `NewRUDPClientDirect`, `RUDPMainThread` | a client's connection over a socket |
//!
//! None of it protects anything: the keys are sent in the clear before they are used (`wire`). It carries what protects itself.
//!
//! Not here: R-UDP over ICMP, for which a socket has to be raw and the program an administrator's; the list of sessions that a
//! server has and its registration with NAT-T servers; and the race of TCP with all of these, which is the caller's to run.

mod bulk;
mod dns;
mod keys;
pub mod nat_t;
mod race;
mod session;
mod stream;
mod wire;

pub use bulk::{BulkKeys, RUDP_BULK_KEY_SIZE_V2, RUDP_BULK_SEQ_NO_RANGE};
pub use dns::{open_dns, seal_dns};
pub use keys::{Key, Side};
pub use race::{Attempt, Way, race};
pub use session::{
    ACKS_MAX, End, RUDP_BULK_MAX_RECV_PKTS_IN_QUEUE, RUDP_KEEPALIVE_INTERVAL_MAX, RUDP_KEEPALIVE_INTERVAL_MIN,
    RUDP_MAX_FIFO_SIZE, RUDP_RESEND_TIMER, RUDP_RESEND_TIMER_MAX, RUDP_TIMEOUT, Session, Status, Transport,
};
pub use stream::Stream;
pub use wire::{RUDP_MAX_NUM_ACK, RUDP_MAX_SEGMENT_SIZE};

use std::net::IpAddr;

/// Fills a slice with random bytes that are fit for keys.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]);

/// A random number.
fn number_of(random: Random<'_>) -> u32 {
    let mut number = [0; 4];
    random(&mut number);
    u32::from_ne_bytes(number)
}

/// A number from the lesser of two on and below the greater, by a random one; of two that are the same, that (C:
/// `GenRandInterval`, Mayaqua/Network.c).
#[must_use]
pub const fn rand_interval(a: u32, b: u32, random: u32) -> u32 {
    let (least, below) = if a < b { (a, b) } else { (b, a) };
    if least == below { least } else { least + random % (below - least) }
}

/// Bytes of TCP's data that a frame should have at most, so that its bulk datagram goes through a link of PPPoE unbroken (C:
/// `RUDPCalcBestMssForBulk`, Mayaqua/Network.c).
#[must_use]
pub const fn best_mss_for_bulk(peer: IpAddr, transport: Transport<'_>) -> u32 {
    const MTU_FOR_PPPOE: u32 = 1500 - 46;
    // IV and signature, number, padding; Ethernet, IPv4 and TCP of the frame; and 24 for what the C does not know.
    const INSIDE: u32 = 20 + 20 + 8 + 31 + 14 + 20 + 20 + 24;
    let ip = if peer.is_ipv4() { 20 } else { 40 };
    // For UDP alone the C forgets UDP's own header.
    let outside = if matches!(transport, Transport::Udp) { 0 } else { 8 + 42 };
    MTU_FOR_PPPOE - INSIDE - ip - outside
}

#[cfg(test)]
mod tests;
