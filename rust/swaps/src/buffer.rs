//! The swaps on BUF, a block of bytes with one position for reading and writing (C: Mayaqua/Memory.c).
//!
//! The C touches BUF's members in some 590 lines, so the structure and its block stay the C's; where bytes go and how the
//! block grows is decided by [`mayaqua::buffer`]. Ownership: a BUF is its maker's until `FreeBuf`, what goes in is copied.
//! Nothing is locked. Where the C's sizes wrap at 2^32 nothing is written (known difference `buf-overflow`).

mod sequence;
mod shadow;

use crate::family::{Outcome, Random, Structure, Trace, family};
use crate::memory::{self, ks_dec, ks_inc, malloc};
use mayaqua::buffer::{INIT_BUF_SIZE, Seek, plan_adjust, plan_read, plan_seek, plan_write};
use softether_sys::{
    BUF, KS_ADJUST_BUFSIZE_COUNT, KS_CURRENT_BUF_COUNT, KS_FREEBUF_COUNT, KS_NEWBUF_COUNT, KS_READ_BUF_COUNT,
    KS_SEEK_BUF_COUNT, KS_WRITE_BUF_COUNT, ReAlloc, UCHAR, UINT, UINT64, USHORT, bool_,
};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use switch::{Control, Difference, Kind, Shape, Verdict, compare_bytes, compare_results};

pub use sequence::sequence;
use shadow::*;

family! {
    sequence: sequence;

    /// Makes an empty buffer (C: `NewBuf`, Mayaqua/Memory.c).
    makes new_buf = NewBuf() -> *mut BUF {
        new()
    }

    /// Frees a buffer (C: `FreeBuf`, Mayaqua/Memory.c).
    effect(()) free_buf = FreeBuf(b: *mut BUF) {
        // SAFETY: the caller's.
        unsafe { free(b) };
    }

    /// Makes a buffer with a copy of `size` bytes, at its start (C: `NewBufFromMemory`, Mayaqua/Memory.c). Null bytes, unless
    /// there are none, give null.
    makes new_buf_from_memory = NewBufFromMemory(buf: *mut c_void, size: UINT) -> *mut BUF {
        // SAFETY: the caller's.
        unsafe { from_memory(buf, size) }
    }

    /// Makes a buffer with a copy of `size` bytes, at its start (C: `MemToBuf`, Mayaqua/Memory.c). Null bytes, unless there
    /// are none, give null.
    makes mem_to_buf = MemToBuf(data: *mut c_void, size: UINT) -> *mut BUF {
        // SAFETY: the caller's.
        unsafe { from_memory(data, size) }
    }

    /// Makes a buffer with the bytes of another, at its start (C: `CloneBuf`, Mayaqua/Memory.c).
    makes clone_buf = CloneBuf(b: *mut BUF) -> *mut BUF {
        // SAFETY: the caller's.
        let Some(b) = (unsafe { Buffer::of(b) }) else { return ptr::null_mut() };
        // SAFETY: as above.
        unsafe { from_memory(b.0.Buf, b.0.Size) }
    }

    /// Forgets all bytes (C: `ClearBuf`, Mayaqua/Memory.c).
    changes(()) clear_buf = ClearBuf(b: Buffer) {
        (b.0.Size, b.0.Current) = (0, 0);
    }

    /// Writes at Current; the buffer ends after what was written (C: `WriteBuf`, Mayaqua/Memory.c).
    changes(()) write_buf = WriteBuf(b: Buffer, buf: *mut c_void, size: UINT) {
        // SAFETY: the caller's.
        b.write(unsafe { memory::view(buf, size) });
    }

    /// Writes one byte (C: `WriteBufChar`, Mayaqua/Memory.c).
    changes(0) write_buf_char = WriteBufChar(b: Buffer, uc: UCHAR) -> bool_ {
        b.write(&[uc]);
        1
    }

    /// Writes two bytes, big-endian (C: `WriteBufShort`, Mayaqua/Memory.c).
    changes(0) write_buf_short = WriteBufShort(b: Buffer, value: USHORT) -> bool_ {
        b.write(&value.to_be_bytes());
        1
    }

    /// Writes four bytes, big-endian (C: `WriteBufInt`, Mayaqua/Memory.c).
    changes(0) write_buf_int = WriteBufInt(b: Buffer, value: UINT) -> bool_ {
        b.write(&value.to_be_bytes());
        1
    }

    /// Writes eight bytes, big-endian (C: `WriteBufInt64`, Mayaqua/Memory.c).
    changes(0) write_buf_int64 = WriteBufInt64(b: Buffer, value: UINT64) -> bool_ {
        b.write(&value.to_be_bytes());
        1
    }

    /// Writes a string after its length plus one (C: `WriteBufStr`, Mayaqua/Memory.c).
    changes(0) write_buf_str = WriteBufStr(b: Buffer, str: *mut c_char) -> bool_ {
        if str.is_null() {
            return 0;
        }
        // SAFETY: the caller's; it is not null.
        let string = unsafe { CStr::from_ptr(str) }.to_bytes();
        b.write(&memory::index(string.len()).wrapping_add(1).to_be_bytes());
        b.write(string);
        1
    }

    /// Writes a string and nothing else (C: `AppendBufStr`, Mayaqua/Memory.c).
    changes(()) append_buf_str = AppendBufStr(b: Buffer, str: *mut c_char) {
        // SAFETY: the caller's.
        unsafe { b.append(str) };
    }

    /// Writes a string and nothing else (C: `AddBufStr`, Mayaqua/Memory.c).
    changes(()) add_buf_str = AddBufStr(b: Buffer, str: *mut c_char) {
        // SAFETY: the caller's.
        unsafe { b.append(str) };
    }

    /// Writes what is in another buffer (C: `WriteBufBuf`, Mayaqua/Memory.c).
    changes(()) write_buf_buf = WriteBufBuf(b: Buffer, bb: *mut BUF) {
        // SAFETY: the caller's.
        unsafe { b.write_other(bb, |other| other.bytes()) };
    }

    /// Writes what is in another buffer from its Current on (C: `WriteBufBufWithOffset`, Mayaqua/Memory.c).
    changes(()) write_buf_buf_with_offset = WriteBufBufWithOffset(b: Buffer, bb: *mut BUF) {
        // SAFETY: the caller's.
        unsafe { b.write_other(bb, |other| other.rest()) };
    }

    /// Reads at most `size` bytes from Current, and makes zeros of those that are missing (C: `ReadBuf`, Mayaqua/Memory.c).
    /// Null `buf` skips them.
    cloned(shadow_read_buf) read_buf = ReadBuf(b: *mut BUF, buf: *mut c_void, size: UINT) -> UINT {
        // SAFETY: the caller's.
        let Some(b) = (unsafe { Buffer::of(b) }) else { return 0 };
        // SAFETY: as above.
        unsafe { b.read_into(buf, size) }
    }

    /// Reads one byte; 0 at the end (C: `ReadBufChar`, Mayaqua/Memory.c).
    changes(0) read_buf_char = ReadBufChar(b: Buffer) -> UCHAR {
        b.take_number().map_or(0, UCHAR::from_be_bytes)
    }

    /// Reads two bytes, big-endian; 0, and Current at the end, if there are fewer (C: `ReadBufShort`, Mayaqua/Memory.c).
    changes(0) read_buf_short = ReadBufShort(b: Buffer) -> USHORT {
        b.take_number().map_or(0, USHORT::from_be_bytes)
    }

    /// Reads four bytes, big-endian; 0, and Current at the end, if there are fewer (C: `ReadBufInt`, Mayaqua/Memory.c).
    changes(0) read_buf_int = ReadBufInt(b: Buffer) -> UINT {
        b.take_number().map_or(0, UINT::from_be_bytes)
    }

    /// Reads eight bytes, big-endian; 0, and Current at the end, if there are fewer (C: `ReadBufInt64`, Mayaqua/Memory.c).
    changes(0) read_buf_int64 = ReadBufInt64(b: Buffer) -> UINT64 {
        b.take_number().map_or(0, UINT64::from_be_bytes)
    }

    /// Reads what `WriteBufStr` wrote into a block of `size` bytes, cut to it (C: `ReadBufStr`, Mayaqua/Memory.c).
    cloned(shadow_read_buf_str) read_buf_str = ReadBufStr(b: *mut BUF, str: *mut c_char, size: UINT) -> bool_ {
        if str.is_null() || size == 0 {
            return 0;
        }
        // SAFETY: the caller's.
        let Some(b) = (unsafe { Buffer::of(b) }) else { return 0 };
        // SAFETY: as above; there is at least one byte of room.
        unsafe { b.read_str_into(str.cast(), size) }.into()
    }

    /// Makes a buffer of the next `size` bytes; null, and Current at the end, if there are fewer (C: `ReadBufFromBuf`,
    /// Mayaqua/Memory.c).
    changes(ptr::null_mut()) read_buf_from_buf = ReadBufFromBuf(b: Buffer, size: UINT) -> *mut BUF {
        b.take_buffer(size)
    }

    /// Makes a buffer of all bytes from Current on (C: `ReadRemainBuf`, Mayaqua/Memory.c).
    changes(ptr::null_mut()) read_remain_buf = ReadRemainBuf(b: Buffer) -> *mut BUF {
        match b.0.Size.checked_sub(b.0.Current) {
            Some(rest) => b.take_buffer(rest),
            None => ptr::null_mut(),
        }
    }

    /// Number of bytes from Current on (C: `ReadBufRemainSize`, Mayaqua/Memory.c).
    reads(0) read_buf_remain_size = ReadBufRemainSize(b: Buffer) -> UINT {
        b.0.Size.saturating_sub(b.0.Current)
    }

    /// Goes to the start, and behind the mark of UTF-8 if there is one (C: `BufSkipUtf8Bom`, Mayaqua/Memory.c).
    changes(0) buf_skip_utf8_bom = BufSkipUtf8Bom(b: Buffer) -> bool_ {
        b.seek(0, Seek::Set);
        let is_marked = b.bytes().starts_with(b"\xef\xbb\xbf");
        if is_marked {
            b.seek(3, Seek::Forward);
        }
        is_marked.into()
    }

    /// Moves Current, which stays within the buffer (C: `SeekBuf`, Mayaqua/Memory.c). `mode` is 0 for a place, positive
    /// for forward, negative for backward.
    changes(()) seek_buf = SeekBuf(b: Buffer, offset: UINT, mode: c_int) {
        b.seek(offset, match mode {
            0 => Seek::Set,
            1.. => Seek::Forward,
            _ => Seek::Backward,
        });
    }

    /// Goes to the start (C: `SeekBufToBegin`, Mayaqua/Memory.c).
    changes(()) seek_buf_to_begin = SeekBufToBegin(b: Buffer) {
        b.seek(0, Seek::Set);
    }

    /// Goes to the end (C: `SeekBufToEnd`, Mayaqua/Memory.c).
    changes(()) seek_buf_to_end = SeekBufToEnd(b: Buffer) {
        b.seek(b.0.Size, Seek::Set);
    }

    /// Makes room for `new_size` bytes in all (C: `AdjustBufSize`, Mayaqua/Memory.c).
    changes(()) adjust_buf_size = AdjustBufSize(b: Buffer, new_size: UINT) {
        b.reserve(new_size);
    }

    /// Whether two buffers hold the same bytes; null is the same as null only (C: `CompareBuf`, Mayaqua/Memory.c).
    pure compare_buf = CompareBuf(b1: *mut BUF, b2: *mut BUF) -> bool_ {
        // SAFETY: the caller's; both are only read.
        let (b1, b2) = unsafe { (b1.cast::<Buffer>().as_ref(), b2.cast::<Buffer>().as_ref()) };
        (b1.map(Buffer::bytes) == b2.map(Buffer::bytes)).into()
    }
}

/// A BUF.
#[repr(transparent)]
pub struct Buffer(BUF);

impl Buffer {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the first Size bytes of a BUF's block are in use; to Rust they have values, since they came from C.
        unsafe { memory::view(self.0.Buf, self.0.Size) }
    }

    fn rest(&self) -> &[u8] {
        self.bytes().get(self.0.Current as usize..).unwrap_or_default()
    }

    fn reserve(&mut self, size: u32) {
        let reserved = plan_adjust(self.0.SizeReserved, size);
        if reserved != self.0.SizeReserved {
            self.0.SizeReserved = reserved;
            // SAFETY: the block is the BUF's and Mayaqua memory.
            self.0.Buf = unsafe { ReAlloc(self.0.Buf, reserved) };
            ks_inc(KS_ADJUST_BUFSIZE_COUNT);
        }
    }

    #[inline]
    fn write(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let size = u32::try_from(data.len()).ok().and_then(|add| plan_write(self.0.Current, add).ok());
        let Some(size) = size else { return };
        if size > self.0.Size {
            self.reserve(size);
        }
        if !self.0.Buf.is_null() {
            // SAFETY: there is room for `size` bytes, and `data` ends where they do; the C demands that they do not overlap.
            unsafe {
                let at = self.0.Buf.cast::<u8>().add(self.0.Current as usize);
                at.copy_from_nonoverlapping(data.as_ptr(), data.len());
            }
        }
        (self.0.Current, self.0.Size) = (size, size);
        ks_inc(KS_WRITE_BUF_COUNT);
    }

    /// # Safety
    /// `string` is null or a string.
    unsafe fn append(&mut self, string: *const c_char) {
        if !string.is_null() {
            // SAFETY: the caller's.
            self.write(unsafe { CStr::from_ptr(string) }.to_bytes());
        }
    }

    /// # Safety
    /// `other` is null or a BUF, which may be this one.
    unsafe fn write_other(&mut self, other: *mut BUF, part: fn(&Buffer) -> &[u8]) {
        if ptr::eq(other, &raw const self.0) {
            // The block may move under what is copied out of it; the C does not see that.
            let copy = part(self).to_vec();
            return self.write(&copy);
        }
        // SAFETY: the caller's, and it is another BUF than the one borrowed.
        if let Some(other) = unsafe { other.cast::<Buffer>().as_ref() } {
            self.write(part(other));
        }
    }

    /// The next `want` bytes, or what is left.
    #[inline]
    fn take(&mut self, want: u32) -> &[u8] {
        if self.0.Buf.is_null() || want == 0 {
            return &[];
        }
        let read = plan_read(self.0.Current, self.0.Size, want);
        let from = self.0.Current as usize;
        self.0.Current += read;
        ks_inc(KS_READ_BUF_COUNT);
        self.bytes().get(from..from + read as usize).unwrap_or_default()
    }

    #[inline]
    fn take_number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N as u32).try_into().ok()
    }

    /// # Safety
    /// `to` is null, or `size` bytes may be written there, outside this buffer.
    unsafe fn read_into(&mut self, to: *mut c_void, size: u32) -> u32 {
        let bytes = self.take(size);
        if !to.is_null() {
            // SAFETY: the caller's; no more than `size` bytes were taken.
            unsafe {
                to.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                to.cast::<u8>().add(bytes.len()).write_bytes(0, size as usize - bytes.len());
            }
        }
        memory::index(bytes.len())
    }

    /// # Safety
    /// `size` bytes, at least one, may be written at `to`, outside this buffer.
    unsafe fn read_str_into(&mut self, to: *mut u8, size: u32) -> bool {
        let Some(length) = self.take_number().and_then(|length| u32::from_be_bytes(length).checked_sub(1)) else {
            return false;
        };
        let read = length.min(size - 1);
        // SAFETY: the caller's; read < size.
        unsafe {
            if self.read_into(to.cast(), read) != read {
                return false;
            }
            self.take(length - read);
            to.add(read as usize).write(0);
        }
        true
    }

    fn take_buffer(&mut self, size: u32) -> *mut BUF {
        let bytes = self.take(size);
        if bytes.len() != size as usize {
            return ptr::null_mut();
        }
        // SAFETY: bytes of this buffer, which is borrowed.
        unsafe { from_memory(bytes.as_ptr().cast(), size) }
    }

    #[inline]
    fn seek(&mut self, offset: u32, mode: Seek) {
        self.0.Current = plan_seek(self.0.Current, self.0.Size, offset, mode);
        ks_inc(KS_SEEK_BUF_COUNT);
    }
}

fn new() -> *mut BUF {
    let b = malloc(size_of::<BUF>() as u32).cast::<BUF>();
    let members = BUF { Buf: malloc(INIT_BUF_SIZE), Size: 0, SizeReserved: INIT_BUF_SIZE, Current: 0 };
    // SAFETY: new memory of the size and, being Mayaqua's, the alignment of a BUF.
    unsafe { b.write(members) };
    ks_inc(KS_NEWBUF_COUNT);
    ks_inc(KS_CURRENT_BUF_COUNT);
    b
}

/// # Safety
/// `b` is null or a BUF that is used no more.
unsafe fn free(b: *mut BUF) {
    if b.is_null() {
        return;
    }
    // SAFETY: the caller's; both blocks are Mayaqua memory.
    unsafe {
        memory::free((*b).Buf);
        memory::free(b.cast());
    }
    ks_inc(KS_FREEBUF_COUNT);
    ks_dec(KS_CURRENT_BUF_COUNT);
}

/// # Safety
/// `data` is null or has `size` bytes.
unsafe fn from_memory(data: *const c_void, size: u32) -> *mut BUF {
    if data.is_null() && size != 0 {
        return ptr::null_mut();
    }
    let made = new();
    // SAFETY: the caller's, and the buffer just made is ours.
    let (b, data) = unsafe { (&mut *made.cast::<Buffer>(), memory::view(data, size)) };
    b.write(data);
    b.seek(0, Seek::Set);
    made
}
