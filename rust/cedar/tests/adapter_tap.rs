//! The adapter on real TAPs in fresh network namespaces: traffic between two kernels through it in every tier, bad
//! input (RELIABILITY I10), and what happens to an interface (F4, F5). Needs root.

mod adapter_common;

use std::io::IoSlice;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use adapter_common::netns::{self, ip, ipv4, ipv6};
use adapter_common::pump::{Way, call_tcp, joined, joined_by, serve_tcp};
use adapter_common::*;
use cedar::adapter::linux::{
    Interface, InterfaceConfig, InterfaceError, LinkState, Tap, TapDevice, Tier, interface_name, mac_from_seed,
};
use cedar::adapter::vnet_hdr::VnetHdr;
use cedar::adapter::{Adapter, Device, DropReason, Error, Offloads, WriteError};

const TRANSFER_BYTES: u64 = 24 << 20;

fn transfer(tier: Tier, way: Way) {
    for address in [ipv4, ipv6] {
        let (one, two) = joined(
            tier,
            way,
            move || serve_tcp(address(1), TRANSFER_BYTES),
            move || call_tcp(address(1), TRANSFER_BYTES),
        );
        for stats in [one, two] {
            println!("{tier:?} {way:?}: {stats:?}");
            assert_eq!(stats.receive_drops.total(), 0, "{stats:?}");
            assert_eq!(stats.send_drops.total(), 0, "{stats:?}");
            assert_eq!(stats.super_packets_refused, 0);
            assert!(stats.bytes_received > TRANSFER_BYTES && stats.bytes_sent > TRANSFER_BYTES);
            let merged = tier == Tier::Offload;
            assert_eq!(stats.super_packets_received > 0, merged, "{stats:?}");
            assert_eq!(stats.super_packets_sent > 0, merged, "{stats:?}");
        }
    }
}

#[test]
fn tcp_crosses_the_plain_tier() {
    transfer(Tier::Plain, Way::Batch);
    transfer(Tier::Plain, Way::OneByOne);
}

#[test]
fn tcp_crosses_the_napi_tier() {
    transfer(Tier::Napi, Way::Batch);
}

#[test]
fn tcp_crosses_the_offload_tier() {
    transfer(Tier::Offload, Way::Batch);
    transfer(Tier::Offload, Way::OneByOne);
}

/// Numbered datagrams in bursts of one send each: UDP segmentation offload where the kernel has it.
#[test]
fn udp_bursts_cross_whole_and_in_order() {
    const BURSTS: usize = 200;
    const DATAGRAM: usize = 1_200;
    let (bound, wait_for_bound) = std::sync::mpsc::channel();
    let (one, two) = joined(
        Tier::Offload,
        Way::Batch,
        move || {
            let socket = UdpSocket::bind((ipv4(1), 5_001)).unwrap();
            bound.send(()).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut buffer = [0; 2_000];
            for number in 0..BURSTS * 40 {
                let (len, from) = socket.recv_from(&mut buffer).unwrap();
                assert_eq!(len, DATAGRAM);
                assert_eq!(buffer[..8], (number as u64).to_le_bytes(), "datagram {number}");
                assert!(buffer[8..len].iter().all(|&byte| byte == number as u8));
                if number % 40 == 39 {
                    socket.send_to(b"next", from).unwrap();
                }
            }
        },
        move || {
            use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
            wait_for_bound.recv().unwrap();
            let socket = UdpSocket::bind((ipv4(2), 5_001)).unwrap();
            socket.connect((ipv4(1), 5_001)).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            setsockopt(&socket, UdpGsoSegment, &(DATAGRAM as i32)).unwrap();
            for burst in 0..BURSTS {
                let mut bytes = Vec::new();
                for number in burst * 40..(burst + 1) * 40 {
                    bytes.extend((number as u64).to_le_bytes());
                    bytes.resize(bytes.len() + DATAGRAM - 8, number as u8);
                }
                assert_eq!(socket.send(&bytes).unwrap(), bytes.len());
                socket.recv(&mut [0; 8]).unwrap();
            }
        },
    );
    println!("{two:?}");
    assert!(two.super_packets_received >= BURSTS as u64, "{two:?}");
    assert!(one.super_packets_sent > 0, "{one:?}");
    assert_eq!(two.receive_drops.total() + one.send_drops.total(), 0);
}

/// A TAP in a namespace of its own and a socket that sees every frame on it.
fn tap_and_socket(tier: Tier) -> (Interface, Tap, nix::sys::socket::LinkAddr, std::os::fd::OwnedFd) {
    use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, bind, socket};
    let mut interface = netns::interface("vpn_test", 1, tier);
    let tap = interface.adapter().unwrap();
    let protocol = SockProtocol::EthAll;
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, protocol).unwrap();
    let address = nix::ifaddrs::getifaddrs()
        .unwrap()
        .filter(|a| a.interface_name == "vpn_test")
        .find_map(|a| a.address.and_then(|a| a.as_link_addr().copied()))
        .unwrap();
    bind(std::os::fd::AsRawFd::as_raw_fd(&socket), &address).unwrap();
    (interface, tap, address, socket)
}

fn frame_of(len: usize, ethertype: [u8; 2], number: u32) -> Vec<u8> {
    let mut frame = [vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 7], ethertype.to_vec()].concat();
    frame.extend(number.to_le_bytes());
    frame.resize(len.max(18), number as u8);
    frame.truncate(len);
    frame
}

/// I10, up: every size the kernel can send, tagged or not.
#[test]
fn every_size_and_tag_is_read_or_dropped_with_a_reason() {
    for tier in [Tier::Plain, Tier::Napi, Tier::Offload] {
        netns::within(move || {
            let (_interface, mut tap, _, socket) = tap_and_socket(tier);
            ip("link set vpn_test mtu 9000");
            while tap.next_frame().unwrap().is_some() {}
            let before = *tap.stats();
            let mut oversize = 0;
            let sizes = (14..=1_600).chain([2_000, 4_096, 8_999, 9_014]);
            for (number, len) in sizes.enumerate() {
                for ethertype in [[0x88, 0xb5], [0x81, 0x00]] {
                    let sent = frame_of(len, ethertype, number as u32);
                    rustix::net::send(&socket, &sent, rustix::net::SendFlags::empty()).unwrap();
                    let limit = if ethertype[0] == 0x81 { 1_518 } else { 1_514 };
                    let got = next_test_frame(&mut tap);
                    if len <= limit {
                        assert_eq!(got.as_deref(), Some(&sent[..]), "{len} bytes, {ethertype:02x?}, {tier:?}");
                    } else {
                        assert_eq!(got, None, "{len} bytes, {ethertype:02x?}, {tier:?}");
                        oversize += 1;
                    }
                }
            }
            let drops = tap.stats().receive_drops;
            assert_eq!(drops.count(DropReason::Oversize) - before.receive_drops.count(DropReason::Oversize), oversize);
        });
    }
}

/// The next frame that the test sent, past those of the kernel's own (neighbour discovery and the like).
fn next_test_frame(tap: &mut Tap) -> Option<Vec<u8>> {
    while let Some(frame) = tap.next_frame().unwrap() {
        if frame[..6] == [2, 0, 0, 0, 0, 9] {
            return Some(frame.to_vec());
        }
    }
    None
}

/// I10, down: every size, then a burst of 10^5, arrive in the kernel.
#[test]
fn every_size_and_a_burst_are_written() {
    for tier in [Tier::Plain, Tier::Napi, Tier::Offload] {
        netns::within(move || {
            let (_interface, mut tap, _, socket) = tap_and_socket(tier);
            let mut buffer = vec![0; 4_096];
            for len in 14..=1_600 {
                for ethertype in [[0x88, 0xb5], [0x88, 0xb6]] {
                    let sent = frame_of(len, ethertype, len as u32);
                    tap.put_frame(&sent).unwrap();
                    tap.flush().unwrap();
                    assert_eq!(receive_test_frame(&socket, &mut buffer), Some(&sent[..]), "{len} bytes, {tier:?}");
                }
            }
            let before = *tap.stats();
            for number in 0..100_000 {
                tap.put_frame(&frame_of(60, [0x88, 0xb5], number)).unwrap();
            }
            tap.flush().unwrap();
            let after = *tap.stats();
            let sent = after.frames_sent - before.frames_sent;
            let dropped = after.send_drops.total() - before.send_drops.total();
            assert_eq!(sent + dropped, 100_000, "{tier:?}: every frame is written or counted");
            assert!(sent > 0);
        });
    }
}

/// The next frame with the test's source address that arrived on the card, within 20 s.
fn receive_test_frame<'a>(socket: &impl AsFd, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        match receive(socket, buffer) {
            Some(len) if buffer[6..12] == [2, 0, 0, 0, 0, 7] => return Some(&buffer[..len]),
            Some(_) => {}
            None => std::thread::sleep(Duration::from_micros(200)),
        }
    }
    None
}

fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> Option<usize> {
    rustix::net::recv(socket, buffer, rustix::net::RecvFlags::TRUNC).ok().map(|(_, len)| len)
}

/// I10, down: super-packets with every combination of header bytes, straight to the kernel. What it takes or refuses is
/// its affair; the adapter goes on.
#[test]
fn nonsense_super_packets_leave_the_adapter_working() {
    netns::within(|| {
        let (interface, mut tap, _, socket) = tap_and_socket(Tier::Offload);
        let recipe = Recipe { payload: pattern(4_000), ..Recipe::default() };
        let packet = recipe.super_packet();
        for flags in 0..8 {
            for gso_type in (0..8).flat_map(|kind| [kind, kind | 0x80]) {
                for (gso_size, csum_start, hdr_len) in
                    [(1_000, 34, 66), (0, 34, 66), (1_000, 0, 0), (u16::MAX, u16::MAX, u16::MAX), (1, 34, 66)]
                {
                    let vnet = VnetHdr { flags, gso_type, hdr_len, gso_size, csum_start, csum_offset: 16 };
                    let bytes = [vnet.encode().to_vec(), packet.clone()].concat();
                    let _ = rustix::io::write(interface.fd().unwrap(), &bytes);
                }
            }
        }
        let mut buffer = vec![0; 100_000];
        while receive(&socket, &mut buffer).is_some() {}
        let sent = frame_of(100, [0x88, 0xb5], 1);
        tap.put_frame(&sent).unwrap();
        tap.flush().unwrap();
        assert_eq!(receive_test_frame(&socket, &mut buffer), Some(&sent[..]));
        while tap.next_frame().unwrap().is_some() {}
    });
}

/// Asks for frames as a session does, until `noticed`, and says how long that took.
fn notice(tap: &mut Tap, mut noticed: impl FnMut(&mut Tap) -> bool) -> Duration {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if noticed(tap) {
            return start.elapsed();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not noticed");
}

fn link_after_a_look(tap: &mut Tap) -> (LinkState, String) {
    while tap.next_frame().unwrap().is_some() {}
    let link = tap.device().link();
    (link.state, link.name.clone())
}

/// F4.
#[test]
fn a_deleted_interface_is_noticed_by_every_call() {
    for tier in [Tier::Plain, Tier::Napi, Tier::Offload] {
        netns::within(move || {
            let mut interface = netns::interface("vpn_test", 1, tier);
            let mut tap = interface.adapter().unwrap();
            ip("link delete vpn_test");
            let readiness = tap.readiness().unwrap();
            let mut fds = [rustix::event::PollFd::new(&readiness, rustix::event::PollFlags::IN)];
            assert_eq!(rustix::event::poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 })), Ok(1));
            assert_eq!(tap.next_frame(), Err(Error::Gone));
            tap.put_frame(&frame_of(60, [0x88, 0xb5], 1)).unwrap();
            assert_eq!(tap.flush(), Err(Error::Gone));
            assert_eq!(tap.device_mut().look().state, LinkState::Gone);
            assert!(matches!(interface.status(), Err(InterfaceError::Gone { .. })));
            drop((tap, interface));
            netns::interface("vpn_test", 1, tier);
        });
    }
}

/// F4.
#[test]
fn an_interface_set_down_and_up_is_noticed_and_serves_on() {
    netns::within(|| {
        let mut interface = netns::interface("vpn_test", 1, Tier::Offload);
        let mut tap = interface.adapter().unwrap();
        ip("link set vpn_test down");
        let took = notice(&mut tap, |tap| link_after_a_look(tap).0 == LinkState::Down);
        println!("down noticed after {took:?}");
        tap.put_frame(&frame_of(60, [0x88, 0xb5], 1)).unwrap();
        tap.flush().unwrap();
        assert_eq!(tap.stats().send_drops.count(DropReason::Down), 1);
        interface.set_up(true).unwrap();
        notice(&mut tap, |tap| link_after_a_look(tap).0 == LinkState::Up);
        tap.put_frame(&frame_of(60, [0x88, 0xb5], 1)).unwrap();
        tap.flush().unwrap();
        assert_eq!((tap.stats().frames_sent, tap.stats().send_drops.total()), (1, 1));
    });
}

/// F4.
#[test]
fn a_renamed_interface_is_noticed_and_serves_on() {
    netns::within(|| {
        let mut interface = netns::interface("vpn_test", 1, Tier::Offload);
        let mut tap = interface.adapter().unwrap();
        ip("link set vpn_test name other");
        notice(&mut tap, |tap| link_after_a_look(tap) == (LinkState::Up, "other".to_owned()));
        assert_eq!(interface.status().unwrap().name, "other");
        tap.put_frame(&frame_of(60, [0x88, 0xb5], 1)).unwrap();
        tap.flush().unwrap();
        assert_eq!(tap.stats().frames_sent, 1);
        drop(tap);
        interface.set_tier(Some(Tier::Plain)).unwrap();
        assert_eq!(interface.name(), "other");
        assert!(!ip("link").contains("vpn_test"), "no second interface under the first name");
    });
}

/// F4.
#[test]
fn an_interface_moved_to_another_namespace_is_noticed_and_serves_on() {
    netns::within(|| {
        let mut interface = netns::interface("vpn_test", 1, Tier::Offload);
        let mut tap = interface.adapter().unwrap();
        let mut elsewhere = std::process::Command::new("unshare").args(["-n", "sleep", "60"]).spawn().unwrap();
        let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).unwrap();
        while namespace(&elsewhere.id().to_string()) == namespace("thread-self") {
            std::thread::sleep(Duration::from_millis(10));
        }
        ip(&format!("link set vpn_test netns {}", elsewhere.id()));
        notice(&mut tap, |tap| link_after_a_look(tap).0 == LinkState::Moved);
        assert!(matches!(interface.status(), Err(InterfaceError::Gone { .. })));
        elsewhere.kill().unwrap();
        elsewhere.wait().unwrap();
        // Its namespace takes it along.
        notice(&mut tap, |tap| tap.next_frame() == Err(Error::Gone));
    });
}

#[test]
fn the_interface_outlives_the_adapters_of_reconnects() {
    netns::within(|| {
        let mut interface = netns::interface("vpn_test", 1, Tier::Offload);
        ip("route add 10.99.0.0/16 via 10.77.0.2");
        let index = interface.index();
        for _ in 0..3 {
            let tap = interface.adapter().unwrap();
            assert!(matches!(interface.adapter(), Err(InterfaceError::InUse { .. })));
            assert!(matches!(interface.set_tier(None), Err(InterfaceError::InUse { .. })));
            drop(tap);
        }
        for tier in [Tier::Plain, Tier::Napi, Tier::Offload, Tier::Plain] {
            interface.set_tier(Some(tier)).unwrap();
            assert_eq!((interface.tier(), interface.offloads().tcp), (tier, tier == Tier::Offload));
            assert_eq!(interface.status().unwrap().state, LinkState::Up);
        }
        assert_eq!(interface.index(), index);
        assert!(ip("-4 address show dev vpn_test").contains("10.77.0.1/24"));
        assert!(ip("route show 10.99.0.0/16").contains("10.77.0.2"));
        drop(interface);
        assert!(!ip("link").contains("vpn_test"), "removed at the end");
    });
}

#[test]
fn a_persistent_interface_stays_until_it_is_deleted() {
    netns::within(|| {
        let config = InterfaceConfig { persistent: true, ..InterfaceConfig::new("vpn_test") };
        let index = Interface::open(config.clone()).unwrap().index();
        assert!(ip("link").contains("vpn_test"));
        // The offloads of the last program are still set on it: a plain adapter clears them.
        let plain = InterfaceConfig { tier: Some(Tier::Plain), ..config };
        let interface = Interface::open(plain).unwrap();
        assert_eq!(interface.index(), index);
        interface.delete().unwrap();
        assert!(!ip("link").contains("vpn_test"));
    });
}

#[test]
fn the_interface_is_what_was_asked_for() {
    netns::within(|| {
        let config = InterfaceConfig {
            mac: Some([2, 1, 2, 3, 4, 5]),
            mtu: 1_400,
            up: false,
            addresses: vec![(ipv4(7), 24), (ipv6(7), 64), (ipv4(7), 24)],
            ..InterfaceConfig::new("vpn_test")
        };
        let mut interface = Interface::open(config).unwrap();
        assert_eq!(interface.tier(), Tier::Offload, "the best there is");
        assert_eq!(interface.mac().unwrap(), [2, 1, 2, 3, 4, 5]);
        assert_eq!(interface.mtu().unwrap(), 1_400);
        assert_eq!(interface.status().unwrap().state, LinkState::Down);
        let shown = ip("address show dev vpn_test");
        for expected in ["mtu 1400", "02:01:02:03:04:05", "10.77.0.7/24 brd 10.77.0.255", "fd77::7/64"] {
            assert!(shown.contains(expected), "{expected}: {shown}");
        }
        let by_seed = Interface::open(InterfaceConfig::new("vpn_other")).unwrap().mac().unwrap();
        assert_eq!(by_seed, mac_from_seed("vpn_other"));
    });
}

/// F5.
#[test]
fn what_cannot_be_made_says_why_and_what_to_do() {
    netns::within(|| {
        let open = |change: fn(&mut InterfaceConfig)| {
            let mut config = InterfaceConfig::new("vpn_test");
            change(&mut config);
            Interface::open(config).map(drop)
        };
        let says = |result: Result<(), InterfaceError>, action: &str| {
            let message = result.as_ref().unwrap_err().to_string();
            assert!(message.contains(action), "{message}");
            result.unwrap_err()
        };
        use InterfaceError::*;
        let error = says(open(|c| c.name = "a".repeat(16)), "shorter");
        assert!(matches!(error, NameTooLong { .. }));
        for name in ["", ".", "..", "a/b", "a b", "a:b", "a%d", "ä", "a\0b"] {
            let config = InterfaceConfig::new(name);
            assert!(matches!(Interface::open(config), Err(NameInvalid { .. })), "{name:?}");
        }
        let error = says(open(|c| c.driver = "/dev/net/none".to_owned()), "modprobe tun");
        assert!(matches!(error, DriverMissing { .. }));
        assert!(matches!(open(|c| c.driver = "/dev/null".to_owned()), Err(DriverMissing { .. })));
        assert!(matches!(says(open(|c| c.mtu = 1_501), "1500"), MtuOutOfRange { mtu: 1_501 }));
        assert!(matches!(open(|c| c.mtu = 67), Err(MtuOutOfRange { .. })));
        assert!(matches!(says(open(|c| c.mac = Some([1; 6])), "even"), MacInvalid { .. }));
        assert!(matches!(says(open(|c| c.name = "lo".to_owned()), "taken"), NameTaken { .. }));
        let _held = netns::interface("vpn_test", 1, Tier::Plain);
        assert!(matches!(says(open(|_| {}), "ip link delete vpn_test"), NameTaken { .. }));
    });
}

/// F5.
#[test]
fn without_the_right_to_it_the_error_says_so() {
    netns::within(|| {
        let nobody = rustix::process::Uid::from_raw(65_534);
        // Of this thread only, which opens one interface and ends.
        rustix::thread::set_thread_uid(nobody).unwrap();
        let error = Interface::open(InterfaceConfig::new("vpn_test")).unwrap_err();
        assert!(matches!(error, InterfaceError::NotPermitted { .. }), "{error}");
        assert!(error.to_string().contains("cap_net_admin"), "{error}");
    });
}

#[test]
fn names_and_addresses_are_the_cs() {
    assert_eq!(interface_name(" VPN ").unwrap(), "vpn_vpn");
    assert_eq!(interface_name("elevenchars").unwrap(), "vpn_elevenchars");
    assert!(matches!(interface_name("twelve_chars"), Err(InterfaceError::NameTooLong { .. })));
    assert!(matches!(interface_name("a b"), Err(InterfaceError::NameInvalid { .. })));
    let mac = mac_from_seed("a server and a user");
    assert_eq!(mac, mac_from_seed("a server and a user"));
    assert_ne!(mac, mac_from_seed("a server and another user"));
    assert_eq!(mac[0] & 3, 2, "locally administered, one card");
}

/// F5: EINTR everywhere ends nothing.
#[test]
fn signals_end_nothing() {
    use nix::sys::pthread::{pthread_kill, pthread_self};
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    use std::sync::atomic::{AtomicBool, Ordering};
    extern "C" fn ignore(_: i32) {}
    // Without SA_RESTART: calls that wait are interrupted.
    let action = SigAction::new(SigHandler::Handler(ignore), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action).unwrap() };
    netns::within(|| {
        let (target, done) = (pthread_self(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    pthread_kill(target, Signal::SIGUSR1).unwrap();
                    std::thread::sleep(Duration::from_micros(20));
                }
            });
            for round in 0..20 {
                let mut interface = netns::interface(&format!("vpn_{round}"), 1, Tier::Offload);
                let mut tap = interface.adapter().unwrap();
                for number in 0..2_000 {
                    tap.put_frame(&frame_of(60, [0x88, 0xb5], number)).unwrap();
                    tap.flush().unwrap();
                    while tap.next_frame().unwrap().is_some() {}
                }
                assert_eq!(tap.stats().frames_sent, 2_000);
                interface.set_tier(Some(Tier::Plain)).unwrap_err();
                drop(tap);
                interface.set_tier(Some(Tier::Plain)).unwrap();
            }
            done.store(true, Ordering::Release);
        });
    });
}

/// A TAP whose kernel is out of memory at every 50th write.
struct ShortOfMemory {
    tap: TapDevice,
    writes: u64,
}

impl Device for ShortOfMemory {
    fn offloads(&self) -> Offloads {
        self.tap.offloads()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        self.tap.read(buffer)
    }

    fn write(&mut self, parts: &[IoSlice<'_>]) -> Result<(), WriteError> {
        self.writes += 1;
        if self.writes.is_multiple_of(50) { Err(WriteError::NoMemory) } else { self.tap.write(parts) }
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.tap.readiness()
    }
}

/// F5: a kernel without memory for a packet costs that packet, which is counted, and TCP sends it again.
#[test]
fn a_kernel_out_of_memory_costs_frames_that_are_counted() {
    let total = TRANSFER_BYTES / 8;
    let (one, two) = joined_by(
        Tier::Offload,
        Way::Batch,
        |tap| ShortOfMemory { tap, writes: 0 },
        move || serve_tcp(ipv4(1), total),
        move || call_tcp(ipv4(1), total),
    );
    let drops = [one.stats().send_drops, two.stats().send_drops];
    assert!(drops.iter().any(|drops| drops.count(DropReason::NoMemory) > 0), "{drops:?}");
    for drops in drops {
        assert_eq!(drops.total(), drops.count(DropReason::NoMemory), "{drops:?}");
    }
}

/// F5: a jump of the wall clock cannot be met, because nothing in the adapter reads that clock.
#[test]
fn no_clock_that_jumps_is_read() {
    fn look(folder: &std::path::Path, files: &mut u32) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path, files);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for clock in ["SystemTime", "ClockId::Realtime", "CLOCK_REALTIME"] {
                assert!(!source.contains(clock), "{} reads {clock}", path.display());
            }
            *files += 1;
        }
    }
    let mut files = 0;
    look(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapter"), &mut files);
    assert!(files > 10, "only {files} files were looked at");
}
