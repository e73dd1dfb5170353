//! The FIFO of `Mayaqua/Memory.c`: its decisions as pure functions, and a safe [`Fifo`] built on them.
//!
//! The C's `FIFO` is one block of memory with the unread bytes at `pos .. pos + size`:
//!
//! ```text
//!   0          pos              pos + size        memsize
//!   | read      | unread         | free            |
//! ```
//!
//! 1. Writing appends at `pos + size` and never moves the unread bytes; when the block is too small it grows
//!    to three times its size, as often as needed ([`plan_write`]).
//! 2. Reading takes from `pos`; a FIFO that became empty starts again at 0 ([`plan_read`]).
//! 3. After each read a large block that is mostly read gets half its size, the unread bytes move to 0
//!    ([`plan_shrink`]).
//!
//! The functions take and return numbers only, so that the swap of `WriteFifo` and `ReadFifo`, whose memory must
//! stay Mayaqua's, takes the same decisions as [`Fifo`]. Not here: the lock and the reference count of the C's FIFO.

/// Size in bytes of a new FIFO's block, and the floor of growing and shrinking (C: the same name, Memory.c).
pub const FIFO_INIT_MEM_SIZE: u32 = 4096;

/// Default of the block size in bytes from which a FIFO is shrunk (C: the same name, Memory.c).
/// The C lets the server change it: `SetFifoCurrentReallocMemSize`.
pub const FIFO_REALLOC_MEM_SIZE: u32 = 65536 * 10;

/// The bytes to be held do not fit the C's 32-bit counters.
///
/// The C does not notice: `f->size += size` wraps, the block stays small and the copy runs past its end
/// (known difference `fifo-overflow`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a FIFO with {size} bytes from position {pos} cannot take {add} bytes more")]
pub struct FifoOverflow {
    /// Position of the first unread byte.
    pub pos: u32,
    /// Number of unread bytes.
    pub size: u32,
    /// Number of bytes that were to be added.
    pub add: u32,
}

/// What a write does to a FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WritePlan {
    /// Where in the block the new bytes go.
    pub offset: u32,
    /// Number of unread bytes afterwards.
    pub size: u32,
    /// Size of the block that the write needs; equal to the present one if nothing has to grow.
    pub memsize: u32,
}

/// What a read does to a FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPlan {
    /// Number of bytes that are read, starting at the old position.
    pub read: u32,
    /// Position of the first unread byte afterwards.
    pub pos: u32,
    /// Number of unread bytes afterwards.
    pub size: u32,
}

/// Plans the appending of `add` bytes (C: the first half of `WriteFifo`, Mayaqua/Memory.c).
///
/// # Errors
///
/// [`FifoOverflow`] if the end of the unread bytes does not fit 32 bits.
pub const fn plan_write(pos: u32, size: u32, memsize: u32, add: u32) -> Result<WritePlan, FifoOverflow> {
    let overflow = FifoOverflow { pos, size, add };
    let Some(offset) = pos.checked_add(size) else {
        return Err(overflow);
    };
    let Some(need) = offset.checked_add(add) else {
        return Err(overflow);
    };

    let mut grown = memsize;
    while need > grown {
        let base = if grown > FIFO_INIT_MEM_SIZE { grown } else { FIFO_INIT_MEM_SIZE };
        // Saturating ends the loop: `need` is at most u32::MAX. The C's multiplication wraps here.
        grown = base.saturating_mul(3);
    }

    Ok(WritePlan { offset, size: need - pos, memsize: grown })
}

/// Plans the reading of at most `want` bytes (C: the first half of `ReadFifo`, Mayaqua/Memory.c).
///
/// As in the C nothing at all happens when `want` or `size` is 0: the caller then skips [`plan_shrink`] too.
#[must_use]
pub const fn plan_read(pos: u32, size: u32, fixed: bool, want: u32) -> ReadPlan {
    let read = if want < size { want } else { size };
    let left = size - read;
    let pos = if read == 0 {
        pos
    } else if left == 0 && !fixed {
        0
    } else {
        // Bytes exist up to pos + size, so this cannot overflow in a sound FIFO.
        pos.saturating_add(read)
    };
    ReadPlan { read, pos, size: left }
}

/// The size of the smaller block to move the unread bytes to, or `None` if the FIFO stays as it is
/// (C: `ShrinkFifoMemory`, Mayaqua/Memory.c).
///
/// `realloc_mem_size` is the C's `fifo_current_realloc_mem_size`, [`FIFO_REALLOC_MEM_SIZE`] by default.
#[must_use]
pub const fn plan_shrink(pos: u32, size: u32, memsize: u32, fixed: bool, realloc_mem_size: u32) -> Option<u32> {
    let half = memsize / 2;
    if fixed || pos < FIFO_INIT_MEM_SIZE || memsize < realloc_mem_size || half <= size {
        return None;
    }
    Some(if half > FIFO_INIT_MEM_SIZE { half } else { FIFO_INIT_MEM_SIZE })
}

/// A first-in first-out buffer of bytes with the growth, the shrinking and the counters of the C's `FIFO`.
#[derive(Clone, Debug)]
pub struct Fifo {
    block: Vec<u8>,
    pos: u32,
    size: u32,
    fixed: bool,
    realloc_mem_size: u32,
    total_read_size: u64,
    total_write_size: u64,
}

impl Default for Fifo {
    fn default() -> Self {
        Self::new()
    }
}

impl Fifo {
    /// An empty FIFO with a block of [`FIFO_INIT_MEM_SIZE`] bytes (C: `NewFifo`, Mayaqua/Memory.c).
    #[must_use]
    pub fn new() -> Self {
        Self {
            block: vec![0; to_usize(FIFO_INIT_MEM_SIZE)],
            pos: 0,
            size: 0,
            fixed: false,
            realloc_mem_size: FIFO_REALLOC_MEM_SIZE,
            total_read_size: 0,
            total_write_size: 0,
        }
    }

    /// A FIFO whose unread bytes never move: it is neither rewound when empty nor shrunk (C: `FIFO.fixed`).
    #[must_use]
    pub fn new_fixed() -> Self {
        Self { fixed: true, ..Self::new() }
    }

    /// Appends `data` (C: `WriteFifo`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// [`FifoOverflow`], with the FIFO unchanged, if the bytes do not fit 32-bit counters.
    pub fn write(&mut self, data: &[u8]) -> Result<(), FifoOverflow> {
        if data.is_empty() {
            return Ok(());
        }
        let overflow = FifoOverflow { pos: self.pos, size: self.size, add: u32::MAX };
        let add = u32::try_from(data.len()).map_err(|_| overflow)?;
        let plan = plan_write(self.pos, self.size, self.memsize(), add)?;
        self.block.resize(to_usize(plan.memsize), 0);
        let offset = to_usize(plan.offset);
        self.block[offset..offset + data.len()].copy_from_slice(data);
        self.size = plan.size;
        self.total_write_size += u64::from(add);
        Ok(())
    }

    /// Moves at most `out.len()` bytes to the start of `out` and returns how many (C: `ReadFifo`, Mayaqua/Memory.c).
    pub fn read(&mut self, out: &mut [u8]) -> usize {
        let read = self.unread().len().min(out.len());
        out[..read].copy_from_slice(&self.unread()[..read]);
        self.discard(read)
    }

    /// Forgets at most `want` bytes and returns how many (C: `ReadFifo` with a null pointer, Mayaqua/Memory.c).
    pub fn discard(&mut self, want: usize) -> usize {
        let want = u32::try_from(want).unwrap_or(u32::MAX);
        let plan = plan_read(self.pos, self.size, self.fixed, want);
        if plan.read == 0 {
            return 0;
        }
        self.pos = plan.pos;
        self.size = plan.size;
        self.total_read_size += u64::from(plan.read);
        self.shrink();
        to_usize(plan.read)
    }

    /// Gives back memory if the block is large and mostly read (C: `ShrinkFifoMemory`, Mayaqua/Memory.c).
    pub fn shrink(&mut self) {
        let memsize = self.memsize();
        let Some(smaller) = plan_shrink(self.pos, self.size, memsize, self.fixed, self.realloc_mem_size) else {
            return;
        };
        let mut block = Vec::with_capacity(to_usize(smaller));
        block.extend_from_slice(self.unread());
        block.resize(to_usize(smaller), 0);
        self.block = block;
        self.pos = 0;
    }

    /// The unread bytes (C: `GetFifoPointer` and `FifoSize`, Mayaqua/Memory.c).
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        let start = to_usize(self.pos);
        &self.block[start..start + to_usize(self.size)]
    }

    /// Number of unread bytes (C: `FifoSize`, Mayaqua/Memory.c).
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Position of the first unread byte in the block (C: `FIFO.pos`).
    #[must_use]
    pub fn pos(&self) -> u32 {
        self.pos
    }

    /// Size of the block in bytes (C: `FIFO.memsize`).
    #[must_use]
    pub fn memsize(&self) -> u32 {
        // `plan_write` is the only one to make the block larger, and it plans in 32 bits.
        u32::try_from(self.block.len()).unwrap_or(u32::MAX)
    }

    /// Bytes read since the FIFO was made (C: `FIFO.total_read_size`).
    #[must_use]
    pub fn total_read_size(&self) -> u64 {
        self.total_read_size
    }

    /// Bytes written since the FIFO was made (C: `FIFO.total_write_size`).
    #[must_use]
    pub fn total_write_size(&self) -> u64 {
        self.total_write_size
    }

    /// Sets the block size from which this FIFO shrinks; 0 means [`FIFO_REALLOC_MEM_SIZE`]
    /// (C: `SetFifoCurrentReallocMemSize`, Mayaqua/Memory.c, where it is one value for the process).
    pub fn set_realloc_mem_size(&mut self, size: u32) {
        self.realloc_mem_size = if size == 0 { FIFO_REALLOC_MEM_SIZE } else { size };
    }
}

/// Widens without a cast; the crate supports no target whose `usize` is below 32 bits.
const fn to_usize(value: u32) -> usize {
    const { assert!(usize::BITS >= u32::BITS) };
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn a_write_that_fits_to_the_byte_does_not_grow() {
        let plan = plan_write(96, 0, 4096, 4000).unwrap();
        assert_eq!((plan.offset, plan.size, plan.memsize), (96, 4000, 4096));
        let plan = plan_write(97, 0, 4096, 4000).unwrap();
        assert_eq!((plan.offset, plan.size, plan.memsize), (97, 4000, 12288));
    }

    #[test]
    fn growth_is_threefold_and_starts_at_the_initial_size() {
        assert_eq!(plan_write(0, 0, 0, 1).unwrap().memsize, 3 * 4096);
        assert_eq!(plan_write(0, 0, 4096, 12288).unwrap().memsize, 12288);
        assert_eq!(plan_write(0, 0, 4096, 12289).unwrap().memsize, 36864);
        assert_eq!(plan_write(0, 0, 5000, 5001).unwrap().memsize, 15000);
    }

    #[test]
    fn sizes_at_the_edge_of_32_bits() {
        let max = u32::MAX;
        assert_eq!(plan_write(0, 0, 4096, max).unwrap().memsize, max);
        assert_eq!(plan_write(0, max, max, 0).unwrap().size, max);
        for (pos, size, add) in [(0, max, 1), (1, max, 0), (max, 0, 1), (1, 1, max - 1)] {
            let overflow = FifoOverflow { pos, size, add };
            assert_eq!(plan_write(pos, size, 4096, add), Err(overflow));
        }
    }

    #[test]
    fn reading_nothing_changes_nothing() {
        let unchanged = ReadPlan { read: 0, pos: 7, size: 3 };
        assert_eq!(plan_read(7, 3, false, 0), unchanged);
        // The C returns before it rewinds: an empty FIFO keeps its position.
        let empty = ReadPlan { read: 0, pos: 7, size: 0 };
        assert_eq!(plan_read(7, 0, false, 1), empty);
    }

    #[test]
    fn an_emptied_fifo_starts_again_at_zero_unless_fixed() {
        assert_eq!(plan_read(7, 3, false, 9).pos, 0);
        assert_eq!(plan_read(7, 3, true, 9).pos, 10);
        assert_eq!(plan_read(7, 3, false, 2).pos, 9);
    }

    #[test]
    fn shrinking_needs_all_three_conditions() {
        let threshold = FIFO_REALLOC_MEM_SIZE;
        let shrink = |pos, size, memsize| plan_shrink(pos, size, memsize, false, threshold);
        assert_eq!(shrink(4096, 0, threshold), Some(threshold / 2));
        assert_eq!(shrink(4095, 0, threshold), None);
        assert_eq!(shrink(4096, 0, threshold - 1), None);
        assert_eq!(shrink(4096, threshold / 2 - 1, threshold), Some(threshold / 2));
        assert_eq!(shrink(4096, threshold / 2, threshold), None);
        assert_eq!(plan_shrink(4096, 0, threshold, true, threshold), None);
        assert_eq!(plan_shrink(4096, 0, 5000, false, 1), Some(4096));
    }

    #[test]
    fn a_drained_large_fifo_gives_memory_back() {
        let mut fifo = Fifo::new();
        fifo.write(&vec![5; 1_000_000]).unwrap();
        // 4096 × 3⁶: the first power that holds a million bytes.
        assert_eq!(fifo.memsize(), 2_985_984);
        assert_eq!(fifo.discard(4096), 4096);
        assert_eq!((fifo.memsize(), fifo.pos()), (1_492_992, 0));
        assert_eq!(fifo.unread(), vec![5; 1_000_000 - 4096]);
    }

    #[test]
    fn a_fixed_fifo_keeps_its_place() {
        let mut fifo = Fifo::new_fixed();
        fifo.write(b"abc").unwrap();
        assert_eq!(fifo.discard(3), 3);
        assert_eq!(fifo.pos(), 3);
        fifo.write(b"def").unwrap();
        assert_eq!(fifo.unread(), b"def");
    }

    proptest! {
        /// Against the simplest model there is: the bytes that went in come out in order, and the counters add up.
        #[test]
        fn behaves_as_a_queue_of_bytes(
            fixed: bool,
            threshold in prop_oneof![Just(0u32), 4096..100_000u32],
            steps in prop::collection::vec((any::<bool>(), 0usize..30_000), 0..60),
        ) {
            let mut fifo = if fixed { Fifo::new_fixed() } else { Fifo::new() };
            fifo.set_realloc_mem_size(threshold);
            let mut model = VecDeque::new();
            let mut next = 0u8;
            for (write, count) in steps {
                if write {
                    let data: Vec<u8> = (0..count).map(|_| { next = next.wrapping_add(7); next }).collect();
                    fifo.write(&data).unwrap();
                    model.extend(data);
                } else {
                    let mut out = vec![0; count];
                    let read = fifo.read(&mut out);
                    let expected: Vec<u8> = model.drain(..count.min(model.len())).collect();
                    prop_assert_eq!(&out[..read], &expected[..]);
                }
                prop_assert_eq!(fifo.unread(), model.make_contiguous() as &[u8]);
                prop_assert!(u64::from(fifo.pos()) + u64::from(fifo.size()) <= u64::from(fifo.memsize()));
                prop_assert_eq!(fifo.total_write_size() - fifo.total_read_size(), u64::from(fifo.size()));
            }
        }

        /// Any plan of any numbers leaves room for what it plans.
        #[test]
        fn a_plan_always_has_room(pos: u32, size: u32, memsize: u32, add: u32) {
            if let Ok(plan) = plan_write(pos, size, memsize, add) {
                prop_assert!(u64::from(plan.offset) + u64::from(add) <= u64::from(plan.memsize));
                prop_assert_eq!(plan.offset - pos + add, plan.size);
                prop_assert!(plan.memsize >= memsize);
            }
        }
    }
}
