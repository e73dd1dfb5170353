//! The decisions of a session's turns (C: `SessionMain`, `ClientAdditionalConnectChance`, Cedar/Session.c).

use super::end::{End, Reason};
use super::tcp_sock::{is_silent, silence_ends};
use super::view::{Config, Role, View};

/// How often a server reports the traffic of users and hubs, in milliseconds (C: `INCREMENT_TRAFFIC_INTERVAL`).
pub const INCREMENT_TRAFFIC_INTERVAL_MS: u64 = 10_000;

/// How often a server notes that a hub is in use, in milliseconds.
const HUB_LAST_COMM_INTERVAL_MS: u64 = 1_000;

/// How long the making of a connection may take, in milliseconds (C: `CONNECTING_TIMEOUT`, Cedar.h).
const CONNECTING_TIMEOUT_MS: u64 = 15_000;

/// More attempts in a row that failed, and R-UDP adds no connection (C: `MAX_ADDITIONAL_CONNECTION_FAILED_COUNTER`).
const ADDITIONAL_FAILURES_MAX: u32 = 16;

/// What is to be done before a session waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// The hub was used: `HUB.LastCommTime` is to be set.
    pub note_hub_use: bool,
    /// Another connection is to be made (C: `SessionAdditionalConnect`), and [`Session::next_connection_time`] to be
    /// noted. Ask [`Session::wants_connection`] again afterwards.
    pub add_connection: bool,
}

/// What is to be done at the end of a turn, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The login is to be counted (C: `NumLoginIncrementTick`), and no more after that.
    pub count_login: bool,
    /// The user's traffic is to be reported (C: `IncrementUserTraffic`).
    pub report_user_traffic: bool,
    /// The hub's traffic is to be reported (C: `IncrementHubTraffic`), and `HUB.LastIncrementTraffic` to be set.
    pub report_hub_traffic: bool,
    /// The session ends.
    pub end: Option<End>,
}

/// One session, from its first turn to its end.
#[derive(Clone, Debug)]
pub struct Session {
    config: Config,
    /// When the policy ends it; never if `None`.
    auto_disconnect_time: Option<u64>,
    /// Why it ends, should it end now (C: `err`).
    reason: Reason,
    /// It has to end (C: `pa_fail`).
    has_failed: bool,
    /// Frames have passed since the hub's use was noted (C: `update_hub_last_comm`).
    has_frames: bool,
    next_hub_use_time: u64,
    last_increment_traffic: u64,
}

impl Session {
    /// A session that begins `now`, when its packet adapter is ready.
    #[must_use]
    pub fn new(config: Config, now: u64) -> Self {
        let is_limited = config.role == Role::Client && config.auto_disconnect_s != 0;
        Self {
            config,
            auto_disconnect_time: is_limited.then(|| now + u64::from(config.auto_disconnect_s) * 1000),
            reason: Reason::SessionTimeout,
            has_failed: false,
            has_frames: false,
            next_hub_use_time: 0,
            last_increment_traffic: now,
        }
    }

    /// What it was made of.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The session has to end at the end of this turn. Of several reasons the last one is told.
    pub fn fail(&mut self, reason: Reason) {
        self.has_failed = true;
        self.reason = reason;
    }

    /// Frames were received or fetched.
    pub fn note_frames(&mut self) {
        self.has_frames = true;
    }

    /// What is to be done before the session waits.
    pub fn begin(&mut self, view: &View, now: u64) -> Begin {
        let mut begin = Begin { add_connection: self.wants_connection(view, now), ..Begin::default() };
        if self.next_hub_use_time <= now {
            self.next_hub_use_time = now + HUB_LAST_COMM_INTERVAL_MS;
            begin.note_hub_use = view.hub.is_some() && std::mem::take(&mut self.has_frames);
        }
        begin
    }

    /// Whether another connection is to be made now (C: `ClientAdditionalConnectChance`).
    #[must_use]
    pub fn wants_connection(&self, view: &View, now: u64) -> bool {
        self.adds_connection_at(view).is_some_and(|time| time <= now)
    }

    /// When the one after a connection that is begun `now` may be made.
    #[must_use]
    pub fn next_connection_time(&self, now: u64) -> u64 {
        now + u64::from(self.config.additional.interval_s) * 1000
    }

    /// When another connection is to be made, if at all.
    fn adds_connection_at(&self, view: &View) -> Option<u64> {
        let Config { role, is_tcp, additional, .. } = self.config;
        let is_held_back =
            additional.is_rudp && (!additional.has_udp_recovery || view.additional_failures > ADDITIONAL_FAILURES_MAX);
        let may_add = role == Role::Client
            && is_tcp
            && !view.is_reconnect_disabled
            && !view.halt
            && !is_held_back
            && view.connections_wanted < additional.max_connection;
        may_add.then_some(if additional.interval_s == 0 { 0 } else { view.next_connection_time })
    }

    /// Whether the session goes on, and what else is due.
    pub fn end_of_turn(&mut self, view: &View, now: u64) -> Turn {
        if let Some(reason) = self.broken(view) {
            self.fail(reason);
        }
        if self.auto_disconnect_time.is_some_and(|time| time <= now) {
            return ending(End { reason: Reason::AutoDisconnected, is_retry: false, is_final: true });
        }
        if view.halt {
            let reason = if view.force_stop { Reason::UserCancel } else { self.reason };
            return ending(End { reason, is_retry: false, is_final: false });
        }
        let mut turn = self.reports(view, now);
        let is_timed_out = self.is_timed_out(view, now);
        if is_timed_out {
            self.reason = Reason::SessionTimeout;
        }
        if self.has_failed || is_timed_out || view.timed_out {
            turn.end = Some(End { reason: self.reason, is_retry: true, is_final: false });
        }
        turn
    }

    /// What a server counts and reports.
    fn reports(&mut self, view: &View, now: u64) -> Turn {
        let count_login = view.count_login_time != 0 && view.count_login_time <= now;
        let mut turn = Turn { count_login, ..Turn::default() };
        if self.config.role == Role::Server {
            turn.report_user_traffic = self.last_increment_traffic + INCREMENT_TRAFFIC_INTERVAL_MS <= now;
            if turn.report_user_traffic {
                self.last_increment_traffic = now;
            }
            turn.report_hub_traffic =
                view.hub.is_some_and(|hub| hub.last_increment_traffic + INCREMENT_TRAFFIC_INTERVAL_MS <= now);
        }
        turn
    }

    /// What is broken for good.
    fn broken(&self, view: &View) -> Option<Reason> {
        let Config { role, is_internal, additional, .. } = self.config;
        let is_rudp_lost = additional.is_rudp && !additional.has_udp_recovery && view.disconnected >= 1;
        if view.is_tube_broken || is_rudp_lost || view.is_udp_broken {
            return Some(Reason::Disconnected);
        }
        let is_hub_closed = view.hub.is_some_and(|hub| hub.is_closed);
        (role == Role::Server && is_hub_closed && !is_internal).then_some(Reason::ServerCantAccept)
    }

    /// Whether the peer is silent, or the connections that the session wants cannot be had.
    fn is_timed_out(&self, view: &View, now: u64) -> bool {
        if self.config.is_internal || self.config.is_in_proc {
            return false;
        }
        let is_alone = self.config.is_tcp && view.is_reconnect_disabled && view.connections_wanted == 0;
        let is_short = self.gives_up_at(view).is_some_and(|time| time <= now);
        is_silent(view.last_comm_time, now, self.config.timeout_ms) || is_alone || is_short
    }

    /// When a client that lacks connections gives up: after it has had the time for two attempts.
    fn gives_up_at(&self, view: &View) -> Option<u64> {
        let Config { role, is_tcp, additional, .. } = self.config;
        let is_short = view.connections < additional.max_connection;
        let is_enough = additional.is_rudp && view.connections != 0;
        let gives_up = role == Role::Client && is_tcp && additional.is_for_life && is_short && !is_enough;
        let patience = u64::from(additional.interval_s) * 1000 * 2 + CONNECTING_TIMEOUT_MS * 2;
        gives_up.then_some(view.last_try_add_connect_time + patience)
    }

    /// The earliest time at which [`Session::begin`] or [`Session::end_of_turn`] has something to say although nothing
    /// has happened; `u64::MAX` if there is none.
    #[must_use]
    pub fn next_due(&self, view: &View) -> u64 {
        let Config { role, is_internal, is_in_proc, timeout_ms, .. } = self.config;
        let mut due = self.auto_disconnect_time.unwrap_or(u64::MAX);
        if !is_internal && !is_in_proc {
            due = due.min(silence_ends(view.last_comm_time, timeout_ms));
            due = due.min(self.gives_up_at(view).unwrap_or(u64::MAX));
        }
        due = due.min(self.adds_connection_at(view).unwrap_or(u64::MAX));
        if view.count_login_time != 0 {
            due = due.min(view.count_login_time);
        }
        if role == Role::Server {
            due = due.min(self.last_increment_traffic + INCREMENT_TRAFFIC_INTERVAL_MS);
        }
        if let Some(hub) = view.hub {
            if role == Role::Server {
                due = due.min(hub.last_increment_traffic + INCREMENT_TRAFFIC_INTERVAL_MS);
            }
            if self.has_frames {
                due = due.min(self.next_hub_use_time);
            }
        }
        due
    }
}

const fn ending(end: End) -> Turn {
    Turn { count_login: false, report_user_traffic: false, report_hub_traffic: false, end: Some(end) }
}
