//! Arguments for tests: every edge of every role with every other, then random ones, the same for the same seed.
//!
//! What is drawn lives in blocks with a guard behind them; a digest of all blocks is part of what a test compares, so that
//! whatever a side writes is seen, and whatever it writes beside.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};
use std::ptr;

/// Bytes behind each block that no side may touch.
const GUARD: usize = 32;
const GUARD_BYTE: u8 = 0xa5;

/// Which cases a test runs.
#[derive(Clone, Copy, Debug)]
pub struct Cases {
    /// Random ones are those of this seed.
    pub seed: u64,
    /// At most so many combinations of edges come first.
    pub edges: u64,
    /// So many random cases follow.
    pub random: u64,
}

impl Cases {
    /// What runs at every start; fewer than a planted fault waits for.
    pub const SELF_TEST: Cases = Cases { seed: 0x5EED, edges: 48, random: 16 };

    /// Calls `case` for each; it draws its arguments and, unless the draw is spent then, gives a line for the trace.
    pub fn each(self, mut case: impl FnMut(&mut Draw) -> Option<String>) -> Vec<String> {
        let mut trace = Vec::new();
        for round in 0..self.edges {
            match case(&mut Draw::new(self.seed, Some(round))) {
                Some(line) => trace.push(line),
                None => break,
            }
        }
        let random = (0..self.random).filter_map(|round| case(&mut Draw::new(self.seed ^ round << 32, None)));
        trace.extend(random);
        trace
    }
}

/// Says where two traces part.
///
/// # Errors
/// If they do.
pub fn agree(c: Vec<String>, rust: Vec<String>) -> Result<(), String> {
    for (step, (c, rust)) in c.iter().zip(&rust).enumerate() {
        if c != rust {
            return Err(format!("case {step}: c {c}, rust {rust}"));
        }
    }
    if c.len() == rust.len() { Ok(()) } else { Err(format!("c {} cases, rust {}", c.len(), rust.len())) }
}

/// One case being drawn.
#[derive(Debug)]
pub struct Draw {
    source: Source,
    /// Which combination of edges, with those taken out that were drawn; `None`: random.
    edge: Option<u64>,
    blocks: Vec<Block>,
    releases: Vec<Release>,
}

/// Where what is drawn comes from.
#[derive(Debug)]
enum Source {
    /// A state of splitmix64.
    Seed(u64),
    /// What a fuzzer has not yet been asked for, backwards; zeros behind it.
    Input(Vec<u8>),
}

/// One function of a family, either side, on one case: for fuzz targets.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The swap's name.
    pub name: &'static str,
    /// A line of the trace, by C.
    pub c: fn(&mut Draw) -> Option<String>,
    /// The same by Rust.
    pub rust: fn(&mut Draw) -> Option<String>,
}

/// Memory of a case.
#[derive(Debug)]
struct Block {
    memory: *mut [u8],
    drawn: Box<[u8]>,
    /// Without the guard.
    size: usize,
    holds: Holds,
}

/// What a block is for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holds {
    /// Bytes that a side reads, and may change.
    Bytes,
    /// A string; what lies behind its NUL says nothing.
    Text,
    /// Nothing that is read.
    Room,
}

/// Gives back what the C made for a case.
struct Release(Box<dyn FnOnce()>);

impl std::fmt::Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Release")
    }
}

impl Draw {
    fn new(seed: u64, edge: Option<u64>) -> Draw {
        Draw { source: Source::Seed(seed), edge, blocks: Vec::new(), releases: Vec::new() }
    }

    /// A case of a fuzzer's making.
    pub fn of(input: &[u8]) -> Draw {
        let source = Source::Input(input.iter().rev().copied().collect());
        Draw { source, edge: None, blocks: Vec::new(), releases: Vec::new() }
    }

    /// Whether this combination of edges was there before.
    pub fn is_spent(&self) -> bool {
        self.edge.is_some_and(|rest| rest > 0)
    }

    /// One of `edges` in its turn, or what `random` makes.
    pub fn pick<T: Clone>(&mut self, edges: &[T], random: impl FnOnce(&mut Draw) -> T) -> T {
        let count = edges.len() as u64;
        match self.edge {
            Some(rest) if count > 0 => {
                self.edge = Some(rest / count);
                edges[(rest % count) as usize].clone()
            }
            _ => random(self),
        }
    }

    /// The next random number.
    pub fn random(&mut self) -> u64 {
        match &mut self.source {
            Source::Seed(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^ z >> 31
            }
            Source::Input(bytes) => u64::from_le_bytes(std::array::from_fn(|_| bytes.pop().unwrap_or(0))),
        }
    }

    /// The next random byte.
    pub fn byte(&mut self) -> u8 {
        match &mut self.source {
            Source::Seed(_) => self.random() as u8,
            Source::Input(bytes) => bytes.pop().unwrap_or(0),
        }
    }

    /// A random number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let random = if end <= 256 { self.byte().into() } else { self.random() };
        (random % end.max(1) as u64) as usize
    }

    /// A block that holds `bytes` and is as large as they are.
    pub fn block(&mut self, bytes: &[u8]) -> *mut u8 {
        self.memory(bytes, Holds::Bytes)
    }

    /// A block that holds a string and its NUL, which a side may make shorter.
    pub fn text(&mut self, text: &[u8]) -> *mut u8 {
        self.memory(&[text, &[0]].concat(), Holds::Text)
    }

    /// A block of so many bytes that a side only writes to.
    pub fn room(&mut self, size: usize) -> *mut u8 {
        self.memory(&vec![0xcc; size], Holds::Room)
    }

    fn memory(&mut self, bytes: &[u8], holds: Holds) -> *mut u8 {
        // Aligned as Mayaqua's memory is.
        let words = (bytes.len() + GUARD).div_ceil(8);
        let memory = Box::leak(vec![0_u64; words].into_boxed_slice());
        let memory = ptr::slice_from_raw_parts_mut(memory.as_mut_ptr().cast::<u8>(), words * 8);
        let mut drawn = vec![GUARD_BYTE; words * 8].into_boxed_slice();
        drawn[..bytes.len()].copy_from_slice(bytes);
        let block = Block { memory, drawn, size: bytes.len(), holds };
        block.restore();
        self.blocks.push(block);
        memory.cast()
    }

    /// Has `release` called when the case is over.
    pub fn finally(&mut self, release: impl FnOnce() + 'static) {
        self.releases.push(Release(Box::new(release)));
    }

    /// What all blocks hold now.
    pub fn digest(&self) -> String {
        let mut text = String::new();
        for block in &self.blocks {
            // SAFETY: the block's own memory.
            let (bytes, guard) = unsafe { &*block.memory }.split_at(block.size);
            let said = if block.holds == Holds::Text { mayaqua::str::until_nul(bytes) } else { bytes };
            let mut hasher = DefaultHasher::new();
            hasher.write(said);
            hasher.write_usize(said.len());
            hasher.write(guard);
            _ = write!(text, "{:08x}", hasher.finish() as u32);
        }
        text
    }
}

impl Block {
    fn restore(&self) {
        // SAFETY: as many bytes as were drawn.
        unsafe { self.memory.cast::<u8>().copy_from_nonoverlapping(self.drawn.as_ptr(), self.drawn.len()) };
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `Draw::block` leaked it as a slice of words.
        unsafe { drop(Box::from_raw(ptr::slice_from_raw_parts_mut(self.memory.cast::<u64>(), self.memory.len() / 8))) };
    }
}

impl Drop for Draw {
    fn drop(&mut self) {
        self.releases.drain(..).for_each(|release| release.0());
    }
}

/// The cases of a benchmark.
#[derive(Debug)]
pub struct Work<A> {
    cases: Vec<(Draw, A)>,
    turn: usize,
}

impl<A: Copy> Work<A> {
    /// How many cases take turns: a power of two.
    const CASES: usize = 64;

    /// Random cases, always the same.
    pub fn new(mut draw_all: impl FnMut(&mut Draw) -> A) -> Work<A> {
        let cases = (0..Self::CASES as u64).map(|round| {
            let mut draw = Draw::new(round, None);
            let arguments = draw_all(&mut draw);
            (draw, arguments)
        });
        Work { cases: cases.collect(), turn: 0 }
    }

    /// The next case, as it was drawn if the last run may have changed it.
    #[inline]
    pub fn next(&mut self, is_restored: bool) -> A {
        self.turn = (self.turn + 1) & (Self::CASES - 1);
        let (draw, arguments) = &self.cases[self.turn];
        if is_restored {
            draw.blocks.iter().filter(|block| block.holds != Holds::Room).for_each(Block::restore);
        }
        *arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination of edges comes once, then the draw is spent.
    #[test]
    fn edges_come_with_every_other() {
        let mut seen = Vec::new();
        let cases = Cases { seed: 1, edges: 100, random: 3 };
        let trace = cases.each(|draw| {
            let is_edge = draw.edge.is_some();
            let drawn = (draw.pick(&[1, 2], |_| 0), draw.pick(&["a", "b", "c"], |_| "random"));
            if draw.is_spent() {
                return None;
            }
            if is_edge {
                seen.push(drawn);
            }
            Some(format!("{drawn:?}"))
        });
        assert_eq!(seen, [(1, "a"), (2, "a"), (1, "b"), (2, "b"), (1, "c"), (2, "c")]);
        assert_eq!(trace.len(), 9);
    }

    /// A write into a block, and one beside it, are both seen.
    #[test]
    fn a_digest_sees_blocks_and_guards() {
        let mut draw = Draw::new(1, None);
        let block = draw.block(b"block");
        let before = draw.digest();
        for place in [0, 4, 5, 5 + GUARD - 1] {
            // SAFETY: within the block or its guard.
            unsafe { *block.add(place) ^= 1 };
            assert_ne!(draw.digest(), before, "at {place}");
            draw.blocks[0].restore();
            assert_eq!(draw.digest(), before);
        }
    }

    /// A string is what is before its NUL.
    #[test]
    fn behind_a_strings_nul_is_nothing() {
        let mut draw = Draw::new(1, None);
        let block = draw.text(b"text");
        let cut = |place: usize, byte: u8, draw: &Draw| {
            // SAFETY: within the block.
            unsafe { *block.add(place) = byte };
            draw.digest()
        };
        let whole = draw.digest();
        let short = cut(2, 0, &draw);
        assert_ne!(short, whole);
        assert_eq!(cut(3, b'x', &draw), short);
        assert_ne!(cut(1, 0, &draw), short);
    }

    #[test]
    fn traces_that_part_are_told() {
        let trace = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(agree(trace(&["a", "b"]), trace(&["a", "b"])), Ok(()));
        assert!(agree(trace(&["a", "b"]), trace(&["a", "c"])).is_err());
        assert!(agree(trace(&["a", "b"]), trace(&["a"])).is_err());
    }
}
