//! `ConnectionSend`: sends what a session has queued.
//!
//! 1. [`sockets`] says which TCP sockets can send, and which one takes each of the two queues.
//! 2. Keep-alives that are due go into the sockets' transmit FIFOs.
//! 3. Each queue, the one for priority first, goes out by UDP acceleration, by R-UDP bulk transfer, or as one batch
//!    into its socket's transmit FIFO ([`queues`]).
//! 4. Every socket sends from its FIFO what the kernel takes; one that has lost its connection is removed.
//!
//! All state is the C's: the FIFOs, the queues, the counters of session and connection. So C and Rust may take turns
//! from call to call. C serves what [`connection::tcp_session`] does not know.
//!
//! Ownership: blocks are the queues' until they are sent, and are freed then. The session's thread calls; the lock of
//! the socket list is held while the list is read or changed, as by the C.

mod queues;
mod sockets;

use crate::memory::{connection, list};
use crate::record::{self, Recorder};
use softether_sys::{
    CONNECTION, CedarAddCurrentTcpQueueSize, GenNextKeepAliveSpan, ReadFifo, SESSION, SOCK_LATER, SendKeepAlive,
    TCPSOCK, TcpSockSend, Tick64, UINT64, UdpAccelSetTick,
};
use std::ptr;

switch::swap! {
    /// Sends what a session has queued (C: `ConnectionSend`, Cedar/Connection.c). `now` is `Tick64()`. Null is ignored.
    pub unsafe extern "C" fn ConnectionSend(c: *mut CONNECTION, now: UINT64);
    swap: crate::CONNECTION_SEND,
    signature: softether_sys::ConnectionSend,
    c: c_ConnectionSend,
    // SAFETY: the dispatcher's caller gives a connection or null.
    contract: effect(unsafe { connection::end_session(c) }),
    // SAFETY: as above.
    session: unsafe { connection::session_id(c) },
    rust: rust,
    self_test: self_test,
}

/// The Rust side.
///
/// # Safety
/// `c` is null or a connection, on its session's thread.
pub unsafe fn rust(c: *mut CONNECTION, now: UINT64) {
    // SAFETY: the caller's; what Rust does not know is C's as a whole, before anything is done.
    unsafe {
        match connection::tcp_session(c) {
            Some(s) => Turn { c, s, now }.run(),
            None => {
                if !c.is_null() {
                    crate::CONNECTION_SEND.fell_back();
                }
                c_ConnectionSend(c, now);
            }
        }
    }
}

/// One call for a connection over TCP.
struct Turn {
    c: *mut CONNECTION,
    s: *mut SESSION,
    now: u64,
}

impl Turn {
    /// # Safety
    /// `c` and `s` are a connection over TCP and its session, on that session's thread.
    unsafe fn run(&self) {
        // SAFETY: the caller's, for all that follows; a TCPSOCK lives until this thread removes it.
        unsafe {
            let all: Vec<*mut TCPSOCK> = list::snapshot((*(*self.c).Tcp).TcpSockList);
            let able = sockets::able(&all, (*self.s).ServerMode != 0);
            for &ts in &able {
                self.keep_alive(ts);
            }
            let chosen = sockets::choose(&able, (*self.s).QoS != 0, (*self.s).IsRUDPSession != 0);
            self.report_queue_size(&all);
            if let Some(chosen) = chosen {
                if !(*self.s).UdpAccel.is_null() {
                    UdpAccelSetTick((*self.s).UdpAccel, self.now);
                }
                self.send_queue((*self.c).SendBlocks2, chosen.priority, chosen.normal);
                self.send_queue((*self.c).SendBlocks, chosen.normal, chosen.normal);
                record::with(self.c, Recorder::send_ends);
            }
            for ts in all {
                self.flush(ts);
            }
        }
    }

    /// Puts a keep-alive into a socket's FIFO if one is due, or if the peer is to be told a new UDP port.
    ///
    /// # Safety
    /// As [`Turn::run`]; `ts` is a socket of the connection.
    unsafe fn keep_alive(&self, ts: *mut TCPSOCK) {
        // SAFETY: the caller's.
        unsafe {
            let udp = if (*self.s).UseUdpAcceleration == 0 { ptr::null_mut() } else { (*self.s).UdpAccel };
            let is_port_new = !udp.is_null() && (*udp).MyPortByNatTServerChanged != 0;
            // A time of 0 is due, too.
            if self.now < (*ts).NextKeepAliveTime && !is_port_new {
                return;
            }
            SendKeepAlive(self.c, ts);
            self.postpone_keep_alive(ts);
            if !udp.is_null() {
                (*udp).MyPortByNatTServerChanged = 0;
            }
        }
    }

    /// # Safety
    /// As [`Turn::keep_alive`].
    unsafe fn postpone_keep_alive(&self, ts: *mut TCPSOCK) {
        // SAFETY: the caller's.
        unsafe { (*ts).NextKeepAliveTime = self.now + u64::from(GenNextKeepAliveSpan(self.c)) };
    }

    /// Tells the process how much more the sockets hold than at the last call.
    ///
    /// # Safety
    /// As [`Turn::run`].
    unsafe fn report_queue_size(&self, all: &[*mut TCPSOCK]) {
        // SAFETY: the caller's.
        unsafe {
            let size = all.iter().fold(0_u32, |sum, &ts| sum.wrapping_add((*(*ts).SendFifo).size));
            let difference = size.wrapping_sub((*self.c).LastTcpQueueSize).cast_signed();
            CedarAddCurrentTcpQueueSize((*self.c).Cedar, difference);
            (*self.c).LastTcpQueueSize = size;
        }
    }

    /// Sends from a socket's FIFO until it is empty or the kernel takes no more.
    ///
    /// # Safety
    /// As [`Turn::run`]; `ts` is a socket of the connection, and used no more if it is removed.
    unsafe fn flush(&self, ts: *mut TCPSOCK) {
        // SAFETY: the caller's; the unread bytes stay where they are while they are sent.
        unsafe {
            loop {
                if (*(*ts).Sock).Connected == 0 {
                    (*self.s).LastTryAddConnectTime = Tick64();
                    connection::remove_socket(self.c, ts);
                    return;
                }
                let fifo = (*ts).SendFifo;
                let size = (*fifo).size;
                if size == 0 {
                    return;
                }
                let bytes = (*fifo).p.cast::<u8>().wrapping_add((*fifo).pos as usize);
                match TcpSockSend(self.s, ts, bytes.cast(), size) {
                    // Lost: the next call removes it.
                    0 => return,
                    SOCK_LATER => {
                        (*ts).LateCount = (*ts).LateCount.wrapping_add(1);
                        return;
                    }
                    sent => {
                        ReadFifo(fifo, ptr::null_mut(), sent);
                        if sent >= size {
                            (*ts).LateCount = 0;
                        }
                        (*self.s).LastCommTime = (*self.s).LastCommTime.max(self.now);
                    }
                }
            }
        }
    }
}

/// Both sides ignore null; what they do with a connection is the differential test's.
fn self_test() -> Result<(), String> {
    // SAFETY: null is ignored.
    unsafe {
        c_ConnectionSend(ptr::null_mut(), 0);
        rust(ptr::null_mut(), 0);
    }
    sockets::self_test()
}
