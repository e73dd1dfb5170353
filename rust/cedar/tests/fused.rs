//! The fused path between a card in memory and a peer on loopback TCP, which is this crate's own other side: frames both
//! ways, back-pressure, what ends a connection, keep-alives, and no memory taken per frame.
#![cfg(target_os = "linux")]

use cedar::adapter::{Device, Error, Frames, Offloaded, Offloads, Span, WriteError};
use cedar::framing::{Batch, Decoder, Event, ProtocolError, Statistics};
use cedar::fused::{Datagrams, Keeping, LINKS_MAX, Link, Lost, Path, Pause, Protection, Terms};
use cedar::session::{Direction, Role, TcpSock};
use cedar::tls::{self, FRAGMENT_MAX, Keys, Sealer, Side, Suite};
use rustix::event::{EventfdFlags, eventfd};
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A card whose other side is the test.
#[derive(Clone, Debug)]
struct Card(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    readable: OwnedFd,
    queues: Mutex<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    to_read: VecDeque<Vec<u8>>,
    written: VecDeque<Vec<u8>>,
    is_gone: bool,
    /// Written frames are only counted, so that the card itself allocates nothing.
    counts_only: bool,
    count: usize,
}

impl Card {
    fn new() -> Self {
        let readable = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        Self(Arc::new(Inner { readable, queues: Mutex::default() }))
    }

    fn queues<R>(&self, see: impl FnOnce(&mut Queues) -> R) -> R {
        see(&mut self.0.queues.lock().unwrap())
    }

    fn give(&self, frames: impl IntoIterator<Item = Vec<u8>>) {
        self.queues(|queues| queues.to_read.extend(frames));
        self.signal();
    }

    fn signal(&self) {
        rustix::io::write(&self.0.readable, &1u64.to_ne_bytes()).unwrap();
    }

    fn written(&self) -> usize {
        self.queues(|queues| queues.written.len() + queues.count)
    }
}

impl Device for Card {
    fn offloads(&self) -> Offloads {
        Offloads::default()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        self.queues(|queues| {
            if queues.is_gone {
                return Err(Error::Gone);
            }
            let Some(frame) = queues.to_read.pop_front() else {
                let _ = rustix::io::read(&self.0.readable, &mut [0; 8]);
                return Ok(None);
            };
            buffer[..frame.len()].copy_from_slice(&frame);
            Ok(Some(frame.len()))
        })
    }

    fn write(&mut self, parts: &[IoSlice<'_>]) -> Result<(), WriteError> {
        self.queues(|queues| {
            if queues.counts_only {
                queues.count += 1;
            } else {
                queues.written.push_back(parts.iter().flat_map(|part| part.iter().copied()).collect());
            }
        });
        Ok(())
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.readable.as_fd())
    }
}

/// The server's end of one connection.
struct Peer {
    socket: TcpStream,
    keys: Option<Keys>,
    wire: Vec<u8>,
    decoder: Decoder,
    frames: Vec<Vec<u8>>,
    keep_alives: usize,
}

impl Peer {
    fn send_bytes(&mut self, plaintext: &[u8]) {
        let mut sealed = vec![0; Sealer::sealed_len_max(plaintext.len())];
        let bytes = match &mut self.keys {
            None => plaintext,
            Some(keys) => {
                let size = keys.sealer.seal_all(plaintext, &mut sealed).unwrap();
                &sealed[..size]
            }
        };
        self.socket.set_nonblocking(false).unwrap();
        self.socket.write_all(bytes).unwrap();
    }

    fn send(&mut self, frames: &[Vec<u8>]) {
        let mut out = vec![0; 4 + frames.iter().map(|frame| 4 + frame.len()).sum::<usize>()];
        let mut statistics = Statistics::default();
        let mut batch = Batch::new(&mut out, &mut statistics);
        frames.iter().for_each(|frame| batch.push(frame).unwrap());
        let size = batch.finish();
        self.send_bytes(&out[..size]);
    }

    /// Takes what has come. False: the connection is closed.
    fn receive(&mut self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let mut buffer = vec![0; 1 << 18];
        let is_open = loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => break false,
                Ok(size) => self.wire.extend_from_slice(&buffer[..size]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break true,
                Err(error) => panic!("the peer reads: {error}"),
            }
        };
        let plaintext = match &mut self.keys {
            None => std::mem::take(&mut self.wire),
            Some(keys) => {
                let mut out = vec![0; self.wire.len() + FRAGMENT_MAX];
                let opened = keys.opener.open_all(&self.wire, &mut out);
                self.wire.drain(..opened.taken);
                out.truncate(opened.plaintext);
                out
            }
        };
        let mut input = &plaintext[..];
        while let Some(event) = self.decoder.decode(&mut input).unwrap() {
            match event {
                Event::Frame(frame) => self.frames.push(frame.to_vec()),
                Event::KeepAlive(_) => self.keep_alives += 1,
                Event::Dropped { .. } => panic!("a frame too long"),
            }
        }
        is_open
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Clear,
    Tls(Suite, bool),
}

impl Kind {
    fn keys(self, side: Side) -> Option<Keys> {
        let Self::Tls(suite, is_tls13) = self else { return None };
        let secret = vec![7; if suite == Suite::Aes256Gcm { 48 } else { 32 }];
        let other: Vec<u8> = secret.iter().map(|byte| byte ^ 1).collect();
        let keys = if is_tls13 {
            Keys::tls13(suite, side, [&secret, &other], [0, 0])
        } else {
            Keys::tls12(suite, side, &[9; 48], [&[1; 32], &[2; 32]], [1, 1])
        };
        Some(keys.unwrap())
    }
}

const TERMS: Terms = Terms { role: Role::Client, timeout_ms: 30_000, use_compress: false, use_qos: false };

fn connect(id: usize, kind: Kind, terms: Terms) -> (Link, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let protection = kind.keys(Side::Client).map_or(Protection::Clear, |keys| Protection::Tls(Box::new(keys)));
    let mut timers = TcpSock::new(Direction::Both, 0);
    timers.next_keep_alive_time = 1_000_000;
    let link = Link::new(id, near.into(), protection, timers, terms.use_compress, &[]);
    let peer = Peer {
        socket: far,
        keys: kind.keys(Side::Server),
        wire: Vec::new(),
        decoder: Decoder::new(terms.use_compress),
        frames: Vec::new(),
        keep_alives: 0,
    };
    (link, peer)
}

fn frame(number: usize, size: usize) -> Vec<u8> {
    let mut frame = vec![number as u8; size];
    frame[..8].copy_from_slice(&[2, 0, 0, 0, 0, (number >> 16) as u8, (number >> 8) as u8, number as u8]);
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    frame
}

fn frames(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| frame(number, 14 + number * 37 % 1501)).collect()
}

/// Milliseconds since the tests began.
fn clock() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(BEGUN.get_or_init(Instant::now).elapsed().as_millis()).unwrap()
}

/// Lets the path run for a moment.
fn run(path: &mut Path<'_, Card>, milliseconds: u64) -> Pause {
    let mut random = || 4;
    let mut keeping = Keeping { now: 0, random: &mut random, nat_t_port: None, is_port_new: false, is_udp_near: false };
    path.run(&[], clock() + milliseconds, clock, &mut keeping)
}

/// Runs the path until something is so.
fn run_until(path: &mut Path<'_, Card>, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "it did not come");
        assert_eq!(run(path, 5), Pause::Due);
        path.take_passed();
    }
}

fn kinds() -> impl Iterator<Item = Kind> {
    let tls = Suite::ALL.into_iter().flat_map(|suite| [Kind::Tls(suite, true), Kind::Tls(suite, false)]);
    std::iter::once(Kind::Clear).chain(tls)
}

#[test]
fn frames_pass_both_ways_unchanged_and_in_order() {
    for kind in kinds() {
        for use_compress in [false, true] {
            let terms = Terms { use_compress, ..TERMS };
            let card = Card::new();
            let mut adapter = Offloaded::new(card.clone());
            let mut path = Path::new(&mut adapter, terms);
            let (link, mut peer) = connect(1, kind, terms);
            assert!(path.add(link));
            let sent = frames(2000);
            card.give(sent.clone());
            run_until(&mut path, || peer.receive() && peer.frames.len() == sent.len());
            assert_eq!(peer.frames, sent, "up, {kind:?}, compression {use_compress}");
            if !use_compress {
                for part in sent.chunks(700) {
                    peer.send(part);
                    let wanted = card.written() + part.len();
                    run_until(&mut path, || card.written() == wanted);
                }
                let written: Vec<_> = card.queues(|queues| queues.written.drain(..).collect());
                assert_eq!(written, sent, "down, {kind:?}");
            }
        }
    }
}

/// While the peer takes nothing, little is read from the card, nothing is lost, and all arrives when it takes again.
#[test]
fn a_full_connection_holds_the_card_back() {
    let card = Card::new();
    let mut adapter = Offloaded::new(card.clone());
    let mut path = Path::new(&mut adapter, TERMS);
    let (link, mut peer) = connect(1, Kind::Tls(Suite::Aes256Gcm, true), TERMS);
    assert!(path.add(link));
    let sent: Vec<_> = (0..30_000).map(|number| frame(number, 1514)).collect();
    card.give(sent.clone());
    for _ in 0..100 {
        run(&mut path, 5);
        path.take_passed();
    }
    let left = card.queues(|queues| queues.to_read.len());
    assert!(left > 10_000, "{left} of {} frames are still the card's", sent.len());
    run_until(&mut path, || peer.receive() && peer.frames.len() == sent.len());
    assert_eq!(peer.frames, sent);
}

#[test]
fn as_many_connections_as_a_session_may_have() {
    let card = Card::new();
    let mut adapter = Offloaded::new(card.clone());
    let mut path = Path::new(&mut adapter, TERMS);
    let mut peers: Vec<Peer> = (0..LINKS_MAX)
        .map(|id| {
            let (link, peer) = connect(id, Kind::Tls(Suite::Aes128Gcm, true), TERMS);
            assert!(path.add(link));
            peer
        })
        .collect();
    assert!(!path.add(connect(99, Kind::Clear, TERMS).0), "no more than that");
    let sent = frames(20 * LINKS_MAX);
    for (peer, part) in peers.iter_mut().zip(sent.chunks(20)) {
        peer.send(part);
    }
    run_until(&mut path, || card.written() == sent.len());
    let mut written: Vec<_> = card.queues(|queues| queues.written.drain(..).collect());
    written.sort();
    let mut expected = sent.clone();
    expected.sort();
    assert_eq!(written, expected);
    // Taken out in the middle: the others go on.
    path.remove(LINKS_MAX - 1);
    path.remove(0);
    card.give(sent.clone());
    let mut all = 0;
    run_until(&mut path, || {
        all = peers.iter_mut().map(|peer| (peer.receive(), peer.frames.len()).1).sum();
        all == sent.len()
    });
    assert_eq!(peers[0].frames.len() + peers[LINKS_MAX - 1].frames.len(), 0);
}

#[test]
fn with_qos_the_last_connection_is_for_urgent_frames() {
    let terms = Terms { use_qos: true, ..TERMS };
    let card = Card::new();
    let mut adapter = Offloaded::new(card.clone());
    let mut path = Path::new(&mut adapter, terms);
    let mut peers: Vec<Peer> = (0..3)
        .map(|id| {
            let (link, peer) = connect(id, Kind::Clear, terms);
            assert!(path.add(link));
            peer
        })
        .collect();
    let mut sent = frames(100);
    for frame in sent.iter_mut().step_by(3) {
        frame.resize(60, 0);
        frame[12..16].copy_from_slice(&[0x08, 0x00, 0x45, 0x10]);
    }
    card.give(sent.clone());
    run_until(&mut path, || peers.iter_mut().map(|peer| (peer.receive(), peer.frames.len()).1).sum::<usize>() == 100);
    let urgent: Vec<_> = sent.iter().step_by(3).cloned().collect();
    assert_eq!(peers[2].frames, urgent);
}

#[test]
fn urgent_frames_pass_while_the_others_are_blocked() {
    let terms = Terms { use_qos: true, ..TERMS };
    let card = Card::new();
    let mut adapter = Offloaded::new(card.clone());
    let mut path = Path::new(&mut adapter, terms);
    let [(first, mut normal), (second, mut urgent)] = [0, 1].map(|id| connect(id, Kind::Clear, terms));
    assert!(path.add(first) && path.add(second));
    // The first peer reads nothing: what the kernel and the path hold is full in the end, and the rest is counted as lost.
    let mut given = 0;
    let mut lost = 0;
    let deadline = Instant::now() + Duration::from_secs(20);
    while lost == 0 {
        card.give((given..given + 500).map(|number| frame(number, 1400)));
        given += 500;
        while card.queues(|queues| !queues.to_read.is_empty()) {
            assert!(Instant::now() < deadline, "the card is not read any more");
            assert_eq!(run(&mut path, 2), Pause::Due);
            lost += path.take_passed().drops().map(|(_, frames)| frames).sum::<u64>();
        }
        assert!(given < 100_000, "nothing is full");
    }
    let mut call = frame(7, 60);
    call[12..16].copy_from_slice(&[0x08, 0x00, 0x45, 0x10]);
    card.give([call.clone()]);
    run_until(&mut path, || urgent.receive() && urgent.frames.len() == 1);
    assert_eq!(urgent.frames, [call]);
    // It reads again: everything that was held comes, in order.
    let expected = given - usize::try_from(lost).unwrap();
    run_until(&mut path, || normal.receive() && normal.frames.len() == expected);
    assert!(normal.frames.is_sorted(), "frames keep their order");
}

#[test]
fn what_ends_a_connection_is_told() {
    type Case = (&'static str, Kind, fn(&mut Peer), fn(Lost) -> bool);
    let cases: [Case; 7] = [
        ("close", Kind::Clear, |peer| peer.socket.shutdown(Shutdown::Write).unwrap(), |lost| lost == Lost::Closed),
        (
            "close_notify",
            Kind::Tls(Suite::Aes256Gcm, true),
            |peer| {
                let mut out = [0; 64];
                let size = peer.keys.as_mut().unwrap().sealer.seal_close_notify(&mut out).unwrap();
                peer.socket.write_all(&out[..size]).unwrap();
            },
            |lost| lost == Lost::Closed,
        ),
        (
            "reset",
            Kind::Clear,
            |peer| {
                let replaced = TcpListener::bind("127.0.0.1:0").unwrap();
                let other = TcpStream::connect(replaced.local_addr().unwrap()).unwrap();
                let socket = std::mem::replace(&mut peer.socket, other);
                socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
            },
            |lost| matches!(lost, Lost::System(_)),
        ),
        (
            "a block too large",
            Kind::Clear,
            |peer| peer.send_bytes(&[0, 0, 0, 1, 0, 0, 0x0c, 0x81]),
            |lost| lost == Lost::Protocol(ProtocolError::BlockTooLarge { size: 3201 }),
        ),
        (
            "a keep-alive too large",
            Kind::Tls(Suite::Aes128Gcm, true),
            |peer| peer.send_bytes(&[0xff, 0xff, 0xff, 0xff, 0, 0, 2, 1]),
            |lost| lost == Lost::Protocol(ProtocolError::KeepAliveTooLarge { size: 513 }),
        ),
        (
            "a changed record",
            Kind::Tls(Suite::Aes256Gcm, true),
            |peer| {
                let mut out = [0; 256];
                let size = peer.keys.as_mut().unwrap().sealer.seal_all(&[1; 50], &mut out).unwrap();
                out[20] ^= 1;
                peer.socket.write_all(&out[..size]).unwrap();
            },
            |lost| lost == Lost::Tls(tls::Error::BadRecordMac),
        ),
        (
            "no record at all",
            Kind::Tls(Suite::Aes256Gcm, false),
            |peer| peer.socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap(),
            |lost| matches!(lost, Lost::Tls(_)),
        ),
    ];
    for (case, kind, act, is_right) in cases {
        let card = Card::new();
        let mut adapter = Offloaded::new(card.clone());
        let mut path = Path::new(&mut adapter, TERMS);
        let (link, mut peer) = connect(5, kind, TERMS);
        assert!(path.add(link));
        let (other, mut other_peer) = connect(6, kind, TERMS);
        assert!(path.add(other));
        // What came before the end is delivered.
        peer.send(&frames(10));
        act(&mut peer);
        let deadline = Instant::now() + Duration::from_secs(10);
        while run(&mut path, 5) != Pause::Lost {
            assert!(Instant::now() < deadline, "{case}: not noticed");
        }
        let lost: Vec<_> = path.links().iter().filter_map(|link| Some((link.id(), link.lost()?))).collect();
        assert!(lost.len() == 1 && lost[0].0 == 5 && is_right(lost[0].1), "{case}: {lost:?}");
        if case != "reset" {
            assert_eq!(card.written(), 10, "{case}");
        }
        path.remove(5);
        // The other connection goes on.
        other_peer.send(&frames(10));
        let wanted = card.written() + 10;
        run_until(&mut path, || card.written() == wanted);
    }
}

#[test]
fn a_card_that_is_gone_ends_the_path() {
    let card = Card::new();
    let mut adapter = Offloaded::new(card.clone());
    let mut path = Path::new(&mut adapter, TERMS);
    let (link, _peer) = connect(1, Kind::Clear, TERMS);
    assert!(path.add(link));
    assert_eq!(run(&mut path, 5), Pause::Due);
    card.queues(|queues| queues.is_gone = true);
    card.signal();
    assert_eq!(run(&mut path, 5), Pause::Adapter(Error::Gone));
}

#[test]
fn keep_alives_are_sent_when_due_and_what_wakes_returns() {
    let card = Card::new();
    let mut adapter = Offloaded::new(card.clone());
    let mut path = Path::new(&mut adapter, TERMS);
    let (mut links, mut peers) = (Vec::new(), Vec::new());
    for id in 0..2 {
        let (link, peer) = connect(id, Kind::Tls(Suite::Aes256Gcm, true), TERMS);
        links.push(link);
        peers.push(peer);
    }
    links.into_iter().for_each(|link| assert!(path.add(link)));
    let mut random = || 4;
    let mut keeping =
        Keeping { now: 0, random: &mut random, nat_t_port: Some(5000), is_port_new: true, is_udp_near: false };
    let waker = eventfd(1, EventfdFlags::NONBLOCK).unwrap();
    assert_eq!(path.run(&[waker.as_fd()], 1000, || 999, &mut keeping), Pause::Woken);
    assert_eq!(path.next_due(), 999 + 6000, "the next keep-alive");
    for peer in &mut peers {
        let deadline = Instant::now() + Duration::from_secs(10);
        while peer.keep_alives == 0 {
            assert!(Instant::now() < deadline, "no keep-alive");
            peer.receive();
        }
        assert_eq!(peer.keep_alives, 1, "a new port is told once");
    }
    // Not before its time, and then.
    assert_eq!(path.run(&[], 6998, || 6998, &mut keeping), Pause::Due);
    assert_eq!(path.run(&[], 6999, || 6999, &mut keeping), Pause::Due);
    assert_eq!(path.next_due(), 6999 + 6000);
}

#[test]
fn plaintext_that_came_with_the_login_is_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    let card = Card::new();
    let mut adapter = Offloaded::new(card.clone());
    let mut path = Path::new(&mut adapter, TERMS);
    let mut bytes = vec![0, 0, 0, 2, 0, 0, 0, 60];
    bytes.extend_from_slice(&frame(1, 60));
    bytes.extend_from_slice(&[0, 0, 0, 20]);
    let timers = TcpSock { next_keep_alive_time: 1_000_000, ..TcpSock::new(Direction::Both, 0) };
    assert!(path.add(Link::new(1, near.into(), Protection::Clear, timers, false, &bytes)));
    run_until(&mut path, || card.written() == 1);
    far.write_all(&frame(2, 20)).unwrap();
    run_until(&mut path, || card.written() == 2);
    let written: Vec<_> = card.queues(|queues| queues.written.drain(..).collect());
    assert_eq!(written, [frame(1, 60), frame(2, 20)]);
}

/// UDP acceleration that is up or down as the test says.
#[derive(Clone)]
struct Air(Arc<(OwnedFd, Mutex<AirState>)>);

#[derive(Default)]
struct AirState {
    is_ready: bool,
    /// What fits into a datagram; `None`: everything.
    size_max: Option<usize>,
    to_receive: Vec<Vec<u8>>,
    kept: Vec<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

impl Datagrams for Air {
    fn socket(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }

    fn poll(&mut self, _: u64, each: &mut dyn FnMut(Frames<'_>)) {
        let _ = rustix::io::read(&self.0.0, &mut [0; 8]);
        // Some by themselves, some in pieces of several.
        for (size, frames) in [1, 7, 1, 40].into_iter().cycle().zip(self.0.1.lock().unwrap().to_receive.chunks(40)) {
            for frames in frames.chunks(size) {
                let ends = frames.iter().scan(0, |end, frame| {
                    *end += frame.len();
                    Some((*end, frame.len()))
                });
                let spans: Vec<_> = ends.map(|(end, len)| Span::new(end - len, len)).collect();
                each(Frames::new(&frames.concat(), &spans));
            }
        }
        self.0.1.lock().unwrap().to_receive.clear();
    }

    fn is_ready(&self) -> bool {
        self.0.1.lock().unwrap().is_ready
    }

    fn carries(&self, frame_size: usize) -> bool {
        self.0.1.lock().unwrap().size_max.is_none_or(|size_max| frame_size <= size_max)
    }

    fn send(&mut self, frame: &[u8]) {
        self.0.1.lock().unwrap().kept.push(frame.to_vec());
    }

    fn flush(&mut self) {
        let state = &mut *self.0.1.lock().unwrap();
        state.sent.append(&mut state.kept);
    }
}

#[test]
fn frames_go_as_datagrams_while_they_can() {
    let card = Card::new();
    let mut adapter = Offloaded::new(card.clone());
    let mut path = Path::new(&mut adapter, TERMS);
    let air = Air(Arc::new((eventfd(0, EventfdFlags::NONBLOCK).unwrap(), Mutex::default())));
    path.set_datagrams(air.clone());
    let (link, mut peer) = connect(1, Kind::Clear, TERMS);
    assert!(path.add(link));
    let sent = frames(1000);
    card.give(sent.clone());
    run_until(&mut path, || peer.receive() && peer.frames.len() == sent.len());
    air.0.1.lock().unwrap().is_ready = true;
    card.give(sent.clone());
    run_until(&mut path, || air.0.1.lock().unwrap().sent.len() == sent.len());
    assert_eq!(air.0.1.lock().unwrap().sent, sent);
    // Both ways at once, from both sources.
    air.0.1.lock().unwrap().to_receive = sent.clone();
    rustix::io::write(&air.0.0, &1u64.to_ne_bytes()).unwrap();
    peer.send(&sent);
    run_until(&mut path, || card.written() == 2 * sent.len());
    assert_eq!(peer.frames.len(), sent.len(), "no frame went both ways");
}

#[test]
fn frames_too_long_for_a_datagram_wait_for_their_connection() {
    const FRAMES: usize = 30_000;
    let card = Card::new();
    let mut adapter = Offloaded::new(card.clone());
    let mut path = Path::new(&mut adapter, TERMS);
    let air = Air(Arc::new((eventfd(0, EventfdFlags::NONBLOCK).unwrap(), Mutex::default())));
    *air.0.1.lock().unwrap() = AirState { is_ready: true, size_max: Some(1000), ..AirState::default() };
    path.set_datagrams(air.clone());
    let (link, mut peer) = connect(1, Kind::Clear, TERMS);
    assert!(path.add(link));
    card.give(frames(FRAMES));
    let mut dropped = 0;
    let mut turns = |path: &mut Path<'_, Card>, count| {
        for _ in 0..count {
            run(path, 5);
            dropped += path.take_passed().drops().map(|(_, frames)| frames).sum::<u64>();
        }
        dropped
    };
    // Nobody reads the connection: it fills, and then nothing is read from the TAP.
    turns(&mut path, 60);
    assert!(card.queues(|queues| !queues.to_read.is_empty()), "the connection takes all of it");
    let deadline = Instant::now() + Duration::from_secs(20);
    while peer.frames.len() + air.0.1.lock().unwrap().sent.len() < FRAMES {
        assert!(Instant::now() < deadline, "{} frames by TCP", peer.frames.len());
        assert!(peer.receive());
        assert_eq!(turns(&mut path, 1), 0, "frames are lost while the connection is blocked");
    }
    assert!(peer.frames.iter().all(|frame| frame.len() > 1000));
}

/// A hundred thousand frames each way, and not one allocation by the path.
#[test]
fn nothing_is_allocated_per_frame() {
    const FRAMES: usize = 100_000;
    let card = Card::new();
    let mut adapter = Offloaded::new(card.clone());
    let mut path = Path::new(&mut adapter, TERMS);
    let (link, mut peer) = connect(1, Kind::Tls(Suite::Aes256Gcm, true), TERMS);
    assert!(path.add(link));
    card.queues(|queues| queues.counts_only = true);
    // The peer sends from a thread of its own, and throws away what it gets.
    let mut sink = peer.socket.try_clone().unwrap();
    let draining = std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 18];
        while matches!(sink.read(&mut buffer), Ok(1..)) {}
    });
    let sending = std::thread::spawn(move || {
        let batch: Vec<_> = (0..100).map(|number| frame(number, 1514)).collect();
        for _ in 0..FRAMES / 100 {
            peer.send(&batch);
        }
        peer
    });
    card.give((0..FRAMES).map(|number| frame(number, 1514)));
    let mut passed = 0;
    let used = allocation_counter::measure(|| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while passed < FRAMES as u64 || card.written() < FRAMES {
            assert!(Instant::now() < deadline, "{passed} up, {} down", card.written());
            run(&mut path, 20);
            passed += path.take_passed().traffic.send.frames();
        }
    });
    assert_eq!(used.count_total, 0, "{} frames", 2 * FRAMES);
    drop(path);
    let peer = sending.join().unwrap();
    peer.socket.shutdown(Shutdown::Both).unwrap();
    draining.join().unwrap();
}
