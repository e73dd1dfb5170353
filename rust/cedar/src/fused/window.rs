//! How much waits unread at the peer, told by the window that it announces: what TCP has delivered and the program has not
//! read makes the window smaller than it was at its widest. A SoftEther server reads all that waits in one turn and drops
//! what is beyond 1024 frames, so no more than [`FRAMES_WAITING_MAX`] may wait there.

use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, AsRawFd};

/// Frames that may wait at the peer (C: `MAX_STORED_QUEUE_NUM` is 1024; a batch more may be on its way).
const FRAMES_WAITING_MAX: u64 = 512;

/// Frames this long on average, or longer, are counted by the window. The kernel makes the window of the memory that
/// segments take, not of their bytes alone: with small ones it moves by more than 512 such frames while nothing waits.
const COUNTED_BYTES_MIN: u64 = 512;

/// A connection held back for so long is not held back by a busy peer: its window has become narrower for good.
const HOLD_MS_MAX: u64 = 100;

/// What is known of one peer's window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    widest: u32,
    /// Bytes and frames of the last batch, by which bytes that wait are counted in frames.
    batch: (u64, u64),
    held_since: Option<u64>,
}

impl Window {
    /// Whether nothing is to be sent for a moment.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.held_since.is_some()
    }

    /// Notes a batch that was sent.
    #[inline]
    pub(super) fn sent(&mut self, bytes: usize, frames: u64) {
        if frames != 0 {
            self.batch = (bytes as u64, frames);
        }
    }

    /// Looks at the window that the peer of `socket` announces now.
    #[inline]
    pub(super) fn look(&mut self, socket: impl AsFd, now: u64) {
        if let Some(announced) = announced(socket) {
            self.note(announced, now);
        }
    }

    fn note(&mut self, announced: u32, now: u64) {
        self.widest = self.widest.max(announced);
        let (bytes, frames) = self.batch;
        let waiting = u64::from(self.widest - announced) * frames / bytes.max(1);
        let is_counted = bytes >= frames * COUNTED_BYTES_MIN;
        if !is_counted || waiting <= FRAMES_WAITING_MAX {
            self.held_since = None;
            return;
        }
        let since = *self.held_since.get_or_insert(now);
        if now.saturating_sub(since) > HOLD_MS_MAX {
            (self.widest, self.held_since) = (announced, None);
        }
    }
}

/// The window in bytes that the peer announced last (Linux: `tcpi_snd_wnd`, since 5.4). `None`: the kernel does not tell.
fn announced(socket: impl AsFd) -> Option<u32> {
    const IPPROTO_TCP: c_int = 6;
    const TCP_INFO: c_int = 11;
    /// The place of `tcpi_snd_wnd` in `struct tcp_info` (linux/tcp.h), which only grows at its end.
    const SND_WND: usize = 228;
    unsafe extern "C" {
        fn getsockopt(socket: c_int, level: c_int, name: c_int, value: *mut c_void, len: *mut u32) -> c_int;
    }
    let mut info = [0u8; SND_WND + 4];
    let mut len = info.len() as u32; // 232
    // SAFETY: the kernel writes at most `len` bytes to `info`, which has as many.
    let result =
        unsafe { getsockopt(socket.as_fd().as_raw_fd(), IPPROTO_TCP, TCP_INFO, info.as_mut_ptr().cast(), &mut len) };
    let is_told = result == 0 && len as usize == info.len();
    is_told.then(|| info.last_chunk().map(|bytes| u32::from_ne_bytes(*bytes))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    #[test]
    fn the_window_of_a_peer_that_does_not_read_closes_and_opens_when_it_reads() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        let open = announced(&near).unwrap();
        let mut written = 0;
        while let Ok(size) = near.write(&[0; 1500]) {
            written += size;
        }
        let narrow = || announced(&near).unwrap() < open / 2;
        let comes = |is_so: &dyn Fn() -> bool| {
            (0..2000).any(|_| {
                std::thread::sleep(Duration::from_millis(10));
                is_so()
            })
        };
        assert!(comes(&narrow), "{written} bytes wait");
        far.read_exact(&mut vec![0; written]).unwrap();
        assert!(comes(&|| !narrow()), "nothing waits");
    }

    #[test]
    fn frames_are_counted_and_a_window_that_stays_narrow_is_the_new_one() {
        let mut window = Window::default();
        window.sent(1500 * 80, 80);
        window.note(1_000_000, 0);
        window.note(1_000_000 - 1500 * 512, 1);
        assert!(!window.is_full());
        window.note(1_000_000 - 1500 * 513, 2);
        assert!(window.is_full());
        window.note(0, 102);
        assert!(window.is_full());
        window.note(1000, 103);
        assert!(!window.is_full());
        // Shorter frames: as many fit into fewer bytes.
        window.sent(600 * 512, 512);
        window.note(1_000_000, 104);
        window.note(1_000_000 - 600 * 513, 105);
        assert!(window.is_full());
        // Small ones are not counted.
        window.sent(70 * 512, 512);
        window.note(1_000_000 - 600 * 513, 106);
        assert!(!window.is_full());
    }
}
