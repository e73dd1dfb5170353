//! Packets (C: `Mayaqua/TcpIp.c`), by the crate `etherparse`, which is handed on here as [`etherparse`].
//!
//! | here | C |
//! | --- | --- |
//! | `etherparse::SlicedPacket`, `LaxSlicedPacket` | `PKT` of ParsePacket: views of Ethernet, VLAN tags, ARP, IPv4, IPv6 and its extensions, ICMP, TCP, UDP |
//! | `etherparse::PacketBuilder` | BuildIPv6, BuildICMPv6 and their kind |
//! | [`ip_checksum`] | `IpChecksum`, Mayaqua/TcpIp.c |
//! | [`ip_header_size`] | `GetIpHeaderSize`, Mayaqua/TcpIp.c |
//! | [`is_dhcp_packet_for_specific_mac`] | `IsDhcpPacketForSpecificMac`, Mayaqua/TcpIp.c |
//!
//! A layer of this crate's own over `etherparse` would add nothing: a client carries frames without looking into them, except
//! for their priority (`cedar::framing`) and what a TAP's offloads ask (`cedar::adapter`, with its own checksums over many
//! frames at once). Not here: DHCP's options, DNS and the logs of packets, which only a server's hub, router and NAT read.

pub use etherparse;

use etherparse::checksum::Sum16BitWords;
use etherparse::{InternetSlice, LaxSlicedPacket, SlicedPacket, TransportSlice};

/// The port of a DHCP server.
const DHCP_SERVER: u16 = 67;
/// The port of a DHCP client.
const DHCP_CLIENT: u16 = 68;

/// The checksum of IP, UDP, TCP and ICMP over these bytes; of bytes that hold their own checksum, 0. Big-endian as a number.
#[must_use]
pub fn ip_checksum(data: &[u8]) -> u16 {
    Sum16BitWords::new().add_slice(data).ones_complement().to_be()
}

/// Bytes of the IPv4 or IPv6 header that `packet` begins with, of IPv6 with its extensions; `None` if it is neither or is cut
/// off inside.
#[must_use]
pub fn ip_header_size(packet: &[u8]) -> Option<usize> {
    let sliced = LaxSlicedPacket::from_ip(packet).ok()?;
    let payload = sliced.net.as_ref()?.ip_payload_ref()?.payload;
    // The payload is a part of the packet, up to its end or the length that it announces.
    let announced = match SlicedPacket::from_ip(packet).ok()?.net? {
        InternetSlice::Ipv4(ip) => usize::from(ip.header().total_len()),
        InternetSlice::Ipv6(ip) => usize::from(ip.header().payload_length()) + 40,
        InternetSlice::Arp(_) => return None,
    };
    announced.min(packet.len()).checked_sub(payload.len())
}

/// Whether an Ethernet frame is a DHCP request from `mac` or an answer to it.
#[must_use]
pub fn is_dhcp_packet_for_specific_mac(frame: &[u8], mac: [u8; 6]) -> bool {
    let (Some(destination), Some(source)) = (frame.get(..6), frame.get(6..12)) else { return false };
    let (receives, sends) = (destination == mac, source == mac);
    if mac == [0; 6] || receives == sends {
        return false;
    }
    let Ok(packet) = SlicedPacket::from_ethernet(frame) else { return false };
    match (packet.net, packet.transport) {
        (Some(InternetSlice::Ipv4(_)), Some(TransportSlice::Udp(udp))) if packet.link_exts.is_empty() => {
            udp.destination_port() == if sends { DHCP_SERVER } else { DHCP_CLIENT }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;

    const OURS: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn udp(source: [u8; 6], destination: [u8; 6], port: u16) -> Vec<u8> {
        let builder =
            PacketBuilder::ethernet2(source, destination).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(1000, port);
        let mut frame = Vec::new();
        builder.write(&mut frame, b"payload").unwrap();
        frame
    }

    #[test]
    fn checksums_of_rfc_1071_and_of_headers() {
        assert_eq!(ip_checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!((ip_checksum(&[]), ip_checksum(&[0xff]), ip_checksum(&[0xff; 2])), (0xffff, 0x00ff, 0));
        let frame = udp(OURS, OTHER, 9);
        assert_eq!(ip_checksum(&frame[14..34]), 0, "a header with its checksum");
    }

    #[test]
    fn dhcp_of_one_machine() {
        let is = |frame: &[u8]| is_dhcp_packet_for_specific_mac(frame, OURS);
        assert!(is(&udp(OURS, [0xff; 6], 67)) && is(&udp(OTHER, OURS, 68)));
        assert!(!is(&udp(OURS, OTHER, 68)) && !is(&udp(OTHER, OURS, 67)));
        assert!(!is(&udp(OTHER, OTHER, 67)) && !is(&udp(OURS, OURS, 67)));
        assert!(!is_dhcp_packet_for_specific_mac(&udp([0; 6], OTHER, 67), [0; 6]));
        let tagged = PacketBuilder::ethernet2(OURS, OTHER).single_vlan(1.try_into().unwrap());
        let mut frame = Vec::new();
        tagged.ipv4([0; 4], [255; 4], 64).udp(68, 67).write(&mut frame, b"").unwrap();
        assert!(!is(&frame), "behind a VLAN tag the C does not look either");
        let whole = udp(OURS, OTHER, 67);
        (0..whole.len()).for_each(|length| assert!(!is(&whole[..length]), "{length} bytes of it"));
    }

    #[test]
    fn sizes_of_headers() {
        let frame = udp(OURS, OTHER, 9);
        assert_eq!(ip_header_size(&frame[14..]), Some(20));
        // What a NIC pads to 60 bytes is not the packet's.
        assert_eq!(ip_header_size(&[&frame[14..], &[0; 30]].concat()), Some(20));
        let mut packet = Vec::new();
        PacketBuilder::ipv6([1; 16], [2; 16], 64).udp(1, 2).write(&mut packet, b"payload").unwrap();
        assert_eq!(ip_header_size(&packet), Some(40));
        for wrong in [&[][..], &[0x45], &[0; 40], &[0x44; 20], &packet[..39]] {
            assert_eq!(ip_header_size(wrong), None);
        }
        // Every byte of a header changed: some answer within the packet.
        for at in 0..40 {
            for byte in 0..=u8::MAX {
                let mut wrong = packet.clone();
                wrong[at] = byte;
                assert!(ip_header_size(&wrong).is_none_or(|size| size <= wrong.len()));
            }
        }
    }
}
