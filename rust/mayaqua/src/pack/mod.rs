//! PACK, the message format of SoftEther's control plane (`Mayaqua/Pack.c`): named, typed lists of values.
//!
//! ```text
//! pack    = u32 number of elements, element …
//! element = u32 length of name + 1, name, u32 type, u32 number of values, value …
//! value   = u32                              (INT)
//!         | u64                              (INT64)
//!         | u32 size, bytes                  (DATA, STR)
//!         | u32 size, UTF-8 with its NUL     (UNISTR)
//! ```
//!
//! All integers are big-endian. Names are unique without regard to case.
//!
//! - [`Pack`] holds a whole message; [`Pack::decode`] allocates at most four times its input plus 64 KiB.
//! - [`scan::Scanner`] reads a message in chunks of any size with constant memory, and finds what is wrong with it at
//!   the first wrong byte.
//! - Reading is strict where the C guesses: what a sound peer never sends is an [`Error`], and each such case is a row of
//!   docs/LEGACY_BEHAVIOUR.md.
//!
//! Not here: the JSON form of a PACK and its hints (no client sends it), certificates and keys as values (they are DATA).

mod address;
mod decode;
mod element;
mod encode;
mod error;
pub mod scan;

pub use address::Ip;
pub use element::{Element, ValueType, Values};
pub use error::Error;

use crate::str::{str_cmpi, str_cpy};
use crate::uni_str::UniStr;
use std::cmp::Ordering;

/// Most bytes of one value (C: the same name, Pack.h, on 64 bits).
pub const MAX_VALUE_SIZE: u32 = 384 * 1024 * 1024;
/// Most values of one element (C: the same name, Pack.h, on 64 bits).
pub const MAX_VALUE_NUM: u32 = 262_144;
/// Most bytes of an element's name (C: the same name, Pack.h).
pub const MAX_ELEMENT_NAME_LEN: usize = 63;
/// Most elements of a PACK (C: the same name, Pack.h, on 64 bits).
pub const MAX_ELEMENT_NUM: u32 = 262_144;
/// Most bytes of an encoded PACK (C: the same name, Pack.h, on 64 bits).
pub const MAX_PACK_SIZE: u32 = 512 * 1024 * 1024;
/// What [`Pack::get_num`] is cut to (C: a number in `PackGetNum`, Pack.c).
pub const MAX_NUM: u32 = 65_536;

/// A message: elements by name (C: `PACK`).
///
/// The C keeps its elements in a list that every search sorts; what it writes is therefore in order of name, except for
/// an element that was added since. [`Pack::encode`] writes the same bytes.
#[derive(Clone, Debug, Default)]
pub struct Pack {
    /// In order of adding.
    elements: Vec<Element>,
    /// Places in `elements`, in order of name.
    order: Vec<u32>,
    /// The element that was added after everything was last sorted.
    last_added: Option<u32>,
}

impl Pack {
    /// A PACK without elements (C: `NewPack`, Mayaqua/Pack.c).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of elements (C: `LIST_NUM(p->elements)`).
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The elements in the order in which they are written (C: `GetPackElementNames` gives their names).
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        let sorted = self.order.iter().copied().filter(|place| Some(*place) != self.last_added);
        sorted.chain(self.last_added).filter_map(|place| self.elements.get(place as usize))
    }

    /// The element of that name, of any type (C: `GetElement` with `INFINITE`, Mayaqua/Pack.c).
    #[must_use]
    pub fn element(&self, name: &str) -> Option<&Element> {
        let position = self.search(name.as_bytes()).ok()?;
        self.elements.get(*self.order.get(position)? as usize)
    }

    /// Whether there is an element of that name (C: `IsElement` and `PackIsValueExists`, Mayaqua/Pack.c).
    #[must_use]
    pub fn is_element(&self, name: &str) -> bool {
        self.element(name).is_some()
    }

    /// Number of values of the element of that name, 0 if there is none (C: `PackGetIndexCount`, Mayaqua/Pack.c).
    #[must_use]
    pub fn index_count(&self, name: &str) -> usize {
        self.element(name).map_or(0, |element| element.values().len())
    }

    /// Adds an element (C: `AddElement`, Mayaqua/Pack.c).
    ///
    /// # Errors
    ///
    /// [`Error::TooManyElements`], [`Error::DuplicateName`], with the elements unchanged.
    pub fn add_element(&mut self, element: Element) -> Result<(), Error> {
        let place = u32::try_from(self.elements.len()).ok().filter(|place| *place < MAX_ELEMENT_NUM);
        let place = place.ok_or(Error::TooManyElements(u64::from(MAX_ELEMENT_NUM) + 1))?;
        let Err(position) = self.search(element.name_bytes()) else {
            // The C has searched, and so sorted.
            self.last_added = None;
            return Err(Error::DuplicateName);
        };
        self.elements.push(element);
        self.order.insert(position, place);
        self.last_added = Some(place);
        Ok(())
    }

    /// Removes the element of that name; whether there was one (C: `DelElement`, Mayaqua/Pack.c).
    pub fn del_element(&mut self, name: &str) -> bool {
        let Ok(position) = self.search(name.as_bytes()) else {
            return false;
        };
        let place = self.order.remove(position);
        self.elements.remove(place as usize);
        self.order.iter_mut().filter(|other| **other > place).for_each(|other| *other -= 1);
        self.last_added = None;
        true
    }

    /// Brings all elements into the order of their names, as any search does in the C (C: `Search`, Mayaqua/Memory.c).
    pub fn sort(&mut self) {
        self.last_added = None;
    }

    /// A message that says only that something failed (C: `PackError`, Mayaqua/Network.c).
    #[must_use]
    pub fn of_error(error: u32) -> Self {
        let mut pack = Self::new();
        // An empty PACK has room for an element of this name.
        let _ = pack.add_int("error", error);
        pack
    }

    /// The error that a message says; 0 for none (C: `GetErrorFromPack`, Mayaqua/Network.c).
    #[must_use]
    pub fn error(&self) -> u32 {
        self.get_int("error")
    }

    /// Adds padding, so that the length of a message says little: `random` is bytes of a random number below
    /// [`crate::http::HTTP_PACK_RAND_SIZE_MAX`] (C: `CreateDummyValue`, Mayaqua/Network.c).
    ///
    /// # Errors
    ///
    /// As [`Pack::add_element`].
    pub fn add_dummy_value(&mut self, random: &[u8]) -> Result<(), Error> {
        self.add_data("pencore", random)
    }

    /// Puts one value of an element with `total` values, making the element if there is none
    /// (C: `PackAddIntEx`, `PackAddDataEx` and their kind, Mayaqua/Pack.c).
    ///
    /// As in the C nothing happens if the element has fewer than `total` values. The C leaves a hole where no value
    /// was ever put, and then writes a PACK that none can read; here it is 0 or empty (known difference `pack-hole`).
    fn put(&mut self, name: &str, one: Values, index: usize, total: usize) -> Result<(), Error> {
        if index >= total {
            return Err(Error::IndexOutOfRange { index, total });
        }
        let Ok(position) = self.search(name.as_bytes()) else {
            return self.add_element(Element::with_one(name, one, index, total)?);
        };
        let place = self.order.get(position).copied().unwrap_or_default();
        let element = self.elements.get_mut(place as usize).ok_or(Error::DuplicateName)?;
        self.last_added = None;
        if element.value_type() != one.value_type() {
            return Err(Error::DuplicateName);
        }
        if element.values().len() >= total {
            element.replace(index, one);
        }
        Ok(())
    }

    /// The place of a name in `order`, or where it would be.
    fn search(&self, name: &[u8]) -> Result<usize, usize> {
        self.order.binary_search_by(|place| self.compare(*place, name))
    }

    fn compare(&self, place: u32, name: &[u8]) -> Ordering {
        self.elements.get(place as usize).map_or(Ordering::Less, |element| str_cmpi(element.name_bytes(), name))
    }
}

/// What the C makes of a name that is too long: its first 63 bytes (C: `StrCpy` in `NewElement` and `GetElement`,
/// Mayaqua/Pack.c). Here a long name is an error where one is added, and not found where one is looked for.
#[must_use]
pub fn cut_name(name: &[u8]) -> &[u8] {
    str_cpy(MAX_ELEMENT_NAME_LEN + 1, name)
}

/// Adds the functions for one type of value.
macro_rules! values {
    ($add:ident, $add_ex:ident: $argument:ty, $make:expr, $(#[$add_doc:meta])+;
     $get:ident, $get_ex:ident: $result:ty, $variant:ident, $view:expr, $(#[$get_doc:meta])+) => {
        impl Pack {
            $(#[$add_doc])+
            ///
            /// # Errors
            ///
            /// [`Error::DuplicateName`], [`Error::NameTooLong`], [`Error::NulInside`], [`Error::ValueTooLarge`],
            /// [`Error::TooManyElements`], with the elements unchanged.
            pub fn $add(&mut self, name: &str, value: $argument) -> Result<(), Error> {
                self.add_element(Element::with_one(name, $make(value)?, 0, 1)?)
            }

            /// The same for the value at `index` of `total`, one call for each.
            ///
            /// # Errors
            ///
            /// As above, and [`Error::IndexOutOfRange`], [`Error::TooManyValues`]. Name and type of a present element
            /// agree, or it is [`Error::DuplicateName`].
            pub fn $add_ex(&mut self, name: &str, value: $argument, index: usize, total: usize) -> Result<(), Error> {
                self.put(name, $make(value)?, index, total)
            }

            $(#[$get_doc])+
            #[must_use]
            pub fn $get(&self, name: &str) -> $result {
                self.$get_ex(name, 0)
            }

            /// The same for the value at `index`.
            #[must_use]
            pub fn $get_ex(&self, name: &str, index: usize) -> $result {
                $view(match self.element(name).map(Element::values) {
                    Some(Values::$variant(values)) => values.get(index),
                    _ => None,
                })
            }
        }
    };
}

values! {
    add_int, add_int_ex: u32, element::int,
    /// Adds a 32-bit integer (C: `PackAddInt`, `PackAddIntEx` and `PackAddNum`, Mayaqua/Pack.c).
    ;
    get_int, get_int_ex: u32, Int, |value: Option<&u32>| value.copied().unwrap_or(0),
    /// A 32-bit integer; 0 if there is none (C: `PackGetInt` and `PackGetIntEx`, Mayaqua/Pack.c).
}

values! {
    add_int64, add_int64_ex: u64, element::int64,
    /// Adds a 64-bit integer (C: `PackAddInt64`, `PackAddInt64Ex`, `PackAddTime64` and its `Ex`, Mayaqua/Pack.c).
    ;
    get_int64, get_int64_ex: u64, Int64, |value: Option<&u64>| value.copied().unwrap_or(0),
    /// A 64-bit integer; 0 if there is none (C: `PackGetInt64` and `PackGetInt64Ex`, Mayaqua/Pack.c).
}

values! {
    add_bool, add_bool_ex: bool, |value: bool| element::int(value.into()),
    /// Adds 1 or 0 as a 32-bit integer (C: `PackAddBool` and `PackAddBoolEx`, Mayaqua/Pack.c).
    ;
    get_bool, get_bool_ex: bool, Int, |value: Option<&u32>| value.is_some_and(|value| *value != 0),
    /// Whether there is a 32-bit integer other than 0 (C: `PackGetBool` and `PackGetBoolEx`, Mayaqua/Pack.c).
}

values! {
    add_data, add_data_ex: &[u8], element::data,
    /// Adds bytes (C: `PackAddData`, `PackAddDataEx`, `PackAddBuf` and `PackAddBufEx`, Mayaqua/Pack.c).
    ;
    get_data, get_data_ex: Option<&[u8]>, Data, |value: Option<_>| value.map(Box::as_ref),
    /// Bytes (C: `PackGetData`, `PackGetData2`, `PackGetBuf`, `PackGetDataSize` and their `Ex`, Mayaqua/Pack.c, all of
    /// which copy them; those without a size copy as many as there are).
}

values! {
    add_str, add_str_ex: &[u8], element::str,
    /// Adds a string of no known encoding, up to its first NUL and without spaces and tabs at its ends
    /// (C: `PackAddStr` and `PackAddStrEx`, Mayaqua/Pack.c).
    ;
    get_str, get_str_ex: Option<&[u8]>, Str, |value: Option<_>| value.map(Box::as_ref),
    /// A string of no known encoding (C: `PackGetStr` and `PackGetStrEx`, Mayaqua/Pack.c).
}

values! {
    add_uni_str, add_uni_str_ex: UniStr, element::uni_str,
    /// Adds a wide string without spaces and tabs at its ends (C: `PackAddUniStr` and `PackAddUniStrEx`, Mayaqua/Pack.c).
    ;
    get_uni_str, get_uni_str_ex: Option<&UniStr>, UniStr, |value| value,
    /// A wide string (C: `PackGetUniStr` and `PackGetUniStrEx`, Mayaqua/Pack.c).
}

impl Pack {
    /// A 32-bit integer cut to [`MAX_NUM`]; 0 if there is none (C: `PackGetNum`, Mayaqua/Pack.c).
    #[must_use]
    pub fn get_num(&self, name: &str) -> u32 {
        self.get_int(name).min(MAX_NUM)
    }

    /// Whether there is a string that is `expected` but for case (C: `PackCmpStr`, Mayaqua/Pack.c, of the first
    /// 511 bytes).
    #[must_use]
    pub fn cmp_str(&self, name: &str, expected: &[u8]) -> bool {
        self.get_str(name).is_some_and(|value| str_cmpi(str_cpy(512, value), expected).is_eq())
    }
}

#[cfg(test)]
mod tests;
