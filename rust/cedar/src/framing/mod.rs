//! Framing: the data phase of a SoftEther connection, from frames to bytes and back (C: `Cedar/Connection.c`).
//!
//! The way of a frame up, C: `ConnectionSend`
//!
//! 1. Frames are collected into a [`Batch`]: each is written once, behind its size, into the caller's buffer;
//!    or the caller lets it be built in place ([`Batch::room`]). [`encode`] does a whole slice of frames.
//! 2. A session with compression has each frame compressed on its way into the buffer ([`Batch::push_compressed`]).
//! 3. [`Batch::finish`] writes the number of frames in front. The caller sends the bytes.
//! 4. From time to time a keep-alive goes out instead ([`encode_keep_alive`], [`gen_next_keep_alive_span`]).
//!
//! The way of a frame down, C: `ConnectionReceive`
//!
//! 1. The caller has received bytes, cut anywhere.
//! 2. [`Decoder`] hands out [`Event`]s one by one; a frame is a slice into the caller's bytes, or into the
//!    decoder's small buffer if the cut went through it. [`SliceDecoder`] is for callers that keep the unfinished
//!    rest themselves: its frames live as long as the bytes.
//! 3. A server that breaks the protocol gives a [`ProtocolError`], and nothing is parsed after it.
//!
//! The wire format is in [`wire`]. Here is no I/O, no clock and no randomness: they are arguments or the caller's.
//! After construction nothing allocates. Not here: the choice among sockets, queues and UDP acceleration
//! (`cedar::session`), and where this differs from the C on purpose (docs/LEGACY_BEHAVIOUR.md).

#![forbid(unsafe_code)]

pub mod block;
mod compression;
mod decoder;
mod encoder;
mod keep_alive;
mod qos;
mod statistics;
pub mod wire;

pub use compression::{Compressor, Decompressor, calc_compress};
pub use decoder::{Decoder, Event, Position, ProtocolError, SliceDecoder};
pub use encoder::{Batch, BufferTooSmall, PushError, encode, encode_vectored, encoded_len};
pub use keep_alive::{KeepAlive, MAX_ENCODED_KEEP_ALIVE_SIZE, encode_keep_alive, gen_next_keep_alive_span};
pub use qos::is_priority_highest_packet_for_qos;
pub use statistics::{DropReason, Statistics};
