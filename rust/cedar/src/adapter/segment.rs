//! Splitting what the card gives: one super-packet becomes frames, in place, and checksums the kernel left open are
//! finished. No I/O. A packet takes these steps:
//!
//! 1. [`Segments::plan`] reads the vnet header. An ordinary packet gets its checksum finished if it asks for that.
//! 2. For a super-packet the headers are located and checked against each other; `hdr_len` is not looked at.
//! 3. What all segments share is summed once: the IP header, the transport header, the kernel's pseudo-header sum.
//! 4. [`Segments::next`] writes the headers of the next segment right before its payload, over the end of the segment
//!    handed out before, and gives the range of the finished frame. No byte of payload moves.
//!
//! Step 4 differs per segment in: IPv4 total length, ID and checksum; IPv6 payload length; TCP sequence number, flags
//! (FIN and PSH on the last only, CWR on the first only) and checksum; UDP length and checksum.
#![forbid(unsafe_code)]

use std::ops::Range;

use super::checksum::Sum;
use super::packet::{self, Ip, Transport, put_word, word_at};
use super::vnet_hdr::{GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, VnetHdr};
use super::{DropReason, ETHERNET_HEADER};

/// Longest headers of a super-packet: Ethernet, two tags, IPv6 with extension headers, TCP with options.
const HEADERS_MAX: usize = 256;

/// The frames still to come out of one packet. Made once and planned anew for each packet, so that nothing is moved.
#[derive(Debug, Default)]
pub struct Segments {
    kind: Kind,
    super_packet: SuperPacket,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Done,
    Whole {
        len: usize,
    },
    Super,
}

impl Segments {
    /// Plans how `packet` (from its Ethernet header on) is handed out, and forgets what was left of the packet before.
    /// Finishes the checksum of an ordinary packet that asks for it. An error means that the packet is to be dropped and
    /// counted.
    pub fn plan(&mut self, header: &VnetHdr, packet: &mut [u8]) -> Result<(), DropReason> {
        self.kind = Kind::Done;
        if packet.len() < ETHERNET_HEADER {
            return Err(DropReason::Runt);
        }
        self.kind = match header.kind() {
            GSO_NONE => {
                check_size(packet)?;
                if header.needs_csum() {
                    finish_checksum(header, packet)?;
                }
                Kind::Whole { len: packet.len() }
            }
            GSO_TCPV4 => self.super_packet.plan(header, packet, Some(Ip::V4), Transport::Tcp)?,
            GSO_TCPV6 => self.super_packet.plan(header, packet, Some(Ip::V6), Transport::Tcp)?,
            GSO_UDP_L4 => self.super_packet.plan(header, packet, None, Transport::Udp)?,
            _ => return Err(DropReason::UnknownOffload),
        };
        Ok(())
    }

    /// Whether the packet was planned as a super-packet.
    pub fn is_super_packet(&self) -> bool {
        self.kind == Kind::Super
    }

    /// Finishes the next frame inside `packet`, the same bytes that were planned, and returns where it stands.
    #[inline]
    pub fn next(&mut self, packet: &mut [u8]) -> Option<Range<usize>> {
        match self.kind {
            Kind::Super => self.super_packet.next(packet),
            Kind::Whole { len } => {
                self.kind = Kind::Done;
                Some(0..len)
            }
            Kind::Done => None,
        }
    }
}

/// An ordinary packet is no longer than the SoftEther side takes.
fn check_size(packet: &[u8]) -> Result<(), DropReason> {
    if packet.len() <= super::FRAME_MAX {
        return Ok(());
    }
    let l3 = packet::network_header(packet).map_or(ETHERNET_HEADER, |(l3, _)| l3);
    if packet.len() <= packet::frame_max(l3) { Ok(()) } else { Err(DropReason::Oversize) }
}

/// Completes a partial checksum: the field holds the pseudo-header's sum, the rest is added here. A result of zero is
/// stored as 0xffff, the same number, because zero means "none" in UDP (as `skb_checksum_help` in Linux does).
fn finish_checksum(header: &VnetHdr, packet: &mut [u8]) -> Result<(), DropReason> {
    let start = usize::from(header.csum_start);
    let field = start + usize::from(header.csum_offset);
    let part = packet.get(start..).ok_or(DropReason::Malformed)?;
    word_at(packet, field).ok_or(DropReason::Malformed)?;
    put_word(packet, field, non_zero(Sum::of(part).checksum()));
    Ok(())
}

/// Zero and 0xffff are the same number; zero means "no checksum" in UDP.
fn non_zero(checksum: u16) -> u16 {
    if checksum == 0 { 0xffff } else { checksum }
}

/// A super-packet whose headers were found consistent.
#[derive(Debug)]
struct SuperPacket {
    /// The headers as they came, but for the fields that vary, which are zero.
    headers: [u8; HEADERS_MAX],
    headers_len: usize,
    l3: usize,
    l4: usize,
    /// `Some`: IPv4, with the ID of the next segment and the sum of the header without the varying fields.
    ipv4: Option<(u16, Sum)>,
    /// `Some`: TCP, with the sequence number of the next segment.
    tcp_sequence: Option<u32>,
    /// TCP flags of the next segment, FIN and PSH included.
    tcp_flags: u8,
    /// Sum of pseudo-header and transport header without the varying fields and lengths.
    transport_sum: Sum,
    segment_len: usize,
    payload: usize,
    end: usize,
}

impl Default for SuperPacket {
    fn default() -> SuperPacket {
        SuperPacket {
            headers: [0; HEADERS_MAX],
            headers_len: 0,
            l3: 0,
            l4: 0,
            ipv4: None,
            tcp_sequence: None,
            tcp_flags: 0,
            transport_sum: Sum::default(),
            segment_len: 0,
            payload: 0,
            end: 0,
        }
    }
}

impl SuperPacket {
    fn plan(
        &mut self,
        header: &VnetHdr,
        packet: &[u8],
        ip: Option<Ip>,
        transport: Transport,
    ) -> Result<Kind, DropReason> {
        let located = Located::in_packet(header, packet, transport).ok_or(DropReason::Malformed)?;
        if ip.is_some_and(|ip| ip != located.ip) {
            return Err(DropReason::Malformed);
        }
        self.segment_len = located.segment_len(header, transport)?;
        let from = packet.get(..located.payload).ok_or(DropReason::Malformed)?;
        self.headers.get_mut(..from.len()).ok_or(DropReason::Malformed)?.copy_from_slice(from);
        self.prepare(&located, transport);
        (self.payload, self.end) = (located.payload, packet.len());
        self.transport_sum = self.transport_sum.without_word(short(self.end - located.l4));
        Ok(Kind::Super)
    }

    /// Zeroes what varies in the headers and sums the rest.
    fn prepare(&mut self, located: &Located, transport: Transport) {
        let Located { ip, l3, l4, payload } = *located;
        let headers = &mut self.headers;
        let field = l4 + transport.checksum_offset();
        let pseudo_header = word_at(headers, field).unwrap_or_default();
        put_word(headers, field, 0);
        (self.tcp_sequence, self.tcp_flags) = (None, 0);
        match transport {
            Transport::Tcp => {
                self.tcp_sequence = packet::double_word_at(headers, l4 + 4);
                put_word(headers, l4 + 4, 0);
                put_word(headers, l4 + 6, 0);
                if let Some(flags) = headers.get_mut(l4 + 13) {
                    self.tcp_flags = std::mem::take(flags);
                }
            }
            Transport::Udp => put_word(headers, l4 + 4, 0),
        }
        self.ipv4 = (ip == Ip::V4).then(|| {
            let id = word_at(headers, l3 + 4).unwrap_or_default();
            for varying in [2, 4, 10] {
                put_word(headers, l3 + varying, 0);
            }
            (id, Sum::of(headers.get(l3..l4).unwrap_or_default()))
        });
        self.transport_sum = Sum::of(headers.get(l4..payload).unwrap_or_default()).word(pseudo_header);
        (self.headers_len, self.l3, self.l4) = (payload, l3, l4);
    }

    #[inline]
    fn next(&mut self, packet: &mut [u8]) -> Option<Range<usize>> {
        let payload = self.payload;
        let payload_len = self.segment_len.min(self.end - payload);
        if payload_len == 0 {
            return None;
        }
        let last = payload + payload_len == self.end;
        let range = payload - self.headers_len..payload + payload_len;
        let frame = packet.get_mut(range.clone())?;
        let (headers, body) = frame.split_at_mut_checked(self.headers_len)?;
        let body_sum = Sum::of(body);
        headers.copy_from_slice(self.headers.get(..self.headers_len)?);
        self.write_ip(headers, payload_len);
        self.write_transport(headers, payload_len, body_sum, last);
        self.payload += payload_len;
        Some(range)
    }

    #[inline]
    fn write_ip(&mut self, headers: &mut [u8], payload_len: usize) {
        let l3 = self.l3;
        match &mut self.ipv4 {
            Some((id, sum)) => {
                let total_len = short(self.headers_len - l3 + payload_len);
                put_word(headers, l3 + 2, total_len);
                put_word(headers, l3 + 4, *id);
                put_word(headers, l3 + 10, sum.word(total_len).word(*id).checksum());
                *id = id.wrapping_add(1);
            }
            None => {
                let header_len = packet::IPV6_HEADER;
                put_word(headers, l3 + 4, short(self.headers_len - l3 - header_len + payload_len));
            }
        }
    }

    #[inline]
    fn write_transport(&mut self, headers: &mut [u8], payload_len: usize, body: Sum, last: bool) {
        let l4 = self.l4;
        let len = short(self.headers_len - l4 + payload_len);
        let sum = self.transport_sum.and(body).word(len);
        match &mut self.tcp_sequence {
            Some(sequence) => {
                let not_last = packet::TCP_FIN | packet::TCP_PSH;
                let flags = if last { self.tcp_flags } else { self.tcp_flags & !not_last };
                let sum = sum.double_word(*sequence).word(u16::from(flags));
                if let Some(tcp) = headers.get_mut(l4..).and_then(|h| h.first_chunk_mut::<20>()) {
                    let [s0, s1, s2, s3] = sequence.to_be_bytes();
                    let [c0, c1] = sum.checksum().to_be_bytes();
                    (tcp[4], tcp[5], tcp[6], tcp[7]) = (s0, s1, s2, s3);
                    tcp[13] = flags;
                    (tcp[16], tcp[17]) = (c0, c1);
                }
                *sequence = sequence.wrapping_add(u32::from(short(payload_len)));
                self.tcp_flags &= !packet::TCP_CWR;
            }
            None => {
                put_word(headers, l4 + 4, len);
                // The length stands twice: in the pseudo-header and in the UDP header.
                put_word(headers, l4 + 6, non_zero(sum.word(len).checksum()));
            }
        }
    }
}

/// A length that [`Located::in_packet`] has shown to be at most 65,535.
#[inline]
fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// The headers of a super-packet, checked against each other and against the packet's length.
struct Located {
    ip: Ip,
    l3: usize,
    l4: usize,
    payload: usize,
}

impl Located {
    fn in_packet(header: &VnetHdr, packet: &[u8], transport: Transport) -> Option<Located> {
        let (l3, ethertype) = packet::network_header(packet)?;
        let l4 = usize::from(header.csum_start);
        let ip = match ethertype {
            packet::ETHERTYPE_IPV4 => Ip::V4,
            packet::ETHERTYPE_IPV6 => Ip::V6,
            _ => return None,
        };
        let network = packet.get(l3..)?;
        let agrees = match ip {
            Ip::V4 => ipv4_agrees(network, l3, l4, transport)?,
            Ip::V6 => ipv6_agrees(network, l3, l4, transport)?,
        };
        let checksum_offset = usize::from(header.csum_offset);
        if !agrees || !header.needs_csum() || checksum_offset != transport.checksum_offset() {
            return None;
        }
        let payload = packet::transport_payload(packet, transport, l4)?;
        (payload < packet.len()).then_some(Located { ip, l3, l4, payload })
    }

    /// Payload per segment: what the kernel asks for, or for TCP less where that would make too long a frame.
    fn segment_len(&self, header: &VnetHdr, transport: Transport) -> Result<usize, DropReason> {
        let asked = usize::from(header.gso_size);
        let room = packet::frame_max(self.l3).saturating_sub(self.payload);
        match (asked.min(room), transport) {
            (0, _) => Err(DropReason::Malformed),
            (_, Transport::Udp) if asked > room => Err(DropReason::Oversize),
            (len, _) => Ok(len),
        }
    }
}

/// Whether the IPv4 header at the start of `network` is one of an unfragmented `transport` packet with its transport
/// header at `l4`, as long as what follows.
fn ipv4_agrees(network: &[u8], l3: usize, l4: usize, transport: Transport) -> Option<bool> {
    const MORE_FRAGMENTS_OR_OFFSET: u16 = 0x3fff;
    let header = network.first_chunk::<{ packet::IPV4_HEADER }>()?;
    let header_len = usize::from(header[0] & 0xf) * 4;
    let fragment = u16::from_be_bytes([header[6], header[7]]) & MORE_FRAGMENTS_OR_OFFSET;
    Some(
        header[0] >> 4 == 4
            && header_len >= packet::IPV4_HEADER
            && l4 == l3 + header_len
            && usize::from(u16::from_be_bytes([header[2], header[3]])) == network.len()
            && fragment == 0
            && header[9] == transport.protocol(),
    )
}

/// The same for IPv6. Extension headers may stand between; they are carried along as they are.
fn ipv6_agrees(network: &[u8], l3: usize, l4: usize, transport: Transport) -> Option<bool> {
    let header = network.first_chunk::<{ packet::IPV6_HEADER }>()?;
    let extended = l4 > l3 + packet::IPV6_HEADER;
    Some(
        header[0] >> 4 == 6
            && l4 >= l3 + packet::IPV6_HEADER
            && usize::from(u16::from_be_bytes([header[4], header[5]])) + packet::IPV6_HEADER == network.len()
            && (extended || header[6] == transport.protocol()),
    )
}
