//! The library as a whole: start, end, versions, what it can do, whether it does.

use crate::error::{Failure, Status, boundary};
use std::ffi::c_char;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

/// Grows when a function or a struct changes or goes. Additions leave it.
pub const MAYAQUA_ABI_VERSION: u32 = 1;

/// What a build can do: bits of mayaqua_capabilities().
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// mayaqua_buf_*
    Buf = 1,
    /// mayaqua_fifo_*
    Fifo = 2,
    /// mayaqua_queue_*
    Queue = 4,
    /// mayaqua_list_*
    List = 8,
    /// mayaqua_pack_*
    Pack = 16,
    /// mayaqua_str_*
    Str = 32,
    /// mayaqua_sha0 and the other hashes
    Sha = 64,
    /// mayaqua_malloc finds double frees and wrong sizes
    CheckedMemory = 128,
}

static INITIALIZED: AtomicBool = AtomicBool::new(false);
/// How often it was initialised and not ended; start and end wait for one another.
static STARTS: Mutex<u32> = Mutex::new(0);

/// Whether objects may be made.
pub(crate) fn require() -> Result<(), Failure> {
    if INITIALIZED.load(Ordering::Acquire) { Ok(()) } else { Err(Status::NotInitialized.into()) }
}

/// Starts the library; once more adds to a count. `abi_version` is MAYAQUA_ABI_VERSION, as the program was compiled.
///
/// MAYAQUA_STATUS_ABI_MISMATCH: the library is of another version.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_init(abi_version: u32) -> Status {
    boundary(|| {
        if abi_version != MAYAQUA_ABI_VERSION {
            let reason = format_args!("the program is of version {abi_version}, the library of {MAYAQUA_ABI_VERSION}");
            return Err(Failure::new(Status::AbiMismatch, reason));
        }
        let mut starts = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
        *starts = starts.checked_add(1).ok_or(Status::Overflow)?;
        INITIALIZED.store(true, Ordering::Release);
        Ok(())
    })
}

/// Ends the library when it was called as often as mayaqua_init. All objects are freed then and their handles find nothing;
/// memory of mayaqua_malloc stays its owner's.
///
/// MAYAQUA_STATUS_NOT_INITIALIZED: it is not started.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_free_library() -> Status {
    boundary(|| {
        let mut starts = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
        *starts = starts.checked_sub(1).ok_or(Status::NotInitialized)?;
        if *starts == 0 {
            INITIALIZED.store(false, Ordering::Release);
            crate::buf::OBJECTS.clear();
            crate::fifo::OBJECTS.clear();
            crate::queue::OBJECTS.clear();
            crate::list::OBJECTS.clear();
            crate::pack::OBJECTS.clear();
        }
        Ok(())
    })
}

/// The version of the library, as "0.1.0". The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The version of the interface: MAYAQUA_ABI_VERSION of the library, as mayaqua_init wants it.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_abi_version() -> u32 {
    MAYAQUA_ABI_VERSION
}

/// What this build can do: MayaquaCapability bits.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_capabilities() -> u64 {
    let all = [
        Capability::Buf,
        Capability::Fifo,
        Capability::Queue,
        Capability::List,
        Capability::Pack,
        Capability::Str,
        Capability::Sha,
        Capability::CheckedMemory,
    ];
    all.into_iter().fold(0, |bits, capability| bits | capability as u64)
}

/// Tries each part of the library on known data. Takes less than a second and needs no mayaqua_init.
///
/// MAYAQUA_STATUS_PANICKED: a part does not do what it should; mayaqua_last_error() says which.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_self_test() -> Status {
    boundary(|| {
        let results = [
            ("buf", test_buf()),
            ("fifo", test_fifo()),
            ("list", test_list()),
            ("pack", test_pack()),
            ("sha", test_sha()),
        ];
        let broken = results.into_iter().find(|(_, result)| result.is_none());
        broken
            .map_or(Ok(()), |(name, _)| Err(Failure::new(Status::Panicked, format_args!("{name} fails its self-test"))))
    })
}

fn test_buf() -> Option<()> {
    let mut buf = mayaqua::buffer::Buf::new();
    buf.write_int(0x0102_0304).ok()?;
    buf.write_str(b"text").ok()?;
    buf.seek(0, mayaqua::buffer::Seek::Set);
    (buf.read_int() == 0x0102_0304 && buf.read_str(64)? == b"text").then_some(())
}

fn test_fifo() -> Option<()> {
    let mut fifo = mayaqua::fifo::Fifo::new();
    fifo.write(&[7; 5000]).ok()?;
    (fifo.discard(4999) == 4999 && fifo.unread() == [7]).then_some(())
}

fn test_list() -> Option<()> {
    let mut list = mayaqua::list::List::new(Some(Ord::cmp));
    [3, 1, 2].into_iter().for_each(|item| list.insert(item));
    (list.as_slice() == [1, 2, 3] && list.search(&2).is_some()).then_some(())
}

fn test_pack() -> Option<()> {
    let mut pack = mayaqua::pack::Pack::new();
    pack.add_int("int", 7).ok()?;
    pack.add_data("data", b"bytes").ok()?;
    let again = mayaqua::pack::Pack::decode(&pack.encode().ok()?).ok()?;
    (again.get_int("INT") == 7 && again.get_data("data") == Some(b"bytes")).then_some(())
}

fn test_sha() -> Option<()> {
    let known = "0164B8A914CD2A5E74C4F7FF082C4D97F1EDF880";
    (mayaqua::str::bin_to_str(&mayaqua::crypto::sha0(b"abc")) == known).then_some(())
}
