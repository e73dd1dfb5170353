//! The adapter on Rust against a real server, alone and together with C or Rust framing: frames of every size and kind go
//! both ways, and what comes out of the server's TAP during a transfer is captured and checked.
//!
//! The programs are those that `./zigw build test` installs, as for `end_to_end.rs`. Needs root.

mod support;

use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ab_bench::lab::{Lab, SERVER_TAP, Side, TUNNEL_SERVER_ADDRESS};
use etherparse::{
    ArpEthIpv4Packet, ArpOperation, ArpPacket, IpFragOffset, IpNumber, Ipv4Header, NetSlice, PacketBuilder,
    SlicedPacket, TransportSlice,
};
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvmsg, send,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use support::{LIMIT, rust_with, start, vendored};

/// The adapter alone (session and framing in C), with Rust framing, and with everything on Rust.
const MODES: [&str; 3] = ["*=c,adapter=rust", "*=c,adapter=rust,framing=rust", "*=rust"];

/// How long a frame may take through the tunnel.
const PATIENCE: Duration = Duration::from_secs(2);
/// Frames on the way at once; a queue of SoftEther that is full drops what comes.
const WINDOW: usize = 64;
/// A VLAN tag: EtherType, then priority 3 and VLAN 5.
const TAG: [u8; TAG_LENGTH] = [0x81, 0x00, 0x60, 0x05];
const TAG_LENGTH: usize = 4;

/// MAC addresses of two hosts, behind the client and behind the server.
const HOSTS: [[u8; 6]; 2] = [[2, b'C', b'u', b't', 0, 1], [2, b'C', b'u', b't', 0, 2]];

fn ip(lab: &Lab, side: Side, arguments: &str) -> String {
    let argv: Vec<&str> = std::iter::once("ip").chain(arguments.split(' ')).collect();
    let output = lab.run_ok(side, &argv, LIMIT).unwrap_or_else(|error| panic!("{error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Has the kernel tell which VLAN tag it took out of a frame.
fn ask_for_tags(wire: &OwnedFd) -> nix::Result<()> {
    const PACKET_AUXDATA: libc::c_int = 8;
    let on: libc::c_int = 1;
    let length = size_of_val(&on) as libc::socklen_t;
    // SAFETY: pointer and length describe `on`, which outlives the call.
    let result =
        unsafe { libc::setsockopt(wire.as_raw_fd(), libc::SOL_PACKET, PACKET_AUXDATA, (&raw const on).cast(), length) };
    nix::errno::Errno::result(result).map(drop)
}

/// A packet socket for every kind of frame on one interface.
struct Wire(OwnedFd);

impl Wire {
    fn open(lab: &Lab, side: Side, interface: &str) -> Wire {
        let open = || {
            let wire = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
            let mut links = nix::ifaddrs::getifaddrs()?.filter(|entry| entry.interface_name == interface);
            let address: Option<LinkAddr> = links.find_map(|entry| entry.address?.as_link_addr().copied());
            bind(wire.as_raw_fd(), &address.ok_or(nix::errno::Errno::ENODEV)?)?;
            setsockopt(&wire, sockopt::RcvBufForce, &(64 << 20))?;
            setsockopt(&wire, sockopt::ReceiveTimeout, &TimeVal::milliseconds(20))?;
            ask_for_tags(&wire)?;
            nix::Result::Ok(wire)
        };
        Wire(lab.within(side, open).unwrap().unwrap_or_else(|errno| panic!("{interface}: {errno}")))
    }

    fn send(&self, frame: &[u8]) {
        assert_eq!(send(self.0.as_raw_fd(), frame, MsgFlags::empty()), Ok(frame.len()), "{frame:02x?}");
    }

    /// The next frame and its true length, which may exceed the buffer's; `None` after 20 ms.
    fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<(&'a [u8], usize)> {
        let mut control = nix::cmsg_space!([u32; 5]);
        let mut room = [IoSliceMut::new(&mut buffer[TAG_LENGTH..])];
        let message = recvmsg::<()>(self.0.as_raw_fd(), &mut room, Some(&mut control), MsgFlags::MSG_TRUNC).ok()?;
        let (length, tag) = (message.bytes, message.cmsgs().ok()?.find_map(|control| vlan_tag(&control)));
        let end = (TAG_LENGTH + length).min(buffer.len());
        let Some(tag) = tag else { return Some((&buffer[TAG_LENGTH..end], length)) };
        buffer.copy_within(TAG_LENGTH..TAG_LENGTH + 12, 0);
        buffer[12..12 + TAG_LENGTH].copy_from_slice(&tag);
        Some((&buffer[..end], TAG_LENGTH + length))
    }
}

/// The VLAN tag that the kernel took out of a frame, from `struct tpacket_auxdata`: three words, two half words, and then
/// the tag's content and its EtherType.
fn vlan_tag(control: &ControlMessageOwned) -> Option<[u8; TAG_LENGTH]> {
    const TP_STATUS_VLAN_VALID: u8 = 1 << 4;
    let ControlMessageOwned::Unknown(control) = control else { return None };
    let data = &control.data_bytes;
    let half_word = |at: usize| Some(u16::from_ne_bytes(data.get(at..at + 2)?.try_into().ok()?).to_be_bytes());
    let status = u32::from_ne_bytes(data.get(..4)?.try_into().ok()?);
    let ([content_high, content_low], [type_high, type_low]) = (half_word(16)?, half_word(18)?);
    (status & u32::from(TP_STATUS_VLAN_VALID) != 0).then_some([type_high, type_low, content_high, content_low])
}

/// Sends frames from one TAP to the other; each must arrive, once, in order and unchanged. `from` is their source.
fn carry(from: &Wire, to: &Wire, source: [u8; 6], frames: &[Vec<u8>], what: &str) {
    let mut buffer = vec![0; 4096];
    let mut awaited = VecDeque::new();
    let mut arrive = |awaited: &mut VecDeque<&Vec<u8>>, most: usize| {
        let end = Instant::now() + PATIENCE;
        while awaited.len() > most {
            let next = awaited[0];
            assert!(Instant::now() < end, "{what}: lost {} bytes {:02x?}", next.len(), &next[..next.len().min(60)]);
            let Some((frame, _)) = to.receive(&mut buffer).filter(|(frame, _)| frame[6..12] == source) else {
                continue;
            };
            // Ethernet pads short frames with zeros.
            let padded = next.len() < 60 && frame.len() == 60;
            let (whole, padding) = frame.split_at(if padded { next.len() } else { frame.len() });
            assert!(whole == next && padding.iter().all(|&byte| byte == 0), "{what}: {frame:02x?} for {next:02x?}");
            awaited.pop_front();
        }
    };
    for frame in frames {
        from.send(frame);
        awaited.push_back(frame);
        arrive(&mut awaited, WINDOW - 1);
    }
    arrive(&mut awaited, 0);
}

/// A frame with a length, a number and bytes that differ from place to place.
fn numbered(to: [u8; 6], from: [u8; 6], length: usize, number: u32) -> Vec<u8> {
    let mut frame = [&to[..], &from, &[0x88, 0xb5], &number.to_be_bytes()].concat();
    let filler = |at: usize| (at as u32 ^ number).wrapping_mul(0x9e37_79b9).to_be_bytes()[0];
    frame.extend((frame.len()..length.max(frame.len())).map(filler));
    frame.truncate(length);
    frame
}

/// The same frames with a tag.
fn tagged(frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let tag = |frame: Vec<u8>| [&frame[..12], &TAG, &frame[12..]].concat();
    // The kernel takes tags out only of frames that have room for another EtherType and two bytes behind it.
    frames.into_iter().filter(|frame| frame.len() >= 16).map(tag).collect()
}

fn every_size(to: [u8; 6], from: [u8; 6]) -> Vec<Vec<u8>> {
    (14..=1514).zip(0..).map(|(length, number)| numbered(to, from, length, number)).collect()
}

/// IPv6 and IPv4 packets, TCP and UDP of different lengths, numbered by their ports.
fn ip_packets(to: [u8; 6], from: [u8; 6], net: u8) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for (number, length) in (0..).zip([0, 1, 2, 100, 536, 1219, 1220, 1400, 1432]) {
        let port = 10_000 + number;
        let payload: Vec<u8> = (0..length).map(|at: u32| at.wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect();
        let ethernet = || PacketBuilder::ethernet2(from, to);
        let v4 = || ethernet().ipv4([10, 79, net, 1], [10, 79, net, 2], 64);
        let v6 = || ethernet().ipv6([0xfd; 16], [net; 16], 64);
        let mut frame = |write: &dyn Fn(&mut Vec<u8>)| {
            frames.push(Vec::new());
            write(frames.last_mut().unwrap());
        };
        frame(&|out| v4().udp(port, 9).write(out, &payload).unwrap());
        frame(&|out| v6().udp(port, 9).write(out, &payload).unwrap());
        // With gaps in the sequence: neighbours without one reach the client's kernel as one super-packet.
        for part in 0..3 {
            let sequence = 1000 + part * (length + 1);
            frame(&|out| v4().tcp(port, 9, sequence, 500).ack(1).write(out, &payload).unwrap());
            frame(&|out| v6().tcp(port, 9, sequence, 500).ack(1).write(out, &payload).unwrap());
        }
    }
    frames
}

/// A UDP datagram of 4000 bytes in fragments, over IPv4 and over IPv6.
fn fragments(to: [u8; 6], from: [u8; 6], net: u8) -> Vec<Vec<u8>> {
    const PART: usize = 1400;
    let datagram: Vec<u8> = (0..4000_u32).map(|at| at.wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect();
    let mut frames = Vec::new();
    for (number, part) in datagram.chunks(PART).enumerate() {
        let more = (number + 1) * PART < datagram.len();
        let units = (number * PART / 8) as u16;
        let mut header =
            Ipv4Header::new(part.len() as u16, 64, IpNumber::UDP, [10, 79, net, 1], [10, 79, net, 2]).unwrap();
        header.identification = 0x4711;
        header.dont_fragment = false;
        header.more_fragments = more;
        header.fragment_offset = IpFragOffset::try_new(units).unwrap();
        header.header_checksum = header.calc_header_checksum();
        frames.push([&to[..], &from, &[0x08, 0x00], &header.to_bytes(), part].concat());
        // IPv6: version, length, next header 44 (fragment), hop limit, addresses; UDP, offset and more, ID.
        let length = (part.len() as u16 + 8).to_be_bytes();
        let place = (units << 3 | u16::from(more)).to_be_bytes();
        let ipv6 = [&[0x60, 0, 0, 0, length[0], length[1], 44, 64][..], &[0xfd; 16], &[net; 16]].concat();
        let fragment = [17, 0, place[0], place[1], 0, 0, 0x47, 0x11];
        frames.push([&to[..], &from, &[0x86, 0xdd], &ipv6, &fragment, part].concat());
    }
    frames
}

/// ARP question and answer, broadcast and multicast frames, in numbers that no storm control minds.
fn to_many(to: [u8; 6], from: [u8; 6], net: u8) -> Vec<Vec<u8>> {
    let arp = |operation, to: [u8; 6], target| {
        let mut frame = Vec::new();
        let addresses = ([10, 79, net, 1], [10, 79, net, 2]);
        let packet = ArpPacket::from(ArpEthIpv4Packet {
            operation,
            sender_mac: from,
            sender_ipv4: addresses.0,
            target_mac: target,
            target_ipv4: addresses.1,
        });
        PacketBuilder::ethernet2(from, to).arp(packet).write(&mut frame).unwrap();
        frame
    };
    let broadcast = [0xff; 6];
    let mut frames = vec![arp(ArpOperation::REQUEST, broadcast, [0; 6]), arp(ArpOperation::REPLY, to, to)];
    for (number, length) in (0..).zip([60, 64, 1514]) {
        frames.push(numbered(broadcast, from, length, number));
        frames.push(numbered([0x01, 0, 0x5e, 0, 0, 0xfb], from, length, number));
        frames.push(numbered([0x33, 0x33, 0, 0, 0, 1], from, length, number));
    }
    frames
}

#[test]
fn every_size_and_kind_of_frame_is_carried_both_ways() {
    let lab = vendored();
    for modes in MODES {
        let client = start(&lab, &rust_with(modes));
        let (at_client, at_server) =
            (Wire::open(&lab, Side::Client, client.interface()), Wire::open(&lab, Side::Server, SERVER_TAP));
        // The hub is to know both hosts before frames are sent to one of them, in each VLAN by itself (C: `StorePacket`,
        // Cedar/Hub.c, looks for MAC address and VLAN); otherwise it floods, counts a storm, and drops some.
        for (wire, host) in [(&at_client, HOSTS[0]), (&at_server, HOSTS[1])] {
            let hello = vec![numbered([0xff; 6], host, 60, 0)];
            hello.iter().chain(&tagged(hello.clone())).for_each(|frame| wire.send(frame));
        }
        thread::sleep(Duration::from_millis(300));
        let ways =
            [("up", &at_client, &at_server, HOSTS[0], HOSTS[1]), ("down", &at_server, &at_client, HOSTS[1], HOSTS[0])];
        for (net, (way, sender, receiver, from, to)) in (1..).zip(ways) {
            let mut buffer = [0; 64];
            while receiver.receive(&mut buffer).is_some() {}
            for (kind, frames) in [
                ("every size", every_size(to, from)),
                ("IPv4 and IPv6", ip_packets(to, from, net)),
                ("fragments", fragments(to, from, net)),
                ("ARP, broadcast and multicast", to_many(to, from, net)),
                ("every size, tagged", tagged(every_size(to, from))),
                ("IPv4 and IPv6, tagged", tagged(ip_packets(to, from, net))),
                ("ARP, broadcast and multicast, tagged", tagged(to_many(to, from, net))),
            ] {
                carry(sender, receiver, from, &frames, &format!("{modes}, {way}, {kind}"));
            }
        }
        assert!(client.stop().unwrap().success());
    }
}

/// What was wrong with a frame on the wire, if anything: its length, its lengths among each other, a checksum.
fn fault(frame: &[u8], length: usize) -> Option<String> {
    if length > 1514 {
        return Some(format!("{length} bytes"));
    }
    let packet = match SlicedPacket::from_ethernet(frame) {
        Ok(packet) => packet,
        Err(error) => return Some(error.to_string()),
    };
    let Some(NetSlice::Ipv4(ip)) = &packet.net else { return None };
    let header = ip.header().to_header();
    if header.header_checksum != header.calc_header_checksum() {
        return Some("wrong IPv4 checksum".to_owned());
    }
    let (is, ought_to_be) = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            (tcp.checksum(), tcp.calc_checksum_ipv4(header.source, header.destination).ok()?)
        }
        Some(TransportSlice::Udp(udp)) if udp.checksum() != 0 => {
            (udp.checksum(), udp.to_header().calc_checksum_ipv4(&header, udp.payload()).ok()?)
        }
        _ => return None,
    };
    // Zero and 0xffff are the same number in ones' complement.
    (is % 0xffff != ought_to_be % 0xffff).then(|| format!("checksum {is:04x} instead of {ought_to_be:04x}"))
}

#[test]
fn a_wrong_frame_would_be_found() {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(HOSTS[0], HOSTS[1])
        .ipv4([10, 79, 1, 1], [10, 79, 1, 2], 64)
        .tcp(1, 2, 3, 4)
        .write(&mut frame, &[7; 100])
        .unwrap();
    assert_eq!(fault(&frame, frame.len()), None);
    assert!(fault(&frame, 1515).is_some());
    for at in 14..frame.len() {
        let mut damaged = frame.clone();
        damaged[at] ^= 0x10;
        assert!(fault(&damaged, damaged.len()).is_some(), "byte {at}");
    }
}

/// Captures at the server's TAP until it is told to end; returns how many frames it saw and what was wrong.
fn capture(wire: &Wire, end: &AtomicBool) -> (u64, Vec<String>) {
    let mut buffer = vec![0; 70_000];
    let (mut seen, mut faults) = (0, Vec::new());
    loop {
        match wire.receive(&mut buffer) {
            Some((frame, length)) => {
                seen += 1;
                faults.extend(fault(frame, length).filter(|_| faults.len() < 10));
            }
            None if end.load(Ordering::Acquire) => return (seen, faults),
            None => {}
        }
    }
}

#[test]
fn the_wire_shows_no_super_packet_and_no_wrong_checksum() {
    let lab = vendored();
    for modes in MODES {
        let client = start(&lab, &rust_with(modes));
        let card = ip(&lab, Side::Client, &format!("-details link show {}", client.interface()));
        assert!(card.contains("vnet_hdr on"), "the client has offloads on: {card}");
        let wire = Wire::open(&lab, Side::Server, SERVER_TAP);
        for way in ["--version4", "--reverse"] {
            let _server = lab.serve_iperf().unwrap();
            let target = TUNNEL_SERVER_ADDRESS.to_string();
            let argv = ["iperf3", "--client", &target, "--bytes", "40M", "--json", way];
            let end = AtomicBool::new(false);
            let (seen, faults) = thread::scope(|scope| {
                let capturing = scope.spawn(|| capture(&wire, &end));
                let transfer = lab.run_ok(Side::Client, &argv, LIMIT);
                end.store(true, Ordering::Release);
                transfer.unwrap_or_else(|error| panic!("{modes}, {way}: {error}"));
                capturing.join().unwrap()
            });
            println!("{modes}, {way}: {seen} frames captured");
            assert!(seen > 10_000, "{modes}, {way}: only {seen} frames captured");
            assert!(faults.is_empty(), "{modes}, {way}: {faults:?}");
        }
        assert!(client.stop().unwrap().success());
    }
}
