//! Characters that may stand in names, terminals and header lines (C: Mayaqua/Str.c).

use super::hex_to_4bit;

/// Whether a character may stand in names of files and objects (C: `IsSafeChar`, Mayaqua/Str.c).
#[must_use]
pub const fn is_safe_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'(' | b')' | b'-' | b'_' | b'#' | b'%' | b'&' | b'.')
}

/// Whether all characters are safe and no space is at either end (C: `IsSafeStr`, Mayaqua/Str.c).
#[must_use]
pub fn is_safe_str(string: &[u8]) -> bool {
    let spaced = string.first() == Some(&b' ') || string.last() == Some(&b' ');
    !spaced && string.iter().all(|byte| is_safe_char(*byte))
}

/// With `replace` for every character that is not safe (C: `EnSafeStr`, Mayaqua/Str.c).
#[must_use]
pub fn en_safe_str(string: &[u8], replace: u8) -> Vec<u8> {
    string.iter().map(|byte| if is_safe_char(*byte) { *byte } else { replace }).collect()
}

/// Whether a character is printable ASCII (C: `IsPrintableAsciiChar`, Mayaqua/Str.c).
#[must_use]
pub const fn is_printable_ascii_char(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// With `replace` for every character that is not printable ASCII (C: `EnPrintableAsciiStr`, Mayaqua/Str.c).
#[must_use]
pub fn en_printable_ascii_str(string: &[u8], replace: u8) -> Vec<u8> {
    string.iter().map(|byte| if is_printable_ascii_char(*byte) { *byte } else { replace }).collect()
}

/// Without line ends, written out (`\r`, `\n`, two characters each) or not, so that the string stays one header line
/// (C: `EnSafeHttpHeaderValueStr`, Mayaqua/Str.c).
///
/// With a space for `replace` they are taken out, with anything else overwritten. As in the C the character behind one
/// that was taken out is not looked at: of CR LF the LF stays. (The C also reads a byte behind the string's NUL.)
#[must_use]
pub fn en_safe_http_header_value_str(string: &[u8], replace: u8) -> Vec<u8> {
    let mut safe = Vec::with_capacity(string.len());
    let mut rest = string;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind, replace) {
            (b'\r' | b'\n', _, b' ') => {
                if let Some((skipped, behind)) = behind.split_first() {
                    safe.push(*skipped);
                    rest = behind;
                }
            }
            (b'\r' | b'\n', _, _) => safe.push(replace),
            (b'\\', [b'r' | b'n', behind @ ..], b' ') => rest = behind,
            (b'\\', [b'r' | b'n', behind @ ..], _) => {
                safe.extend([replace, replace]);
                rest = behind;
            }
            _ => safe.push(*first),
        }
    }
    safe
}

/// With `%41` for `A` and `+` for a space, up to the first NUL (C: `UrlDecode`, Mayaqua/Str.c). Digits that are none end the
/// number, as in the C: `%4x` is 4.
#[must_use]
pub fn url_decode(string: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(string.len());
    let mut rest = string;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        decoded.push(match (first, behind) {
            (b'%', [high, low, behind @ ..]) => {
                rest = behind;
                match (high.is_ascii_hexdigit(), low.is_ascii_hexdigit()) {
                    (true, true) => hex_to_4bit(*high) << 4 | hex_to_4bit(*low),
                    (true, false) => hex_to_4bit(*high),
                    (false, _) => 0,
                }
            }
            (b'+', _) => b' ',
            _ => *first,
        });
    }
    super::until_nul(&decoded).to_vec()
}
