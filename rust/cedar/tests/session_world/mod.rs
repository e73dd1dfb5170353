//! Two ends of a session, a client's and a server's, with `cedar::session` and `cedar::framing` inside, a network between
//! them, and a clock: all in memory, all decided by one seed.
//!
//! 1. The clock goes to the next moment at which something is due: a timer of an end, bytes that arrive, frames to send.
//! 2. Each end has its turn: connections, receive, fetch, send, as `cedar::session` numbers them.
//! 3. Whatever becomes of a frame is in the [`Account`].
//!
//! The network is TCP's as an end sees it: bytes arrive whole and in order, or late, or never again.

use cedar::framing::wire::{KEEP_ALIVE_MAGIC, send_queue_quota};
use cedar::framing::{Batch, Decoder, Event, MAX_ENCODED_KEEP_ALIVE_SIZE, Statistics, encode_keep_alive, encoded_len};
use cedar::session::{
    Admission, Config, Delay, Direction, End, Queues, Role, Session, TcpSock, Traffic, View, admit, choose,
};
use std::collections::{BTreeMap, VecDeque};

/// SplitMix64.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn number(&mut self) -> u32 {
        (self.next() >> 33) as u32
    }
}

/// What the network does.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    pub latency_ms: u64,
    /// Of 1000 pieces so many are sent again, 200 ms late or more.
    pub loss_per_mille: u64,
    /// Bytes that a connection takes before the first of them has arrived.
    pub window: usize,
    /// Of a million looks at a connection so many see it reset.
    pub reset_per_million: u64,
    /// From then on nothing arrives and no connection can be made, for so long.
    pub outage: Option<(u64, u64)>,
}

impl Network {
    pub const GOOD: Self =
        Self { latency_ms: 5, loss_per_mille: 0, window: 1 << 18, reset_per_million: 0, outage: None };

    fn is_out(&self, now: u64) -> bool {
        self.outage.is_some_and(|(from, length)| (from..from + length).contains(&now))
    }
}

/// What became of the frames of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub offered: u64,
    pub delivered: u64,
    /// Refused by `admit`, or in a queue that no connection took in time.
    pub dropped: u64,
    /// In a connection or a session that ended.
    pub cut: u64,
}

#[derive(Default)]
struct Pipe {
    pieces: VecDeque<(u64, Vec<u8>)>,
    in_flight: usize,
    last_arrival: u64,
}

struct Half {
    sock: TcpSock,
    fifo: VecDeque<u8>,
    decoder: Decoder,
    is_open: bool,
    /// Frames written to the FIFO, and frames that the other end has read.
    sent_frames: u64,
    received_frames: u64,
}

/// One TCP connection; index 0 is the client's end, 1 the server's.
struct Connection {
    halves: [Half; 2],
    /// From the end of that index.
    pipes: [Pipe; 2],
}

struct Endpoint {
    machine: Session,
    view: View,
    queue: VecDeque<(Vec<u8>, bool)>,
    traffic: Traffic,
    end: Option<End>,
    statistics: Statistics,
    wake_ups: u64,
}

pub struct World {
    pub now: u64,
    pub network: Network,
    pub accounts: [Account; 2],
    /// Keep-alives sent by each end.
    pub keep_alives: [u64; 2],
    random: Random,
    config: Config,
    half_duplex: bool,
    ends: [Endpoint; 2],
    connections: Vec<Connection>,
    /// When the connections arrive that the client is making.
    pending: Vec<u64>,
    /// What the hosts want to send, by time; the end it comes from.
    schedule: BTreeMap<(u64, u64), (usize, Vec<u8>)>,
    next_number: [u64; 2],
    next_expected: [u64; 2],
    is_ordered: bool,
}

const ROLES: [Role; 2] = [Role::Client, Role::Server];

impl World {
    /// A session with so many connections, the first of which is there.
    pub fn new(seed: u64, network: Network, max_connection: u32, half_duplex: bool) -> Self {
        let mut config = Config::new(Role::Client);
        config.additional.max_connection = max_connection;
        let start = 1_000_000;
        let end = |role| Endpoint {
            machine: Session::new(Config { role, ..config }, start),
            view: View { next_connection_time: start + 1000, ..View::new(start) },
            queue: VecDeque::new(),
            traffic: Traffic::default(),
            end: None,
            statistics: Statistics::default(),
            wake_ups: 0,
        };
        let mut world = Self {
            now: start,
            network,
            accounts: [Account::default(); 2],
            keep_alives: [0; 2],
            random: Random(seed),
            config,
            half_duplex,
            ends: ROLES.map(end),
            connections: Vec::new(),
            pending: Vec::new(),
            schedule: BTreeMap::new(),
            next_number: [0; 2],
            next_expected: [0; 2],
            is_ordered: max_connection == 1,
        };
        world.connect(world.first_direction());
        world
    }

    /// Has hosts at both ends send `count` frames each, at random times of the next `ms`.
    pub fn talk(&mut self, count: u64, ms: u64) {
        for from in [0, 1] {
            let mut times: Vec<u64> = (0..count).map(|_| self.now + self.random.below(ms)).collect();
            times.sort_unstable();
            for time in times {
                let number = self.next_number[from];
                self.next_number[from] += 1;
                let mut frame = vec![0; 60 + self.random.below(1455) as usize];
                frame[0] = if number.is_multiple_of(5) { 0xff } else { 2 };
                frame[20..28].copy_from_slice(&number.to_be_bytes());
                self.schedule.insert((time, number * 2 + from as u64), (from, frame));
            }
        }
    }

    /// Lets time pass, until then or until both ends are over.
    pub fn run_until(&mut self, time: u64) {
        while self.now < time && self.ends.iter().any(|end| end.end.is_none()) {
            for index in [0, 1] {
                if self.ends[index].end.is_none() {
                    self.turn(index);
                }
            }
            self.now = self.next_event().clamp(self.now + 1, time);
        }
    }

    /// How each end ended, if it did.
    pub fn ended(&self) -> [Option<End>; 2] {
        self.ends.each_ref().map(|end| end.end)
    }

    /// Connections that both ends have.
    pub fn connections(&self) -> usize {
        self.connections.iter().filter(|c| c.halves.iter().all(|half| half.is_open)).count()
    }

    /// The traffic that each end has counted.
    pub fn traffic(&self) -> [Traffic; 2] {
        self.ends.each_ref().map(|end| end.traffic)
    }

    /// Turns that each end has had.
    pub fn wake_ups(&self) -> [u64; 2] {
        self.ends.each_ref().map(|end| end.wake_ups)
    }

    /// The client makes a new session after the last one has ended at both ends; what was on its way is cut.
    pub fn reconnect(&mut self) {
        assert!(self.ends.iter().all(|end| end.end.is_some()), "a session still runs");
        for index in [0, 1] {
            self.accounts[index].cut += self.ends[index].queue.len() as u64;
            self.ends[index].queue.clear();
            self.ends[index].machine = Session::new(Config { role: ROLES[index], ..self.config }, self.now);
            self.ends[index].view = View { next_connection_time: self.now + 1000, ..View::new(self.now) };
            self.ends[index].end = None;
        }
        self.pending.clear();
        self.connect(self.first_direction());
    }

    /// Counts what a session that is over will never deliver.
    pub fn settle(&mut self) {
        for connection in 0..self.connections.len() {
            self.close(connection, 0);
            self.close(connection, 1);
        }
        for index in [0, 1] {
            self.accounts[index].cut += self.ends[index].queue.len() as u64;
            self.ends[index].queue.clear();
        }
    }

    fn first_direction(&self) -> Direction {
        if self.half_duplex { Direction::ClientToServer } else { Direction::Both }
    }

    fn connect(&mut self, direction: Direction) {
        let half = || Half {
            sock: TcpSock::new(direction, self.now),
            fifo: VecDeque::new(),
            decoder: Decoder::new(false),
            is_open: true,
            sent_frames: 0,
            received_frames: 0,
        };
        self.connections.push(Connection { halves: [half(), half()], pipes: [Pipe::default(), Pipe::default()] });
        self.count_connections();
    }

    fn count_connections(&mut self) {
        for index in [0, 1] {
            let open = self.connections.iter().filter(|c| c.halves[index].is_open).count() as u32;
            self.ends[index].view.connections = open;
            self.ends[index].view.connections_wanted = open + if index == 0 { self.pending.len() as u32 } else { 0 };
        }
    }

    /// One end loses a connection. What it has sent and the other has not read is lost once both have.
    fn close(&mut self, connection: usize, index: usize) {
        let halves = &mut self.connections[connection].halves;
        if !std::mem::take(&mut halves[index].is_open) {
            return;
        }
        if !halves[1 - index].is_open {
            for from in [0, 1] {
                self.accounts[from].cut += halves[from].sent_frames - halves[1 - from].received_frames;
            }
        }
        self.ends[index].view.disconnected += 1;
        self.ends[index].view.last_try_add_connect_time = self.now;
        self.count_connections();
    }

    fn turn(&mut self, index: usize) {
        let now = self.now;
        self.ends[index].wake_ups += 1;
        let view = self.ends[index].view;
        if self.ends[index].machine.begin(&view, now).add_connection {
            self.ends[index].view.next_connection_time = self.ends[index].machine.next_connection_time(now);
            self.ends[index].view.last_try_add_connect_time = now;
            self.pending.push(now + 3 * self.network.latency_ms);
            self.count_connections();
        }
        if index == 0 {
            self.finish_connections();
        }
        for connection in 0..self.connections.len() {
            if self.connections[connection].halves[index].is_open {
                self.receive(connection, index);
            }
        }
        self.fetch(index);
        self.send(index);
        let turn = self.ends[index].machine.end_of_turn(&self.ends[index].view, now);
        if turn.end.is_some() {
            self.ends[index].end = turn.end;
            (0..self.connections.len()).for_each(|connection| self.close(connection, index));
        }
    }

    fn finish_connections(&mut self) {
        let due: Vec<u64> = self.pending.iter().copied().filter(|&time| time <= self.now).collect();
        self.pending.retain(|&time| time > self.now);
        for _ in due {
            if self.network.is_out(self.now) || self.ends[1].end.is_some() {
                self.ends[0].view.additional_failures += 1;
            } else {
                self.ends[0].view.last_try_add_connect_time = self.now;
                let is_down =
                    |c: &Connection| c.halves[0].is_open && c.halves[0].sock.direction == Direction::ServerToClient;
                let has_down = self.connections.iter().any(is_down);
                let is_down_next = self.half_duplex && !has_down;
                self.connect(if is_down_next { Direction::ServerToClient } else { self.first_direction() });
            }
        }
        self.count_connections();
    }

    fn receive(&mut self, connection: usize, index: usize) {
        let now = self.now;
        let timeout_ms = self.config.timeout_ms;
        let is_reset = self.random.below(1_000_000) < self.network.reset_per_million;
        let other = &self.connections[connection];
        let is_over = !other.halves[1 - index].is_open && other.pipes[1 - index].pieces.is_empty();
        let is_dead = other.halves[index].sock.is_dead(now, timeout_ms, ROLES[index]);
        if is_reset || is_over || is_dead {
            if is_reset {
                self.close(connection, 1 - index);
            }
            return self.close(connection, index);
        }
        let Connection { halves, pipes } = &mut self.connections[connection];
        let (half, pipe) = (&mut halves[index], &mut pipes[1 - index]);
        while let Some((_, piece)) = pipe.pieces.pop_front_if(|(time, _)| *time <= now) {
            pipe.in_flight -= piece.len();
            let mut bytes = &piece[..];
            while let Some(event) = half.decoder.decode(&mut bytes).expect("the peer keeps the protocol") {
                half.sock.heard(now);
                let Event::Frame(frame) = event else { continue };
                half.received_frames += 1;
                let number = u64::from_be_bytes(*frame[20..].first_chunk().expect("a numbered frame"));
                if self.is_ordered {
                    assert!(number >= self.next_expected[index], "frame {number} came twice or late");
                }
                self.next_expected[index] = number + 1;
                self.accounts[1 - index].delivered += 1;
                let traffic = &mut self.ends[index].traffic;
                if index == 0 { &mut traffic.recv } else { &mut traffic.send }.count(frame);
                self.ends[index].machine.note_frames();
            }
            half.sock.last_recv_time = now;
            self.ends[index].view.last_comm_time = now;
        }
    }

    fn fetch(&mut self, index: usize) {
        let due: Vec<_> = self.schedule.range(..=(self.now, u64::MAX)).map(|(key, _)| *key).collect();
        for key in due {
            if self.schedule[&key].0 != index {
                continue;
            }
            let (_, frame) = self.schedule.remove(&key).expect("it was seen");
            let end = &mut self.ends[index];
            let bytes: usize = end.queue.iter().map(|(frame, _)| frame.len()).sum();
            let queues = Queues { bytes: bytes as u32, normal_frames: end.queue.len() as u32, ..Queues::new(false) };
            self.accounts[index].offered += 1;
            match admit(&queues, false) {
                Admission::Normal | Admission::Priority => {
                    if index == 0 { &mut end.traffic.send } else { &mut end.traffic.recv }.count(&frame);
                    end.queue.push_back((frame, false));
                }
                Admission::Refused(_) | Admission::Full(_) => self.accounts[index].dropped += 1,
            }
            end.machine.note_frames();
        }
    }

    fn send(&mut self, index: usize) {
        let (now, role) = (self.now, ROLES[index]);
        let able: Vec<usize> = (0..self.connections.len())
            .filter(|&c| {
                self.connections[c].halves[index].is_open && self.connections[c].halves[index].sock.sends(role)
            })
            .collect();
        for &connection in &able {
            self.keep_alive(connection, index);
        }
        let delay = |&c: &usize| {
            let sock = &self.connections[c].halves[index].sock;
            Delay { late_count: sock.late_count, last_recv_time: sock.last_recv_time }
        };
        let delays: Vec<Delay> = able.iter().map(delay).collect();
        if let Some(chosen) = choose(&delays, false, false) {
            self.send_queue(able[chosen.normal], index);
        }
        let is_out = self.network.is_out(now);
        for connection in able {
            self.flush(connection, index, is_out);
        }
    }

    fn keep_alive(&mut self, connection: usize, index: usize) {
        let half = &mut self.connections[connection].halves[index];
        if half.sock.is_keep_alive_due(self.now, false) {
            let mut bytes = [0; MAX_ENCODED_KEEP_ALIVE_SIZE];
            let random = &mut self.random;
            let length = encode_keep_alive(&mut bytes, None, || random.number(), &mut self.ends[index].statistics);
            half.fifo.extend(&bytes[..length.expect("room for the longest")]);
            assert_eq!(bytes[..4], KEEP_ALIVE_MAGIC.to_be_bytes());
            half.sock.postpone_keep_alive(self.now, self.config.timeout_ms, self.random.number());
            self.keep_alives[index] += 1;
        }
    }

    fn send_queue(&mut self, connection: usize, index: usize) {
        let half = &mut self.connections[connection].halves[index];
        let end = &mut self.ends[index];
        if end.queue.is_empty() {
            return;
        }
        if half.fifo.len() >= send_queue_quota(self.config.additional.max_connection) as usize {
            self.accounts[index].dropped += end.queue.len() as u64;
            end.queue.clear();
            return;
        }
        let mut bytes = vec![0; encoded_len(end.queue.iter().map(|(frame, _)| frame.len()))];
        let mut batch = Batch::new(&mut bytes, &mut end.statistics);
        for (frame, _) in end.queue.drain(..) {
            batch.push(&frame).expect("room for all");
            half.sent_frames += 1;
        }
        let length = batch.finish();
        half.fifo.extend(&bytes[..length]);
        half.sock.postpone_keep_alive(self.now, self.config.timeout_ms, self.random.number());
    }

    fn flush(&mut self, connection: usize, index: usize, is_out: bool) {
        let Connection { halves, pipes } = &mut self.connections[connection];
        let (half, pipe) = (&mut halves[index], &mut pipes[index]);
        if half.fifo.is_empty() {
            return;
        }
        let room = self.network.window.saturating_sub(pipe.in_flight).min(half.fifo.len());
        let piece: Vec<u8> = half.fifo.drain(..room).collect();
        half.sock.sent(half.fifo.is_empty());
        if piece.is_empty() {
            return;
        }
        let mut arrival = self.now + self.network.latency_ms;
        let mut patience = 200;
        while self.random.below(1000) < self.network.loss_per_mille {
            arrival += patience;
            patience *= 2;
        }
        if is_out {
            // TCP would send it again after the outage; both ends give up before, or it comes then.
            let (from, length) = self.network.outage.expect("there is one");
            arrival = arrival.max(from + length + 1000);
        }
        pipe.last_arrival = pipe.last_arrival.max(arrival);
        pipe.in_flight += piece.len();
        pipe.pieces.push_back((pipe.last_arrival, piece));
        self.ends[index].view.last_comm_time = self.now;
    }

    /// The next moment at which an end has something to do.
    fn next_event(&self) -> u64 {
        let mut next = self.schedule.keys().next().map_or(u64::MAX, |(time, _)| *time);
        next = self.pending.iter().copied().fold(next, u64::min);
        for index in [0, 1] {
            if self.ends[index].end.is_some() {
                continue;
            }
            next = next.min(self.ends[index].machine.next_due(&self.ends[index].view));
            for connection in &self.connections {
                let half = &connection.halves[index];
                if half.is_open {
                    next = next.min(half.sock.next_due(self.config.timeout_ms, ROLES[index]));
                    let arrivals = connection.pipes[1 - index].pieces.front();
                    next = next.min(arrivals.map_or(u64::MAX, |(time, _)| *time));
                    let is_over = !connection.halves[1 - index].is_open && arrivals.is_none();
                    // What waits goes out when there is room, which is when the other end has read.
                    let room = connection.pipes[index].in_flight < self.network.window;
                    if is_over || (!half.fifo.is_empty() && room) {
                        next = next.min(self.now + 1);
                    }
                }
            }
        }
        next
    }
}
