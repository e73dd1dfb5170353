//! Which of a session's TCP sockets sends: those that can, and of them the one for each queue, which `cedar::session`
//! chooses.

use crate::memory::connection;
use cedar::session::Delay;
use softether_sys::TCPSOCK;

/// The sockets that take the two queues. They are the same one unless the session keeps one for priority.
pub struct Chosen {
    /// For frames with priority (C: `ts_hp`).
    pub priority: *mut TCPSOCK,
    /// For all others (C: `ts`).
    pub normal: *mut TCPSOCK,
}

/// The sockets that can send: connected, not blocking, and of a direction that this end sends in.
///
/// # Safety
/// All are sockets of one connection, on its session's thread.
pub unsafe fn able(all: &[*mut TCPSOCK], server_mode: bool) -> Vec<*mut TCPSOCK> {
    let is_able = |&&ts: &&*mut TCPSOCK| {
        // SAFETY: the caller's.
        let (ts, sock) = unsafe { (&*ts, &*(*ts).Sock) };
        sock.Connected != 0 && sock.AsyncMode != 0 && connection::sends(ts, server_mode)
    };
    all.iter().filter(is_able).copied().collect()
}

/// Chooses among the sockets that can send; `None` if there is none.
///
/// # Safety
/// As [`able`].
pub unsafe fn choose(able: &[*mut TCPSOCK], use_qos: bool, is_rudp: bool) -> Option<Chosen> {
    let delays = able.iter().map(|&ts| {
        // SAFETY: the caller's.
        let ts = unsafe { &*ts };
        Delay { late_count: ts.LateCount, last_recv_time: ts.LastRecvTime }
    });
    let places = cedar::session::choose(&delays.collect::<Vec<_>>(), use_qos, is_rudp)?;
    Some(Chosen { priority: able[places.priority], normal: able[places.normal] })
}

/// The choice among a few sockets, as the C's two loops make it.
pub fn self_test() -> Result<(), String> {
    let delay = |(late_count, last_recv_time)| Delay { late_count, last_recv_time };
    let three = [(1, 9), (0, 5), (0, 7)].map(delay);
    let cases = [
        (&[][..], false, false, None),
        (&three[..1], true, false, Some((0, 0))),
        (&three[..], false, false, Some((2, 2))),
        (&three[..], true, false, Some((2, 1))),
        (&three[..], false, true, Some((0, 0))),
        (&three[1..], true, true, Some((1, 0))),
    ];
    for (delays, use_qos, is_rudp, expected) in cases {
        let found = cedar::session::choose(delays, use_qos, is_rudp).map(|places| (places.priority, places.normal));
        if found != expected {
            return Err(format!("{} sockets, qos {use_qos}, r-udp {is_rudp}: {found:?}", delays.len()));
        }
    }
    Ok(())
}
