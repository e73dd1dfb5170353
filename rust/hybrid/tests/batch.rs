//! The batch functions of `cutover.h`, called as C calls them, on real TAPs in fresh network namespaces. Needs root.
//! That the header declares the same functions is what `generated.rs` holds.

use std::ffi::{CStr, c_int};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::process::Command;
use std::ptr::{self, null_mut as none};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cedar::adapter::linux::InterfaceConfig;
use hybrid::Status;
use hybrid::batch::*;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, socket};

const NAME: &str = "cut_batch";
/// Source of the frames that the program puts, and of those that come from the kernel's side.
const OURS: [u8; 6] = [2, 0, 0, 0, 0, 7];
const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 9];

/// Runs `body` with the process's interface in a network namespace of its own; one at a time, as there is one interface.
fn with_interface(body: impl FnOnce() + Send + 'static) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .unwrap_or_else(|errno| panic!("cannot make a network namespace ({errno}): run these tests as root"));
        // The kernel's own packets, neighbour discovery and the like, would come in between.
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
        swaps::interface::open(InterfaceConfig::new(NAME)).unwrap();
        body();
    });
    let result = thread.join();
    swaps::interface::close();
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn last_error() -> String {
    // SAFETY: the library's string, copied before the next call.
    unsafe { CStr::from_ptr(hybrid::error::cutover_last_error()) }.to_string_lossy().into_owned()
}

/// An adapter as a program in C holds it.
struct Program {
    adapter: *mut Adapter,
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl Program {
    fn open() -> Program {
        let mut adapter = ptr::null_mut();
        // SAFETY: a place for the result.
        let status = unsafe { cutover_adapter_open(&mut adapter) };
        assert_eq!(status, Status::Ok, "{}", last_error());
        Program { adapter, bytes: vec![0; 1 << 20], spans: vec![Span::default(); CUTOVER_BATCH_FRAMES_MAX] }
    }

    /// As many frames as fit in `bytes_capacity` and `frames_capacity`.
    fn get(&mut self, bytes_capacity: usize, frames_capacity: usize) -> Result<Vec<Vec<u8>>, Status> {
        assert!(bytes_capacity <= self.bytes.len() && frames_capacity <= self.spans.len());
        let (bytes, spans) = (self.bytes.as_mut_ptr(), self.spans.as_mut_ptr());
        let mut frames = usize::MAX;
        // SAFETY: both have room for what is said.
        let status = unsafe {
            cutover_get_packet_batch(self.adapter, bytes, bytes_capacity, spans, frames_capacity, &mut frames)
        };
        if status != Status::Ok {
            assert_eq!(frames, 0);
            return Err(status);
        }
        let frame = |span: &Span| self.bytes[span.start as usize..][..span.length as usize].to_vec();
        Ok(self.spans[..frames].iter().map(frame).collect())
    }

    /// Waits on the descriptor and gets until `count` frames have come or a second has passed.
    fn get_all(&mut self, count: usize) -> Vec<Vec<u8>> {
        let mut got = Vec::new();
        while got.len() < count && self.wait(1000) {
            got.extend(self.get(self.bytes.len(), CUTOVER_BATCH_FRAMES_MAX).unwrap());
        }
        got
    }

    fn wait(&self, ms: u16) -> bool {
        let mut descriptor: c_int = -1;
        // SAFETY: the adapter is open, and so is its descriptor.
        let descriptor = unsafe {
            assert_eq!(cutover_adapter_readiness(self.adapter, &mut descriptor), Status::Ok);
            BorrowedFd::borrow_raw(descriptor)
        };
        poll(&mut [PollFd::new(descriptor, PollFlags::POLLIN)], ms).unwrap() > 0
    }

    fn put(&mut self, frames: &[Vec<u8>]) -> Status {
        let mut start = 0;
        let spans: Vec<Span> = frames
            .iter()
            .map(|frame| {
                let length = frame.len() as u32;
                start += length;
                Span { start: start - length, length }
            })
            .collect();
        let bytes = frames.concat();
        // SAFETY: both are as long as is said.
        unsafe { cutover_put_packet_batch(self.adapter, bytes.as_ptr(), bytes.len(), spans.as_ptr(), spans.len()) }
    }

    fn stats(&self) -> AdapterStats {
        let mut stats = AdapterStats::default();
        // SAFETY: the adapter is open.
        assert_eq!(unsafe { cutover_adapter_stats(self.adapter, &mut stats) }, Status::Ok);
        stats
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once.
        unsafe { cutover_adapter_close(self.adapter) };
    }
}

/// The kernel's side of the interface.
struct Wire(OwnedFd);

impl Wire {
    fn open() -> Wire {
        let wire = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll).unwrap();
        let address: LinkAddr = nix::ifaddrs::getifaddrs()
            .unwrap()
            .filter(|entry| entry.interface_name == NAME)
            .find_map(|entry| entry.address?.as_link_addr().copied())
            .unwrap();
        bind(wire.as_raw_fd(), &address).unwrap();
        Wire(wire)
    }

    fn send(&self, frame: &[u8]) {
        assert_eq!(send(self.0.as_raw_fd(), frame, MsgFlags::empty()), Ok(frame.len()));
    }

    /// The next frame that the program put.
    fn receive(&self) -> Option<Vec<u8>> {
        let end = Instant::now() + Duration::from_secs(1);
        let mut buffer = vec![0; 2048];
        while Instant::now() < end {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) if buffer[6..12] == OURS => return Some(buffer[..length].to_vec()),
                Ok(_) => {}
                Err(_) => std::thread::sleep(Duration::from_micros(100)),
            }
        }
        None
    }
}

fn frame(from: [u8; 6], length: usize, number: usize) -> Vec<u8> {
    let mut frame = [&[0x02, 0, 0, 0, 0, 1][..], &from, &[0x88, 0xb5], &number.to_be_bytes()].concat();
    frame.resize(length.max(frame.len()), number as u8);
    frame.truncate(length);
    frame
}

fn frames(from: [u8; 6], lengths: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
    lengths.enumerate().map(|(number, length)| frame(from, length, number)).collect()
}

#[test]
fn batches_of_every_size_cross_both_ways_whole_and_in_order() {
    with_interface(|| {
        let (mut program, wire) = (Program::open(), Wire::open());
        let put = frames(OURS, 14..=1514);
        for batch in put.chunks(100) {
            assert_eq!(program.put(batch), Status::Ok);
            for frame in batch {
                assert_eq!(wire.receive().as_ref(), Some(frame), "{} bytes", frame.len());
            }
        }
        let sent = frames(THEIRS, 14..=1514);
        for batch in sent.chunks(100) {
            batch.iter().for_each(|frame| wire.send(frame));
            assert_eq!(program.get_all(batch.len()), batch);
        }
        let stats = program.stats();
        let bytes: usize = (14..=1514).sum();
        assert_eq!((stats.frames_received, stats.bytes_received), (1501, bytes as u64));
        assert_eq!((stats.frames_sent, stats.bytes_sent), (1501, bytes as u64));
        assert_eq!((stats.receive_drops, stats.send_drops), Default::default());
    });
}

#[test]
fn what_does_not_fit_waits_for_the_next_call() {
    with_interface(|| {
        let (mut program, wire) = (Program::open(), Wire::open());
        assert!(!program.wait(0), "nothing has come");
        assert_eq!(program.get(CUTOVER_FRAME_SIZE_MAX, 1), Ok(vec![]), "none is no error");
        let sent = frames(THEIRS, std::iter::repeat_n(1514, 7));
        sent.iter().for_each(|frame| wire.send(frame));
        assert_eq!(program.get(1 << 20, 2).unwrap(), sent[..2], "no more than the spans");
        assert_eq!(program.get(2 * CUTOVER_FRAME_SIZE_MAX + 1000, 100).unwrap(), sent[2..4], "no more than the bytes");
        assert_eq!(program.get(CUTOVER_FRAME_SIZE_MAX, 100).unwrap(), sent[4..5], "the least room");
        assert!(program.wait(0), "the rest is still there");
        assert_eq!(program.get(1 << 20, 100).unwrap(), sent[5..]);
    });
}

#[test]
fn arguments_that_cannot_be_are_refused_and_change_nothing() {
    with_interface(|| {
        let (mut program, wire) = (Program::open(), Wire::open());
        let adapter = program.adapter;
        let (bytes, spans) = (program.bytes.as_mut_ptr(), program.spans.as_mut_ptr());
        let (mut frames, mut descriptor, mut stats) = (7, 7, AdapterStats::default());
        let least = CUTOVER_FRAME_SIZE_MAX;
        wire.send(&frame(THEIRS, 60, 1));
        // SAFETY: null where that is the mistake, otherwise with room for what is said.
        unsafe {
            assert_eq!(cutover_adapter_open(none()), Status::Invalid);
            assert_eq!(cutover_adapter_readiness(none(), &mut descriptor), Status::Invalid);
            assert_eq!(cutover_adapter_readiness(adapter, none()), Status::Invalid);
            assert_eq!(cutover_adapter_stats(none(), &mut stats), Status::Invalid);
            assert_eq!(cutover_adapter_stats(adapter, none()), Status::Invalid);
            cutover_adapter_close(none());
            for (adapter, bytes, capacity, spans, count, frames) in [
                (none(), bytes, least, spans, 1, &raw mut frames),
                (adapter, none(), least, spans, 1, &raw mut frames),
                (adapter, bytes, least - 1, spans, 1, &raw mut frames),
                (adapter, bytes, 0, spans, 1, &raw mut frames),
                (adapter, bytes, least, none(), 1, &raw mut frames),
                (adapter, bytes, least, spans, 0, &raw mut frames),
                (adapter, bytes, least, spans, 1, none()),
            ] {
                assert_eq!(cutover_get_packet_batch(adapter, bytes, capacity, spans, count, frames), Status::Invalid);
                assert!(!last_error().is_empty());
            }
            *spans = Span { start: 0, length: 60 };
            for (adapter, bytes, length, spans, count) in [
                (none(), bytes, 60, spans, 1),
                (adapter, none(), 60, spans, 1),
                (adapter, bytes, 60, none(), 1),
                (adapter, bytes, 59, spans, 1),
                (adapter, bytes, usize::MAX, spans, 1),
                (adapter, bytes, 60, spans, CUTOVER_BATCH_FRAMES_MAX + 1),
                (adapter, bytes, 60, spans, usize::MAX),
            ] {
                assert_eq!(cutover_put_packet_batch(adapter, bytes, length, spans, count), Status::Invalid);
            }
            // One bad span among good ones: nothing is written.
            for bad in [
                Span { start: 1, length: 60 },
                Span { start: u32::MAX, length: u32::MAX },
                Span { start: u32::MAX, length: 61 }, // 60 in 32 bits
                Span { start: 61, length: 0 },
                Span { start: 0, length: u32::MAX },
            ] {
                *spans.add(1) = bad;
                assert_eq!(cutover_put_packet_batch(adapter, bytes, 60, spans, 2), Status::Invalid, "{bad:?}");
                assert!(last_error().contains("frame 1"), "{}", last_error());
            }
            assert_eq!(cutover_put_packet_batch(adapter, ptr::null(), 0, ptr::null(), 0), Status::Ok, "no frames");
        }
        let stats = program.stats();
        assert_eq!((stats.writes, stats.reads, stats.frames_sent), (0, 0, 0), "{stats:?}");
        assert_eq!(program.get_all(1).len(), 1, "the frame that came meanwhile is still there");
    });
}

#[test]
fn drops_are_counted_by_reason() {
    with_interface(|| {
        let (mut program, wire) = (Program::open(), Wire::open());
        let good = frame(OURS, 100, 1);
        let batch = [vec![], frame(OURS, 13, 1), good.clone(), frame(OURS, 1601, 1), frame(OURS, 65_000, 1)];
        assert_eq!(program.put(&batch), Status::Ok);
        assert_eq!(wire.receive(), Some(good.clone()));
        ip(&format!("link set {NAME} down"));
        assert_eq!(program.put(&[good.clone(), good]), Status::Ok, "lost as on a wire");
        let stats = program.stats();
        assert_eq!(stats.send_drops, DropCounts { runt: 2, oversize: 2, down: 2, ..DropCounts::default() });
        assert_eq!(stats.frames_sent, 1);
    });
}

#[test]
fn one_adapter_at_a_time_and_none_without_an_interface() {
    with_interface(|| {
        let program = Program::open();
        let mut second = ptr::dangling_mut();
        // SAFETY: a place for the result.
        assert_eq!(unsafe { cutover_adapter_open(&mut second) }, Status::Busy);
        assert!(second.is_null() && last_error().contains(NAME), "{}", last_error());
        drop(program);
        drop(Program::open());
        swaps::interface::close();
        // SAFETY: a place for the result.
        assert_eq!(unsafe { cutover_adapter_open(&mut second) }, Status::NotFound);
    });
}

#[test]
fn a_deleted_interface_wakes_the_program_and_is_said_by_both_calls() {
    with_interface(|| {
        let mut program = Program::open();
        ip(&format!("link delete {NAME}"));
        assert!(program.wait(1000));
        assert_eq!(program.get(1 << 20, 100), Err(Status::NotFound));
        assert!(last_error().contains("gone"), "{}", last_error());
        assert_eq!(program.put(&[frame(OURS, 60, 1)]), Status::NotFound);
        assert_eq!(program.get(1 << 20, 100), Err(Status::NotFound), "it lasts");
    });
}

#[test]
fn moving_frames_allocates_nothing() {
    with_interface(|| {
        let (program, wire) = (Program::open(), Wire::open());
        let Program { adapter, ref bytes, ref spans } = program;
        let (mut bytes, mut spans, mut frames) = (bytes.clone(), spans.clone(), 0);
        let put = [frame(OURS, 1514, 1), frame(OURS, 60, 2)].concat();
        let stand = [Span { start: 0, length: 1514 }, Span { start: 1514, length: 60 }];
        for number in 0..100 {
            wire.send(&frame(THEIRS, 1514, number));
        }
        let count = allocation_counter::measure(|| {
            // SAFETY: each is as long as is said.
            unsafe {
                let got = cutover_get_packet_batch(
                    adapter,
                    bytes.as_mut_ptr(),
                    bytes.len(),
                    spans.as_mut_ptr(),
                    spans.len(),
                    &mut frames,
                );
                assert_eq!(got, Status::Ok);
                for _ in 0..100 {
                    let put = cutover_put_packet_batch(adapter, put.as_ptr(), put.len(), stand.as_ptr(), stand.len());
                    assert_eq!(put, Status::Ok);
                }
            }
        });
        assert_eq!(frames, 100);
        assert_eq!(count.count_total, 0);
    });
}

#[test]
fn the_tier_is_chosen_by_the_environment() {
    with_interface(|| {
        let vnet_hdr = || ip(&format!("-details link show {NAME}")).contains("vnet_hdr on");
        let reopened = |tier: &str| {
            // SAFETY: no other test runs now, and none reads the environment but through std, which locks it.
            unsafe { std::env::set_var(swaps::interface::TIER_VARIABLE, tier) };
            let opened = swaps::interface::open(InterfaceConfig::new(NAME));
            // SAFETY: as above.
            unsafe { std::env::remove_var(swaps::interface::TIER_VARIABLE) };
            opened
        };
        for (tier, expected) in [("plain", false), ("napi", false), ("offload", true), ("", true)] {
            reopened(tier).unwrap();
            let mut program = Program::open();
            assert_eq!(vnet_hdr(), expected, "{tier:?}");
            assert_eq!(program.put(&[frame(OURS, 60, 1)]), Status::Ok);
            assert_eq!(program.stats().frames_sent, 1, "{tier:?}");
        }
        assert!(reopened("fast").unwrap_err().to_string().contains("plain, napi and offload"));
    });
}
