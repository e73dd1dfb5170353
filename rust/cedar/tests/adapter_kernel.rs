//! Super-packets that a real kernel made, split and merged: `tests/data/adapter_kernel.bin`, a recording in the form of
//! `cedar::adapter::replay`. It holds one packet of each kind that the recorder met: TCP and UDP over IPv4 and IPv6, with
//! and without VLAN tag, with CWR, with IPv6 extension headers, and ordinary packets whose checksum is left open.
//!
//! Recorded by (as root, in namespaces of its own):
//!
//!     cargo test -p cedar --test adapter_kernel -- --ignored record

mod adapter_common;

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd};

use adapter_common::netns::{ipv4, ipv6};
use adapter_common::pump::{Way, bytes_at, call_tcp, joined_by, patiently, serve_tcp};
use adapter_common::*;
use cedar::adapter::linux::{TapDevice, Tier};
use cedar::adapter::packet::{IPV6_HEADER, network_header};
use cedar::adapter::replay::{append, records};
use cedar::adapter::vnet_hdr::{GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, VNET_HDR_LEN, VnetHdr};
use cedar::adapter::{Device, Error, Offloads, WriteError};

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/adapter_kernel.bin");

/// Packets longer than this are not kept: the recording is to be small.
const KEPT_MAX: usize = 16_000;

/// What makes two packets the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    gso_type: u8,
    needs_csum: bool,
    tagged: bool,
    ethertype: u16,
    extension_headers: bool,
}

fn kind(record: &[u8]) -> Kind {
    let (vnet, packet) = record.split_first_chunk::<VNET_HDR_LEN>().unwrap();
    let vnet = VnetHdr::decode(vnet);
    let (l3, ethertype) = network_header(packet).unwrap();
    Kind {
        gso_type: vnet.gso_type,
        needs_csum: vnet.needs_csum(),
        tagged: l3 > 14,
        ethertype,
        extension_headers: ethertype == 0x86dd && vnet.needs_csum() && usize::from(vnet.csum_start) > l3 + IPV6_HEADER,
    }
}

#[test]
fn what_a_kernel_made_is_split_right_and_merges_back() {
    let recording = std::fs::read(RECORDING).unwrap();
    for record in records(&recording).unwrap() {
        let kind = kind(record);
        let (vnet, packet) = record.split_first_chunk::<VNET_HDR_LEN>().unwrap();
        let vnet = VnetHdr::decode(vnet);
        let frames = split(&vnet, packet).unwrap_or_else(|reason| panic!("{reason:?}: {kind:?} {vnet:?}"));
        frames.iter().for_each(|frame| check_frame(frame));
        if vnet.kind() == GSO_NONE {
            assert_eq!(frames.len(), 1);
            continue;
        }
        let payload_at = packet.len() - payload_len(&vnet, packet);
        let payloads: Vec<u8> = frames.iter().flat_map(|frame| frame[payload_at..].to_vec()).collect();
        assert!(payloads == packet[payload_at..], "{kind:?}: the payload changed");
        assert_eq!(frames.len(), payloads.len().div_ceil(vnet.gso_size.into()), "{kind:?}");
        if !kind.extension_headers {
            let merged = merge(ALL_OFFLOADS, &frames);
            assert_eq!(merged.len(), 1, "{kind:?}");
            let expected = VnetHdr { hdr_len: payload_at as u16, ..vnet };
            assert_eq!(merged[0].0, expected, "{kind:?}");
            assert!(merged[0].1 == packet, "{kind:?}: another packet than the kernel's");
        }
    }
}

fn payload_len(vnet: &VnetHdr, packet: &[u8]) -> usize {
    let l4 = usize::from(vnet.csum_start);
    let header_len = if vnet.kind() == GSO_UDP_L4 { 8 } else { usize::from(packet[l4 + 12] >> 4) * 4 };
    packet.len() - l4 - header_len
}

#[test]
fn the_recording_holds_every_kind() {
    let recording = std::fs::read(RECORDING).unwrap();
    let kinds: Vec<Kind> = records(&recording).unwrap().into_iter().map(kind).collect();
    let has = |found: &dyn Fn(&Kind) -> bool| kinds.iter().any(found);
    for (gso_type, ethertype) in [(GSO_TCPV4, 0x0800), (GSO_TCPV6, 0x86dd), (GSO_UDP_L4, 0x0800), (GSO_UDP_L4, 0x86dd)]
    {
        for tagged in [false, true] {
            let found = |k: &Kind| k.gso_type == gso_type && k.ethertype == ethertype && k.tagged == tagged;
            assert!(has(&found), "kind {gso_type} under {ethertype:04x}, tagged: {tagged}");
        }
    }
    assert!(has(&|k| k.gso_type & GSO_ECN != 0), "CWR");
    assert!(has(&|k| k.extension_headers && k.gso_type != GSO_NONE), "IPv6 extension headers");
    assert!(has(&|k| k.gso_type == GSO_NONE && k.needs_csum), "an open checksum");
}

/// A TAP that keeps one packet of each kind it gives, and marks some of what it is given as having met congestion.
struct Recording {
    tap: TapDevice,
    kept: BTreeMap<Kind, Vec<u8>>,
    writes: usize,
}

impl Device for Recording {
    fn offloads(&self) -> Offloads {
        self.tap.offloads()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        let len = self.tap.read(buffer)?;
        if let Some(len @ 100..KEPT_MAX) = len {
            self.kept.entry(kind(&buffer[..len])).or_insert_with(|| buffer[..len].to_vec());
        }
        Ok(len)
    }

    fn write(&mut self, parts: &[IoSlice<'_>]) -> Result<(), WriteError> {
        let mut packet: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
        self.writes += 1;
        if self.writes.is_multiple_of(20) {
            mark_congestion(&mut packet[VNET_HDR_LEN..]);
        }
        self.tap.write(&[IoSlice::new(&packet)])
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.tap.readiness()
    }
}

/// ECT(0) becomes CE (RFC 3168) in an untagged IPv4 packet.
fn mark_congestion(packet: &mut [u8]) {
    if packet.len() > 34 && packet[12..14] == [0x08, 0x00] && packet[15] & 3 == 2 {
        packet[15] |= 3;
        packet[24..26].fill(0);
        let checksum = internet_checksum::checksum(&packet[14..34]);
        packet[24..26].copy_from_slice(&checksum);
    }
}

const RECORDED_BYTES: u64 = 3 << 20;

#[test]
#[ignore = "makes tests/data/adapter_kernel.bin; the other tests read it"]
fn record() {
    let addresses: [fn(u8) -> IpAddr; 2] = [ipv4, ipv6];
    // Reno answers congestion marks with CWR; BBR does not.
    let use_ecn = || {
        std::fs::write("/proc/sys/net/ipv4/tcp_ecn", "1").unwrap();
        std::fs::write("/proc/sys/net/ipv4/tcp_congestion_control", "reno").unwrap();
    };
    let wrap = |tap| Recording { tap, kept: BTreeMap::new(), writes: 0 };
    let (one, two) = joined_by(
        Tier::Offload,
        Way::Batch,
        wrap,
        move || {
            use_ecn();
            addresses.iter().for_each(|address| serve_tcp(address(1), RECORDED_BYTES));
            serve_with_extension_headers();
        },
        move || {
            use_ecn();
            addresses.iter().for_each(|address| call_tcp(address(1), RECORDED_BYTES));
            addresses.iter().for_each(|address| send_udp(address(2), address(1)));
            send_tagged();
            call_with_extension_headers();
        },
    );
    let mut kept = one.device().kept.clone();
    kept.extend(two.device().kept.clone());
    let mut recording = Vec::new();
    for (kind, packet) in kept {
        println!("{} bytes of {kind:x?}", packet.len());
        append(&mut recording, &packet);
    }
    std::fs::write(RECORDING, recording).unwrap();
}

fn send_udp(from: IpAddr, to: IpAddr) {
    use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
    let socket = patiently(|| UdpSocket::bind((from, 0)));
    socket.connect((to, 5_009)).unwrap();
    setsockopt(&socket, UdpGsoSegment, &1_200).unwrap();
    // The first may wait for a neighbour and be refused (ECONNREFUSED: nobody listens).
    for _ in 0..3 {
        let _ = socket.send(&bytes_at(0, 10_000));
    }
}

/// Sends tagged super-packets through the kernel by a raw socket (PACKET_VNET_HDR), because not every kernel has VLAN
/// interfaces. The peer drops them; what counts is how they leave the TAP.
fn send_tagged() {
    use nix::libc;
    use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, bind, socket};
    const PACKET_VNET_HDR: i32 = 15;
    let raw = socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), SockProtocol::EthAll).unwrap();
    let card = nix::ifaddrs::getifaddrs()
        .unwrap()
        .filter(|a| a.interface_name == "vpn_test")
        .find_map(|a| a.address.and_then(|a| a.as_link_addr().copied()))
        .unwrap();
    bind(raw.as_raw_fd(), &card).unwrap();
    set_option(&raw, libc::SOL_PACKET, PACKET_VNET_HDR, &1i32.to_ne_bytes());
    for (v6, udp) in [(false, false), (true, false), (false, true), (true, true)] {
        let recipe = Recipe { v6, udp, vlan: Some(5), payload: pattern(9_500), ..Recipe::default() };
        let packet = [recipe.vnet().encode().to_vec(), recipe.super_packet()].concat();
        nix::unistd::write(&raw, &packet).unwrap();
    }
}

fn set_option(socket: &impl AsRawFd, level: i32, option: i32, value: &[u8]) {
    use nix::libc;
    let len = libc::socklen_t::try_from(value.len()).unwrap();
    // SAFETY: setsockopt reads as many bytes as it is told, from a slice of that length.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value.as_ptr().cast(), len) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// IPV6_DSTOPTS: a destination options header on everything the socket sends from now on.
fn add_destination_options(socket: &impl AsRawFd) {
    use nix::libc;
    // Next header and length are the kernel's affair; PadN of six bytes.
    set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_DSTOPTS, &[0, 0, 1, 4, 0, 0, 0, 0]);
}

const PORT: u16 = 5_010;

fn serve_with_extension_headers() {
    let listener = TcpListener::bind(SocketAddr::new(ipv6(1), PORT)).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
}

fn call_with_extension_headers() {
    use std::io::Write;
    let mut stream = patiently(|| std::net::TcpStream::connect(SocketAddr::new(ipv6(1), PORT)));
    add_destination_options(&stream);
    stream.write_all(&bytes_at(0, 300_000)).unwrap();
}
