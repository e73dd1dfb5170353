//! Numbers in decimal digits, as the C reads and writes them (C: Mayaqua/Str.c).

use super::{MAX_SIZE, parse_token_without_null_str, start_with, str_cpy, trim};

/// The number that the string begins with (C: `ToInt` and `ToInti`, Mayaqua/Str.c, which stand on `strtoul`).
///
/// Leading zeros count for nothing, `0x` begins a hexadecimal number, space and a sign may stand in front. What does not
/// fit 64 bits is 2^64 - 1, negative numbers count down from 2^64, and the lower 32 bits are the result.
#[must_use]
pub fn to_int(string: &[u8]) -> u32 {
    let zeros = string.windows(2).take_while(|pair| pair[0] == b'0' && !matches!(pair[1], b'x' | b'X')).count();
    let mut string = &string[zeros..];
    if string == b"0" {
        return 0;
    }
    let spaces = string.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    string = &string[spaces..];
    let negative = string.first() == Some(&b'-');
    if let [b'-' | b'+', rest @ ..] = string {
        string = rest;
    }
    let (radix, digits) = match string {
        [b'0', b'x' | b'X', digits @ ..] if digits.first().is_some_and(u8::is_ascii_hexdigit) => (16, digits),
        // A zero behind space or a sign: here the C's library reads it as octal.
        [b'0', digits @ ..] => (8, digits),
        digits => (10, digits),
    };
    let value = digits
        .iter()
        .map_while(|digit| char::from(*digit).to_digit(radix))
        .try_fold(0u64, |value, digit| value.checked_mul(radix.into())?.checked_add(digit.into()));
    let value = match (value, negative) {
        (None, _) => u64::MAX,
        (Some(value), true) => value.wrapping_neg(),
        (Some(value), false) => value,
    };
    low_32_bits(value)
}

/// The number that the string begins with, commas left out, modulo 2^64 (C: `ToInt64`, Mayaqua/Str.c).
#[must_use]
pub fn to_int64(string: &[u8]) -> u64 {
    let digits = string.iter().filter(|byte| **byte != b',').take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |value: u64, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

/// Whether the first word holds nothing but digits, `+`, `,` and at most one `-` (C: `IsNum`, Mayaqua/Str.c, of the first
/// 511 bytes).
#[must_use]
pub fn is_num(string: &[u8]) -> bool {
    let string = trim(str_cpy(MAX_SIZE, string));
    let Some(word) = parse_token_without_null_str(string, b" ").next() else {
        return false;
    };
    let fits = word.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b','));
    fits && word.iter().filter(|byte| **byte == b'-').count() < 2
}

/// Whether the string means yes: a number other than 0, or `true` or `yes`, whole, begun or gone on with, but for case
/// (C: `ToBool`, Mayaqua/Str.c, of the first 511 bytes).
#[must_use]
pub fn to_bool(string: &[u8]) -> bool {
    let string = trim(str_cpy(MAX_SIZE, string));
    let means = |word: &[u8]| start_with(word, string) || start_with(string, word);
    to_int(string) != 0 || means(b"true") || means(b"yes")
}

/// A number with a comma after every third digit from the right (C: `ToStr3`, Mayaqua/Str.c).
#[must_use]
pub fn to_str3(value: u64) -> String {
    let digits = value.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let (mut string, rest) = (digits[..first].to_owned(), &digits[first..]);
    for three in rest.as_bytes().chunks(3) {
        string.push(',');
        string.extend(three.iter().copied().map(char::from));
    }
    string
}

fn low_32_bits(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
