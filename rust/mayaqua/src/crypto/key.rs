//! Private keys and signatures (C: `K`, Mayaqua/Encrypt.c), by aws-lc.
//!
//! Not here: Diffie-Hellman groups and DES, which are a server's; keys behind a passphrase and signing with SHA-1, which aws-lc
//! does not do and the feature `openssl` adds.

use super::certificate::KeyKind;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, UnparsedPublicKey};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Most bytes of a key or certificate that are looked at.
pub const INPUT_MAX: usize = 64 * 1024;

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// More than [`INPUT_MAX`] bytes.
    #[error("a key of more than {INPUT_MAX} bytes")]
    TooLarge,
    /// No private key in PEM and none in DER.
    #[error("no private key in PEM or DER")]
    Malformed,
    /// A key behind a passphrase.
    #[error("the private key has a passphrase; take that away first: openssl pkey -in KEY -out PLAIN")]
    Encrypted,
    /// RSA of fewer than 2048 or more than 8192 bits, a curve that is not P-256, P-384, P-521 or Ed25519, or numbers that are
    /// no key.
    #[error("a private key of a kind or size that is not accepted: {0}")]
    Rejected(String),
    /// Only RSA signs so.
    #[error("the key is not RSA")]
    NotRsa,
    /// The signature does not belong to key and data.
    #[error("the signature is not of this key and this data")]
    Forged,
    /// The system gave no randomness or no memory.
    #[error("no key could be made")]
    Failed,
}

/// The hash that is signed, with PKCS#1 1.5 padding as all of SoftEther's RSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

enum Pair {
    Rsa(rsa::KeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key with its public half (C: `K` with `private_key`). What it was read from is zeroed with it.
pub struct PrivateKey {
    der: PrivateKeyDer<'static>,
    pair: Pair,
}

impl std::fmt::Debug for PrivateKey {
    /// Its kind, and nothing of it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({:?})", self.kind())
    }
}

impl PrivateKey {
    /// A key in PEM, the first that is in it, or in DER: PKCS#8, PKCS#1 or SEC1 (C: `BufToK`, `BioToK` and `IsBase64`,
    /// Mayaqua/Encrypt.c, which are told which of the two it is).
    ///
    /// # Errors
    ///
    /// What is wrong with it; the text names nothing of the key.
    pub fn read(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() > INPUT_MAX {
            return Err(KeyError::TooLarge);
        }
        if is_pem(bytes) {
            let encrypted = [&b"-----BEGIN ENCRYPTED PRIVATE KEY-----"[..], b"Proc-Type: 4,ENCRYPTED"];
            if encrypted.iter().any(|mark| bytes.windows(mark.len()).any(|part| part == *mark)) {
                return Err(KeyError::Encrypted);
            }
            let der = PrivateKeyDer::from_pem_slice(bytes).map_err(|_: pem::Error| KeyError::Malformed)?;
            return Self::from_der(der);
        }
        let der = PrivateKeyDer::try_from(bytes).map_err(|_| KeyError::Malformed)?;
        Self::from_der(der.clone_key())
    }

    pub(super) fn from_der(der: PrivateKeyDer<'static>) -> Result<Self, KeyError> {
        let rejected = |error: aws_lc_rs::error::KeyRejected| KeyError::Rejected(error.to_string());
        let ecdsa = |read: &dyn Fn(&'static signature::EcdsaSigningAlgorithm) -> Option<EcdsaKeyPair>| {
            let curves = [
                &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
                &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
                &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
            ];
            curves.into_iter().find_map(read).map(Pair::Ecdsa)
        };
        let pair = match &der {
            PrivateKeyDer::Pkcs1(key) => Pair::Rsa(rsa::KeyPair::from_der(key.secret_pkcs1_der()).map_err(rejected)?),
            PrivateKeyDer::Sec1(key) => {
                let read = |curve| EcdsaKeyPair::from_private_key_der(curve, key.secret_sec1_der()).ok();
                ecdsa(&read).ok_or_else(|| KeyError::Rejected("elliptic curve".to_owned()))?
            }
            PrivateKeyDer::Pkcs8(key) => {
                let key = key.secret_pkcs8_der();
                match rsa::KeyPair::from_pkcs8(key) {
                    Ok(pair) => Pair::Rsa(pair),
                    Err(error) => ecdsa(&|curve| EcdsaKeyPair::from_pkcs8(curve, key).ok())
                        .or_else(|| Ed25519KeyPair::from_pkcs8(key).ok().map(Pair::Ed25519))
                        .ok_or_else(|| rejected(error))?,
                }
            }
            _ => return Err(KeyError::Malformed),
        };
        Ok(Self { der, pair })
    }

    /// A new RSA key of 2048 bits (C: `RsaGen`, Mayaqua/Encrypt.c, with the number of bits).
    ///
    /// # Errors
    ///
    /// [`KeyError::Failed`].
    pub fn generate_rsa() -> Result<Self, KeyError> {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        let pair = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Failed)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Failed)?;
        Ok(Self { der: PrivatePkcs8KeyDer::from(der.as_ref().to_vec()).into(), pair: Pair::Rsa(pair) })
    }

    /// The key's encoding, for TLS (C: `KToBuf`, Mayaqua/Encrypt.c). As secret as the key.
    #[must_use]
    pub const fn secret_der(&self) -> &PrivateKeyDer<'static> {
        &self.der
    }

    /// What kind of key it is.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match self.pair {
            Pair::Rsa(_) => KeyKind::Rsa,
            Pair::Ecdsa(_) => KeyKind::Ecdsa,
            Pair::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// The public half, as it stands in a certificate: RSA's PKCS#1, a point, or the 32 bytes of Ed25519.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// The modulus of an RSA key, big-endian (C: `RsaPublicToBuf` and `BigNumToBuf`, Mayaqua/Encrypt.c; its length is
    /// `RsaPublicSize`'s).
    ///
    /// # Errors
    ///
    /// [`KeyError::NotRsa`].
    pub fn rsa_modulus(&self) -> Result<Vec<u8>, KeyError> {
        let Pair::Rsa(pair) = &self.pair else { return Err(KeyError::NotRsa) };
        Ok(pair.public_key().modulus().big_endian_without_leading_zero().to_vec())
    }

    /// Signs with RSA. (C: RsaSignEx signs with SHA-1, which is `rsa_sign_sha1` of the feature `openssl`.)
    ///
    /// # Errors
    ///
    /// [`KeyError::NotRsa`], [`KeyError::Failed`].
    pub fn rsa_sign(&self, hash: Hash, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        let Pair::Rsa(pair) = &self.pair else { return Err(KeyError::NotRsa) };
        let encoding: &'static dyn RsaEncoding = match hash {
            Hash::Sha256 => &signature::RSA_PKCS1_SHA256,
            Hash::Sha384 => &signature::RSA_PKCS1_SHA384,
            Hash::Sha512 => &signature::RSA_PKCS1_SHA512,
        };
        let mut made = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), data, &mut made).map_err(|_| KeyError::Failed)?;
        Ok(made)
    }

    /// Whether signing and verifying work at all (C: `RsaCheck` and `RsaCheckEx`, Mayaqua/Encrypt.c, which tries 20 times).
    #[must_use]
    pub fn self_test() -> bool {
        let Ok(key) = Self::generate_rsa() else { return false };
        let signed = key.rsa_sign(Hash::Sha256, b"test");
        signed.is_ok_and(|signed| rsa_verify(key.public_key(), Hash::Sha256, b"test", &signed).is_ok())
    }
}

/// Verifies a signature of RSA (2048 to 8192 bits, PKCS#1 1.5) over `data`; `public_key` as [`PrivateKey::public_key`] and
/// certificates have it. (C: `RsaVerify` with SHA-1, Mayaqua/Encrypt.c; for that see [`rsa_verify_sha1`].)
///
/// # Errors
///
/// [`KeyError::Forged`], also for what is no key.
pub fn rsa_verify(public_key: &[u8], hash: Hash, data: &[u8], signature: &[u8]) -> Result<(), KeyError> {
    let parameters = match hash {
        Hash::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
    };
    UnparsedPublicKey::new(parameters, public_key).verify(data, signature).map_err(|_| KeyError::Forged)
}

/// Verifies a signature as SoftEther makes them: RSA from 1024 bits on over SHA-1, for interoperation only (C: `RsaVerify`
/// and `RsaVerifyEx`, Mayaqua/Encrypt.c, of the digest that `HashForSign` makes).
///
/// # Errors
///
/// [`KeyError::Forged`], also for what is no key.
pub fn rsa_verify_sha1(public_key: &[u8], data: &[u8], signature: &[u8]) -> Result<(), KeyError> {
    let parameters = &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY;
    UnparsedPublicKey::new(parameters, public_key).verify(data, signature).map_err(|_| KeyError::Forged)
}

/// Whether `bytes` are PEM and not DER, which begins with a sequence's 0x30 (C: `IsBase64`).
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    const MARK: &[u8] = b"-----BEGIN";
    bytes.windows(MARK.len()).any(|part| part == MARK)
}
