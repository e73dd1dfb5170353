//! Micro-benchmarks of the parts of `cedar::framing` that have no row beside the C's (ab-bench/benches/framing.rs has
//! those). One iteration is one batch, and the throughput is in frames, so ns per frame = time / BATCH.
//!
//! - `framing/decode_cut/FRAME_SIZE/rust/BATCH`: the decoder for bytes cut anywhere, fed 64 KiB at a time.
//! - `keep_alive`, `compress`, `expand`: one keep-alive, one frame.

use cedar::framing::wire::RECV_BUF_SIZE;
use cedar::framing::{
    Compressor, Decoder, Decompressor, Event, MAX_ENCODED_KEEP_ALIVE_SIZE, Statistics, encode, encode_keep_alive,
    encoded_len,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const FRAME_SIZES: [usize; 3] = [64, 512, 1514];
const BATCHES: [usize; 4] = [1, 32, 128, 512];
/// Distance of two frames in memory: buffers of a pool.
const BUFFER_SIZE: usize = 2048;

/// Calls `row` for every frame size and batch, with frames of that size.
fn rows(criterion: &mut Criterion, what: &str, mut row: impl FnMut(&mut criterion::Bencher<'_>, &[&[u8]])) {
    for frame_size in FRAME_SIZES {
        let mut group = criterion.benchmark_group(format!("framing/{what}/{frame_size}"));
        for batch in BATCHES {
            let pool = vec![0x5a; batch * BUFFER_SIZE];
            let frames: Vec<&[u8]> = pool.chunks(BUFFER_SIZE).map(|buffer| &buffer[..frame_size]).collect();
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::new("rust", batch), |bencher| row(bencher, &frames));
        }
        group.finish();
    }
}

fn encoded(frames: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0; encoded_len(frames.iter().map(|frame| frame.len()))];
    encode(frames, &mut out, &mut Statistics::default()).expect("the room was computed");
    out
}

fn decoding(criterion: &mut Criterion) {
    rows(criterion, "decode_cut", |bencher, frames| {
        let stream = encoded(frames);
        let mut decoder = Decoder::new(false);
        bencher.iter(|| {
            for mut input in black_box(stream.as_slice()).chunks(RECV_BUF_SIZE) {
                while let Ok(Some(event)) = decoder.decode(&mut input) {
                    if let Event::Frame(frame) = event {
                        black_box(frame);
                    }
                }
            }
        });
    });
}

fn others(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("framing");
    group.bench_function("keep_alive/rust", |bencher| {
        let mut out = [0; MAX_ENCODED_KEEP_ALIVE_SIZE];
        let mut statistics = Statistics::default();
        bencher.iter(|| encode_keep_alive(&mut out, Some(5000), || black_box(255), &mut statistics));
    });

    // Text-like: about half of it goes.
    let frame: Vec<u8> = (0..1514_u32).map(|index| (index * index % 61).to_le_bytes()[0]).collect();
    let mut compressor = Compressor::new();
    let mut compressed = vec![0; 4096];
    let size = compressor.compress(&frame, &mut compressed);
    group.bench_function("compress/1514/rust", |bencher| {
        let mut out = vec![0; 4096];
        bencher.iter(|| compressor.compress(black_box(&frame), &mut out));
    });
    group.bench_function("expand/1514/rust", |bencher| {
        let mut decompressor = Decompressor::new();
        bencher.iter(|| decompressor.expand(black_box(&compressed[..size])).map(<[u8]>::len));
    });
    group.finish();
}

criterion_group!(benches, decoding, others);
criterion_main!(benches);
