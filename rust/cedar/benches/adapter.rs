//! What a frame costs in the adapter: reading, splitting, merging and writing, on a real TAP in a namespace of its own
//! (needs root; without it those rows are left out), and how to pass frames between threads.
//!
//!     cargo bench -p cedar --bench adapter
//!
//! Each row says in "thrpt" how many frames a second, so ns per frame is its inverse. System calls per frame are printed
//! at the end of the TAP rows.

#[path = "../tests/adapter_common/mod.rs"]
mod adapter_common;

use std::collections::VecDeque;
use std::hint::black_box;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use adapter_common::netns::{self, ipv4};
use adapter_common::{ALL_OFFLOADS, Recipe, batch, pattern, split};
use cedar::adapter::batch::BatchPool;
use cedar::adapter::coalesce::Coalescer;
use cedar::adapter::linux::{Interface, Tap, Tier};
use cedar::adapter::segment::Segments;
use cedar::adapter::vnet_hdr::VnetHdr;
use cedar::adapter::{Adapter, FrameBatch};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_queue::ArrayQueue;

/// Frame sizes; the last stands for a super-packet of frames of 1514 bytes.
const SIZES: [usize; 3] = [64, 512, 1_514];
const BATCH: usize = 128;

/// A TCP super-packet as large as can be, of frames of `frame_len` bytes.
fn super_packet(frame_len: usize, frames_max: usize) -> Recipe {
    let mut recipe = Recipe { segment_len: frame_len, ..Recipe::default() };
    recipe.segment_len = frame_len.saturating_sub(recipe.headers_len()).max(1);
    let whole = recipe.payload_max() / recipe.segment_len;
    recipe.payload = pattern(recipe.segment_len * whole.min(frames_max));
    recipe
}

fn name(frame_len: usize) -> String {
    format!("64KiB of {frame_len}")
}

fn segment(c: &mut Criterion) {
    let mut group = c.benchmark_group("adapter/segment");
    for len in SIZES {
        let recipe = super_packet(len.max(128), usize::MAX);
        let (vnet, mut packet) = (recipe.vnet(), recipe.super_packet());
        let headers = packet[..recipe.headers_len()].to_vec();
        let count = recipe.payload.len().div_ceil(recipe.segment_len) as u64;
        let mut segments = Segments::default();
        group.throughput(Throughput::Elements(count));
        group.bench_function(name(len.max(128)), |b| {
            b.iter(|| {
                packet[..headers.len()].copy_from_slice(&headers);
                segments.plan(&vnet, &mut packet).unwrap();
                while let Some(range) = segments.next(&mut packet) {
                    black_box(&packet[range]);
                }
            });
        });
        let mut frame = vec![0x20; len];
        group.throughput(Throughput::Elements(1));
        for (name, vnet) in [
            ("whole", VnetHdr::default()),
            ("checksum", VnetHdr { flags: 1, csum_start: 34, csum_offset: 16, ..VnetHdr::default() }),
        ] {
            group.bench_function(BenchmarkId::new(name, len), |b| {
                b.iter(|| {
                    segments.plan(&vnet, &mut frame).unwrap();
                    segments.next(&mut frame)
                });
            });
        }
    }
    group.finish();
}

fn coalesce(c: &mut Criterion) {
    let mut group = c.benchmark_group("adapter/coalesce");
    for len in SIZES {
        let recipe = super_packet(len.max(128), BATCH);
        let frames = split(&recipe.vnet(), &recipe.super_packet()).unwrap();
        let batch = batch(&frames);
        let mut coalescer = Coalescer::new(ALL_OFFLOADS);
        group.throughput(Throughput::Elements(frames.len() as u64));
        group.bench_function(BenchmarkId::new("one flow", len.max(128)), |b| {
            b.iter(|| {
                coalescer.plan(batch.frames());
                for group in coalescer.groups() {
                    black_box(coalescer.headers(batch.frames(), group));
                }
            });
        });
        let alone: Vec<Vec<u8>> = (0..BATCH as u16)
            .map(|port| Recipe { ports: (port, 1), payload: pattern(len - 54), options: vec![], ..Recipe::default() })
            .map(|recipe| recipe.frame())
            .collect();
        let batch = adapter_common::batch(&alone);
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(BenchmarkId::new("nothing to merge", len), |b| {
            b.iter(|| coalescer.plan(black_box(batch.frames())));
        });
    }
    group.finish();
}

/// A TAP and a raw socket on it.
fn card(tier: Tier) -> (Interface, Tap, OwnedFd) {
    use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, bind, socket};
    let mut interface = netns::interface("vpn_bench", 1, tier);
    let tap = interface.adapter().unwrap();
    netns::ip("neigh add 10.77.0.2 lladdr 02:00:00:00:00:09 dev vpn_bench");
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll).unwrap();
    let address = nix::ifaddrs::getifaddrs()
        .unwrap()
        .filter(|a| a.interface_name == "vpn_bench")
        .find_map(|a| a.address.and_then(|a| a.as_link_addr().copied()))
        .unwrap();
    bind(std::os::fd::AsRawFd::as_raw_fd(&socket), &address).unwrap();
    (interface, tap, socket)
}

/// Times `drain` of what `fill` put there, until `frames` frames are through; `drain` says how many it took.
fn timed(frames: u64, mut fill: impl FnMut(), mut drain: impl FnMut() -> u64) -> Duration {
    let (mut through, mut spent) = (0, Duration::ZERO);
    while through < frames {
        fill();
        let start = Instant::now();
        through += drain();
        spent += start.elapsed();
    }
    spent.mul_f64(frames as f64 / through as f64)
}

fn read_and_write(c: &mut Criterion) {
    if nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).is_err() {
        eprintln!("adapter/read and adapter/write are left out: they need root");
        return;
    }
    for tier in [Tier::Plain, Tier::Napi, Tier::Offload] {
        read(c, tier);
        write(c, tier);
    }
}

fn read(c: &mut Criterion, tier: Tier) {
    let mut group = c.benchmark_group(format!("adapter/read/{tier:?}"));
    group.throughput(Throughput::Elements(1));
    let (_interface, mut tap, socket) = card(tier);
    let drain = |tap: &mut Tap| {
        let mut frames = 0;
        while tap.receive(BATCH, |frame| frames += u64::from(black_box(frame).len() >= 14)).unwrap() == BATCH {}
        frames
    };
    for len in SIZES {
        let frame = [&[2; 12][..], &[0x88, 0xb5], &vec![7; len - 14]].concat();
        group.bench_function(len.to_string(), |b| {
            b.iter_custom(|frames| {
                let fill = || {
                    for _ in 0..BATCH {
                        let _ = rustix::net::send(&socket, &frame, rustix::net::SendFlags::empty());
                    }
                };
                timed(frames, fill, || drain(&mut tap))
            });
        });
    }
    let udp = UdpSocket::bind((ipv4(1), 0)).unwrap();
    udp.connect((ipv4(2), 9)).unwrap();
    nix::sys::socket::setsockopt(&udp, nix::sys::socket::sockopt::UdpGsoSegment, &1_472).unwrap();
    let burst = vec![7; 1_472 * 44];
    let before = *tap.stats();
    group.bench_function(name(1_514), |b| {
        b.iter_custom(|frames| timed(frames, || drop(udp.send(&burst)), || drain(&mut tap)));
    });
    let after = *tap.stats();
    let calls = after.reads - before.reads;
    let frames = after.frames_received - before.frames_received;
    println!("adapter/read/{tier:?}: {:.3} system calls per frame of {}", calls as f64 / frames as f64, name(1_514));
    group.finish();
}

fn write(c: &mut Criterion, tier: Tier) {
    let mut group = c.benchmark_group(format!("adapter/write/{tier:?}"));
    group.throughput(Throughput::Elements(1));
    let (_interface, mut tap, socket) = card(tier);
    drop(socket); // nobody looks: the kernel drops the frames as early as it can
    for len in SIZES {
        let frame = [&[2; 12][..], &[0x88, 0xb5], &vec![7; len - 14]].concat();
        let batch = batch(&vec![frame; BATCH]);
        group.bench_function(len.to_string(), |b| b.iter_custom(|frames| write_batches(&mut tap, &batch, frames)));
    }
    let recipe = super_packet(1_514, usize::MAX);
    let batch = batch(&split(&recipe.vnet(), &recipe.super_packet()).unwrap());
    let before = *tap.stats();
    group.bench_function(name(1_514), |b| b.iter_custom(|frames| write_batches(&mut tap, &batch, frames)));
    let after = *tap.stats();
    let (calls, frames) = (after.writes - before.writes, after.frames_sent - before.frames_sent);
    println!("adapter/write/{tier:?}: {:.3} system calls per frame of {}", calls as f64 / frames as f64, name(1_514));
    group.finish();
}

fn write_batches(tap: &mut Tap, batch: &FrameBatch, frames: u64) -> Duration {
    timed(
        frames,
        || {},
        || {
            tap.send(batch.frames()).unwrap();
            batch.len() as u64
        },
    )
}

/// Passing 128 frames on, by the ways a client could. Each row copies every frame once, as all must.
fn queues(c: &mut Criterion) {
    for len in SIZES {
        let mut group = c.benchmark_group(format!("adapter/queue/{len}"));
        group.throughput(Throughput::Elements(BATCH as u64));
        let frame = vec![7u8; len];
        let pool = BatchPool::new(4, BATCH, BATCH * 1_600);
        let ring = ArrayQueue::new(2);
        group.bench_function("ring of batches", |b| {
            b.iter(|| {
                let mut batch = pool.take().unwrap();
                (0..BATCH).for_each(|_| assert!(batch.push(black_box(&frame))));
                assert!(ring.push(batch).is_ok());
                let batch = ring.pop().unwrap();
                batch.frames().iter().map(<[u8]>::len).sum::<usize>()
            });
        });
        let single = ArrayQueue::new(BATCH);
        group.bench_function("ring of frames", |b| {
            b.iter(|| {
                (0..BATCH).for_each(|_| assert!(single.push(black_box(&frame).clone()).is_ok()));
                (0..BATCH).filter_map(|_| single.pop()).map(|frame| frame.len()).sum::<usize>()
            });
        });
        let queue = Mutex::new(VecDeque::with_capacity(BATCH));
        group.bench_function("mutex queue of frames", |b| {
            b.iter(|| {
                (0..BATCH).for_each(|_| queue.lock().unwrap().push_back(black_box(&frame).clone()));
                (0..BATCH).filter_map(|_| queue.lock().unwrap().pop_front()).map(|frame| frame.len()).sum::<usize>()
            });
        });
        group.bench_function("no queue", |b| {
            let mut batch = FrameBatch::new(BATCH, BATCH * 1_600);
            b.iter(|| {
                batch.clear();
                (0..BATCH).for_each(|_| assert!(batch.push(black_box(&frame))));
                batch.frames().iter().map(<[u8]>::len).sum::<usize>()
            });
        });
        group.finish();
    }
}

/// The same between two threads: one fills, the other empties.
fn queues_between_threads(c: &mut Criterion) {
    let mut group = c.benchmark_group("adapter/queue between threads");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for len in [64, 1_514] {
        let frame = vec![7u8; len];
        group.bench_function(BenchmarkId::new("ring of batches", len), |b| {
            b.iter_custom(|frames| {
                let pool = BatchPool::new(6, BATCH, BATCH * 1_600);
                let ring = ArrayQueue::new(4);
                let batches = frames.div_ceil(BATCH as u64);
                let fill = || {
                    for _ in 0..batches {
                        let mut batch = until(|| pool.take());
                        (0..BATCH).for_each(|_| assert!(batch.push(black_box(&frame))));
                        let mut waiting = Some(batch);
                        until(|| match ring.push(waiting.take()?) {
                            Ok(()) => Some(()),
                            Err(batch) => {
                                waiting = Some(batch);
                                None
                            }
                        });
                    }
                };
                let empty = || (0..batches).for_each(|_| drop(black_box(until(|| ring.pop()))));
                both(fill, empty).mul_f64(frames as f64 / (batches * BATCH as u64) as f64)
            });
        });
        group.bench_function(BenchmarkId::new("mutex queue of frames", len), |b| {
            b.iter_custom(|frames| {
                let queue = Mutex::new(VecDeque::with_capacity(4 * BATCH));
                let fill = || {
                    for _ in 0..frames {
                        until(|| {
                            let mut queue = queue.lock().unwrap();
                            (queue.len() < 4 * BATCH).then(|| queue.push_back(black_box(&frame).clone()))
                        });
                    }
                };
                let empty = || (0..frames).for_each(|_| drop(black_box(until(|| queue.lock().unwrap().pop_front()))));
                both(fill, empty)
            });
        });
    }
    group.finish();
}

/// Tries again until there is something; gives way, because the other side may need this processor.
fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        match attempt() {
            Some(value) => return value,
            None => std::thread::yield_now(),
        }
    }
}

fn both(fill: impl FnOnce() + Send, empty: impl FnOnce()) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(fill);
        empty();
    });
    start.elapsed()
}

criterion_group!(benches, segment, coalesce, queues, queues_between_threads, read_and_write);
criterion_main!(benches);
