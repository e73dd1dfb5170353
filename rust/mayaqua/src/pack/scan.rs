//! Reading a PACK in chunks of any size: a state machine with constant memory, which is also what [`Pack::decode`]
//! stands on.
//!
//! 1. [`Scanner::push`] takes the next bytes and tells a sink what was in them, piece by piece.
//! 2. Each integer is gathered in eight bytes of the scanner's own; the bytes of names and values are passed on as they
//!    come and are never kept.
//! 3. Every length and count is held against its limit when it has come, before anything that it announces.
//!
//! Whether names are unique, and where the text of a string ends, is for the sink to see.
//!
//! [`Pack::decode`]: super::Pack::decode

use super::{Error, MAX_ELEMENT_NAME_LEN, MAX_ELEMENT_NUM, MAX_PACK_SIZE, MAX_VALUE_NUM, MAX_VALUE_SIZE, ValueType};

/// One piece of a PACK. Those of an element come in this order: `Name` (in pieces), `Element`, then its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Number of elements that follow.
    Pack {
        /// At most [`MAX_ELEMENT_NUM`].
        elements: u32,
    },
    /// The next bytes of a name; a name without bytes has no such event.
    Name(&'a [u8]),
    /// The name is whole; its values follow.
    Element {
        /// The type of all values.
        value_type: ValueType,
        /// Number of values, 1 to [`MAX_VALUE_NUM`].
        values: u32,
    },
    /// A value of type INT.
    Int(u32),
    /// A value of type INT64.
    Int64(u64),
    /// A value of type DATA, STR or UNISTR begins.
    Value {
        /// Number of bytes that follow, at most [`MAX_VALUE_SIZE`].
        size: u32,
    },
    /// The next bytes of such a value.
    Bytes(&'a [u8]),
    /// Such a value is whole.
    ValueEnd,
}

/// What is to be read next.
#[derive(Clone, Copy, Debug)]
enum State {
    ElementCount,
    NameLength,
    Name { left: u32 },
    Type,
    ValueCount { value_type: ValueType },
    Value { value_type: ValueType, values_left: u32 },
    Bytes { value_type: ValueType, values_left: u32, left: u32 },
    Done,
}

/// A PACK that is being read.
#[derive(Clone, Debug)]
pub struct Scanner {
    state: State,
    elements_left: u32,
    /// The bytes of an integer that has not come whole.
    partial: [u8; 8],
    partial_length: usize,
    position: u64,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// A scanner before the first byte.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::ElementCount, elements_left: 0, partial: [0; 8], partial_length: 0, position: 0 }
    }

    /// Number of bytes that were taken.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Whether the PACK is whole.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes the next bytes, tells `sink` what is in them, and returns how many belonged to the PACK: all of them, until
    /// it is whole. What follows a PACK is not its own, and not looked at, as in the C.
    ///
    /// # Errors
    ///
    /// What is wrong with the PACK, or what `sink` gave. The scanner must not be used any more then.
    pub fn push<'a>(
        &mut self,
        chunk: &'a [u8],
        mut sink: impl FnMut(Event<'a>, u64) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let mut rest = chunk;
        while !self.is_done() {
            let before = rest.len();
            let Some(event) = self.step(&mut rest)? else { break };
            self.position += (before - rest.len()) as u64;
            if self.position > u64::from(MAX_PACK_SIZE) {
                return Err(Error::PackTooLarge(self.position));
            }
            if let Some(event) = event {
                sink(event, self.position)?;
            }
        }
        Ok(chunk.len() - rest.len())
    }

    /// Ends the input.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] if the PACK is not whole.
    pub const fn finish(&self) -> Result<(), Error> {
        if self.is_done() { Ok(()) } else { Err(Error::Truncated(self.position)) }
    }

    /// One step: `None` if it needs more bytes than there are, else what it found, which may be nothing to tell.
    fn step<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Option<Option<Event<'a>>>, Error> {
        match self.state {
            State::ElementCount => self.integer::<4>(rest, |this, value| this.element_count(u32::from_be_bytes(value))),
            State::NameLength => self.integer::<4>(rest, |this, value| this.name_length(u32::from_be_bytes(value))),
            State::Name { left: 0 } => {
                self.state = State::Type;
                Ok(Some(None))
            }
            State::Name { left } => Ok(take(rest, left).map(|name| {
                self.state = State::Name { left: left - length(name) };
                Some(Event::Name(name))
            })),
            State::Type => self.integer::<4>(rest, |this, value| {
                let value_type = ValueType::try_from(u32::from_be_bytes(value))?;
                this.state = State::ValueCount { value_type };
                Ok(None)
            }),
            State::ValueCount { value_type } => {
                self.integer::<4>(rest, |this, value| this.value_count(value_type, u32::from_be_bytes(value)))
            }
            State::Value { value_type, values_left } => self.value(rest, value_type, values_left),
            State::Bytes { value_type, values_left, left: 0 } => {
                self.next_value(value_type, values_left);
                Ok(Some(Some(Event::ValueEnd)))
            }
            State::Bytes { value_type, values_left, left } => Ok(take(rest, left).map(|bytes| {
                self.state = State::Bytes { value_type, values_left, left: left - length(bytes) };
                Some(Event::Bytes(bytes))
            })),
            State::Done => Ok(None),
        }
    }

    fn element_count<'a>(&mut self, elements: u32) -> Result<Option<Event<'a>>, Error> {
        if elements > MAX_ELEMENT_NUM {
            return Err(Error::TooManyElements(elements.into()));
        }
        self.elements_left = elements;
        self.state = if elements == 0 { State::Done } else { State::NameLength };
        Ok(Some(Event::Pack { elements }))
    }

    fn name_length<'a>(&mut self, length_plus_one: u32) -> Result<Option<Event<'a>>, Error> {
        let left = length_plus_one.checked_sub(1).ok_or(Error::NoName)?;
        if left as usize > MAX_ELEMENT_NAME_LEN {
            return Err(Error::NameTooLong(left.into()));
        }
        self.state = State::Name { left };
        Ok(None)
    }

    fn value_count<'a>(&mut self, value_type: ValueType, values: u32) -> Result<Option<Event<'a>>, Error> {
        match values {
            0 => return Err(Error::NoValues),
            1..=MAX_VALUE_NUM => self.state = State::Value { value_type, values_left: values },
            _ => return Err(Error::TooManyValues(values.into())),
        }
        Ok(Some(Event::Element { value_type, values }))
    }

    fn value<'a>(
        &mut self,
        rest: &mut &'a [u8],
        value_type: ValueType,
        values_left: u32,
    ) -> Result<Option<Option<Event<'a>>>, Error> {
        match value_type {
            ValueType::Int => self.integer::<4>(rest, |this, value| {
                this.next_value(value_type, values_left);
                Ok(Some(Event::Int(u32::from_be_bytes(value))))
            }),
            ValueType::Int64 => self.integer::<8>(rest, |this, value| {
                this.next_value(value_type, values_left);
                Ok(Some(Event::Int64(u64::from_be_bytes(value))))
            }),
            ValueType::Data | ValueType::Str | ValueType::UniStr => self.integer::<4>(rest, |this, value| {
                let size = u32::from_be_bytes(value);
                // The C allows one byte less for STR, which it does not announce: its own NUL.
                let limit = if value_type == ValueType::Str { MAX_VALUE_SIZE - 1 } else { MAX_VALUE_SIZE };
                if size > limit {
                    return Err(Error::ValueTooLarge(size.into()));
                }
                this.state = State::Bytes { value_type, values_left, left: size };
                Ok(Some(Event::Value { size }))
            }),
        }
    }

    /// Goes behind a value, and behind its element if it was the last.
    fn next_value(&mut self, value_type: ValueType, values_left: u32) {
        self.state = match values_left - 1 {
            0 => {
                self.elements_left -= 1;
                if self.elements_left == 0 { State::Done } else { State::NameLength }
            }
            values_left => State::Value { value_type, values_left },
        };
    }

    /// Reads an integer of `N` bytes, from what was left over and from `rest`, and hands it to `then`.
    fn integer<'a, const N: usize>(
        &mut self,
        rest: &mut &'a [u8],
        then: impl FnOnce(&mut Self, [u8; N]) -> Result<Option<Event<'a>>, Error>,
    ) -> Result<Option<Option<Event<'a>>>, Error> {
        if self.partial_length == 0
            && let Some((value, behind)) = rest.split_first_chunk::<N>()
        {
            *rest = behind;
            return then(self, *value).map(Some);
        }
        let (now, behind) = rest.split_at((N - self.partial_length).min(rest.len()));
        *rest = behind;
        self.partial[self.partial_length..self.partial_length + now.len()].copy_from_slice(now);
        self.partial_length += now.len();
        if self.partial_length < N {
            self.position += now.len() as u64;
            return Ok(None);
        }
        self.partial_length = 0;
        let mut value = [0; N];
        value.copy_from_slice(&self.partial[..N]);
        then(self, value).map(Some)
    }
}

/// At most `left` bytes of `rest`, or `None` if it is empty.
fn take<'a>(rest: &mut &'a [u8], left: u32) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at((left as usize).min(rest.len()));
    *rest = behind;
    (!taken.is_empty()).then_some(taken)
}

/// The length of what [`take`] gave, which a `u32` limited.
fn length(taken: &[u8]) -> u32 {
    u32::try_from(taken.len()).unwrap_or(u32::MAX)
}
