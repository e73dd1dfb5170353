//! `struct virtio_net_hdr` as a TAP with IFF_VNET_HDR speaks it: little-endian (TUNSETVNETLE), 10 bytes
//! (TUNSETVNETHDRSZ). Only the codec: whether its values make sense is decided in [`super::segment`].
#![forbid(unsafe_code)]

/// Bytes of the header, and the value given to TUNSETVNETHDRSZ.
pub const VNET_HDR_LEN: usize = 10;

/// `flags`: the packet's checksum is to be finished at `csum_start` + `csum_offset`.
pub const NEEDS_CSUM: u8 = 1;

/// `gso_type`: an ordinary packet.
pub const GSO_NONE: u8 = 0;
/// `gso_type`: a TCP super-packet over IPv4.
pub const GSO_TCPV4: u8 = 1;
/// `gso_type`: a TCP super-packet over IPv6.
pub const GSO_TCPV6: u8 = 4;
/// `gso_type`: a UDP super-packet (many datagrams) over IPv4 or IPv6.
pub const GSO_UDP_L4: u8 = 5;
/// A bit beside `gso_type`: CWR is set in the TCP header and belongs to the first segment only.
pub const GSO_ECN: u8 = 0x80;

/// The header before each packet. All counts are bytes; `csum_start` counts from the Ethernet header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VnetHdr {
    /// [`NEEDS_CSUM`] or nothing that matters here.
    pub flags: u8,
    /// One of the `GSO_` kinds, perhaps with [`GSO_ECN`].
    pub gso_type: u8,
    /// Length of all headers, as a hint. Not to be trusted when read.
    pub hdr_len: u16,
    /// Payload of each segment but the last.
    pub gso_size: u16,
    /// Where the checksummed part begins.
    pub csum_start: u16,
    /// Where in that part the checksum stands.
    pub csum_offset: u16,
}

impl VnetHdr {
    /// Decodes the header.
    pub fn decode(bytes: &[u8; VNET_HDR_LEN]) -> VnetHdr {
        let [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1] = *bytes;
        VnetHdr {
            flags,
            gso_type,
            hdr_len: u16::from_le_bytes([h0, h1]),
            gso_size: u16::from_le_bytes([g0, g1]),
            csum_start: u16::from_le_bytes([s0, s1]),
            csum_offset: u16::from_le_bytes([o0, o1]),
        }
    }

    /// Encodes the header.
    pub fn encode(&self) -> [u8; VNET_HDR_LEN] {
        let [h0, h1] = self.hdr_len.to_le_bytes();
        let [g0, g1] = self.gso_size.to_le_bytes();
        let [s0, s1] = self.csum_start.to_le_bytes();
        let [o0, o1] = self.csum_offset.to_le_bytes();
        [self.flags, self.gso_type, h0, h1, g0, g1, s0, s1, o0, o1]
    }

    /// Whether the packet's checksum is still to be finished.
    pub fn needs_csum(&self) -> bool {
        self.flags & NEEDS_CSUM != 0
    }

    /// The kind of super-packet, without the ECN bit.
    pub fn kind(&self) -> u8 {
        self.gso_type & !GSO_ECN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_linux_virtio_net_h() {
        let bytes = [1, 0x84, 0x36, 0, 0xb4, 0x05, 0x22, 0, 0x10, 0];
        let header = VnetHdr::decode(&bytes);
        assert_eq!(
            header,
            VnetHdr { flags: 1, gso_type: 0x84, hdr_len: 54, gso_size: 1460, csum_start: 34, csum_offset: 16 }
        );
        assert_eq!(header.kind(), GSO_TCPV6);
        assert!(header.needs_csum());
        assert_eq!(header.encode(), bytes);
    }
}
