//! UDP acceleration, C beside Rust, in one process: `udp_accel/WHAT/PROTECTION/{c,rust}`. One iteration is one frame of 1363
//! bytes, the longest that TCP sends through such a tunnel; a batch of 40 is what one super-packet becomes.
//!
//! - `open`: a datagram becomes a frame. C: `UdpAccelProcessRecvPacket` and freeing its block.
//! - `seal`: a frame becomes a datagram in place (Rust only: the C has no such function without a system call).
//! - `send`: the same and sending it on loopback, by 40. C: `UdpAccelSend`, a system call each. Rust: `Outbox`.
//!
//! It is built by the `swaps` crate, which holds the C.

use cedar::datagram::Outbox;
use cedar::udp_accel::{NatT, Protection, State, UdpAccel};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use softether_sys::*;
use std::ffi::CString;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
// What the C calls is defined there.
use swaps as _;

/// Bytes of the frame.
const FRAME: usize = 1363;
/// Frames of a batch.
const BATCH: usize = 40;
const PROTECTIONS: [&str; 3] = ["plain", "version 1", "version 2"];
const KEYS: ([u8; 128], [u8; 128]) = ([1; 128], [2; 128]);

fn start() {
    let program = std::env::current_exe().expect("the benchmark's own path");
    let name = CString::new(program.to_str().expect("a path in UTF-8")).expect("a path without NUL");
    let mut arguments = [name.into_raw()];
    // SAFETY: called once, before any other function of Mayaqua; the argument lives as long as the process.
    unsafe {
        MayaquaMinimalMode();
        InitMayaqua(0, 0, 1, arguments.as_mut_ptr());
    }
}

fn rust(protection: &str, (mine, yours): (u8, u8)) -> UdpAccel {
    let state = State::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), None, true, NatT::default());
    let protection = match protection {
        "plain" => Protection::Plain,
        "version 1" => Protection::V1 { my_key: &[mine; 20], your_key: &[yours; 20], next_iv: [3; 20] },
        _ => Protection::V2 { my_key: &[mine; 32], your_key: &[yours; 32], next_iv: [3; 12] },
    };
    UdpAccel::new(protection, 7, 7, 1426, state).expect("keys of the right length")
}

/// An UDP_ACCEL that sends to `peer`. It lives as long as the process.
fn c(protection: &str, peer: &UdpSocket) -> *mut UDP_ACCEL {
    let mut ip = IP { addr: [127, 0, 0, 1], ipv6_addr: [0; 16], ipv6_scope_id: 0 };
    let (mut key, port) = (KEYS.1, peer.local_addr().expect("an address").port());
    // SAFETY: as ClientConnect makes and starts it, without the thread that looks for a NAT-T server.
    unsafe {
        let cedar = NewCedar(std::ptr::null_mut(), std::ptr::null_mut());
        let a = NewUdpAccel(cedar, &raw mut ip, 1, 1, 1);
        (*a).Version = if protection == "version 2" { 2 } else { 1 };
        (*a).PlainTextMode = (protection == "plain").into();
        ((*a).MyKey, (*a).MyKey_V2) = ([1; 20], KEYS.0);
        UnixInitAsyncSocket((*a).UdpSock);
        let ip = &raw mut ip;
        assert_ne!(UdpAccelInitClient(a, key.as_mut_ptr(), ip, port.into(), 7, 7, ip), 0);
        UdpAccelSetTick(a, 1000);
        a
    }
}

fn datagram(peer: &mut UdpAccel) -> Vec<u8> {
    let mut buffer = vec![0x5a; 2048];
    peer.state.now = 1000;
    let size = peer.seal(&mut buffer, FRAME, false, 0).expect("a frame that fits");
    buffer.truncate(size);
    buffer
}

fn open(criterion: &mut Criterion) {
    start();
    let source = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    for protection in PROTECTIONS {
        let mut group = criterion.benchmark_group(format!("udp_accel/open/{protection}"));
        let sealed = datagram(&mut rust(protection, (2, 1)));
        let mut own = rust(protection, (1, 2));
        group.bench_function("rust", |bencher| {
            let open = |mut datagram: Vec<u8>| {
                own.open(&mut datagram, source).expect("a good datagram");
                datagram
            };
            bencher.iter_batched(|| sealed.clone(), open, BatchSize::SmallInput);
        });
        let a = c(protection, &UdpSocket::bind("127.0.0.1:0").expect("a socket"));
        let mut ip = IP { addr: [127, 0, 0, 1], ipv6_addr: [0; 16], ipv6_scope_id: 0 };
        group.bench_function("c", |bencher| {
            let open = |mut datagram: Vec<u8>| {
                let size = datagram.len() as u32;
                // SAFETY: the datagram has these bytes; the block is ours to free.
                unsafe {
                    let block = UdpAccelProcessRecvPacket(a, datagram.as_mut_ptr(), size, &raw mut ip, 9);
                    assert!(!block.is_null());
                    FreeBlock(block);
                }
                datagram
            };
            bencher.iter_batched(|| sealed.clone(), open, BatchSize::SmallInput);
        });
        group.finish();
    }
}

fn seal(criterion: &mut Criterion) {
    for protection in PROTECTIONS {
        let mut own = rust(protection, (1, 2));
        let mut buffer = vec![0x5a; 2048];
        criterion.bench_function(&format!("udp_accel/seal/{protection}/rust"), |bencher| {
            bencher.iter(|| own.seal(&mut buffer, FRAME, false, 3).expect("a frame that fits"));
        });
    }
}

fn send(criterion: &mut Criterion) {
    for protection in PROTECTIONS {
        let mut group = criterion.benchmark_group(format!("udp_accel/send/{protection}"));
        group.throughput(Throughput::Elements(BATCH as u64));
        // Nobody reads: when its buffer is full the kernel drops, at the same place for both.
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let (to, frame) = (peer.local_addr().expect("an address"), vec![0x5a; FRAME]);
        let (mut own, mut outbox) = (rust(protection, (1, 2)), Outbox::new());
        group.bench_function("rust", |bencher| {
            bencher.iter(|| {
                for _ in 0..BATCH {
                    let room = outbox.room(own.datagram_size(FRAME, 3)).expect("room for a batch");
                    let at = if protection == "plain" { 0 } else { 3 };
                    room[own.headroom()..][..FRAME].copy_from_slice(&frame);
                    let size = own.seal(room, FRAME, false, at).expect("a frame that fits");
                    outbox.commit(size);
                }
                outbox.send(socket.as_fd(), to)
            });
        });
        let a = c(protection, &peer);
        let mut frame = frame.clone();
        group.bench_function("c", |bencher| {
            bencher.iter(|| {
                for _ in 0..BATCH {
                    // SAFETY: the frame has these bytes.
                    unsafe { UdpAccelSend(a, frame.as_mut_ptr(), FRAME as u32, 0, 1426, 0) };
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, open, seal, send);
criterion_main!(benches);
