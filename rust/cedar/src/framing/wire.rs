//! The wire format and the limits of the data phase, named as in the C (`Cedar/Cedar.h`, `Connection.h`, `UdpAccel.h`).
//!
//! Both directions of each TCP connection carry a sequence of batches and keep-alives; all numbers are big-endian:
//!
//! ```text
//!   batch       u32 count            then count × ( u32 size, size bytes: one Ethernet frame )
//!   keep-alive  u32 0xffff_ffff      u32 size ≤ 512, size bytes: padding, maybe a NAT-T port in front
//! ```
//!
//! The values are those of a build without `USE_STRATEGY_LOW_MEMORY`, before a server's configuration changes them.

/// Bytes of a count or a size (C: `sizeof(UINT)`).
pub const WORD_SIZE: usize = 4;

/// Longest frame in bytes; a longer one is dropped (C: the same name, Cedar.h).
pub const MAX_PACKET_SIZE: usize = 1600;

/// Longest body of a block in bytes; a longer one breaks the protocol (C: `MAX_PACKET_SIZE * 2` in `ConnectionReceive`).
pub const MAX_BLOCK_SIZE: usize = MAX_PACKET_SIZE * 2;

/// Stands where a count would, and says that a keep-alive follows (C: the same name, Cedar.h).
pub const KEEP_ALIVE_MAGIC: u32 = 0xffff_ffff;

/// Longest body of a keep-alive in bytes; a longer one breaks the protocol (C: the same name, Cedar.h).
pub const MAX_KEEPALIVE_SIZE: usize = 512;

/// First bytes of a keep-alive that carries the sender's UDP port as NAT-T servers see it; the port follows as a
/// `u16` (C: the same name, UdpAccel.h).
pub const UDP_NAT_T_PORT_SIGNATURE_IN_KEEP_ALIVE: &[u8; 12] = b"NATT_MY_PORT";

/// Frames that are taken from the packet adapter and sent in one turn (C: the same name, Cedar.h).
pub const MAX_SEND_SOCKET_QUEUE_NUM: usize = 128;

/// Frames that the receive queue of a session holds; more are dropped (C: the same name, Cedar.h).
pub const MAX_STORED_QUEUE_NUM: usize = 1024;

/// Bytes waiting in a session or in a socket's receive FIFO at which no more are taken (C: the same name, Cedar.h).
pub const MAX_BUFFERING_PACKET_SIZE: u32 = 1600 * 1600;

/// Bytes in the send FIFOs of all sockets of a session together, see [`send_queue_quota`] (C: the same name, Cedar.h).
pub const MAX_SEND_SOCKET_QUEUE_SIZE: u32 = 1600 * 1600;

/// Bytes that each socket's send FIFO may hold in any case (C: the same name, Cedar.h).
pub const MIN_SEND_SOCKET_QUEUE_SIZE: u32 = 1600 * 200;

/// Most TCP connections of a session (C: the same name, Cedar.h).
pub const MAX_TCP_CONNECTION: u32 = 32;

/// Bytes received in one call (C: the same name, Cedar.h).
pub const RECV_BUF_SIZE: usize = 65536;

/// Stands before a compressed frame in R-UDP bulk transfer (C: the same name, Connection.h).
pub const CONNECTION_BULK_COMPRESS_SIGNATURE: u64 = 0xdead_beef_cafe_face;

/// Bytes in a socket's send FIFO from which on new frames are thrown away (C: `size_quota` in `ConnectionSend`).
///
/// `max_connection` is `SESSION.MaxConnection`; 0, by which the C would divide, counts as 1.
#[must_use]
pub const fn send_queue_quota(max_connection: u32) -> u32 {
    let divisor = if max_connection == 0 { 1 } else { max_connection };
    let share = MAX_SEND_SOCKET_QUEUE_SIZE / divisor;
    if share > MIN_SEND_SOCKET_QUEUE_SIZE { share } else { MIN_SEND_SOCKET_QUEUE_SIZE }
}

/// Widens a size from the wire; never loses bits.
pub(super) const fn to_usize(value: u32) -> usize {
    const { assert!(usize::BITS >= u32::BITS) };
    value as usize
}

/// The big-endian word for a size that was checked against a limit of this module.
pub(super) fn word(size: usize) -> [u8; WORD_SIZE] {
    debug_assert!(size <= MAX_BLOCK_SIZE);
    u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_has_a_floor_and_takes_zero() {
        assert_eq!(send_queue_quota(1), 2_560_000);
        assert_eq!(send_queue_quota(2), 1_280_000);
        assert_eq!(send_queue_quota(8), 320_000);
        assert_eq!(send_queue_quota(32), 320_000);
        assert_eq!(send_queue_quota(0), 2_560_000);
        assert_eq!(send_queue_quota(u32::MAX), 320_000);
    }
}
