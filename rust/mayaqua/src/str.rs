//! Strings of `Mayaqua/Str.c` as bytes: the C's `char *` has no encoding, and neither has anything here.
//!
//! Not here: wide strings ([`crate::uni_str`]), variadic formatting (`format!` is its successor).

use std::cmp::Ordering;

/// The upper case of an ASCII letter, anything else as it is (C: `ToUpper`, Mayaqua/Str.c).
#[must_use]
pub const fn to_upper(byte: u8) -> u8 {
    byte.to_ascii_uppercase()
}

/// The bytes before the first NUL: what the C takes for the string in a block of memory.
#[must_use]
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// `src` as `StrCpy` leaves it in a block of `size` bytes: cut at the first NUL and at `size - 1` bytes
/// (C: `StrCpy`, Mayaqua/Str.c). A `size` of 0 means no limit, as in the C.
#[must_use]
pub fn str_cpy(size: usize, src: &[u8]) -> &[u8] {
    let src = until_nul(src);
    if size == 0 { src } else { &src[..src.len().min(size - 1)] }
}

/// Compares without regard to the case of ASCII letters (C: `StrCmpi`, Mayaqua/Str.c).
///
/// Bytes compare as signed, which is what `char` is in SoftEther's builds: those from 0x80 come first, before
/// the end of the string even.
#[must_use]
pub fn str_cmpi(a: &[u8], b: &[u8]) -> Ordering {
    compare(a, b, to_upper)
}

/// Compares byte by byte, as signed (C: `StrCmp`, Mayaqua/Str.c, without its dependence on `strcmp`'s signedness).
fn compare(a: &[u8], b: &[u8], fold: fn(u8) -> u8) -> Ordering {
    let at = |string: &[u8], index: usize| fold(string.get(index).copied().unwrap_or(0)).cast_signed();
    let first_difference = (0..a.len().max(b.len())).map(|index| at(a, index).cmp(&at(b, index)));
    first_difference.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Without spaces and tabs at either end (C: `Trim`, Mayaqua/Str.c).
#[must_use]
pub fn trim(string: &[u8]) -> &[u8] {
    trim_right(trim_left(string))
}

/// Without spaces and tabs at its start (C: `TrimLeft`, Mayaqua/Str.c).
#[must_use]
pub fn trim_left(string: &[u8]) -> &[u8] {
    let start = string.iter().position(|byte| !is_blank(*byte)).unwrap_or(string.len());
    &string[start..]
}

/// Without spaces and tabs at its end (C: `TrimRight`, Mayaqua/Str.c).
#[must_use]
pub fn trim_right(string: &[u8]) -> &[u8] {
    let end = string.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
    &string[..end]
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
