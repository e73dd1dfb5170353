//! Wide strings of `Mayaqua/Internat.c` and their UTF-8, as SoftEther reads and writes it.
//!
//! SoftEther's UTF-8 knows units of 16 bits only: one to three bytes each, surrogates like any other unit. Reading
//! is lenient (no check of continuation bytes, the first byte of four is taken for one of three) and writing takes
//! the lower 16 bits of a `wchar_t`. A peer that sends such strings must be read the same on both sides, so this
//! module does the same. [`UniStr`] is such a string, kept in the form in which SoftEther would write it.

use std::fmt;

/// A wide string without NUL, kept as the UTF-8 that SoftEther writes for it.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct UniStr(Box<[u8]>);

impl UniStr {
    /// From units, up to the first NUL.
    #[must_use]
    pub fn from_units(units: impl IntoIterator<Item = u16>) -> Self {
        let mut utf8 = Vec::new();
        units.into_iter().take_while(|unit| *unit != 0).for_each(|unit| push_unit(&mut utf8, unit));
        Self(utf8.into_boxed_slice())
    }

    /// From bytes as SoftEther reads them, up to the first NUL (C: `Utf8ToUni`, Mayaqua/Internat.c).
    #[must_use]
    pub fn from_utf8(bytes: &[u8]) -> Self {
        // No unit is written longer than it was read.
        let mut utf8 = Vec::with_capacity(bytes.len());
        Utf8Units::new(bytes).take_while(|unit| *unit != 0).for_each(|unit| push_unit(&mut utf8, unit));
        Self(utf8.into_boxed_slice())
    }

    /// The string's UTF-8 without a NUL (C: `UniToUtf8`, Mayaqua/Internat.c).
    #[must_use]
    pub fn as_utf8(&self) -> &[u8] {
        &self.0
    }

    /// The string's units (C: the elements of the `wchar_t` array).
    #[must_use]
    pub fn units(&self) -> Utf8Units<'_> {
        Utf8Units::new(&self.0)
    }

    /// Whether the string has no units.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without spaces and tabs at either end (C: `UniTrim`, Mayaqua/Internat.c).
    #[must_use]
    pub fn trimmed(self) -> Self {
        // Both are one byte, and no byte of a longer unit is below 0x80.
        let trimmed = crate::str::trim(&self.0);
        if trimmed.len() == self.0.len() { self } else { Self(trimmed.into()) }
    }
}

impl From<&str> for UniStr {
    /// Characters beyond 16 bits become two surrogates, up to the first NUL.
    fn from(text: &str) -> Self {
        Self::from_units(text.encode_utf16())
    }
}

impl fmt::Display for UniStr {
    /// As text; an unpaired surrogate becomes U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        char::decode_utf16(self.units()).try_for_each(|c| f.write_char(c.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

impl fmt::Debug for UniStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

/// The units of UTF-8 as SoftEther reads it: ends at the first incomplete one (C: `Utf8ToUni`, Mayaqua/Internat.c).
#[derive(Clone, Debug)]
pub struct Utf8Units<'a> {
    rest: &'a [u8],
}

impl<'a> Utf8Units<'a> {
    /// Reads `bytes` to their end; unlike in the C an empty slice is not taken for a string of unknown length.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl Iterator for Utf8Units<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let size = utf8_type(self.rest);
        let (unit, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        match *unit {
            [a] => Some(u16::from(a)),
            [a, b] => Some(u16::from(a & 0x1f) << 6 | u16::from(b & 0x3f)),
            [a, b, c] => Some(u16::from(a & 0x0f) << 12 | u16::from(b & 0x3f) << 6 | u16::from(c & 0x3f)),
            _ => None,
        }
    }
}

/// Number of bytes of the first unit of `bytes`, or 0 if it is not whole (C: `GetUtf8Type`, Mayaqua/Internat.c).
#[must_use]
pub const fn utf8_type(bytes: &[u8]) -> usize {
    let Some(first) = bytes.first() else { return 0 };
    let size = if *first & 0x80 == 0 {
        1
    } else if *first & 0x20 == 0 {
        2
    } else {
        3
    };
    if bytes.len() < size { 0 } else { size }
}

/// Number of bytes of `unit` in UTF-8: 1 to 3 (C: `GetUniType`, Mayaqua/Internat.c).
#[must_use]
pub const fn uni_type(unit: u16) -> usize {
    match unit {
        0..=0x7f => 1,
        0x80..=0x7ff => 2,
        _ => 3,
    }
}

/// Appends one unit (C: the body of the loop of `UniToUtf8`, Mayaqua/Internat.c).
fn push_unit(utf8: &mut Vec<u8>, unit: u16) {
    let [high, low] = unit.to_be_bytes();
    let continuation = 0x80 | low & 0x3f;
    let second = 0x80 | (high & 0x0f) << 2 | low >> 6;
    match uni_type(unit) {
        1 => utf8.push(low),
        2 => utf8.extend([0xc0 | (high & 0x07) << 2 | low >> 6, continuation]),
        _ => utf8.extend([0xe0 | high >> 4, second, continuation]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_at_the_edges_of_each_length() {
        for (unit, utf8) in [
            (0x01u16, &[0x01u8][..]),
            (0x7f, &[0x7f]),
            (0x80, &[0xc2, 0x80]),
            (0x7ff, &[0xdf, 0xbf]),
            (0x800, &[0xe0, 0xa0, 0x80]),
            (0xd83d, &[0xed, 0xa0, 0xbd]),
            (0xffff, &[0xef, 0xbf, 0xbf]),
        ] {
            assert_eq!(UniStr::from_units([unit]).as_utf8(), utf8);
            assert_eq!(Utf8Units::new(utf8).collect::<Vec<_>>(), [unit]);
        }
    }

    #[test]
    fn an_incomplete_unit_ends_the_string() {
        for cut in [&b"a\xc3"[..], b"a\xe3", b"a\xe3\x81", b"a\xff\xff"] {
            assert_eq!(UniStr::from_utf8(cut).as_utf8(), b"a");
        }
    }

    #[test]
    fn an_overlong_nul_ends_the_string() {
        assert_eq!(UniStr::from_utf8(b"a\xc0\x80b").as_utf8(), b"a");
    }

    #[test]
    fn characters_beyond_16_bits_are_surrogates_and_come_back() {
        let string = UniStr::from("日本 🦀");
        assert_eq!(string.units().count(), 5);
        assert_eq!(string.to_string(), "日本 🦀");
        assert_eq!(UniStr::from_units([0xd83d]).to_string(), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same(units: Vec<u16>) {
            let string = UniStr::from_units(units.iter().copied());
            let expected: Vec<u16> = units.into_iter().take_while(|unit| *unit != 0).collect();
            prop_assert_eq!(string.units().collect::<Vec<_>>(), expected);
            prop_assert_eq!(&UniStr::from_utf8(string.as_utf8()), &string);
        }

        /// What the length of the result of `from_utf8` rests on.
        #[test]
        fn nothing_is_written_longer_than_it_was_read(bytes: Vec<u8>) {
            prop_assert!(UniStr::from_utf8(&bytes).as_utf8().len() <= bytes.len());
        }
    }
}
