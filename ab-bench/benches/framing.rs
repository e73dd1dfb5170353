//! Criterion rows `framing/{encode,decode}/{64,512,1514}/{c,rust}/BATCH`: C and Rust in one process, each by its public
//! seam, without the kernel. One iteration is one batch, and the throughput is in frames: ns per frame = time / BATCH.
//! Behind the rows it prints the heap allocations per frame of each.
//!
//! `encode`: frames lie where reads of the TAP have left them, in 64 KiB that are used again and again; at the end their
//! bytes have stood ready to be sent.
//! - c: per frame `Malloc` and the copy into it, which the seam demands of the adapter, `NewBlock`, `InsertQueue`; per batch
//!   `ConnectionSend`: `GetNext`, the headers and the body into the transmit FIFO, `FreeBlock`, counters, one `send`.
//! - rust: `cedar::framing::encode`, one copy, in batches of `fused::RECORD_BYTES` at most, for which the fused path
//!   uses one buffer again and again. `rust_in_place`: the frames stand in that buffer already, where a segmenter has built them,
//!   and get their headers.
//!
//! `decode`: the plaintext of one or more reads lies in memory; at the end every frame has been seen and its memory is free.
//! - c: `ConnectionReceive`: `recv` into its buffer, the FIFO, the frame's own memory, `NewBlock`, the queue, counters;
//!   then `GetNext` and `FreeBlock`, as the session and its adapter do.
//! - rust: `SliceDecoder` hands out slices of the plaintext; there is nothing to free.
//!
//! `send`, `recv` and `poll` are this program's: on the benchmark's socket they do nothing but say what the kernel would.
//! `recv` leaves the bytes that stand in the buffer from the time before, so that no copy of the kernel's is counted.
//! The C's own functions reach one another through the dispatchers, which are left on C: about 1 ns a call.

use cedar::framing::{Batch, Event, SliceDecoder, Statistics, encode, encoded_len};
use cedar::fused::RECORD_BYTES;
use connection::Connection;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_main};
use softether_sys::{FreeBlock, GetNext, InsertQueue, Malloc, NewBlock};
use std::hint::black_box;
use std::ptr;
use swaps::{connection_receive, connection_send};

#[path = "../../rust/swaps/tests/differential/support.rs"]
#[allow(dead_code, unused_macros, reason = "the differential tests use the rest")]
mod support;

use support::connection;

#[path = "framing/kernel.rs"]
mod kernel;

const FRAME_SIZES: [usize; 3] = [64, 512, 1514];
const BATCHES: [usize; 4] = [1, 32, 128, 512];
/// Distance of two frames in memory, and how many there are before the first place is used again: 64 KiB.
const BUFFER_SIZE: usize = 2048;
const BUFFERS: usize = 32;

/// Runs one row and counts its allocations.
struct Rows<'c> {
    criterion: &'c mut Criterion,
    allocations: Vec<String>,
}

impl Rows<'_> {
    fn row(&mut self, what: &str, frame_size: usize, side: &str, batch: usize, mut work: impl FnMut()) {
        let group_name = format!("framing/{what}/{frame_size}");
        let mut group = self.criterion.benchmark_group(&group_name);
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::new(side, batch), |bencher| bencher.iter(&mut work));
        group.finish();
        // Buffers have their sizes by now.
        const TIMES: usize = 100;
        work();
        let before = kernel::allocations();
        (0..TIMES).for_each(|_| work());
        let count = (kernel::allocations() - before) as f64 / (TIMES * batch) as f64;
        assert!(side == "c" || count == 0.0, "{group_name}/{side}/{batch}: {count} allocations per frame");
        self.allocations.push(format!("{group_name}/{side}/{batch}: {count:.2} allocations per frame"));
    }
}

fn encoding(rows: &mut Rows<'_>, frame_size: usize, batch: usize) {
    let pool = vec![0x5a; BUFFERS * BUFFER_SIZE];
    let frames: Vec<&[u8]> = pool.chunks(BUFFER_SIZE).map(|buffer| &buffer[..frame_size]).cycle().take(batch).collect();
    let mut out = vec![0; RECORD_BYTES];
    let per_batch = (1..=batch).take_while(|count| encoded_len(vec![frame_size; *count]) <= out.len()).last();
    let per_batch = per_batch.expect("a frame fits");
    let mut statistics = Statistics::default();
    rows.row("encode", frame_size, "rust", batch, || {
        for frames in black_box(&frames).chunks(per_batch) {
            let size = encode(frames, black_box(&mut out), &mut statistics);
            black_box(size).expect("the room was computed");
        }
    });
    rows.row("encode", frame_size, "rust_in_place", batch, || {
        for frames in black_box(&frames).chunks(per_batch) {
            let mut batch = Batch::new(black_box(&mut out), &mut statistics);
            for frame in frames {
                black_box(batch.room());
                batch.commit(frame.len()).expect("the room was computed");
            }
            black_box(batch.finish());
        }
    });

    let connection = Connection::new(1);
    kernel::take_over(&connection, frame_size, batch);
    let mut now = 1_000;
    rows.row("encode", frame_size, "c", batch, || {
        // SAFETY: the blocks own their copies and go to the queue; connection, session and socket are ours.
        unsafe {
            for frame in black_box(&frames) {
                let size = frame.len() as u32;
                let data = Malloc(size);
                data.cast::<u8>().copy_from_nonoverlapping(frame.as_ptr(), frame.len());
                let block = NewBlock(data, size, 0);
                (*connection.c).CurrentSendQueueSize += (*block).Size;
                InsertQueue((*connection.c).SendBlocks, block.cast());
            }
            now += 1;
            connection_send::c_ConnectionSend(connection.c, now);
        }
    });
}

fn decoding(rows: &mut Rows<'_>, frame_size: usize, batch: usize) {
    let frame = vec![0x5a; frame_size];
    let frames = vec![&frame[..]; batch];
    let mut stream = vec![0; encoded_len(frames.iter().map(|frame| frame.len()))];
    encode(&frames, &mut stream, &mut Statistics::default()).expect("the room was computed");
    let mut decoder = SliceDecoder::new();
    rows.row("decode", frame_size, "rust", batch, || {
        let mut input = black_box(stream.as_slice());
        while let Ok(Some(event)) = decoder.decode(&mut input) {
            if let Event::Frame(frame) = event {
                black_box(frame);
            }
        }
    });

    let connection = Connection::new(1);
    kernel::take_over(&connection, frame_size, batch);
    rows.row("decode", frame_size, "c", batch, || {
        kernel::deliver(batch);
        let mut received = 0;
        // SAFETY: connection, session and socket are ours, and no cancel object is given; the blocks are freed once.
        unsafe {
            connection_receive::c_ConnectionReceive(connection.c, ptr::null_mut(), ptr::null_mut());
            loop {
                let block = GetNext((*connection.c).ReceivedBlocks).cast::<softether_sys::BLOCK>();
                if block.is_null() {
                    break;
                }
                black_box((*block).Buf);
                FreeBlock(block);
                received += 1;
            }
        }
        assert_eq!(received, batch);
    });
}

fn framing() {
    support::start();
    let mut criterion = Criterion::default().configure_from_args();
    let mut rows = Rows { criterion: &mut criterion, allocations: Vec::new() };
    for frame_size in FRAME_SIZES {
        for batch in BATCHES {
            encoding(&mut rows, frame_size, batch);
            decoding(&mut rows, frame_size, batch);
        }
    }
    println!("{}", rows.allocations.join("\n"));
    criterion.final_summary();
}

criterion_main!(framing);
