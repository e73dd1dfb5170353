//! Counters of frames and their bytes: what a person sees of a session's traffic, and what a server bills.

use std::ops::AddAssign;

/// Bytes of an Ethernet header; what is shorter is carried and not counted.
const ETHERNET_HEADER_SIZE: usize = 14;

/// One direction (C: `TRAFFIC_ENTRY`, Cedar/Cedar.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficEntry {
    /// Frames to a group of stations, multicast included.
    pub broadcast_count: u64,
    /// Their bytes.
    pub broadcast_bytes: u64,
    /// Frames to one station.
    pub unicast_count: u64,
    /// Their bytes.
    pub unicast_bytes: u64,
}

impl TrafficEntry {
    /// Counts one frame by the group bit of its destination.
    pub fn count(&mut self, frame: &[u8]) {
        let Some(&first) = frame.get(..ETHERNET_HEADER_SIZE).and_then(<[u8]>::first) else { return };
        let bytes = frame.len() as u64;
        if first & 1 != 0 {
            self.broadcast_count += 1;
            self.broadcast_bytes += bytes;
        } else {
            self.unicast_count += 1;
            self.unicast_bytes += bytes;
        }
    }

    /// Counts `count` frames of one destination at once, `bytes` in all: the segments of a super-packet, say. `header`
    /// is the start of one of them.
    pub fn count_many(&mut self, header: &[u8; ETHERNET_HEADER_SIZE], count: u64, bytes: u64) {
        if header[0] & 1 != 0 {
            self.broadcast_count += count;
            self.broadcast_bytes += bytes;
        } else {
            self.unicast_count += count;
            self.unicast_bytes += bytes;
        }
    }

    /// Frames of both kinds.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.broadcast_count + self.unicast_count
    }

    /// Bytes of both kinds.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.broadcast_bytes + self.unicast_bytes
    }
}

impl AddAssign for TrafficEntry {
    fn add_assign(&mut self, other: Self) {
        self.broadcast_count += other.broadcast_count;
        self.broadcast_bytes += other.broadcast_bytes;
        self.unicast_count += other.unicast_count;
        self.unicast_bytes += other.unicast_bytes;
    }
}

/// Both directions, as the client's end sees them on either end: a server counts what its adapter gives as `recv`
/// (C: `TRAFFIC`, Cedar/Cedar.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From the client to the server.
    pub send: TrafficEntry,
    /// From the server to the client.
    pub recv: TrafficEntry,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.send += other.send;
        self.recv += other.recv;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_by_the_group_bit_and_runts_are_not() {
        let mut entry = TrafficEntry::default();
        for (size, first) in [(0, 0), (13, 1), (14, 0), (14, 1), (60, 0xff), (1514, 0x33), (1600, 0x02)] {
            let mut frame = vec![0; size];
            frame.iter_mut().take(1).for_each(|byte| *byte = first);
            entry.count(&frame);
        }
        let expected = TrafficEntry {
            broadcast_count: 3,
            broadcast_bytes: 14 + 60 + 1514,
            unicast_count: 2,
            unicast_bytes: 14 + 1600,
        };
        assert_eq!(entry, expected);
        assert_eq!((entry.frames(), entry.bytes()), (5, 3202));
    }

    #[test]
    fn many_at_once_are_as_one_by_one() {
        for first in [0_u8, 1, 2, 0xff] {
            let mut frame = [0; 200];
            frame[0] = first;
            let (mut one_by_one, mut at_once) = (TrafficEntry::default(), TrafficEntry::default());
            (0..7).for_each(|_| one_by_one.count(&frame));
            at_once.count_many(frame.first_chunk().unwrap(), 7, 7 * 200);
            assert_eq!(at_once, one_by_one, "{first:#x}");
        }
    }
}
