//! The two ciphers of UDP acceleration, and none: what stands before and behind the ciphered part of a datagram, sealing
//! and opening it in place. Not here: what is in that part.
//!
//! Version 1 is RC4 with a fresh key for every datagram, SHA-1(key, iv). It conceals little and authenticates nothing (20
//! zeros at the end show a wrong key, but not a changed bit elsewhere); version 2, ChaCha20-Poly1305, is what clients and
//! servers since 2019 agree on. The next initialisation vector is a piece of the last ciphertext, as in the C.

use super::wire::{
    CIPHER_KEY_SIZE_V2, UDP_ACCELERATION_COMMON_KEY_SIZE_V1, UDP_ACCELERATION_PACKET_IV_SIZE_V1,
    UDP_ACCELERATION_PACKET_IV_SIZE_V2, UDP_ACCELERATION_PACKET_MAC_SIZE_V2,
};
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rc4::{KeyInit, Rc4, StreamCipher};
use std::fmt;
use zeroize::Zeroizing;

const V1: usize = UDP_ACCELERATION_PACKET_IV_SIZE_V1;
const V2: usize = UDP_ACCELERATION_PACKET_IV_SIZE_V2;

/// A key of version 1.
pub type KeyV1 = [u8; UDP_ACCELERATION_COMMON_KEY_SIZE_V1];
/// The part of a key of version 2 that the cipher uses.
pub type KeyV2 = [u8; CIPHER_KEY_SIZE_V2];

/// How datagrams are protected: the version that the server has chosen, with the keys of both directions and the
/// initialisation vector of the first datagram that is sent.
pub enum Protection<'a> {
    /// Not at all (C: `PlainTextMode`, for sessions without encryption).
    Plain,
    /// RC4.
    V1 {
        /// What is sent is sealed with this (C: `MyKey`).
        my_key: &'a KeyV1,
        /// What is received is opened with this (C: `YourKey`).
        your_key: &'a KeyV1,
        /// Random at first (C: `NextIv`).
        next_iv: [u8; V1],
    },
    /// ChaCha20-Poly1305.
    V2 {
        /// What is sent is sealed with this (C: the beginning of `MyKey_V2`).
        my_key: &'a KeyV2,
        /// What is received is opened with this (C: known to `CipherDecrypt` only).
        your_key: &'a KeyV2,
        /// Random at first (C: `NextIv_V2`).
        next_iv: [u8; V2],
    },
}

/// A protection that is ready for work.
pub(super) enum Cipher {
    Plain,
    V1 { my_key: Zeroizing<KeyV1>, your_key: Zeroizing<KeyV1>, next_iv: [u8; V1] },
    V2 { seal: Box<LessSafeKey>, open: Box<LessSafeKey>, next_iv: [u8; V2] },
}

/// The cipher of version 2 refused its work, which it does for datagrams beyond 256 GiB only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CipherFailed;

impl Cipher {
    pub fn new(protection: Protection<'_>) -> Option<Self> {
        Some(match protection {
            Protection::Plain => Self::Plain,
            Protection::V1 { my_key, your_key, next_iv } => {
                Self::V1 { my_key: Zeroizing::new(*my_key), your_key: Zeroizing::new(*your_key), next_iv }
            }
            Protection::V2 { my_key, your_key, next_iv } => {
                let key = |bytes: &KeyV2| UnboundKey::new(&CHACHA20_POLY1305, bytes).ok().map(LessSafeKey::new);
                Self::V2 { seal: Box::new(key(my_key)?), open: Box::new(key(your_key)?), next_iv }
            }
        })
    }

    /// Bytes before the ciphered part.
    pub const fn iv_size(&self) -> usize {
        match self {
            Self::Plain => 0,
            Self::V1 { .. } => V1,
            Self::V2 { .. } => V2,
        }
    }

    /// Bytes behind the padding.
    pub const fn trailer_size(&self) -> usize {
        match self {
            Self::Plain => 0,
            Self::V1 { .. } => V1,
            Self::V2 { .. } => UDP_ACCELERATION_PACKET_MAC_SIZE_V2,
        }
    }

    /// The initialisation vector of the next datagram; empty without protection.
    pub const fn next_iv(&self) -> &[u8] {
        match self {
            Self::Plain => &[],
            Self::V1 { next_iv, .. } => next_iv,
            Self::V2 { next_iv, .. } => next_iv,
        }
    }

    /// Writes the initialisation vector into `iv`, ciphers `inner`, and writes the trailer. The lengths of the first and
    /// the last are [`Cipher::iv_size`] and [`Cipher::trailer_size`].
    pub fn seal(&mut self, iv: &mut [u8], inner: &mut [u8], trailer: &mut [u8]) -> Result<(), CipherFailed> {
        match self {
            Self::Plain => {}
            Self::V1 { my_key, next_iv, .. } => {
                iv.copy_from_slice(next_iv);
                trailer.fill(0);
                let mut stream = stream(my_key, iv)?;
                stream.apply_keystream(inner);
                stream.apply_keystream(trailer);
                next_iv.copy_from_slice(trailer);
            }
            Self::V2 { seal, next_iv, .. } => {
                iv.copy_from_slice(next_iv);
                let nonce = Nonce::assume_unique_for_key(*next_iv);
                let tag = seal.seal_in_place_separate_tag(nonce, Aad::empty(), inner).map_err(|_| CipherFailed)?;
                trailer.copy_from_slice(tag.as_ref());
                // The header alone is longer than this.
                next_iv.copy_from_slice(inner.first_chunk::<V2>().ok_or(CipherFailed)?);
            }
        }
        Ok(())
    }

    /// Opens a datagram in place and returns what was ciphered, without the tag of version 2 and with the zeros of
    /// version 1. `None` if it is too short or, in version 2, not authentic.
    pub fn open<'d>(&self, datagram: &'d mut [u8]) -> Option<&'d [u8]> {
        match self {
            Self::Plain => Some(datagram),
            Self::V1 { your_key, .. } => {
                let (iv, inner) = datagram.split_at_mut_checked(V1)?;
                stream(your_key, iv).ok()?.apply_keystream(inner);
                Some(inner)
            }
            Self::V2 { open, .. } => {
                let (iv, sealed) = datagram.split_first_chunk_mut::<V2>()?;
                // The C's cipher refuses an empty text, and so a bare tag.
                if sealed.len() <= UDP_ACCELERATION_PACKET_MAC_SIZE_V2 {
                    return None;
                }
                open.open_in_place(Nonce::assume_unique_for_key(*iv), Aad::empty(), sealed).ok().map(|inner| &*inner)
            }
        }
    }
}

impl fmt::Debug for Cipher {
    /// The kind alone: keys belong into no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::V1 { .. } => "V1",
            Self::V2 { .. } => "V2",
        })
    }
}

/// RC4 with the key of one datagram (C: `UdpAccelCalcKeyV1`).
fn stream(common_key: &KeyV1, iv: &[u8]) -> Result<Rc4, CipherFailed> {
    let mut both = Zeroizing::new([0; UDP_ACCELERATION_COMMON_KEY_SIZE_V1 + V1]);
    let (front, back) = both.split_at_mut(UDP_ACCELERATION_COMMON_KEY_SIZE_V1);
    front.copy_from_slice(common_key);
    back.copy_from_slice(iv);
    let key = digest(&SHA1_FOR_LEGACY_USE_ONLY, &both[..]);
    Rc4::new_from_slice(key.as_ref()).map_err(|_| CipherFailed)
}
