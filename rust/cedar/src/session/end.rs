//! Why a session ends, and what follows from it. The numbers are the C's (`ERR_*`, Cedar/Cedar.h).

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Reason {
    /// All connections are gone, or the peer was silent for the session's timeout. Also when a person ends the session
    /// without force, as the C has it.
    SessionTimeout = 13,
    /// UDP acceleration, R-UDP or the process's own tube failed.
    Disconnected = 3,
    /// A person ended it.
    UserCancel = 6,
    /// The packet adapter failed.
    DeviceDriverError = 22,
    /// The hub serves nobody any more (C: `ForceDisableComm`).
    ServerCantAccept = 105,
    /// The policy's time is over (C: `AutoDisconnect`).
    AutoDisconnected = 126,
}

impl Reason {
    /// The C's number.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}

/// How a session ends. The driver writes it to the C's SESSION and CONNECTION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// For `CONNECTION.Err`.
    pub reason: Reason,
    /// The session broke: `SESSION.Halt` and `SESSION.RetryFlag` are to be set, a client connects again.
    pub is_retry: bool,
    /// Another attempt is not wanted: `SESSION.CurrentRetryCount` is to be `INFINITE`.
    pub is_final: bool,
}
