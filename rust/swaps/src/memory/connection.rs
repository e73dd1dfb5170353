//! A CONNECTION as the swaps of Cedar/Connection.c share it: which ones Rust serves, the direction of its sockets,
//! its receive queue, and how its session ends after a panic.

use super::{block, drops, list, queue};
use cedar::framing::DropReason;
use cedar::framing::wire::MAX_STORED_QUEUE_NUM;
use softether_sys::{
    BLOCK, CONNECTION, CONNECTION_TCP, Dec, Delete, FreeTcpSock, GP_MAX_STORED_QUEUE_NUM, SESSION, TCP_BOTH,
    TCP_CLIENT_TO_SERVER, TCP_SERVER_TO_CLIENT, TCPSOCK, vpn_global_parameters,
};

/// The session of a connection over TCP sockets, on either end. `None` is for C: nothing at all, UDP without
/// sessions' sockets, a session inside the process, and the hub's own sessions (SecureNAT, bridge, cascade, layer 3).
///
/// # Safety
/// `c` is null or a connection.
pub unsafe fn tcp_session(c: *const CONNECTION) -> Option<*mut SESSION> {
    // SAFETY: the caller's.
    let c = unsafe { c.as_ref() }?;
    let is_tcp = c.Protocol == CONNECTION_TCP && c.IsInProc == 0 && !c.Tcp.is_null();
    (is_tcp && !c.Session.is_null()).then_some(c.Session)
}

/// What a session is drawn by where only a share of sessions runs on Rust: the key that server and client agreed on.
///
/// # Safety
/// `c` is null or a connection.
pub unsafe fn session_id(c: *const CONNECTION) -> u64 {
    // SAFETY: the caller's.
    let session = unsafe { c.as_ref().and_then(|c| c.Session.as_ref()) };
    session.and_then(|session| session.SessionKey.first_chunk()).map_or(0, |key| u64::from_be_bytes(*key))
}

/// Ends the session as one that timed out, which a client follows by connecting again: what a panic leaves behind may
/// be half done.
///
/// # Safety
/// `c` is null or a connection, on its session's thread.
#[cold]
pub unsafe fn end_session(c: *const CONNECTION) {
    // SAFETY: the caller's.
    unsafe {
        if let Some(c) = c.as_ref()
            && !c.Session.is_null()
        {
            (*c.Session).SessionTimeOuted = 1;
        }
    }
}

/// Whether this end sends on the socket (C: `IS_SEND_TCP_SOCK`).
pub fn sends(ts: &TCPSOCK, server_mode: bool) -> bool {
    let own = if server_mode { TCP_SERVER_TO_CLIENT } else { TCP_CLIENT_TO_SERVER };
    ts.Direction == TCP_BOTH || ts.Direction == own
}

/// Whether this end receives on the socket (C: `IS_RECV_TCP_SOCK`).
pub fn receives(ts: &TCPSOCK, server_mode: bool) -> bool {
    sends(ts, !server_mode)
}

/// Takes a socket out of the connection and frees it.
///
/// # Safety
/// `c` is a connection over TCP, and `ts` one of its sockets, used no more.
pub unsafe fn remove_socket(c: *mut CONNECTION, ts: *mut TCPSOCK) {
    // SAFETY: the caller's; the list's lock is held, as the C does.
    unsafe {
        let sockets = (*(*c).Tcp).TcpSockList;
        let _locked = list::Locked::new(sockets);
        Delete(sockets, ts.cast());
        FreeTcpSock(ts);
        Dec((*c).CurrentNumConnection);
    }
}

/// Puts a block into the receive queue, or drops it if that is full (C: `InsertReceivedBlockToQueue`).
///
/// # Safety
/// `c` is a connection with a session, and nobody else uses its queue meanwhile; `block` is given away.
pub unsafe fn insert_received_block(c: *mut CONNECTION, block: *mut BLOCK) {
    // SAFETY: the caller's.
    unsafe {
        let (c, s) = (&*c, (*c).Session);
        if c.Protocol == CONNECTION_TCP {
            (*s).TotalRecvSizeReal += u64::from((*block).SizeofData);
            (*s).TotalRecvSize += u64::from((*block).Size);
        }
        if (*c.ReceivedBlocks).num_item < vpn_gp(GP_MAX_STORED_QUEUE_NUM, MAX_STORED_QUEUE_NUM as u32) {
            queue::push(c.ReceivedBlocks, block);
        } else {
            drops::count(DropReason::ReceiveQueueFull, 1);
            block::free(block);
        }
    }
}

/// A limit that a server's configuration may change (C: `VPN_GP`, Cedar/Server.h).
pub fn vpn_gp(id: u32, default: u32) -> u32 {
    // SAFETY: the array has 128 places, ids are the header's constants, and it is written when a server starts only.
    match unsafe { vpn_global_parameters[id as usize] } {
        0 => default,
        value => value,
    }
}
