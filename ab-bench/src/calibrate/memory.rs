//! What touches only memory, and the cheapest way into the kernel and back.

use std::hint::black_box;
use std::io;

use super::{Sampled, Step, sample};

const BLOCK: usize = 16 << 10;
/// The TCP or UDP payload of a full frame, which both sides of a checksum must touch.
const SEGMENT: usize = 1460;
/// Blocks, segments or calls per reading of the clock.
const BATCH: usize = 1024;

pub(super) fn measure() -> Vec<Sampled> {
    vec![(Step::Memcpy, memcpy()), (Step::Checksum, checksums()), (Step::NullSyscall, null_system_call())]
}

fn memcpy() -> io::Result<Vec<f64>> {
    let from = vec![0x5a_u8; BLOCK];
    let mut to = vec![0_u8; BLOCK];
    sample(
        || Ok(()),
        || {
            for _ in 0..BATCH {
                to.copy_from_slice(black_box(&from));
                black_box(&mut to);
            }
            Ok((BATCH * BLOCK) as u64)
        },
    )
}

fn checksums() -> io::Result<Vec<f64>> {
    let bytes = vec![0x5a_u8; SEGMENT];
    sample(
        || Ok(()),
        || {
            for _ in 0..BATCH {
                black_box(checksum(black_box(&bytes)));
            }
            Ok((BATCH * SEGMENT) as u64)
        },
    )
}

/// Microseconds per call: per "10^9 bytes" of which each call moves 10^3.
fn null_system_call() -> io::Result<Vec<f64>> {
    const BYTES_A_CALL: usize = 1000;
    sample(
        || Ok(()),
        || {
            for _ in 0..BATCH {
                black_box(nix::unistd::getppid());
            }
            Ok((BATCH * BYTES_A_CALL) as u64)
        },
    )
}

/// The Internet checksum (RFC 1071), with the widest vectors that this processor has.
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as was just asked.
        return unsafe { checksum_avx2(bytes) };
    }
    sum_words(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn checksum_avx2(bytes: &[u8]) -> u16 {
    sum_words(bytes)
}

/// One's complement sum in lanes of 32 bits summed to 64, a shape that the compiler turns into vectors.
#[inline(always)]
fn sum_words(bytes: &[u8]) -> u16 {
    const LANES: usize = 16;
    let mut lanes = [0_u64; LANES];
    let mut blocks = bytes.chunks_exact(4 * LANES);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            *lane += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
        }
    }
    let mut sum: u64 = lanes.iter().sum();
    let mut pairs = blocks.remainder().chunks_exact(2);
    sum += (&mut pairs).map(|pair| u64::from(u16::from_ne_bytes([pair[0], pair[1]]))).sum::<u64>();
    sum += pairs.remainder().first().map_or(0, |byte| u64::from(u16::from_ne_bytes([*byte, 0])));
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // The loop left 16 bits.
    !u16::from_be(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071, section 3: the words 0001 f203 f4f5 f6f7 sum up to ddf2.
    #[test]
    fn the_checksum_agrees_with_rfc_1071() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[]), 0xffff);
        assert_eq!(checksum(&[0xab]), !0xab00);
    }

    #[test]
    fn the_checksum_agrees_with_one_word_at_a_time() {
        let bytes: Vec<u8> = (0..3001_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for length in (0..200).chain([SEGMENT, 1461, 3000, 3001]) {
            let mut sum = 0_u32;
            for pair in bytes[..length].chunks(2) {
                sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
                sum = (sum & 0xffff) + (sum >> 16);
            }
            assert_eq!(checksum(&bytes[..length]), !(sum as u16), "{length} bytes");
        }
    }
}
