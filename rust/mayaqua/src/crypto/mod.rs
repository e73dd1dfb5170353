//! `Mayaqua/Encrypt.c`: hashes and what is made of them, RC4, authenticated ciphers, keys and certificates.
//!
//! | here | C | by |
//! | --- | --- | --- |
//! | [`sha0`] | `Sha0` | this crate: nothing maintained has it |
//! | [`sha1`], [`sha2_256`], [`sha2_384`], [`sha2_512`] | `Sha1`, `Sha2_256` and so on | the crates `sha1`, `sha2` |
//! | [`md5`], [`hash_md4`] | `Md5`, `HashMd4` | the crates `md-5`, `md4` |
//! | [`hmac_md5`], [`hmac_sha1`], [`hmac_sha2_256`] and so on | `HMacMd5`, `HMacSha1`, `MdProcess` | the crate `hmac` |
//! | [`Rc4`] | `NewCrypt`, `Encrypt` | this crate: the crate `rc4` fixes the length of keys at compile time |
//! | [`hash_password`], [`secure_password`] | Cedar's `HashPassword`, `SecurePassword` | |
//! | [`AeadKey`], [`Cipher`] | `NewCipher`, `CipherProcessAead` | the crate `aws-lc-rs`, feature `keys` |
//! | [`PrivateKey`], [`rsa_verify`] | `K`, `RsaVerify` | the crate `aws-lc-rs`, feature `keys` |
//! | `PrivateKey::rsa_sign_sha1`, `PrivateKey::read_encrypted` | `RsaSignEx`, `BufToK` with a password | the crate `openssl`, feature `openssl` |
//! | [`Certificate`], [`Name`] | `X`, `NAME` | the crate `x509-parser`, feature `keys` |
//!
//! SHA-0, MD4, MD5 and RC4 are broken. They are here because SoftEther's protocol needs them, for nothing else.
//! Not here: making certificates, Diffie-Hellman, DES and ciphers without authentication, which only SoftEther's server uses.

#[cfg(feature = "keys")]
mod aead;
#[cfg(feature = "openssl")]
mod by_openssl;
#[cfg(feature = "keys")]
mod certificate;
#[cfg(feature = "keys")]
mod key;
mod password;
mod rc4;
mod sha0;

#[cfg(feature = "keys")]
pub use aead::{AeadError, AeadKey, Cipher, NONCE_SIZE, TAG_SIZE};
#[cfg(feature = "keys")]
pub use certificate::{CHAIN_MAX, Certificate, CertificateError, KeyKind, Name};
#[cfg(feature = "keys")]
pub use key::{Hash, INPUT_MAX, KeyError, PrivateKey, rsa_verify, rsa_verify_sha1};
pub use password::{generate_nt_password_hash, hash_password, secure_password};
pub use rc4::{KeyLengthError, Rc4};
pub use sha0::{Sha0, sha0};

use hmac::{Hmac, KeyInit, Mac};
use md4::Md4;
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

/// Bytes of a SHA-0 or SHA-1 (C: the same name, Encrypt.h).
pub const SHA1_SIZE: usize = 20;
/// Bytes of an MD5 or MD4 (C: the same name, Encrypt.h).
pub const MD5_SIZE: usize = 16;

/// SHA-1 of `data` (C: `Sha1` and `HashSha1`, Mayaqua/Encrypt.c).
#[must_use]
pub fn sha1(data: &[u8]) -> [u8; SHA1_SIZE] {
    Sha1::digest(data).into()
}

/// SHA-256 of `data` (C: `Sha2_256`, Mayaqua/Encrypt.c).
#[must_use]
pub fn sha2_256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// SHA-384 of `data` (C: `Sha2_384`, Mayaqua/Encrypt.c).
#[must_use]
pub fn sha2_384(data: &[u8]) -> [u8; 48] {
    Sha384::digest(data).into()
}

/// SHA-512 of `data` (C: `Sha2_512`, Mayaqua/Encrypt.c).
#[must_use]
pub fn sha2_512(data: &[u8]) -> [u8; 64] {
    Sha512::digest(data).into()
}

/// MD5 of `data` (C: `Md5`, Mayaqua/Encrypt.c).
#[must_use]
pub fn md5(data: &[u8]) -> [u8; MD5_SIZE] {
    Md5::digest(data).into()
}

/// MD4 of `data` (C: `HashMd4`, Mayaqua/Encrypt.c).
#[must_use]
pub fn hash_md4(data: &[u8]) -> [u8; MD5_SIZE] {
    Md4::digest(data).into()
}

/// HMAC of MD5; a key may have any length (C: `HMacMd5`, Mayaqua/Encrypt.c).
#[must_use]
pub fn hmac_md5(key: &[u8], data: &[u8]) -> [u8; MD5_SIZE] {
    let mac = Hmac::<Md5>::new_from_slice(key).map(|mac| mac.chain_update(data).finalize().into_bytes().into());
    mac.unwrap_or_else(|_| unreachable!("an HMAC takes keys of any length"))
}

/// HMAC of SHA-1; a key may have any length (C: `HMacSha1`, Mayaqua/Encrypt.c).
#[must_use]
pub fn hmac_sha1(key: &[u8], data: &[u8]) -> [u8; SHA1_SIZE] {
    let mac = Hmac::<Sha1>::new_from_slice(key).map(|mac| mac.chain_update(data).finalize().into_bytes().into());
    mac.unwrap_or_else(|_| unreachable!("an HMAC takes keys of any length"))
}

/// HMAC of SHA-256; a key may have any length (C: `NewMd`, `SetMdKey`, `MdProcess`, Mayaqua/Encrypt.c, of "SHA256").
#[must_use]
pub fn hmac_sha2_256(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(data).finalize().into_bytes().into());
    mac.unwrap_or_else(|_| unreachable!("an HMAC takes keys of any length"))
}

/// HMAC of SHA-384; a key may have any length (C: `MdProcess` of "SHA384").
#[must_use]
pub fn hmac_sha2_384(key: &[u8], data: &[u8]) -> [u8; 48] {
    let mac = Hmac::<Sha384>::new_from_slice(key).map(|mac| mac.chain_update(data).finalize().into_bytes().into());
    mac.unwrap_or_else(|_| unreachable!("an HMAC takes keys of any length"))
}

/// HMAC of SHA-512; a key may have any length (C: `MdProcess` of "SHA512").
#[must_use]
pub fn hmac_sha2_512(key: &[u8], data: &[u8]) -> [u8; 64] {
    let mac = Hmac::<Sha512>::new_from_slice(key).map(|mac| mac.chain_update(data).finalize().into_bytes().into());
    mac.unwrap_or_else(|_| unreachable!("an HMAC takes keys of any length"))
}

/// Whether both are the same, in a time that depends on their lengths only. (The C compares secrets by `memcmp`.)
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(all(test, feature = "keys"))]
mod key_tests;
#[cfg(test)]
mod tests;
