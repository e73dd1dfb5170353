//! The decoder of the data phase: bytes as they come from the connection in, [`Event`]s out (C: `ConnectionReceive`).
//!
//! 1. [`Expect`] says what stands next in the stream: a number of four bytes, or a body whose size is known. The C says
//!    it with `Mode` 0 to 4 and `WantSize`.
//! 2. When it is there as a whole it is taken: a number says what stands next, a body becomes an event.
//! 3. Where the bytes are cut is the only difference between the two decoders. [`SliceDecoder`] leaves what is
//!    incomplete to its caller. [`Decoder`] keeps it, at most [`MAX_BLOCK_SIZE`] bytes, and expands compressed frames.
//!
//! Not here: the receive queue and its limits, which are the session's.

use super::compression::Decompressor;
use super::keep_alive::KeepAlive;
use super::statistics::{DropReason, Statistics};
use super::wire::{KEEP_ALIVE_MAGIC, MAX_BLOCK_SIZE, MAX_KEEPALIVE_SIZE, MAX_PACKET_SIZE, WORD_SIZE, to_usize};

/// Something that the peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A frame of 1 to [`MAX_PACKET_SIZE`] bytes.
    Frame(&'a [u8]),
    /// A keep-alive.
    KeepAlive(KeepAlive<'a>),
    /// A frame that is not delivered.
    Dropped {
        /// Why not.
        reason: DropReason,
        /// Its bytes on the wire.
        size: usize,
    },
}

/// The peer broke the protocol. The connection is of no further use: nothing behind the error is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// C: `sz > (MAX_PACKET_SIZE * 2)` in `ConnectionReceive`.
    #[error("a block of {size} bytes was announced, more than {MAX_BLOCK_SIZE}")]
    BlockTooLarge {
        /// The size that was announced.
        size: u32,
    },
    /// C: `sz > MAX_KEEPALIVE_SIZE` in `ConnectionReceive`.
    #[error("a keep-alive of {size} bytes was announced, more than {MAX_KEEPALIVE_SIZE}")]
    KeepAliveTooLarge {
        /// The size that was announced.
        size: u32,
    },
}

/// Where a stream stands between two parts of it, in the C's own words (C: `TCPSOCK`, Cedar/Connection.h). With it
/// C and Rust take turns on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// What stands next: 0 a count, 1 the size of a block, 2 a block, 3 the size of a keep-alive, 4 a keep-alive
    /// (C: `Mode`).
    pub mode: u32,
    /// Bytes that it has (C: `WantSize`).
    pub want_size: u32,
    /// Blocks that the batch still has, one that stands next included (C: `NextBlockNum - CurrentPacketNum`).
    pub blocks: u32,
}

/// Decodes contiguous bytes; the caller keeps what is not taken and puts the next bytes behind it.
///
/// Frames are slices of the input, so many can be held at once. Nothing is expanded: see [`SliceDecoder::resume`].
#[derive(Debug, Default)]
pub struct SliceDecoder {
    parser: Parser,
}

impl SliceDecoder {
    /// A decoder at the start of the data phase.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder in the middle of a stream.
    ///
    /// With `use_compress`, which is `SESSION.UseCompress`, a frame is a block as it came: a zlib stream of up to
    /// [`MAX_BLOCK_SIZE`] bytes, for the caller to expand.
    #[must_use]
    pub fn resume(position: Position, use_compress: bool) -> Self {
        let mut parser = Parser { expect: Expect::at(position), ..Parser::default() };
        if use_compress {
            parser.frame_size_max = MAX_BLOCK_SIZE;
        }
        Self { parser }
    }

    /// Where the stream stands; its start after a [`ProtocolError`], behind which it has no meaning.
    #[must_use]
    pub fn position(&self) -> Position {
        self.parser.expect.position()
    }

    /// The next event. `input` is moved behind what was taken.
    ///
    /// `None` means that `input` is empty or the beginning of a part, shorter than [`MAX_BLOCK_SIZE`] bytes: call again
    /// with the same bytes and more.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], now and in every later call.
    #[inline]
    pub fn decode<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i>>, ProtocolError> {
        loop {
            // A number and the body behind it go through in one turn: the common case stays in registers.
            if let Expect::Number(number) = self.parser.expect {
                let Some((word, rest)) = input.split_first_chunk() else {
                    return Ok(None);
                };
                *input = rest;
                self.parser.number(number, *word)?;
            }
            if let Expect::Body(kind, size) = self.parser.expect {
                let Some((body, rest)) = input.split_at_checked(size) else {
                    return Ok(None);
                };
                *input = rest;
                return Ok(Some(self.parser.body(kind, body, None)));
            }
            if let Expect::Nothing(error) = self.parser.expect {
                return Err(error);
            }
        }
    }

    /// What has passed so far.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.parser.statistics
    }
}

/// Decodes bytes that are cut anywhere, and expands the frames of a session with compression.
#[derive(Debug)]
pub struct Decoder {
    parser: Parser,
    decompressor: Option<Decompressor>,
    carry: Carry,
}

impl Decoder {
    /// A decoder at the start of the data phase. `use_compress` is `SESSION.UseCompress`.
    #[must_use]
    pub fn new(use_compress: bool) -> Self {
        Self { parser: Parser::default(), decompressor: use_compress.then(Decompressor::new), carry: Carry::new() }
    }

    /// The next event. `input` is moved behind what was taken; at `None` it is empty.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], now and in every later call.
    #[inline]
    pub fn decode<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<Event<'a>>, ProtocolError> {
        loop {
            if let Expect::Number(number) = self.parser.expect {
                let part = self.carry.part(input, WORD_SIZE);
                let Some(word) = part.and_then(<[u8]>::first_chunk) else {
                    return Ok(None);
                };
                self.parser.number(number, *word)?;
            }
            if let Expect::Body(kind, size) = self.parser.expect {
                let Some(body) = self.carry.part(input, size) else {
                    return Ok(None);
                };
                let decompressor = self.decompressor.as_mut();
                return Ok(Some(self.parser.body(kind, body, decompressor)));
            }
            if let Expect::Nothing(error) = self.parser.expect {
                return Err(error);
            }
        }
    }

    /// What has passed so far.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.parser.statistics
    }
}

/// What stands next in the stream.
#[derive(Clone, Copy, Debug)]
enum Expect {
    Number(Number),
    /// A body and its size in bytes.
    Body(Kind, usize),
    /// Nothing that would be looked at.
    Nothing(ProtocolError),
}

#[derive(Clone, Copy, Debug)]
enum Number {
    /// The number of blocks of a batch, or the magic of a keep-alive (C: mode 0).
    Count,
    /// The size of a block; so many follow, this one included (C: mode 1).
    BlockSize { blocks: u32 },
    /// The size of a keep-alive (C: mode 3).
    KeepAliveSize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A block; so many follow, this one included (C: mode 2).
    Block { blocks: u32 },
    /// A keep-alive (C: mode 4).
    KeepAlive,
}

impl Expect {
    /// The C's state as what stands next. A state that the C cannot be in, or only after an error, is an error.
    fn at(Position { mode, want_size, blocks }: Position) -> Self {
        let size = to_usize(want_size);
        match mode {
            1 => Self::Number(Number::BlockSize { blocks }),
            2 if size <= MAX_BLOCK_SIZE => Self::Body(Kind::Block { blocks }, size),
            2 => Self::Nothing(ProtocolError::BlockTooLarge { size: want_size }),
            3 => Self::Number(Number::KeepAliveSize),
            4 if size <= MAX_KEEPALIVE_SIZE => Self::Body(Kind::KeepAlive, size),
            4 => Self::Nothing(ProtocolError::KeepAliveTooLarge { size: want_size }),
            _ => Self::Number(Number::Count),
        }
    }

    fn position(self) -> Position {
        let number = |mode, blocks| Position { mode, want_size: narrow(WORD_SIZE), blocks };
        match self {
            Self::Number(Number::Count) | Self::Nothing(_) => number(0, 0),
            Self::Number(Number::BlockSize { blocks }) => number(1, blocks),
            Self::Body(Kind::Block { blocks }, size) => Position { mode: 2, want_size: narrow(size), blocks },
            Self::Number(Number::KeepAliveSize) => number(3, 0),
            Self::Body(Kind::KeepAlive, size) => Position { mode: 4, want_size: narrow(size), blocks: 0 },
        }
    }
}

/// A size that came from 32 bits, or is a constant of the wire.
fn narrow(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// What both decoders share: the meaning of numbers and bodies, wherever they came from.
#[derive(Debug)]
struct Parser {
    expect: Expect,
    /// A longer block is dropped, if it is not expanded.
    frame_size_max: usize,
    statistics: Statistics,
}

impl Default for Parser {
    fn default() -> Self {
        let expect = Expect::Number(Number::Count);
        Self { expect, frame_size_max: MAX_PACKET_SIZE, statistics: Statistics::default() }
    }
}

impl Parser {
    #[inline]
    fn number(&mut self, number: Number, word: [u8; WORD_SIZE]) -> Result<(), ProtocolError> {
        let value = u32::from_be_bytes(word);
        let size = to_usize(value);
        self.expect = match number {
            Number::Count => Expect::Number(match value {
                0 => Number::Count,
                KEEP_ALIVE_MAGIC => Number::KeepAliveSize,
                blocks => Number::BlockSize { blocks },
            }),
            Number::BlockSize { blocks } => match size {
                0 => next_block(blocks),
                1..=MAX_BLOCK_SIZE => Expect::Body(Kind::Block { blocks }, size),
                _ => return self.fail(ProtocolError::BlockTooLarge { size: value }),
            },
            Number::KeepAliveSize if size <= MAX_KEEPALIVE_SIZE => Expect::Body(Kind::KeepAlive, size),
            Number::KeepAliveSize => {
                return self.fail(ProtocolError::KeepAliveTooLarge { size: value });
            }
        };
        self.statistics.record_overhead(WORD_SIZE);
        Ok(())
    }

    #[inline]
    fn body<'b>(&mut self, kind: Kind, body: &'b [u8], decompressor: Option<&'b mut Decompressor>) -> Event<'b> {
        match kind {
            Kind::Block { blocks } => {
                self.expect = next_block(blocks);
                self.block(body, decompressor)
            }
            Kind::KeepAlive => {
                self.expect = Expect::Number(Number::Count);
                self.statistics.record_keep_alive(body.len());
                Event::KeepAlive(KeepAlive::new(body))
            }
        }
    }

    #[inline]
    fn block<'b>(&mut self, body: &'b [u8], decompressor: Option<&'b mut Decompressor>) -> Event<'b> {
        let size = body.len();
        let frame = match decompressor {
            Some(decompressor) => decompressor.expand(body),
            None if size > self.frame_size_max => Err(DropReason::Oversize),
            None => Ok(body),
        };
        match frame {
            Ok(frame) => {
                self.statistics.record_frame(frame.len(), size);
                Event::Frame(frame)
            }
            Err(reason) => {
                self.statistics.record_drop(reason, size);
                Event::Dropped { reason, size }
            }
        }
    }

    #[cold]
    fn fail(&mut self, error: ProtocolError) -> Result<(), ProtocolError> {
        self.expect = Expect::Nothing(error);
        Err(error)
    }
}

/// What stands behind a block when `blocks` were to come, that block included.
const fn next_block(blocks: u32) -> Expect {
    Expect::Number(match blocks {
        0 | 1 => Number::Count,
        _ => Number::BlockSize { blocks: blocks - 1 },
    })
}

/// The beginning of an incomplete part, until the rest of it comes.
#[derive(Debug)]
struct Carry {
    bytes: Vec<u8>,
    /// Whether `bytes` has been handed out, and is only kept because the last event may point into it.
    taken: bool,
}

impl Carry {
    fn new() -> Self {
        Self { bytes: Vec::with_capacity(MAX_BLOCK_SIZE), taken: false }
    }

    /// The next `size` bytes of the stream, from `input` if it has them all. `size` stays the same until they are there.
    #[inline]
    fn part<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8], size: usize) -> Option<&'a [u8]> {
        if std::mem::take(&mut self.taken) {
            self.bytes.clear();
        }
        if self.bytes.is_empty()
            && let Some((part, rest)) = input.split_at_checked(size)
        {
            *input = rest;
            return Some(part);
        }
        self.complete(input, size)
    }

    fn complete(&mut self, input: &mut &[u8], size: usize) -> Option<&[u8]> {
        let missing = size.saturating_sub(self.bytes.len());
        let (more, rest) = input.split_at(missing.min(input.len()));
        self.bytes.extend_from_slice(more);
        *input = rest;
        if self.bytes.len() < size {
            return None;
        }
        self.taken = true;
        Some(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut anywhere and resumed there by another decoder, a stream gives what one decoder makes of it.
    #[test]
    fn a_stream_goes_on_where_another_decoder_left_it() {
        let mut stream = vec![0, 0, 0, 3, 0, 0, 0, 2, 0xaa, 0xbb, 0, 0, 0, 0, 0, 0, 0, 1, 0xcc];
        stream.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2, 1, 2]);
        stream.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        stream.extend_from_slice(&[0, 0, 0, 1, 0, 0, 6, 65]);
        stream.extend_from_slice(&[7; 1601]);
        let collect = |cut: usize, use_compress| {
            let (mut position, mut events) = (SliceDecoder::new().position(), Vec::new());
            let mut begin = 0;
            for end in [cut, stream.len()] {
                let mut decoder = SliceDecoder::resume(position, use_compress);
                let mut input = &stream[begin..end];
                while let Some(event) = decoder.decode(&mut input).unwrap() {
                    events.push(event);
                }
                (position, begin) = (decoder.position(), end - input.len());
            }
            assert_eq!((position, begin), (SliceDecoder::new().position(), stream.len()), "cut at {cut}");
            events
        };
        for use_compress in [false, true] {
            let whole = collect(0, use_compress);
            assert_eq!(whole.len(), 5);
            let last = if use_compress {
                Event::Frame(&stream[stream.len() - 1601..])
            } else {
                Event::Dropped { reason: DropReason::Oversize, size: 1601 }
            };
            assert_eq!(whole[4], last);
            for cut in 1..stream.len() {
                assert_eq!(collect(cut, use_compress), whole, "cut at {cut}");
            }
        }
    }

    /// What the C can hold only after an error is the error; what it cannot hold at all is the start of a stream.
    #[test]
    fn impossible_positions() {
        let decode = |mode, want_size| {
            SliceDecoder::resume(Position { mode, want_size, blocks: 1 }, true).decode(&mut &[0; 8][..])
        };
        assert_eq!(decode(2, 3201), Err(ProtocolError::BlockTooLarge { size: 3201 }));
        assert_eq!(decode(4, 513), Err(ProtocolError::KeepAliveTooLarge { size: 513 }));
        assert_eq!(decode(5, 4), Ok(None));
        assert_eq!(decode(2, 8), Ok(Some(Event::Frame(&[0; 8]))));
        let position = Position { mode: 2, want_size: 3201, blocks: 1 };
        assert_eq!(SliceDecoder::resume(position, true).position(), SliceDecoder::new().position());
    }
}
