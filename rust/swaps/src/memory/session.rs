//! A client's SESSION over TCP as `cedar::session` looks at it, for every driver of a session's turns.

use super::{connection, list};
use cedar::session::{AdditionalConnections, Config, Role, Traffic, TrafficEntry, View};
use softether_sys::{
    AddTrafficForSession, CONNECTION, Count, GSF_DISABLE_SESSION_RECONNECT, GetGlobalServerFlag, SESSION, TRAFFIC,
    TRAFFIC_ENTRY,
};

/// The connection of a session that Rust can run: a client's, over TCP sockets. `None` is for C: a server's sessions and
/// the hub's own (SecureNAT, bridge, layer 3), those inside the process, and those for which SoftEther's own client
/// would show a window.
///
/// # Safety
/// `s` is null or a session.
pub unsafe fn client_connection(s: *const SESSION) -> Option<*mut CONNECTION> {
    // SAFETY: the caller's; a client's session has options.
    unsafe {
        let s = s.as_ref()?;
        connection::tcp_session(s.Connection)?;
        let is_client = s.ServerMode == 0 && s.BridgeMode == 0 && s.InProcMode == 0 && !s.ClientOption.is_null();
        let has_windows =
            !(*s.Cedar).Client.is_null() && (!s.Client_Message.is_null() || s.Win32HideNicInfoWindow == 0);
        (is_client && !has_windows).then_some(s.Connection)
    }
}

/// What stays as it is while the session runs.
///
/// # Safety
/// `s` has a [`client_connection`].
pub unsafe fn config(s: *const SESSION) -> Config {
    // SAFETY: the caller's; a policy is whole or null.
    unsafe {
        let s = &*s;
        let option = &*s.ClientOption;
        // SoftEther's own client keeps that rule, and nobody else does.
        let policy = if (*s.Cedar).Client.is_null() { None } else { s.Policy.as_ref() };
        Config {
            timeout_ms: s.Timeout,
            auto_disconnect_s: policy.map_or(0, |policy| policy.AutoDisconnect),
            is_internal: s.SecureNATMode != 0 || s.L3SwitchMode != 0 || s.LinkModeServer != 0,
            additional: AdditionalConnections {
                max_connection: s.MaxConnection,
                interval_s: option.AdditionalConnectionInterval,
                is_for_life: option.ConnectionDisconnectSpan == 0,
                is_rudp: s.IsRUDPSession != 0,
                has_udp_recovery: s.EnableUdpRecovery != 0,
            },
            ..Config::new(Role::Client)
        }
    }
}

/// The session now. Takes no lock: each member is one word that the C, too, reads without.
///
/// # Safety
/// `s` has a [`client_connection`]; called on the session's thread.
pub unsafe fn view(s: *const SESSION) -> View {
    // SAFETY: the caller's; members that other threads write are read once, as by the C.
    unsafe {
        let c = (*s).Connection;
        let udp = (*s).UdpAccel;
        View {
            halt: (&raw const (*s).Halt).read_volatile() != 0,
            force_stop: (&raw const (*s).ForceStopFlag).read_volatile() != 0,
            timed_out: (&raw const (*s).SessionTimeOuted).read_volatile() != 0,
            last_comm_time: (*s).LastCommTime,
            connections: list::len((*(*c).Tcp).TcpSockList),
            connections_wanted: Count((*c).CurrentNumConnection),
            next_connection_time: (*s).NextConnectionTime,
            last_try_add_connect_time: (&raw const (*s).LastTryAddConnectTime).read_volatile(),
            additional_failures: (&raw const (*c).AdditionalConnectionFailedCounter).read_volatile(),
            disconnected: (*s).NumDisconnected,
            is_reconnect_disabled: GetGlobalServerFlag(GSF_DISABLE_SESSION_RECONNECT) != 0,
            is_udp_broken: (*s).UseUdpAcceleration != 0 && !udp.is_null() && (*udp).FatalError != 0,
            ..View::new((*s).LastCommTime)
        }
    }
}

/// Adds to the counters that a person sees (C: `AddTrafficForSession`), under their lock.
///
/// # Safety
/// `s` is a client's session.
pub unsafe fn add_traffic(s: *mut SESSION, traffic: &Traffic) {
    let mut traffic = TRAFFIC { Send: entry(traffic.send), Recv: entry(traffic.recv) };
    // SAFETY: the caller's.
    unsafe { AddTrafficForSession(s, &mut traffic) };
}

fn entry(entry: TrafficEntry) -> TRAFFIC_ENTRY {
    TRAFFIC_ENTRY {
        BroadcastCount: entry.broadcast_count,
        BroadcastBytes: entry.broadcast_bytes,
        UnicastCount: entry.unicast_count,
        UnicastBytes: entry.unicast_bytes,
    }
}
