//! The joined pair, and that nothing is allocated per frame: in the pair, in segmentation, in coalescing.

mod adapter_common;

use adapter_common::*;
use cedar::adapter::memory::{End, pair};
use cedar::adapter::replay::Replay;
use cedar::adapter::{Adapter, DropReason, Error, FrameBatch, Offloaded};

fn frames(count: usize, len: usize) -> FrameBatch {
    let mut batch = FrameBatch::new(count, count * len);
    for number in 0..count {
        let mut frame = vec![2; len];
        frame[12..14].copy_from_slice(&[0x88, 0xb5]);
        frame[14..22].copy_from_slice(&(number as u64).to_le_bytes());
        assert!(batch.push(&frame));
    }
    batch
}

fn receive_all(end: &mut End) -> Result<Vec<Vec<u8>>, Error> {
    let mut got = Vec::new();
    while end.receive(7, |frame| got.push(frame.to_vec()))? > 0 {}
    Ok(got)
}

fn is_readable(end: &End) -> bool {
    let fd = end.readiness().unwrap();
    let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}

#[test]
fn frames_arrive_in_order_and_readiness_follows() {
    let (mut a, mut b) = pair(4).unwrap();
    assert!(!is_readable(&b));
    let sent = frames(300, 60);
    a.send(sent.frames()).unwrap();
    assert!(is_readable(&b) && !is_readable(&a));
    let got = receive_all(&mut b).unwrap();
    assert_eq!(got, sent.frames().iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
    assert!(!is_readable(&b));
    assert_eq!((a.stats().frames_sent, b.stats().frames_received), (300, 300));
}

#[test]
fn a_full_ring_drops_and_counts_and_goes_on() {
    let (mut a, mut b) = pair(2).unwrap();
    let sent = frames(1_000, 60);
    a.send(sent.frames()).unwrap();
    let got = receive_all(&mut b).unwrap().len() as u64;
    assert_eq!(got, 256, "two batches");
    assert_eq!(a.stats().frames_sent, got);
    assert_eq!(a.stats().send_drops.count(DropReason::Full), 1_000 - got);
    a.send(frames(10, 60).frames()).unwrap();
    assert_eq!(receive_all(&mut b).unwrap().len(), 10);
}

#[test]
fn runts_and_oversize_frames_do_not_cross() {
    let (mut a, mut b) = pair(2).unwrap();
    let mut batch = FrameBatch::new(8, 10_000);
    for len in [0, 13, 14, 1_514, 1_515] {
        assert!(batch.push(&vec![2; len]));
    }
    a.send(batch.frames()).unwrap();
    assert_eq!(receive_all(&mut b).unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [14, 1_514]);
    let drops = a.stats().send_drops;
    assert_eq!((drops.count(DropReason::Runt), drops.count(DropReason::Oversize)), (2, 1));
}

#[test]
fn the_other_end_hears_of_the_drop_after_the_last_frame() {
    let (mut a, mut b) = pair(2).unwrap();
    a.send(frames(3, 60).frames()).unwrap();
    drop(a);
    assert!(is_readable(&b));
    let mut count = 0;
    assert_eq!(b.receive(3, |_| count += 1), Ok(3));
    assert_eq!(b.receive(1, |_| count += 1), Err(Error::Gone));
    assert_eq!(b.send(frames(1, 60).frames()), Err(Error::Gone));
    assert_eq!(count, 3);
}

#[test]
fn two_threads_lose_nothing_uncounted() {
    let (mut a, mut b) = pair(8).unwrap();
    const ROUNDS: usize = 5_000;
    let sender = std::thread::spawn(move || {
        let batch = frames(64, 100);
        for _ in 0..ROUNDS {
            a.send(batch.frames()).unwrap();
        }
        *a.stats()
    });
    let mut got = 0;
    loop {
        match b.receive(1_000, |_| got += 1) {
            Ok(0) => std::thread::yield_now(),
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error, Error::Gone);
                break;
            }
        }
    }
    let stats = sender.join().unwrap();
    assert_eq!(stats.frames_sent, got);
    assert_eq!(stats.frames_sent + stats.send_drops.total(), (ROUNDS * 64) as u64);
}

#[test]
fn nothing_is_allocated_per_frame() {
    let recipe = Recipe { payload: pattern(60_000), segment_len: 1_448, ..Recipe::default() };
    let udp = Recipe { udp: true, v6: true, payload: pattern(40_000), segment_len: 1_200, ..Recipe::default() };
    let records: Vec<Vec<u8>> =
        [recipe, udp].iter().map(|r| [r.vnet().encode().to_vec(), r.super_packet()].concat()).collect();
    let device = Replay::new(ALL_OFFLOADS, records.iter().map(Vec::as_slice).collect(), 1_000, false);
    let mut adapter = Offloaded::new(device);
    let (mut a, mut b) = pair(4).unwrap();
    let mut batch = FrameBatch::new(128, 128 * 1_518);
    let info = allocation_counter::measure(|| {
        while adapter.receive(128, |frame| assert!(batch.push(frame))).unwrap() > 0 {
            a.send(batch.frames()).unwrap();
            batch.clear();
            b.receive(128, |frame| assert!(batch.push(frame))).unwrap();
            adapter.send(batch.frames()).unwrap();
            batch.frames().iter().for_each(|frame| adapter.put_frame(frame).unwrap());
            adapter.flush().unwrap();
            batch.clear();
        }
    });
    let stats = adapter.stats();
    assert!(stats.frames_sent > 100_000 && stats.super_packets_sent > 2_000, "{stats:?}");
    assert_eq!(info.count_total, 0, "allocations for {} frames", stats.frames_sent);
}
