//! Before anything is received: which sockets are given up, and the wait for the others.

use crate::memory::connection::vpn_gp;
use crate::memory::list;
use softether_sys::{
    AddSockSet, CANCEL, CONNECTION, Disconnect, GP_SELECT_TIME, GP_SELECT_TIME_FOR_NAT, GetNextDelayedPacketTickDiff,
    InitSockSet, SESSION, SOCKSET, Select, TCP_SERVER_TO_CLIENT, TCPSOCK, Tick64, YieldCpu,
};

/// Milliseconds that a session waits at most (C: `SELECT_TIME`, Cedar.h).
const SELECT_TIME: u32 = 256;

/// The same for a session of a virtual host (C: `SELECT_TIME_FOR_NAT`, Cedar.h).
const SELECT_TIME_FOR_NAT: u32 = 30;

/// Disconnects, in a client's session, the sockets that are to be replaced by now, and the last socket if a
/// half-duplex session has all its sockets and they go in one direction only.
///
/// # Safety
/// `c` and `s` are a connection over TCP and its session, on that session's thread.
pub unsafe fn disconnect_some(c: *mut CONNECTION, s: *mut SESSION) {
    // SAFETY: the caller's.
    unsafe {
        if (*s).ServerMode != 0 {
            return;
        }
        let sockets = (*(*c).Tcp).TcpSockList;
        if (*(*s).ClientOption).ConnectionDisconnectSpan != 0 {
            let now = Tick64();
            for ts in list::Locked::new(sockets).items::<TCPSOCK>().iter().map(|&ts| &*ts) {
                if ts.DisconnectTick != 0 && ts.DisconnectTick <= now {
                    Disconnect(ts.Sock);
                }
            }
        }
        if (*s).HalfConnection != 0 {
            let locked = list::Locked::new(sockets);
            let sockets = locked.items::<TCPSOCK>();
            let down = sockets.iter().filter(|&&ts| (*ts).Direction == TCP_SERVER_TO_CLIENT).count();
            let is_full = sockets.len() >= (*s).MaxConnection as usize;
            if let Some(&last) = sockets.last()
                && is_full
                && (down == 0 || down == sockets.len())
            {
                Disconnect((*last).Sock);
            }
        }
    }
}

/// Waits until a socket can be read, or written where it was blocked, until a cancel object is signalled, or for the
/// session's time. A server's session that delays packets does not wait, or waits 1 ms.
///
/// # Safety
/// As [`disconnect_some`]; `sockets` are the connection's.
pub unsafe fn wait(s: *mut SESSION, sockets: &[*mut TCPSOCK], c1: *mut CANCEL, c2: *mut CANCEL) {
    // SAFETY: the caller's; all members of a SOCKSET may be zero.
    unsafe {
        let mut set: SOCKSET = std::mem::zeroed();
        InitSockSet(&mut set);
        for &ts in sockets {
            AddSockSet(&mut set, (*ts).Sock);
        }
        if (*s).UseUdpAcceleration != 0 && !(*s).UdpAccel.is_null() {
            AddSockSet(&mut set, (*(*s).UdpAccel).UdpSock);
        }

        let time = time(s);
        let is_delaying = list::len((*s).DelayedPacketList) != 0;
        let is_set_new = (*s).Flag1 != set.NumSocket;
        if !is_set_new && is_delaying && time < 50 && !is_spinlock_off(s) {
            YieldCpu();
            return;
        }
        let time = match (is_delaying, is_set_new) {
            (false, _) => time,
            (true, false) if time > 100 => time - 100,
            (true, _) => 1,
        };
        Select(&mut set, time, c1, c2);
        (*s).Flag1 = set.NumSocket;
    }
}

/// # Safety
/// `s` is a session.
unsafe fn time(s: *mut SESSION) -> u32 {
    let mut time = vpn_gp(GP_SELECT_TIME, SELECT_TIME);
    // SAFETY: the caller's.
    unsafe {
        if (*s).VirtualHost != 0 {
            time = time.min(vpn_gp(GP_SELECT_TIME_FOR_NAT, SELECT_TIME_FOR_NAT));
        }
        time.min(GetNextDelayedPacketTickDiff(s))
    }
}

/// Whether the session's hub, if it has one, wants no spinning for delayed packets.
///
/// # Safety
/// `s` is a session.
unsafe fn is_spinlock_off(s: *mut SESSION) -> bool {
    // SAFETY: the caller's; a hub has options.
    unsafe { (*s).Hub.as_ref().is_some_and(|hub| (*hub.Option).NoSpinLockForPacketDelay != 0) }
}
