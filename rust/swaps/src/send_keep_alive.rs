//! `SendKeepAlive`: puts a keep-alive into a socket's transmit FIFO.
//!
//! Ownership: nothing changes hands. Only the session's thread uses the FIFO. Length and padding are random (C: `rand`).

use crate::memory::{self, connection, fifo};
use cedar::framing::{MAX_ENCODED_KEEP_ALIVE_SIZE, Statistics, encode_keep_alive};
use softether_sys::{CONNECTION, SESSION, TCPSOCK};
use std::ptr;

switch::swap! {
    /// Puts a keep-alive into a socket's transmit FIFO (C: `SendKeepAlive`, Cedar/Connection.c). Null is ignored, and
    /// so is a connection without a session, which the C looks into.
    pub unsafe extern "C" fn SendKeepAlive(c: *mut CONNECTION, ts: *mut TCPSOCK);
    swap: crate::SEND_KEEP_ALIVE,
    signature: softether_sys::SendKeepAlive,
    c: c_SendKeepAlive,
    contract: effect(()),
    // SAFETY: the dispatcher's caller gives a connection or null.
    session: unsafe { connection::session_id(c) },
    rust: rust,
    self_test: self_test,
}

/// The Rust side.
///
/// # Safety
/// `c` is null or a connection; `ts` is null or one of its sockets.
pub unsafe fn rust(c: *mut CONNECTION, ts: *mut TCPSOCK) {
    // SAFETY: the caller's; only the session's thread, which this is, uses the FIFO and the counters.
    unsafe {
        if c.is_null() || ts.is_null() || (*c).Session.is_null() {
            return;
        }
        let s = (*c).Session;
        let mut statistics = Statistics::default();
        let mut keep_alive = [0; MAX_ENCODED_KEEP_ALIVE_SIZE];
        let encoded = encode_keep_alive(&mut keep_alive, nat_t_port(s), memory::rand, &mut statistics);
        let size = encoded.expect("a buffer of the size that it asks for");
        fifo::append(&mut *(*ts).SendFifo, keep_alive.as_ptr().cast(), memory::index(size));
        (*s).TotalSendSize += statistics.total_size();
        (*s).TotalSendSizeReal += statistics.total_size_real();
    }
}

/// The port that the peer is told: this end's UDP port as NAT-T servers see it, in a session with UDP acceleration.
///
/// # Safety
/// `s` is a session.
unsafe fn nat_t_port(s: *const SESSION) -> Option<u16> {
    // SAFETY: the caller's.
    let udp = unsafe { (*s).UdpAccel.as_ref() }.filter(|_| unsafe { (*s).UseUdpAcceleration } != 0)?;
    // The C, too, tells the low 16 bits.
    #[allow(clippy::cast_possible_truncation)]
    Some(udp.MyPortByNatTServer as u16).filter(|_| udp.MyPortByNatTServer != 0)
}

/// Both sides: what is in the FIFO says its own length, and the counters say the same.
fn self_test() -> Result<(), String> {
    // SAFETY: all members of all three may be zero, and null is ignored.
    unsafe {
        let (mut c, mut s): (CONNECTION, SESSION) = (std::mem::zeroed(), std::mem::zeroed());
        c.Session = &mut s;
        let sides: [unsafe fn(*mut CONNECTION, *mut TCPSOCK); 2] = [|c, ts| c_SendKeepAlive(c, ts), rust];
        for side in sides {
            side(ptr::null_mut(), ptr::null_mut());
            let mut sent = fifo::Copy::holding(&[]);
            let mut ts: TCPSOCK = std::mem::zeroed();
            ts.SendFifo = sent.as_mut();
            (*c.Session).TotalSendSize = 0;
            side(&mut c, &mut ts);
            let bytes = fifo::unread(ts.SendFifo);
            let declared = bytes.get(4..8).and_then(|size| size.try_into().ok()).map(u32::from_be_bytes);
            let is_whole = declared.is_some_and(|declared| declared < 512 && declared as usize + 8 == bytes.len());
            if !is_whole || bytes[..4] != [0xff; 4] || (*c.Session).TotalSendSize != bytes.len() as u64 {
                return Err(format!("{} bytes, declared {declared:?}", bytes.len()));
            }
        }
    }
    Ok(())
}
