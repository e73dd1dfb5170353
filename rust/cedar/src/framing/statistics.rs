//! Counters of the framing layer, one set per direction: what passed, what was lost and why.

/// Why a frame was lost. Every lost frame is counted under one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// Longer than `MAX_PACKET_SIZE`.
    Oversize,
    /// Not a whole zlib stream, or one that expands to more than `MAX_PACKET_SIZE` bytes.
    BadCompression,
    /// A zlib stream that expands to nothing.
    EmptyAfterExpansion,
    /// The session's receive queue held `MAX_STORED_QUEUE_NUM` frames.
    ReceiveQueueFull,
    /// The queue budget of the process was used up (C: `CedarGetQueueBudgetBalance`).
    QueueBudget,
    /// The socket's send FIFO had reached its quota (`wire::send_queue_quota`).
    SendQueueFull,
}

impl DropReason {
    /// All reasons, in the order of their names in a report.
    pub const ALL: [Self; 6] = [
        Self::Oversize,
        Self::BadCompression,
        Self::EmptyAfterExpansion,
        Self::ReceiveQueueFull,
        Self::QueueBudget,
        Self::SendQueueFull,
    ];

    /// The name in counters, logs and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oversize => "oversize",
            Self::BadCompression => "bad_compression",
            Self::EmptyAfterExpansion => "empty_after_expansion",
            Self::ReceiveQueueFull => "receive_queue_full",
            Self::QueueBudget => "queue_budget",
            Self::SendQueueFull => "send_queue_full",
        }
    }
}

/// Counters of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Frames that passed.
    pub frames: u64,
    /// Their bytes as Ethernet frames.
    pub frame_bytes: u64,
    /// Their bytes on the wire: fewer, as a rule, when the session compresses.
    pub wire_frame_bytes: u64,
    /// Keep-alives that passed.
    pub keep_alives: u64,
    /// Bytes of counts, sizes and the bodies of keep-alives.
    pub overhead_bytes: u64,
    /// Bytes on the wire of frames that were dropped.
    pub dropped_bytes: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Statistics {
    /// Frames dropped for `reason`.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Frames dropped for any reason.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Bytes with frames as they were before compression (C: `SESSION.TotalSendSize`, `TotalRecvSize`).
    #[must_use]
    pub fn total_size(&self) -> u64 {
        self.overhead_bytes + self.frame_bytes
    }

    /// Bytes with frames as they are on the wire (C: `SESSION.TotalSendSizeReal`, `TotalRecvSizeReal`).
    #[must_use]
    pub fn total_size_real(&self) -> u64 {
        self.overhead_bytes + self.wire_frame_bytes
    }

    /// Counts a frame of `size` bytes on the wire that was lost outside the codec, in a full queue for example.
    pub fn record_drop(&mut self, reason: DropReason, size: usize) {
        self.dropped[reason as usize] += 1;
        self.dropped_bytes += widen(size);
    }

    pub(super) fn record_frame(&mut self, size: usize, wire_size: usize) {
        self.frames += 1;
        self.frame_bytes += widen(size);
        self.wire_frame_bytes += widen(wire_size);
    }

    pub(super) fn record_overhead(&mut self, bytes: usize) {
        self.overhead_bytes += widen(bytes);
    }

    pub(super) fn record_keep_alive(&mut self, body: usize) {
        self.keep_alives += 1;
        self.overhead_bytes += widen(body);
    }
}

const fn widen(size: usize) -> u64 {
    const { assert!(usize::BITS <= u64::BITS) };
    size as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_counter() {
        let mut statistics = Statistics::default();
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            for _ in 0..=index {
                statistics.record_drop(reason, 10);
            }
        }
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(statistics.dropped(reason), index as u64 + 1, "{reason:?}");
        }
        assert_eq!(statistics.dropped_total(), 21);
        assert_eq!(statistics.dropped_bytes, 210);
    }
}
