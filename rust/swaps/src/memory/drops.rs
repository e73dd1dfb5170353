//! How many frames the framing swaps have dropped, by reason, in this process. The C keeps no such count.

use cedar::framing::DropReason;
use std::sync::atomic::{AtomicU64, Ordering};

static DROPPED: [AtomicU64; DropReason::ALL.len()] = [const { AtomicU64::new(0) }; DropReason::ALL.len()];

/// Counts `frames` dropped frames.
pub(crate) fn count(reason: DropReason, frames: u64) {
    if frames != 0 {
        DROPPED[reason as usize].fetch_add(frames, Ordering::Relaxed);
    }
}

/// Frames dropped for `reason` since the process began.
pub fn dropped(reason: DropReason) -> u64 {
    DROPPED[reason as usize].load(Ordering::Relaxed)
}

/// Frames dropped since the process began, by the name of the reason.
pub fn all() -> impl Iterator<Item = (&'static str, u64)> {
    DropReason::ALL.into_iter().map(|reason| (reason.name(), dropped(reason)))
}
