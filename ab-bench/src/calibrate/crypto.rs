//! AES-256-GCM as TLS 1.3 uses it: records of 16 KiB, five bytes of header authenticated, in place.

use std::io;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;

use super::{Sampled, Step, sample};

const RECORD: usize = 16 << 10;
const TAG: usize = 16;
const HEADER: [u8; 5] = [0x17, 3, 3, 0x40, 0x10];
const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; NONCE_LEN] = [9; NONCE_LEN];
/// Records per reading of the clock.
const BATCH: usize = 64;

pub(super) fn measure() -> Vec<Sampled> {
    vec![
        (Step::SealOpenssl, openssl_records(true)),
        (Step::OpenOpenssl, openssl_records(false)),
        (Step::SealAwsLc, aws_lc_seal()),
        (Step::OpenAwsLc, aws_lc_open()),
    ]
}

fn aws_key() -> io::Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, &KEY).map_err(|_| io::Error::other("aws-lc-rs refused the key"))?;
    Ok(LessSafeKey::new(key))
}

fn aws_lc_seal() -> io::Result<Vec<f64>> {
    let key = aws_key()?;
    let mut record = vec![0x5a; RECORD];
    sample(
        || Ok(()),
        || {
            for _ in 0..BATCH {
                let nonce = Nonce::assume_unique_for_key(NONCE);
                let _tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(HEADER), &mut record)
                    .map_err(|_| io::Error::other("aws-lc-rs did not seal"))?;
            }
            Ok((BATCH * RECORD) as u64)
        },
    )
}

/// Opening in place destroys what it opens, so each record is laid ready before the clock runs.
fn aws_lc_open() -> io::Result<Vec<f64>> {
    let key = aws_key()?;
    let mut sealed = vec![0x5a; RECORD];
    let nonce = Nonce::assume_unique_for_key(NONCE);
    key.seal_in_place_append_tag(nonce, Aad::from(HEADER), &mut sealed)
        .map_err(|_| io::Error::other("aws-lc-rs did not seal"))?;
    let records = std::cell::RefCell::new(vec![sealed.clone(); BATCH]);
    sample(
        || {
            records.borrow_mut().iter_mut().for_each(|record| record.copy_from_slice(&sealed));
            Ok(())
        },
        || {
            for record in records.borrow_mut().iter_mut() {
                let nonce = Nonce::assume_unique_for_key(NONCE);
                key.open_in_place(nonce, Aad::from(HEADER), record)
                    .map_err(|_| io::Error::other("aws-lc-rs did not open its own record"))?;
            }
            Ok((BATCH * RECORD) as u64)
        },
    )
}

/// Sealing, or opening what was sealed: the context keeps its key, as a TLS library does, and gets a nonce per record.
fn openssl_records(seal: bool) -> io::Result<Vec<f64>> {
    let mut tag = [0; TAG];
    let mut sealed = vec![0x5a; RECORD];
    let mut context = CipherCtx::new()?;
    context.encrypt_init(Some(Cipher::aes_256_gcm()), Some(&KEY), Some(&NONCE))?;
    seal_record(&mut context, &mut sealed, &mut tag)?;
    if !seal {
        context.decrypt_init(Some(Cipher::aes_256_gcm()), Some(&KEY), Some(&NONCE))?;
    }
    let records = std::cell::RefCell::new(vec![sealed.clone(); BATCH]);
    sample(
        || {
            records.borrow_mut().iter_mut().for_each(|record| record.copy_from_slice(&sealed));
            Ok(())
        },
        || {
            for record in records.borrow_mut().iter_mut() {
                if seal {
                    seal_record(&mut context, record, &mut tag)?;
                } else {
                    open_record(&mut context, record, &tag)?;
                }
            }
            Ok((BATCH * RECORD) as u64)
        },
    )
}

fn seal_record(context: &mut CipherCtx, record: &mut [u8], tag: &mut [u8]) -> io::Result<()> {
    context.encrypt_init(None, None, Some(&NONCE))?;
    context.cipher_update(&HEADER, None)?;
    let length = record.len();
    context.cipher_update_inplace(record, length)?;
    context.cipher_final(&mut [])?;
    Ok(context.tag(tag)?)
}

fn open_record(context: &mut CipherCtx, record: &mut [u8], tag: &[u8]) -> io::Result<()> {
    context.decrypt_init(None, None, Some(&NONCE))?;
    context.cipher_update(&HEADER, None)?;
    let length = record.len();
    context.cipher_update_inplace(record, length)?;
    context.set_tag(tag)?;
    context.cipher_final(&mut [])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both libraries must do the same work, or their costs do not compare.
    #[test]
    fn openssl_and_aws_lc_seal_alike() {
        let plain: Vec<u8> = (0..RECORD).map(|index| index as u8).collect();
        let (mut ours, mut tag) = (plain.clone(), [0; TAG]);
        let mut context = CipherCtx::new().unwrap();
        context.encrypt_init(Some(Cipher::aes_256_gcm()), Some(&KEY), Some(&NONCE)).unwrap();
        seal_record(&mut context, &mut ours, &mut tag).unwrap();
        let mut theirs = plain.clone();
        let nonce = Nonce::assume_unique_for_key(NONCE);
        aws_key().unwrap().seal_in_place_append_tag(nonce, Aad::from(HEADER), &mut theirs).unwrap();
        assert_eq!(theirs, [&ours[..], &tag].concat());

        context.decrypt_init(Some(Cipher::aes_256_gcm()), Some(&KEY), Some(&NONCE)).unwrap();
        open_record(&mut context, &mut ours, &tag).unwrap();
        assert_eq!(ours, plain);
        tag[0] ^= 1;
        assert!(open_record(&mut context, &mut ours, &tag).is_err(), "a wrong tag is refused");
    }
}
