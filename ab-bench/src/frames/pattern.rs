//! Which bytes frame number n of a plan consists of. Sender and checker share this and nothing else.
//!
//! Layout: destination `02 <tag> <number, 4 bytes BE>`, source `06 43 75 74 6f <tag>`, EtherType 0x88B5 (local
//! experiments), then bytes of a generator seeded by plan and number. The number stands in the destination
//! address because a frame of 14 bytes has no other room; a hub floods a unicast address that it does not know.

use super::FramePlan;

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
}

impl FrameSizes {
    /// From the shortest to the longest.
    pub const ALL: Self = Self { min: FRAME_SIZE_MIN, max: FRAME_SIZE_MAX };

    /// Sizes from `min` to `max` bytes; both are moved into 14..=1514 and into order.
    #[must_use]
    pub fn new(min: usize, max: usize) -> Self {
        let min = min.clamp(FRAME_SIZE_MIN, FRAME_SIZE_MAX);
        Self { min, max: max.clamp(min, FRAME_SIZE_MAX) }
    }
}

/// The frames of one plan.
#[derive(Debug, Clone)]
pub struct Pattern {
    seed: u64,
    sizes: FrameSizes,
    tag: u8,
}

impl Pattern {
    pub(super) fn new(plan: &FramePlan) -> Self {
        // The tag tells this plan's frames from late ones of the plan before.
        let tag = mix(plan.seed).to_le_bytes()[0];
        Self { seed: plan.seed, sizes: plan.sizes, tag }
    }

    /// The length of a frame. The first two have the extreme sizes, the others are spread evenly.
    #[must_use]
    pub fn size(&self, number: u32) -> usize {
        let FrameSizes { min, max } = self.sizes;
        match number {
            0 => min,
            1 => max,
            _ => min + (mix(self.seed ^ (u64::from(number) << 20)) % (max - min + 1) as u64) as usize,
        }
    }

    /// Replaces `frame` by frame `number`.
    pub fn write(&self, number: u32, frame: &mut Vec<u8>) {
        let size = self.size(number);
        frame.clear();
        frame.extend([0x02, self.tag]);
        frame.extend(number.to_be_bytes());
        frame.extend([0x06, b'C', b'u', b't', b'o', self.tag]);
        frame.extend(ETHERTYPE.to_be_bytes());
        let mut state = mix(self.seed) ^ u64::from(number);
        while frame.len() < size {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            frame.extend(mix(state).to_le_bytes());
        }
        frame.truncate(size);
    }

    /// Which frame of this plan these bytes claim to be.
    #[must_use]
    pub fn number(&self, frame: &[u8]) -> Claim {
        match frame {
            [0x02, tag, a, b, c, d, ..] if *tag == self.tag => Claim::Number(u32::from_be_bytes([*a, *b, *c, *d])),
            [0x02, _, _, _, _, _, 0x06, b'C', b'u', b't', b'o', ..] => Claim::OtherPlan,
            _ => Claim::Unreadable,
        }
    }
}

/// What a received frame claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// A frame of this plan.
    Number(u32),
    /// A frame of another plan.
    OtherPlan,
    /// None of ours, though it has our EtherType.
    Unreadable,
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
