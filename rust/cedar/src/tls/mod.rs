//! TLS record protection of the data phase: plaintext to records and back, with keys that another TLS implementation
//! negotiated. Stands for `SecureSend` and `SecureRecv` (`Mayaqua/Network.c`) without their OpenSSL object.
//!
//! A record's way out
//!
//! 1. [`Sealer::seal_all`] cuts plaintext into records of [`PLAINTEXT_MAX`] bytes and seals each straight into the
//!    caller's buffer of bytes to send: one pass, no copy in between.
//! 2. When a key has sealed [`KEY_RECORDS_MAX`] records a KeyUpdate goes out, which asks for the peer's, and the next key
//!    takes over (TLS 1.3).
//!
//! And in
//!
//! 3. [`Opener::open_all`] opens every whole record of the bytes received into one contiguous piece of plaintext, so that
//!    what was cut over records can be read in place. A record that is not whole yet stays the caller's.
//! 4. Messages that are not data are acted on: a KeyUpdate changes the key and may ask for one in return, session tickets
//!    are passed over, close_notify ends the stream, anything else is an [`Error`] that names the alert to answer with.
//!
//! Who negotiates: the C, over OpenSSL; [`Keys::tls13`] and [`Keys::tls12`] take its secrets and record counts over
//! (`swaps::tls`). Versions and suites: [`Suite`]. There is no I/O, no handshake and no certificate here.
//!
//! Secrets that a later KeyUpdate needs are zeroed when they are dropped, and so is everything derived on the way; the
//! expanded keys live in aws-lc, which ends them when their direction gets the next key or is dropped.

#![forbid(unsafe_code)]

mod keys;
mod open;
mod post_handshake;
mod seal;

pub use keys::{Keys, Side, Suite, UnsupportedKeys};
pub use open::{End, Opened, Opener};
pub use seal::{SealError, Sealer};

/// Most plaintext in a record, in bytes (RFC 8446, 5.1).
pub const PLAINTEXT_MAX: usize = 1 << 14;

/// Bytes in front of each record: type, version, length.
pub const HEADER: usize = 5;

/// Bytes of an authentication tag, the same for all suites.
pub const TAG: usize = 16;

/// Most bytes of a record behind its header: TLS 1.2 allows 2048 more than the plaintext, TLS 1.3 256.
pub const FRAGMENT_MAX: usize = PLAINTEXT_MAX + 2048;

/// Most bytes that a record adds to its plaintext: header, explicit nonce or inner type, tag.
pub const OVERHEAD_MAX: usize = HEADER + 8 + TAG;

/// Records after which a TLS 1.3 key is replaced: below the 2^24.5 of AES-GCM (RFC 8446, 5.5), 128 GiB of full records.
pub const KEY_RECORDS_MAX: u64 = 1 << 23;

/// Records after which a TLS 1.2 key, which cannot be replaced, seals no more: what NIST SP 800-38D allows a GCM key.
pub const TLS12_RECORDS_MAX: u64 = 1 << 32;

/// What a record carries (RFC 8446, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ContentType {
    ChangeCipherSpec = 20,
    Alert = 21,
    Handshake = 22,
    ApplicationData = 23,
}

impl ContentType {
    fn from_wire(value: u8) -> Option<Self> {
        [Self::ChangeCipherSpec, Self::Alert, Self::Handshake, Self::ApplicationData]
            .into_iter()
            .find(|&content_type| content_type as u8 == value)
    }
}

/// The version in the header of every record, whichever of the two was agreed on.
const LEGACY_VERSION: [u8; 2] = [3, 3];

/// The peer broke the protocol, or its bytes are not what it sent. Nothing behind the error is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The record was changed on its way, or sealed with another key.
    #[error("a record failed authentication")]
    BadRecordMac,
    /// Longer than a record may be.
    #[error("a record is longer than the protocol allows")]
    RecordOverflow,
    /// A type of record or message that has no place here.
    #[error("a message came that has no place after the handshake")]
    UnexpectedMessage,
    /// A message contradicts itself.
    #[error("a message could not be decoded")]
    Decode,
    /// The peer ended the connection with an alert.
    #[error("the peer sent the fatal alert {0}")]
    Alert(u8),
    /// A sequence number cannot grow any more.
    #[error("the connection's key is used up")]
    KeyExhausted,
    /// Another record layer failed, and has told the peer itself.
    #[error("OpenSSL could not read a record")]
    Foreign,
}

impl Error {
    /// The alert that tells the peer (RFC 8446, 6.2); none in answer to an alert.
    #[must_use]
    pub const fn alert(self) -> Option<u8> {
        match self {
            Self::BadRecordMac => Some(20),
            Self::RecordOverflow => Some(22),
            Self::UnexpectedMessage => Some(10),
            Self::Decode => Some(50),
            Self::KeyExhausted => Some(80),
            Self::Alert(_) | Self::Foreign => None,
        }
    }
}
