//! What can be wrong with a PACK.

use super::{MAX_ELEMENT_NAME_LEN, MAX_ELEMENT_NUM, MAX_PACK_SIZE, MAX_VALUE_NUM, MAX_VALUE_SIZE};

/// What is wrong with a PACK that is read, or with what is to be added to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input ends before the PACK does. (The C goes on with zeros.)
    #[error("the PACK ends after {0} bytes, in the middle of it")]
    Truncated(u64),
    /// More than [`MAX_PACK_SIZE`] bytes.
    #[error("a PACK of {0} bytes; at most {MAX_PACK_SIZE} are legal")]
    PackTooLarge(u64),
    /// More than [`MAX_ELEMENT_NUM`] elements.
    #[error("{0} elements; at most {MAX_ELEMENT_NUM} are legal")]
    TooManyElements(u64),
    /// More than [`MAX_VALUE_NUM`] values in one element.
    #[error("{0} values in one element; at most {MAX_VALUE_NUM} are legal")]
    TooManyValues(u64),
    /// An element without values.
    #[error("an element without values")]
    NoValues,
    /// A name's length field of 0, which counts one more than the name has.
    #[error("a name without a length")]
    NoName,
    /// More than [`MAX_ELEMENT_NAME_LEN`] bytes in a name. (The C cuts it.)
    #[error("a name of {0} bytes; at most {MAX_ELEMENT_NAME_LEN} are legal")]
    NameTooLong(u64),
    /// Two elements of one name, but for case, or of one name and two types.
    #[error("an element of that name is there already")]
    DuplicateName,
    /// A type that is none. (The C takes such values for present and empty.)
    #[error("values of the unknown type {0}")]
    UnknownType(u32),
    /// More than [`MAX_VALUE_SIZE`] bytes in one value.
    #[error("a value of {0} bytes; at most {MAX_VALUE_SIZE} are legal")]
    ValueTooLarge(u64),
    /// Text after a NUL, in a name or in a string. (The C cuts it.)
    #[error("text behind a NUL")]
    NulInside,
    /// The place of a value is not below the number of values.
    #[error("value {index} of {total}")]
    IndexOutOfRange {
        /// The place.
        index: usize,
        /// The number of values.
        total: usize,
    },
}
