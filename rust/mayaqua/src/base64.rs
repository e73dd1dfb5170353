//! Base64 of Mayaqua/Memory.c, by the crate `base64`: for proxies that ask for a name and a password.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// What is no Base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no Base64: characters, length or padding are wrong")]
pub struct Error;

/// Bytes as text, with padding (C: `Encode64` and `B64_Encode`, Mayaqua/Memory.c, which puts no NUL behind it).
#[must_use]
pub fn encode(data: &[u8]) -> String {
    BASE64_STANDARD.encode(data)
}

/// The bytes of a text (C: `Decode64` and `B64_Decode`, Mayaqua/Memory.c, which take anything: known difference
/// `base64-lenient`).
///
/// # Errors
///
/// [`Error`] for any other character, a length that is no multiple of four, or wrong padding.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Error> {
    BASE64_STANDARD.decode(text).map_err(|_| Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 4648.
    #[test]
    fn vectors() {
        for (data, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(data.as_bytes()), text);
            assert_eq!(decode(text.as_bytes()), Ok(data.as_bytes().to_vec()));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "Zm9v\n", "Zm 9v", "Zh==", "\u{e9}w=="] {
            assert_eq!(decode(text.as_bytes()), Err(Error), "{text:?}");
        }
    }
}
