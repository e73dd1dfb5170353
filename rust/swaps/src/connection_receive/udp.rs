//! Frames that come one by one: by UDP acceleration, and by R-UDP's bulk transfer.

use super::Turn;
use crate::memory::{self, block, queue};
use cedar::framing::wire::CONNECTION_BULK_COMPRESS_SIGNATURE;
use softether_sys::{
    BLOCK, FreeTubeData, IsTubeConnected, TCPSOCK, TubeRecvAsync, UdpAccelCalcMss, UdpAccelIsSendReady, UdpAccelPoll,
    UdpAccelSetTick,
};

impl Turn {
    /// Takes over what UDP acceleration has received, and notes whether it works.
    ///
    /// # Safety
    /// As [`Turn::deliver`].
    pub unsafe fn receive_by_udp_acceleration(&self) {
        // SAFETY: the caller's; UdpAccelIsSendReady takes null.
        unsafe {
            let udp = (*self.s).UdpAccel;
            if (*self.s).UseUdpAcceleration != 0 && !udp.is_null() {
                UdpAccelSetTick(udp, self.now);
                UdpAccelPoll(udp);
                if (*self.s).UdpAccelMss == 0 {
                    (*self.s).UdpAccelMss = UdpAccelCalcMss(udp);
                }
                loop {
                    let received: *mut BLOCK = queue::pop((*udp).RecvBlockQueue);
                    if received.is_null() {
                        break;
                    }
                    // The budget is told of every frame, as by the C.
                    self.deliver(received, &mut 0);
                }
            }
            (*self.s).IsUsingUdpAcceleration = UdpAccelIsSendReady(udp, 1);
        }
    }

    /// Takes what the bulk tube of a socket has received.
    ///
    /// # Safety
    /// As [`Turn::deliver`]; `ts` is a socket of the connection.
    pub unsafe fn receive_by_bulk(&self, ts: *mut TCPSOCK) {
        // SAFETY: the caller's; the tube gives its data away.
        unsafe {
            let tube = (*(*ts).Sock).BulkRecvTube;
            if tube.is_null() || IsTubeConnected(tube) == 0 {
                return;
            }
            let mut delivered = 0;
            loop {
                let data = TubeRecvAsync(tube);
                if data.is_null() {
                    break;
                }
                self.take_bulk(memory::view((*data).Data, (*data).DataSize), &mut delivered);
                FreeTubeData(data);
                (*ts).LastCommTime = (*ts).LastCommTime.max(self.now);
                (*ts).LastRecvTime = (*ts).LastRecvTime.max(self.now);
                (*self.s).LastCommTime = (*self.s).LastCommTime.max(self.now);
            }
        }
    }

    /// # Safety
    /// As [`Turn::deliver`].
    unsafe fn take_bulk(&self, packet: &[u8], delivered: &mut u32) {
        // SAFETY: the caller's.
        unsafe {
            match packet.strip_prefix(&CONNECTION_BULK_COMPRESS_SIGNATURE.to_be_bytes()) {
                Some(stream) if !stream.is_empty() => self.deliver_expanded(stream, delivered),
                _ => self.deliver(block::holding(packet, memory::index(packet.len())), delivered),
            }
        }
    }
}
