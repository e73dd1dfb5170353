//! UDP acceleration of Rust against the C's own functions, in one process: each seals for the other, byte by byte the same;
//! both judge the same damaged, stale and foreign datagrams and go through the same states. Over real sockets on loopback.
//!
//! One test runs at a time, since the C draws its padding from the one `rand()` of the process.

#[path = "differential/support.rs"]
#[allow(dead_code, unused_macros, reason = "the differential tests use the rest")]
mod support;

use cedar::udp_accel::wire::{CIPHER_KEY_SIZE_V2, KEEP_ALIVE_SIZE_MAX, UDP_NAT_T_PORT};
use cedar::udp_accel::{Received, UdpAccel};
use rand::rngs::StdRng;
use rand::{Rng, RngCore};
use softether_sys::*;
use std::ffi::{c_int, c_uint};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use swaps::udp_accel;

unsafe extern "C" {
    safe fn srand(seed: c_uint);
    safe fn rand() -> c_int;
}

const COOKIES: (u32, u32) = (0x1234_5678, 0x9abc_def0);
/// Ticks begin here, far from 0 and from the window's edge.
const NOW: u64 = 1_000_000;
const PROTECTIONS: [&str; 3] = ["plain", "version 1", "version 2"];

/// An UDP_ACCEL of the C's with its socket, and the socket and key of its peer, which the test plays.
struct Side {
    a: *mut UDP_ACCEL,
    cedar: *mut CEDAR,
    peer: UdpSocket,
    /// What the peer seals with: the server's key.
    key: [u8; 128],
}

fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    support::start();
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ip(address: Ipv4Addr) -> IP {
    udp_accel::ip(address.into())
}

impl Side {
    fn new(protection: &str, random: &mut StdRng) -> Self {
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        peer.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let mut key = [0; 128];
        random.fill_bytes(&mut key);
        let (mut host, port) = (ip(Ipv4Addr::LOCALHOST), peer.local_addr().expect("an address").port());
        // SAFETY: as ClientConnect makes and starts it, without the thread that looks for a NAT-T server.
        unsafe {
            let cedar = NewCedar(std::ptr::null_mut(), std::ptr::null_mut());
            let a = NewUdpAccel(cedar, &raw mut host, 1, 1, 1);
            assert!(!a.is_null(), "the C makes its socket");
            // As waiting for it would.
            UnixInitAsyncSocket((*a).UdpSock);
            (*a).Version = if protection == "version 2" { 2 } else { 1 };
            (*a).PlainTextMode = (protection == "plain").into();
            let (server_cookie, client_cookie) = COOKIES;
            let ip_2 = &mut ip(Ipv4Addr::new(127, 0, 0, 2));
            let host = &raw mut host;
            let inited = UdpAccelInitClient(a, key.as_mut_ptr(), host, port.into(), server_cookie, client_cookie, ip_2);
            assert_ne!(inited, 0);
            UdpAccelSetTick(a, NOW);
            Self { a, cedar, peer, key }
        }
    }

    #[allow(clippy::mut_from_ref, reason = "the object is behind a pointer, as for the C")]
    fn c(&self) -> &mut UDP_ACCEL {
        // SAFETY: ours alone, alive until drop; no two borrows meet within a statement.
        unsafe { &mut *self.a }
    }

    /// Rust in the C's place: same keys, same state.
    fn rust(&self) -> UdpAccel {
        let key = self.key.first_chunk().expect("32 bytes");
        // SAFETY: the object is this thread's.
        unsafe { udp_accel::udp_accel(self.c(), Some(key)) }.expect("what the C has agreed on")
    }

    /// Rust as the peer of the C: keys and cookies the other way round.
    fn rust_peer(&self) -> UdpAccel {
        let (a, mut other) = (self.c(), *self.c());
        let key: &[u8; CIPHER_KEY_SIZE_V2] = a.MyKey_V2.first_chunk().expect("32 bytes");
        other.MyKey_V2.copy_from_slice(&self.key);
        (other.MyKey, other.YourKey) = (a.YourKey, a.MyKey);
        (other.MyCookie, other.YourCookie) = (a.YourCookie, a.MyCookie);
        (other.NextIv, other.NextIv_V2) = ([7; 20], [7; 12]);
        // SAFETY: a copy that only this thread has; the lock is the original's.
        unsafe { udp_accel::udp_accel(&other, Some(key)) }.expect("the same, turned round")
    }

    /// What the C sends for a frame.
    fn c_seals(&self, frame: &[u8], is_compressed: bool, size_max: u32) -> Vec<u8> {
        let mut copy = frame.to_vec();
        let size = copy.len() as u32;
        // SAFETY: the frame has these bytes.
        unsafe { UdpAccelSend(self.a, copy.as_mut_ptr(), size, is_compressed.into(), size_max, 0) };
        self.arrived()
    }

    fn arrived(&self) -> Vec<u8> {
        let mut datagram = vec![0; 4096];
        let size = self.peer.recv(&mut datagram).expect("the C has sent it");
        datagram.truncate(size);
        datagram
    }

    /// What the C makes of a datagram: the frame as it came, and whether it is compressed. A keep-alive and nonsense are
    /// both `None`. In its raw mode, since otherwise it expands the frame at once.
    fn c_opens(&self, datagram: &[u8], source: SocketAddr) -> Option<(Vec<u8>, bool)> {
        // Behind the datagram is the C's own memory, as in its 2048 bytes.
        let mut buffer = [datagram, &[0; 64]].concat();
        let (mut src_ip, size) = (udp_accel::ip(source.ip()), datagram.len() as u32);
        // SAFETY: the buffer has more than these bytes; the block is ours to free.
        unsafe {
            (*self.a).ReadRawFlagMode = 1;
            let b = UdpAccelProcessRecvPacket(self.a, buffer.as_mut_ptr(), size, &raw mut src_ip, source.port().into());
            (*self.a).ReadRawFlagMode = 0;
            let b = b.as_mut()?;
            let frame = std::slice::from_raw_parts(b.Buf, b.Size as usize).to_vec();
            let is_compressed = b.RawFlagRetUdpAccel != 0;
            FreeBlock(b);
            Some((frame, is_compressed))
        }
    }

    /// The C's state, in Rust's words.
    fn c_state(&self) -> cedar::udp_accel::State {
        // SAFETY: the object is this thread's.
        unsafe { udp_accel::state(self.c()) }.expect("nothing beyond Rust")
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // SAFETY: made by new, used no more.
        unsafe {
            FreeUdpAccel(self.a);
            ReleaseCedar(self.cedar);
        }
    }
}

/// Seals in a new buffer.
fn rust_seals(udp: &mut UdpAccel, frame: &[u8], is_compressed: bool, padding: usize) -> Vec<u8> {
    let mut buffer = vec![0xee; udp.datagram_size(frame.len(), padding) + 5];
    buffer[udp.headroom()..][..frame.len()].copy_from_slice(frame);
    let size = udp.seal(&mut buffer, frame.len(), is_compressed, padding).expect("a frame that fits");
    assert!(buffer[size..].iter().all(|byte| *byte == 0xee), "it wrote behind the datagram");
    buffer.truncate(size);
    buffer
}

fn source() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, 9), 4000))
}

/// Every size in turn, the edges first.
fn sizes() -> impl Iterator<Item = usize> {
    [0, 1, 1600, 1599, 60, 1514].into_iter().chain(0..=1600)
}

#[test]
fn both_seal_the_same_bytes_and_rust_opens_what_c_seals() {
    let _turn = one_at_a_time();
    let mut random = support::random();
    for protection in PROTECTIONS {
        let side = Side::new(protection, &mut random);
        side.c().LastRecvYourTick = 77;
        let (mut rust, mut peer) = (side.rust(), side.rust_peer());
        for (step, size) in sizes().enumerate() {
            let frame = support::bytes(&mut random, size);
            let is_compressed = step % 3 == 0;
            let size_max = if size == 0 { KEEP_ALIVE_SIZE_MAX as u32 } else { side.c().MaxUdpPacketSize };
            srand(step as c_uint);
            let mut sealed = side.c_seals(&frame, is_compressed, size_max);
            srand(step as c_uint);
            let padding = rust.padding(size, rand().cast_unsigned());
            assert_eq!(rust_seals(&mut rust, &frame, is_compressed, padding), sealed, "{protection}, {size} bytes");
            udp_accel::store(side.c(), &rust);
            let fits = sealed.len() <= 1426;
            assert_eq!(rust.carries(size), fits || rust.datagram_size(size, 0) <= 1426, "{protection}, {size} bytes");

            peer.state.now = NOW;
            let received = peer.open(&mut sealed, source()).unwrap_or_else(|e| panic!("{protection}, {size}: {e}"));
            assert_eq!(received, Received { frame: &frame, is_compressed }, "{protection}, {size} bytes");
            assert_eq!((peer.state.last_recv_your_tick, peer.state.last_recv_my_tick), (NOW, 77));
        }
    }
}

#[test]
fn c_opens_what_rust_seals() {
    let _turn = one_at_a_time();
    let mut random = support::random();
    for protection in PROTECTIONS {
        let side = Side::new(protection, &mut random);
        let mut peer = side.rust_peer();
        for (step, size) in sizes().enumerate().skip(1) {
            let frame = support::bytes(&mut random, size);
            let padding = if protection == "plain" { 0 } else { step % 32 };
            let is_compressed = step % 2 == 0;
            peer.state.now = step as u64;
            let sealed = rust_seals(&mut peer, &frame, is_compressed, padding);
            let opened = side.c_opens(&sealed, source());
            let expected = (size != 0).then_some((frame, is_compressed));
            assert_eq!(opened, expected, "{protection}, {size} bytes, {padding} of padding");
            assert_eq!(side.c().LastRecvYourTick, step as u64, "a keep-alive counts, too");
        }
    }
}

/// Shows one datagram to both; they must agree on it, and on the state that they are in then.
fn show(side: &Side, rust: &mut UdpAccel, datagram: &[u8], source: SocketAddr, what: &str) -> bool {
    let mut copy = datagram.to_vec();
    let c = side.c_opens(datagram, source);
    let opened = rust.open(&mut copy, source);
    let frame = opened.ok().filter(|received| !received.frame.is_empty());
    assert_eq!(frame.map(|r| (r.frame.to_vec(), r.is_compressed)), c, "{what}: Rust left, C right; {opened:?}");
    assert_eq!(rust.state, side.c_state(), "{what}: Rust left, C right");
    opened.is_ok()
}

#[test]
fn both_judge_damaged_cut_lengthened_and_foreign_datagrams_alike() {
    let _turn = one_at_a_time();
    let mut random = support::random();
    for protection in PROTECTIONS {
        let side = Side::new(protection, &mut random);
        let (mut rust, mut peer) = (side.rust(), side.rust_peer());
        peer.state.now = 1000;
        let frame = support::bytes(&mut random, 40);
        let whole = rust_seals(&mut peer, &frame, false, if protection == "plain" { 0 } else { 5 });
        let mut accepted = 0;
        for size in 0..whole.len() {
            accepted +=
                u32::from(show(&side, &mut rust, &whole[..size], source(), &format!("{protection}, cut at {size}")));
        }
        for more in [1, 2, 20, 500] {
            let longer = [&whole[..], &vec![0; more]].concat();
            accepted += u32::from(show(&side, &mut rust, &longer, source(), &format!("{protection}, {more} more")));
        }
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            accepted += u32::from(show(&side, &mut rust, &damaged, source(), &format!("{protection}, bit {bit}")));
        }
        if protection == "version 2" {
            assert_eq!(accepted, 0, "what is not authentic was taken");
        }
        // Where a changed clock passes for a true one, the whole one is old by now.
        assert_eq!(show(&side, &mut rust, &whole, source(), "whole"), protection == "version 2", "{protection}");
        for other in PROTECTIONS.iter().filter(|other| **other != protection) {
            let mut stranger = Side::new(other, &mut random).rust_peer();
            let datagram = rust_seals(&mut stranger, &frame, false, 0);
            assert!(!show(&side, &mut rust, &datagram, source(), &format!("{protection} gets {other}")));
        }
        for _ in 0..2000 {
            let size = random.random_range(0..200);
            let noise = support::bytes(&mut random, size);
            assert!(!show(&side, &mut rust, &noise, source(), &format!("{protection}, noise")));
        }
    }
}

#[test]
fn both_go_through_the_same_states_under_replay_reordering_and_pauses() {
    let _turn = one_at_a_time();
    let mut random = support::random();
    for protection in PROTECTIONS {
        let side = Side::new(protection, &mut random);
        side.c().FastDetect = (protection == "version 1").into();
        let (mut rust, mut peer) = (side.rust(), side.rust_peer());
        let mut sent: Vec<Vec<u8>> = Vec::new();
        let (mut now, mut taken, mut refused, mut ready) = (NOW, 0, 0, 0);
        for step in 0..20_000 {
            now += [0, 1, 10, 300, 300, 300, 3000, 40_000]
                [if random.random_ratio(1, 300) { 7 } else { random.random_range(0..6) }];
            // SAFETY: the object is ours.
            unsafe { UdpAccelSetTick(side.a, now) };
            rust.state.now = now;
            // The peer's clock is another; it has heard something of ours, or something long ago, or nothing.
            peer.state.now = now / 2;
            peer.state.last_recv_your_tick =
                [0, now, now.saturating_sub(29_999), now - 30_001][random.random_range(0..4)];
            let size = random.random_range(0..100);
            sent.push(rust_seals(&mut peer, &support::bytes(&mut random, size), step % 2 == 0, 0));
            let at = if random.random_ratio(1, 3) { random.random_range(0..sent.len()) } else { sent.len() - 1 };
            let port = random.random_range(1..4);
            let good = show(&side, &mut rust, &sent[at], SocketAddr::from(([127, 0, 0, 3], port)), protection);
            (taken, refused) = (taken + u32::from(good), refused + u32::from(!good));
            // SAFETY: the object is ours.
            let (c, near) = unsafe { (UdpAccelIsSendReady(side.a, 1) != 0, UdpAccelIsSendReady(side.a, 0) != 0) };
            assert_eq!((rust.state.is_send_ready(), rust.state.is_addressed()), (c, near), "step {step}");
            assert_eq!(rust.state, side.c_state(), "step {step}");
            ready += u32::from(c);
        }
        assert!(taken > 1000 && refused > 1000 && ready > 100, "{protection}: {taken} {refused} {ready}");
    }
}

#[test]
fn keep_alives_go_where_and_when_the_c_sends_them() {
    let _turn = one_at_a_time();
    let mut random = support::random();
    let side = Side::new("version 2", &mut random);
    side.peer.set_nonblocking(true).unwrap();
    let port = side.peer.local_addr().unwrap().port();
    // The peer's port behind a NAT, its second address, both, and the NAT-T server.
    let bind = |host: [u8; 4], port: u16| {
        let socket = UdpSocket::bind((Ipv4Addr::from(host), port)).expect("a socket");
        socket.set_nonblocking(true).unwrap();
        socket
    };
    let natted = bind([127, 0, 0, 1], 0);
    let natted_port = natted.local_addr().unwrap().port();
    let nat_t = bind([127, 0, 0, 3], UDP_NAT_T_PORT);
    let sockets = [&side.peer, &natted, &bind([127, 0, 0, 2], port), &bind([127, 0, 0, 2], natted_port)];
    side.c().NatT_IP = ip(Ipv4Addr::new(127, 0, 0, 3));
    side.c().NoNatT = 0;
    let mut rust = side.rust();
    let (mut now, mut keep_alives, mut requests) = (NOW, 0, 0);
    for step in 0..4000_u32 {
        now += u64::from(random.random_range(0..900_u32));
        if random.random_ratio(1, 100) {
            now += 700_000;
        }
        // What the peer and the NAT-T server may have said meanwhile, the same to both.
        match random.random_range(0..40) {
            0 => (side.c().YourPortByNatTServer, side.c().YourPortByNatTServerChanged) = (natted_port.into(), 1),
            1 => side.c().YourPortByNatTServer = 0,
            2..12 => side.c().LastRecvTick = now,
            12 => side.c().FirstStableReceiveTick = now - 20_000,
            13 => {
                let answer = format!("IP=127.0.0.9,PORT={}#", random.random_range(1..4));
                nat_t.send_to(answer.as_bytes(), (Ipv4Addr::LOCALHOST, side.c().MyPort as u16)).unwrap();
                rust.state = side.c_state();
                rust.state.now = now;
                rust.state.take_nat_t_answer(answer.as_bytes());
                let (my_port, changed) = (rust.state.nat_t.my_port, rust.state.nat_t.my_port_changed);
                // SAFETY: the object is ours.
                unsafe { UdpAccelSetTick(side.a, now) };
                side.c().NextSendKeepAlive = u64::MAX;
                side.c().NextPerformNatTTick = u64::MAX;
                // SAFETY: the object is ours.
                unsafe { UdpAccelPoll(side.a) };
                let c = side.c_state().nat_t;
                assert_eq!((c.my_port, c.my_port_changed), (my_port, changed), "step {step}");
                (side.c().NextSendKeepAlive, side.c().NextPerformNatTTick) = (0, 0);
            }
            14 => side.c().MyPortByNatTServer = 0,
            _ => (),
        }
        rust.state = side.c_state();
        rust.state.now = now;
        srand(step);
        let due = rust.state.poll(|| rand().cast_unsigned());
        let targets = rust.state.keep_alive_targets();
        srand(step);
        // SAFETY: the object is ours.
        unsafe {
            UdpAccelSetTick(side.a, now);
            UdpAccelPoll(side.a);
        }
        let mut c = side.c_state();
        // The only number that the C takes from another source than rand().
        if rust.state.nat_t.my_port != 0 && due.nat_t_request.is_some() {
            let span = c.nat_t.next_perform_tick - now;
            assert!((300_000..600_000).contains(&span), "step {step}: {span}");
            c.nat_t.next_perform_tick = rust.state.nat_t.next_perform_tick;
        }
        assert_eq!(rust.state, c, "step {step}: Rust left, C right");
        let mut buffer = [0; 2048];
        let mut came = Vec::new();
        for socket in sockets {
            while socket.recv(&mut buffer).is_ok() {
                came.push(socket.local_addr().unwrap());
            }
        }
        assert_eq!(
            came,
            if due.keep_alive { &targets[..] } else { &[] },
            "step {step}: where the C's came, Rust's targets"
        );
        let asked = nat_t.recv(&mut buffer).ok();
        assert_eq!(asked.map(|size| &buffer[..size]), due.nat_t_request.map(|_| &b"B"[..]), "step {step}");
        (keep_alives, requests) = (keep_alives + u32::from(due.keep_alive), requests + u32::from(asked.is_some()));
    }
    assert!(keep_alives > 500 && requests > 20, "{keep_alives} keep-alives, {requests} requests");
}

#[test]
fn the_mss_and_the_longest_datagram_are_the_cs() {
    use cedar::udp_accel::wire::{calc_mss, max_udp_packet_size};
    let _turn = one_at_a_time();
    let side = Side::new("version 1", &mut support::random());
    for ipv6 in [false, true] {
        for plain in [false, true] {
            (side.c().IsIPv6, side.c().PlainTextMode) = (ipv6.into(), plain.into());
            // SAFETY: the object is ours.
            let mss = unsafe { UdpAccelCalcMss(side.a) };
            assert_eq!(calc_mss(ipv6, plain), mss as usize);
        }
    }
    side.c().IsIPv6 = 0;
    assert_eq!(max_udp_packet_size(false), side.c().MaxUdpPacketSize as usize);
}

#[test]
fn what_rust_does_not_know_stays_with_c() {
    let _turn = one_at_a_time();
    let side = Side::new("version 2", &mut support::random());
    // SAFETY: the object is this thread's.
    let make = |key| unsafe { udp_accel::udp_accel(side.c(), key) };
    assert!(make(Some(&[1; 32])).is_some());
    assert!(make(None).is_none(), "without the server's key");
    for change in [
        |a: &mut UDP_ACCEL| a.YourPort = 65_536,
        |a: &mut UDP_ACCEL| (a.YourPort, a.UseUdpIpQuery) = (1, 1),
        |a: &mut UDP_ACCEL| (a.UseUdpIpQuery, a.Inited) = (0, 0),
        |a: &mut UDP_ACCEL| (a.Inited, a.YourIp.addr, a.YourIp.ipv6_scope_id) = (1, [192, 0, 2, 254], 3),
    ] {
        change(side.c());
        assert!(make(Some(&[1; 32])).is_none());
    }
}
