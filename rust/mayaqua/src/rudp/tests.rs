//! Two sessions joined in memory, under a clock and a network of the tests: everything that happens follows from a seed.

use super::*;
use crate::crypto::SHA1_SIZE;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Numbers that follow from a seed (xorshift).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.next().to_le_bytes()[3]);
    }

    /// Whether something with so many chances of a hundred happens.
    fn happens(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// What the network does to datagrams, in chances of a hundred, and how many milliseconds they take at least and at most.
#[derive(Clone, Copy)]
struct Network {
    lost: u64,
    twice: u64,
    damaged: u64,
    delay: (u64, u64),
}

const GOOD: Network = Network { lost: 0, twice: 0, damaged: 0, delay: (10, 10) };
const BAD: Network = Network { lost: 25, twice: 20, damaged: 5, delay: (5, 120) };

fn client_address() -> SocketAddr {
    "192.0.2.1:1000".parse().unwrap()
}

fn server_address() -> SocketAddr {
    "192.0.2.2:5555".parse().unwrap()
}

/// Both ends and what is between them.
struct Pair {
    now: u64,
    draw: Draw,
    network: Network,
    client: Session,
    server: Option<Session>,
    /// By time and order: whether it goes to the server, and what.
    on_the_way: BTreeMap<(u64, u64), (bool, Vec<u8>)>,
    sent: u64,
}

impl Pair {
    fn new(seed: u64, network: Network) -> Self {
        let mut draw = Draw(seed);
        // Clocks do not begin at 0 for either side to see what a difference makes.
        let now = 1_000_000;
        let client = Session::connect(now, server_address(), Transport::Udp, &mut |bytes| draw.fill(bytes));
        Self { now, draw, network, client, server: None, on_the_way: BTreeMap::new(), sent: 0 }
    }

    fn established(seed: u64, network: Network) -> Self {
        let mut pair = Self::new(seed, network);
        pair.run_until(60_000, |pair| pair.client.status() == Status::Established);
        pair
    }

    fn server(&mut self) -> &mut Session {
        self.server.as_mut().expect("a server that was reached")
    }

    /// Puts datagrams on the way.
    fn post(&mut self, to_server: bool, datagrams: Vec<Vec<u8>>) {
        for mut datagram in datagrams {
            assert!(datagram.len() <= 1700, "a datagram of {} bytes", datagram.len());
            let copies = 1 + u64::from(self.draw.happens(self.network.twice));
            for _ in 0..copies {
                let (least, most) = self.network.delay;
                let arrives = self.now + least + self.draw.next() % (most - least + 1);
                self.sent += 1;
                if self.draw.happens(self.network.damaged) {
                    let at = self.draw.next() as usize % datagram.len();
                    datagram[at] ^= 1;
                }
                if !self.draw.happens(self.network.lost) {
                    self.on_the_way.insert((arrives, self.sent), (to_server, datagram.clone()));
                }
            }
        }
    }

    fn poll(&mut self) {
        let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
        let draw = &mut self.draw;
        self.client.poll(self.now, &mut |bytes| draw.fill(bytes), &mut |sent| from_client.push(sent.to_vec()));
        if let Some(server) = &mut self.server {
            server.poll(self.now, &mut |bytes| draw.fill(bytes), &mut |sent| from_server.push(sent.to_vec()));
        }
        self.post(true, from_client);
        self.post(false, from_server);
    }

    fn deliver(&mut self, to_server: bool, datagram: &[u8]) {
        let draw = &mut self.draw;
        match (to_server, &mut self.server) {
            (true, Some(server)) => {
                server.receive(self.now, client_address(), datagram);
            }
            (true, None) => {
                let random: Random<'_> = &mut |bytes| draw.fill(bytes);
                self.server = Session::accept(self.now, client_address(), Transport::Udp, datagram, random);
            }
            (false, _) => {
                self.client.receive(self.now, server_address(), datagram);
            }
        }
    }

    /// Goes on to the next thing that happens, by what the sessions say is due.
    fn step(&mut self) {
        self.poll();
        let due = [self.client.next_due(), self.server.as_ref().and_then(Session::next_due)];
        let next = due.into_iter().flatten().chain(self.on_the_way.keys().next().map(|(time, _)| *time)).min();
        self.now = next.unwrap_or(self.now + 1).max(self.now + 1);
        while let Some(first) = self.on_the_way.first_entry().filter(|first| first.key().0 <= self.now) {
            let (to_server, datagram) = first.remove();
            self.deliver(to_server, &datagram);
        }
    }

    /// For so many milliseconds at most.
    fn run_until(&mut self, time: u64, mut done: impl FnMut(&mut Self) -> bool) {
        let end = self.now + time;
        while !done(self) {
            assert!(self.now < end, "not within {time} ms: {:?}, {:?}", self.client, self.server);
            self.step();
        }
    }
}

fn read_all(session: &mut Session, into: &mut Vec<u8>) {
    let mut buffer = [0; 1000];
    loop {
        match session.read(&mut buffer) {
            0 => return,
            size => into.extend(&buffer[..size]),
        }
    }
}

/// Sends so many bytes each way at the same time, and compares.
fn exchange(pair: &mut Pair, size: usize, time: u64) {
    let data = |salt: u8| (0..size).map(|i| (i / 7) as u8 ^ salt).collect::<Vec<u8>>();
    let (up, down) = (data(0), data(0x55));
    let (mut written, mut got_up, mut got_down) = ((0, 0), Vec::new(), Vec::new());
    pair.run_until(time, |pair| {
        written.0 += pair.client.write(&up[written.0..]);
        read_all(&mut pair.client, &mut got_down);
        if let Some(server) = &mut pair.server {
            written.1 += server.write(&down[written.1..]);
            read_all(server, &mut got_up);
        }
        assert!(up.starts_with(&got_up) && down.starts_with(&got_down), "bytes out of order");
        got_up.len() == size && got_down.len() == size
    });
}

#[test]
fn bytes_go_both_ways_over_a_good_network_without_sending_any_twice() {
    let mut pair = Pair::established(1, GOOD);
    let (start, before) = (pair.now, pair.sent);
    exchange(&mut pair, 512 * 64 * 10, 10_000);
    // Ten windows of 64 in each direction, a round trip of 20 ms each, and the time to answer them.
    assert!(pair.now - start <= 400, "{} ms", pair.now - start);
    // A datagram for each segment, and at most one that answers it.
    assert!(pair.sent - before <= 640 * 4 + 20, "{} datagrams", pair.sent - before);
    assert_eq!(pair.client.round_trip(), 21, "the peer says one millisecond less than it saw");
}

#[test]
fn bytes_go_both_ways_over_a_bad_network() {
    for seed in 1..=20 {
        println!("seed {seed}");
        let mut pair = Pair::established(seed, BAD);
        exchange(&mut pair, 100_000, 600_000);
        pair.run_until(600_000, |pair| pair.client.is_flushed() && pair.server().is_flushed());
    }
}

#[test]
fn a_session_lives_on_signs_of_life_alone() {
    let mut pair = Pair::established(3, GOOD);
    let (start, before) = (pair.now, pair.sent);
    pair.run_until(3_700_000, |pair| pair.now - start >= 3_600_000);
    assert_eq!((pair.client.status(), pair.server().status()), (Status::Established, Status::Established));
    // Requests, answers and their acknowledgements: one each at least every 4.8 s, and no storm.
    let datagrams = pair.sent - before;
    assert!((2000..12_000).contains(&datagrams), "{datagrams} datagrams in an hour");
}

#[test]
fn a_dead_network_ends_both_after_12_seconds() {
    let mut pair = Pair::established(4, GOOD);
    exchange(&mut pair, 1000, 10_000);
    pair.network.lost = 100;
    let start = pair.now;
    pair.client.write(b"into the void");
    pair.run_until(60_000, |pair| {
        pair.client.status() != Status::Established && pair.server().status() != Status::Established
    });
    assert_eq!(pair.client.status(), Status::Closed(End::TimedOut));
    assert_eq!(pair.server().status(), Status::Closed(End::TimedOut));
    assert!((RUDP_TIMEOUT - 5000..=RUDP_TIMEOUT + 100).contains(&(pair.now - start)), "{} ms", pair.now - start);
    assert_eq!((pair.client.write(b"more"), pair.client.next_due()), (0, None));
}

#[test]
fn nobody_answers() {
    let mut pair = Pair::new(5, Network { lost: 100, ..GOOD });
    let start = pair.now;
    pair.run_until(10_000, |pair| pair.now >= start + 2000);
    assert_eq!((pair.client.status(), pair.sent), (Status::Connecting, 10), "every 200 ms from the start on");
}

#[test]
fn either_end_ends_it_and_what_arrived_before_can_be_read() {
    for by_client in [true, false] {
        let mut pair = Pair::established(6, GOOD);
        exchange(&mut pair, 100, 10_000);
        let text = b"the last words";
        if by_client {
            pair.client.write(text)
        } else {
            pair.server().write(text)
        };
        pair.run_until(10_000, |pair| pair.client.is_flushed() && pair.server().is_flushed());
        let mut last = Vec::new();
        let (now, mut draw) = (pair.now, Draw(7));
        let ending = if by_client { &mut pair.client } else { pair.server.as_mut().unwrap() };
        ending.close(now, &mut |bytes| draw.fill(bytes), &mut |sent| last.push(sent.to_vec()));
        assert_eq!((ending.status(), last.len()), (Status::Closed(End::Here), 5));
        ending.close(now, &mut |bytes| draw.fill(bytes), &mut |_| panic!("said twice"));
        pair.post(by_client, last);
        pair.run_until(1000, |pair| pair.client.status() != Status::Established && pair.on_the_way.is_empty());
        let other = if by_client { pair.server.as_mut().unwrap() } else { &mut pair.client };
        assert_eq!(other.status(), Status::Closed(End::Peer));
        let mut read = Vec::new();
        read_all(other, &mut read);
        assert_eq!(read, text);
    }
}

#[test]
fn a_reader_that_is_slow_stops_the_writer_and_goes_on() {
    let mut pair = Pair::established(8, GOOD);
    let (mut written, mut read) = (0, Vec::new());
    let start = pair.now;
    pair.run_until(100_000, |pair| {
        written += pair.client.write(&[7; 100_000]);
        pair.now >= start + 60_000
    });
    // Read and unread FIFO, one window on its way and one that came too early.
    let most = 2 * RUDP_MAX_FIFO_SIZE + 2 * RUDP_MAX_NUM_ACK * RUDP_MAX_SEGMENT_SIZE + RUDP_MAX_SEGMENT_SIZE;
    assert!((2 * RUDP_MAX_FIFO_SIZE..=most).contains(&written), "{written} bytes");
    assert_eq!(pair.client.status(), Status::Established);
    pair.run_until(100_000, |pair| {
        read_all(pair.server(), &mut read);
        read.len() == written
    });
}

#[test]
fn a_nat_that_changes_ports_is_followed_once_the_datagram_is_authentic() {
    let mut pair = Pair::established(9, GOOD);
    let other: SocketAddr = "192.0.2.2:6666".parse().unwrap();
    pair.server().write(b"from another port");
    let mut sent = Vec::new();
    let (now, mut draw) = (pair.now, Draw(1));
    pair.server().poll(now, &mut |bytes| draw.fill(bytes), &mut |datagram| sent.push(datagram.to_vec()));
    let mut forged = sent[0].clone();
    forged[30] ^= 1;
    assert!(!pair.client.receive(now, other, &forged));
    assert_eq!(pair.client.peer(), server_address());
    assert!(pair.client.receive(now, other, &sent[0]));
    assert_eq!(pair.client.peer(), other);
    // Before anything is known a short datagram shows the port, from that host alone.
    let mut early = Pair::new(9, GOOD);
    assert!(!early.client.receive(early.now, "192.0.2.3:6666".parse().unwrap(), b"hole"));
    assert_eq!(early.client.peer(), server_address());
    assert!(early.client.receive(early.now, other, b"hole"));
    assert_eq!(early.client.peer(), other);
}

#[test]
fn bulk_datagrams_go_beside_the_stream() {
    for is_v1 in [true, false] {
        let mut pair = Pair::established(10, GOOD);
        assert_eq!(pair.client.seal_bulk(b"no keys yet", &mut |_| {}), None);
        let keys = |send: u8, receive: u8| match is_v1 {
            true => BulkKeys::V1 { send: [send; 20], receive: [receive; 20], hmac: false },
            false => BulkKeys::V2 { send: [send; 32], receive: [receive; 32] },
        };
        pair.client.set_bulk_keys(&keys(1, 2)).unwrap();
        pair.server().set_bulk_keys(&keys(2, 1)).unwrap();
        let frames: Vec<Vec<u8>> = (0..100u8).map(|i| vec![i; 1 + 14 * usize::from(i)]).collect();
        let mut draw = Draw(2);
        let mut seal = |frame: &Vec<u8>| pair.client.seal_bulk(frame, &mut |bytes| draw.fill(bytes)).unwrap();
        let sealed: Vec<_> = frames.iter().map(&mut seal).collect();
        pair.post(true, sealed);
        let mut got = Vec::new();
        pair.run_until(1000, |pair| {
            got.extend(std::iter::from_fn(|| pair.server().take_bulk()));
            got.len() == frames.len()
        });
        assert_eq!(got, frames);
        exchange(&mut pair, 10_000, 10_000);
    }
}

/// All that a session keeps, in bytes and pieces.
fn kept(pair: &Pair) -> usize {
    let server = pair.server.as_ref().unwrap();
    server.kept() + pair.client.kept()
}

#[test]
fn hostile_datagrams_cost_nothing() {
    let mut pair = Pair::established(11, GOOD);
    exchange(&mut pair, 5000, 10_000);
    pair.run_until(10_000, |pair| pair.client.is_flushed() && pair.server().is_flushed() && pair.on_the_way.is_empty());
    let before = kept(&pair);
    let mut draw = Draw(12);
    for _ in 0..100_000 {
        let mut noise = vec![0; draw.next() as usize % 700];
        draw.fill(&mut noise);
        for to_server in [true, false] {
            pair.deliver(to_server, &noise);
        }
    }
    assert_eq!(kept(&pair), before);
    exchange(&mut pair, 5000, 10_000);
}

#[test]
fn replayed_datagrams_are_answered_and_change_nothing() {
    let mut pair = Pair::established(13, GOOD);
    // Everything that the client says for a while, recorded.
    let mut recorded = Vec::new();
    let mut read = Vec::new();
    for _ in 0..500 {
        pair.client.write(&[1; 2000]);
        let (now, mut draw) = (pair.now, Draw(pair.now));
        pair.client.poll(now, &mut |bytes| draw.fill(bytes), &mut |sent| recorded.push(sent.to_vec()));
        recorded.iter().rev().take(64).for_each(|sent| {
            pair.server().receive(now, client_address(), sent);
        });
        pair.step();
        read_all(pair.server(), &mut read);
    }
    let (now, before, sum) = (pair.now, kept(&pair), read.len());
    assert!(recorded.len() > 1000);
    for sent in recorded.iter().chain(&recorded) {
        assert!(pair.server().receive(now, client_address(), sent), "it is authentic");
    }
    // The numbers to answer, and no more of them than there may be; each comes out once.
    assert!(kept(&pair) <= before + ACKS_MAX, "{} after {before}", kept(&pair));
    read_all(pair.server(), &mut read);
    assert_eq!(read.len(), sum, "no byte comes twice");
}

#[test]
fn a_peer_that_knows_the_keys_and_lies_costs_no_more_than_a_window() {
    let mut pair = Pair::established(14, GOOD);
    let initial = pair.client.initial();
    let keys = keys::Keys::derive(&initial, Side::Client);
    let (now, mut draw) = (pair.now, Draw(15));
    let before = kept(&pair);
    for round in 0..50_000u64 {
        let number = |draw: &mut Draw| [0, 1, 70, u64::MAX, draw.next(), draw.next() % 300][draw.next() as usize % 6];
        let mut data = vec![0; draw.next() as usize % 900];
        draw.fill(&mut data);
        let acks = (0..draw.next() % 64).map(|_| number(&mut draw)).collect();
        let segment = wire::Segment {
            my_tick: number(&mut draw),
            your_tick: number(&mut draw),
            max_ack: number(&mut draw),
            acks,
            seq_no: number(&mut draw),
            data,
        };
        let sealed = wire::seal(&segment, &keys.send, &[round as u8; SHA1_SIZE], round as u8, None);
        pair.deliver(true, &sealed);
        if round % 100 == 0 {
            pair.poll();
            read_all(pair.server(), &mut Vec::new());
        }
    }
    let most = before + ACKS_MAX + RUDP_MAX_NUM_ACK * RUDP_MAX_SEGMENT_SIZE * 2 + RUDP_MAX_FIFO_SIZE;
    assert!(kept(&pair) <= most, "{} bytes", kept(&pair));
    assert!(pair.now == now);
}

proptest! {
    #[test]
    fn no_datagram_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600), dns: bool) {
        let transport = if dns { Transport::Dns("SoftEther_VPN") } else { Transport::Udp };
        let mut draw = Draw(16);
        let mut client = Session::connect(5, server_address(), transport, &mut |bytes| draw.fill(bytes));
        client.receive(5, server_address(), &bytes);
        let server = Session::accept(5, client_address(), transport, &bytes, &mut |bytes| draw.fill(bytes));
        prop_assert_eq!(server.is_some(), (20..40).contains(&bytes.len()));
        for (side, head) in [(Side::Client, 42), (Side::Server, 37)] {
            prop_assert_eq!(open_dns(&bytes, side).is_some(), bytes.len() > head);
        }
        let found = nat_t::Query::new(target(), &mut |bytes| bytes.fill(1)).receive(&bytes);
        prop_assert!(found.is_none());
    }
}

#[test]
fn intervals_are_between_their_ends() {
    assert_eq!((rand_interval(5, 5, 99), rand_interval(0, 0, 1)), (5, 0));
    for random in [0, 1, 9, u32::MAX] {
        for (a, b) in [(10, 20), (20, 10)] {
            assert!((10..20).contains(&rand_interval(a, b, random)));
        }
    }
}

fn target() -> nat_t::Target {
    nat_t::Target {
        address: "198.51.100.7".parse().unwrap(),
        service: "SoftEther_VPN".to_owned(),
        hint: None,
        host_name: Some("vpn.example".to_owned()),
    }
}

mod asking {
    use super::*;
    use crate::dyn_list::DynList;
    use crate::net::{Cancel, Limit, Udp};
    use crate::pack::Pack;
    use nat_t::{Found, NatTError, Query, find, register_host_name};
    use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
    use std::time::Duration;

    fn answer(change: impl FnOnce(&mut Pack)) -> Vec<u8> {
        let mut answer = Pack::new();
        answer.add_str("opcode", b"nat_t_connect_request").unwrap();
        answer.add_int64("tran_id", 0x0101_0101_0101_0101).unwrap();
        change(&mut answer);
        answer.encode().unwrap()
    }

    fn query() -> Query {
        Query::new(target(), &mut |bytes| bytes.fill(1))
    }

    fn good(pack: &mut Pack) {
        pack.add_bool("ok", true).unwrap();
        pack.add_str("result_ip", b"203.0.113.9").unwrap();
        pack.add_int("result_port", 4567).unwrap();
    }

    #[test]
    fn the_question_is_asked_ever_more_rarely_and_says_the_cookie() {
        let (mut query, values) = (query(), DynList::new());
        let mut times = Vec::new();
        let mut now = 0;
        for _ in 0..10 {
            let (question, next) = query.poll(now, &values).unwrap();
            let question = Pack::decode(&question.unwrap()).unwrap();
            assert!(question.cmp_str("dest_ip", b"198.51.100.7") && question.cmp_str("svc_name", b"SoftEther_VPN"));
            assert!(question.cmp_str("target_hostname", b"vpn.example") && !question.is_element("hint"));
            assert_eq!(question.get_int64("cookie"), if now == 0 { 0 } else { 77 });
            assert!(matches!(query.poll(next - 1, &values), Ok((None, again)) if again == next));
            assert!(query.receive(&answer(|pack| pack.add_int64("cookie", 77).unwrap()).clone()).is_some());
            times.push(next - now);
            now = next;
        }
        assert_eq!(times, [200, 400, 800, 1600, 3200, 6400, 12_800, 12_800, 12_800, 12_800]);
    }

    #[test]
    fn an_answer_is_to_this_question_and_has_a_place() {
        let found = query().receive(&answer(good)).unwrap().unwrap();
        assert_eq!(found, Found { peer: "203.0.113.9:4567".parse().unwrap(), same_lan: false });
        assert!(matches!(query().receive(&answer(|_| {})), Some(Err(NatTError::NotFound))));
        let many = answer(|pack| pack.add_bool("multi_candidates", true).unwrap());
        assert!(matches!(query().receive(&many), Some(Err(NatTError::TwoOrMore))));
        let mut other = Query::new(target(), &mut |bytes| bytes.fill(2));
        assert!(other.receive(&answer(good)).is_none(), "an answer to another question");
        for (ip, port) in [("0.0.0.0", 1), ("203.0.113.9", 0), ("203.0.113.9", 65_536), ("::1", 1), ("nowhere", 1)] {
            let wrong = answer(|pack| {
                pack.add_bool("ok", true).unwrap();
                pack.add_str("result_ip", ip.as_bytes()).unwrap();
                pack.add_int("result_port", port).unwrap();
            });
            assert!(query().receive(&wrong).is_none(), "{ip} {port}");
        }
    }

    #[test]
    fn a_server_is_asked_over_a_socket() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, server.local_addr().unwrap().port());
        let answering = std::thread::spawn(move || {
            let mut buffer = [0; 2000];
            // The first question is lost.
            server.recv_from(&mut buffer).unwrap();
            let (size, peer) = server.recv_from(&mut buffer).unwrap();
            assert!(Pack::decode(&buffer[..size]).is_ok());
            for datagram in [b"nonsense".to_vec(), answer(good)] {
                server.send_to(&datagram, peer).unwrap();
            }
        });
        let mut udp = Udp::bind("127.0.0.1:0".parse().unwrap(), &Cancel::new()).unwrap();
        let limit = Limit::of(Duration::from_secs(60));
        assert_eq!(find(&mut udp, address, query(), &limit).unwrap().peer, "203.0.113.9:4567".parse().unwrap());
        answering.join().unwrap();
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, silent.local_addr().unwrap().port());
        let limit = Limit::of(Duration::from_millis(300));
        let nothing = find(&mut udp, address, query(), &limit);
        assert!(matches!(nothing, Err(NatTError::NoAnswer(error)) if error.kind() == std::io::ErrorKind::TimedOut));
    }

    #[test]
    fn servers_have_256_names() {
        let name = register_host_name(None, 0xa7);
        assert_eq!(name, "xa.x7.dev.servers.nat-traversal.softether-network.net.");
        assert_ne!(register_host_name(Some(Ipv4Addr::LOCALHOST), 0xa7), name);
    }
}
