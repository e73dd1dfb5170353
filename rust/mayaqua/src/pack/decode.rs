//! From bytes to a [`Pack`] (C: `BufToPack`, `ReadPack`, `ReadElement` and `ReadValue`, Mayaqua/Pack.c).
//!
//! 1. The scanner reads the grammar and holds the limits.
//! 2. Before memory is taken for a count or a size, the bytes that it stands for must be there.
//! 3. Names are compared once, when all are there.

use super::scan::{Event, Scanner};
use super::{Element, Error, MAX_PACK_SIZE, Pack, ValueType, Values};
use crate::str::{str_cmpi, trim, until_nul};
use crate::uni_str::{UniStr, Utf8Units};

/// Fewest bytes of an element on the wire: length of name, type, number of values, one value.
const MIN_ELEMENT_SIZE: usize = 16;

impl Pack {
    /// Reads a PACK (C: `BufToPack`, Mayaqua/Pack.c). What follows it is not looked at, as in the C.
    ///
    /// # Errors
    ///
    /// What is wrong with it. Strings whose text goes on behind a NUL are refused; the C cuts them.
    pub fn decode(input: &[u8]) -> Result<Self, Error> {
        Self::decode_prefix(input).map(|(pack, _)| pack)
    }

    /// As [`Pack::decode`], with the number of bytes that the PACK takes.
    ///
    /// # Errors
    ///
    /// As [`Pack::decode`].
    pub fn decode_prefix(input: &[u8]) -> Result<(Self, usize), Error> {
        // A longer input is not refused: what lies behind a PACK does not count.
        let input = &input[..input.len().min(MAX_PACK_SIZE as usize + 1)];
        let mut builder = Builder::default();
        let mut scanner = Scanner::new();
        let used = scanner.push(input, |event, position| builder.event(event, input.len(), position))?;
        scanner.finish()?;
        Ok((builder.finish()?, used))
    }
}

/// A PACK of which a part was read, all from one chunk.
#[derive(Default)]
struct Builder<'a> {
    elements: Vec<Element>,
    name: &'a [u8],
    /// Values of the present element that have not come.
    values_left: u32,
    values: Partial,
    bytes: &'a [u8],
}

/// The values of one element of which a part was read.
enum Partial {
    Int(Vec<u32>),
    Data(Vec<Box<[u8]>>),
    Str(Vec<Box<[u8]>>),
    UniStr(Vec<UniStr>),
    Int64(Vec<u64>),
}

impl<'a> Builder<'a> {
    fn event(&mut self, event: Event<'a>, input: usize, position: u64) -> Result<(), Error> {
        match (event, &mut self.values) {
            (Event::Pack { elements }, _) => {
                self.elements.reserve_exact(fits(elements, MIN_ELEMENT_SIZE, input, position)?);
            }
            (Event::Name(name), _) => self.name = name,
            (Event::Element { value_type, values }, _) => {
                let capacity = fits(values, value_type.min_size(), input, position)?;
                self.values_left = values;
                self.values = Partial::with_capacity(value_type, capacity);
            }
            (Event::Int(value), Partial::Int(values)) => {
                values.push(value);
                self.end_of_value()?;
            }
            (Event::Int64(value), Partial::Int64(values)) => {
                values.push(value);
                self.end_of_value()?;
            }
            (Event::Value { size }, _) => {
                fits(size, 1, input, position)?;
            }
            (Event::Bytes(bytes), _) => self.bytes = bytes,
            (Event::ValueEnd, values) => {
                values.push_bytes(std::mem::take(&mut self.bytes))?;
                self.end_of_value()?;
            }
            // The scanner gives integers in elements of their type only.
            (Event::Int(_) | Event::Int64(_), _) => {}
        }
        Ok(())
    }

    fn end_of_value(&mut self) -> Result<(), Error> {
        self.values_left -= 1;
        if self.values_left == 0 {
            let values = std::mem::take(&mut self.values).finish();
            self.elements.push(Element::new(std::mem::take(&mut self.name), values)?);
        }
        Ok(())
    }

    /// Sorts the names, which shows whether one is there twice.
    fn finish(self) -> Result<Pack, Error> {
        let elements = self.elements;
        let name = |place: u32| elements.get(place as usize).map_or(&[][..], Element::name_bytes);
        let count = u32::try_from(elements.len()).map_err(|_| Error::TooManyElements(u64::MAX))?;
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_unstable_by(|a, b| str_cmpi(name(*a), name(*b)));
        if order.windows(2).any(|pair| matches!(*pair, [a, b] if str_cmpi(name(a), name(b)).is_eq())) {
            return Err(Error::DuplicateName);
        }
        Ok(Pack { elements, order, last_added: count.checked_sub(1) })
    }
}

impl Default for Partial {
    fn default() -> Self {
        Self::Int(Vec::new())
    }
}

impl Partial {
    fn with_capacity(value_type: ValueType, capacity: usize) -> Self {
        match value_type {
            ValueType::Int => Self::Int(Vec::with_capacity(capacity)),
            ValueType::Data => Self::Data(Vec::with_capacity(capacity)),
            ValueType::Str => Self::Str(Vec::with_capacity(capacity)),
            ValueType::UniStr => Self::UniStr(Vec::with_capacity(capacity)),
            ValueType::Int64 => Self::Int64(Vec::with_capacity(capacity)),
        }
    }

    /// Adds a value that came as bytes. Strings lose their ends as in the C (`NewStrValue`, `NewUniStrValue`).
    fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Data(values) => values.push(bytes.into()),
            Self::Str(values) => {
                let string = until_nul(bytes);
                nothing_but_nuls(bytes[string.len()..].iter().map(|byte| u16::from(*byte)))?;
                values.push(trim(string).into());
            }
            Self::UniStr(values) => {
                nothing_but_nuls(Utf8Units::new(bytes).skip_while(|unit| *unit != 0))?;
                values.push(UniStr::from_utf8(bytes).trimmed());
            }
            // The scanner gives bytes in elements of their types only.
            Self::Int(_) | Self::Int64(_) => {}
        }
        Ok(())
    }

    fn finish(self) -> Values {
        match self {
            Self::Int(values) => Values::Int(values.into()),
            Self::Data(values) => Values::Data(values.into()),
            Self::Str(values) => Values::Str(values.into()),
            Self::UniStr(values) => Values::UniStr(values.into()),
            Self::Int64(values) => Values::Int64(values.into()),
        }
    }
}

/// `count` as a length, if as many things of `size` bytes can still come.
fn fits(count: u32, size: usize, input: usize, position: u64) -> Result<usize, Error> {
    let left = input as u64 - position;
    if u64::from(count) * size as u64 > left {
        return Err(Error::Truncated(input as u64));
    }
    Ok(count as usize)
}

fn nothing_but_nuls(mut units: impl Iterator<Item = u16>) -> Result<(), Error> {
    if units.any(|unit| unit != 0) { Err(Error::NulInside) } else { Ok(()) }
}
