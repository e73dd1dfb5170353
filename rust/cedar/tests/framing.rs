//! Tests of `cedar::framing` through its public API: edge values I1 to I5 and cuts F1 of the reliability list, then
//! random streams. Not here: the comparison with the C's rules (`framing_c_rules.rs`) and allocations
//! (`framing_allocations.rs`).

use cedar::framing::wire::{KEEP_ALIVE_MAGIC, MAX_BLOCK_SIZE, MAX_KEEPALIVE_SIZE, MAX_PACKET_SIZE};
use cedar::framing::{
    Batch, BufferTooSmall, Compressor, Decoder, DropReason, Event, ProtocolError, PushError, SliceDecoder, Statistics,
    encode, encode_vectored, encoded_len,
};
use proptest::prelude::*;
use std::io::IoSlice;

/// An [`Event`] that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Frame(Vec<u8>),
    KeepAlive(Vec<u8>, Option<u16>),
    Dropped(DropReason, usize),
    Error(ProtocolError),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Frame(frame) => Self::Frame(frame.to_vec()),
            Event::KeepAlive(keep_alive) => {
                Self::KeepAlive(keep_alive.body().to_vec(), keep_alive.nat_t_port().map(u16::from))
            }
            Event::Dropped { reason, size } => Self::Dropped(reason, size),
        }
    }
}

/// All that a [`Decoder`] makes of `chunks`; an error is the last thing seen.
fn decode_chunks<'c>(decoder: &mut Decoder, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for mut input in chunks {
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(event)) => seen.push(event.into()),
                Ok(None) => break assert!(input.is_empty(), "bytes were left behind"),
                Err(error) => {
                    seen.push(Seen::Error(error));
                    return seen;
                }
            }
        }
    }
    seen
}

/// The same by a [`SliceDecoder`] whose caller keeps the unfinished rest and puts the next chunk behind it.
fn decode_slices<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Seen> {
    let mut decoder = SliceDecoder::new();
    let mut seen = Vec::new();
    let mut buffer = Vec::new();
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        let mut input = buffer.as_slice();
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(event)) => seen.push(event.into()),
                Ok(None) => break,
                Err(error) => {
                    seen.push(Seen::Error(error));
                    return seen;
                }
            }
        }
        assert!(input.len() < MAX_BLOCK_SIZE, "more is left than one part");
        buffer = input.to_vec();
    }
    seen
}

/// Decodes `stream` whole with both decoders and checks that they agree.
fn decode_whole(stream: &[u8]) -> Vec<Seen> {
    let seen = decode_chunks(&mut Decoder::new(false), [stream]);
    assert_eq!(decode_slices([stream]), seen);
    seen
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A batch of one block that announces `announced` bytes and has `real`.
fn block(announced: u32, real: usize) -> Vec<u8> {
    [words(&[1, announced]), vec![0x5a; real]].concat()
}

fn encoded(frames: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0; encoded_len(frames.iter().map(|frame| frame.len()))];
    let size = encode(frames, &mut out, &mut Statistics::default()).unwrap();
    assert_eq!(size, out.len());
    out
}

/// What a vectored write of `slices` would send.
fn joined(slices: &[IoSlice<'_>]) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.to_vec()).collect()
}

fn keep_alive(body: &[u8]) -> Vec<u8> {
    [words(&[KEEP_ALIVE_MAGIC, body.len() as u32]), body.to_vec()].concat()
}

/// A stream with every kind of part, and what is to be seen in it.
fn every_kind() -> (Vec<u8>, Vec<Seen>) {
    let nat_t = b"NATT_MY_PORT\x13\x88rest";
    let stream = [
        encoded(&[b"first", &[1; 1514], b"x"]),
        words(&[0]),
        keep_alive(nat_t),
        words(&[3, 0, 2]),
        b"ab".to_vec(),
        words(&[0]),
        keep_alive(b""),
        block(1601, 1601),
        keep_alive(&[3; 512]),
        encoded(&[&[4; 1600]]),
    ];
    let seen = vec![
        Seen::Frame(b"first".to_vec()),
        Seen::Frame(vec![1; 1514]),
        Seen::Frame(b"x".to_vec()),
        Seen::KeepAlive(nat_t.to_vec(), Some(5000)),
        Seen::Frame(b"ab".to_vec()),
        Seen::KeepAlive(vec![], None),
        Seen::Dropped(DropReason::Oversize, 1601),
        Seen::KeepAlive(vec![3; 512], None),
        Seen::Frame(vec![4; 1600]),
    ];
    (stream.concat(), seen)
}

/// I1: block sizes on both sides of every limit.
#[test]
fn block_sizes() {
    let next = encoded(&[b"next"]);
    let follows = Seen::Frame(b"next".to_vec());
    for size in [1, 13, 14, 1514, 1600] {
        let stream = [block(size, size as usize), next.clone()].concat();
        let frame = Seen::Frame(vec![0x5a; size as usize]);
        assert_eq!(decode_whole(&stream), [frame, follows.clone()], "size {size}");
    }
    let stream = [block(0, 0), next.clone()].concat();
    assert_eq!(decode_whole(&stream), std::slice::from_ref(&follows));
    for size in [1601, 3199, 3200] {
        let stream = [block(size, size as usize), next.clone()].concat();
        let dropped = Seen::Dropped(DropReason::Oversize, size as usize);
        assert_eq!(decode_whole(&stream), [dropped, follows.clone()], "size {size}");
    }
    for size in [3201, 1 << 31, u32::MAX] {
        let stream = [block(size, 4000), next.clone()].concat();
        let error = ProtocolError::BlockTooLarge { size };
        assert_eq!(decode_whole(&stream), [Seen::Error(error)], "size {size}");
    }
}

/// I1: after an error nothing is parsed, whatever comes, and nothing is taken from the input.
#[test]
fn nothing_is_parsed_after_an_error() {
    for (stream, error) in [
        (block(3201, 0), ProtocolError::BlockTooLarge { size: 3201 }),
        (words(&[KEEP_ALIVE_MAGIC, 513]), ProtocolError::KeepAliveTooLarge { size: 513 }),
    ] {
        let mut decoder = Decoder::new(false);
        let mut slice_decoder = SliceDecoder::new();
        assert_eq!(decoder.decode(&mut stream.as_slice()), Err(error));
        assert_eq!(slice_decoder.decode(&mut stream.as_slice()), Err(error));
        let before = *decoder.statistics();
        let good = encoded(&[&[1; 100]]);
        for _ in 0..100 {
            let mut input = good.as_slice();
            assert_eq!(decoder.decode(&mut input), Err(error));
            assert_eq!(slice_decoder.decode(&mut input), Err(error));
            assert_eq!(input.len(), good.len());
        }
        assert_eq!(*decoder.statistics(), before);
    }
}

/// I2: counts at both ends; a count of 2³² − 2 is a stream like any other, and ends only after so many blocks.
#[test]
fn block_counts() {
    assert_eq!(decode_whole(&words(&[0, 0, 0])), []);
    assert_eq!(
        decode_whole(&[words(&[2, 1]), vec![7], words(&[1]), vec![8], words(&[0])].concat()),
        [Seen::Frame(vec![7]), Seen::Frame(vec![8]),]
    );

    let mut decoder = Decoder::new(false);
    assert_eq!(decode_chunks(&mut decoder, [&words(&[u32::MAX - 1])[..]]), []);
    let blocks = [words(&[1514]), vec![9; 1514]].concat();
    for _ in 0..10_000 {
        assert_eq!(decode_chunks(&mut decoder, [&blocks[..]]), [Seen::Frame(vec![9; 1514])]);
    }
    // Where the batch still runs, the magic of a keep-alive is an impossible size.
    let magic = words(&[KEEP_ALIVE_MAGIC]);
    let error = ProtocolError::BlockTooLarge { size: u32::MAX };
    assert_eq!(decode_chunks(&mut decoder, [&magic[..]]), [Seen::Error(error)]);
}

/// I3: keep-alive sizes on both sides of the limit.
#[test]
fn keep_alive_sizes() {
    let next = encoded(&[b"next"]);
    for size in [0, 1, 13, 14, 511, MAX_KEEPALIVE_SIZE] {
        let stream = [keep_alive(&vec![b'N'; size]), next.clone()].concat();
        let seen = [Seen::KeepAlive(vec![b'N'; size], None), Seen::Frame(b"next".to_vec())];
        assert_eq!(decode_whole(&stream), seen, "size {size}");
    }
    for size in [513, 1 << 31, u32::MAX] {
        let stream = [words(&[KEEP_ALIVE_MAGIC, size]), vec![0; 600], next.clone()].concat();
        let error = ProtocolError::KeepAliveTooLarge { size };
        assert_eq!(decode_whole(&stream), [Seen::Error(error)], "size {size}");
    }
}

/// I5: compressed blocks up to the size of a block, good and bad, in one stream.
#[test]
fn compressed_blocks() {
    let mut compressor = Compressor::new();
    let mut compressed = |frame: &[u8]| {
        let mut out = vec![0; 20_000];
        let size = compressor.compress(frame, &mut out);
        out.truncate(size);
        [words(&[out.len() as u32]), out].concat()
    };
    let padded = [&compressed(&[6; 60])[4..], &[0; 3100]].concat();
    let stream = [
        words(&[8]),
        compressed(&[1; 1600]),
        compressed(&[2; 1601]),
        compressed(&[3; 1 << 20]),
        compressed(b""),
        [words(&[3200]), vec![0xff; 3200]].concat(),
        words(&[0]),
        [words(&[padded.len() as u32]), padded.clone()].concat(),
        compressed(b"the end"),
    ]
    .concat();
    let bomb = compressed(&[3; 1 << 20]).len() - 4;
    let bad = |size| Seen::Dropped(DropReason::BadCompression, size);
    let seen = [
        Seen::Frame(vec![1; 1600]),
        bad(compressed(&[2; 1601]).len() - 4),
        bad(bomb),
        Seen::Dropped(DropReason::EmptyAfterExpansion, 8),
        bad(3200),
        Seen::Frame(vec![6; 60]),
        Seen::Frame(b"the end".to_vec()),
    ];
    for chunk in [1, 7, 1000, stream.len()] {
        let mut decoder = Decoder::new(true);
        assert_eq!(decode_chunks(&mut decoder, stream.chunks(chunk)), seen, "chunks of {chunk}");
        let statistics = decoder.statistics();
        assert_eq!((statistics.frames, statistics.frame_bytes), (3, 1667));
        assert_eq!(statistics.dropped(DropReason::BadCompression), 3);
        assert_eq!(statistics.dropped(DropReason::EmptyAfterExpansion), 1);
    }
}

/// F1: a stream with every kind of part, cut in two at every byte, and fed in pieces of 1 to 7 bytes.
#[test]
fn cut_at_every_byte() {
    let (stream, seen) = every_kind();
    assert_eq!(decode_whole(&stream), seen);
    for cut in 0..=stream.len() {
        let (front, back) = stream.split_at(cut);
        assert_eq!(decode_chunks(&mut Decoder::new(false), [front, back]), seen, "cut at {cut}");
        assert_eq!(decode_slices([front, back]), seen, "cut at {cut}");
    }
    for size in 1..=7 {
        assert_eq!(decode_chunks(&mut Decoder::new(false), stream.chunks(size)), seen, "chunks of {size}");
        assert_eq!(decode_slices(stream.chunks(size)), seen, "chunks of {size}");
    }
}

/// F1: an error is found at the same byte however the stream is cut.
#[test]
fn errors_cut_at_every_byte() {
    let (mut stream, mut seen) = every_kind();
    stream.extend(block(3201, 3201));
    stream.extend(encoded(&[b"never seen"]));
    seen.push(Seen::Error(ProtocolError::BlockTooLarge { size: 3201 }));
    for cut in 0..=stream.len() {
        let (front, back) = stream.split_at(cut);
        assert_eq!(decode_chunks(&mut Decoder::new(false), [front, back]), seen, "cut at {cut}");
    }
}

/// The counters say what passed, each kind under its own name.
#[test]
fn statistics_add_up() {
    let (stream, _) = every_kind();
    let mut decoder = Decoder::new(false);
    decode_chunks(&mut decoder, stream.chunks(100));
    let statistics = decoder.statistics();
    assert_eq!(statistics.frames, 5);
    assert_eq!(statistics.frame_bytes, 5 + 1514 + 1 + 2 + 1600);
    assert_eq!(statistics.wire_frame_bytes, statistics.frame_bytes);
    assert_eq!(statistics.keep_alives, 3);
    assert_eq!((statistics.dropped_total(), statistics.dropped_bytes), (1, 1601));
    assert_eq!(statistics.total_size() + statistics.dropped_bytes, stream.len() as u64);
}

/// The bytes of a batch, written out by hand, in every way there is to make it.
#[test]
fn a_batch_to_the_byte() {
    let expected = b"\0\0\0\x02\0\0\0\x03abc\0\0\0\x01d";
    assert_eq!(encoded(&[b"abc", b"d"]), expected);

    let mut out = [0xee; 40];
    let mut statistics = Statistics::default();
    let mut batch = Batch::new(&mut out, &mut statistics);
    batch.room()[..3].copy_from_slice(b"abc");
    batch.commit(3).unwrap();
    batch.push(b"d").unwrap();
    assert_eq!(batch.count(), 2);
    let size = batch.finish();
    assert_eq!(&out[..size], expected);
    assert!(out[size..].iter().all(|&byte| byte == 0xee), "wrote past its end");
    assert_eq!(statistics.total_size(), size as u64);

    let (mut headers, mut slices) = ([[0; 4]; 3], [IoSlice::new(&[]); 4]);
    let mut statistics = Statistics::default();
    let used = encode_vectored(&[b"abc", b"d"], &mut headers, &mut slices, &mut statistics).unwrap();
    assert_eq!(used, 4);
    assert_eq!(joined(&slices[..used]), expected);
    assert_eq!(statistics.total_size(), size as u64);
}

/// No frame, no bytes: the C writes nothing for an empty queue either.
#[test]
fn an_empty_batch_is_nothing() {
    let mut statistics = Statistics::default();
    assert_eq!(encode(&[], &mut [], &mut statistics), Ok(0));
    assert_eq!(Batch::new(&mut [], &mut statistics).finish(), 0);
    assert_eq!(encode_vectored(&[], &mut [[0; 4]], &mut [], &mut statistics), Ok(0));
    assert_eq!(statistics, Statistics::default());
}

/// A frame that no receiver takes does not go out, the others do, and the loss is counted.
#[test]
fn oversize_frames_stay_here() {
    let frames: [&[u8]; 4] = [&[1; 1600], &[2; 1601], &[3; 3201], b"d"];
    let mut out = [0; 2000];
    let mut statistics = Statistics::default();
    let size = encode(&frames, &mut out, &mut statistics).unwrap();
    let expected = [words(&[2, 1600]), vec![1; 1600], words(&[1]), b"d".to_vec()].concat();
    assert_eq!(&out[..size], expected);
    assert_eq!(statistics.dropped(DropReason::Oversize), 2);

    let (mut headers, mut slices) = ([[0; 4]; 5], [IoSlice::new(&[]); 8]);
    let mut statistics = Statistics::default();
    let used = encode_vectored(&frames, &mut headers, &mut slices, &mut statistics).unwrap();
    assert_eq!(joined(&slices[..used]), expected);
    assert_eq!(statistics.dropped(DropReason::Oversize), 2);

    let mut statistics = Statistics::default();
    let mut batch = Batch::new(&mut out, &mut statistics);
    assert_eq!(batch.push(&[0; MAX_PACKET_SIZE + 1]), Err(PushError::Oversize));
    assert_eq!(batch.commit(MAX_PACKET_SIZE + 1), Err(PushError::Oversize));
    assert_eq!(batch.finish(), 0);
    assert_eq!(statistics.dropped(DropReason::Oversize), 2);
}

/// One byte too few is refused as a whole; exactly enough is enough.
#[test]
fn buffers_of_every_size() {
    let frames: [&[u8]; 3] = [b"abc", b"", b"defgh"];
    for available in 0..=30 {
        let mut out = vec![0xee; available];
        let mut statistics = Statistics::default();
        let result = encode(&frames, &mut out, &mut statistics);
        if available < 24 {
            assert_eq!(result, Err(BufferTooSmall { needed: 24, available }));
            assert!(out.iter().all(|&byte| byte == 0xee));
            assert_eq!(statistics, Statistics::default());
        } else {
            assert_eq!(result, Ok(24));
        }

        let mut batch = Batch::new(&mut out, &mut statistics);
        let pushed = frames.map(|frame| batch.push(frame));
        let fits = |end: usize| if end <= available { Ok(()) } else { Err(PushError::Full) };
        // A short frame may still fit where a longer one did not.
        let second = if available >= 11 { fits(15) } else { fits(8) };
        assert_eq!(pushed[..2], [fits(11), second], "{available} bytes");
        let room = batch.room().len();
        assert_eq!(batch.commit(room + 1), Err(PushError::Full), "{available} bytes");
    }
    for (headers, slices) in [(3, 6), (4, 5), (0, 0)] {
        let (mut headers, mut slices) = (vec![[0; 4]; headers], vec![IoSlice::new(&[]); slices]);
        assert!(encode_vectored(&frames, &mut headers, &mut slices, &mut Statistics::default()).is_err());
    }
}

/// Compressed frames go straight into the buffer, and come out again.
#[test]
fn a_compressed_batch() {
    let frames: [Vec<u8>; 3] = [vec![0; 1600], (0..=255).collect(), b"short".to_vec()];
    let mut compressor = Compressor::new();
    let mut out = [0; 4096];
    let mut statistics = Statistics::default();
    let mut batch = Batch::new(&mut out, &mut statistics);
    for frame in &frames {
        batch.push_compressed(frame, &mut compressor).unwrap();
    }
    let oversize = batch.push_compressed(&[0; 1601], &mut compressor);
    assert_eq!(oversize, Err(PushError::Oversize));
    let size = batch.finish();
    assert_eq!(statistics.total_size(), 4 + 12 + 1600 + 256 + 5);
    assert_eq!(statistics.total_size_real(), size as u64);
    let seen = decode_chunks(&mut Decoder::new(true), [&out[..size]]);
    assert_eq!(seen, frames.clone().map(Seen::Frame));

    let mut batch = Batch::new(&mut out[..20], &mut statistics);
    assert_eq!(batch.push_compressed(&frames[1], &mut compressor), Err(PushError::Full));
    assert_eq!(batch.finish(), 0);
}

/// `stream` in pieces of the given sizes, over and over.
fn cut<'s>(stream: &'s [u8], sizes: &[usize]) -> Vec<&'s [u8]> {
    let mut chunks = Vec::new();
    let mut rest = stream;
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, tail) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk);
        rest = tail;
    }
    chunks
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![1..80usize, 1500..=1600usize, Just(1514), Just(1600)];
    (size, any::<u8>())
        .prop_map(|(size, first)| (0..size).map(|index| first.wrapping_add((index % 251) as u8)).collect())
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..8usize, 1..3000usize], 1..12)
}

/// Bytes that look like a stream often enough to reach every part of the decoder.
fn almost_a_stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => prop_oneof![0..5u32, 1590..1610u32, 3195..3205u32, 505..515u32, Just(KEEP_ALIVE_MAGIC)]
            .prop_map(|word| word.to_be_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..3300usize).prop_map(|size| vec![0; size]),
        1 => prop::collection::vec(frame(), 0..4).prop_map(|frames| {
            encoded(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>())
        }),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    /// What is encoded in batches is decoded again, however it is cut.
    #[test]
    fn decode_undoes_encode(
        batches in prop::collection::vec(prop::collection::vec(frame(), 0..20), 0..4),
        cuts in cuts(),
    ) {
        let stream: Vec<u8> = batches.iter().flat_map(|frames| {
            encoded(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>())
        }).collect();
        let expected: Vec<Seen> = batches.into_iter().flatten().map(Seen::Frame).collect();
        let mut decoder = Decoder::new(false);
        prop_assert_eq!(&decode_chunks(&mut decoder, cut(&stream, &cuts)), &expected);
        prop_assert_eq!(decoder.statistics().total_size(), stream.len() as u64);
        prop_assert_eq!(&decode_slices(cut(&stream, &cuts)), &expected);
    }

    /// The vectored and the copied form are the same bytes and the same counters.
    #[test]
    fn vectored_equals_copied(frames in prop::collection::vec(
        prop_oneof![4 => frame(), 1 => (0..4000usize).prop_map(|size| vec![1; size])], 0..20,
    )) {
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let mut copied = vec![0; encoded_len(frames.iter().map(|frame| frame.len()))];
        let (mut by_copy, mut by_slice) = (Statistics::default(), Statistics::default());
        prop_assert_eq!(encode(&frames, &mut copied, &mut by_copy), Ok(copied.len()));
        let mut headers = vec![[0; 4]; frames.len() + 1];
        let mut slices = vec![IoSlice::new(&[]); 2 * frames.len()];
        let used = encode_vectored(&frames, &mut headers, &mut slices, &mut by_slice).unwrap();
        prop_assert_eq!(joined(&slices[..used]), copied);
        prop_assert_eq!(by_copy, by_slice);
    }

    /// Arbitrary bytes never panic, never give more than the limits, and mean the same however they are cut.
    #[test]
    fn arbitrary_bytes_keep_the_limits(stream in almost_a_stream(), cuts in cuts(), use_compress: bool) {
        let mut decoder = Decoder::new(use_compress);
        let seen = decode_chunks(&mut decoder, cut(&stream, &cuts));
        for event in &seen {
            match event {
                Seen::Frame(frame) => prop_assert!((1..=MAX_PACKET_SIZE).contains(&frame.len())),
                Seen::KeepAlive(body, _) => prop_assert!(body.len() <= MAX_KEEPALIVE_SIZE),
                Seen::Dropped(_, size) => prop_assert!((1..=MAX_BLOCK_SIZE).contains(size)),
                Seen::Error(_) => {}
            }
        }
        prop_assert!(decoder.statistics().total_size_real() <= stream.len() as u64);
        prop_assert_eq!(&decode_chunks(&mut Decoder::new(use_compress), [&stream[..]]), &seen);
        if !use_compress {
            prop_assert_eq!(&decode_slices(cut(&stream, &cuts)), &seen);
        }
    }

    /// A used decoder behaves as a new one once a batch is complete.
    #[test]
    fn batches_do_not_depend_on_each_other(first in frame(), second in frame()) {
        let mut decoder = Decoder::new(false);
        decode_chunks(&mut decoder, [&encoded(&[&first])[..]]);
        prop_assert_eq!(decode_chunks(&mut decoder, [&encoded(&[&second])[..]]), [Seen::Frame(second)]);
    }
}
