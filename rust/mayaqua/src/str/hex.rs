//! Bytes and numbers as hexadecimal digits (C: Mayaqua/Str.c).

/// The value of a hexadecimal digit, 0 for anything else (C: `HexTo4Bit`, Mayaqua/Str.c).
#[must_use]
pub const fn hex_to_4bit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// The number that the string begins with, after an optional `0x`, modulo 2^32 (C: `HexToInt`, Mayaqua/Str.c).
#[must_use]
pub fn hex_to_int(string: &[u8]) -> u32 {
    let digits = match string {
        [b'0', b'x' | b'X', digits @ ..] => digits,
        digits => digits,
    };
    let digits = digits.iter().take_while(|digit| digit.is_ascii_hexdigit());
    digits.fold(0, |value: u32, digit| value.wrapping_shl(4).wrapping_add(u32::from(hex_to_4bit(*digit))))
}

/// A number in lower case, without leading zeros (C: `ToHex`, Mayaqua/Str.c).
#[must_use]
pub fn to_hex(value: u32) -> String {
    format!("{value:x}")
}

/// Bytes as digits in upper case (C: `BinToStr`, `CopyBinToStr` and `Bit160ToStr`, Mayaqua/Str.c).
#[must_use]
pub fn bin_to_str(data: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    let mut string = String::with_capacity(data.len().saturating_mul(2));
    data.iter().for_each(|byte| string.extend([digit(byte >> 4), digit(*byte)]));
    string
}

/// Bytes as digits in upper case, two by two (C: `BinToStrEx`, `CopyBinToStrEx`, with a space, and `BinToStrEx2`,
/// Mayaqua/Str.c).
#[must_use]
pub fn bin_to_str_ex(data: &[u8], separator: char) -> String {
    let mut string = String::with_capacity(data.len().saturating_mul(3));
    for byte in data {
        if !string.is_empty() {
            string.push(separator);
        }
        string += &bin_to_str(&[*byte]);
    }
    string
}

/// The bytes that pairs of digits stand for. Spaces, commas, dashes and colons do not count, anything else ends the
/// string, as does a digit without a second (C: `StrToBin`, Mayaqua/Str.c).
#[must_use]
pub fn str_to_bin(string: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(string.len() / 2);
    bytes.extend(str_to_bin_bytes(string));
    bytes
}

/// The same, one by one: for callers that have a place for them.
#[inline]
pub fn str_to_bin_bytes(string: &[u8]) -> impl Iterator<Item = u8> {
    let counting = string.iter().filter(|character| !matches!(character, b' ' | b',' | b'-' | b':'));
    let mut digits = counting.map_while(|digit| digit.is_ascii_hexdigit().then(|| hex_to_4bit(*digit))).fuse();
    std::iter::from_fn(move || Some(digits.next()? << 4 | digits.next()?))
}

/// A MAC address with dashes (C: `MacToStr`, Mayaqua/Str.c).
#[must_use]
pub fn mac_to_str(address: [u8; 6]) -> String {
    bin_to_str_ex(&address, '-')
}

/// The MAC address that a string of exactly six pairs of digits stands for (C: `StrToMac`, Mayaqua/Str.c).
#[must_use]
pub fn str_to_mac(string: &[u8]) -> Option<[u8; 6]> {
    str_to_bin(string).try_into().ok()
}
