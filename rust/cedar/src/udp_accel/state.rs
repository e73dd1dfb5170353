//! What changes during a session: addresses, clocks, when frames may go by UDP, keep-alives, and the port that a NAT-T
//! server sees. Times are milliseconds of `Tick64`, 0 is "never". Not here: datagrams and sockets.

use super::wire::{
    NAT_T_REQUEST, UDP_ACCELERATION_KEEPALIVE_INTERVAL, UDP_ACCELERATION_KEEPALIVE_INTERVAL_FAST,
    UDP_ACCELERATION_KEEPALIVE_TIMEOUT, UDP_ACCELERATION_KEEPALIVE_TIMEOUT_FAST, UDP_ACCELERATION_REQUIRE_CONTINUOUS,
    UDP_ACCELERATION_WINDOW_SIZE_MSEC, UDP_NAT_T_INTERVAL, UDP_NAT_T_INTERVAL_FAIL_MAX, UDP_NAT_T_INTERVAL_INITIAL,
    UDP_NAT_T_PORT,
};
use arrayvec::ArrayVec;
use std::net::{IpAddr, SocketAddr};

/// Most addresses that one keep-alive goes to: two hosts, two ports.
pub const KEEP_ALIVE_TARGETS_MAX: usize = 4;

/// The members of the C's `UDP_ACCEL` that change, under its names, and the few that say how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The time now; the caller sets it before anything else (C: `Now`, `UdpAccelSetTick`).
    pub now: u64,
    /// Where frames go; what a datagram came from last, once one has come (C: `YourIp`). Unspecified: nowhere.
    pub your_ip: IpAddr,
    /// The port there (C: `YourPort`); 0: nowhere.
    pub your_port: u16,
    /// The server as the TCP connection sees it, asked too while the other does not answer (C: `YourIp2`).
    pub your_ip_2: Option<IpAddr>,
    /// The newest tick of the peer's that came (C: `LastRecvYourTick`).
    pub last_recv_your_tick: u64,
    /// The newest tick of ours that came back (C: `LastRecvMyTick`).
    pub last_recv_my_tick: u64,
    /// The peer's tick when its address was noted (C: `LastSetSrcIpAndPortTick`).
    pub last_set_src_ip_and_port_tick: u64,
    /// When the peer answered last (C: `LastRecvTick`).
    pub last_recv_tick: u64,
    /// Since when it has answered without a pause (C: `FirstStableReceiveTick`).
    pub first_stable_receive_tick: u64,
    /// Whether it has answered ever (C: `IsReachedOnce`).
    pub is_reached_once: bool,
    /// When the next keep-alive is due (C: `NextSendKeepAlive`).
    pub next_send_keep_alive: u64,
    /// Whether a pause is noticed after 2.1 s instead of 9 s (C: `FastDetect`).
    pub fast_detect: bool,
    /// The way to and through the NAT-T server.
    pub nat_t: NatT,
}

/// What a NAT-T server is asked and what it and the peer have said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NatT {
    /// It is not used: the port is known beforehand, or the network is IPv6 (C: `NoNatT`).
    pub disabled: bool,
    /// Its address, once its name is resolved (C: `NatT_IP`).
    pub server: Option<IpAddr>,
    /// When to ask it again (C: `NextPerformNatTTick`).
    pub next_perform_tick: u64,
    /// How often it has been asked in vain (C: `CommToNatT_NumFail`).
    pub num_fail: u32,
    /// Our port as it sees it; 0: unknown (C: `MyPortByNatTServer`).
    pub my_port: u16,
    /// It has just become known: the next TCP keep-alive is due at once and carries it (C: `MyPortByNatTServerChanged`).
    pub my_port_changed: bool,
    /// The peer's port as a NAT-T server sees it, from its TCP keep-alive; 0: unknown (C: `YourPortByNatTServer`).
    pub your_port: u16,
    /// It has just become known: the next UDP keep-alive is due at once (C: `YourPortByNatTServerChanged`).
    pub your_port_changed: bool,
}

/// What [`State::poll`] wants sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// A keep-alive, to all of [`State::keep_alive_targets`].
    pub keep_alive: bool,
    /// A question to the NAT-T server: [`NAT_T_REQUEST`], to this address.
    pub nat_t_request: Option<SocketAddr>,
}

impl State {
    /// Nothing has been heard yet. The peer is at `your`; `your_ip_2` is where it may be as well.
    #[must_use]
    pub fn new(your: SocketAddr, your_ip_2: Option<IpAddr>, fast_detect: bool, nat_t: NatT) -> Self {
        Self {
            now: 0,
            your_ip: your.ip(),
            your_port: your.port(),
            your_ip_2,
            last_recv_your_tick: 0,
            last_recv_my_tick: 0,
            last_set_src_ip_and_port_tick: 0,
            last_recv_tick: 0,
            first_stable_receive_tick: 0,
            is_reached_once: false,
            next_send_keep_alive: 0,
            fast_detect,
            nat_t,
        }
    }

    /// Whether frames may go by UDP: the peer's address is known, and it has answered for 10 s without a pause
    /// (C: `UdpAccelIsSendReady` with `check_keepalive`). A pause is noted here.
    pub fn is_send_ready(&mut self) -> bool {
        if !self.is_addressed() {
            return false;
        }
        if self.last_recv_tick == 0 || self.last_recv_tick.wrapping_add(self.timeout()) < self.now {
            self.first_stable_receive_tick = 0;
            return false;
        }
        self.first_stable_receive_tick.wrapping_add(UDP_ACCELERATION_REQUIRE_CONTINUOUS) <= self.now
    }

    /// So long a silence of the peer's is a pause.
    const fn timeout(&self) -> u64 {
        if self.fast_detect { UDP_ACCELERATION_KEEPALIVE_TIMEOUT_FAST } else { UDP_ACCELERATION_KEEPALIVE_TIMEOUT }
    }

    /// Whether the peer's address is known (C: `UdpAccelIsSendReady` without `check_keepalive`).
    #[must_use]
    pub fn is_addressed(&self) -> bool {
        self.your_port != 0 && !self.your_ip.is_unspecified()
    }

    /// Where frames go.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.your_ip, self.your_port)
    }

    /// What is due now (C: the second half of `UdpAccelPoll`). Draws one random number per timer that is set anew.
    pub fn poll(&mut self, mut random: impl FnMut() -> u32) -> Due {
        let mut due = Due::default();
        let is_keep_alive_time = self.next_send_keep_alive <= self.now || self.nat_t.your_port_changed;
        if is_keep_alive_time {
            self.nat_t.your_port_changed = false;
            if self.is_addressed() {
                let span = if self.fast_detect {
                    UDP_ACCELERATION_KEEPALIVE_INTERVAL_FAST
                } else {
                    UDP_ACCELERATION_KEEPALIVE_INTERVAL
                };
                self.next_send_keep_alive = self.now + between(span, random());
                due.keep_alive = true;
            }
        }
        due.nat_t_request = self.poll_nat_t(random);
        due
    }

    fn poll_nat_t(&mut self, mut random: impl FnMut() -> u32) -> Option<SocketAddr> {
        let server = self.nat_t.server.filter(|_| !self.nat_t.disabled)?;
        let is_ready = self.is_send_ready();
        let nat_t = &mut self.nat_t;
        if is_ready {
            (nat_t.next_perform_tick, nat_t.num_fail) = (0, 0);
            return None;
        }
        if nat_t.next_perform_tick > self.now {
            return None;
        }
        nat_t.num_fail = nat_t.num_fail.saturating_add(1);
        let interval = if nat_t.my_port == 0 {
            UDP_NAT_T_INTERVAL_INITIAL * u64::from(nat_t.num_fail.min(UDP_NAT_T_INTERVAL_FAIL_MAX))
        } else {
            between(UDP_NAT_T_INTERVAL, random())
        };
        nat_t.next_perform_tick = self.now + interval;
        Some(SocketAddr::new(server, UDP_NAT_T_PORT))
    }

    /// When [`State::poll`] next has something to do, or [`State::is_send_ready`] changes, by time alone.
    #[must_use]
    pub fn next_due(&self) -> u64 {
        let asks_nat_t = !self.nat_t.disabled && self.nat_t.server.is_some() && self.nat_t.next_perform_tick != 0;
        let is_silent_at = self.last_recv_tick.saturating_add(self.timeout() + 1);
        let is_ready_at = self.first_stable_receive_tick.saturating_add(UDP_ACCELERATION_REQUIRE_CONTINUOUS);
        [
            self.next_send_keep_alive.max(if self.is_addressed() { 0 } else { u64::MAX }),
            if asks_nat_t { self.nat_t.next_perform_tick } else { u64::MAX },
            if is_silent_at > self.now { is_silent_at } else { u64::MAX },
            if is_ready_at > self.now { is_ready_at } else { u64::MAX },
        ]
        .into_iter()
        .min()
        .unwrap_or(u64::MAX)
    }

    /// Where a keep-alive goes: to the peer; while it does not answer, to its port behind the NAT and to its second
    /// address as well (C: the end of `UdpAccelSend`).
    pub fn keep_alive_targets(&mut self) -> ArrayVec<SocketAddr, KEEP_ALIVE_TARGETS_MAX> {
        let mut targets = ArrayVec::new();
        targets.push(self.peer());
        if self.is_send_ready() {
            return targets;
        }
        let second = self.your_ip_2.filter(|ip| !ip.is_unspecified() && *ip != self.your_ip);
        let other_port = Some(self.nat_t.your_port).filter(|port| *port != 0 && *port != self.your_port);
        targets.extend(other_port.map(|port| SocketAddr::new(self.your_ip, port)));
        if let Some(ip) = second {
            targets.push(SocketAddr::new(ip, self.your_port));
            targets.extend(other_port.map(|port| SocketAddr::new(ip, port)));
        }
        targets
    }

    /// Whether a datagram is the NAT-T server's, and so none of the peer's.
    #[must_use]
    pub fn is_from_nat_t(&self, source: SocketAddr) -> bool {
        self.nat_t.server == Some(source.ip()) && source.port() == UDP_NAT_T_PORT
    }

    /// Takes the NAT-T server's answer, which says our port as it sees it (C: in `UdpAccelPoll`).
    pub fn take_nat_t_answer(&mut self, answer: &[u8]) {
        if let Some(port) = parse_ip_and_port(answer)
            && self.nat_t.my_port != port
        {
            self.nat_t.my_port = port;
            self.nat_t.my_port_changed = true;
            self.nat_t.num_fail = 0;
        }
    }

    /// Takes the port in a TCP keep-alive of the peer's (C: mode 4 of `ConnectionReceive`).
    pub fn take_nat_t_port_of_peer(&mut self, port: std::num::NonZeroU16) {
        if self.nat_t.your_port != port.get() {
            self.nat_t.your_port = port.get();
            self.nat_t.your_port_changed = true;
        }
    }

    /// Whether a datagram with this tick of the sender's is new enough.
    pub(super) fn is_in_window(&self, tick: u64) -> bool {
        self.last_recv_your_tick.saturating_sub(tick) < UDP_ACCELERATION_WINDOW_SIZE_MSEC
    }

    /// Notes a good datagram: its ticks, and the sender's address if it is the newest so far
    /// (C: the end of `UdpAccelProcessRecvPacket`).
    pub(super) fn heard(&mut self, tick: u64, echo: u64, source: SocketAddr) {
        self.last_recv_my_tick = self.last_recv_my_tick.max(echo);
        self.last_recv_your_tick = self.last_recv_your_tick.max(tick);
        if self.last_set_src_ip_and_port_tick < self.last_recv_your_tick {
            self.last_set_src_ip_and_port_tick = self.last_recv_your_tick;
            (self.your_ip, self.your_port) = (source.ip(), source.port());
        }
        let is_answer = self.last_recv_my_tick != 0
            && self.last_recv_my_tick.wrapping_add(UDP_ACCELERATION_WINDOW_SIZE_MSEC) >= self.now;
        if is_answer {
            self.last_recv_tick = self.now;
            self.is_reached_once = true;
            if self.first_stable_receive_tick == 0 {
                self.first_stable_receive_tick = self.now;
            }
        }
    }
}

impl NatT {
    /// The question to the server.
    pub const REQUEST: &'static [u8] = NAT_T_REQUEST;
}

/// A number in the span, as the C draws it.
fn between((least, below): (u64, u64), random: u32) -> u64 {
    least + u64::from(random) % (below - least)
}

/// The port in `IP=1.2.3.4,PORT=5678#…` (C: `RUDPParseIPAndPortStr`, Mayaqua/Network.c); `None` if it is none of 1–65535.
///
/// A number may be followed by anything, as by the C; a number beyond 65535 is none (the C lets it wrap around at 2^32).
fn parse_ip_and_port(answer: &[u8]) -> Option<u16> {
    const ANSWER_SIZE_MAX: usize = 511;
    const PORT: &[u8] = b",PORT=";
    let text = &answer[..answer.len().min(ANSWER_SIZE_MAX)];
    let (prefix, text) = text.split_first_chunk::<3>()?;
    if !prefix.eq_ignore_ascii_case(b"IP=") {
        return None;
    }
    let end = text.iter().position(|byte| matches!(byte, b'#' | 0)).unwrap_or(text.len());
    let text = &text[..end];
    let at = text.windows(PORT.len()).position(|window| window == PORT)?;
    let digits = &text[at + PORT.len()..];
    let count = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let port: u16 = std::str::from_utf8(&digits[..count]).ok()?.parse().ok()?;
    (port != 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "192.0.2.1:40000";

    fn state() -> State {
        let nat_t = NatT { server: "198.51.100.7".parse().ok(), ..NatT::default() };
        let mut state = State::new(PEER.parse().unwrap(), "192.0.2.2".parse().ok(), false, nat_t);
        state.now = 100_000;
        state
    }

    #[test]
    fn frames_go_by_udp_after_ten_seconds_of_answers_and_not_after_a_pause() {
        let mut state = state();
        assert!(state.is_addressed() && !state.is_send_ready());
        for second in 0..=10 {
            state.now = 100_000 + second * 1000;
            state.heard(second + 1, state.now, PEER.parse().unwrap());
            assert_eq!(state.is_send_ready(), second == 10, "after {second} s");
        }
        state.now += 9000;
        assert!(state.is_send_ready());
        state.now += 1;
        assert!(!state.is_send_ready(), "silent for more than 9 s");
        assert_eq!(state.first_stable_receive_tick, 0, "the ten seconds begin anew");
        state.heard(99, state.now, PEER.parse().unwrap());
        assert!(!state.is_send_ready());
    }

    #[test]
    fn fast_detection_knows_after_2100_ms() {
        let mut state = State { fast_detect: true, first_stable_receive_tick: 1, last_recv_tick: 100_000, ..state() };
        state.now = 102_100;
        assert!(state.is_send_ready());
        state.now = 102_101;
        assert!(!state.is_send_ready());
    }

    #[test]
    fn a_datagram_that_answers_nothing_of_ours_does_not_count() {
        let mut state = state();
        state.heard(5, 0, PEER.parse().unwrap());
        assert_eq!((state.last_recv_tick, state.is_reached_once), (0, false));
        // Our tick, but of more than 30 s ago.
        state.heard(6, 69_999, PEER.parse().unwrap());
        assert_eq!(state.last_recv_tick, 0);
        state.heard(7, 70_000, PEER.parse().unwrap());
        assert_eq!((state.last_recv_tick, state.is_reached_once), (100_000, true));
    }

    #[test]
    fn the_newest_datagram_says_where_the_peer_is() {
        let mut state = state();
        let (first, second) = ("203.0.113.9:7".parse().unwrap(), "203.0.113.9:8".parse().unwrap());
        state.heard(10, 0, first);
        assert_eq!(state.peer(), first);
        state.heard(10, 0, second);
        assert_eq!(state.peer(), first, "the same tick does not move it");
        state.heard(9, 0, second);
        assert_eq!(state.peer(), first, "an older one neither");
        state.heard(11, 0, second);
        assert_eq!(state.peer(), second);
    }

    #[test]
    fn the_window_is_30_seconds_of_the_peers_clock() {
        let state = State { last_recv_your_tick: 50_000, ..state() };
        assert!(!state.is_in_window(20_000));
        assert!(state.is_in_window(20_001));
        assert!(state.is_in_window(u64::MAX));
        assert!(!State { last_recv_your_tick: u64::MAX, ..state }.is_in_window(0));
    }

    #[test]
    fn keep_alives_come_at_their_time_and_when_the_peers_port_is_known() {
        let mut state = state();
        state.nat_t.disabled = true;
        let due = state.poll(|| 1999);
        assert_eq!((due, state.next_send_keep_alive), (Due { keep_alive: true, nat_t_request: None }, 102_999));
        assert_eq!(state.next_due(), 102_999);
        assert_eq!(state.poll(|| panic!("drawn")), Due::default());
        state.take_nat_t_port_of_peer(7.try_into().unwrap());
        state.take_nat_t_port_of_peer(7.try_into().unwrap());
        assert!(state.poll(|| 2000).keep_alive);
        assert_eq!(state.next_send_keep_alive, 101_000);
        assert!(!state.nat_t.your_port_changed);
        state.fast_detect = true;
        state.now = 101_000;
        assert!(state.poll(|| 499).keep_alive);
        assert_eq!(state.next_send_keep_alive, 101_999);
        state.your_port = 0;
        state.now = 200_000;
        assert!(!state.poll(|| panic!("drawn")).keep_alive, "there is nobody to send it to");
    }

    #[test]
    fn the_nat_t_server_is_asked_ever_more_rarely_until_it_answers_and_never_once_udp_works() {
        let mut state = state();
        state.next_send_keep_alive = u64::MAX;
        let mut spans = Vec::new();
        for _ in 0..70 {
            let server = "198.51.100.7:5004".parse().unwrap();
            assert_eq!(state.poll(|| panic!("drawn")).nat_t_request, Some(server));
            assert_eq!(state.poll(|| panic!("drawn")).nat_t_request, None);
            assert_eq!(state.next_due(), state.nat_t.next_perform_tick);
            spans.push(state.nat_t.next_perform_tick - state.now);
            state.now = state.nat_t.next_perform_tick;
        }
        assert_eq!((spans[0], spans[1], spans[59], spans[69]), (3000, 6000, 180_000, 180_000));
        state.take_nat_t_answer(b"IP=10.0.0.1,PORT=4500#");
        assert_eq!((state.nat_t.my_port, state.nat_t.my_port_changed, state.nat_t.num_fail), (4500, true, 0));
        assert!(state.poll(|| 300_000 + 7).nat_t_request.is_some());
        assert_eq!(state.nat_t.next_perform_tick - state.now, 300_007);
        state.last_recv_tick = state.now;
        state.first_stable_receive_tick = 1;
        assert_eq!(state.poll(|| panic!("drawn")).nat_t_request, None);
        assert_eq!((state.nat_t.next_perform_tick, state.nat_t.num_fail), (0, 0));
        assert_eq!(state.next_due(), state.now + 9001, "only a silence can change anything");
    }

    #[test]
    fn until_the_time_that_is_due_nothing_changes_and_then_something_does() {
        let mut state = state();
        let mut seen = [false; 3];
        for turn in 0..100 {
            let (was_ready, _) = (state.is_send_ready(), state.poll(|| 1500));
            let due = state.next_due();
            assert!(due > state.now, "turn {turn}: {state:?}");
            let mut before = State { now: due - 1, ..state.clone() };
            assert_eq!(
                (before.is_send_ready(), before.poll(|| panic!("drawn"))),
                (was_ready, Due::default()),
                "turn {turn}"
            );
            state.now = due;
            let now = (state.is_send_ready(), state.clone().poll(|| 1500));
            seen[0] |= now.0 && !was_ready;
            seen[1] |= !now.0 && was_ready;
            seen[2] |= now.1 != Due::default();
            // For the first minute it answers.
            if turn < 40 {
                state.heard(state.now, state.now, PEER.parse().unwrap());
            }
        }
        assert_eq!(seen, [true; 3], "it came up, went down, and had something to send");
    }

    #[test]
    fn a_keep_alive_goes_wherever_the_peer_may_be_until_it_answers() {
        let mut state = state();
        let texts = |state: &mut State| state.keep_alive_targets().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&mut state), [PEER, "192.0.2.2:40000"]);
        state.nat_t.your_port = 5;
        assert_eq!(texts(&mut state), [PEER, "192.0.2.1:5", "192.0.2.2:40000", "192.0.2.2:5"]);
        state.your_ip_2 = Some(state.your_ip);
        assert_eq!(texts(&mut state), [PEER, "192.0.2.1:5"]);
        state.last_recv_tick = state.now;
        state.first_stable_receive_tick = 1;
        assert_eq!(texts(&mut state), [PEER]);
    }

    #[test]
    fn the_nat_t_servers_answer_is_read_as_the_c_reads_it() {
        for (answer, port) in [
            (&b"IP=1.2.3.4,PORT=5678#"[..], Some(5678)),
            (b"ip=1.2.3.4,PORT=1", Some(1)),
            (b"IP=,PORT=65535 and more", Some(65535)),
            (b"IP=1.2.3.4,PORT=65536", None),
            (b"IP=1.2.3.4,PORT=0", None),
            (b"IP=1.2.3.4,PORT=", None),
            (b"IP=1.2.3.4,port=7", None),
            (b"IP=1.2.3.4#,PORT=7", None),
            (b"IP=1.2.3.4\0,PORT=7", None),
            (b"IP", None),
            (b"", None),
            (b"XX=1.2.3.4,PORT=7", None),
        ] {
            assert_eq!(parse_ip_and_port(answer), port, "{}", String::from_utf8_lossy(answer));
        }
    }
}
