//! What crossed an adapter, and every lost frame with its reason. Plain counters of one thread; no locks.
#![forbid(unsafe_code)]

/// Why a frame was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum DropReason {
    /// Shorter than an Ethernet header.
    Runt,
    /// Longer than the other side may be given (see the constants of [`crate::adapter`]).
    Oversize,
    /// A super-packet or checksum request whose headers contradict themselves.
    Malformed,
    /// A kind of super-packet that was not asked for.
    UnknownOffload,
    /// The receiving side has no room.
    Full,
    /// The interface is set down.
    Down,
    /// The kernel has no memory.
    NoMemory,
    /// The kernel refused the frame.
    Refused,
}

impl DropReason {
    /// All reasons, in the order of their counters.
    pub const ALL: [DropReason; 8] = [
        DropReason::Runt,
        DropReason::Oversize,
        DropReason::Malformed,
        DropReason::UnknownOffload,
        DropReason::Full,
        DropReason::Down,
        DropReason::NoMemory,
        DropReason::Refused,
    ];

    /// The name of the reason in metrics and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            DropReason::Runt => "runt",
            DropReason::Oversize => "oversize",
            DropReason::Malformed => "malformed",
            DropReason::UnknownOffload => "unknown_offload",
            DropReason::Full => "full",
            DropReason::Down => "down",
            DropReason::NoMemory => "no_memory",
            DropReason::Refused => "refused",
        }
    }
}

/// Frames dropped, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops([u64; DropReason::ALL.len()]);

impl Drops {
    /// How many frames were dropped for `reason`. A super-packet that cannot be split counts as one.
    pub fn count(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// Every frame dropped, whatever the reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Each reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().map(|reason| (reason, self.count(reason)))
    }

    pub(crate) fn add(&mut self, reason: DropReason, frames: u64) {
        self.0[reason as usize] += frames;
    }
}

/// Counters of one adapter. "Received" is from the card towards the server, "sent" the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Frames handed out.
    pub frames_received: u64,
    /// Bytes of those frames.
    pub bytes_received: u64,
    /// Frames the device took.
    pub frames_sent: u64,
    /// Bytes of those frames.
    pub bytes_sent: u64,
    /// Calls of the device's read, those that found nothing included.
    pub reads: u64,
    /// Calls of the device's write.
    pub writes: u64,
    /// Packets read that became more than one frame.
    pub super_packets_received: u64,
    /// Packets written that consisted of more than one frame.
    pub super_packets_sent: u64,
    /// Super-packets the device refused, which were then written as single frames.
    pub super_packets_refused: u64,
    /// Frames lost between card and server.
    pub receive_drops: Drops,
    /// Frames lost between server and card.
    pub send_drops: Drops,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_counter_and_name() {
        let mut drops = Drops::default();
        for (i, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, i);
            drops.add(reason, i as u64 + 1);
        }
        let counts: Vec<u64> = drops.iter().map(|(_, count)| count).collect();
        assert_eq!(counts, (1..=DropReason::ALL.len() as u64).collect::<Vec<_>>());
        assert_eq!(drops.total(), counts.iter().sum::<u64>());
        let mut names: Vec<_> = DropReason::ALL.map(DropReason::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DropReason::ALL.len());
    }
}
