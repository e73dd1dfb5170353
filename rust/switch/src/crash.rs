//! Which swap ran when the process crashed: a signal handler that writes the swap's name into a file that was opened
//! before, and lets the crash go its way. What follows from it is decided at the next start.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use crate::panic::running;

/// The signals of a crash.
const SIGNALS: [libc::c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];

/// Where the name goes; -1: nowhere.
static TARGET: AtomicI32 = AtomicI32::new(-1);

/// Has the name of the running swap, and a newline, written to `file` when the process crashes inside a Rust side. Other
/// crashes write nothing. The handlers that were there before are replaced. Once per process; later files are ignored.
pub fn record_crashes(file: File) {
    let descriptor = file.into_raw_fd();
    if TARGET.compare_exchange(-1, descriptor, Relaxed, Relaxed).is_err() {
        // SAFETY: it was just taken out of its owner, and nobody else has it.
        unsafe { libc::close(descriptor) };
        return;
    }
    for signal in SIGNALS {
        // SAFETY: a zeroed sigaction is a valid one, to be filled in; the handler does only what a handler may.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = note as *const () as usize;
            // The default comes back before the handler runs: the signal then ends the process as ever.
            action.sa_flags = libc::SA_RESETHAND | libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// Runs inside the signal: reads a thread-local without destructor and an atomic, and calls write(2), no more.
extern "C" fn note(signal: libc::c_int) {
    if let Some(swap) = running() {
        let name = swap.info().name;
        // SAFETY: name and newline are readable; the descriptor stays open for good.
        unsafe {
            libc::write(TARGET.load(Relaxed), name.as_ptr().cast(), name.len());
            libc::write(TARGET.load(Relaxed), b"\n".as_ptr().cast(), 1);
        }
    }
    // A fault comes again when the handler returns; a signal that was sent does not.
    // SAFETY: raise is allowed in a handler.
    unsafe { libc::raise(signal) };
}
