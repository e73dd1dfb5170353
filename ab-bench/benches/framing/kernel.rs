//! A kernel for one socket: `send` takes all, `recv` gives the batch that was asked for, `poll` says that there is
//! something; and a count of heap allocations, C's and Rust's. Other descriptors go to the real kernel. The C libraries are
//! linked into this program, so that its definitions are found before libc's.

use crate::connection::Connection;
use std::ffi::{c_int, c_ulong, c_void};
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Bytes that `ConnectionReceive` asks for at a time (C: `RECV_BUF_SIZE`).
const RECV_BUF_SIZE: usize = 65536;

static SOCKET: AtomicI32 = AtomicI32::new(-1);
static FRAME_SIZE: AtomicUsize = AtomicUsize::new(0);
/// Frames of the batch, until their number has been received.
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Frames that are still to be received.
static LEFT: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Serves the connection's socket from here on, and fills the buffer that `ConnectionReceive` reads into with frames.
pub fn take_over(connection: &Connection, frame_size: usize, batch: usize) {
    // SAFETY: connection and socket are ours. The buffer is the connection's, which frees it.
    unsafe {
        SOCKET.store((*(*connection.sockets[0]).Sock).socket, Relaxed);
        FRAME_SIZE.store(frame_size, Relaxed);
        (*connection.c).RecvBuf = softether_sys::Malloc(RECV_BUF_SIZE as u32).cast();
        let frame = [&(frame_size as u32).to_be_bytes()[..], &vec![0x5a; frame_size]].concat();
        for at in 0..frames_of_a_read().min(batch) {
            (*connection.c).RecvBuf.add(at * frame.len()).copy_from_nonoverlapping(frame.as_ptr(), frame.len());
        }
    }
}

/// Lets the next calls of `recv` give one batch.
pub fn deliver(batch: usize) {
    COUNT.store(batch, Relaxed);
    LEFT.store(batch, Relaxed);
}

/// Heap allocations since the program began.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Relaxed)
}

fn frames_of_a_read() -> usize {
    RECV_BUF_SIZE / (4 + FRAME_SIZE.load(Relaxed))
}

fn count_allocation() {
    // One thread works; a lost count of another one's would not matter.
    ALLOCATIONS.store(ALLOCATIONS.load(Relaxed) + 1, Relaxed);
}

/// libc's, for the benchmark's socket: first the number of the batch, then whole frames, which stand in the buffer.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn recv(socket: c_int, buffer: *mut c_void, size: usize, flags: c_int) -> isize {
    if socket != SOCKET.load(Relaxed) {
        // SAFETY: the caller's.
        return unsafe { libc::syscall(libc::SYS_recvfrom, socket, buffer, size, flags, 0, 0) as isize };
    }
    let word = |value: usize| {
        let value = (value as u32).to_be_bytes();
        // SAFETY: the caller's buffer has at least four bytes.
        unsafe { buffer.cast::<u8>().copy_from_nonoverlapping(value.as_ptr(), value.len()) };
    };
    let count = COUNT.swap(0, Relaxed);
    if count != 0 {
        word(count);
        return 4;
    }
    let frames = LEFT.load(Relaxed).min(frames_of_a_read());
    if frames == 0 {
        // SAFETY: this thread's own.
        unsafe { *libc::__errno_location() = libc::EAGAIN };
        return -1;
    }
    LEFT.store(LEFT.load(Relaxed) - frames, Relaxed);
    // The number stood where the first frame's size does.
    word(FRAME_SIZE.load(Relaxed));
    (frames * (4 + FRAME_SIZE.load(Relaxed))) as isize
}

/// libc's; the benchmark's socket takes all.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn send(socket: c_int, buffer: *const c_void, size: usize, flags: c_int) -> isize {
    if socket == SOCKET.load(Relaxed) {
        return size as isize;
    }
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_sendto, socket, buffer, size, flags, 0, 0) as isize }
}

/// libc's; the benchmark's socket is ready.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn poll(sockets: *mut libc::pollfd, count: c_ulong, timeout: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        if count == 1 && (*sockets).fd == SOCKET.load(Relaxed) {
            return 1;
        }
        libc::syscall(libc::SYS_poll, sockets, count, timeout) as c_int
    }
}

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(memory: *mut c_void, size: usize) -> *mut c_void;
}

/// glibc's, counted.
///
/// # Safety
/// As glibc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    count_allocation();
    // SAFETY: the caller's.
    unsafe { __libc_malloc(size) }
}

/// glibc's, counted.
///
/// # Safety
/// As glibc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    count_allocation();
    // SAFETY: the caller's.
    unsafe { __libc_calloc(count, size) }
}

/// glibc's, counted.
///
/// # Safety
/// As glibc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(memory: *mut c_void, size: usize) -> *mut c_void {
    count_allocation();
    // SAFETY: the caller's.
    unsafe { __libc_realloc(memory, size) }
}
