//! A session on the fused path: `cedar::fused` moves the frames, this file keeps the C's structs true around it.
//!
//! 1. [`choose`] says whether a session that is about to begin can take the path, or why not.
//! 2. [`run`] takes turns: connections that the C has made are taken over ([`links`]), frames are carried until something
//!    needs this file ([`cedar::fused::Pause`]), what has passed is written to SESSION, CONNECTION and SOCK, lost
//!    connections go, and `cedar::session` says whether the session goes on.
//! 3. At the end every connection gets a goodbye, and the C cleans up as always.
//!
//! The control plane is the C's: additional connections are made by its threads and found in its list under its lock;
//! halting and disconnecting are told by its flags and its cancel object; its counters are at most
//! [`REPORT_INTERVAL_MS`](cedar::fused::REPORT_INTERVAL_MS) old while frames pass, and exact when none do.
//!
//! Ownership: the adapter stays the session's and is borrowed. Each connection's socket is a duplicate, so that the C may
//! close its own at any time; of its OpenSSL object, `tls` says. No lock is held while frames are carried.

mod links;
mod udp;

use crate::memory::{connection, drops, session};
use crate::session_main::{self, Running};
use crate::{CONNECTION_RECEIVE, CONNECTION_SEND, vlan_get_packet_adapter};
use cedar::adapter::linux::TapDevice;
use cedar::fused::{Keeping, Link, Passed, Path, Pause, Protection, Terms};
use cedar::session::{Reason, Role};
use links::Links;
use rustix::io::Errno;
use softether_sys::{CANCEL, SESSION, Tick64};
use std::os::fd::BorrowedFd;
use switch::Mode;
use udp::UdpAcceleration;

/// How often a session looks at what changes without waking it (C: `SELECT_TIME`, Cedar.h): the flags that a thread sets
/// while it makes a connection, the timers of the C's UDP acceleration.
const LOOK_INTERVAL_MS: u64 = 256;

/// How long a round lasts at most: rounds are counted, so that one that does not end is noticed.
const ROUND_MAX_MS: u64 = 1000;

/// Whether a session that is about to begin can take this path; the error says why not.
///
/// # Errors
/// What it has that this path does not know, in words for `cutover status`.
///
/// # Safety
/// `s` has a `memory::session::client_connection`, and its packet adapter is Rust's and ready.
pub unsafe fn choose(s: *const SESSION) -> Result<(), &'static str> {
    // SAFETY: the caller's.
    unsafe {
        let id = connection::session_id((*s).Connection);
        if CONNECTION_SEND.choose(id) != Mode::Rust || CONNECTION_RECEIVE.choose(id) != Mode::Rust {
            return Err("framing runs on c");
        }
        if (*s).IsRUDPSession != 0 {
            return Err("the session runs over R-UDP");
        }
        if (*s).UseUdpAcceleration != 0 && !(*s).UdpAccel.is_null() && (*s).UseCompress != 0 {
            return Err("UDP acceleration with compression");
        }
        links::are_known((*s).Connection)
    }
}

/// Carries a session's frames until it is over.
///
/// # Safety
/// [`choose`] said yes; called on the session's thread.
pub unsafe fn run(running: &mut Running) {
    // SAFETY: the caller's, for all that follows.
    unsafe {
        let s = running.s;
        let Some(tap) = vlan_get_packet_adapter::tap(s) else { return };
        let terms = Terms {
            role: Role::Client,
            timeout_ms: (*s).Timeout,
            use_compress: (*s).UseCompress != 0,
            use_qos: (*s).QoS != 0,
        };
        let udp = UdpAcceleration::of(s);
        let mut path = Path::new(tap, terms);
        if let Some(udp) = &udp {
            path.set_datagrams(udp);
        }
        let mut links = Links::new(running.c);
        let mut losses = Losses { since: 0, before: (*s).NumDisconnected };
        loop {
            session_main::path::goes_round();
            session_main::add_connections(running);
            if links.adopt(&mut path) {
                let is_foreign = |link: &Link| matches!(link.protection(), Protection::Foreign(_));
                let reason = path.links().iter().any(is_foreign).then_some("TLS by OpenSSL");
                session_main::path::set_current(Some(session_main::path::Path::Fused(reason)));
            }
            match carry(running, &mut path, udp.as_ref()) {
                Pause::Woken => drain((*s).Cancel1),
                Pause::Adapter(error) => {
                    tracing::error!(%error, "the packet adapter ends the session");
                    running.machine.fail(Reason::DeviceDriverError);
                }
                Pause::Lost | Pause::Due => {}
            }
            report(running, &mut path, udp.as_ref());
            links.report(&path);
            links.give_up(&mut path);
            if losses.are_hopeless((*s).NumDisconnected, (*s).MaxConnection, Tick64()) {
                (*s).SessionTimeOuted = 1;
            }
            #[cfg(feature = "planted-faults")]
            crate::planted::strike_session((*(*running.c).Tcp).TcpSockList, crate::planted::HARMLESS_FUSED_TURNS);
            if let Some(end) = running.machine.end_of_turn(&session::view(s), Tick64()).end {
                running.end(end);
                return;
            }
        }
    }
}

/// Connections that a session has lost: a session that has lost, within ten seconds, all that it may have and three that
/// took their place, carries nothing any more (docs/FAULTS.md), and is better begun anew. On the seams the client looks
/// after that (zig/adapter.zig).
struct Losses {
    since: u64,
    before: u32,
}

impl Losses {
    const WINDOW_MS: u64 = 10_000;

    fn are_hopeless(&mut self, lost: u32, connections_max: u32, now: u64) -> bool {
        if lost == self.before {
            return false;
        }
        if self.since == 0 {
            self.since = now;
        }
        if now.saturating_sub(self.since) > Self::WINDOW_MS {
            *self = Self { since: 0, before: lost };
        }
        lost.wrapping_sub(self.before) >= connections_max.saturating_add(3)
    }
}

/// Carries frames until something needs this thread.
///
/// # Safety
/// As [`run`].
unsafe fn carry(running: &mut Running, path: &mut Path<'_, TapDevice>, udp: Option<&UdpAcceleration>) -> Pause {
    // SAFETY: the caller's; the session keeps its cancel object while it runs.
    unsafe {
        let view = session::view(running.s);
        let now = Tick64();
        let mut due = running.machine.next_due(&view).min(path.next_due()).min(now + ROUND_MAX_MS);
        if view.connections_wanted != view.connections {
            due = due.min(now + LOOK_INTERVAL_MS);
        }
        due = udp.map_or(due, |udp| due.min(udp.next_due(now)));
        let woken_by = BorrowedFd::borrow_raw((*(*running.s).Cancel1).pipe_read);
        let mut random = crate::memory::rand;
        let (nat_t_port, is_port_new) = udp.map_or((None, false), UdpAcceleration::own_port);
        let is_udp_near = udp.is_some_and(UdpAcceleration::is_near);
        let mut keeping = Keeping { now, random: &mut random, nat_t_port, is_port_new, is_udp_near };
        // At least a moment each, whatever is due: the flags are looked at in between.
        path.run(&[woken_by], due.max(now + 1), || Tick64(), &mut keeping)
    }
}

/// Takes what woke the session out of its cancel object (C: `Select`, Mayaqua/Network.c).
///
/// # Safety
/// `cancel` is alive.
unsafe fn drain(cancel: *mut CANCEL) {
    let mut bytes = [0; 512];
    // SAFETY: the caller's; poll said that there is something, and only this thread reads it.
    let pipe = unsafe { BorrowedFd::borrow_raw((*cancel).pipe_read) };
    while rustix::io::read(pipe, &mut bytes) == Err(Errno::INTR) {}
}

/// Writes what has passed to the session.
///
/// # Safety
/// As [`run`].
unsafe fn report(running: &mut Running, path: &mut Path<'_, TapDevice>, udp: Option<&UdpAcceleration>) {
    let passed: Passed = path.take_passed();
    // SAFETY: the caller's; these counters are the session thread's, but for those that have a lock.
    unsafe {
        let s = running.s;
        if passed.traffic.send.frames() + passed.traffic.recv.frames() != 0 {
            running.machine.note_frames();
            session::add_traffic(s, &passed.traffic);
        }
        (*s).TotalSendSize += passed.sent.size;
        (*s).TotalSendSizeReal += passed.sent.size_real;
        (*s).TotalRecvSize += passed.received.size;
        (*s).TotalRecvSizeReal += passed.received.size_real;
        (*s).LastCommTime = (*s).LastCommTime.max(passed.last_comm_time);
        if let (Some(udp), Some(port)) = (udp, passed.peer_port) {
            udp.note_peer_port(port);
        }
        passed.drops().for_each(|(reason, frames)| drops::count(reason, frames));
    }
}
