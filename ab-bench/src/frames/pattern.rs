//! Which bytes frame number n of a plan consists of. Sender and checker share this and nothing else.
//!
//! Layout of frame n, going up; going down the two addresses change places:
//!
//! | bytes  | content                                                        |
//! | ------ | -------------------------------------------------------------- |
//! | 0..6   | an address of the server's side, `06 43 75 74 <tag> <n & 255>` |
//! | 6..12  | the address of the client's TAP                                |
//! | 12..14 | EtherType 0x88B5 (local experiments)                           |
//! | 14..18 | n, big-endian                                                  |
//! | 18..   | bytes of a generator seeded by plan and n                      |
//!
//! A frame may end anywhere from byte 14 on. One that is too short to hold its number is told by its length and the eight
//! bits in the address: it is the nearest to the newest seen of those that are so and have not come.
//!
//! Why these addresses: SoftEther's hub lets a client that is no bridge use hardly more than its own address, and it
//! floods frames to unknown addresses, within limits: of more than 32 a second it drops some (`CheckBroadcastStorm`).
//! So the client's side uses its own address, and the server's side introduces its many beforehand: an introduction is
//! a frame of 18 bytes to the client with the number 2^32 - 1, which no plan reaches ([`Pattern::introduction`]).

use super::{Direction, FramePlan};

/// IEEE 802's EtherType for local experiments.
pub const ETHERTYPE: u16 = 0x88B5;
/// The shortest Ethernet frame on a TAP: a header and nothing else.
pub const FRAME_SIZE_MIN: usize = 14;
/// The longest at an MTU of 1500.
pub const FRAME_SIZE_MAX: usize = 1514;

/// How long frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSizes {
    min: usize,
    max: usize,
    mixed: bool,
}

impl FrameSizes {
    /// From the shortest to the longest.
    pub const ALL: Self = Self { min: FRAME_SIZE_MIN, max: FRAME_SIZE_MAX, mixed: false };
    /// 64, 576 and 1514 bytes, 7 : 4 : 1, as internet traffic is imitated.
    pub const MIXED: Self = Self { min: 64, max: FRAME_SIZE_MAX, mixed: true };

    /// Sizes from `min` to `max` bytes; both are moved into 14..=1514 and into order.
    #[must_use]
    pub fn new(min: usize, max: usize) -> Self {
        let min = min.clamp(FRAME_SIZE_MIN, FRAME_SIZE_MAX);
        Self { min, max: max.clamp(min, FRAME_SIZE_MAX), mixed: false }
    }
}

/// The number of a frame that makes an address known.
const INTRODUCTION: u32 = u32::MAX;
/// Where the number stands.
const NUMBER_AT: std::ops::Range<usize> = 14..18;

/// A MAC address.
pub type MacAddress = [u8; 6];

/// The frames of one plan in one direction.
#[derive(Debug, Clone)]
pub struct Pattern {
    seed: u64,
    sizes: FrameSizes,
    tag: u8,
    direction: Direction,
    client: MacAddress,
}

/// What a received frame claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// A frame of this plan.
    Number(u32),
    /// A frame of this plan that is too short for its number: the last eight bits of it.
    LowBits(u8),
    /// One that made an address known; its place among them.
    Introduction(u8),
    /// A frame of another plan or to or from another client.
    OtherPlan,
    /// None of ours, though it has our EtherType.
    Unreadable,
}

impl Pattern {
    /// The frames of `plan` when they go in this direction from or to the client's TAP with address `client`.
    #[must_use]
    pub fn new(plan: &FramePlan, direction: Direction, client: MacAddress) -> Self {
        // The tag tells this plan's frames from late ones of the plan before.
        let tag = mix(plan.seed ^ direction as u64).to_le_bytes()[0];
        Self { seed: plan.seed, sizes: plan.sizes, tag, direction, client }
    }

    /// Frames that the server's side must send before frames go up, so that the hub knows its addresses.
    pub fn introductions(&self) -> impl Iterator<Item = Vec<u8>> {
        (0..=u8::MAX).map(|low| self.introduction(low))
    }

    /// The one for the address with these last eight bits.
    pub(super) fn introduction(&self, low: u8) -> Vec<u8> {
        let mut frame = Vec::from(self.client);
        frame.extend(self.server_address(low.into()));
        frame.extend(ETHERTYPE.to_be_bytes());
        frame.extend(INTRODUCTION.to_be_bytes());
        frame
    }

    /// The length of a frame. The first two have the extreme sizes, the others are spread evenly.
    #[must_use]
    pub fn size(&self, number: u32) -> usize {
        let FrameSizes { min, max, mixed } = self.sizes;
        match number {
            0 => min,
            1 => max,
            _ if mixed => match mix(self.seed ^ (u64::from(number) << 20)) % 12 {
                0..7 => 64,
                7..11 => 576,
                _ => 1514,
            },
            _ => min + (mix(self.seed ^ (u64::from(number) << 20)) % (max - min + 1) as u64) as usize,
        }
    }

    /// Replaces `frame` by frame `number`.
    pub fn write(&self, number: u32, frame: &mut Vec<u8>) {
        let size = self.size(number);
        frame.clear();
        let (to, from) = match self.direction {
            Direction::Up => (self.server_address(number), self.client),
            Direction::Down => (self.client, self.server_address(number)),
        };
        frame.extend(to);
        frame.extend(from);
        frame.extend(ETHERTYPE.to_be_bytes());
        frame.extend(number.to_be_bytes());
        let mut state = mix(self.seed) ^ u64::from(number);
        while frame.len() < size {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            frame.extend(mix(state).to_le_bytes());
        }
        frame.truncate(size);
    }

    /// Which frame of this plan these bytes claim to be.
    #[must_use]
    pub fn claim(&self, frame: &[u8]) -> Claim {
        let (Some(to), Some(from)) = (frame.get(0..6), frame.get(6..12)) else {
            return Claim::Unreadable;
        };
        let number = frame.get(NUMBER_AT).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let (server, client) = match self.direction {
            Direction::Up if number != Some(INTRODUCTION) => (to, from),
            _ => (from, to),
        };
        let [0x06, b'C', b'u', b't', tag, low] = server else {
            return Claim::Unreadable;
        };
        if *tag != self.tag || client != self.client {
            return Claim::OtherPlan;
        }
        match number {
            Some(INTRODUCTION) => Claim::Introduction(*low),
            Some(number) => Claim::Number(number),
            None => Claim::LowBits(*low),
        }
    }

    fn server_address(&self, number: u32) -> MacAddress {
        [0x06, b'C', b'u', b't', self.tag, number.to_le_bytes()[0]]
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn introductions_and_frames_of_another_client_are_told_apart() {
        let plan = FramePlan::new(500, 1);
        for direction in [Direction::Up, Direction::Down] {
            let (ours, theirs) = (Pattern::new(&plan, direction, [2; 6]), Pattern::new(&plan, direction, [4; 6]));
            for (low, introduction) in (0..=u8::MAX).zip(ours.introductions()) {
                assert_eq!(ours.claim(&introduction), Claim::Introduction(low));
                assert_eq!(theirs.claim(&introduction), Claim::OtherPlan);
            }
            let mut frame = Vec::new();
            theirs.write(7, &mut frame);
            assert_eq!(ours.claim(&frame), Claim::OtherPlan);
        }
    }

    #[test]
    fn mixed_sizes_are_seven_to_four_to_one() {
        let plan = FramePlan { sizes: FrameSizes::MIXED, ..FramePlan::new(12_000, 1) };
        let pattern = Pattern::new(&plan, Direction::Up, [2; 6]);
        let count = |size| (0..12_000).filter(|number| pattern.size(*number) == size).count();
        let [small, middle, full] = [64, 576, 1514].map(count);
        assert_eq!(small + middle + full, 12_000);
        assert!((6_800..7_200).contains(&small) && (3_800..4_200).contains(&middle), "{small} {middle} {full}");
    }
}
