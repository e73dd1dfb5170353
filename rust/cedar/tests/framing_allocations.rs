//! Counts heap allocations of the framing codec: none per frame, over ten million frames and more.

use cedar::framing::{
    Batch, Compressor, Decoder, Event, KeepAlive, MAX_ENCODED_KEEP_ALIVE_SIZE, SliceDecoder, Statistics, encode,
    encode_keep_alive, encoded_len,
};

const FRAMES: u64 = 10_000_000;
const BATCH: usize = 128;

/// Allocations made by `work` in this thread.
fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// The counter sees Rust's allocations and zlib's, which go through Rust's allocator.
#[test]
fn the_counter_counts() {
    let one = allocations(|| drop(std::hint::black_box(vec![0_u8; 10])));
    assert_eq!(one, 1);
    let zlib = allocations(|| drop(std::hint::black_box(Compressor::new())));
    assert!(zlib > 4, "{zlib}");
}

/// Frames of mixed sizes, encoded and decoded by both decoders; the cut moves through the whole batch.
#[test]
fn ten_million_frames_without_an_allocation() {
    let sizes = [14, 60, 64, 66, 590, 1514, 1600];
    let data = [0x5a_u8; 1600];
    let frames: Vec<&[u8]> = (0..BATCH).map(|index| &data[..sizes[index % sizes.len()]]).collect();
    let mut out = vec![0; encoded_len(frames.iter().map(|frame| frame.len()))];
    let mut sent = Statistics::default();
    let (mut decoder, mut slice_decoder) = (Decoder::new(false), SliceDecoder::new());

    let count = allocations(|| {
        let mut cut = 0;
        while sent.frames < FRAMES {
            let size = encode(&frames, &mut out, &mut sent).unwrap();
            cut = (cut + 977) % size;
            for mut input in [&out[..cut], &out[cut..size]] {
                while decoder.decode(&mut input).unwrap().is_some() {}
            }
            let mut input = &out[..size];
            while slice_decoder.decode(&mut input).unwrap().is_some() {}
        }
    });
    assert_eq!(count, 0);
    assert!(sent.frames >= FRAMES);
    assert_eq!(decoder.statistics(), &sent);
    assert_eq!(slice_decoder.statistics(), &sent);
}

/// The same with compression and keep-alives, after the first frame: zlib takes its window then.
#[test]
fn compression_and_keep_alives_do_not_allocate() {
    let frame: Vec<u8> = (0..1514_u32).map(|index| (index * index % 61).to_le_bytes()[0]).collect();
    let mut out = vec![0; 8 * 2048];
    let mut compressor = Compressor::new();
    let mut decoder = Decoder::new(true);
    let mut sent = Statistics::default();
    let mut turn = |sent: &mut Statistics| {
        let mut batch = Batch::new(&mut out, sent);
        for _ in 0..4 {
            batch.push_compressed(&frame, &mut compressor).unwrap();
        }
        let batch_size = batch.finish();
        let room = &mut out[batch_size..batch_size + MAX_ENCODED_KEEP_ALIVE_SIZE];
        let keep_alive_size = encode_keep_alive(room, Some(7), || 300, sent).unwrap();
        let mut seen = 0;
        for mut input in out[..batch_size + keep_alive_size].chunks(500) {
            while let Some(event) = decoder.decode(&mut input).unwrap() {
                match event {
                    Event::Frame(decoded) => assert_eq!(decoded, frame),
                    Event::KeepAlive(keep_alive) => assert!(KeepAlive::nat_t_port(keep_alive).is_some()),
                    Event::Dropped { .. } => panic!("{event:?}"),
                }
                seen += 1;
            }
        }
        assert_eq!(seen, 5);
    };
    turn(&mut sent);
    assert_eq!(allocations(|| (0..1000).for_each(|_| turn(&mut sent))), 0);
}
