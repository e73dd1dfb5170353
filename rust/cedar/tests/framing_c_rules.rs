//! `cedar::framing` against the rules of the C, written down line by line: the receiving loop of `ConnectionReceive`
//! with its modes and its FIFO, and the writing order of `ConnectionSend`. The C itself is compared in `ab-bench`;
//! this here needs no C, and says in Rust what the C's rules are, its errors included.

use cedar::framing::wire::{KEEP_ALIVE_MAGIC, MAX_KEEPALIVE_SIZE, MAX_PACKET_SIZE};
use cedar::framing::{Compressor, Decoder, Decompressor, Event, Statistics, calc_compress, encode};
use mayaqua::fifo::Fifo;
use mayaqua::memory::endian32;
use proptest::prelude::*;

/// What leaves the receiving loop.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Frame(Vec<u8>),
    Dropped(usize),
    KeepAlive(Option<u16>),
    Disconnect,
}

/// The members of `TCPSOCK` and `SESSION` that the receiving loop uses, under their own names.
struct CReceiver {
    recv_fifo: Fifo,
    want_size: u32,
    mode: u32,
    next_block_num: u32,
    next_block_size: u32,
    current_packet_num: u32,
    use_compress: bool,
    total_recv_size: u64,
    total_recv_size_real: u64,
    seen: Vec<Seen>,
}

impl CReceiver {
    fn new(use_compress: bool) -> Self {
        Self {
            recv_fifo: Fifo::new(),
            want_size: 4,
            mode: 0,
            next_block_num: 0,
            next_block_size: 0,
            current_packet_num: 0,
            use_compress,
            total_recv_size: 0,
            total_recv_size_real: 0,
            seen: Vec::new(),
        }
    }

    /// "process the data written to FIFO", Cedar/Connection.c.
    fn receive(&mut self, data: &[u8]) {
        self.recv_fifo.write(data).unwrap();
        while self.recv_fifo.size() >= self.want_size {
            match self.mode {
                0 => self.count(),
                1 => self.block_size(),
                2 => self.block_body(),
                3 => self.keep_alive_size(),
                _ => self.keep_alive_body(),
            }
        }
        self.recv_fifo.shrink();
    }

    fn word(&mut self) -> u32 {
        let mut word = [0; 4];
        self.recv_fifo.read(&mut word);
        self.total_recv_size += 4;
        self.total_recv_size_real += 4;
        endian32(u32::from_ne_bytes(word))
    }

    fn count(&mut self) {
        self.want_size = 4;
        self.next_block_num = self.word();
        self.current_packet_num = 0;
        if self.next_block_num != 0 {
            self.mode = if self.next_block_num == KEEP_ALIVE_MAGIC { 3 } else { 1 };
        }
    }

    fn block_size(&mut self) {
        let sz = self.word();
        if sz > 3200 {
            self.seen.push(Seen::Disconnect);
        }
        self.next_block_size = sz.min(3200);
        self.want_size = self.next_block_size;
        if self.want_size != 0 {
            self.mode = 2;
        } else {
            self.mode = 1;
            self.want_size = 4;
            self.current_packet_num += 1;
            if self.current_packet_num >= self.next_block_num {
                self.mode = 0;
            }
        }
    }

    fn block_body(&mut self) {
        self.want_size = 4;
        self.current_packet_num += 1;
        let mut data = vec![0; self.next_block_size as usize];
        self.recv_fifo.read(&mut data);
        let block = if self.use_compress { expand(&data) } else { data.clone() };
        if block.len() > MAX_PACKET_SIZE {
            self.seen.push(Seen::Dropped(block.len()));
        } else {
            self.total_recv_size_real += data.len() as u64;
            self.total_recv_size += block.len() as u64;
            self.seen.push(Seen::Frame(block));
        }
        self.mode = if self.current_packet_num >= self.next_block_num { 0 } else { 1 };
    }

    fn keep_alive_size(&mut self) {
        self.mode = 4;
        let sz = self.word();
        if sz as usize > MAX_KEEPALIVE_SIZE {
            self.seen.push(Seen::Disconnect);
        }
        self.next_block_size = sz.min(512);
        self.want_size = sz;
    }

    fn keep_alive_body(&mut self) {
        self.mode = 0;
        let mut body = vec![0; self.next_block_size as usize];
        self.recv_fifo.read(&mut body);
        let mut port = None;
        if body.len() >= 14 && &body[..12] == b"NATT_MY_PORT" {
            let us = u16::from_be_bytes([body[12], body[13]]);
            if us != 0 {
                port = Some(us);
            }
        }
        self.seen.push(Seen::KeepAlive(port));
        self.total_recv_size += body.len() as u64;
        self.total_recv_size_real += body.len() as u64;
        self.want_size = 4;
    }
}

/// `NewBlock(data, size, -1)`: a body that cannot be expanded becomes an empty block.
fn expand(data: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; MAX_PACKET_SIZE];
    let size = Decompressor::new().uncompress(data, &mut frame);
    frame.truncate(size);
    frame
}

/// The order of `WriteSendFifo` in the TCP branch of `ConnectionSend`.
fn c_send(frames: &[&[u8]]) -> Vec<u8> {
    let mut out = (frames.len() as u32).to_be_bytes().to_vec();
    for frame in frames {
        out.extend_from_slice(&(frame.len() as u32).to_be_bytes());
        out.extend_from_slice(frame);
    }
    if frames.is_empty() { Vec::new() } else { out }
}

/// What the Rust decoder sees, in the words of the model.
fn rust_seen(decoder: &mut Decoder, mut chunk: &[u8], seen: &mut Vec<Seen>) {
    loop {
        seen.push(match decoder.decode(&mut chunk) {
            Ok(Some(Event::Frame(frame))) => Seen::Frame(frame.to_vec()),
            Ok(Some(Event::Dropped { size, .. })) => Seen::Dropped(size),
            Ok(Some(Event::KeepAlive(keep_alive))) => Seen::KeepAlive(keep_alive.nat_t_port().map(u16::from)),
            Ok(None) => return,
            Err(_) => return seen.push(Seen::Disconnect),
        });
    }
}

/// One well-formed part of a stream; blocks may be empty or oversize.
fn part(use_compress: bool) -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![0..3usize, 10..90usize, 1400..1610usize, 3190..=3200usize];
    let body = (size, any::<u8>()).prop_map(move |(size, fill)| {
        if !use_compress || size == 0 {
            return vec![fill; size];
        }
        let frame = vec![fill; size.min(MAX_PACKET_SIZE)];
        let mut out = vec![0; calc_compress(frame.len() as u32) as usize];
        let size = Compressor::new().compress(&frame, &mut out);
        out.truncate(size);
        out
    });
    let blocks = prop::collection::vec(body, 0..12).prop_map(|blocks| {
        let count = (blocks.len() as u32).to_be_bytes().to_vec();
        blocks.into_iter().fold(count, |mut out, block| {
            out.extend((block.len() as u32).to_be_bytes());
            out.extend(block);
            out
        })
    });
    let padding = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..=512),
        any::<u16>().prop_map(|port| [b"NATT_MY_PORT", &port.to_be_bytes()[..], b"..."].concat()),
        (0..14usize).prop_map(|cut| b"NATT_MY_PORT\x01\x02"[..cut].to_vec()),
    ];
    let keep_alive = padding
        .prop_map(|body| [&KEEP_ALIVE_MAGIC.to_be_bytes(), &(body.len() as u32).to_be_bytes(), &body[..]].concat());
    prop_oneof![3 => blocks, 1 => keep_alive]
}

fn streams() -> impl Strategy<Value = (bool, Vec<u8>)> {
    any::<bool>().prop_flat_map(|use_compress| {
        prop::collection::vec(part(use_compress), 0..10).prop_map(move |parts| (use_compress, parts.concat()))
    })
}

proptest! {
    /// On a stream that keeps the protocol both see the same after every chunk, and count the same bytes.
    #[test]
    fn same_events_and_totals((use_compress, stream) in streams(), chunk in 1..4000usize) {
        let mut c = CReceiver::new(use_compress);
        let mut decoder = Decoder::new(use_compress);
        let mut rust = Vec::new();
        for chunk in stream.chunks(chunk) {
            c.receive(chunk);
            rust_seen(&mut decoder, chunk, &mut rust);
            prop_assert_eq!(&rust, &c.seen);
            let statistics = decoder.statistics();
            prop_assert_eq!(statistics.total_size(), c.total_recv_size);
            prop_assert_eq!(statistics.total_size_real(), c.total_recv_size_real);
        }
    }

    /// On any bytes both see the same up to the first breach of the protocol, and Rust sees nothing behind it.
    #[test]
    fn same_events_up_to_an_error(
        (_, mut stream) in streams(),
        tail in prop::collection::vec(any::<u8>(), 0..5000),
        chunk in 1..4000usize,
    ) {
        stream.extend(tail);
        let (mut c, mut decoder, mut rust) = (CReceiver::new(false), Decoder::new(false), Vec::new());
        for chunk in stream.chunks(chunk) {
            c.receive(chunk);
            if rust.last() != Some(&Seen::Disconnect) {
                rust_seen(&mut decoder, chunk, &mut rust);
            }
        }
        let until_error = c.seen.iter().position(|seen| *seen == Seen::Disconnect).map_or(c.seen.len(), |at| at + 1);
        prop_assert_eq!(&rust[..], &c.seen[..until_error]);
    }

    /// A batch is the same bytes that the C writes to its FIFO.
    #[test]
    fn same_bytes_sent(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..=1600), 0..20)) {
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let expected = c_send(&frames);
        let mut out = vec![0; expected.len()];
        prop_assert_eq!(encode(&frames, &mut out, &mut Statistics::default()), Ok(expected.len()));
        prop_assert_eq!(out, expected);
    }
}

/// Known difference `parse-after-error`: the rules of the C go on behind an oversize block.
#[test]
fn the_c_parses_on_after_an_oversize_block() {
    let mut stream = [0, 0, 0, 1, 0, 0, 0x0c, 0x81].to_vec();
    stream.extend([0; 3200]);
    stream.extend(c_send(&[b"smuggled"]));
    let mut c = CReceiver::new(false);
    c.receive(&stream);
    let smuggled = Seen::Frame(b"smuggled".to_vec());
    assert_eq!(c.seen, [Seen::Disconnect, Seen::Dropped(3200), smuggled]);
    let mut rust = Vec::new();
    rust_seen(&mut Decoder::new(false), &stream, &mut rust);
    assert_eq!(rust, [Seen::Disconnect]);
}

/// Known difference `keep-alive-desync`: after an oversize keep-alive the C waits for all of it and takes 512 bytes.
#[test]
fn the_c_loses_its_place_after_an_oversize_keep_alive() {
    let mut stream = [0xff, 0xff, 0xff, 0xff, 0, 0, 0x02, 0x10].to_vec();
    stream.extend([0; 512]);
    stream.extend(c_send(&[b"smuggled"]));
    assert_eq!(stream.len(), 8 + 528);
    let mut c = CReceiver::new(false);
    c.receive(&stream);
    let smuggled = Seen::Frame(b"smuggled".to_vec());
    assert_eq!(c.seen, [Seen::Disconnect, Seen::KeepAlive(None), smuggled]);
}

/// Known difference `expand-failed`: the C delivers an empty frame for a body that is no zlib stream.
#[test]
fn the_c_delivers_an_empty_frame_for_a_bad_stream() {
    let stream = c_send(&[b"no zlib stream"]);
    let mut c = CReceiver::new(true);
    c.receive(&stream);
    assert_eq!(c.seen, [Seen::Frame(vec![])]);
    let mut rust = Vec::new();
    rust_seen(&mut Decoder::new(true), &stream, &mut rust);
    assert_eq!(rust, [Seen::Dropped(14)]);
}
