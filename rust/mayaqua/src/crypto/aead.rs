//! Authenticated ciphers (C: `CIPHER` with AEAD over OpenSSL, Mayaqua/Encrypt.c), by aws-lc.
//!
//! Not here: the C's modes without authentication, which only its OpenVPN server uses, and keys of TLS records
//! (`cedar::tls`).

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};

/// Bytes of a nonce (C: `IvSize`).
pub const NONCE_SIZE: usize = 12;
/// Bytes of a tag (C: `tag_size`).
pub const TAG_SIZE: usize = 16;

/// The ciphers, by the names that the C gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// `AES-128-GCM`.
    Aes128Gcm,
    /// `AES-256-GCM`.
    Aes256Gcm,
    /// `ChaCha20-Poly1305`.
    ChaCha20Poly1305,
}

impl Cipher {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// The cipher that the C's `NewCipher` makes of `name`, in any case; `None` for one that is not of these.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cipher| cipher.name().eq_ignore_ascii_case(name))
    }

    /// Its name in the C.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "AES-128-GCM",
            Self::Aes256Gcm => "AES-256-GCM",
            Self::ChaCha20Poly1305 => "ChaCha20-Poly1305",
        }
    }

    /// Bytes of a key (C: `KeySize`).
    #[must_use]
    pub fn key_size(self) -> usize {
        self.algorithm().key_len()
    }

    fn algorithm(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes128Gcm => &aead::AES_128_GCM,
            Self::Aes256Gcm => &aead::AES_256_GCM,
            Self::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }
}

/// Why nothing was sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AeadError {
    /// A key of another length than [`Cipher::key_size`].
    #[error("a key of {0} bytes, which the cipher does not take")]
    KeySize(usize),
    /// More than the cipher can seal with one nonce (2^36 bytes and less).
    #[error("too much data for one nonce")]
    TooLong,
    /// The tag does not belong to key, nonce, data and additional data.
    #[error("the data is not what was sealed")]
    Forged,
}

/// A key (C: `CIPHER`, of which one can only encrypt and another only decrypt).
///
/// A nonce must never be used twice to seal with the same key.
pub struct AeadKey(LessSafeKey);

impl std::fmt::Debug for AeadKey {
    /// Not the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AeadKey")
    }
}

impl AeadKey {
    /// A key of the cipher (C: `NewCipher` and `SetCipherKey`, Mayaqua/Encrypt.c).
    ///
    /// # Errors
    ///
    /// [`AeadError::KeySize`].
    pub fn new(cipher: Cipher, key: &[u8]) -> Result<Self, AeadError> {
        let unbound = UnboundKey::new(cipher.algorithm(), key).map_err(|_| AeadError::KeySize(key.len()))?;
        Ok(Self(LessSafeKey::new(unbound)))
    }

    /// Encrypts `data` in place and gives its tag, which `aad` is part of (C: `CipherProcessAead` of a key that
    /// encrypts, Mayaqua/Encrypt.c, which refuses empty data).
    ///
    /// # Errors
    ///
    /// [`AeadError::TooLong`].
    pub fn seal(&self, nonce: &[u8; NONCE_SIZE], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG_SIZE], AeadError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), data).map_err(|_| AeadError::TooLong)?;
        tag.as_ref().try_into().map_err(|_| AeadError::TooLong)
    }

    /// Decrypts `data` in place. What was not sealed so is zeroed, so that nobody works with it.
    ///
    /// # Errors
    ///
    /// [`AeadError::Forged`].
    pub fn open(
        &self,
        nonce: &[u8; NONCE_SIZE],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG_SIZE],
    ) -> Result<(), AeadError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data).is_ok();
        if !opened {
            data.fill(0);
            return Err(AeadError::Forged);
        }
        Ok(())
    }
}
