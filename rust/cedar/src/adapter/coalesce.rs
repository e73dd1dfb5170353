//! Merging what goes to the card: neighbours of one flow in a batch become one super-packet. No I/O, no copy of payload;
//! nothing waits for frames that are not in the batch yet. The rules are wireguard-go's. A batch takes these steps:
//!
//! 1. [`Coalescer::plan`] looks at each frame once, in order. What is not a plain TCP or UDP packet is a group of its own.
//! 2. A frame joins the newest group of its flow if all headers agree, its sequence number follows, the group's frames are
//!    equally long, and the checksums of both are right (a merged packet is trusted by the kernel, so ours must be the
//!    check). A shorter frame, PSH or FIN ends the group.
//! 3. Any other frame of the flow closes that group, so frames of one flow never overtake each other.
//! 4. [`Coalescer::headers`] gives a group's vnet header and merged headers, [`Coalescer::payloads`] its payloads in place.
//!
//! IPv4 IDs: without DF they must count up by one. With DF an ID has no meaning (RFC 6864) and is not compared; splitting
//! again counts up from the first.
#![forbid(unsafe_code)]

use arrayvec::ArrayVec;

use super::batch::Frames;
use super::checksum::Sum;
use super::packet::{self, Ip, Layout, Transport, double_word_at, put_word, word_at};
use super::vnet_hdr::{GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, VnetHdr};
use super::{BATCH_FRAMES_MAX, MAX_PACKET_SIZE, Offloads};

/// Most frames in one group: with the vnet header and the merged headers, IOV_MAX (1024) pieces.
pub const GROUP_FRAMES_MAX: usize = 1022;

/// Longest IP packet, in bytes.
const IP_PACKET_MAX: usize = 65_535;

/// Flows that are looked after at a time; the oldest gives way.
const OPEN_FLOWS_MAX: usize = 16;

/// Longest merged headers: Ethernet, two tags, IPv6, TCP with options.
pub const HEADERS_MAX: usize = 14 + 8 + 40 + 60;

/// No further frame in a chain.
const NONE: u16 = u16::MAX;

/// Frames that go to the card in one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    first: u16,
    last: u16,
    count: u16,
    merge: Option<Merge>,
}

impl Group {
    /// Number of frames; more than one means a super-packet.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Never: a group has at least its first frame.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// What a group has that others may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Merge {
    layout: Layout,
    /// Payload of each frame but the last.
    segment_len: usize,
    /// Payload of all frames.
    payload_len: usize,
    /// TCP: the sequence number the next frame must have.
    next_sequence: u32,
    verified: bool,
    ended: bool,
}

/// A flow and the newest group with frames of it.
#[derive(Debug, Clone, Copy)]
struct Flow {
    hash: u64,
    group: u16,
}

/// Plans the writes for one batch after another; keeps its memory.
#[derive(Debug)]
pub struct Coalescer {
    offloads: Offloads,
    groups: Vec<Group>,
    /// For each frame of the batch, the next frame of its group.
    next: Vec<u16>,
    open: ArrayVec<Flow, OPEN_FLOWS_MAX>,
}

impl Coalescer {
    /// A coalescer for a device that takes super-packets as `offloads` says.
    pub fn new(offloads: Offloads) -> Coalescer {
        Coalescer {
            offloads,
            groups: Vec::with_capacity(BATCH_FRAMES_MAX),
            next: Vec::with_capacity(BATCH_FRAMES_MAX),
            open: ArrayVec::new(),
        }
    }

    /// Groups the first [`BATCH_FRAMES_MAX`] of `frames`. Each is in exactly one group afterwards.
    pub fn plan(&mut self, frames: Frames<'_>) {
        self.groups.clear();
        self.next.clear();
        self.open.clear();
        for (index, frame) in (0..NONE).zip(frames.iter()).take(BATCH_FRAMES_MAX) {
            self.next.push(NONE);
            self.place(frames, index, frame);
        }
    }

    /// The groups of the last [`Coalescer::plan`], in the order in which they are to be written.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The indices of the frames of `group`, in order.
    pub fn members(&self, group: &Group) -> impl Iterator<Item = usize> + '_ {
        let first = (group.first != NONE).then_some(group.first);
        std::iter::successors(first, |&index| self.next.get(usize::from(index)).copied().filter(|&n| n != NONE))
            .map(usize::from)
    }

    /// The payloads of the frames of `group`, in order.
    pub fn payloads<'a>(&'a self, frames: Frames<'a>, group: &Group) -> impl Iterator<Item = &'a [u8]> + 'a {
        let start = group.merge.map_or(0, |merge| merge.layout.payload);
        self.members(group).map(move |index| frames.frame(index).get(start..).unwrap_or_default())
    }

    /// The vnet header and the merged headers of a group of more than one frame.
    pub fn headers(&self, frames: Frames<'_>, group: &Group) -> Option<(VnetHdr, ArrayVec<u8, HEADERS_MAX>)> {
        let merge = group.merge.filter(|_| group.count > 1)?;
        let first = frames.frame(usize::from(group.first));
        let last = frames.frame(usize::from(group.last));
        merge.headers(first, last)
    }

    /// Lets `frame` join a group or makes a group of it.
    #[inline]
    fn place(&mut self, frames: Frames<'_>, index: u16, frame: &[u8]) {
        let Some(layout) = self.mergeable_layout(frame) else {
            self.groups.push(Group { first: index, last: index, count: 1, merge: None });
            return;
        };
        let hash = flow_hash(frame, &layout);
        let open = self.open.iter().position(|flow| flow.hash == hash);
        let found = open.and_then(|at| self.open.get(at)).map(|flow| usize::from(flow.group));
        if found.is_some_and(|group| self.join(frames, group, index, frame, &layout)) {
            return;
        }
        self.begin(index, frame, layout, hash, open);
    }

    fn mergeable_layout(&self, frame: &[u8]) -> Option<Layout> {
        let layout = Layout::of(frame).filter(|_| frame.len() <= MAX_PACKET_SIZE)?;
        match layout.transport {
            Transport::Tcp => self.offloads.tcp,
            Transport::Udp => self.offloads.udp,
        }
        .then_some(layout)
    }

    /// Makes `frame` a group, the newest of its flow.
    fn begin(&mut self, index: u16, frame: &[u8], layout: Layout, hash: u64, open: Option<usize>) {
        let group = Group { first: index, last: index, count: 1, merge: Merge::begin(frame, layout) };
        // As many groups as frames at most: the number fits.
        let flow = Flow { hash, group: u16::try_from(self.groups.len()).unwrap_or(NONE) };
        self.groups.push(group);
        match open.and_then(|at| self.open.get_mut(at)) {
            Some(known) => *known = flow,
            None => {
                if self.open.is_full() {
                    self.open.remove(0);
                }
                self.open.push(flow);
            }
        }
    }

    /// Appends frame `index` to a group if it may. Otherwise nothing is changed.
    #[inline]
    fn join(&mut self, frames: Frames<'_>, group: usize, index: u16, frame: &[u8], layout: &Layout) -> bool {
        let Some(group) = self.groups.get_mut(group) else { return false };
        let room = group.len() < GROUP_FRAMES_MAX;
        let Some(merge) = &mut group.merge else { return false };
        let first = frames.frame(usize::from(group.first));
        if !room || !merge.accepts(first, frame, layout, group.count) {
            return false;
        }
        if !merge.verified {
            merge.verified = checksums_are_valid(first, layout);
            merge.ended = !merge.verified;
        }
        if merge.ended || !checksums_are_valid(frame, layout) {
            return false;
        }
        merge.append(frame);
        if let Some(link) = self.next.get_mut(usize::from(group.last)) {
            *link = index;
        }
        group.last = index;
        group.count += 1;
        true
    }
}

impl Merge {
    /// The start of a group, if `first` is of a kind that others may join.
    fn begin(first: &[u8], layout: Layout) -> Option<Merge> {
        let segment_len = first.len() - layout.payload;
        if segment_len == 0 {
            return None;
        }
        let mut merge =
            Merge { layout, segment_len, payload_len: segment_len, next_sequence: 0, verified: false, ended: false };
        match layout.transport {
            Transport::Tcp => {
                const MERGEABLE: u8 =
                    packet::TCP_ACK | packet::TCP_PSH | packet::TCP_FIN | packet::TCP_ECE | packet::TCP_CWR;
                let tcp = first.get(layout.l4..)?.first_chunk::<{ packet::TCP_HEADER }>()?;
                let reserved = tcp[12] & 0xf;
                if tcp[13] & !MERGEABLE != 0 || tcp[13] & packet::TCP_ACK == 0 || reserved != 0 {
                    return None;
                }
                merge.next_sequence = double_word_at(tcp, 4)?.wrapping_add(u32::try_from(segment_len).ok()?);
                merge.ended = ends_group(tcp[13]);
            }
            // A datagram without a checksum cannot be verified.
            Transport::Udp => merge.ended = word_at(first, layout.l4 + 6)? == 0,
        }
        Some(merge)
    }

    /// Whether `frame` continues the group that `first` began and that holds `count` frames, checksums aside.
    #[inline]
    fn accepts(&self, first: &[u8], frame: &[u8], layout: &Layout, count: u16) -> bool {
        let payload_len = frame.len() - layout.payload;
        !self.ended
            && *layout == self.layout
            && (1..=self.segment_len).contains(&payload_len)
            && layout.payload - layout.l3 + self.payload_len + payload_len <= IP_PACKET_MAX
            && self.same_headers(first, frame, count).unwrap_or(false)
    }

    #[inline]
    fn same_headers(&self, first: &[u8], frame: &[u8], count: u16) -> Option<bool> {
        let Layout { ip, transport, l3, l4, payload } = self.layout;
        let (a, b) = (first.get(..payload)?, frame.get(..payload)?);
        let network = match ip {
            Ip::V4 => same_ipv4(a.get(l3..l4)?, b.get(l3..l4)?, count)?,
            Ip::V6 => same_ipv6(a.get(l3..l4)?, b.get(l3..l4)?)?,
        };
        let transport = match transport {
            Transport::Tcp => same_tcp(a.get(l4..)?, b.get(l4..)?, self.next_sequence)?,
            Transport::Udp => a.get(l4..l4 + 4)? == b.get(l4..l4 + 4)? && word_at(b, l4 + 6)? != 0,
        };
        Some(network && transport && a.get(..l3)? == b.get(..l3)?)
    }

    fn append(&mut self, frame: &[u8]) {
        let payload_len = frame.len() - self.layout.payload;
        self.payload_len += payload_len;
        self.next_sequence = self.next_sequence.wrapping_add(payload_len as u32); // a frame is far below 4 GiB
        let tcp_end = self.layout.transport == Transport::Tcp
            && frame.get(self.layout.l4 + 13).is_none_or(|&flags| ends_group(flags));
        self.ended = tcp_end || payload_len < self.segment_len;
    }

    /// The headers of the whole group: those of `first` with the lengths of all, PSH and FIN of `last`, the IPv4 header's
    /// checksum, and the pseudo-header's sum for the kernel to finish.
    fn headers(&self, first: &[u8], last: &[u8]) -> Option<(VnetHdr, ArrayVec<u8, HEADERS_MAX>)> {
        let Layout { ip, transport, l3, l4, payload } = self.layout;
        let mut headers = ArrayVec::new();
        headers.try_extend_from_slice(first.get(..payload)?).ok()?;
        let transport_len = u16::try_from(payload - l4 + self.payload_len).ok()?;
        match ip {
            Ip::V4 => {
                put_word(&mut headers, l3 + 2, transport_len.checked_add(20)?);
                put_word(&mut headers, l3 + 10, 0);
                let checksum = Sum::of(headers.get(l3..l4)?).checksum();
                put_word(&mut headers, l3 + 10, checksum);
            }
            Ip::V6 => put_word(&mut headers, l3 + 4, transport_len),
        }
        let mut gso_type = match (transport, ip) {
            (Transport::Tcp, Ip::V4) => GSO_TCPV4,
            (Transport::Tcp, Ip::V6) => GSO_TCPV6,
            (Transport::Udp, _) => GSO_UDP_L4,
        };
        match transport {
            Transport::Tcp => {
                let end = last.get(l4 + 13)? & (packet::TCP_PSH | packet::TCP_FIN);
                let flags = headers.get_mut(l4 + 13)?;
                *flags |= end;
                if *flags & packet::TCP_CWR != 0 {
                    gso_type |= GSO_ECN;
                }
            }
            Transport::Udp => put_word(&mut headers, l4 + 4, transport_len),
        }
        let pseudo_header = pseudo_header(&headers, &self.layout, transport_len)?.fold();
        put_word(&mut headers, l4 + transport.checksum_offset(), pseudo_header);
        let vnet = VnetHdr {
            flags: NEEDS_CSUM,
            gso_type,
            hdr_len: u16::try_from(payload).ok()?,
            gso_size: u16::try_from(self.segment_len).ok()?,
            csum_start: u16::try_from(l4).ok()?,
            csum_offset: u16::try_from(transport.checksum_offset()).ok()?,
        };
        debug_assert_ne!(vnet.gso_type, GSO_NONE);
        Some((vnet, headers))
    }
}

/// PSH and FIN belong to the last frame of a group.
fn ends_group(tcp_flags: u8) -> bool {
    tcp_flags & (packet::TCP_PSH | packet::TCP_FIN) != 0
}

/// Same TOS, DF, TTL, protocol and addresses; without DF, IDs that count up.
#[inline]
fn same_ipv4(a: &[u8], b: &[u8], count: u16) -> Option<bool> {
    const DF: u8 = 0x40;
    let a = a.first_chunk::<{ packet::IPV4_HEADER }>()?;
    let b = b.first_chunk::<{ packet::IPV4_HEADER }>()?;
    let id = |header: &[u8; packet::IPV4_HEADER]| u16::from_be_bytes([header[4], header[5]]);
    let id_fits = a[6] & DF != 0 || id(b) == id(a).wrapping_add(count);
    Some(a[1] == b[1] && a[6] == b[6] && a[8] == b[8] && a[12..] == b[12..] && id_fits)
}

/// Same traffic class, flow label, hop limit and addresses.
#[inline]
fn same_ipv6(a: &[u8], b: &[u8]) -> Option<bool> {
    let a = a.first_chunk::<{ packet::IPV6_HEADER }>()?;
    let b = b.first_chunk::<{ packet::IPV6_HEADER }>()?;
    Some(a[..4] == b[..4] && a[7..] == b[7..])
}

/// Same ports, acknowledgement, window and options, the expected sequence number, and flags that a later segment has.
#[inline]
fn same_tcp(a: &[u8], b: &[u8], next_sequence: u32) -> Option<bool> {
    let (a, a_options) = a.split_first_chunk::<{ packet::TCP_HEADER }>()?;
    let (b, b_options) = b.split_first_chunk::<{ packet::TCP_HEADER }>()?;
    let later = packet::TCP_PSH | packet::TCP_FIN;
    let flags_fit = b[13] & !later == a[13] & !packet::TCP_CWR;
    let sequence = u32::from_be_bytes([b[4], b[5], b[6], b[7]]);
    Some(
        sequence == next_sequence
            && flags_fit
            && a[..4] == b[..4]
            && a[8..13] == b[8..13]
            && a[14..16] == b[14..16]
            && a[18..] == b[18..]
            && a_options == b_options,
    )
}

/// Whether the IP header's checksum (IPv4) and the transport's are right.
#[inline]
fn checksums_are_valid(frame: &[u8], layout: &Layout) -> bool {
    let network = frame.get(layout.l3..layout.l4).unwrap_or_default();
    let transport = frame.get(layout.l4..).unwrap_or_default();
    let Ok(transport_len) = u16::try_from(transport.len()) else { return false };
    let network_is_valid = layout.ip == Ip::V6 || Sum::of(network).is_valid();
    network_is_valid
        && pseudo_header(frame, layout, transport_len).is_some_and(|sum| sum.and(Sum::of(transport)).is_valid())
}

/// The sum of addresses, protocol and transport length.
#[inline]
fn pseudo_header(frame: &[u8], layout: &Layout, transport_len: u16) -> Option<Sum> {
    let addresses = match layout.ip {
        Ip::V4 => frame.get(layout.l3 + 12..layout.l3 + 20)?,
        Ip::V6 => frame.get(layout.l3 + 8..layout.l3 + 40)?,
    };
    Some(Sum::of(addresses).word(u16::from(layout.transport.protocol())).word(transport_len))
}

/// Tells flows apart. Two flows with the same hash merely end each other's groups.
#[inline]
fn flow_hash(frame: &[u8], layout: &Layout) -> u64 {
    let addresses = match layout.ip {
        Ip::V4 => layout.l3 + 12..layout.l3 + 20,
        Ip::V6 => layout.l3 + 8..layout.l3 + 40,
    };
    let ports = double_word_at(frame, layout.l4).unwrap_or_default();
    let seed = (u64::from(ports) << 8) | u64::from(layout.transport.protocol());
    let (words, _) = frame.get(addresses).unwrap_or_default().as_chunks::<8>();
    words
        .iter()
        .fold(seed, |hash, word| (hash ^ u64::from_ne_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31))
}
