//! Which way a session's frames go, decided once at its start and told to whoever asks (`cutover status`).

use softether_sys::{PACKET_ADAPTER, SESSION};
use std::sync::Mutex;
#[cfg(fused_path)]
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The way of a session's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Frame by frame through the C's function tables and queues, whatever side each function runs on; and why.
    Seams(&'static str),
    /// In one loop, from TAP to TLS and back (`cedar::fused`); and why TLS is not Rust's, if so.
    #[cfg(fused_path)]
    Fused(Option<&'static str>),
}

impl Path {
    /// The word in status and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seams(_) => "seams",
            #[cfg(fused_path)]
            Self::Fused(_) => "fused",
        }
    }

    /// Why it is not a faster one.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Seams(reason) => Some(reason),
            #[cfg(fused_path)]
            Self::Fused(reason) => reason,
        }
    }
}

/// The way for a session that is about to begin.
///
/// # Safety
/// `s` has a `memory::session::client_connection`, and its packet adapter is ready.
pub unsafe fn choose(s: *const SESSION) -> Path {
    // SAFETY: the caller's.
    if !unsafe { is_rust_adapter((*s).PacketAdapter) } {
        return Path::Seams("the packet adapter runs on c");
    }
    #[cfg(fused_path)]
    // SAFETY: the caller's.
    return unsafe { crate::fused::choose(s) }.map_or_else(Path::Seams, |()| Path::Fused(None));
    #[cfg(not(fused_path))]
    Path::Seams("this build has no other path")
}

/// Whether the adapter's table is the Rust one. The client may have put functions of its own before some of its five.
///
/// # Safety
/// A packet adapter.
unsafe fn is_rust_adapter(adapter: *const PACKET_ADAPTER) -> bool {
    #[cfg(vlan_get_packet_adapter)]
    // SAFETY: the caller's.
    return unsafe { crate::vlan_get_packet_adapter::is_own(adapter) };
    #[cfg(not(vlan_get_packet_adapter))]
    false
}

/// Rounds of the fused path.
#[cfg(fused_path)]
static ROUNDS: AtomicU64 = AtomicU64::new(0);

/// How often sessions on the fused path have gone round: once a second at least.
#[cfg(fused_path)]
pub(crate) fn rounds() -> u64 {
    ROUNDS.load(Relaxed)
}

/// Counts such a round.
#[cfg(fused_path)]
pub(crate) fn goes_round() {
    ROUNDS.fetch_add(1, Relaxed);
}

/// The path of the session that runs now on this process's Rust side; there is one session at a time.
static CURRENT: Mutex<Option<Path>> = Mutex::new(None);

/// The path of the session that the Rust side of `SessionMain` runs now. `None`: there is none, or C runs it.
#[must_use]
pub fn current() -> Option<Path> {
    *CURRENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Says what [`current`] answers from now on.
pub(crate) fn set_current(path: Option<Path>) {
    *CURRENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = path;
}
