//! The turns of a session whose frames go seam by seam.
//!
//! 1. `cedar::session` says whether another TCP connection is to be made.
//! 2. `ConnectionReceive` waits, and queues what has come.
//! 3. Every frame received is counted and put to the packet adapter, which is then told that the turn is over.
//! 4. Up to [`MAX_SEND_SOCKET_QUEUE_NUM`] frames are fetched from it, counted, and queued, if the limits allow.
//! 5. `ConnectionSend` sends the queues.
//! 6. `cedar::session` says whether there is another turn.

use super::lifetime::Running;
use crate::memory::connection::vpn_gp;
use crate::memory::{self, drops, session};
use cedar::framing::wire::{MAX_BUFFERING_PACKET_SIZE, MAX_SEND_SOCKET_QUEUE_NUM, MAX_STORED_QUEUE_NUM};
use cedar::session::{Admission, Queues, Reason, Traffic, admit};
use softether_sys::{
    BLOCK, ConnectionReceive, ConnectionSend, FreeBlock, GP_MAX_BUFFERING_PACKET_SIZE, GP_MAX_SEND_SOCKET_QUEUE_NUM,
    GP_MAX_STORED_QUEUE_NUM, GetNext, INFINITE, InsertQueue, IsPriorityHighestPacketForQoS, NewBlock,
    SessionAdditionalConnect, Tick64,
};
use std::ffi::c_void;
use std::ptr;

/// Every so many frames the process is told how much waits to be sent.
const FRAMES_PER_QUEUE_REPORT: u32 = 16;

/// Runs turns until the session is over.
///
/// # Safety
/// The packet adapter is ready; called on the session's thread.
pub unsafe fn run(running: &mut Running) {
    // SAFETY: the caller's, for all that follows.
    unsafe {
        let (s, c) = (running.s, running.c);
        loop {
            add_connections(running);
            ConnectionReceive(c, (*s).Cancel1, (*s).Cancel2);
            let mut traffic = Traffic::default();
            deliver(running, &mut traffic);
            fetch(running, &mut traffic);
            session::add_traffic(s, &traffic);
            running.report_send_queue();
            ConnectionSend(c, Tick64());
            #[cfg(all(feature = "planted-faults", write_fifo))]
            crate::planted::strike_session((*(*c).Tcp).TcpSockList, crate::planted::HARMLESS_CALLS);
            if let Some(end) = running.machine.end_of_turn(&session::view(s), Tick64()).end {
                running.end(end);
                return;
            }
        }
    }
}

/// Makes the TCP connections that are wanted now, each in a thread of its own that counts itself before this goes on.
///
/// # Safety
/// As [`run`].
pub unsafe fn add_connections(running: &mut Running) {
    // SAFETY: the caller's.
    unsafe {
        let s = running.s;
        let mut now = Tick64();
        let mut is_wanted = running.machine.begin(&session::view(s), now).add_connection;
        while is_wanted {
            (*s).NextConnectionTime = running.machine.next_connection_time(now);
            SessionAdditionalConnect(s);
            now = Tick64();
            is_wanted = running.machine.wants_connection(&session::view(s), now);
        }
    }
}

/// Puts what was received to the packet adapter, which takes the buffers over.
///
/// # Safety
/// As [`run`].
unsafe fn deliver(running: &mut Running, traffic: &mut Traffic) {
    // SAFETY: the caller's. A buffer that the adapter refuses stays here.
    unsafe {
        let (s, c) = (running.s, running.c);
        let Some(put) = running.adapter().PutPacket else { return };
        loop {
            let block = GetNext((*c).ReceivedBlocks).cast::<BLOCK>();
            if block.is_null() {
                break;
            }
            let (buffer, size) = ((*block).Buf.cast::<c_void>(), (*block).Size);
            running.machine.note_frames();
            traffic.recv.count(memory::view(buffer, size));
            if put(s, buffer, size) == 0 {
                running.machine.fail(Reason::DeviceDriverError);
                memory::free(buffer);
            }
            memory::free(block.cast());
        }
        if put(s, ptr::null_mut(), 0) == 0 {
            running.machine.fail(Reason::DeviceDriverError);
        }
    }
}

/// Fetches frames from the packet adapter and queues them.
///
/// # Safety
/// As [`run`].
unsafe fn fetch(running: &mut Running, traffic: &mut Traffic) {
    // SAFETY: the caller's.
    unsafe {
        let Some(get_next_packet) = running.adapter().GetNextPacket else { return };
        let frames_max = vpn_gp(GP_MAX_SEND_SOCKET_QUEUE_NUM, MAX_SEND_SOCKET_QUEUE_NUM as u32);
        for frame in 0..frames_max {
            let mut packet = ptr::null_mut();
            match get_next_packet(running.s, &mut packet) {
                0 => return,
                INFINITE => return running.machine.fail(Reason::DeviceDriverError),
                size => {
                    running.machine.note_frames();
                    enqueue(running, packet, size, traffic);
                }
            }
            if frame % FRAMES_PER_QUEUE_REPORT == 0 {
                running.report_send_queue();
            }
        }
    }
}

/// Queues one frame, or counts why it is lost.
///
/// # Safety
/// As [`run`]; `packet` is given away.
unsafe fn enqueue(running: &Running, packet: *mut c_void, size: u32, traffic: &mut Traffic) {
    // SAFETY: the caller's. A block owns its frame, and the queue its blocks.
    unsafe {
        let (s, c) = (running.s, running.c);
        let queues = Queues {
            bytes: (*c).CurrentSendQueueSize,
            priority_frames: (*(*c).SendBlocks2).num_item,
            normal_frames: (*(*c).SendBlocks).num_item,
            bytes_max: vpn_gp(GP_MAX_BUFFERING_PACKET_SIZE, MAX_BUFFERING_PACKET_SIZE),
            frames_max: vpn_gp(GP_MAX_STORED_QUEUE_NUM, MAX_STORED_QUEUE_NUM as u32),
            ..Queues::new((*s).QoS != 0)
        };
        let is_urgent = IsPriorityHighestPacketForQoS(packet, size);
        let admission = admit(&queues, is_urgent != 0);
        if let Admission::Refused(reason) = admission {
            drops::count(reason, 1);
            memory::free(packet);
            return;
        }
        traffic.send.count(memory::view(packet, size));
        let block = NewBlock(packet, size, i32::from((*s).UseCompress != 0));
        (*block).PriorityQoS = is_urgent;
        let queue = match admission {
            Admission::Priority => (*c).SendBlocks2,
            Admission::Normal => (*c).SendBlocks,
            Admission::Refused(reason) | Admission::Full(reason) => {
                drops::count(reason, 1);
                return FreeBlock(block);
            }
        };
        (*c).CurrentSendQueueSize = (*c).CurrentSendQueueSize.wrapping_add((*block).Size);
        InsertQueue(queue, block.cast());
    }
}
