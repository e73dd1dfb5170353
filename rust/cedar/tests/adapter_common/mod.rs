//! What the adapter's tests share: making packets of every kind by etherparse (not by the code under test), checking
//! frames by it, and splitting and merging in one call.
#![allow(dead_code)] // each test binary uses its own part

use std::io::IoSlice;
use std::os::fd::BorrowedFd;

use cedar::adapter::coalesce::Coalescer;
use cedar::adapter::segment::Segments;
use cedar::adapter::vnet_hdr::{GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, VNET_HDR_LEN, VnetHdr};
use cedar::adapter::{Adapter, Device, DropReason, Error, FrameBatch, Offloaded, Offloads, Span, WriteError};
use etherparse::{
    IpHeaders, Ipv4Extensions, Ipv6Extensions, NetSlice, SlicedPacket, TcpHeader, TransportSlice, UdpHeader,
};

pub mod netns;
pub mod pump;

/// Everything granted.
pub const ALL_OFFLOADS: Offloads = Offloads { vnet_hdr: true, tcp: true, udp: true };

/// A packet of one flow, to be built whole or as a super-packet.
#[derive(Debug, Clone)]
pub struct Recipe {
    pub v6: bool,
    pub udp: bool,
    pub vlan: Option<u16>,
    pub ports: (u16, u16),
    pub host: u8,
    pub id: u16,
    pub df: bool,
    pub tos: u8,
    pub ttl: u8,
    pub flow_label: u32,
    pub sequence: u32,
    pub ack: u32,
    pub window: u16,
    pub flags: TcpFlags,
    pub options: Vec<u8>,
    pub segment_len: usize,
    pub payload: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpFlags {
    pub fin: bool,
    pub syn: bool,
    pub rst: bool,
    pub psh: bool,
    pub urg: bool,
    pub ece: bool,
    pub cwr: bool,
    pub ns: bool,
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            v6: false,
            udp: false,
            vlan: None,
            ports: (40_000, 443),
            host: 2,
            id: 0xfff0,
            df: true,
            tos: 0,
            ttl: 64,
            flow_label: 0x1_2345,
            sequence: 0xffff_f000,
            ack: 77,
            window: 500,
            flags: TcpFlags::default(),
            options: vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
            segment_len: 1000,
            payload: pattern(1000),
        }
    }
}

/// Bytes that differ from place to place.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 21) as u8).collect()
}

impl Recipe {
    /// Offset of the network header.
    pub fn l3(&self) -> usize {
        14 + 4 * usize::from(self.vlan.is_some())
    }

    /// Offset of the transport header.
    pub fn l4(&self) -> usize {
        self.l3() + if self.v6 { 40 } else { 20 }
    }

    /// Offset of the payload.
    pub fn headers_len(&self) -> usize {
        self.l4() + if self.udp { 8 } else { 20 + self.options.len() }
    }

    /// Most payload an IP packet of this kind can have.
    pub fn payload_max(&self) -> usize {
        65_535 - (self.headers_len() - self.l3())
    }

    /// The whole packet with right checksums.
    pub fn frame(&self) -> Vec<u8> {
        let transport_len = self.headers_len() - self.l4() + self.payload.len();
        let protocol = if self.udp { etherparse::IpNumber::UDP } else { etherparse::IpNumber::TCP };
        let ip = self.ip(transport_len, protocol);
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, self.host];
        if let Some(vlan) = self.vlan {
            frame.extend([0x81, 0x00]);
            frame.extend(vlan.to_be_bytes());
        }
        frame.extend(if self.v6 { [0x86, 0xdd] } else { [0x08, 0x00] });
        ip.write(&mut frame).unwrap();
        self.write_transport(&ip, &mut frame);
        frame.extend(&self.payload);
        frame
    }

    fn ip(&self, transport_len: usize, protocol: etherparse::IpNumber) -> IpHeaders {
        if self.v6 {
            let header = etherparse::Ipv6Header {
                traffic_class: self.tos,
                flow_label: self.flow_label.try_into().unwrap(),
                payload_length: transport_len as u16,
                next_header: protocol,
                hop_limit: self.ttl,
                source: [0xfd; 16],
                destination: [self.host; 16],
            };
            return IpHeaders::Ipv6(header, Ipv6Extensions::default());
        }
        let mut header =
            etherparse::Ipv4Header::new(transport_len as u16, self.ttl, protocol, [10, 0, 0, 1], [10, 0, 0, self.host])
                .unwrap();
        header.identification = self.id;
        header.dont_fragment = self.df;
        header.dscp = (self.tos >> 2).try_into().unwrap();
        header.ecn = (self.tos & 3).try_into().unwrap();
        header.header_checksum = header.calc_header_checksum();
        IpHeaders::Ipv4(header, Ipv4Extensions::default())
    }

    fn write_transport(&self, ip: &IpHeaders, frame: &mut Vec<u8>) {
        if self.udp {
            let len = (8 + self.payload.len()) as u16;
            let mut udp =
                UdpHeader { source_port: self.ports.0, destination_port: self.ports.1, length: len, checksum: 0 };
            udp.checksum = match ip {
                IpHeaders::Ipv4(ip, _) => udp.calc_checksum_ipv4(ip, &self.payload).unwrap(),
                IpHeaders::Ipv6(ip, _) => udp.calc_checksum_ipv6(ip, &self.payload).unwrap(),
            };
            return udp.write(frame).unwrap();
        }
        let mut tcp = TcpHeader::new(self.ports.0, self.ports.1, self.sequence, self.window);
        tcp.acknowledgment_number = self.ack;
        tcp.ack = true;
        tcp.set_options_raw(&self.options).unwrap();
        let TcpFlags { fin, syn, rst, psh, urg, ece, cwr, ns } = self.flags;
        (tcp.fin, tcp.syn, tcp.rst, tcp.psh) = (fin, syn, rst, psh);
        (tcp.urg, tcp.ece, tcp.cwr, tcp.ns) = (urg, ece, cwr, ns);
        tcp.checksum = match ip {
            IpHeaders::Ipv4(ip, _) => tcp.calc_checksum_ipv4(ip, &self.payload).unwrap(),
            IpHeaders::Ipv6(ip, _) => tcp.calc_checksum_ipv6(ip, &self.payload).unwrap(),
        };
        tcp.write(frame).unwrap();
    }

    /// The vnet header that belongs to [`Recipe::super_packet`].
    pub fn vnet(&self) -> VnetHdr {
        let ecn = if self.flags.cwr && !self.udp { GSO_ECN } else { 0 };
        let kind = match (self.udp, self.v6) {
            (true, _) => GSO_UDP_L4,
            (false, false) => GSO_TCPV4,
            (false, true) => GSO_TCPV6,
        };
        VnetHdr {
            flags: NEEDS_CSUM,
            gso_type: kind | ecn,
            hdr_len: self.headers_len() as u16,
            gso_size: self.segment_len as u16,
            csum_start: self.l4() as u16,
            csum_offset: self.checksum_offset() as u16,
        }
    }

    pub fn checksum_offset(&self) -> usize {
        if self.udp { 6 } else { 16 }
    }

    /// The packet as a kernel hands it over: the transport checksum holds the pseudo-header's sum only.
    pub fn super_packet(&self) -> Vec<u8> {
        let mut frame = self.frame();
        let field = self.l4() + self.checksum_offset();
        let sum = self.pseudo_header_sum(&frame);
        frame[field..field + 2].copy_from_slice(&sum);
        frame
    }

    /// By the other checksum crate.
    fn pseudo_header_sum(&self, frame: &[u8]) -> [u8; 2] {
        let addresses = if self.v6 { self.l3() + 8..self.l3() + 40 } else { self.l3() + 12..self.l3() + 20 };
        let mut sum = internet_checksum::Checksum::new();
        sum.add_bytes(&frame[addresses]);
        sum.add_bytes(&[0, if self.udp { 17 } else { 6 }]);
        sum.add_bytes(&((frame.len() - self.l4()) as u16).to_be_bytes());
        sum.checksum().map(|byte| !byte)
    }
}

/// All frames of one packet, or why it is dropped.
pub fn split(vnet: &VnetHdr, packet: &[u8]) -> Result<Vec<Vec<u8>>, DropReason> {
    let mut packet = packet.to_vec();
    let mut segments = Segments::default();
    segments.plan(vnet, &mut packet)?;
    let mut frames = Vec::new();
    while let Some(range) = segments.next(&mut packet) {
        frames.push(packet[range].to_vec());
    }
    Ok(frames)
}

/// A batch that holds `frames`.
pub fn batch(frames: &[Vec<u8>]) -> FrameBatch {
    let mut batch = FrameBatch::new(frames.len(), frames.iter().map(Vec::len).sum());
    for frame in frames {
        assert!(batch.push(frame));
    }
    batch
}

/// What the card would be given for `frames`: vnet header and packet of each write.
pub fn merge(offloads: Offloads, frames: &[Vec<u8>]) -> Vec<(VnetHdr, Vec<u8>)> {
    let mut adapter = Offloaded::new(Recorder { offloads, ..Recorder::default() });
    adapter.send(batch(frames).frames()).unwrap();
    adapter.device().packets()
}

/// Sizes of the groups that `frames` are merged to.
pub fn group_sizes(frames: &[Vec<u8>]) -> Vec<usize> {
    let mut coalescer = Coalescer::new(ALL_OFFLOADS);
    let batch = batch(frames);
    coalescer.plan(batch.frames());
    coalescer.groups().iter().map(|group| group.len()).collect()
}

/// A device that keeps what is written, gives what it was given, and fails as it is told.
#[derive(Debug, Default)]
pub struct Recorder {
    pub offloads: Offloads,
    pub written: Vec<Vec<u8>>,
    pub incoming: std::collections::VecDeque<Result<Vec<u8>, Error>>,
    /// Fails writes of more than this many pieces or, if `fail_singles`, all.
    pub fail_super: Option<WriteError>,
    pub fail_single: Option<WriteError>,
}

impl Recorder {
    pub fn packets(&self) -> Vec<(VnetHdr, Vec<u8>)> {
        let split = |packet: &Vec<u8>| match self.offloads.vnet_hdr {
            true => {
                let (vnet, packet) = packet.split_first_chunk::<VNET_HDR_LEN>().unwrap();
                (VnetHdr::decode(vnet), packet.to_vec())
            }
            false => (VnetHdr::default(), packet.clone()),
        };
        self.written.iter().map(split).collect()
    }
}

impl Device for Recorder {
    fn offloads(&self) -> Offloads {
        self.offloads
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        let Some(packet) = self.incoming.pop_front() else { return Ok(None) };
        let packet = packet?;
        let len = packet.len().min(buffer.len());
        buffer[..len].copy_from_slice(&packet[..len]);
        Ok(Some(len))
    }

    fn write(&mut self, parts: &[IoSlice<'_>]) -> Result<(), WriteError> {
        let packet = parts.iter().flat_map(|part| part.to_vec()).collect::<Vec<u8>>();
        let is_super = self.offloads.vnet_hdr && packet[1] != 0;
        match if is_super { self.fail_super } else { self.fail_single } {
            Some(error) => Err(error),
            None => {
                self.written.push(packet);
                Ok(())
            }
        }
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Checks a frame by etherparse: its length, that its lengths agree, and every checksum. Panics with what is wrong.
pub fn check_frame(frame: &[u8]) {
    let tagged = frame.len() > 13 && (frame[12..14] == [0x81, 0x00] || frame[12..14] == [0x88, 0xa8]);
    assert!(frame.len() <= if tagged { 1518 } else { 1514 }, "a frame of {} bytes", frame.len());
    let packet = SlicedPacket::from_ethernet(frame).unwrap_or_else(|e| panic!("{e}: {frame:02x?}"));
    match (&packet.net, &packet.transport) {
        (Some(NetSlice::Ipv4(ip)), transport) => {
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum(), "IPv4 checksum: {frame:02x?}");
            assert_eq!(usize::from(header.total_len), frame.len() - 14 - 4 * packet.vlan_ids().len());
            if ip.is_payload_fragmented() {
                return;
            }
            match transport {
                Some(TransportSlice::Tcp(tcp)) => assert!(
                    same_checksum(tcp.checksum(), tcp.calc_checksum_ipv4(header.source, header.destination).unwrap()),
                    "TCP checksum: {frame:02x?}"
                ),
                Some(TransportSlice::Udp(udp)) if udp.checksum() != 0 => assert!(
                    same_checksum(udp.checksum(), udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap()),
                    "UDP checksum: {frame:02x?}"
                ),
                _ => {}
            }
        }
        (Some(NetSlice::Ipv6(ip)), transport) => {
            let header = ip.header().to_header();
            if ip.is_payload_fragmented() {
                return;
            }
            match transport {
                Some(TransportSlice::Tcp(tcp)) => assert!(
                    same_checksum(tcp.checksum(), tcp.calc_checksum_ipv6(header.source, header.destination).unwrap()),
                    "TCP checksum: {frame:02x?}"
                ),
                Some(TransportSlice::Udp(udp)) => assert!(
                    same_checksum(udp.checksum(), udp.to_header().calc_checksum_ipv6(&header, udp.payload()).unwrap()),
                    "UDP checksum: {frame:02x?}"
                ),
                _ => {}
            }
        }
        _ => {}
    }
}

/// Zero and 0xffff are the same number in ones' complement; Linux writes 0xffff.
fn same_checksum(a: u16, b: u16) -> bool {
    a % 0xffff == b % 0xffff
}

/// The frame with what coalescing may change taken out: the ID of an IPv4 packet with DF, and so the header's checksum.
pub fn without_meaningless_id(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let l3 = if frame[12..14] == [0x81, 0x00] { 18 } else { 14 };
    let is_ipv4 = frame[l3 - 2..l3] == [0x08, 0x00];
    if is_ipv4 && frame.len() >= l3 + 20 && frame[l3 + 6] & 0x40 != 0 {
        frame[l3 + 4..l3 + 6].fill(0);
        frame[l3 + 10..l3 + 12].fill(0);
    }
    frame
}

/// A span for each frame in a row of frames.
pub fn spans(frames: &[Vec<u8>]) -> (Vec<u8>, Vec<Span>) {
    let mut start = 0;
    let mut spans = Vec::new();
    for frame in frames {
        spans.push(Span { start, len: frame.len() as u32 });
        start += frame.len() as u32;
    }
    (frames.concat(), spans)
}
