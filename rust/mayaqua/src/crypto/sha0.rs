//! SHA-0 (FIPS 180, 1993): SHA-1 without the rotation in its message schedule (C: `Internal_SHA0`, Mayaqua/Encrypt.c).

use super::SHA1_SIZE;

const BLOCK: usize = 64;
const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// SHA-0 of `data` (C: `Sha0`, Mayaqua/Encrypt.c).
#[must_use]
pub fn sha0(data: &[u8]) -> [u8; SHA1_SIZE] {
    let mut hash = Sha0::new();
    hash.update(data);
    hash.finish()
}

/// A SHA-0 of which a part of the data came.
#[derive(Clone, Debug)]
pub struct Sha0 {
    state: [u32; 5],
    /// Fewer than [`BLOCK`] bytes that wait for more.
    rest: [u8; BLOCK],
    rest_length: usize,
    /// Bytes that came, modulo 2^64.
    length: u64,
}

impl Default for Sha0 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha0 {
    /// Before the first byte.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: INITIAL, rest: [0; BLOCK], rest_length: 0, length: 0 }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut data: &[u8]) {
        self.length = self.length.wrapping_add(data.len() as u64);
        if self.rest_length > 0 {
            let (now, later) = data.split_at(data.len().min(BLOCK - self.rest_length));
            self.rest[self.rest_length..self.rest_length + now.len()].copy_from_slice(now);
            self.rest_length += now.len();
            data = later;
            if self.rest_length < BLOCK {
                return;
            }
            compress(&mut self.state, &self.rest);
        }
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        blocks.iter().for_each(|block| compress(&mut self.state, block));
        self.rest[..rest.len()].copy_from_slice(rest);
        self.rest_length = rest.len();
    }

    /// The hash of all bytes that came.
    #[must_use]
    pub fn finish(mut self) -> [u8; SHA1_SIZE] {
        let bits = self.length.wrapping_mul(8).to_be_bytes();
        // A one bit, zeros up to the last eight bytes of a block, the number of bits.
        let zeros = (BLOCK + 55 - self.rest_length) % BLOCK;
        self.update(&[0x80]);
        self.update(&[0; BLOCK][..zeros]);
        self.update(&bits);
        let mut hash = [0; SHA1_SIZE];
        for (bytes, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        hash
    }
}

/// Takes one block into the state.
fn compress(state: &mut [u32; 5], block: &[u8; BLOCK]) {
    let mut words = [0u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for t in 16..80 {
        // SHA-1 rotates this by one.
        words[t] = words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16];
    }

    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (t, word) in words.into_iter().enumerate() {
        let (mixed, constant) = match t {
            0..20 => (b & c | !b & d, 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => (b & c | b & d | c & d, 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6),
        };
        let sum = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e).wrapping_add(constant).wrapping_add(word);
        (a, b, c, d, e) = (sum, a, b.rotate_left(30), c, d);
    }
    for (part, word) in state.iter_mut().zip([a, b, c, d, e]) {
        *part = part.wrapping_add(word);
    }
}
