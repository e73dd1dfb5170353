//! What a session makes at its beginning and gives back at its end: the order is the C's (C: `SessionMain`, before its
//! loop and from `CLEANUP` on).

use super::path;
use crate::memory::session;
use cedar::session::{End, Reason, Session};
use softether_sys::{
    BinToStr, CLIENT_NOTIFY_ACCOUNT_CHANGED, CONNECTION, CedarAddCurrentTcpQueueSize, EndTunnelingMode, INFINITE,
    Notify, PACKET_ADAPTER, ReleaseCancel, SESSION, StopAllAdditionalConnectThread, Tick64,
};
use std::ptr;

/// An adapter that could not be made ready so often ends the session for good.
const ADAPTER_ERRORS_MAX: u32 = 2;

/// A session between its beginning and its end. Dropping it ends the session: as [`Running::end`] said, or, when a panic
/// unwinds, as one that timed out, which a client follows by connecting again.
pub struct Running {
    pub s: *mut SESSION,
    pub c: *mut CONNECTION,
    /// What decides; made anew when the adapter is ready.
    pub machine: Session,
    is_adapter_ready: bool,
    end: End,
}

impl Running {
    /// # Safety
    /// `s` is a session that begins, on its own thread, and `c` its `client_connection`; both outlive the value.
    pub unsafe fn begin(s: *mut SESSION, c: *mut CONNECTION) -> Self {
        // SAFETY: the caller's.
        unsafe {
            Notify(s, CLIENT_NOTIFY_ACCOUNT_CHANGED);
            let (text, key) = ((*s).SessionKeyStr.as_mut_ptr(), (*s).SessionKey.as_mut_ptr());
            BinToStr(text, size_of_val(&(*s).SessionKeyStr) as u32, key.cast(), size_of_val(&(*s).SessionKey) as u32);
            (*s).CurrentRetryCount = 0;
            (*s).ConnectSucceed = 1;
            (*s).SessionTimeOuted = 0;
            (*s).NumDisconnected = 0;
            let machine = Session::new(session::config(s), Tick64());
            let end = End { reason: Reason::SessionTimeout, is_retry: true, is_final: false };
            Self { s, c, machine, is_adapter_ready: false, end }
        }
    }

    /// Makes the packet adapter ready. False: it cannot be, and the session ends.
    ///
    /// # Safety
    /// As [`Running::begin`].
    pub unsafe fn init_adapter(&mut self) -> bool {
        // SAFETY: the caller's; a packet adapter has all its functions.
        unsafe {
            let s = &mut *self.s;
            let adapter = self.adapter();
            let (Some(init), Some(get_cancel)) = (adapter.Init, adapter.GetCancel) else { return false };
            if init(s) == 0 {
                if s.VLanDeviceErrorCount >= ADAPTER_ERRORS_MAX {
                    s.ForceStopFlag = 1;
                } else {
                    s.VLanDeviceErrorCount += 1;
                }
                // The C leaves Halt and RetryFlag as they are.
                self.end = End { reason: Reason::DeviceDriverError, is_retry: false, is_final: false };
                return false;
            }
            self.is_adapter_ready = true;
            s.Cancel2 = get_cancel(s);
            true
        }
    }

    /// Begins to count. From now on others see the session as established.
    ///
    /// # Safety
    /// As [`Running::begin`].
    pub unsafe fn note_beginning(&mut self) {
        // SAFETY: the caller's.
        unsafe {
            let (s, c) = (&mut *self.s, &mut *self.c);
            let now = Tick64();
            self.machine = Session::new(session::config(s), now);
            s.RetryFlag = 0;
            s.LastCommTime = now;
            s.NextConnectionTime = self.machine.next_connection_time(now);
            s.NumConnectionsEstablished += 1;
            s.CurrentConnectionEstablishTime = now;
            if s.FirstConnectionEstablisiedTime == 0 {
                s.FirstConnectionEstablisiedTime = now;
            }
            s.LastIncrementTraffic = now;
            c.Err = Reason::SessionTimeout.code();
            s.VLanDeviceErrorCount = 0;
            s.LastTryAddConnectTime = now;
            Notify(s, CLIENT_NOTIFY_ACCOUNT_CHANGED);
            if let Some(policy) = s.Policy.as_ref() {
                s.IsMonitorMode |= policy.MonitorPort;
                s.IsBridgeMode |= u32::from(policy.NoRouting == 0 || policy.NoBridge == 0);
            }
        }
    }

    /// The packet adapter.
    ///
    /// # Safety
    /// As [`Running::begin`].
    pub unsafe fn adapter<'a>(&self) -> &'a PACKET_ADAPTER {
        // SAFETY: the caller's; the session keeps its adapter until it is freed itself.
        unsafe { &*(*self.s).PacketAdapter }
    }

    /// Tells the process how much more waits to be sent than at the last time.
    ///
    /// # Safety
    /// As [`Running::begin`].
    pub unsafe fn report_send_queue(&self) {
        // SAFETY: the caller's.
        unsafe {
            let c = &mut *self.c;
            let difference = c.CurrentSendQueueSize.wrapping_sub(c.LastPacketQueueSize).cast_signed();
            CedarAddCurrentTcpQueueSize(c.Cedar, difference);
            c.LastPacketQueueSize = c.CurrentSendQueueSize;
        }
    }

    /// Says how the session ends, once it is dropped.
    pub fn end(&mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SAFETY: as `begin` demands. What is called here is the C's, or a swap that lets no panic out.
        unsafe {
            let (s, c) = (self.s, self.c);
            if self.end.is_retry {
                (*s).SessionTimeOuted |= u32::from(self.end.reason == Reason::SessionTimeout);
                (*s).Halt = 1;
                (*s).RetryFlag = 1;
            }
            if self.end.is_final {
                (*s).CurrentRetryCount = INFINITE;
            }
            (*s).ConnectSucceed = 0;
            Notify(s, CLIENT_NOTIFY_ACCOUNT_CHANGED);
            let waiting = (*c).LastTcpQueueSize.cast_signed();
            (*c).LastTcpQueueSize = 0;
            (*c).Halt = 1;
            CedarAddCurrentTcpQueueSize((*s).Cedar, waiting.wrapping_neg());
            self.report_send_queue();
            if self.is_adapter_ready
                && let Some(free) = self.adapter().Free
            {
                free(s);
            }
            StopAllAdditionalConnectThread(c);
            if !(*s).Cancel2.is_null() {
                ReleaseCancel((*s).Cancel2);
                (*s).Cancel2 = ptr::null_mut();
            }
            EndTunnelingMode(c);
            (*c).Err = self.end.reason.code();
        }
        path::set_current(None);
    }
}
