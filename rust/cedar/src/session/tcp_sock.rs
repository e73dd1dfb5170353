//! One TCP connection of a session: its direction and timers; and the choice among several.

use super::view::Role;
use crate::framing::gen_next_keep_alive_span;

/// In which direction a connection carries frames (C: `TCP_BOTH` and its companions, Connection.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    Both,
    /// From the server only.
    ServerToClient,
    /// To the server only.
    ClientToServer,
}

/// The timers of one connection (C: `TCPSOCK`, Cedar/Connection.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSock {
    /// Where frames go.
    pub direction: Direction,
    /// When it must speak, 0: at once.
    pub next_keep_alive_time: u64,
    /// Last frame or keep-alive that came.
    pub last_comm_time: u64,
    /// Last bytes that came.
    pub last_recv_time: u64,
    /// When it is to be replaced, 0: never (C: `DisconnectTick`).
    pub disconnect_time: u64,
    /// How often the kernel took nothing since it last took all.
    pub late_count: u32,
}

impl TcpSock {
    /// A new connection (C: `NewTcpSock`).
    #[must_use]
    pub const fn new(direction: Direction, now: u64) -> Self {
        Self {
            direction,
            next_keep_alive_time: 0,
            last_comm_time: now,
            last_recv_time: now,
            disconnect_time: 0,
            late_count: 0,
        }
    }

    /// Whether this end sends on it (C: `IS_SEND_TCP_SOCK`).
    #[must_use]
    pub const fn sends(&self, role: Role) -> bool {
        matches!(
            (self.direction, role),
            (Direction::Both, _)
                | (Direction::ClientToServer, Role::Client)
                | (Direction::ServerToClient, Role::Server)
        )
    }

    /// Whether this end receives on it (C: `IS_RECV_TCP_SOCK`).
    #[must_use]
    pub const fn receives(&self, role: Role) -> bool {
        match role {
            Role::Client => self.sends(Role::Server),
            Role::Server => self.sends(Role::Client),
        }
    }

    /// Whether a keep-alive is due on a connection that sends. `is_port_new`: the peer has to learn another UDP port
    /// (C: `MyPortByNatTServerChanged`), which cannot wait.
    #[must_use]
    pub const fn is_keep_alive_due(&self, now: u64, is_port_new: bool) -> bool {
        now >= self.next_keep_alive_time || is_port_new
    }

    /// Begins the wait for the next keep-alive: after one was sent, and after frames were, unless UDP acceleration is
    /// near, which lives by the ports in keep-alives. `random` is one number, as `rand()` gives.
    pub fn postpone_keep_alive(&mut self, now: u64, timeout_ms: u32, random: u32) {
        self.next_keep_alive_time = now + u64::from(gen_next_keep_alive_span(timeout_ms, random));
    }

    /// Notes that a whole frame or a keep-alive came.
    pub fn heard(&mut self, now: u64) {
        self.last_comm_time = self.last_comm_time.max(now);
    }

    /// Notes that the kernel took all (`true`) or nothing of what was to be sent.
    pub fn sent(&mut self, is_all: bool) {
        self.late_count = if is_all { 0 } else { self.late_count.wrapping_add(1) };
    }

    /// Whether the peer was silent for too long on a connection that this end receives on.
    #[must_use]
    pub const fn is_dead(&self, now: u64, timeout_ms: u32, role: Role) -> bool {
        self.receives(role) && is_silent(self.last_comm_time, now, timeout_ms)
    }

    /// Whether it is to be replaced by now.
    #[must_use]
    pub const fn is_worn_out(&self, now: u64) -> bool {
        self.disconnect_time != 0 && self.disconnect_time <= now
    }

    /// When one of the above changes by time alone.
    #[must_use]
    pub fn next_due(&self, timeout_ms: u32, role: Role) -> u64 {
        let keep_alive = if self.sends(role) { self.next_keep_alive_time } else { u64::MAX };
        let death = if self.receives(role) { silence_ends(self.last_comm_time, timeout_ms) } else { u64::MAX };
        let replacement = if self.disconnect_time == 0 { u64::MAX } else { self.disconnect_time };
        keep_alive.min(death).min(replacement)
    }
}

/// Whether nothing was heard for `timeout_ms`. Even a timeout of 0 takes a moment.
pub(super) const fn is_silent(last_comm_time: u64, now: u64, timeout_ms: u32) -> bool {
    now >= silence_ends(last_comm_time, timeout_ms)
}

/// From when on that holds.
pub(super) const fn silence_ends(last_comm_time: u64, timeout_ms: u32) -> u64 {
    last_comm_time.saturating_add(if timeout_ms == 0 { 1 } else { timeout_ms as u64 })
}

/// Whether a half-duplex session has all its connections, and all of one direction: one of them must go, so that the
/// next can take the other (C: `HalfConnection` in `ConnectionReceive`).
pub fn is_one_sided(directions: impl ExactSizeIterator<Item = Direction>, max_connection: u32) -> bool {
    let all = directions.len();
    let down = directions.filter(|&direction| direction == Direction::ServerToClient).count();
    all >= max_connection as usize && (down == 0 || down == all)
}

/// What the choice of a connection looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// See [`TcpSock::late_count`].
    pub late_count: u32,
    /// See [`TcpSock::last_recv_time`].
    pub last_recv_time: u64,
}

/// The connections that take the two queues. They are the same one unless the session keeps one for priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The place of the one for frames with priority (C: `ts_hp`).
    pub priority: usize,
    /// The place of the one for all others (C: `ts`).
    pub normal: usize,
}

/// Chooses among the connections that can send; `None` if there is none. With QoS the last of several is kept for
/// priority. Of the others R-UDP takes the one heard of last, TCP the one least delayed; of equals it is the last.
#[must_use]
pub fn choose(delays: &[Delay], use_qos: bool, is_rudp: bool) -> Option<Chosen> {
    let last = delays.len().checked_sub(1)?;
    let kept = use_qos && last > 0;
    let free = if kept { &delays[..last] } else { delays };
    let free = free.iter().enumerate();
    let normal = if is_rudp {
        free.max_by_key(|(_, delay)| delay.last_recv_time)
    } else {
        free.rev().min_by_key(|(_, delay)| delay.late_count)
    };
    let (normal, _) = normal?;
    Some(Chosen { priority: if use_qos { last } else { normal }, normal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_that_of_the_c_s_two_loops() {
        let delay = |(late_count, last_recv_time)| Delay { late_count, last_recv_time };
        let three = [(1, 9), (0, 5), (0, 7)].map(delay);
        let pick = |delays, use_qos, is_rudp| choose(delays, use_qos, is_rudp).map(|c| (c.priority, c.normal));
        assert_eq!(pick(&[], false, false), None);
        assert_eq!(pick(&three[..1], true, false), Some((0, 0)));
        assert_eq!(pick(&three, false, false), Some((2, 2)));
        assert_eq!(pick(&three, true, false), Some((2, 1)));
        assert_eq!(pick(&three, false, true), Some((0, 0)));
        assert_eq!(pick(&three[1..], true, true), Some((1, 0)));
    }

    #[test]
    fn directions_are_of_the_two_ends() {
        for (direction, client, server) in [
            (Direction::Both, true, true),
            (Direction::ClientToServer, true, false),
            (Direction::ServerToClient, false, true),
        ] {
            let sock = TcpSock::new(direction, 0);
            assert_eq!((sock.sends(Role::Client), sock.sends(Role::Server)), (client, server));
            assert_eq!((sock.receives(Role::Server), sock.receives(Role::Client)), (client, server));
        }
    }

    #[test]
    fn silence_counts_from_the_last_sign_and_takes_at_least_a_moment() {
        let sock = TcpSock { last_comm_time: 1000, ..TcpSock::new(Direction::Both, 0) };
        let dead = |now, timeout_ms| sock.is_dead(now, timeout_ms, Role::Client);
        assert_eq!([dead(0, 500), dead(1499, 500), dead(1500, 500)], [false, false, true]);
        assert_eq!([dead(1000, 0), dead(1001, 0)], [false, true]);
        assert!(!dead(u64::from(u32::MAX), u32::MAX));
        let up = TcpSock { direction: Direction::ClientToServer, ..sock };
        assert!(!up.is_dead(1_000_000, 500, Role::Client), "nothing can come on it");
    }

    #[test]
    fn what_is_due_is_due_at_the_time_that_was_said() {
        let mut sock = TcpSock { disconnect_time: 900, ..TcpSock::new(Direction::Both, 100) };
        assert_eq!(sock.next_due(500, Role::Client), 0);
        sock.postpone_keep_alive(100, 500, 249);
        assert_eq!(sock.next_due(500, Role::Client), 349);
        assert_eq!([sock.is_keep_alive_due(348, false), sock.is_keep_alive_due(349, false)], [false, true]);
        assert!(sock.is_keep_alive_due(0, true));
        sock.next_keep_alive_time = 5000;
        assert_eq!(sock.next_due(500, Role::Client), 600);
        sock.heard(500);
        assert_eq!(sock.next_due(500, Role::Client), 900);
        assert_eq!([sock.is_worn_out(899), sock.is_worn_out(900)], [false, true]);
    }

    #[test]
    fn a_half_duplex_session_that_is_full_needs_both_directions() {
        use Direction::{ClientToServer as Up, ServerToClient as Down};
        for (directions, max, expected) in [
            (&[Up][..], 2, false),
            (&[Up, Up], 2, true),
            (&[Down, Down], 2, true),
            (&[Up, Down], 2, false),
            (&[Up, Up, Down], 2, false),
            (&[], 2, false),
        ] {
            assert_eq!(is_one_sided(directions.iter().copied(), max), expected, "{directions:?} of {max}");
        }
    }

    #[test]
    fn late_counts_grow_until_all_is_taken() {
        let mut sock = TcpSock::new(Direction::Both, 0);
        sock.sent(false);
        sock.sent(false);
        assert_eq!(sock.late_count, 2);
        sock.sent(true);
        assert_eq!(sock.late_count, 0);
    }
}
