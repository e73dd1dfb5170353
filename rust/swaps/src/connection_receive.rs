//! `ConnectionReceive`: waits for a session's sockets and puts the frames that came into its queue.
//!
//! 1. Sockets whose time is over, and the one too many of a half-duplex session, are disconnected ([`wait`]).
//! 2. The call waits for the sockets, the packet adapter's [`CANCEL`]s or the time ([`wait`]).
//! 3. Frames of UDP acceleration and of R-UDP's bulk tubes are taken over as they are ([`udp`]).
//! 4. Each TCP socket is read until the kernel has no more, into the connection's buffer. Frames are decoded there;
//!    only the part that is cut goes to the socket's receive FIFO, until the rest of it comes ([`tcp`]).
//! 5. A frame is copied once, into Mayaqua memory, and its block goes to the queue, if the limits allow ([`Turn::deliver`]).
//! 6. The process's budgets are told what this connection holds.
//!
//! All state is the C's: FIFO, `Mode` and its companions, the queue, the counters. So C and Rust may take turns from
//! call to call, a cut frame included. C serves what [`connection::tcp_session`] does not know.
//!
//! Ownership: blocks are the queue's, which only the session's thread uses; that thread calls. The lock of the socket
//! list is held while the list is read or changed, as by the C.

mod tcp;
mod udp;
mod wait;

use crate::memory::{self, block, connection, drops, list};
use crate::record;
use cedar::framing::DropReason;
use cedar::framing::wire::MAX_PACKET_SIZE;
use softether_sys::{
    BLOCK, CANCEL, CONNECTION, CedarAddFifoBudget, CedarAddQueueBudget, CedarGetQueueBudgetBalance, RECV_BUF_SIZE,
    SESSION, TCPSOCK, Tick64,
};
use std::ptr;

switch::swap! {
    /// Waits for a session's sockets and queues the frames that came (C: `ConnectionReceive`, Cedar/Connection.c).
    /// `c1` and `c2` end the wait; each may be null. A null connection is ignored.
    pub unsafe extern "C" fn ConnectionReceive(c: *mut CONNECTION, c1: *mut CANCEL, c2: *mut CANCEL);
    swap: crate::CONNECTION_RECEIVE,
    signature: softether_sys::ConnectionReceive,
    c: c_ConnectionReceive,
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
/// `c` is null or a connection, on its session's thread; `c1` and `c2` are null or alive.
pub unsafe fn rust(c: *mut CONNECTION, c1: *mut CANCEL, c2: *mut CANCEL) {
    // SAFETY: the caller's, for all that follows; what Rust does not know is C's as a whole, before anything is done.
    unsafe {
        let Some(s) = connection::tcp_session(c) else {
            if !c.is_null() {
                crate::CONNECTION_RECEIVE.fell_back();
            }
            c_ConnectionReceive(c, c1, c2);
            return;
        };
        if (*c).RecvBuf.is_null() {
            (*c).RecvBuf = memory::malloc(RECV_BUF_SIZE).cast();
        }
        wait::disconnect_some(c, s);
        let sockets: Vec<*mut TCPSOCK> = list::snapshot((*(*c).Tcp).TcpSockList);
        wait::wait(s, &sockets, c1, c2);

        let before = (*(*c).ReceivedBlocks).num_item as usize;
        let mut turn = Turn { c, s, now: Tick64(), fifo_bytes: 0, fifo_bytes_reported: 0 };
        turn.receive_by_udp_acceleration();
        for ts in sockets {
            if (*s).IsRUDPSession != 0 && (*s).EnableBulkOnRUDP != 0 {
                turn.receive_by_bulk(ts);
            }
            turn.receive_by_tcp(ts);
        }
        turn.report_budgets();
        record::with(c, |recorder| recorder.receive_ends(c, before));
    }
}

/// One call for a connection over TCP.
struct Turn {
    c: *mut CONNECTION,
    s: *mut SESSION,
    now: u64,
    /// Bytes that the sockets held or received in this call (C: `current_recv_fifo_size`).
    fifo_bytes: u32,
    /// Those of them that the process's budget was told already (C: `recv_fifo_size_middle_update`).
    fifo_bytes_reported: u32,
}

/// Every so many frames of one source the process's budget is told how long the queue is.
const FRAMES_PER_BUDGET_REPORT: u32 = 32;

impl Turn {
    /// Puts a block that this thread made into the receive queue, if its size and the limits allow; frees it if not.
    /// `delivered` is the number of blocks that the same source has delivered before.
    ///
    /// # Safety
    /// `c` and `s` are a connection over TCP and its session, on that session's thread; the block is given away.
    unsafe fn deliver(&self, received: *mut BLOCK, delivered: &mut u32) {
        // SAFETY: the caller's.
        unsafe {
            let reason = if (*received).Size as usize > MAX_PACKET_SIZE {
                Some(DropReason::Oversize)
            } else if CedarGetQueueBudgetBalance((*self.c).Cedar) == 0 {
                Some(DropReason::QueueBudget)
            } else {
                None
            };
            if let Some(reason) = reason {
                drops::count(reason, 1);
                block::free(received);
                return;
            }
            connection::insert_received_block(self.c, received);
            if delivered.is_multiple_of(FRAMES_PER_BUDGET_REPORT) {
                self.report_queue();
            }
            *delivered += 1;
        }
    }

    /// Tells the process's queue budget how much longer the queue is than at the last report.
    ///
    /// # Safety
    /// As [`Turn::deliver`].
    unsafe fn report_queue(&self) {
        // SAFETY: the caller's.
        unsafe {
            let blocks = (*(*self.c).ReceivedBlocks).num_item;
            let difference = blocks.wrapping_sub((*self.c).LastRecvBlocksNum).cast_signed();
            CedarAddQueueBudget((*self.c).Cedar, difference);
            (*self.c).LastRecvBlocksNum = blocks;
        }
    }

    /// Tells both budgets, at the end of the call.
    ///
    /// # Safety
    /// As [`Turn::deliver`].
    unsafe fn report_budgets(&self) {
        // SAFETY: the caller's.
        unsafe {
            let grown = self.fifo_bytes.wrapping_sub((*self.c).LastRecvFifoTotalSize);
            CedarAddFifoBudget((*self.c).Cedar, grown.wrapping_sub(self.fifo_bytes_reported).cast_signed());
            (*self.c).LastRecvFifoTotalSize = self.fifo_bytes;
            self.report_queue();
        }
    }
}

/// Both sides ignore null; what they do with a connection is the differential test's.
fn self_test() -> Result<(), String> {
    // SAFETY: null is ignored.
    unsafe {
        c_ConnectionReceive(ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        rust(ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    }
    Ok(())
}
