//! What a session is, and what a driver shows of it each turn.

/// Which end of the session this is (C: `SESSION.ServerMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Connects, and adds connections.
    Client,
    /// Accepts, and bills.
    Server,
}

/// What stays as it is while a session runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which end.
    pub role: Role,
    /// Silence after which it is over, in milliseconds (C: `SESSION.Timeout`).
    pub timeout_ms: u32,
    /// It is one of the hub's own and has no time-outs (C: `LinkModeServer`, `SecureNATMode`, `BridgeMode`,
    /// `L3SwitchMode`).
    pub is_internal: bool,
    /// It is carried by a tube inside the process, and has none either (C: `InProcMode`).
    pub is_in_proc: bool,
    /// It runs over TCP connections (C: `CONNECTION_TCP`).
    pub is_tcp: bool,
    /// Seconds after which a policy ends it (C: `POLICY.AutoDisconnect`, of a client only); 0: never.
    pub auto_disconnect_s: u32,
    /// How a client adds connections.
    pub additional: AdditionalConnections,
}

impl Config {
    /// A session over TCP as a client or server makes it, with one connection and the C's default timeout.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            timeout_ms: super::TIMEOUT_DEFAULT_MS,
            is_internal: false,
            is_in_proc: false,
            is_tcp: true,
            auto_disconnect_s: 0,
            additional: AdditionalConnections {
                max_connection: 1,
                interval_s: 1,
                is_for_life: true,
                is_rudp: false,
                has_udp_recovery: false,
            },
        }
    }
}

/// How a client adds connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdditionalConnections {
    /// As many as it wants (C: `SESSION.MaxConnection`).
    pub max_connection: u32,
    /// Seconds between two attempts (C: `CLIENT_OPTION.AdditionalConnectionInterval`); 0: none.
    pub interval_s: u32,
    /// A connection lives as long as the session, so that a session which cannot get them all is broken
    /// (C: `CLIENT_OPTION.ConnectionDisconnectSpan` of 0).
    pub is_for_life: bool,
    /// They go over R-UDP (C: `SESSION.IsRUDPSession`).
    pub is_rudp: bool,
    /// Those may be replaced (C: `SESSION.EnableUdpRecovery`).
    pub has_udp_recovery: bool,
}

/// The C's SESSION and CONNECTION at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Someone asked it to end (C: `SESSION.Halt`).
    pub halt: bool,
    /// A person did, and waits (C: `SESSION.ForceStopFlag`).
    pub force_stop: bool,
    /// Another thread found it dead, or a swap panicked (C: `SESSION.SessionTimeOuted`).
    pub timed_out: bool,
    /// Last sign of life (C: `SESSION.LastCommTime`).
    pub last_comm_time: u64,
    /// Connections that carry frames (C: the length of `TcpSockList`).
    pub connections: u32,
    /// Those, and those being made (C: `CONNECTION.CurrentNumConnection`).
    pub connections_wanted: u32,
    /// When the next may be made (C: `SESSION.NextConnectionTime`); 0: now.
    pub next_connection_time: u64,
    /// When one was last made, lost or tried (C: `SESSION.LastTryAddConnectTime`).
    pub last_try_add_connect_time: u64,
    /// Attempts that failed one after the other (C: `CONNECTION.AdditionalConnectionFailedCounter`).
    pub additional_failures: u32,
    /// Connections lost so far (C: `SESSION.NumDisconnected`).
    pub disconnected: u32,
    /// A session whose connections are gone ends at once (C: `GSF_DISABLE_SESSION_RECONNECT`).
    pub is_reconnect_disabled: bool,
    /// UDP acceleration cannot go on (C: `UDP_ACCEL.FatalError`).
    pub is_udp_broken: bool,
    /// The tube of a session inside the process is gone.
    pub is_tube_broken: bool,
    /// A server's hub.
    pub hub: Option<HubView>,
    /// A server counts the user's login then (C: `SESSION.NumLoginIncrementTick`); 0: never, or done.
    pub count_login_time: u64,
}

impl View {
    /// A session with one connection, heard of at `now`.
    #[must_use]
    pub const fn new(now: u64) -> Self {
        Self {
            halt: false,
            force_stop: false,
            timed_out: false,
            last_comm_time: now,
            connections: 1,
            connections_wanted: 1,
            next_connection_time: 0,
            last_try_add_connect_time: now,
            additional_failures: 0,
            disconnected: 0,
            is_reconnect_disabled: false,
            is_udp_broken: false,
            is_tube_broken: false,
            hub: None,
            count_login_time: 0,
        }
    }
}

/// A hub as its sessions see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubView {
    /// It serves nobody any more (C: `HUB.ForceDisableComm`).
    pub is_closed: bool,
    /// When its traffic was last reported (C: `HUB.LastIncrementTraffic`).
    pub last_increment_traffic: u64,
}
