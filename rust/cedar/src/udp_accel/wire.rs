//! The datagram format and the constants of UDP acceleration, named as in the C (`Cedar/UdpAccel.h`), and the sizes
//! that follow from them.
//!
//! ```text
//!   plain      header, frame
//!   version 1  iv 20                 | RC4 of:               header, frame, padding, 20 zeros
//!   version 2  iv 12                 | ChaCha20-Poly1305 of: header, frame, padding | tag 16
//!   header     u32 cookie of the receiver, u64 sender's tick, u64 receiver's tick as last heard, u16 size of the
//!              frame, u8 1 if the frame is compressed: all big-endian, 23 bytes. A keep-alive is a frame of 0 bytes.
//! ```

/// Version 1: bytes of each direction's key (C: the same name).
pub const UDP_ACCELERATION_COMMON_KEY_SIZE_V1: usize = 20;
/// Version 1: bytes of the initialisation vector, and of the zeros at the end (C: the same name).
pub const UDP_ACCELERATION_PACKET_IV_SIZE_V1: usize = 20;
/// Version 2: bytes of each direction's key that go over the wire; the cipher takes the first 32 (C: the same name).
pub const UDP_ACCELERATION_COMMON_KEY_SIZE_V2: usize = 128;
/// Version 2: bytes of the key that the cipher uses.
pub const CIPHER_KEY_SIZE_V2: usize = 32;
/// Version 2: bytes of the nonce (C: the same name).
pub const UDP_ACCELERATION_PACKET_IV_SIZE_V2: usize = 12;
/// Version 2: bytes of the authentication tag (C: the same name).
pub const UDP_ACCELERATION_PACKET_MAC_SIZE_V2: usize = 16;
/// Longest datagram that is received, in bytes (C: the same name).
pub const UDP_ACCELERATION_TMP_BUF_SIZE: usize = 2048;
/// Longest frame (C: the same name; what the C takes out of a longer one is thrown away by its caller).
pub const UDP_ACCELERATION_SUPPORTED_MAX_PAYLOAD_SIZE: usize = 1600;
/// How much older than the newest a datagram may be, in milliseconds of the sender's clock (C: the same name).
pub const UDP_ACCELERATION_WINDOW_SIZE_MSEC: u64 = 30_000;
/// Padding is shorter than this (C: the same name).
pub const UDP_ACCELERATION_MAX_PADDING_SIZE: usize = 32;
/// How long the peer must have been heard before frames go by UDP, in milliseconds (C: the same name).
pub const UDP_ACCELERATION_REQUIRE_CONTINUOUS: u64 = 10_000;
/// Time between keep-alives, in milliseconds: at least, and less than (C: `UDP_ACCELERATION_KEEPALIVE_INTERVAL_MIN`, `_MAX`).
pub const UDP_ACCELERATION_KEEPALIVE_INTERVAL: (u64, u64) = (1000, 3000);
/// The same with fast detection of disconnection (C: `…_MIN_FAST`, `…_MAX_FAST`).
pub const UDP_ACCELERATION_KEEPALIVE_INTERVAL_FAST: (u64, u64) = (500, 1000);
/// Silence after which frames go by TCP again, in milliseconds (C: the same name).
pub const UDP_ACCELERATION_KEEPALIVE_TIMEOUT: u64 = 9000;
/// The same with fast detection of disconnection (C: the same name).
pub const UDP_ACCELERATION_KEEPALIVE_TIMEOUT_FAST: u64 = 2100;
/// Datagrams of keep-alives are at most this long, in bytes (C: an argument in `UdpAccelPoll`).
pub const KEEP_ALIVE_SIZE_MAX: usize = 1000;
/// Port of NAT-T servers (C: the same name, Mayaqua/Network.h).
pub const UDP_NAT_T_PORT: u16 = 5004;
/// Time between questions to the NAT-T server once it has answered, in milliseconds: at least, and less than
/// (C: `UDP_NAT_T_INTERVAL_MIN`, `_MAX`, Mayaqua/Network.h).
pub const UDP_NAT_T_INTERVAL: (u64, u64) = (5 * 60 * 1000, 10 * 60 * 1000);
/// Time to the first repetition before it has answered, in milliseconds (C: the same name, Mayaqua/Network.h).
pub const UDP_NAT_T_INTERVAL_INITIAL: u64 = 3000;
/// How many times that, at most (C: the same name, Mayaqua/Network.h).
pub const UDP_NAT_T_INTERVAL_FAIL_MAX: u32 = 60;
/// What the NAT-T server is asked.
pub const NAT_T_REQUEST: &[u8; 1] = b"B";
/// Longest IP packet, in bytes, that passes everywhere (C: the same name, Mayaqua/TcpIp.h).
pub const MTU_FOR_PPPOE: usize = 1500 - 46;

/// Bytes before the frame, in the clear or ciphered.
pub const HEADER_SIZE: usize = 4 + 8 + 8 + 2 + 1;

/// Longest datagram, in bytes, that is not fragmented on its way (C: `MaxUdpPacketSize`, computed in `NewUdpAccel`).
#[must_use]
pub const fn max_udp_packet_size(ipv6: bool) -> usize {
    datagram_size_max(MTU_FOR_PPPOE, ipv6)
}

/// Bytes of the longest UDP payload in an IP packet of `mtu` bytes; 0 if there is no room for any.
pub(super) const fn datagram_size_max(mtu: usize, ipv6: bool) -> usize {
    mtu.saturating_sub(ip_header(ipv6) + 8)
}

/// The MSS of TCP connections through the tunnel whose segments fit into a datagram (C: `UdpAccelCalcMss`, which
/// reckons with version 1 whatever the version is).
#[must_use]
pub const fn calc_mss(ipv6: bool, plain_text: bool) -> usize {
    let protection = if plain_text { 0 } else { 2 * UDP_ACCELERATION_PACKET_IV_SIZE_V1 };
    max_udp_packet_size(ipv6) - protection - HEADER_SIZE - 14 - 20 - 20
}

const fn ip_header(ipv6: bool) -> usize {
    if ipv6 { 40 } else { 20 }
}

/// The header in front of a frame, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub cookie: u32,
    /// The sender's clock.
    pub tick: u64,
    /// The receiver's clock, as the sender last heard it.
    pub echo: u64,
    pub size: u16,
    pub flag: u8,
}

impl Header {
    pub fn to_bytes(self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        bytes[..4].copy_from_slice(&self.cookie.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.tick.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.echo.to_be_bytes());
        bytes[20..22].copy_from_slice(&self.size.to_be_bytes());
        bytes[22] = self.flag;
        bytes
    }

    /// The header at the start of `bytes` and what follows it; `None` if `bytes` are too few.
    pub fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (cookie, rest) = bytes.split_first_chunk()?;
        let (tick, rest) = rest.split_first_chunk()?;
        let (echo, rest) = rest.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (&flag, rest) = rest.split_first()?;
        let header = Self {
            cookie: u32::from_be_bytes(*cookie),
            tick: u64::from_be_bytes(*tick),
            echo: u64::from_be_bytes(*echo),
            size: u16::from_be_bytes(*size),
            flag,
        };
        Some((header, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_c() {
        assert_eq!((max_udp_packet_size(false), max_udp_packet_size(true)), (1426, 1406));
        assert_eq!((calc_mss(false, false), calc_mss(true, false)), (1309, 1289));
        assert_eq!((calc_mss(false, true), calc_mss(true, true)), (1349, 1329));
    }

    #[test]
    fn a_header_is_read_as_it_was_written_and_never_from_too_few_bytes() {
        let header = Header { cookie: 0x0102_0304, tick: 5, echo: u64::MAX, size: 0x0607, flag: 8 };
        let mut bytes = header.to_bytes().to_vec();
        for size in 0..bytes.len() {
            assert_eq!(Header::split(&bytes[..size]), None);
        }
        bytes.push(0xaa);
        assert_eq!(Header::split(&bytes), Some((header, &[0xaa][..])));
    }
}
