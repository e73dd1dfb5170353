//! What stands between plaintext and a TCP connection: nothing, this crate's record layer, or somebody else's.
#![forbid(unsafe_code)]

use crate::tls::{Error, Keys, Opened, SealError, Sealer};
use std::fmt;

/// A record layer that is not this crate's: OpenSSL's, with the connection's own object.
pub trait Records {
    /// Most bytes that sealing `plaintext` bytes makes.
    fn sealed_len_max(&self, plaintext: usize) -> usize;

    /// Seals all of `plaintext` to the start of `out` and returns the length.
    ///
    /// # Errors
    /// The connection can send no more.
    fn seal(&mut self, plaintext: &[u8], out: &mut [u8]) -> Result<usize, SealError>;

    /// Opens what it can of `received` to the start of `out`, as [`Opener::open_all`](crate::tls::Opener::open_all).
    /// It may keep bytes of an unfinished record itself.
    fn open(&mut self, received: &[u8], out: &mut [u8]) -> Opened;

    /// Seals the last record, close_notify; 0 if there is none.
    fn seal_end(&mut self, error: Option<Error>, out: &mut [u8]) -> usize;
}

/// A connection's protection.
pub enum Protection {
    /// The session is not encrypted (C: `UseEncrypt` of 0).
    Clear,
    /// This crate's record layer.
    Tls(Box<Keys>),
    /// Another one.
    Foreign(Box<dyn Records>),
}

impl Protection {
    /// A word for logs and status.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Tls(_) => "rust",
            Self::Foreign(_) => "openssl",
        }
    }

    /// Most bytes that sealing `plaintext` bytes makes.
    pub(super) fn sealed_len_max(&self, plaintext: usize) -> usize {
        match self {
            Self::Clear => plaintext,
            Self::Tls(_) => Sealer::sealed_len_max(plaintext),
            Self::Foreign(records) => records.sealed_len_max(plaintext),
        }
    }

    #[inline]
    pub(super) fn seal(&mut self, plaintext: &[u8], out: &mut [u8]) -> Result<usize, SealError> {
        match self {
            Self::Clear => {
                out.get_mut(..plaintext.len()).ok_or(SealError::BufferTooSmall)?.copy_from_slice(plaintext);
                Ok(plaintext.len())
            }
            Self::Tls(keys) => keys.sealer.seal_all(plaintext, out),
            Self::Foreign(records) => records.seal(plaintext, out),
        }
    }

    /// Opens what was received. A KeyUpdate that the peer asks for goes out with the next data.
    #[inline]
    pub(super) fn open(&mut self, received: &[u8], out: &mut [u8]) -> Opened {
        match self {
            // Received where it is read; see `down`.
            Self::Clear => Opened::default(),
            Self::Tls(keys) => {
                let opened = keys.opener.open_all(received, out);
                if opened.key_update_requested {
                    keys.sealer.owe_key_update();
                }
                opened
            }
            Self::Foreign(records) => records.open(received, out),
        }
    }

    /// Seals what says goodbye: the alert for `error`, or close_notify; 0 if there is nothing to say.
    pub(super) fn seal_end(&mut self, error: Option<Error>, out: &mut [u8]) -> usize {
        match self {
            Self::Clear => 0,
            Self::Tls(keys) => match error {
                Some(error) => keys.sealer.seal_alert(error, out).unwrap_or(0),
                None => keys.sealer.seal_close_notify(out).unwrap_or(0),
            },
            Self::Foreign(records) => records.seal_end(error, out),
        }
    }
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
