//! What SoftEther does with private keys and aws-lc does not, by the system's OpenSSL: RSA over SHA-1, which a login by certificate
//! signs with, and keys behind a passphrase. Feature `openssl`.
//!
//! Why OpenSSL: the C signs by it, its RSA is blinded and of constant time, and the crate `openssl` is safe to call. The crate
//! `rsa` would need no library of the system, but its arithmetic with secrets still takes a time that depends on them
//! (RUSTSEC-2023-0071); blinding hides that from no one who can have much signed, and a server may ask for as many logins as it
//! likes. Without this feature nothing of this crate links OpenSSL.

use super::key::{KeyError, PrivateKey};
use super::{INPUT_MAX, SHA1_SIZE, sha1};
use openssl::pkey::PKey;
use openssl::rsa::Padding;
use rustls_pki_types::PrivatePkcs8KeyDer;

/// What stands before the digest in what is signed: it is one of SHA-1 (C: `HashForSign`, Mayaqua/Encrypt.c; PKCS#1's `DigestInfo`).
const SHA1_DIGEST_INFO: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];

impl PrivateKey {
    /// A key in PEM behind a passphrase (C: `BufToK` with a password; the one that OpenSSL asks for it is
    /// `PKeyPasswordCallbackFunction`, Mayaqua/Encrypt.c). A key without a passphrase is read as well.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooLarge`]; [`KeyError::Encrypted`] for another passphrase, and for what is no key; those of
    /// [`PrivateKey::read`] for a key of a kind that is not accepted.
    pub fn read_encrypted(pem: &[u8], passphrase: &[u8]) -> Result<Self, KeyError> {
        if pem.len() > INPUT_MAX {
            return Err(KeyError::TooLarge);
        }
        let key = PKey::private_key_from_pem_passphrase(pem, passphrase).map_err(|_| KeyError::Encrypted)?;
        let der = key.private_key_to_pkcs8().map_err(|_| KeyError::Failed)?;
        Self::from_der(PrivatePkcs8KeyDer::from(der).into())
    }

    /// Signs with RSA over SHA-1, as a login by certificate does with the server's 20 random bytes (C: `RsaSign`, `RsaSignEx`,
    /// Mayaqua/Encrypt.c). Only for that: SHA-1 is broken where a signer does not choose the data.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotRsa`], [`KeyError::Failed`].
    pub fn rsa_sign_sha1(&self, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = PKey::private_key_from_der(self.secret_der().secret_der()).map_err(|_| KeyError::Failed)?;
        let rsa = key.rsa().map_err(|_| KeyError::NotRsa)?;
        let mut info = [0; SHA1_DIGEST_INFO.len() + SHA1_SIZE];
        let (head, digest) = info.split_at_mut(SHA1_DIGEST_INFO.len());
        head.copy_from_slice(&SHA1_DIGEST_INFO);
        digest.copy_from_slice(&sha1(data));
        let mut signature = vec![0; usize::try_from(rsa.size()).map_err(|_| KeyError::Failed)?];
        // As the C, and not as a signature "with SHA-1": systems whose policy forbids that still log in.
        let size = rsa.private_encrypt(&info, &mut signature, Padding::PKCS1).map_err(|_| KeyError::Failed)?;
        signature.truncate(size);
        Ok(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeyKind, rsa_verify_sha1};
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::rsa::Rsa;
    use openssl::symm::Cipher;

    #[test]
    fn what_is_signed_over_sha1_is_verified_and_nothing_else() {
        for bits in [2048, 4096] {
            let theirs = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
            // Both encodings of a key.
            for der in [theirs.private_key_to_pkcs8().unwrap(), theirs.private_key_to_der().unwrap()] {
                let key = PrivateKey::read(&der).unwrap();
                let signed = key.rsa_sign_sha1(b"twenty random bytes!").unwrap();
                assert_eq!(signed.len(), bits as usize / 8);
                assert_eq!(rsa_verify_sha1(key.public_key(), b"twenty random bytes!", &signed), Ok(()));
                assert_eq!(rsa_verify_sha1(key.public_key(), b"twenty random bytes?", &signed), Err(KeyError::Forged));
            }
        }
        let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let other = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
        let other = PrivateKey::read(&other.private_key_to_pkcs8().unwrap()).unwrap();
        assert_eq!(other.rsa_sign_sha1(b"data"), Err(KeyError::NotRsa));
    }

    #[test]
    fn a_key_behind_a_passphrase_opens_with_that_only() {
        let theirs = Rsa::generate(2048).unwrap();
        let public = theirs.public_key_to_der_pkcs1().unwrap();
        let pkey = PKey::from_rsa(theirs.clone()).unwrap();
        let pkcs8 = pkey.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"word").unwrap();
        let old = theirs.private_key_to_pem_passphrase(Cipher::aes_128_cbc(), b"word").unwrap();
        for pem in [pkcs8, old] {
            assert_eq!(PrivateKey::read(&pem).unwrap_err(), KeyError::Encrypted);
            let key = PrivateKey::read_encrypted(&pem, b"word").unwrap();
            assert_eq!((key.kind(), key.public_key()), (KeyKind::Rsa, &public[..]));
            for wrong in [&b""[..], b"Word", b"word "] {
                assert_eq!(PrivateKey::read_encrypted(&pem, wrong).unwrap_err(), KeyError::Encrypted);
            }
        }
        let plain = pkey.private_key_to_pem_pkcs8().unwrap();
        assert!(PrivateKey::read_encrypted(&plain, b"").is_ok());
        assert_eq!(PrivateKey::read_encrypted(b"no key", b"").unwrap_err(), KeyError::Encrypted);
        assert_eq!(PrivateKey::read_encrypted(&vec![0; INPUT_MAX + 1], b"").unwrap_err(), KeyError::TooLarge);
        let weak = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        let weak = weak.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"word").unwrap();
        assert!(matches!(PrivateKey::read_encrypted(&weak, b"word"), Err(KeyError::Rejected(_))));
    }
}
