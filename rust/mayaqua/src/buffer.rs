//! The buffer of `Mayaqua/Memory.c`: its decisions as pure functions, and a safe [`Buf`] built on them.
//!
//! The C's `BUF` is a block of memory with one position for reading and writing:
//!
//! ```text
//!   0            current          size           size_reserved
//!   | behind     | to be read     | free         |
//! ```
//!
//! 1. Writing puts bytes at `current`, and the buffer ends after them: a write in the middle cuts off the rest
//!    ([`plan_write`]).
//! 2. Reading takes from `current`; what is missing is filled with zeros ([`plan_read`]).
//! 3. Seeking stays within `0 ..= size` ([`plan_seek`]).
//! 4. The block grows by doubling ([`plan_adjust`]).
//!
//! Integers are big-endian. A string is a `u32` of its length plus one, then its bytes without a NUL.
//! The functions take and return numbers only, so that swaps whose memory stays Mayaqua's take the same decisions.
//! Files and randomness are not here: whoever has bytes makes a [`Buf`] of them.

/// Size in bytes of a new buffer's block (C: the same name, Memory.c).
pub const INIT_BUF_SIZE: u32 = 10240;

/// The bytes to be held do not fit the C's 32-bit counters.
///
/// The C does not notice: `Current + size` wraps, and the copy runs past the block's end
/// (known difference `buf-overflow`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a buffer at position {current} cannot take {add} bytes")]
pub struct BufOverflow {
    /// Position of the write.
    pub current: u32,
    /// Number of bytes that were to be written, or `u32::MAX` for more.
    pub add: u32,
}

/// Where a seek starts (C: the sign of `mode` of `SeekBuf`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// From the start (C: 0).
    Set,
    /// From the position, forward (C: 1).
    Forward,
    /// From the position, backward (C: -1).
    Backward,
}

/// The size after a write of `add` bytes at `current`, which is also the position then
/// (C: the first half of `WriteBuf`, Mayaqua/Memory.c).
///
/// # Errors
///
/// [`BufOverflow`] if it does not fit 32 bits.
pub const fn plan_write(current: u32, add: u32) -> Result<u32, BufOverflow> {
    match current.checked_add(add) {
        Some(size) => Ok(size),
        None => Err(BufOverflow { current, add }),
    }
}

/// How many bytes a read of `want` bytes gives; the rest of the reader's memory becomes zeros
/// (C: `ReadBuf`, Mayaqua/Memory.c, whose `Current + size` wraps at 2^32: known difference `buf-overflow`).
#[must_use]
pub const fn plan_read(current: u32, size: u32, want: u32) -> u32 {
    let rest = size.saturating_sub(current);
    if want < rest { want } else { rest }
}

/// The position after a seek (C: `SeekBuf`, Mayaqua/Memory.c, which wraps at 2^32: known difference `buf-overflow`).
#[must_use]
pub const fn plan_seek(current: u32, size: u32, offset: u32, mode: Seek) -> u32 {
    let position = match mode {
        Seek::Set => offset,
        Seek::Forward => current.saturating_add(offset),
        Seek::Backward => current.saturating_sub(offset),
    };
    if position < size { position } else { size }
}

/// The size of a block that holds `need` bytes: doubled until it does
/// (C: `AdjustBufSize`, Mayaqua/Memory.c, which never ends above 2^31: known difference `buf-overflow`).
#[must_use]
pub const fn plan_adjust(reserved: u32, need: u32) -> u32 {
    // A block is never empty; one of the C's never has fewer than 10,240 bytes.
    let mut grown = if reserved == 0 { 1 } else { reserved };
    if reserved >= need {
        return reserved;
    }
    while grown < need {
        grown = grown.saturating_mul(2);
    }
    grown
}

/// A buffer of bytes with one position for reading and writing (C: `BUF`).
#[derive(Clone, Debug, Default)]
pub struct Buf {
    data: Vec<u8>,
    current: u32,
}

impl Buf {
    /// An empty buffer; memory comes with the first write (C: `NewBuf`, Mayaqua/Memory.c, which takes 10,240 bytes).
    #[must_use]
    pub const fn new() -> Self {
        Self { data: Vec::new(), current: 0 }
    }

    /// A buffer with a copy of `data`, at its start (C: `NewBufFromMemory` and `MemToBuf`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// [`BufOverflow`] if `data` has 2^32 bytes or more.
    pub fn from_memory(data: &[u8]) -> Result<Self, BufOverflow> {
        to_u32(data.len()).ok_or(BufOverflow { current: 0, add: u32::MAX })?;
        Ok(Self { data: data.to_vec(), current: 0 })
    }

    /// Writes at the position; the buffer ends after what was written (C: `WriteBuf`, Mayaqua/Memory.c).
    /// Nothing to write changes nothing, as in the C.
    ///
    /// # Errors
    ///
    /// [`BufOverflow`], with the buffer unchanged, if it would pass 2^32 - 1 bytes.
    pub fn write(&mut self, data: &[u8]) -> Result<(), BufOverflow> {
        if data.is_empty() {
            return Ok(());
        }
        let add = to_u32(data.len()).ok_or(BufOverflow { current: self.current, add: u32::MAX })?;
        let size = plan_write(self.current, add)?;
        self.data.truncate(to_usize(self.current));
        self.data.extend_from_slice(data);
        self.current = size;
        Ok(())
    }

    /// Fills `out` from the position and returns how many bytes came from the buffer; the others become zeros
    /// (C: `ReadBuf`, Mayaqua/Memory.c).
    pub fn read(&mut self, out: &mut [u8]) -> usize {
        let bytes = self.take(out.len());
        let read = bytes.len();
        out[..read].copy_from_slice(bytes);
        out[read..].fill(0);
        read
    }

    /// At most `want` bytes from the position, which moves past them (C: `ReadBuf`, without the copy).
    pub fn take(&mut self, want: usize) -> &[u8] {
        let want = to_u32(want).unwrap_or(u32::MAX);
        let read = plan_read(self.current, self.size(), want);
        let start = to_usize(self.current);
        self.current += read;
        &self.data[start..to_usize(self.current)]
    }

    /// The next `N` bytes, or `None`, with the position at the end, if there are fewer.
    fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N).try_into().ok()
    }

    /// A buffer with the next `size` bytes (C: `ReadBufFromBuf`, Mayaqua/Memory.c); `None`, with the position at the
    /// end, if there are fewer.
    pub fn read_buf(&mut self, size: usize) -> Option<Self> {
        let data = self.take(size);
        (data.len() == size).then(|| Self { data: data.to_vec(), current: 0 })
    }

    /// Moves the position, which stays within the buffer (C: `SeekBuf`, Mayaqua/Memory.c).
    pub fn seek(&mut self, offset: u32, mode: Seek) {
        self.current = plan_seek(self.current, self.size(), offset, mode);
    }

    /// Forgets all bytes (C: `ClearBuf`, Mayaqua/Memory.c).
    pub fn clear(&mut self) {
        self.data.clear();
        self.current = 0;
    }

    /// All bytes, whatever the position (C: `BUF.Buf`).
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All bytes, without a copy.
    #[must_use]
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// The bytes from the position on (C: `ReadRemainBuf`, Mayaqua/Memory.c, without moving the position).
    #[must_use]
    pub fn remaining(&self) -> &[u8] {
        &self.data[to_usize(self.current)..]
    }

    /// Number of bytes (C: `BUF.Size`).
    #[must_use]
    pub fn size(&self) -> u32 {
        // `write` is the only one to add bytes, and it counts in 32 bits.
        to_u32(self.data.len()).unwrap_or(u32::MAX)
    }

    /// The position (C: `BUF.Current`).
    #[must_use]
    pub const fn position(&self) -> u32 {
        self.current
    }

    /// Number of bytes from the position on (C: `ReadBufRemainSize`, Mayaqua/Memory.c).
    #[must_use]
    pub fn remaining_size(&self) -> u32 {
        self.size() - self.current
    }

    /// Writes one byte (C: `WriteBufChar`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// As [`Buf::write`].
    pub fn write_char(&mut self, value: u8) -> Result<(), BufOverflow> {
        self.write(&[value])
    }

    /// Writes two bytes, big-endian (C: `WriteBufShort`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// As [`Buf::write`].
    pub fn write_short(&mut self, value: u16) -> Result<(), BufOverflow> {
        self.write(&value.to_be_bytes())
    }

    /// Writes four bytes, big-endian (C: `WriteBufInt`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// As [`Buf::write`].
    pub fn write_int(&mut self, value: u32) -> Result<(), BufOverflow> {
        self.write(&value.to_be_bytes())
    }

    /// Writes eight bytes, big-endian (C: `WriteBufInt64`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// As [`Buf::write`].
    pub fn write_int64(&mut self, value: u64) -> Result<(), BufOverflow> {
        self.write(&value.to_be_bytes())
    }

    /// Writes a string, up to its first NUL, after its length plus one (C: `WriteBufStr`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// As [`Buf::write`].
    pub fn write_str(&mut self, string: &[u8]) -> Result<(), BufOverflow> {
        let string = crate::str::until_nul(string);
        let overflow = BufOverflow { current: self.current, add: u32::MAX };
        let length = to_u32(string.len()).and_then(|length| length.checked_add(1)).ok_or(overflow)?;
        plan_write(self.current, length.checked_add(3).ok_or(overflow)?)?;
        self.write_int(length)?;
        self.write(string)
    }

    /// Writes a string, up to its first NUL, and nothing else (C: `AppendBufStr` and `AddBufStr`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// As [`Buf::write`].
    pub fn append_str(&mut self, string: &[u8]) -> Result<(), BufOverflow> {
        self.write(crate::str::until_nul(string))
    }

    /// Writes a string, up to its first NUL, and CR LF (C: `WriteBufLine`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// As [`Buf::write`].
    pub fn write_line(&mut self, string: &[u8]) -> Result<(), BufOverflow> {
        self.append_str(string)?;
        self.write(b"\r\n")
    }

    /// Writes what is in another buffer, from its start (C: `WriteBufBuf`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// As [`Buf::write`].
    pub fn write_buf(&mut self, other: &Self) -> Result<(), BufOverflow> {
        self.write(other.data())
    }

    /// Writes what is in another buffer, from its position (C: `WriteBufBufWithOffset`, Mayaqua/Memory.c).
    ///
    /// # Errors
    ///
    /// As [`Buf::write`].
    pub fn write_buf_with_offset(&mut self, other: &Self) -> Result<(), BufOverflow> {
        self.write(other.remaining())
    }

    /// Reads one byte; 0 at the end (C: `ReadBufChar`, Mayaqua/Memory.c).
    pub fn read_char(&mut self) -> u8 {
        self.take_array::<1>().map_or(0, u8::from_be_bytes)
    }

    /// Reads two bytes, big-endian; 0, at the end of the buffer, if there are fewer (C: `ReadBufShort`).
    pub fn read_short(&mut self) -> u16 {
        self.take_array().map_or(0, u16::from_be_bytes)
    }

    /// Reads four bytes, big-endian; 0, at the end of the buffer, if there are fewer (C: `ReadBufInt`).
    pub fn read_int(&mut self) -> u32 {
        self.take_array().map_or(0, u32::from_be_bytes)
    }

    /// Reads eight bytes, big-endian; 0, at the end of the buffer, if there are fewer (C: `ReadBufInt64`).
    pub fn read_int64(&mut self) -> u64 {
        self.take_array().map_or(0, u64::from_be_bytes)
    }

    /// Reads a string into a block of `size` bytes, one of which is for the NUL: at most `size - 1` bytes of it, the
    /// rest is skipped (C: `ReadBufStr`, Mayaqua/Memory.c). What comes back may hold NULs, as the C's block may.
    ///
    /// `None` if `size` or the length is 0, or if the bytes that would be returned are not all there.
    pub fn read_str(&mut self, size: usize) -> Option<Vec<u8>> {
        let room = size.checked_sub(1)?;
        let length = to_usize(self.read_int().checked_sub(1)?);
        let read = length.min(room);
        let string = self.take(read);
        if string.len() != read {
            return None;
        }
        let string = string.to_vec();
        self.take(length - read);
        Some(string)
    }

    /// Goes to the start, and past a UTF-8 byte order mark if there is one; whether there was
    /// (C: `BufSkipUtf8Bom`, Mayaqua/Memory.c).
    pub fn skip_utf8_bom(&mut self) -> bool {
        let bom = self.data.starts_with(&[0xef, 0xbb, 0xbf]);
        self.current = if bom { 3 } else { 0 };
        bom
    }
}

impl PartialEq for Buf {
    /// The same bytes, whatever the positions (C: `CompareBuf`, Mayaqua/Memory.c).
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl Eq for Buf {}

fn to_u32(length: usize) -> Option<u32> {
    u32::try_from(length).ok()
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

    #[test]
    fn a_write_in_the_middle_cuts_off_the_rest() {
        let mut buf = Buf::from_memory(b"abcdef").unwrap();
        buf.seek(2, Seek::Set);
        buf.write(b"X").unwrap();
        assert_eq!((buf.data(), buf.position()), (&b"abX"[..], 3));
    }

    #[test]
    fn writing_nothing_cuts_off_nothing() {
        let mut buf = Buf::from_memory(b"abc").unwrap();
        buf.write(b"").unwrap();
        assert_eq!(buf.data(), b"abc");
    }

    #[test]
    fn a_short_read_is_filled_with_zeros() {
        let mut buf = Buf::from_memory(b"abc").unwrap();
        let mut out = [9; 5];
        assert_eq!(buf.read(&mut out), 3);
        assert_eq!(&out, b"abc\0\0");
        assert_eq!(buf.read(&mut out), 0);
        assert_eq!(out, [0; 5]);
    }

    #[test]
    fn an_integer_cut_short_is_zero_and_the_buffer_at_its_end() {
        let mut buf = Buf::from_memory(&[1, 2, 3]).unwrap();
        assert_eq!((buf.read_int(), buf.position()), (0, 3));
        buf.seek(0, Seek::Set);
        assert_eq!((buf.read_short(), buf.read_char(), buf.read_int64()), (0x0102, 3, 0));
    }

    #[test]
    fn seeking_stays_inside() {
        assert_eq!(plan_seek(3, 10, 11, Seek::Set), 10);
        assert_eq!(plan_seek(3, 10, 7, Seek::Forward), 10);
        assert_eq!(plan_seek(3, 10, u32::MAX, Seek::Forward), 10);
        assert_eq!(plan_seek(3, 10, 3, Seek::Backward), 0);
        assert_eq!(plan_seek(3, 10, 4, Seek::Backward), 0);
    }

    #[test]
    fn sizes_at_the_edge_of_32_bits() {
        let max = u32::MAX;
        assert_eq!(plan_write(max, 0), Ok(max));
        assert_eq!(plan_write(max, 1), Err(BufOverflow { current: max, add: 1 }));
        assert_eq!(plan_read(5, 10, max), 5);
        assert_eq!(plan_read(11, 10, 1), 0);
        assert_eq!(plan_adjust(10240, 10240), 10240);
        assert_eq!(plan_adjust(10240, 10241), 20480);
        assert_eq!(plan_adjust(10240, max), max);
        assert_eq!(plan_adjust(0, 3), 4);
    }

    #[test]
    fn strings_carry_their_length_plus_one() {
        let mut buf = Buf::new();
        buf.write_str(b"ab\0c").unwrap();
        assert_eq!(buf.data(), b"\0\0\0\x03ab");
        buf.seek(0, Seek::Set);
        assert_eq!(buf.read_str(64), Some(b"ab".to_vec()));
        assert_eq!(buf.read_str(64), None);
    }

    #[test]
    fn a_long_string_is_cut_and_the_rest_skipped() {
        let mut buf = Buf::from_memory(b"\0\0\0\x06abcdeZ").unwrap();
        assert_eq!(buf.read_str(3), Some(b"ab".to_vec()));
        assert_eq!(buf.read_char(), b'Z');
        buf.seek(0, Seek::Set);
        assert_eq!(buf.read_str(1), Some(Vec::new()));
        assert_eq!(buf.read_str(0), None);
        let mut cut = Buf::from_memory(b"\0\0\0\x06abc").unwrap();
        assert_eq!(cut.read_str(64), None);
    }

    #[test]
    fn the_byte_order_mark_is_skipped_once() {
        let mut buf = Buf::from_memory(b"\xef\xbb\xbfx").unwrap();
        assert!(buf.skip_utf8_bom());
        assert_eq!(buf.read_char(), b'x');
        assert!(!Buf::from_memory(b"\xef\xbb").unwrap().skip_utf8_bom());
    }

    proptest! {
        #[test]
        fn any_plan_stays_within_the_buffer(current: u32, size: u32, amount: u32) {
            let current = current.min(size);
            prop_assert!(u64::from(current) + u64::from(plan_read(current, size, amount)) <= u64::from(size));
            for mode in [Seek::Set, Seek::Forward, Seek::Backward] {
                prop_assert!(plan_seek(current, size, amount, mode) <= size);
            }
            prop_assert!(plan_adjust(size, amount) >= amount.max(size));
        }
    }
}
