//! Which send queue a frame from the packet adapter joins, or why it is lost.

use crate::framing::DropReason;
use crate::framing::wire::{MAX_BUFFERING_PACKET_SIZE, MAX_STORED_QUEUE_NUM};

/// A session's send queues and their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Bytes in both (C: `CONNECTION.CurrentSendQueueSize`).
    pub bytes: u32,
    /// Frames in the one for priority (C: `SendBlocks2`).
    pub priority_frames: u32,
    /// Frames in the other (C: `SendBlocks`).
    pub normal_frames: u32,
    /// More bytes than these, and a frame is lost (C: `MAX_BUFFERING_PACKET_SIZE`; a server's configuration changes it).
    pub bytes_max: u32,
    /// More frames than these in a queue, and a frame for it is lost (C: `MAX_STORED_QUEUE_NUM`; likewise).
    pub frames_max: u32,
    /// Whether urgent frames have a queue of their own: QoS, over TCP.
    pub use_qos: bool,
    /// Nothing may be sent (C: `block_all_packets`, which nothing there sets).
    pub block_all: bool,
}

impl Queues {
    /// Empty queues with the C's limits.
    #[must_use]
    pub const fn new(use_qos: bool) -> Self {
        Self {
            bytes: 0,
            priority_frames: 0,
            normal_frames: 0,
            bytes_max: MAX_BUFFERING_PACKET_SIZE,
            // A limit of the C's `UINT`.
            frames_max: MAX_STORED_QUEUE_NUM as u32,
            use_qos,
            block_all: false,
        }
    }
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It joins the queue for priority.
    Priority,
    /// It joins the other queue.
    Normal,
    /// It is lost before it is counted as traffic: too much waits, or nothing may be sent.
    Refused(DropReason),
    /// It is counted as traffic, and lost: its queue is full.
    Full(DropReason),
}

/// Says what becomes of a frame; `is_urgent` is [`crate::framing::is_priority_highest_packet_for_qos`]'s answer.
#[must_use]
pub const fn admit(queues: &Queues, is_urgent: bool) -> Admission {
    if queues.bytes > queues.bytes_max || queues.block_all {
        return Admission::Refused(DropReason::SendQueueFull);
    }
    let (frames, admission) = if is_urgent && queues.use_qos {
        (queues.priority_frames, Admission::Priority)
    } else {
        (queues.normal_frames, Admission::Normal)
    };
    if frames > queues.frames_max { Admission::Full(DropReason::SendQueueFull) } else { admission }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_passed_before_they_bind() {
        let refused = Admission::Refused(DropReason::SendQueueFull);
        let full = Admission::Full(DropReason::SendQueueFull);
        let queues = |bytes, normal_frames| Queues { bytes, normal_frames, ..Queues::new(true) };
        assert_eq!(admit(&queues(0, 0), false), Admission::Normal);
        assert_eq!(admit(&queues(2_560_000, 1024), false), Admission::Normal);
        assert_eq!(admit(&queues(2_560_001, 0), false), refused);
        assert_eq!(admit(&queues(0, 1025), false), full);
        assert_eq!(admit(&queues(0, 1025), true), Admission::Priority);
        assert_eq!(admit(&Queues { priority_frames: 1025, ..queues(0, 0) }, true), full);
        assert_eq!(admit(&Queues { block_all: true, ..queues(0, 0) }, true), refused);
    }

    #[test]
    fn without_qos_nothing_is_urgent() {
        let queues = Queues { priority_frames: 5000, ..Queues::new(false) };
        assert_eq!(admit(&queues, true), Admission::Normal);
    }
}
