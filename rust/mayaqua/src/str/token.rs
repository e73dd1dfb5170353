//! Strings cut into tokens (C: Mayaqua/Str.c).

use super::{in_str_ex, str_cmpi, to_upper};

/// What separates tokens for those who do not say (C: `DefaultTokenSplitChars`, Mayaqua/Str.c).
pub const DEFAULT_SEPARATORS: &[u8] = b" ,\t\r\n";

/// The tokens between separators, the empty ones too; one at least (C: `ParseTokenWithNullStr`, Mayaqua/Str.c).
pub fn parse_token_with_null_str<'a>(string: &'a [u8], separators: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    string.split(|byte| separators.contains(byte))
}

/// The tokens between separators that are not empty (C: `ParseTokenWithoutNullStr` and `ParseToken`, Mayaqua/Str.c).
pub fn parse_token_without_null_str<'a>(string: &'a [u8], separators: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    parse_token_with_null_str(string, separators).filter(|token| !token.is_empty())
}

/// The tokens of a command line: separated by spaces and tabs, which count for nothing between quotation marks; two
/// quotation marks are one of the token's own (C: `ParseCmdLine`, Mayaqua/Str.c). Empty tokens there are none, unless they
/// were written as quotation marks and are followed by another token.
#[must_use]
pub fn parse_cmd_line(string: &[u8]) -> Vec<Vec<u8>> {
    let mut tokens = Vec::new();
    let (mut token, mut inside, mut quoted) = (Vec::new(), false, false);
    let mut rest = string.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let blank = matches!(byte, b' ' | b'\t');
        if blank && inside && !quoted {
            tokens.push(std::mem::take(&mut token));
            inside = false;
        } else if blank && !inside {
            // The C forgets no quotation mark between tokens, but none is open there.
        } else {
            inside = true;
            match (byte, rest.peek()) {
                (b'"', Some(b'"')) => {
                    token.push(b'"');
                    rest.next();
                }
                (b'"', _) => quoted = !quoted,
                _ => token.push(byte),
            }
        }
    }
    if !token.is_empty() {
        tokens.push(token);
    }
    tokens
}

/// The tokens without those that were there before, but for case (C: `UniqueToken`, Mayaqua/Str.c).
#[must_use]
pub fn unique_token<'a>(tokens: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let first = |index: usize| tokens[..index].iter().all(|token| str_cmpi(token, tokens[index]).is_ne());
    (0..tokens.len()).filter(|index| first(*index)).map(|index| tokens[index]).collect()
}

/// Whether one of the tokens is in the string (C: `InStrList`, Mayaqua/Str.c).
#[must_use]
pub fn in_str_list(string: &[u8], tokens: &[u8], separators: &[u8], case_sensitive: bool) -> bool {
    parse_token_without_null_str(tokens, separators).any(|token| in_str_ex(string, token, case_sensitive))
}

/// The key and the value of a line: the key begins at the first character that is no separator and ends at the next that
/// is one, the value begins behind it and goes to the end (C: `GetKeyAndValue`, Mayaqua/Str.c, which cuts them to their
/// blocks' sizes). Separators match but for case. `None` if there is no key.
#[must_use]
pub fn get_key_and_value<'a>(string: &'a [u8], separators: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let separates = |byte: &u8| separators.iter().any(|separator| to_upper(*separator) == to_upper(*byte));
    let skip = |string: &'a [u8]| -> &'a [u8] {
        let start = string.iter().position(|byte| !separates(byte)).unwrap_or(string.len());
        &string[start..]
    };
    let string = skip(string);
    let end = string.iter().position(&separates).unwrap_or(string.len());
    let (key, rest) = string.split_at(end);
    (!key.is_empty()).then(|| (key, skip(rest)))
}
