//! The exhibits: input, what Rust must answer, and how it is given to a side. Receiving is in `receiving.rs`, the rest in
//! `sending.rs`.

mod receiving;
mod sending;

use softether_sys::{CANCEL, CONNECTION, TCPSOCK, UINT64};
use swaps::{connection_receive, connection_send, gen_next_keep_alive_span, send_keep_alive};

/// Who runs.
#[derive(Clone, Copy)]
pub enum Side {
    /// The vendored C.
    C,
    /// The Rust side.
    Rust,
}

/// One row of the page.
pub struct Exhibit {
    /// The case of the reliability list.
    pub case: &'static str,
    /// What the peer does.
    pub input: &'static str,
    /// What Rust must answer.
    pub rust: &'static str,
    /// Gives it to a side and says what happened.
    pub run: fn(Side) -> String,
}

/// Every row, in the order of the page.
pub const EXHIBITS: &[Exhibit] = &[
    Exhibit { case: "I1", input: "block of 0 bytes", rust: "1 frame (60)", run: |side| receiving::block(side, 0) },
    Exhibit { case: "I1", input: "block of 1 byte", rust: "2 frames (1, 60)", run: |side| receiving::block(side, 1) },
    Exhibit {
        case: "I1",
        input: "block of 13 bytes",
        rust: "2 frames (13, 60)",
        run: |side| receiving::block(side, 13),
    },
    Exhibit {
        case: "I1",
        input: "block of 14 bytes",
        rust: "2 frames (14, 60)",
        run: |side| receiving::block(side, 14),
    },
    Exhibit {
        case: "I1",
        input: "block of 1600 bytes",
        rust: "2 frames (1600, 60)",
        run: |side| receiving::block(side, 1600),
    },
    Exhibit {
        case: "I1",
        input: "block of 1601 bytes",
        rust: "1 frame (60), 1 dropped as oversize",
        run: |side| receiving::block(side, 1601),
    },
    Exhibit {
        case: "I1",
        input: "block of 3200 bytes",
        rust: "1 frame (60), 1 dropped as oversize",
        run: |side| receiving::block(side, 3200),
    },
    Exhibit {
        case: "I1",
        input: "block announced with 3201 bytes, a frame behind it",
        rust: "disconnected",
        run: |side| receiving::block(side, 3201),
    },
    Exhibit {
        case: "I1",
        input: "block announced with 2^31 bytes, a frame behind 3200 of them",
        rust: "disconnected",
        run: |side| receiving::block(side, 1 << 31),
    },
    Exhibit {
        case: "I1",
        input: "block announced with 2^32 − 1 bytes, a frame behind 3200 of them",
        rust: "disconnected",
        run: |side| receiving::block(side, u32::MAX),
    },
    Exhibit { case: "I2", input: "1000 counts of 0", rust: "1 frame (60)", run: receiving::counts_of_zero },
    Exhibit {
        case: "I2",
        input: "count of 2^32 − 2, then 100,000 blocks of 20 bytes",
        rust: "100000 frames of 20 bytes, at most 19 bytes held between calls",
        run: receiving::endless_batch,
    },
    Exhibit {
        case: "I2",
        input: "magic of a keep-alive where the size of a block stands",
        rust: "disconnected",
        run: receiving::magic_inside_a_batch,
    },
    Exhibit {
        case: "I3",
        input: "keep-alive of 0 bytes",
        rust: "1 frame (60)",
        run: |side| receiving::keep_alive(side, 0),
    },
    Exhibit {
        case: "I3",
        input: "keep-alive of 512 bytes",
        rust: "1 frame (60)",
        run: |side| receiving::keep_alive(side, 512),
    },
    Exhibit {
        case: "I3",
        input: "keep-alive announced with 513 bytes, a frame behind it",
        rust: "disconnected",
        run: |side| receiving::keep_alive(side, 513),
    },
    Exhibit {
        case: "I3",
        input: "keep-alive announced with 2^32 − 1 bytes, 60,000 of them behind it",
        rust: "disconnected",
        run: |side| receiving::keep_alive(side, u32::MAX),
    },
    Exhibit {
        case: "I3",
        input: "NAT-T signature with a port, cut to 0, 1, … 14 bytes",
        rust: "no port, but for 14 bytes 5000",
        run: receiving::nat_t_signature,
    },
    Exhibit {
        case: "I4",
        input: "100,000 keep-alives of this end, half of them with a NAT-T port",
        rust: "the declared length is the real one in 100000",
        run: sending::keep_alives,
    },
    Exhibit {
        case: "I5",
        input: "block that is no zlib stream",
        rust: "1 frame (60), 1 dropped as bad_compression",
        run: |side| receiving::compressed(side, receiving::Stream::Nonsense),
    },
    Exhibit {
        case: "I5",
        input: "zlib stream of nothing",
        rust: "1 frame (60), 1 dropped as empty_after_expansion",
        run: |side| receiving::compressed(side, receiving::Stream::Of(0)),
    },
    Exhibit {
        case: "I5",
        input: "zlib stream of 1600 bytes",
        rust: "2 frames (1600, 60)",
        run: |side| receiving::compressed(side, receiving::Stream::Of(1600)),
    },
    Exhibit {
        case: "I5",
        input: "zlib stream of 1601 bytes",
        rust: "1 frame (60), 1 dropped as bad_compression",
        run: |side| receiving::compressed(side, receiving::Stream::Of(1601)),
    },
    Exhibit {
        case: "I5",
        input: "zlib stream of 2 MiB in 2 KiB",
        rust: "1 frame (60), 1 dropped as bad_compression",
        run: |side| receiving::compressed(side, receiving::Stream::Of(2 << 20)),
    },
    Exhibit {
        case: "I5",
        input: "zlib stream of 60 bytes, cut by one byte",
        rust: "1 frame (60), 1 dropped as bad_compression",
        run: |side| receiving::compressed(side, receiving::Stream::Cut),
    },
    Exhibit {
        case: "I5",
        input: "zlib stream of 60 bytes, 500 bytes behind its end",
        rust: "2 frames (60, 60)",
        run: |side| receiving::compressed(side, receiving::Stream::Trailing),
    },
    Exhibit {
        case: "F1",
        input: "stream with every kind of part, cut in two at every byte",
        rust: "the same 6 frames each time",
        run: receiving::cut_at_every_byte,
    },
    Exhibit {
        case: "F1",
        input: "the same stream, in reads of 1, 2, … 7 bytes",
        rust: "the same 6 frames each time",
        run: receiving::short_reads,
    },
    Exhibit {
        case: "D",
        input: "two frames, and the end of the connection with them",
        rust: "2 frames (60, 61), socket removed",
        run: receiving::end_of_connection,
    },
    Exhibit {
        case: "I8",
        input: "Welcome with a timeout of 0",
        rust: "keep-alive after 0 ms",
        run: |side| sending::span(side, 0),
    },
    Exhibit {
        case: "I8",
        input: "Welcome with a timeout of 1 ms",
        rust: "keep-alive after 0 ms",
        run: |side| sending::span(side, 1),
    },
    Exhibit {
        case: "I8",
        input: "session with a maximum of 0 connections sends a frame",
        rust: "1 block sent (60)",
        run: sending::no_connections,
    },
    Exhibit {
        case: "D",
        input: "frames of 60, 1601, 3201 and 61 bytes are to be sent",
        rust: "2 blocks sent (60, 61), 2 dropped as oversize",
        run: sending::oversize,
    },
    Exhibit {
        case: "D",
        input: "frame for a socket whose transmit FIFO is at the end of its 32 bits",
        rust: "0 bytes sent, the session ends as one that timed out, the next runs on C",
        run: sending::fifo_overflow,
    },
];

impl Side {
    /// `ConnectionReceive`.
    ///
    /// # Safety
    /// As for the function itself.
    pub unsafe fn receive(self, c: *mut CONNECTION) {
        let none: *mut CANCEL = std::ptr::null_mut();
        // SAFETY: the caller's.
        unsafe {
            match self {
                Self::C => connection_receive::c_ConnectionReceive(c, none, none),
                Self::Rust => connection_receive::rust(c, none, none),
            }
        }
    }

    /// `ConnectionSend`.
    ///
    /// # Safety
    /// As for the function itself.
    pub unsafe fn send(self, c: *mut CONNECTION, now: UINT64) {
        // SAFETY: the caller's.
        unsafe {
            match self {
                Self::C => connection_send::c_ConnectionSend(c, now),
                Self::Rust => connection_send::rust(c, now),
            }
        }
    }

    /// `SendKeepAlive`.
    ///
    /// # Safety
    /// As for the function itself.
    pub unsafe fn send_keep_alive(self, c: *mut CONNECTION, ts: *mut TCPSOCK) {
        // SAFETY: the caller's.
        unsafe {
            match self {
                Self::C => send_keep_alive::c_SendKeepAlive(c, ts),
                Self::Rust => send_keep_alive::rust(c, ts),
            }
        }
    }

    /// `GenNextKeepAliveSpan`.
    ///
    /// # Safety
    /// As for the function itself.
    pub unsafe fn span(self, c: *mut CONNECTION) -> u32 {
        // SAFETY: the caller's.
        unsafe {
            match self {
                Self::C => gen_next_keep_alive_span::c_GenNextKeepAliveSpan(c),
                Self::Rust => gen_next_keep_alive_span::rust(c),
            }
        }
    }
}

/// Frames or blocks by their sizes, and what the process has counted as dropped.
fn described(what: &str, sizes: &[usize]) -> String {
    use cedar::framing::DropReason;
    let dropped = DropReason::ALL.into_iter().filter_map(|reason| {
        let count = swaps::drops::dropped(reason);
        (count > 0).then(|| format!("{count} dropped as {}", reason.name()))
    });
    let list = sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let frames = match sizes.len() {
        0 => None,
        1 => Some(format!("1 {what} ({list})")),
        count => {
            Some(format!("{count} {} ({list})", what.replacen("frame", "frames", 1).replacen("block", "blocks", 1)))
        }
    };
    frames.into_iter().chain(dropped).collect::<Vec<_>>().join(", ")
}
