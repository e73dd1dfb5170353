//! Where the headers of a frame begin: Ethernet with up to two VLAN tags, IPv4, IPv6, TCP, UDP. Only offsets and
//! constants; nothing is changed here, and nothing is believed that the frame's length does not bear out.
#![forbid(unsafe_code)]

/// Bytes of an IEEE 802.1Q or 802.1ad tag.
pub const VLAN_TAG: usize = 4;

/// Ethertype of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// Ethertype of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_QINQ: u16 = 0x88a8;

/// IP protocol number of TCP.
pub const PROTOCOL_TCP: u8 = 6;
/// IP protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;

/// Bytes of an IPv4 header without options.
pub const IPV4_HEADER: usize = 20;
/// Bytes of an IPv6 header without extension headers.
pub const IPV6_HEADER: usize = 40;
/// Bytes of a TCP header without options.
pub const TCP_HEADER: usize = 20;
/// Bytes of a UDP header.
pub const UDP_HEADER: usize = 8;

/// TCP flag: no more data from the sender.
pub const TCP_FIN: u8 = 0x01;
/// TCP flag: hand the data to the receiver now.
pub const TCP_PSH: u8 = 0x08;
/// TCP flag: the acknowledgement number counts.
pub const TCP_ACK: u8 = 0x10;
/// TCP flag: congestion was met (RFC 3168).
pub const TCP_ECE: u8 = 0x40;
/// TCP flag: the congestion window was reduced (RFC 3168).
pub const TCP_CWR: u8 = 0x80;

/// Version of the Internet Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ip {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Where the checksum stands in the transport header.
    pub fn checksum_offset(self) -> usize {
        match self {
            Transport::Tcp => 16,
            Transport::Udp => 6,
        }
    }

    /// The protocol's number in the IP header.
    pub fn protocol(self) -> u8 {
        match self {
            Transport::Tcp => PROTOCOL_TCP,
            Transport::Udp => PROTOCOL_UDP,
        }
    }
}

/// The 16-bit big-endian word at `at`.
#[inline]
pub fn word_at(bytes: &[u8], at: usize) -> Option<u16> {
    let word = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*word))
}

/// The 32-bit big-endian value at `at`.
#[inline]
pub fn double_word_at(bytes: &[u8], at: usize) -> Option<u32> {
    let value = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*value))
}

/// Stores a 16-bit word at `at`; does nothing outside of `bytes`, which the callers have checked.
#[inline]
pub(super) fn put_word(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(word) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<2>()) {
        *word = value.to_be_bytes();
    }
}

/// Offset of the network header, behind at most two VLAN tags, and its ethertype.
#[inline]
pub fn network_header(frame: &[u8]) -> Option<(usize, u16)> {
    let mut at = super::ETHERNET_HEADER;
    let mut ethertype = word_at(frame, at - 2)?;
    for _ in 0..2 {
        if ethertype != ETHERTYPE_VLAN && ethertype != ETHERTYPE_QINQ {
            break;
        }
        at += VLAN_TAG;
        ethertype = word_at(frame, at - 2)?;
    }
    Some((at, ethertype))
}

/// Longest frame the SoftEther side may be given with a network header at `network_header`.
#[inline]
pub fn frame_max(network_header: usize) -> usize {
    if network_header > super::ETHERNET_HEADER { super::FRAME_MAX_TAGGED } else { super::FRAME_MAX }
}

/// The headers of a TCP or UDP packet that is complete in its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// IPv4 or IPv6.
    pub ip: Ip,
    /// TCP or UDP.
    pub transport: Transport,
    /// Offset of the IP header.
    pub l3: usize,
    /// Offset of the TCP or UDP header.
    pub l4: usize,
    /// Offset of the payload; at most the frame's length.
    pub payload: usize,
}

impl Layout {
    /// The layout of `frame` if it is plain enough to be merged with others: no IP options, no extension headers, not a
    /// fragment, no padding, lengths that agree.
    #[inline]
    pub fn of(frame: &[u8]) -> Option<Layout> {
        let (l3, ethertype) = network_header(frame)?;
        match ethertype {
            ETHERTYPE_IPV4 => Layout::of_ipv4(frame, l3),
            ETHERTYPE_IPV6 => Layout::of_ipv6(frame, l3),
            _ => None,
        }
    }

    fn of_ipv4(frame: &[u8], l3: usize) -> Option<Layout> {
        const MORE_FRAGMENTS_OR_OFFSET: u16 = 0x3fff;
        let header = frame.get(l3..)?.first_chunk::<IPV4_HEADER>()?;
        let total_len = u16::from_be_bytes([header[2], header[3]]);
        let fragment = u16::from_be_bytes([header[6], header[7]]) & MORE_FRAGMENTS_OR_OFFSET;
        if header[0] != 0x45 || fragment != 0 || usize::from(total_len) != frame.len() - l3 {
            return None;
        }
        Layout::of_transport(frame, Ip::V4, header[9], l3, l3 + IPV4_HEADER)
    }

    fn of_ipv6(frame: &[u8], l3: usize) -> Option<Layout> {
        let header = frame.get(l3..)?.first_chunk::<IPV6_HEADER>()?;
        let payload_len = u16::from_be_bytes([header[4], header[5]]);
        let l4 = l3 + IPV6_HEADER;
        if header[0] >> 4 != 6 || usize::from(payload_len) != frame.len() - l4 {
            return None;
        }
        Layout::of_transport(frame, Ip::V6, header[6], l3, l4)
    }

    fn of_transport(frame: &[u8], ip: Ip, protocol: u8, l3: usize, l4: usize) -> Option<Layout> {
        let transport = match protocol {
            PROTOCOL_TCP => Transport::Tcp,
            PROTOCOL_UDP => Transport::Udp,
            _ => return None,
        };
        let payload = transport_payload(frame, transport, l4)?;
        Some(Layout { ip, transport, l3, l4, payload })
    }
}

/// Offset of the payload behind the transport header at `l4`, which is complete and whose lengths agree with `frame`.
#[inline]
pub fn transport_payload(frame: &[u8], transport: Transport, l4: usize) -> Option<usize> {
    match transport {
        Transport::Tcp => {
            let header_len = usize::from(frame.get(l4 + 12)? >> 4) * 4;
            let payload = l4 + header_len;
            (header_len >= TCP_HEADER && payload <= frame.len()).then_some(payload)
        }
        Transport::Udp => {
            let payload = l4 + UDP_HEADER;
            let len = usize::from(word_at(frame, l4 + 4)?);
            (payload <= frame.len() && len == frame.len() - l4).then_some(payload)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;

    fn udp4(payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .udp(1000, 2000)
            .write(&mut frame, payload)
            .unwrap();
        frame
    }

    #[test]
    fn a_plain_packet_is_laid_out() {
        let layout = Layout::of(&udp4(b"abc")).unwrap();
        assert_eq!(layout, Layout { ip: Ip::V4, transport: Transport::Udp, l3: 14, l4: 34, payload: 42 });
    }

    #[test]
    fn what_is_not_plain_is_left_alone() {
        let plain = udp4(b"abc");
        assert_eq!(Layout::of(&[plain.clone(), vec![0]].concat()), None, "padded");
        for cut in 0..plain.len() {
            assert_eq!(Layout::of(&plain[..cut]), None, "cut to {cut}");
        }
        for (at, value, why) in [
            (14, 0x46, "options"),
            (14, 0x55, "version"),
            (20, 0x20, "more fragments"),
            (21, 0x01, "fragment offset"),
            (23, 1, "ICMP"),
            (39, 0, "UDP length"),
            (12, 0x86, "IPv4 under the ethertype of IPv6"),
        ] {
            let mut frame = plain.clone();
            frame[at] = value;
            assert_eq!(Layout::of(&frame), None, "{why}");
        }
    }

    #[test]
    fn two_tags_are_passed_a_third_is_not() {
        let mut frame = udp4(b"abc");
        for tags in 1..=3 {
            frame.splice(12..12, [0x81, 0x00, 0x00, 0x07]);
            let layout = Layout::of(&frame);
            assert_eq!(layout.map(|l| l.l3), (tags < 3).then_some(14 + 4 * tags));
        }
    }
}
