//! Which of a session's TCP sockets sends: those that can, and the one for each queue. Numbers in, places out.

use crate::memory::connection;
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
    let (priority, normal) = places(&delays.collect::<Vec<_>>(), use_qos, is_rudp)?;
    Some(Chosen { priority: able[priority], normal: able[normal] })
}

/// What the choice looks at.
struct Delay {
    /// How often the kernel has taken nothing since it last took all.
    late_count: u32,
    last_recv_time: u64,
}

/// The places for priority and for the rest: with QoS the last of several is kept for priority. Of the others R-UDP
/// takes the one heard of last, TCP the one least delayed; of equals it is the last one.
fn places(delays: &[Delay], use_qos: bool, is_rudp: bool) -> Option<(usize, usize)> {
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
    Some((if use_qos { last } else { normal }, normal))
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
        let found = places(delays, use_qos, is_rudp);
        if found != expected {
            return Err(format!("{} sockets, qos {use_qos}, r-udp {is_rudp}: {found:?}", delays.len()));
        }
    }
    Ok(())
}
