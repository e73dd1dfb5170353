//! The signature over SHA-1 of a login by certificate, and keys behind a passphrase: the crate's and the C's of the same key.

use crate::support::{bytes, random, start};
use mayaqua::crypto::{KeyError, PrivateKey, rsa_verify_sha1};
use softether_sys as sys;
use std::ffi::CString;

/// A key as the C has it.
struct Key(*mut sys::K);

impl Key {
    fn generate(bits: u32) -> Self {
        let (mut private, mut public) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the places of two keys, which are this test's.
        let made = unsafe { sys::RsaGen(&raw mut private, &raw mut public, bits) };
        assert!(made != 0);
        // SAFETY: made above, and nobody else's.
        unsafe { sys::FreeK(public) };
        Self(private)
    }

    /// Its PEM, behind a passphrase if there is one.
    fn pem(&self, passphrase: Option<&str>) -> Vec<u8> {
        let passphrase = passphrase.map(|text| CString::new(text).unwrap());
        let pointer = passphrase.as_ref().map_or(std::ptr::null_mut(), |text| text.as_ptr().cast_mut());
        // SAFETY: the buffer is this function's; a string with its NUL, or none.
        unsafe {
            let buf = sys::KToBuf(self.0, 1, pointer);
            let pem = std::slice::from_raw_parts((*buf).Buf.cast::<u8>(), (*buf).Size as usize).to_vec();
            sys::FreeBuf(buf);
            pem
        }
    }

    /// What the C signs.
    fn sign(&self, data: &[u8], bits: u32) -> Vec<u8> {
        let (mut signed, mut data) = (vec![0; bits as usize / 8], data.to_vec());
        let size = u32::try_from(data.len()).unwrap();
        // SAFETY: blocks of the sizes given.
        let is_signed =
            unsafe { sys::RsaSignEx(signed.as_mut_ptr().cast(), data.as_mut_ptr().cast(), size, self.0, bits) };
        assert!(is_signed != 0);
        signed
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: this one's, and nobody else's.
        unsafe { sys::FreeK(self.0) };
    }
}

#[test]
fn both_sign_the_same() {
    start();
    let mut random = random();
    for bits in [2048, 3072] {
        let theirs = Key::generate(bits);
        let ours = PrivateKey::read(&theirs.pem(None)).unwrap();
        for size in [0, 1, 20, 1000] {
            let data = bytes(&mut random, size);
            // The C takes no data for none given.
            if size == 0 {
                assert!(ours.rsa_sign_sha1(&data).is_ok());
                continue;
            }
            let signed = ours.rsa_sign_sha1(&data).unwrap();
            assert_eq!(signed, theirs.sign(&data, bits));
            assert_eq!(rsa_verify_sha1(ours.public_key(), &data, &signed), Ok(()));
        }
    }
}

#[test]
fn a_key_that_the_c_put_behind_a_passphrase() {
    start();
    let theirs = Key::generate(2048);
    let pem = theirs.pem(Some("a word"));
    assert_eq!(PrivateKey::read(&pem).unwrap_err(), KeyError::Encrypted);
    assert_eq!(PrivateKey::read_encrypted(&pem, b"another").unwrap_err(), KeyError::Encrypted);
    let ours = PrivateKey::read_encrypted(&pem, b"a word").unwrap();
    assert_eq!(ours.rsa_sign_sha1(b"data").unwrap(), theirs.sign(b"data", 2048));
}
