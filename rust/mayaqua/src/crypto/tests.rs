//! Published vectors; against the C: `rust/swaps/tests/mayaqua`.

use super::*;
use crate::str::bin_to_str;

fn hex(bytes: &[u8]) -> String {
    bin_to_str(bytes).to_ascii_lowercase()
}

#[test]
fn sha0_of_fips_180() {
    let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_eq!(hex(&sha0(b"")), "f96cea198ad1dd5617ac084a3d92c6107708c0ef");
    assert_eq!(hex(&sha0(b"abc")), "0164b8a914cd2a5e74c4f7ff082c4d97f1edf880");
    assert_eq!(hex(&sha0(two_blocks)), "d2516ee1acfa5baf33dfc1c471e438449ef134c8");
    assert_eq!(hex(&sha0(&[b'a'; 1_000_000])), "3232affa48628a26653b5aaa44541fd90d690603");
}

#[test]
fn sha0_in_pieces_of_every_size() {
    let data: Vec<u8> = (0..300u16).map(|byte| byte.to_le_bytes()[0]).collect();
    for length in 0..data.len() {
        let whole = sha0(&data[..length]);
        for size in [1, 7, 63, 64, 65, 128] {
            let mut hash = Sha0::new();
            data[..length].chunks(size).for_each(|piece| hash.update(piece));
            assert_eq!(hash.finish(), whole, "{length} bytes, {size} at a time");
        }
    }
}

#[test]
fn hashes_of_others() {
    assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(hex(&sha2_256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert!(hex(&sha2_384(b"abc")).starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab"));
    assert!(hex(&sha2_512(b"abc")).starts_with("ddaf35a193617abacc417349ae20413112e6fa4e"));
    assert_eq!(hex(&md5(b"abc")), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(hex(&hash_md4(b"abc")), "a448017aaf21d8525fc10ae87aa6729d");
}

#[test]
fn hmac_of_rfc_2202() {
    let data = b"what do ya want for nothing?";
    assert_eq!(hex(&hmac_md5(b"Jefe", data)), "750c783e6ab0b503eaa86e310a5db738");
    assert_eq!(hex(&hmac_sha1(b"Jefe", data)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
    assert_eq!(hex(&hmac_sha1(&[0xaa; 80], long)), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    assert_eq!(hex(&hmac_sha1(b"", b"")), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

#[test]
fn rc4_of_rfc_6229() {
    let stream = |key: &[u8]| {
        let mut data = [0; 16];
        Rc4::new(key).unwrap().apply(&mut data);
        hex(&data)
    };
    assert_eq!(stream(&[1, 2, 3, 4, 5]), "b2396305f03dc027ccc3524a0a1118a8");
    let key: Vec<u8> = (1..=32).collect();
    assert_eq!(stream(&key), "eaa6bd25880bf93d3f5d1e4ca2611d91");
    assert_eq!(Rc4::new(b"").unwrap_err(), KeyLengthError(0));
    assert_eq!(Rc4::new(&[0; 257]).unwrap_err(), KeyLengthError(257));
}

#[test]
fn passwords() {
    let hashed = hash_password(b"Test\0x", b"secret");
    assert_eq!(hashed, sha0(b"secretTEST"));
    assert_eq!(secure_password(&hashed, &[7; 20]), sha0(&[&hashed[..], &[7; 20]].concat()));
    assert_eq!(hex(&generate_nt_password_hash(b"password")), "8846f7eaee8fb117ad06bdd830b7586c");
    assert!(same(b"a", b"a") && !same(b"a", b"b") && !same(b"a", b"aa"));
}
