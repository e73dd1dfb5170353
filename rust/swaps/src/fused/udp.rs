//! UDP acceleration on the path: the C's own functions, one datagram per frame, with the C's state, keys and NAT-T.
//!
//! Ownership: the UDP_ACCEL is the session's and outlives this. Only the session's thread uses it but for the address of
//! the NAT-T server, whose lock its functions take themselves.

use crate::memory::{self, block, queue};
use cedar::framing::is_priority_highest_packet_for_qos;
use cedar::framing::wire::MAX_PACKET_SIZE;
use cedar::fused::Datagrams;
use softether_sys::{
    BLOCK, SESSION, UDP_ACCEL, UdpAccelCalcMss, UdpAccelIsSendReady, UdpAccelPoll, UdpAccelSend, UdpAccelSetTick,
    UnixInitAsyncSocket,
};
use std::os::fd::BorrowedFd;

/// A session's UDP acceleration.
pub struct UdpAcceleration {
    s: *mut SESSION,
    udp: *mut UDP_ACCEL,
}

impl UdpAcceleration {
    /// `None` if the session has none.
    ///
    /// # Safety
    /// `s` is a session that outlives the value, which is used on its thread.
    pub unsafe fn of(s: *mut SESSION) -> Option<Self> {
        // SAFETY: the caller's.
        unsafe {
            let udp = (*s).UdpAccel;
            if (*s).UseUdpAcceleration == 0 || udp.is_null() || (*udp).UdpSock.is_null() {
                return None;
            }
            // What is not there yet is not waited for.
            UnixInitAsyncSocket((*udp).UdpSock);
            Some(Self { s, udp })
        }
    }

    /// This end's port as NAT-T servers see it, if it is known, and whether it is new.
    pub fn own_port(&self) -> (Option<u16>, bool) {
        // SAFETY: as `of` demands.
        let udp = unsafe { &mut *self.udp };
        let is_new = std::mem::take(&mut udp.MyPortByNatTServerChanged) != 0;
        (u16::try_from(udp.MyPortByNatTServer).ok().filter(|&port| port != 0), is_new)
    }

    /// Notes the peer's port.
    pub fn note_peer_port(&self, port: u16) {
        // SAFETY: as `of` demands.
        let udp = unsafe { &mut *self.udp };
        if udp.YourPortByNatTServer != u32::from(port) {
            udp.YourPortByNatTServer = port.into();
            udp.YourPortByNatTServerChanged = 1;
        }
    }

    /// Whether it works, or is about to.
    pub fn is_near(&self) -> bool {
        // SAFETY: as `of` demands.
        unsafe { UdpAccelIsSendReady(self.udp, 0) != 0 }
    }
}

impl Datagrams for &UdpAcceleration {
    fn socket(&self) -> BorrowedFd<'_> {
        // SAFETY: as `of` demands; the socket is the object's.
        unsafe { BorrowedFd::borrow_raw((*(*self.udp).UdpSock).socket) }
    }

    fn poll(&mut self, now: u64, each: &mut dyn FnMut(&[u8])) {
        // SAFETY: as `of` demands. A block and its bytes are the queue's until it is taken out, and freed here.
        unsafe {
            UdpAccelSetTick(self.udp, now);
            UdpAccelPoll(self.udp);
            if (*self.s).UdpAccelMss == 0 {
                (*self.s).UdpAccelMss = UdpAccelCalcMss(self.udp);
            }
            loop {
                let received: *mut BLOCK = queue::pop((*self.udp).RecvBlockQueue);
                if received.is_null() {
                    break;
                }
                if (*received).Size as usize <= MAX_PACKET_SIZE {
                    each(memory::view((*received).Buf.cast(), (*received).Size));
                }
                block::free(received);
            }
            (*self.s).IsUsingUdpAcceleration = UdpAccelIsSendReady(self.udp, 1);
        }
    }

    fn is_ready(&self) -> bool {
        // SAFETY: as `of` demands.
        unsafe { (*self.s).IsUsingUdpAcceleration != 0 }
    }

    fn send(&mut self, frame: &[u8]) {
        let is_urgent = is_priority_highest_packet_for_qos(frame);
        // SAFETY: as `of` demands; the frame is read only.
        unsafe {
            let size_max = (*self.udp).MaxUdpPacketSize;
            let size = memory::index(frame.len());
            UdpAccelSend(self.udp, frame.as_ptr().cast_mut(), size, 0, size_max, is_urgent.into());
        }
    }

    fn flush(&mut self) {}
}
