//! Strings of `Mayaqua/Str.c` as bytes: the C's `char *` has no encoding, and neither has anything here.
//!
//! A string is a slice up to its end or its first NUL, whichever comes first; the functions here take slices that hold no
//! NUL and give such. Where the C writes into a block of a given size, [`str_cpy`] and [`str_cat`] say what is left in it.
//! Not here: wide strings ([`crate::uni_str`]), variadic formatting (`format!` is its successor), JSON, INI files.

mod hex;
mod number;
mod safe;
mod token;

pub use hex::{
    bin_to_str, bin_to_str_ex, hex_to_4bit, hex_to_int, mac_to_str, str_to_bin, str_to_bin_bytes, str_to_mac, to_hex,
};
pub use number::{is_num, to_bool, to_int, to_int64, to_str3};
pub use safe::{
    en_printable_ascii_str, en_safe_http_header_value_str, en_safe_str, is_printable_ascii_char, is_safe_char,
    is_safe_str, url_decode,
};
pub use token::{
    DEFAULT_SEPARATORS, get_key_and_value, in_str_list, parse_cmd_line, parse_token_with_null_str,
    parse_token_without_null_str, unique_token,
};

use std::cmp::Ordering;
use std::ffi::CStr;

/// Most bytes of strings in many of the C's blocks, with the NUL (C: the same name, MayaType.h).
pub const MAX_SIZE: usize = 512;

/// The upper case of an ASCII letter, anything else as it is (C: `ToUpper`, Mayaqua/Str.c).
#[must_use]
pub const fn to_upper(byte: u8) -> u8 {
    byte.to_ascii_uppercase()
}

/// The lower case of an ASCII letter, anything else as it is (C: `ToLower`, Mayaqua/Str.c).
#[must_use]
pub const fn to_lower(byte: u8) -> u8 {
    byte.to_ascii_lowercase()
}

/// The bytes before the first NUL: what the C takes for the string in a block of memory.
#[must_use]
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    CStr::from_bytes_until_nul(bytes).map_or(bytes, CStr::to_bytes)
}

/// Whether the string in `block` has at most `length` bytes (C: `StrCheckLen`, Mayaqua/Str.c). A block without a NUL has
/// no string that does.
#[must_use]
pub fn str_check_len(block: &[u8], length: usize) -> bool {
    block.iter().position(|byte| *byte == 0).is_some_and(|end| end <= length)
}

/// `src` as `StrCpy` leaves it in a block of `size` bytes: cut at the first NUL and at `size - 1` bytes
/// (C: `StrCpy`, Mayaqua/Str.c). A `size` of 0 means no limit, as in the C.
#[must_use]
pub fn str_cpy(size: usize, src: &[u8]) -> &[u8] {
    let src = until_nul(src);
    &src[..str_cpy_len(size, src.len())]
}

/// How many of a string's `length` bytes [`str_cpy`] leaves in a block of `size` bytes, the NUL not counted.
#[must_use]
#[inline]
pub const fn str_cpy_len(size: usize, length: usize) -> usize {
    if size == 0 || length < size { length } else { size - 1 }
}

/// The part of `src` that `StrCat` appends to a string of `length` bytes in a block of `size` bytes
/// (C: `StrCat`, Mayaqua/Str.c). A `size` of 0 means no limit, as in the C.
///
/// Where nothing fits the C returns 0 and leaves the string; where only some fits it may append one byte less than would
/// fit, as here.
#[must_use]
pub fn str_cat(length: usize, size: usize, src: &[u8]) -> &[u8] {
    let src = until_nul(src);
    &src[..str_cat_len(length, size, src.len())]
}

/// How many of the `added` bytes of a string [`str_cat`] appends.
#[must_use]
#[inline]
pub const fn str_cat_len(length: usize, size: usize, added: usize) -> usize {
    let too_many = match size {
        0 => 0,
        _ => (length + added + 1).saturating_sub(size),
    };
    added.saturating_sub(too_many)
}

/// Compares byte by byte (C: `StrCmp`, Mayaqua/Str.c). Bytes are unsigned here, unlike in [`str_cmpi`].
#[must_use]
pub fn str_cmp(a: &[u8], b: &[u8]) -> Ordering {
    a.cmp(b)
}

/// As [`str_cmpi`], of strings that nobody has measured: their bytes up to the NUL or further, of which no more are taken than
/// are needed.
pub fn str_cmpi_unmeasured(a: impl IntoIterator<Item = u8>, b: impl IntoIterator<Item = u8>) -> Ordering {
    for (a, b) in a.into_iter().zip(b) {
        let order = to_upper(a).cast_signed().cmp(&to_upper(b).cast_signed());
        if order.is_ne() || a == 0 {
            return order;
        }
    }
    Ordering::Equal
}

/// Compares without regard to the case of ASCII letters (C: `StrCmpi`, Mayaqua/Str.c).
///
/// Bytes compare as signed, which is what `char` is in SoftEther's builds: those from 0x80 come first, before
/// the end of the string even.
#[must_use]
pub fn str_cmpi(a: &[u8], b: &[u8]) -> Ordering {
    let same = a.iter().zip(b).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let at = |string: &[u8]| string.get(same).map_or(0, |byte| to_upper(*byte)).cast_signed();
    at(a).cmp(&at(b))
}

/// Whether nothing but spaces and tabs is there (C: `IsEmptyStr`, Mayaqua/Str.c).
#[must_use]
pub fn is_empty_str(string: &[u8]) -> bool {
    trim(string).is_empty()
}

/// Whether the string ends so, but for case (C: `EndWith`, Mayaqua/Str.c).
#[must_use]
pub fn end_with(string: &[u8], key: &[u8]) -> bool {
    string.len().checked_sub(key.len()).is_some_and(|start| string[start..].eq_ignore_ascii_case(key))
}

/// Whether the string begins so, but for case; with nothing no string begins (C: `StartWith`, Mayaqua/Str.c).
#[must_use]
pub fn start_with(string: &[u8], key: &[u8]) -> bool {
    !key.is_empty() && string.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key))
}

/// The string without the end `key`, if it ends so but for case (C: `TrimEndWith`, Mayaqua/Str.c).
#[must_use]
pub fn trim_end_with<'a>(string: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    end_with(string, key).then(|| &string[..string.len() - key.len()])
}

/// The first place from `start` on where `keyword` is; an empty one is nowhere (C: `SearchStrEx`, Mayaqua/Str.c).
#[must_use]
pub fn search_str_ex(string: &[u8], keyword: &[u8], start: usize, case_sensitive: bool) -> Option<usize> {
    if keyword.is_empty() {
        return None;
    }
    let same = |window: &[u8]| if case_sensitive { window == keyword } else { window.eq_ignore_ascii_case(keyword) };
    let found = string.get(start..)?.windows(keyword.len()).position(same)?;
    Some(start + found)
}

/// As [`search_str_ex`], with case (C: `SearchStr`, Mayaqua/Str.c).
#[must_use]
pub fn search_str(string: &[u8], keyword: &[u8], start: usize) -> Option<usize> {
    search_str_ex(string, keyword, start, true)
}

/// Whether `keyword`, which is not blank, is in the string (C: `InStrEx`, Mayaqua/Str.c).
#[must_use]
pub fn in_str_ex(string: &[u8], keyword: &[u8], case_sensitive: bool) -> bool {
    let blank = is_empty_str(string) || is_empty_str(keyword);
    !blank && search_str_ex(string, keyword, 0, case_sensitive).is_some()
}

/// Every `old` replaced by `new`, and how many there were (C: `ReplaceStrEx`, Mayaqua/Str.c, which then cuts the result
/// to its block's size). An empty `old` is nowhere.
#[must_use]
pub fn replace_str_ex(string: &[u8], old: &[u8], new: &[u8], case_sensitive: bool) -> (Vec<u8>, usize) {
    let (mut replaced, mut count, mut copied) = (Vec::with_capacity(string.len()), 0, 0);
    while let Some(found) = search_str_ex(string, old, copied, case_sensitive) {
        replaced.extend_from_slice(&string[copied..found]);
        replaced.extend_from_slice(new);
        copied = found + old.len();
        count += 1;
    }
    replaced.extend_from_slice(&string[copied..]);
    (replaced, count)
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

/// Without one line end: CR LF, LF or CR (C: `TrimCrlf`, Mayaqua/Str.c).
#[must_use]
pub fn trim_crlf(string: &[u8]) -> &[u8] {
    let without_lf = string.strip_suffix(b"\n");
    without_lf
        .map_or_else(|| string.strip_suffix(b"\r").unwrap_or(string), |rest| rest.strip_suffix(b"\r").unwrap_or(rest))
}

/// Without a quotation mark at its end and one at its start, each by itself (C: `TrimQuotes`, Mayaqua/Str.c).
#[must_use]
pub fn trim_quotes(string: &[u8]) -> &[u8] {
    let string = string.strip_suffix(b"\"").unwrap_or(string);
    string.strip_prefix(b"\"").unwrap_or(string)
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests;
