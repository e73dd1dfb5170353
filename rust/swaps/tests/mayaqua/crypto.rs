//! Hashes, RC4 and passwords: the C's (OpenSSL under it, but for SHA-0) and the crate's on random data.

use crate::support::{bytes, random, start};
use mayaqua::crypto;
use rand::Rng;
use softether_sys as sys;
use std::ffi::{CString, c_void};

/// What a hash function of the C gives.
fn hash<const N: usize>(data: &[u8], function: unsafe extern "C" fn(*mut c_void, *mut c_void, u32)) -> [u8; N] {
    let (mut hash, mut data) = ([0; N], data.to_vec());
    let size = u32::try_from(data.len()).unwrap();
    // SAFETY: blocks of the sizes that the function takes.
    unsafe { function(hash.as_mut_ptr().cast(), data.as_mut_ptr().cast(), size) };
    hash
}

#[test]
fn hashes() {
    start();
    let mut random = random();
    for size in (0..300).chain([1000, 65_537]) {
        let data = bytes(&mut random, size);
        assert_eq!(hash(&data, sys::Sha0), crypto::sha0(&data));
        assert_eq!(hash(&data, sys::Sha1), crypto::sha1(&data));
        assert_eq!(hash(&data, sys::Sha2_256), crypto::sha2_256(&data));
        assert_eq!(hash(&data, sys::Sha2_384), crypto::sha2_384(&data));
        assert_eq!(hash(&data, sys::Sha2_512), crypto::sha2_512(&data));
        assert_eq!(hash(&data, sys::Md5), crypto::md5(&data));
        assert_eq!(hash(&data, sys::HashMd4), crypto::hash_md4(&data));
    }
}

#[test]
fn keyed() {
    start();
    let mut random = random();
    for _ in 0..300 {
        let (key_size, size) = (random.random_range(1..200), random.random_range(1..200));
        let (mut key, mut data) = (bytes(&mut random, key_size), bytes(&mut random, size));
        let (key_length, length) = (u32::try_from(key_size).unwrap(), u32::try_from(size).unwrap());
        let (mut md5, mut sha1, mut encrypted) = ([0; 16], [0; 20], vec![0; size]);
        // SAFETY: blocks of the sizes given; the CRYPT is this test's.
        unsafe {
            let (k, d) = (key.as_mut_ptr().cast(), data.as_mut_ptr().cast());
            sys::HMacMd5(md5.as_mut_ptr().cast(), k, key_length, d, length);
            sys::HMacSha1(sha1.as_mut_ptr().cast(), k, key_length, d, length);
            let rc4 = sys::NewCrypt(k, key_length);
            sys::Encrypt(rc4, encrypted.as_mut_ptr().cast(), d, length);
            sys::FreeCrypt(rc4);
        }
        assert_eq!((md5, sha1), (crypto::hmac_md5(&key, &data), crypto::hmac_sha1(&key, &data)));
        crypto::Rc4::new(&key).unwrap().apply(&mut data);
        assert_eq!(encrypted, data);
    }
}

#[test]
fn passwords() {
    start();
    let mut random = random();
    for _ in 0..300 {
        let mut word = || {
            CString::new((0..random.random_range(0..30)).map(|_| random.random_range(1..=255u8)).collect::<Vec<_>>())
                .unwrap()
        };
        let (user, password) = (word(), word());
        let (mut hashed, mut proof, mut challenge) = ([0u8; 20], [0u8; 20], [7u8; 20]);
        let mut nt = [0u8; 16];
        // SAFETY: strings with their NULs, blocks of 20 and 16 bytes.
        unsafe {
            sys::HashPassword(hashed.as_mut_ptr().cast(), user.as_ptr().cast_mut(), password.as_ptr().cast_mut());
            sys::SecurePassword(proof.as_mut_ptr().cast(), hashed.as_mut_ptr().cast(), challenge.as_mut_ptr().cast());
            sys::GenerateNtPasswordHash(nt.as_mut_ptr(), password.as_ptr().cast_mut());
        }
        assert_eq!(hashed, crypto::hash_password(user.to_bytes(), password.to_bytes()));
        assert_eq!(proof, crypto::secure_password(&hashed, &challenge));
        assert_eq!(nt, crypto::generate_nt_password_hash(password.to_bytes()));
    }
}
