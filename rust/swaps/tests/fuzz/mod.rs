//! What the fuzz targets do with one input: both sides of a swap do the same, and what they leave behind is compared.
//! The targets of `rust/swaps/fuzz` and the test `fuzz_bodies` share these files.
//!
//! A difference that docs/LEGACY_BEHAVIOUR.md lists is allowed where its id stands in the code, and nowhere else.

pub mod compression;
pub mod decode;
pub mod encode;
pub mod fifo;
pub mod http;
pub mod keep_alive;
pub mod pack;
pub mod shims;
pub mod str;

#[path = "../differential/support.rs"]
#[allow(dead_code, unused_macros, reason = "the differential tests use the rest")]
pub mod support;

/// An input, read as a sequence of small choices. At its end every choice is 0.
pub struct Choices<'i>(&'i [u8]);

impl<'i> Choices<'i> {
    /// All of an input.
    pub fn new(input: &'i [u8]) -> Self {
        Self(input)
    }

    /// Whether nothing is left to choose.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    /// A number below `end`, chosen by two bytes.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.u16()) % end
    }

    /// A size on either side of every limit of the wire, or a small one.
    pub fn size(&mut self, most: usize) -> usize {
        const EDGES: [usize; 12] = [0, 1, 13, 14, 511, 512, 1514, 1599, 1600, 1601, 3199, 3200];
        let size = match self.byte() {
            edge @ 0..=31 => EDGES[usize::from(edge) % EDGES.len()],
            small @ 32..=191 => usize::from(small),
            _ => self.below(3201),
        };
        size.min(most)
    }

    /// The next `size` bytes as they are; zeros behind the end.
    pub fn bytes(&mut self, size: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(size.min(self.0.len()));
        self.0 = rest;
        let mut bytes = taken.to_vec();
        bytes.resize(size, 0);
        bytes
    }

    /// The contents of a frame: chosen byte by byte, or a pattern that compresses.
    pub fn contents(&mut self, size: usize) -> Vec<u8> {
        match self.byte() {
            0..=31 => self.bytes(size),
            byte => (0..size).map(|at| byte ^ (at % 7).to_le_bytes()[0]).collect(),
        }
    }
}

/// Seeds the C library's `rand`, from which both sides draw.
pub fn seed_rand(seed: u32) {
    unsafe extern "C" {
        safe fn srand(seed: std::ffi::c_uint);
    }
    srand(seed);
}
