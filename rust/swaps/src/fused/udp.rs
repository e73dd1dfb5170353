//! UDP acceleration on the path: by `cedar::fused::Udp`, in batches, with the keys, the socket and the NAT-T state of the C's
//! object, which is kept true; or, where that does not know the object, by the C's own functions, one datagram per frame.
//!
//! The two never take turns within a session: each datagram's nonce follows from the last one's.
//!
//! Ownership: the UDP_ACCEL is the session's and outlives this. Only the session's thread uses it but for the address of
//! the NAT-T server, whose lock its functions take themselves.

use crate::memory::{self, block, queue, udp_accel};
use crate::udp_accel_init_client;
use cedar::adapter::{Frames, Span};
use cedar::framing::is_priority_highest_packet_for_qos;
use cedar::framing::wire::MAX_PACKET_SIZE;
use cedar::fused::{Datagrams, Udp};
use softether_sys::{
    BLOCK, SESSION, UDP_ACCEL, UdpAccelCalcMss, UdpAccelIsSendReady, UdpAccelPoll, UdpAccelSend, UdpAccelSetTick,
    UnixInitAsyncSocket,
};
use std::cell::RefCell;
use std::os::fd::BorrowedFd;

/// How often is looked at what other threads learn for it: the address of the NAT-T server.
const LEARN_INTERVAL_MS: u64 = 3000;

/// A session's UDP acceleration.
pub struct UdpAcceleration {
    s: *mut SESSION,
    udp: *mut UDP_ACCEL,
    rust: RefCell<Option<Udp>>,
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
            Some(Self { s, udp, rust: RefCell::new(rust(udp)) })
        }
    }

    /// When time alone asks for a [`Datagrams::poll`]. What other threads learn for it is seen
    /// within [`LEARN_INTERVAL_MS`].
    pub fn next_due(&self, now: u64) -> u64 {
        match &*self.rust.borrow() {
            Some(rust) => rust.accel.state.next_due().min(now + LEARN_INTERVAL_MS),
            None => now + super::LOOK_INTERVAL_MS,
        }
    }

    /// Writes what Rust has come to where the C and others look.
    fn store(&self, rust: &mut Udp) {
        // SAFETY: as `of` demands.
        unsafe {
            let a = &mut *self.udp;
            (*self.s).IsUsingUdpAcceleration = rust.accel.state.is_send_ready().into();
            udp_accel::store(a, &rust.accel);
            a.FatalError = rust.is_broken.into();
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

/// Rust's side of it. `None`: there is something in the object that only the C knows.
///
/// # Safety
/// As [`UdpAcceleration::of`].
unsafe fn rust(udp: *mut UDP_ACCEL) -> Option<Udp> {
    // SAFETY: the caller's; the socket is open as long as the object lives.
    unsafe {
        let key = udp_accel_init_client::take_server_key(udp);
        let your_key = key.as_ref().and_then(|key| key.as_slice().first_chunk());
        let accel = udp_accel::udp_accel(&*udp, your_key)?;
        let socket = BorrowedFd::borrow_raw((*(*udp).UdpSock).socket).try_clone_to_owned().ok()?;
        Some(Udp::new(accel, socket))
    }
}

impl Datagrams for &UdpAcceleration {
    fn socket(&self) -> BorrowedFd<'_> {
        // SAFETY: as `of` demands; the socket is the object's.
        unsafe { BorrowedFd::borrow_raw((*(*self.udp).UdpSock).socket) }
    }

    fn poll(&mut self, now: u64, each: &mut dyn FnMut(Frames<'_>)) {
        if let Some(rust) = &mut *self.rust.borrow_mut() {
            // SAFETY: as `of` demands. What others have learned for it, it learns here.
            unsafe {
                let a = &*self.udp;
                let nat_t = &mut rust.accel.state.nat_t;
                nat_t.my_port_changed = a.MyPortByNatTServerChanged != 0;
                nat_t.your_port = u16::try_from(a.YourPortByNatTServer).unwrap_or(0);
                nat_t.your_port_changed = a.YourPortByNatTServerChanged != 0;
                if nat_t.server.is_none() && !nat_t.disabled {
                    nat_t.server = udp_accel::nat_t_server(a);
                }
                if (*self.s).UdpAccelMss == 0 {
                    (*self.s).UdpAccelMss = UdpAccelCalcMss(self.udp);
                }
            }
            rust.poll(now, memory::rand, each);
            self.store(rust);
            return;
        }
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
                    let frame = memory::view((*received).Buf.cast(), (*received).Size);
                    each(Frames::new(frame, &[Span::new(0, frame.len())]));
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

    fn carries(&self, frame_size: usize) -> bool {
        self.rust.borrow().as_ref().is_none_or(|rust| rust.carries(frame_size))
    }

    fn send(&mut self, frame: &[u8]) {
        if let Some(rust) = &mut *self.rust.borrow_mut() {
            rust.send(frame);
            return;
        }
        let is_urgent = is_priority_highest_packet_for_qos(frame);
        // SAFETY: as `of` demands; the frame is read only.
        unsafe {
            let size_max = (*self.udp).MaxUdpPacketSize;
            let size = memory::index(frame.len());
            UdpAccelSend(self.udp, frame.as_ptr().cast_mut(), size, 0, size_max, is_urgent.into());
        }
    }

    fn flush(&mut self) {
        if let Some(rust) = &mut *self.rust.borrow_mut() {
            rust.flush();
            self.store(rust);
        }
    }
}
