//! Published vectors, hostile input, and OpenSSL, which the C stands on, as the other side.

use super::*;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::{Signer, Verifier};
use openssl::symm;
use openssl::x509::{X509, X509Name, X509NameBuilder};
use proptest::prelude::*;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

fn unhex(text: &str) -> Vec<u8> {
    crate::str::str_to_bin(text.as_bytes())
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().expect("a vector of this length")
}

#[test]
fn aead_of_the_specifications() {
    // McGrew and Viega's test case 4, and RFC 8439, 2.8.2.
    let key = AeadKey::new(Cipher::Aes128Gcm, &unhex("feffe9928665731c6d6a8f9467308308")).unwrap();
    let plain = unhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
    );
    let aad = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let mut data = plain.clone();
    let tag = key.seal(&array("cafebabefacedbaddecaf888"), &aad, &mut data).unwrap();
    assert_eq!(tag, array("5bc94fbc3221a5db94fae95ae7121a47"));
    assert!(data.starts_with(&unhex("42831ec2217774244b7221b784d0d49c")));
    key.open(&array("cafebabefacedbaddecaf888"), &aad, &mut data, &tag).unwrap();
    assert_eq!(data, plain);

    let key: Vec<u8> = (0x80..=0x9f).collect();
    let key = AeadKey::new(Cipher::ChaCha20Poly1305, &key).unwrap();
    let mut data = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.".to_vec();
    let tag = key.seal(&array("070000004041424344454647"), &unhex("50515253c0c1c2c3c4c5c6c7"), &mut data).unwrap();
    assert_eq!(tag, array("1ae10b594f09e26a7e902ecbd0600691"));
}

#[test]
fn aead_takes_no_other_key_and_opens_nothing_forged() {
    for cipher in Cipher::ALL {
        assert_eq!(Cipher::from_name(&cipher.name().to_lowercase()), Some(cipher));
        for size in [0, cipher.key_size() - 1, cipher.key_size() + 1] {
            assert_eq!(AeadKey::new(cipher, &vec![0; size]).unwrap_err(), AeadError::KeySize(size));
        }
        let key = AeadKey::new(cipher, &vec![7; cipher.key_size()]).unwrap();
        let mut sealed = *b"twelve bytes";
        let tag = key.seal(&[1; 12], b"more", &mut sealed).unwrap();
        let forged = |nonce: [u8; 12], aad: &[u8], data: [u8; 12], tag: [u8; 16]| {
            let mut data = data;
            assert_eq!(key.open(&nonce, aad, &mut data, &tag), Err(AeadError::Forged));
            assert_eq!(data, [0; 12], "what is forged is not left to read");
        };
        let flipped = |mut tag: [u8; 16], at: usize| {
            tag[at] ^= 1;
            tag
        };
        (0..16).for_each(|at| forged([1; 12], b"more", sealed, flipped(tag, at)));
        forged([2; 12], b"more", sealed, tag);
        forged([1; 12], b"mor", sealed, tag);
        forged([1; 12], b"more", *b"twelve other", tag);
        let mut empty = [];
        let tag = key.seal(&[3; 12], b"", &mut empty).unwrap();
        assert_eq!(key.open(&[3; 12], b"", &mut empty, &tag), Ok(()));
    }
    assert_eq!(Cipher::from_name("AES-128-CBC"), None);
}

proptest! {
    #[test]
    fn aead_is_openssls(which in 0usize..3, key: [u8; 32], nonce: [u8; 12], aad: Vec<u8>, data: Vec<u8>) {
        let cipher = Cipher::ALL[which];
        let theirs = [symm::Cipher::aes_128_gcm(), symm::Cipher::aes_256_gcm(), symm::Cipher::chacha20_poly1305()][which];
        let key = &key[..cipher.key_size()];
        let mut expected_tag = [0; 16];
        let expected = symm::encrypt_aead(theirs, key, Some(&nonce), &aad, &data, &mut expected_tag).unwrap();
        let mut sealed = data;
        let tag = AeadKey::new(cipher, key).unwrap().seal(&nonce, &aad, &mut sealed).unwrap();
        prop_assert_eq!((sealed, tag), (expected, expected_tag));
    }

    #[test]
    fn hmacs_are_openssls(key in proptest::collection::vec(any::<u8>(), 1..300), data: Vec<u8>) {
        let pkey = PKey::hmac(&key).unwrap();
        let theirs = |digest| Signer::new(digest, &pkey).unwrap().sign_oneshot_to_vec(&data).unwrap();
        prop_assert_eq!(&theirs(MessageDigest::sha256())[..], &hmac_sha2_256(&key, &data)[..]);
        prop_assert_eq!(&theirs(MessageDigest::sha384())[..], &hmac_sha2_384(&key, &data)[..]);
        prop_assert_eq!(&theirs(MessageDigest::sha512())[..], &hmac_sha2_512(&key, &data)[..]);
    }

    #[test]
    fn what_is_no_certificate_and_no_key_is_an_error(bytes: Vec<u8>) {
        prop_assert!(Certificate::read(&bytes).is_err());
        prop_assert!(PrivateKey::read(&bytes).is_err());
    }
}

/// A key of OpenSSL's.
fn rsa_key(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

#[test]
fn rsa_signs_and_verifies_as_openssl() {
    let theirs = rsa_key(2048);
    let ours = PrivateKey::read(&theirs.private_key_to_pem_pkcs8().unwrap()).unwrap();
    assert_eq!((ours.kind(), format!("{ours:?}")), (KeyKind::Rsa, "PrivateKey(Rsa)".to_owned()));
    let rsa = theirs.rsa().unwrap();
    assert_eq!(ours.rsa_modulus().unwrap(), rsa.n().to_vec());
    assert_eq!(ours.public_key(), rsa.public_key_to_der_pkcs1().unwrap());
    let digests = [
        (Hash::Sha256, MessageDigest::sha256()),
        (Hash::Sha384, MessageDigest::sha384()),
        (Hash::Sha512, MessageDigest::sha512()),
    ];
    for (hash, digest) in digests {
        let signed = ours.rsa_sign(hash, b"data").unwrap();
        assert_eq!(signed, Signer::new(digest, &theirs).unwrap().sign_oneshot_to_vec(b"data").unwrap());
        assert!(Verifier::new(digest, &theirs).unwrap().verify_oneshot(&signed, b"data").unwrap());
        assert_eq!(rsa_verify(ours.public_key(), hash, b"data", &signed), Ok(()));
        assert_eq!(rsa_verify(ours.public_key(), hash, b"Data", &signed), Err(KeyError::Forged));
        assert_eq!(rsa_verify(ours.public_key(), hash, b"data", &signed[1..]), Err(KeyError::Forged));
        assert_eq!(rsa_verify(b"", hash, b"data", &signed), Err(KeyError::Forged));
    }
    // As the C signs a login, also with the 1024 bits that it makes.
    for key in [theirs, rsa_key(1024)] {
        let public = key.rsa().unwrap().public_key_to_der_pkcs1().unwrap();
        let signed = Signer::new(MessageDigest::sha1(), &key).unwrap().sign_oneshot_to_vec(&[7; 20]).unwrap();
        assert_eq!(rsa_verify_sha1(&public, &[7; 20], &signed), Ok(()));
        assert_eq!(rsa_verify_sha1(&public, &[8; 20], &signed), Err(KeyError::Forged));
    }
    assert!(PrivateKey::self_test());
}

#[test]
fn keys_of_every_kind_and_coat_are_read() {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    let ec = |curve| PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()).unwrap();
    let rsa = rsa_key(2048);
    assert_eq!(PrivateKey::read(&rsa.private_key_to_der().unwrap()).unwrap().kind(), KeyKind::Rsa, "PKCS#1");
    assert_eq!(PrivateKey::read(&rsa.private_key_to_pkcs8().unwrap()).unwrap().kind(), KeyKind::Rsa, "PKCS#8");
    for curve in [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1] {
        let key = ec(curve);
        for coat in [key.private_key_to_pkcs8().unwrap(), key.ec_key().unwrap().private_key_to_pem().unwrap()] {
            let read = PrivateKey::read(&coat).unwrap();
            assert_eq!((read.kind(), read.rsa_modulus()), (KeyKind::Ecdsa, Err(KeyError::NotRsa)));
            assert_eq!(read.rsa_sign(Hash::Sha256, b""), Err(KeyError::NotRsa));
        }
    }
    let ed25519 = PKey::generate_ed25519().unwrap();
    let read = PrivateKey::read(&ed25519.private_key_to_pem_pkcs8().unwrap()).unwrap();
    assert_eq!((read.kind(), read.public_key()), (KeyKind::Ed25519, &ed25519.raw_public_key().unwrap()[..]));

    let hidden = rsa.private_key_to_pem_pkcs8_passphrase(symm::Cipher::aes_256_cbc(), b"secret").unwrap();
    assert_eq!(PrivateKey::read(&hidden).unwrap_err(), KeyError::Encrypted);
    let hidden = rsa.rsa().unwrap().private_key_to_pem_passphrase(symm::Cipher::aes_256_cbc(), b"secret").unwrap();
    assert_eq!(PrivateKey::read(&hidden).unwrap_err(), KeyError::Encrypted);
    assert_eq!(PrivateKey::read(&vec![0x30; INPUT_MAX + 1]).unwrap_err(), KeyError::TooLarge);
    assert_eq!(PrivateKey::read(&rsa.public_key_to_pem().unwrap()).unwrap_err(), KeyError::Malformed);
    let small = PrivateKey::read(&rsa_key(1024).private_key_to_pkcs8().unwrap());
    assert!(matches!(small, Err(KeyError::Rejected(_))), "{small:?}");
    // Everything that was cut off short, and one wrong bit in each byte: an error or a key, and nothing else.
    let whole = ec(Nid::X9_62_PRIME256V1).private_key_to_pkcs8().unwrap();
    (0..whole.len()).for_each(|length| assert!(PrivateKey::read(&whole[..length]).is_err()));
    for at in 0..whole.len() {
        let mut wrong = whole.clone();
        wrong[at] ^= 1;
        let _ = PrivateKey::read(&wrong);
    }
}

/// A certificate by OpenSSL with a name in several parts.
fn made_by_openssl(key: &PKey<Private>, issuer: &X509Name, subject: &X509Name, signer: &PKey<Private>) -> X509 {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_hex_str("80000000000000000001").unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(1_000_000_000).unwrap()).unwrap();
    // Behind 2049, where the encoding of times changes.
    builder.set_not_after(&Asn1Time::from_unix(4_000_000_000).unwrap()).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.sign(signer, MessageDigest::sha256()).unwrap();
    builder.build()
}

fn name(parts: &[(&str, &str)]) -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    parts.iter().for_each(|(field, text)| name.append_entry_by_text(field, text).unwrap());
    name.build()
}

#[test]
fn certificates_are_read_as_openssl_made_them() {
    let (key, ca) = (rsa_key(2048), rsa_key(2048));
    let root = name(&[("CN", "root")]);
    let parts =
        [("C", "JP"), ("ST", "茨城県"), ("L", "Tsukuba"), ("O", "SoftEther"), ("OU", "VPN"), ("CN", "a"), ("CN", "b")];
    let x = made_by_openssl(&key, &root, &name(&parts), &ca);
    let issuer = Certificate::read(&made_by_openssl(&ca, &root, &root, &ca).to_pem().unwrap()).unwrap();
    let read = Certificate::read(&x.to_der().unwrap()).unwrap();
    assert_eq!(read, Certificate::read(&x.to_pem().unwrap()).unwrap());
    assert_ne!(read, issuer);

    let subject = read.subject();
    assert_eq!(subject.common_name.as_deref(), Some("a"), "the first of two");
    assert_eq!((subject.country.as_deref(), subject.state.as_deref()), (Some("JP"), Some("茨城県")));
    assert_eq!((subject.local.as_deref(), subject.unit.as_deref()), (Some("Tsukuba"), Some("VPN")));
    assert_eq!(read.issuer(), issuer.subject());
    assert_eq!(issuer.subject().organization, None);
    assert_eq!(read.serial(), array::<11>("0080000000000000000001"));
    assert_eq!(read.validity(), (1_000_000_000, 4_000_000_000));
    let valid =
        [999_999_999, 1_000_000_000, 1_000_000_001, 3_999_999_999, 4_000_000_000].map(|time| read.is_valid_at(time));
    assert_eq!(valid, [false, false, true, true, false]);
    assert_eq!(read.fingerprint()[..], x.digest(MessageDigest::sha256()).unwrap()[..]);
    assert_eq!(read.sha1()[..], x.digest(MessageDigest::sha1()).unwrap()[..]);
    assert_eq!(read.md5()[..], x.digest(MessageDigest::md5()).unwrap()[..]);
    assert_eq!((read.has_basic_constraints(), read.is_ca(), read.issuer_url()), (false, false, None));

    assert!(read.is_signed_by(&issuer) && !read.is_signed_by(&read) && !issuer.is_signed_by(&read));
    assert!(issuer.is_root() && !read.is_root());
    let pair = |key: &PKey<Private>| PrivateKey::read(&key.private_key_to_pkcs8().unwrap()).unwrap();
    assert!(read.key_matches(&pair(&key)) && !read.key_matches(&pair(&ca)));

    let mut both = x.to_pem().unwrap();
    both.extend(issuer_pem(&issuer));
    assert_eq!(Certificate::read_chain(&both).unwrap(), [read.clone(), issuer]);
    assert_eq!(Certificate::read_chain(&x.to_pem().unwrap().repeat(CHAIN_MAX + 1)), Err(CertificateError::TooMany));
    assert_eq!(Certificate::read_chain(b""), Err(CertificateError::Malformed));
}

fn issuer_pem(certificate: &Certificate) -> Vec<u8> {
    X509::from_der(certificate.der()).unwrap().to_pem().unwrap()
}

#[test]
fn extensions_of_others() {
    use openssl::x509::extension::BasicConstraints;
    let key = PKey::generate_ed25519().unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(1).unwrap()).unwrap();
    builder.append_extension(BasicConstraints::new().ca().build().unwrap()).unwrap();
    // authorityInfoAccess with the place of the CA issuer.
    let url = b"http://c/x";
    let place = [&[0x06, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 2, 0x86, 10][..], url].concat();
    let place = [&[0x30, 22][..], &place].concat();
    let contents = openssl::asn1::Asn1OctetString::new_from_bytes(&[&[0x30, 24][..], &place].concat()).unwrap();
    let oid = openssl::asn1::Asn1Object::from_str("1.3.6.1.5.5.7.1.1").unwrap();
    builder.append_extension(openssl::x509::X509Extension::new_from_der(&oid, false, &contents).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::null()).unwrap();
    let read = Certificate::read(&builder.build().to_der().unwrap()).unwrap();
    assert_eq!((read.has_basic_constraints(), read.is_ca()), (true, true));
    assert_eq!((read.key_kind(), read.issuer_url()), (KeyKind::Ed25519, Some("http://c/x")));
    assert!(read.is_root());
}

#[test]
fn a_damaged_certificate_is_an_error_or_another_certificate() {
    let key = rsa_key(2048);
    let root = name(&[("CN", "root")]);
    let whole = made_by_openssl(&key, &root, &root, &key).to_der().unwrap();
    let sound = Certificate::read(&whole).unwrap();
    for length in 0..whole.len() {
        assert_eq!(Certificate::read(&whole[..length]), Err(CertificateError::Malformed), "{length} bytes of it");
    }
    assert_eq!(Certificate::read(&[&whole[..], b"\0"].concat()), Err(CertificateError::Malformed));
    assert_eq!(Certificate::read(&vec![0x30; INPUT_MAX + 1]), Err(CertificateError::TooLarge));
    let signed = |der: &[u8]| X509Certificate::from_der(der).unwrap().1.tbs_certificate.as_ref().to_vec();
    for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit))) {
        let mut wrong = whole.clone();
        wrong[at] ^= bit;
        if let Ok(read) = Certificate::read(&wrong) {
            assert_ne!(read, sound);
            assert!(!read.is_signed_by(&sound) || signed(&wrong) == signed(&whole), "byte {at}, bit {bit}");
        }
    }
}
