//! The C's TCP connections and those of the path: taken over, reported, given up.

use crate::NEW_SSL_CTX;
use crate::memory::{connection, list};
use crate::tls::{self, openssl::OpenSsl};
use cedar::adapter::Device;
use cedar::fused::{Link, LinkCounters, Path, Protection};
use cedar::session::{Direction, Role, TcpSock, is_one_sided};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use softether_sys::{CONNECTION, SOCK_TCP, TCP_CLIENT_TO_SERVER, TCP_SERVER_TO_CLIENT, TCPSOCK, Tick64};
use std::os::fd::{BorrowedFd, OwnedFd};
use switch::Mode;

/// Whether all connections that a session begins with are of a kind that the path knows.
///
/// # Errors
/// What is not, in words for `cutover status`.
///
/// # Safety
/// `c` is a connection over TCP of a client's session, on the session's thread.
pub unsafe fn are_known(c: *const CONNECTION) -> Result<(), &'static str> {
    // SAFETY: the caller's.
    unsafe {
        for ts in list::snapshot::<TCPSOCK>((*(*c).Tcp).TcpSockList) {
            let ts = &*ts;
            let sock = &*ts.Sock;
            if sock.Type != SOCK_TCP || sock.IsRUDPSocket != 0 {
                return Err("a connection is not a TCP socket");
            }
            if (*(*c).Session).UseEncrypt != 0 && (sock.SecureMode == 0 || sock.ssl.is_null()) {
                return Err("a connection has no TLS");
            }
            if (*ts.SendFifo).size != 0 || (*ts.RecvFifo).size != 0 || ts.Mode != 0 {
                return Err("a connection is in the middle of something");
            }
        }
        Ok(())
    }
}

/// The connections of a session.
pub struct Links {
    c: *mut CONNECTION,
    /// What SOCK was told of each so far.
    told: Vec<(usize, LinkCounters)>,
}

impl Links {
    /// # Safety
    /// `c` is a connection over TCP of a client's session, on whose thread the value is used, and outlives it.
    pub unsafe fn new(c: *mut CONNECTION) -> Self {
        Self { c, told: Vec::new() }
    }

    /// Takes over the connections that are in the C's list and not on the path. One that cannot be taken over ends.
    /// True if one joined.
    ///
    /// # Safety
    /// As [`Links::new`].
    pub unsafe fn adopt<D: Device>(&mut self, path: &mut Path<'_, D>) -> bool {
        let mut has_joined = false;
        // SAFETY: the caller's; this thread alone takes sockets out of the list.
        unsafe {
            for ts in list::snapshot::<TCPSOCK>((*(*self.c).Tcp).TcpSockList) {
                let id = ts as usize;
                if path.links().iter().any(|link| link.id() == id) {
                    continue;
                }
                let link = self.take_over(ts);
                let is_on_path = match link {
                    Ok(link) => {
                        tracing::info!(tls = link.protection().name(), "a connection joins the fused path");
                        path.add(link)
                    }
                    Err(errno) => {
                        tracing::warn!(%errno, "a connection cannot join the fused path, and ends");
                        false
                    }
                };
                has_joined |= is_on_path;
                if is_on_path {
                    self.told.push((id, LinkCounters::default()));
                } else {
                    self.remove(ts);
                }
            }
        }
        has_joined
    }

    /// # Safety
    /// As [`Links::new`]; `ts` is one of its sockets.
    unsafe fn take_over(&self, ts: *mut TCPSOCK) -> Result<Link, Errno> {
        // SAFETY: the caller's. The C's descriptor is open while the socket is connected.
        unsafe {
            let (ts, s) = (&*ts, &*(*self.c).Session);
            let sock = &*ts.Sock;
            if sock.Connected == 0 || sock.socket < 0 {
                return Err(Errno::NOTCONN);
            }
            let socket: OwnedFd = fcntl_dupfd_cloexec(BorrowedFd::borrow_raw(sock.socket), 0)?;
            let (protection, handed_over) = if s.UseEncrypt == 0 {
                (Protection::Clear, Vec::new())
            } else {
                protection(self.c, sock.ssl.cast()).ok_or(Errno::PROTO)?
            };
            let timers = TcpSock {
                next_keep_alive_time: ts.NextKeepAliveTime,
                last_comm_time: ts.LastCommTime,
                last_recv_time: ts.LastRecvTime,
                disconnect_time: ts.DisconnectTick,
                late_count: ts.LateCount,
                ..TcpSock::new(direction(ts.Direction), Tick64())
            };
            Ok(Link::new(ts as *const TCPSOCK as usize, socket, protection, timers, s.UseCompress != 0, &handed_over))
        }
    }

    /// Writes what is known of each connection to the C's structs.
    ///
    /// # Safety
    /// As [`Links::new`].
    pub unsafe fn report<D: Device>(&mut self, path: &Path<'_, D>) {
        for link in path.links() {
            let Some((_, told)) = self.told.iter_mut().find(|(id, _)| *id == link.id()) else { continue };
            let (now, timers) = (link.counters(), link.timers());
            // SAFETY: the caller's; a link's id is its TCPSOCK, which lives until this thread removes it.
            unsafe {
                let ts = &mut *(link.id() as *mut TCPSOCK);
                ts.LastCommTime = timers.last_comm_time;
                ts.LastRecvTime = timers.last_recv_time;
                ts.NextKeepAliveTime = timers.next_keep_alive_time;
                ts.LateCount = timers.late_count;
                let sock = &mut *ts.Sock;
                sock.SendSize += now.sent_bytes - told.sent_bytes;
                sock.SendNum += now.sends - told.sends;
                sock.RecvSize += now.received_bytes - told.received_bytes;
                sock.RecvNum += now.receives - told.receives;
            }
            *told = now;
        }
    }

    /// Ends the connections that are lost, silent, or to be replaced.
    ///
    /// # Safety
    /// As [`Links::new`].
    pub unsafe fn give_up<D: Device>(&mut self, path: &mut Path<'_, D>) {
        // SAFETY: the caller's.
        unsafe {
            let (s, now) = (&mut *(*self.c).Session, Tick64());
            let is_over = |link: &&Link| {
                let timers = link.timers();
                if let Some(lost) = link.lost() {
                    tracing::warn!(reason = %lost, "a connection is lost");
                }
                link.lost().is_some() || timers.is_dead(now, s.Timeout, Role::Client) || timers.is_worn_out(now)
            };
            let mut over: Vec<usize> = path.links().iter().filter(is_over).map(Link::id).collect();
            let directions = path.links().iter().map(|link| link.timers().direction);
            if s.HalfConnection != 0 && is_one_sided(directions, s.MaxConnection) {
                over.extend(path.links().last().map(Link::id));
            }
            for id in over {
                if path.links().iter().all(|link| link.id() != id) {
                    continue;
                }
                s.NumDisconnected += 1;
                s.LastTryAddConnectTime = now;
                path.remove(id);
                self.told.retain(|(told, _)| *told != id);
                self.remove(id as *mut TCPSOCK);
            }
        }
    }

    /// # Safety
    /// As [`Links::new`]; `ts` is one of its sockets, and not on the path.
    unsafe fn remove(&self, ts: *mut TCPSOCK) {
        // SAFETY: the caller's.
        unsafe { connection::remove_socket(self.c, ts) };
    }
}

/// The record layer for a connection: Rust's, if its keys can be had, or else its own OpenSSL object.
///
/// # Safety
/// `ssl` is the object of an established connection of `c`, which this thread alone uses.
unsafe fn protection(c: *const CONNECTION, ssl: *mut openssl_sys::SSL) -> Option<(Protection, Vec<u8>)> {
    // SAFETY: the caller's.
    unsafe {
        if ssl.is_null() {
            return None;
        }
        if NEW_SSL_CTX.choose(connection::session_id(c)) == Mode::Rust {
            match tls::take_over(ssl) {
                Ok((keys, plaintext)) => {
                    #[cfg(feature = "planted-faults")]
                    let keys = crate::planted::strike_keys(keys);
                    return Some((Protection::Tls(Box::new(keys)), plaintext));
                }
                Err(reason) => tracing::info!(%reason, "a connection stays with OpenSSL"),
            }
        }
        let (records, plaintext) = OpenSsl::new(ssl)?;
        Some((Protection::Foreign(Box::new(records)), plaintext))
    }
}

fn direction(direction: u32) -> Direction {
    match direction {
        TCP_SERVER_TO_CLIENT => Direction::ServerToClient,
        TCP_CLIENT_TO_SERVER => Direction::ClientToServer,
        _ => Direction::Both,
    }
}
