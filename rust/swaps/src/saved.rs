//! How the input of a call is written down and read again, for `switch::capture_to` and `cutover-replay`.
//!
//! An input is its parts in the order of the parameters, numbers big-endian:
//!
//! ```text
//!   number = u64                                  addresses that are not followed are numbers
//!   bytes  = u32 count, the bytes; count 0xffffffff: null
//!   FIFO   = u8 0: null | u8 1, u64 pos, size of the block, total read, total written, fixed; bytes: the unread ones
//!   QUEUE  = FIFO: its items, which are addresses and not followed
//! ```
//!
//! What lies in a FIFO's block before or behind the unread bytes is not kept, nor what two parameters share.

use crate::memory::{fifo, queue, view};
use softether_sys::{FIFO, QUEUE};
use std::ffi::c_void;

/// Stands for null in place of a count.
const NULL: u32 = u32::MAX;

/// The largest block of a FIFO that is made again, in bytes.
const BLOCK_SIZE_MAX: u32 = 256 << 20;

pub fn put_number(number: u64, input: &mut Vec<u8>) {
    input.extend_from_slice(&number.to_be_bytes());
}

pub fn put_bytes(bytes: Option<&[u8]>, input: &mut Vec<u8>) {
    let count = bytes.map_or(NULL, |bytes| u32::try_from(bytes.len()).unwrap_or(NULL));
    input.extend_from_slice(&count.to_be_bytes());
    input.extend_from_slice(bytes.unwrap_or_default());
}

/// Bytes and their number, as the C passes them. A pointer that is null is null again, whatever the number.
///
/// # Safety
/// `data` is null or `size` readable bytes.
pub unsafe fn put_data(data: *const c_void, size: u32, input: &mut Vec<u8>) {
    put_number(size.into(), input);
    // SAFETY: the caller's.
    put_bytes((!data.is_null()).then(|| unsafe { view(data, size) }), input);
}

/// # Safety
/// `fifo` is null or whole, and nobody changes it meanwhile.
pub unsafe fn put_fifo(fifo: *const FIFO, input: &mut Vec<u8>) {
    // SAFETY: the caller's.
    let Some(f) = (unsafe { fifo.as_ref() }) else { return input.push(0) };
    input.push(1);
    for number in [f.pos.into(), f.memsize.into(), f.total_read_size, f.total_write_size, f.fixed.into()] {
        put_number(number, input);
    }
    // SAFETY: the caller's.
    put_bytes(Some(unsafe { fifo::unread(fifo) }), input);
}

/// # Safety
/// `queue` is null or whole, and nobody changes it meanwhile.
pub unsafe fn put_queue(queue: *const QUEUE, input: &mut Vec<u8>) {
    // SAFETY: the caller's.
    unsafe { put_fifo(queue.as_ref().map_or(std::ptr::null(), |queue| queue.fifo), input) };
}

/// An input being read. Every method gives `None` where the bytes are not what it reads.
#[derive(Debug)]
pub struct Saved<'a>(&'a [u8]);

impl<'a> Saved<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Saved(input)
    }

    /// Whether all was read.
    pub fn is_read(&self) -> bool {
        self.0.is_empty()
    }

    pub fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    /// A number of 32 bits.
    pub fn size(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    /// The inner `None` is null.
    #[allow(clippy::option_option, reason = "no bytes, and bytes that are null")]
    pub fn bytes(&mut self) -> Option<Option<&'a [u8]>> {
        let (count, rest) = self.0.split_first_chunk()?;
        let count = u32::from_be_bytes(*count);
        let (bytes, rest) = if count == NULL {
            (None, rest)
        } else {
            let (bytes, rest) = rest.split_at_checked(count as usize)?;
            (Some(bytes), rest)
        };
        self.0 = rest;
        Some(bytes)
    }

    /// What [`put_data`] wrote: the bytes, and the number that was passed with them.
    pub fn data(&mut self) -> Option<(Option<&'a [u8]>, u32)> {
        let size = self.size()?;
        let bytes = self.bytes()?;
        let is_whole = bytes.is_none_or(|bytes| bytes.len() == size as usize);
        is_whole.then_some((bytes, size))
    }

    /// The inner `None` is null.
    #[allow(clippy::option_option, reason = "no FIFO, and a FIFO that is null")]
    pub fn fifo(&mut self) -> Option<Option<fifo::Copy>> {
        let (&[is_there], rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        match is_there {
            0 => Some(None),
            1 => {
                let [pos, memsize] = [self.size()?, self.size()?];
                let [total_read_size, total_write_size] = [self.number()?, self.number()?];
                let fixed = self.size()?;
                let unread = self.bytes()??;
                let end = u64::from(pos) + unread.len() as u64;
                if memsize > BLOCK_SIZE_MAX || end > memsize.into() {
                    return None;
                }
                // SAFETY: all members of a FIFO may be zero.
                let mut fifo: FIFO = unsafe { std::mem::zeroed() };
                (fifo.pos, fifo.memsize) = (pos, memsize);
                (fifo.total_read_size, fifo.total_write_size, fifo.fixed) = (total_read_size, total_write_size, fixed);
                Some(Some(fifo::Copy::with(fifo, unread)))
            }
            _ => None,
        }
    }

    /// The FIFO of a queue; the inner `None` is a queue that is null.
    #[allow(clippy::option_option, reason = "no queue, and a queue that is null")]
    pub fn queue(&mut self) -> Option<Option<queue::Copy>> {
        let fifo = self.fifo()?;
        fifo.map_or(Some(None), |fifo| Some(Some(queue::Copy::on(fifo)?)))
    }
}

/// A pointer to bytes that a side may read, or null.
pub fn pointer(bytes: Option<&[u8]>) -> *mut c_void {
    bytes.map_or(std::ptr::null_mut(), |bytes| bytes.as_ptr().cast_mut().cast())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written is read, and every part of it is not.
    #[test]
    fn parts_come_back_and_what_is_cut_does_not() {
        let mut input = Vec::new();
        put_number(u64::MAX, &mut input);
        put_bytes(None, &mut input);
        put_bytes(Some(b""), &mut input);
        // SAFETY: null, and three bytes.
        unsafe {
            put_data(std::ptr::null(), 7, &mut input);
            put_data(b"abc".as_ptr().cast(), 3, &mut input);
        }
        type Data<'a> = (Option<&'a [u8]>, u32);
        type Parts<'a> = (u64, Option<&'a [u8]>, Option<&'a [u8]>, Data<'a>, Data<'a>);
        fn read(bytes: &[u8]) -> Option<Parts<'_>> {
            let mut saved = Saved::new(bytes);
            let parts = (saved.number()?, saved.bytes()?, saved.bytes()?, saved.data()?, saved.data()?);
            saved.is_read().then_some(parts)
        }
        let parts = (u64::MAX, None, Some(&b""[..]), (None, 7), (Some(&b"abc"[..]), 3));
        assert_eq!(read(&input), Some(parts));
        for length in 0..input.len() {
            assert_eq!(read(&input[..length]), None, "{length} bytes");
        }
        assert_eq!(read(&[&input[..], &[0]].concat()), None);
    }

    /// No file makes a FIFO whose unread bytes lie outside its block.
    #[test]
    fn a_fifo_that_cannot_be_is_none() {
        for (pos, memsize, is_one) in
            [(0, 3, true), (2, 5, true), (3, 5, false), (u32::MAX, 5, false), (0, u32::MAX, false)]
        {
            let mut input = vec![1];
            for number in [pos.into(), memsize.into(), 9_u64, 12, 0] {
                put_number(number, &mut input);
            }
            put_bytes(Some(b"abc"), &mut input);
            // Without the C there is no memory for one, so only what is refused is made.
            if !is_one {
                assert!(Saved::new(&input).fifo().is_none(), "{pos} {memsize}");
            }
        }
    }
}
