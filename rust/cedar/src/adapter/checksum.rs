//! The Internet checksum (RFC 1071): sums, and the arithmetic to change a sum by parts (RFC 1624).
//! A [`Sum`] is a ones' complement sum of big-endian 16-bit words, not yet complemented.
#![forbid(unsafe_code)]

use super::simd;

/// A ones' complement sum of 16-bit words in network byte order. At most 65,535 words may be added one by one
/// between two [`Sum::fold`]s, which no packet reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum(u32);

impl Sum {
    /// The sum of `bytes`; an odd last byte counts as the high half of a word.
    #[inline]
    pub fn of(bytes: &[u8]) -> Sum {
        Sum(u32::from(u16::from_be(fold64(simd::sum_words(bytes)))))
    }

    /// This sum with one more 16-bit word.
    #[inline]
    pub fn word(self, word: u16) -> Sum {
        Sum(self.0 + u32::from(word))
    }

    /// This sum with one 16-bit word taken out.
    #[inline]
    pub fn without_word(self, word: u16) -> Sum {
        Sum(self.0 + u32::from(!word))
    }

    /// This sum with a 32-bit value added as two words.
    #[inline]
    pub fn double_word(self, value: u32) -> Sum {
        Sum(self.0 + (value >> 16) + (value & 0xffff))
    }

    /// Both sums together. The second part must begin at an even offset of the checksummed range.
    #[inline]
    pub fn and(self, other: Sum) -> Sum {
        Sum(self.0 + other.0)
    }

    /// The sum as one 16-bit word: what a pseudo-header leaves in a checksum field that the kernel is to finish.
    #[inline]
    pub fn fold(self) -> u16 {
        let once = (self.0 & 0xffff) + (self.0 >> 16);
        let twice = (once & 0xffff) + (once >> 16);
        twice as u16 // at most 0xffff after two folds
    }

    /// The checksum: the folded sum, complemented.
    #[inline]
    pub fn checksum(self) -> u16 {
        !self.fold()
    }

    /// Whether a range that contains its own checksum is intact.
    #[inline]
    pub fn is_valid(self) -> bool {
        self.fold() == 0xffff
    }
}

/// Folds a 64-bit sum of 32-bit native-endian words to 16 bits.
#[inline]
fn fold64(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16 // at most 0xffff: the input is a 32-bit value by then
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reference(bytes: &[u8]) -> u16 {
        u16::from_be_bytes(internet_checksum::checksum(bytes))
    }

    #[test]
    fn edge_values() {
        for bytes in [
            vec![],
            vec![0],
            vec![1],
            vec![0xff],
            vec![0xff, 0xff],
            vec![0; 65_535],
            vec![0xff; 65_535],
            vec![0xff; 65_536],
        ] {
            assert_eq!(Sum::of(&bytes).checksum(), reference(&bytes), "{} bytes of {:?}", bytes.len(), bytes.first());
        }
    }

    #[test]
    fn carries_of_carries_are_not_lost() {
        let sum = |words: &[u16]| words.iter().fold(Sum::default(), |sum, &word| sum.word(word));
        assert_eq!(sum(&[0xffff, 0xffff, 1]).fold(), 1);
        assert_eq!(sum(&[0xffff, 0xfffe, 2]).fold(), 1);
        assert_eq!(sum(&[0x8000; 65_535]).fold(), Sum::of(&[0x80, 0].repeat(65_535)).fold());
        assert_eq!(sum(&[0xffff; 65_535]).fold(), 0xffff);
    }

    #[test]
    fn every_length_and_every_alignment() {
        let bytes: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for start in 0..8 {
            for len in 0..600 {
                let part = &bytes[start..start + len];
                assert_eq!(Sum::of(part).checksum(), reference(part), "from {start}, {len} bytes");
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_internet_checksum(bytes in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            prop_assert_eq!(Sum::of(&bytes).checksum(), reference(&bytes));
        }

        #[test]
        fn parts_add_up(bytes in proptest::collection::vec(any::<u8>(), 4..2_000), at in 0usize..1_000, new in any::<u16>()) {
            let at = (at % (bytes.len() / 2)) * 2;
            let (front, back) = bytes.split_at(at);
            prop_assert_eq!(Sum::of(front).and(Sum::of(back)).fold(), Sum::of(&bytes).fold());
            if let [high, low, ..] = back {
                let old = u16::from_be_bytes([*high, *low]);
                let mut changed = bytes.clone();
                changed[at..at + 2].copy_from_slice(&new.to_be_bytes());
                let by_parts = Sum::of(&bytes).without_word(old).word(new).checksum();
                // 0 and 0xffff are the same number in ones' complement.
                prop_assert_eq!(by_parts % 0xffff, Sum::of(&changed).checksum() % 0xffff);
            }
        }
    }
}
