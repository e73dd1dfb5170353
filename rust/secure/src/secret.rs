//! Keys in pages of their own.
//!
//! ```text
//!   | guard page | zeros … secret | guard page |
//! ```
//!
//! The secret ends where the second guard page begins, so the first byte behind it ends the process, as does anything before
//! its first page. The pages are locked (never swapped), left out of core dumps, and wiped in forked children.

use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mlock, mmap_anonymous, mprotect, munlock, munmap,
};
use std::ffi::c_void;
use std::fmt;
use std::ptr::{self, NonNull};
use zeroize::Zeroize;

/// Why there is no memory for a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A secret of no bytes, or of more than memory can have.
    #[error("a secret of {0} bytes cannot be kept")]
    Size(usize),
    /// The system gives no pages, or does not let them be guarded.
    #[error("no pages for a secret: {0}")]
    Pages(std::io::ErrorKind),
    /// The pages cannot be kept from being swapped: `ulimit -l` is too low.
    #[error("a secret cannot be locked in memory ({0}); raise `ulimit -l`")]
    Lock(std::io::ErrorKind),
}

/// Bytes in locked pages with a guard page on either side.
pub struct Secret {
    /// Start of the first guard page.
    map: NonNull<c_void>,
    /// Size of everything, guard pages included: a multiple of the page size.
    map_size: usize,
    page: usize,
    size: usize,
}

// SAFETY: the pages belong to this value alone; it hands out references by the rules of Rust only.
unsafe impl Send for Secret {}
// SAFETY: as above; shared references read only.
unsafe impl Sync for Secret {}

impl Secret {
    /// `size` zeros, to be filled.
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing is kept then.
    pub fn new(size: usize) -> Result<Self, Error> {
        let page = rustix::param::page_size();
        let inner = size.checked_next_multiple_of(page).filter(|inner| *inner != 0).ok_or(Error::Size(size))?;
        let map_size =
            inner.checked_add(2 * page).filter(|all| isize::try_from(*all).is_ok()).ok_or(Error::Size(size))?;
        let pages = |error: rustix::io::Errno| Error::Pages(error.kind());

        // SAFETY: a mapping of its own, wherever the system wants; nothing is mapped over.
        let map = unsafe { mmap_anonymous(ptr::null_mut(), map_size, ProtFlags::empty(), MapFlags::PRIVATE) };
        let map = NonNull::new(map.map_err(pages)?).ok_or(Error::Size(size))?;
        // From here on dropping this gives the pages back.
        let secret = Self { map, map_size, page, size };
        let (start, inner) = secret.inner();
        // SAFETY: pages inside the mapping, which nobody else knows.
        unsafe {
            mprotect(start, inner, MprotectFlags::READ | MprotectFlags::WRITE).map_err(pages)?;
            mlock(start, inner).map_err(|error| Error::Lock(error.kind()))?;
            #[cfg(target_os = "linux")]
            {
                madvise(start, inner, Advice::LinuxDontDump).map_err(pages)?;
                madvise(start, inner, Advice::LinuxWipeOnFork).map_err(pages)?;
            }
        }
        Ok(secret)
    }

    /// A copy of `bytes`, which are wiped.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`]; `bytes` are wiped all the same.
    pub fn take(bytes: &mut [u8]) -> Result<Self, Error> {
        let secret = Self::new(bytes.len()).map(|mut secret| {
            secret.as_mut_slice().copy_from_slice(bytes);
            secret
        });
        bytes.zeroize();
        secret
    }

    /// The secret.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `size` bytes of pages that can be read, initialised to zero by the system, for as long as this lives.
        unsafe { std::slice::from_raw_parts(self.start(), self.size) }
    }

    /// The secret, to be changed.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, the pages can be written, and `&mut self` is the only way to them.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.size) }
    }

    /// The pages between the guards.
    fn inner(&self) -> (*mut c_void, usize) {
        (self.map.as_ptr().wrapping_byte_add(self.page), self.map_size - 2 * self.page)
    }

    /// The secret's first byte: it ends with the pages.
    fn start(&self) -> *mut u8 {
        let (start, inner) = self.inner();
        start.cast::<u8>().wrapping_add(inner - self.size)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let (start, inner) = self.inner();
        // SAFETY: the pages of this value, which nobody has references to any more. Where making it failed half-way the
        // inner pages may not be writable: then there is nothing to wipe, and mprotect says so.
        unsafe {
            if mprotect(start, inner, MprotectFlags::READ | MprotectFlags::WRITE).is_ok() {
                std::slice::from_raw_parts_mut(start.cast::<u8>(), inner).zeroize();
            }
            let _ = munlock(start, inner);
            let _ = munmap(self.map.as_ptr(), self.map_size);
        }
    }
}

impl PartialEq for Secret {
    /// In a time that depends on the lengths only.
    fn eq(&self, other: &Self) -> bool {
        crate::same(self.as_slice(), other.as_slice())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.size)
    }
}
