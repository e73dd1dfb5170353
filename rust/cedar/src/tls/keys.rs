//! From a connection's secrets to the keys of its two directions, and from one TLS 1.3 key to the next.

use super::{ContentType, Error, HEADER, LEGACY_VERSION, Opener, Sealer};
use aws_lc_rs::aead::{self, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, tls_prf};
use zeroize::Zeroizing;

/// Longest traffic secret, in bytes: a SHA-384 digest.
const SECRET_MAX: usize = 48;

/// Bytes of an IV, implicit and explicit parts together.
const IV: usize = 12;

/// Bytes of the TLS 1.2 nonce that travel with each record (RFC 5288).
const EXPLICIT_NONCE: usize = 8;

/// The cipher suites whose records this module protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES-128 in Galois/counter mode, SHA-256.
    Aes128Gcm,
    /// AES-256 in Galois/counter mode, SHA-384.
    Aes256Gcm,
    /// ChaCha20 and Poly1305, SHA-256.
    ChaCha20Poly1305,
}

impl Suite {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// The suite of IANA's two-byte number, for TLS 1.3 or TLS 1.2 with any key exchange. `None`: not one of these
    /// (CBC, CCM, RC4).
    #[must_use]
    pub const fn from_iana(number: u16) -> Option<Self> {
        match number {
            0x1301 | 0x009c | 0x009e | 0xc02b | 0xc02f => Some(Self::Aes128Gcm),
            0x1302 | 0x009d | 0x009f | 0xc02c | 0xc030 => Some(Self::Aes256Gcm),
            0x1303 | 0xcca8 | 0xcca9 | 0xccaa => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }

    fn algorithm(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes128Gcm => &aead::AES_128_GCM,
            Self::Aes256Gcm => &aead::AES_256_GCM,
            Self::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }

    fn hkdf(self) -> hkdf::Algorithm {
        match self {
            Self::Aes256Gcm => hkdf::HKDF_SHA384,
            Self::Aes128Gcm | Self::ChaCha20Poly1305 => hkdf::HKDF_SHA256,
        }
    }

    fn prf(self) -> &'static tls_prf::Algorithm {
        match self {
            Self::Aes256Gcm => &tls_prf::P_SHA384,
            Self::Aes128Gcm | Self::ChaCha20Poly1305 => &tls_prf::P_SHA256,
        }
    }

    /// Bytes of a traffic secret: the digest's.
    const fn secret_len(self) -> usize {
        match self {
            Self::Aes256Gcm => 48,
            Self::Aes128Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Bytes of the IV that the key block of TLS 1.2 holds.
    const fn fixed_iv_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm => IV - EXPLICIT_NONCE,
            Self::ChaCha20Poly1305 => IV,
        }
    }
}

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that connected.
    Client,
    /// The one that accepted.
    Server,
}

/// The secrets do not fit the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection's secrets do not fit its cipher suite")]
pub struct UnsupportedKeys;

impl From<aws_lc_rs::error::Unspecified> for UnsupportedKeys {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// The two directions of a connection.
#[derive(Debug)]
pub struct Keys {
    /// What this end sends.
    pub sealer: Sealer,
    /// What this end receives.
    pub opener: Opener,
}

impl Keys {
    /// Takes over a TLS 1.3 connection. `client` and `server` are the application traffic secrets in use, `sent` and
    /// `received` the records that this end has sealed and opened with them, from any implementation.
    ///
    /// # Errors
    /// A secret's length is not the suite's.
    pub fn tls13(
        suite: Suite,
        side: Side,
        [client, server]: [&[u8]; 2],
        [sent, received]: [u64; 2],
    ) -> Result<Self, UnsupportedKeys> {
        let (own, peer) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        Ok(Self {
            sealer: Sealer::new(Protection::tls13(suite, own, sent)?),
            opener: Opener::new(Protection::tls13(suite, peer, received)?),
        })
    }

    /// Takes over a TLS 1.2 connection. `randoms` are the client's and the server's, `sent` and `received` the records
    /// that this end has sealed and opened since ChangeCipherSpec.
    ///
    /// # Errors
    /// An empty master secret.
    pub fn tls12(
        suite: Suite,
        side: Side,
        master_secret: &[u8],
        [client_random, server_random]: [&[u8; 32]; 2],
        [sent, received]: [u64; 2],
    ) -> Result<Self, UnsupportedKeys> {
        let (key_len, iv_len) = (suite.algorithm().key_len(), suite.fixed_iv_len());
        let secret = tls_prf::Secret::new(suite.prf(), master_secret)?;
        let wanted = 2 * (key_len + iv_len);
        // Zeroed by its own drop.
        let block = secret.derive_with_seed_concatination(b"key expansion", server_random, client_random, wanted)?;
        let (client_key, rest) = block.as_ref().split_at_checked(key_len).ok_or(UnsupportedKeys)?;
        let (server_key, rest) = rest.split_at_checked(key_len).ok_or(UnsupportedKeys)?;
        let (client_iv, server_iv) = rest.split_at_checked(iv_len).ok_or(UnsupportedKeys)?;
        let client = (client_key, client_iv);
        let server = (server_key, server_iv);
        let (own, peer) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        Ok(Self {
            sealer: Sealer::new(Protection::tls12(suite, own, sent)?),
            opener: Opener::new(Protection::tls12(suite, peer, received)?),
        })
    }
}

/// How a version writes its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// TLS 1.3: the type is inside, the nonce is implicit.
    Tls13,
    /// TLS 1.2 with part of the nonce in front of the ciphertext (GCM).
    Tls12Explicit,
    /// TLS 1.2 with an implicit nonce (ChaCha20-Poly1305).
    Tls12Implicit,
}

/// One direction's key, and where its stream of records stands.
#[derive(Debug)]
pub(super) struct Protection {
    pub(super) key: LessSafeKey,
    pub(super) form: Form,
    iv: Zeroizing<[u8; IV]>,
    /// Number of the next record.
    pub(super) sequence: u64,
    /// TLS 1.3: what the next key is made of.
    secret: Option<(Suite, Zeroizing<[u8; SECRET_MAX]>)>,
}

impl Protection {
    fn tls13(suite: Suite, secret: &[u8], sequence: u64) -> Result<Self, UnsupportedKeys> {
        if secret.len() != suite.secret_len() {
            return Err(UnsupportedKeys);
        }
        let mut kept = Zeroizing::new([0; SECRET_MAX]);
        kept.get_mut(..secret.len()).ok_or(UnsupportedKeys)?.copy_from_slice(secret);
        let mut key = Zeroizing::new([0; 32]);
        let key = key.get_mut(..suite.algorithm().key_len()).ok_or(UnsupportedKeys)?;
        let mut iv = Zeroizing::new([0; IV]);
        expand_label(suite, secret, b"key", key)?;
        expand_label(suite, secret, b"iv", &mut *iv)?;
        let key = LessSafeKey::new(UnboundKey::new(suite.algorithm(), key)?);
        Ok(Self { key, form: Form::Tls13, iv, sequence, secret: Some((suite, kept)) })
    }

    fn tls12(suite: Suite, (key, fixed_iv): (&[u8], &[u8]), sequence: u64) -> Result<Self, UnsupportedKeys> {
        let mut iv = Zeroizing::new([0; IV]);
        iv.get_mut(..fixed_iv.len()).ok_or(UnsupportedKeys)?.copy_from_slice(fixed_iv);
        let form = match suite {
            Suite::Aes128Gcm | Suite::Aes256Gcm => Form::Tls12Explicit,
            Suite::ChaCha20Poly1305 => Form::Tls12Implicit,
        };
        let key = LessSafeKey::new(UnboundKey::new(suite.algorithm(), key)?);
        Ok(Self { key, form, iv, sequence, secret: None })
    }

    /// The key after a KeyUpdate (RFC 8446, 7.2). The sequence begins anew.
    pub(super) fn update(&mut self) -> Result<(), Error> {
        let (suite, secret) = self.secret.as_ref().ok_or(Error::UnexpectedMessage)?;
        let secret = secret.get(..suite.secret_len()).unwrap_or_default();
        let mut next = Zeroizing::new([0; SECRET_MAX]);
        let next = next.get_mut(..suite.secret_len()).unwrap_or_default();
        // The lengths are the suite's own, so neither can fail.
        expand_label(*suite, secret, b"traffic upd", next).map_err(|_| Error::KeyExhausted)?;
        *self = Self::tls13(*suite, next, 0).map_err(|_| Error::KeyExhausted)?;
        Ok(())
    }

    /// Bytes between a record's header and its ciphertext.
    pub(super) const fn explicit_len(&self) -> usize {
        match self.form {
            Form::Tls12Explicit => EXPLICIT_NONCE,
            Form::Tls13 | Form::Tls12Implicit => 0,
        }
    }

    /// Bytes of plaintext that stand behind the data: the inner type of TLS 1.3.
    pub(super) const fn inner_type_len(&self) -> usize {
        match self.form {
            Form::Tls13 => 1,
            Form::Tls12Explicit | Form::Tls12Implicit => 0,
        }
    }

    /// The nonce of the next record; `explicit` is the part that travels with it.
    #[inline]
    pub(super) fn nonce(&self, explicit: u64) -> Nonce {
        let number = match self.form {
            Form::Tls12Explicit => explicit,
            Form::Tls13 | Form::Tls12Implicit => self.sequence,
        };
        let mut nonce = *self.iv;
        // The fixed IV of a TLS 1.2 GCM key has zeros where the explicit part goes.
        for (byte, number) in nonce.iter_mut().skip(IV - 8).zip(number.to_be_bytes()) {
            *byte ^= number;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// What is authenticated beside the ciphertext, and how many bytes of it there are.
    #[inline]
    pub(super) fn additional_data(
        &self,
        content_type: ContentType,
        header: [u8; HEADER],
        plaintext: usize,
    ) -> Additional {
        let mut bytes = [0; 13];
        match self.form {
            Form::Tls13 => {
                bytes[..HEADER].copy_from_slice(&header);
                Additional { bytes, len: HEADER }
            }
            Form::Tls12Explicit | Form::Tls12Implicit => {
                let [high, low] = length(plaintext);
                bytes[..8].copy_from_slice(&self.sequence.to_be_bytes());
                bytes[8..].copy_from_slice(&[content_type as u8, LEGACY_VERSION[0], LEGACY_VERSION[1], high, low]);
                Additional { bytes, len: 13 }
            }
        }
    }

    /// Goes on to the next record.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<(), Error> {
        self.sequence = self.sequence.checked_add(1).ok_or(Error::KeyExhausted)?;
        Ok(())
    }
}

/// A record's additional authenticated data.
pub(super) struct Additional {
    bytes: [u8; 13],
    len: usize,
}

impl AsRef<[u8]> for Additional {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A length that the callers have checked against a record's limits.
#[inline]
pub(super) fn length(len: usize) -> [u8; 2] {
    debug_assert!(len <= super::FRAGMENT_MAX);
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}

/// HKDF-Expand-Label with an empty context (RFC 8446, 7.1), as many bytes as `out` has.
fn expand_label(suite: Suite, secret: &[u8], label: &[u8], out: &mut [u8]) -> Result<(), UnsupportedKeys> {
    struct Len(usize);
    impl hkdf::KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    const PREFIX: &[u8] = b"tls13 ";
    let out_len = u16::try_from(out.len()).map_err(|_| UnsupportedKeys)?.to_be_bytes();
    let label_len = [u8::try_from(PREFIX.len() + label.len()).map_err(|_| UnsupportedKeys)?];
    let secret = hkdf::Prk::new_less_safe(suite.hkdf(), secret);
    let info: [&[u8]; 5] = [&out_len, &label_len, PREFIX, label, &[0]];
    secret.expand(&info, Len(out.len()))?.fill(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// RFC 8448, section 3: the server's application traffic secret, its key and IV.
    #[test]
    fn key_and_iv_are_those_of_rfc_8448() {
        let secret = bytes("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        expand_label(Suite::Aes128Gcm, &secret, b"key", &mut key).unwrap();
        expand_label(Suite::Aes128Gcm, &secret, b"iv", &mut iv).unwrap();
        assert_eq!(key.to_vec(), bytes("9f02283b6c9c07efc26bb9f2ac92e356"));
        assert_eq!(iv.to_vec(), bytes("cf782b88dd83549aadf1e984"));
    }

    #[test]
    fn a_secret_of_another_length_is_refused() {
        for suite in Suite::ALL {
            for len in [0, 16, 31, 33, 47, 49, 64] {
                let secret = vec![1; len];
                let keys = Keys::tls13(suite, Side::Client, [&secret, &secret], [0, 0]);
                assert!(keys.is_err(), "{suite:?} with {len} bytes");
            }
        }
        assert!(Keys::tls12(Suite::Aes128Gcm, Side::Client, &[], [&[0; 32], &[0; 32]], [1, 1]).is_err());
    }

    #[test]
    fn suites_by_number() {
        for (number, suite) in
            [(0x1301, Suite::Aes128Gcm), (0xc030, Suite::Aes256Gcm), (0xcca8, Suite::ChaCha20Poly1305)]
        {
            assert_eq!(Suite::from_iana(number), Some(suite));
        }
        for number in [0, 0x002f, 0x1304, 0x1305, 0xc013, 0xffff] {
            assert_eq!(Suite::from_iana(number), None, "{number:#x}");
        }
    }
}
