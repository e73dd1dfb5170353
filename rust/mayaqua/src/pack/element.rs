//! One element of a PACK and its values (C: `ELEMENT` and `VALUE`).

use super::{Error, MAX_ELEMENT_NAME_LEN, MAX_VALUE_NUM, MAX_VALUE_SIZE};
use crate::str::{trim, until_nul};
use crate::uni_str::UniStr;
use std::fmt;

/// The type of an element's values, with the number that stands for it (C: `VALUE_INT` and its kind, Pack.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ValueType {
    /// 32-bit integers.
    Int = 0,
    /// Bytes.
    Data = 1,
    /// Strings of no known encoding.
    Str = 2,
    /// Wide strings, as UTF-8.
    UniStr = 3,
    /// 64-bit integers.
    Int64 = 4,
}

impl ValueType {
    /// The number that stands for the type on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The fewest bytes that a value of the type takes on the wire.
    #[must_use]
    pub const fn min_size(self) -> usize {
        match self {
            Self::Int64 => 8,
            Self::Int | Self::Data | Self::Str | Self::UniStr => 4,
        }
    }
}

impl TryFrom<u32> for ValueType {
    type Error = Error;

    fn try_from(number: u32) -> Result<Self, Error> {
        let types = [Self::Int, Self::Data, Self::Str, Self::UniStr, Self::Int64];
        types.into_iter().find(|value_type| value_type.number() == number).ok_or(Error::UnknownType(number))
    }
}

/// The values of one element, all of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// 32-bit integers.
    Int(Box<[u32]>),
    /// Bytes.
    Data(Box<[Box<[u8]>]>),
    /// Strings of no known encoding, without NULs.
    Str(Box<[Box<[u8]>]>),
    /// Wide strings.
    UniStr(Box<[UniStr]>),
    /// 64-bit integers.
    Int64(Box<[u64]>),
}

impl Values {
    /// The type of all of them.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::Int(_) => ValueType::Int,
            Self::Data(_) => ValueType::Data,
            Self::Str(_) => ValueType::Str,
            Self::UniStr(_) => ValueType::UniStr,
            Self::Int64(_) => ValueType::Int64,
        }
    }

    /// Their number.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Int(values) => values.len(),
            Self::Data(values) | Self::Str(values) => values.len(),
            Self::UniStr(values) => values.len(),
            Self::Int64(values) => values.len(),
        }
    }

    /// Whether there are none; an element's are never.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Values under a name (C: `ELEMENT`): 1 to [`MAX_VALUE_NUM`] of them, the name of at most [`MAX_ELEMENT_NAME_LEN`] bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Element {
    name: Box<[u8]>,
    values: Values,
}

impl Element {
    /// An element with these values (C: `NewElement`, Mayaqua/Pack.c). Strings are taken as they are.
    ///
    /// # Errors
    ///
    /// [`Error::NameTooLong`], [`Error::NulInside`], [`Error::NoValues`], [`Error::TooManyValues`].
    pub fn new(name: &[u8], values: Values) -> Result<Self, Error> {
        if name.len() > MAX_ELEMENT_NAME_LEN {
            return Err(Error::NameTooLong(as_u64(name.len())));
        }
        if name.contains(&0) {
            return Err(Error::NulInside);
        }
        match values.len() {
            0 => Err(Error::NoValues),
            many if as_u64(many) > u64::from(MAX_VALUE_NUM) => Err(Error::TooManyValues(as_u64(many))),
            _ => Ok(Self { name: name.into(), values }),
        }
    }

    /// An element of `total` values of which the one at `index` is that of `one`, and the others are 0 or empty.
    pub(super) fn with_one(name: &str, one: Values, index: usize, total: usize) -> Result<Self, Error> {
        if as_u64(total) > u64::from(MAX_VALUE_NUM) {
            return Err(Error::TooManyValues(as_u64(total)));
        }
        if total == 1 {
            return Self::new(name.as_bytes(), one);
        }
        let values = match one {
            Values::Int(_) => Values::Int(vec![0; total].into()),
            Values::Data(_) => Values::Data(vec![Box::default(); total].into()),
            Values::Str(_) => Values::Str(vec![Box::default(); total].into()),
            Values::UniStr(_) => Values::UniStr(vec![UniStr::default(); total].into()),
            Values::Int64(_) => Values::Int64(vec![0; total].into()),
        };
        let mut element = Self::new(name.as_bytes(), values)?;
        element.replace(index, one);
        Ok(element)
    }

    /// Puts the value of `one`, which is of the element's type, at `index`; outside, nothing happens.
    pub(super) fn replace(&mut self, index: usize, one: Values) {
        fn put<T>(values: &mut [T], index: usize, one: Box<[T]>) {
            if let (Some(place), Some(value)) = (values.get_mut(index), one.into_iter().next()) {
                *place = value;
            }
        }
        match (&mut self.values, one) {
            (Values::Int(values), Values::Int(one)) => put(values, index, one),
            (Values::Int64(values), Values::Int64(one)) => put(values, index, one),
            (Values::UniStr(values), Values::UniStr(one)) => put(values, index, one),
            (Values::Data(values), Values::Data(one)) | (Values::Str(values), Values::Str(one)) => {
                put(values, index, one)
            }
            _ => {}
        }
    }

    /// The name, in no known encoding (C: `ELEMENT.name`).
    #[must_use]
    pub const fn name_bytes(&self) -> &[u8] {
        &self.name
    }

    /// The name as text, with U+FFFD for what is not UTF-8.
    #[must_use]
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// The values.
    #[must_use]
    pub const fn values(&self) -> &Values {
        &self.values
    }

    /// The type of the values (C: `ELEMENT.type`).
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        self.values.value_type()
    }
}

impl fmt::Debug for Element {
    /// Name, type and number only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?} × {}", self.name(), self.value_type(), self.values.len())
    }
}

/// One 32-bit integer (C: `NewIntValue`, Mayaqua/Pack.c).
pub(super) fn int(value: u32) -> Result<Values, Error> {
    Ok(Values::Int([value].into()))
}

/// One 64-bit integer (C: `NewInt64Value`, Mayaqua/Pack.c).
pub(super) fn int64(value: u64) -> Result<Values, Error> {
    Ok(Values::Int64([value].into()))
}

/// One value of bytes (C: `NewDataValue`, Mayaqua/Pack.c).
pub(super) fn data(value: &[u8]) -> Result<Values, Error> {
    Ok(Values::Data([limited(value)?.into()].into()))
}

/// One string, trimmed (C: `NewStrValue`, Mayaqua/Pack.c).
pub(super) fn str(value: &[u8]) -> Result<Values, Error> {
    Ok(Values::Str([limited(trim(until_nul(value)))?.into()].into()))
}

/// One wide string, trimmed (C: `NewUniStrValue`, Mayaqua/Pack.c).
pub(super) fn uni_str(value: UniStr) -> Result<Values, Error> {
    let value = value.trimmed();
    limited(value.as_utf8())?;
    Ok(Values::UniStr([value].into()))
}

/// Room is left for the byte that UNISTR adds on the wire.
fn limited(value: &[u8]) -> Result<&[u8], Error> {
    if as_u64(value.len()) < u64::from(MAX_VALUE_SIZE) {
        Ok(value)
    } else {
        Err(Error::ValueTooLarge(as_u64(value.len())))
    }
}

const fn as_u64(length: usize) -> u64 {
    length as u64
}
