//! Bulk datagrams: frames beside the stream of a session, each in a datagram of its own that may be lost, with keys that the
//! server gives after login. (C: `RUDPBulkSend`, `RUDPProcessBulkRecvPacket`, Mayaqua/Network.c.)
//!
//! | version | datagram |
//! | --- | --- |
//! | 1 | 20 bytes of SHA-1 of key and rest, or HMAC-SHA-1 of the rest; 20 that RC4's key is made from; RC4 of number, data, padding |
//! | 2 | nonce of 12 bytes; ChaCha20-Poly1305 of number, data, padding; tag of 16 bytes |
//!
//! Version 2 is here as the C's own comment describes it. The C of this version counts the tag twice: it leaves the last 16 bytes
//! of what it sends neither encrypted nor authenticated, and looks for the tag of what it receives behind the datagram's end, so
//! that it opens nothing, not even its own (docs/LEGACY_BEHAVIOUR.md, `rudp-bulk-tag`).

use super::Random;
use super::keys::Key;
use super::wire::{cipher, number, without_padding};
use crate::crypto::{AeadError, AeadKey, Cipher, NONCE_SIZE, SHA1_SIZE, TAG_SIZE, hmac_sha1, same, sha1};

/// How far a datagram may be behind the newest (C: `RUDP_BULK_SEQ_NO_RANGE`, Network.h).
pub const RUDP_BULK_SEQ_NO_RANGE: u64 = 16_384;
/// Numbers from here on are none (C: a number in `RUDPProcessBulkRecvPacket`).
const SEQ_NO_END: u64 = 0xf000_0000_0000_0000;
/// Most bytes of padding, of which there is at least one.
const PADDING_MAX: u8 = 31;
/// Bytes of a key of version 2 (C: `RUDP_BULK_KEY_SIZE_V2`, Network.h).
pub const RUDP_BULK_KEY_SIZE_V2: usize = 32;

/// The two keys of one end, by version (C: `BulkSendKey`, `BulkRecvKey`, of which version 1 uses the first 20 bytes).
#[derive(Clone, Copy)]
pub enum BulkKeys {
    /// RC4 and SHA-1.
    V1 {
        /// For what this end sends.
        send: Key,
        /// For what this end receives.
        receive: Key,
        /// Whether what is sent has an HMAC from the start; else from when the peer's first has (C: `UseHMac`).
        hmac: bool,
    },
    /// ChaCha20-Poly1305.
    V2 {
        /// For what this end sends.
        send: [u8; RUDP_BULK_KEY_SIZE_V2],
        /// For what this end receives.
        receive: [u8; RUDP_BULK_KEY_SIZE_V2],
    },
}

impl std::fmt::Debug for BulkKeys {
    /// Not the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::V1 { .. }) { "BulkKeys::V1" } else { "BulkKeys::V2" })
    }
}

enum Ciphers {
    V1 { send: Key, receive: Key, hmac: bool },
    V2 { send: AeadKey, receive: AeadKey },
}

/// The bulk datagrams of one end.
pub(super) struct Bulk {
    ciphers: Ciphers,
    next_seq_no: u64,
    received: Window,
}

impl Bulk {
    pub fn new(keys: &BulkKeys) -> Result<Self, AeadError> {
        let ciphers = match *keys {
            BulkKeys::V1 { send, receive, hmac } => Ciphers::V1 { send, receive, hmac },
            BulkKeys::V2 { send, receive } => Ciphers::V2 {
                send: AeadKey::new(Cipher::ChaCha20Poly1305, &send)?,
                receive: AeadKey::new(Cipher::ChaCha20Poly1305, &receive)?,
            },
        };
        Ok(Self { ciphers, next_seq_no: 1, received: Window::default() })
    }

    /// A datagram of `data` (C: `RUDPBulkSend`, Mayaqua/Network.c); `None` once all numbers are used.
    pub fn seal(&mut self, data: &[u8], random: Random<'_>) -> Option<Vec<u8>> {
        let seq_no = Some(self.next_seq_no).filter(|number| *number < SEQ_NO_END)?;
        self.next_seq_no += 1;
        let mut drawn = [0; SHA1_SIZE + 1];
        random(&mut drawn);
        let [padding, iv @ ..] = drawn;
        let padding = padding % PADDING_MAX + 1;
        let mut body = seq_no.to_be_bytes().to_vec();
        body.extend(data);
        body.resize(body.len() + usize::from(padding), padding);
        match &self.ciphers {
            Ciphers::V1 { send, hmac, .. } => {
                cipher(send, &iv).apply(&mut body);
                let signed = [&iv[..], &body].concat();
                let signature = if *hmac { hmac_sha1(send, &signed) } else { sha1(&[&send[..], &signed].concat()) };
                Some([&signature[..], &signed].concat())
            }
            Ciphers::V2 { send, .. } => {
                let mut nonce = [0; NONCE_SIZE];
                // The number in it: no nonce comes twice, whatever is drawn.
                let (drawn, numbered) = nonce.split_at_mut(NONCE_SIZE - 8);
                drawn.copy_from_slice(iv.get(..NONCE_SIZE - 8)?);
                numbered.copy_from_slice(&seq_no.to_be_bytes());
                let tag = send.seal(&nonce, &[], &mut body).ok()?;
                Some([&nonce[..], &body, &tag].concat())
            }
        }
    }

    /// The data of a datagram; `None` for what was not sealed so, is too old, or came before. (The C delivers a datagram as often
    /// as it comes.)
    pub fn open(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let body = match &mut self.ciphers {
            Ciphers::V1 { receive, hmac, .. } => {
                let (signature, signed) = datagram.split_first_chunk::<SHA1_SIZE>()?;
                let (iv, body) = signed.split_first_chunk::<SHA1_SIZE>()?;
                let is_hash = !*hmac && same(signature, &sha1(&[&receive[..], signed].concat()));
                if !is_hash {
                    if !same(signature, &hmac_sha1(receive, signed)) {
                        return None;
                    }
                    *hmac = true;
                }
                let mut body = body.to_vec();
                cipher(receive, iv).apply(&mut body);
                body
            }
            Ciphers::V2 { receive, .. } => {
                let (nonce, sealed) = datagram.split_first_chunk::<NONCE_SIZE>()?;
                let (body, tag) = sealed.split_last_chunk::<TAG_SIZE>()?;
                let mut body = body.to_vec();
                receive.open(nonce, &[], &mut body, tag).ok()?;
                body
            }
        };
        let (seq_no, data) = number(without_padding(&body)?)?;
        (seq_no != 0 && seq_no < SEQ_NO_END && self.received.take(seq_no)).then(|| data.to_vec())
    }
}

const WORDS: usize = (RUDP_BULK_SEQ_NO_RANGE / 64) as usize;

/// Which of the latest [`RUDP_BULK_SEQ_NO_RANGE`] numbers came: a ring of bits.
struct Window {
    newest: u64,
    seen: Box<[u64; WORDS]>,
}

impl Default for Window {
    fn default() -> Self {
        Self { newest: 0, seen: Box::new([0; WORDS]) }
    }
}

impl Window {
    /// Whether a number is new.
    fn take(&mut self, number: u64) -> bool {
        if number > self.newest {
            // Forgets those whose places the numbers in between have now.
            let between = (number - self.newest).min(RUDP_BULK_SEQ_NO_RANGE);
            (number - between + 1..=number).for_each(|number| *self.word(number) &= !bit(number));
            self.newest = number;
        } else if self.newest - number >= RUDP_BULK_SEQ_NO_RANGE || *self.word(number) & bit(number) != 0 {
            return false;
        }
        *self.word(number) |= bit(number);
        true
    }

    fn word(&mut self, number: u64) -> &mut u64 {
        // Less than 256.
        let place = (number / 64 % WORDS as u64) as usize;
        &mut self.seen[place]
    }
}

const fn bit(number: u64) -> u64 {
    1 << (number % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn pairs() -> [(BulkKeys, BulkKeys); 3] {
        let v1 = |hmac| {
            (
                BulkKeys::V1 { send: [1; 20], receive: [2; 20], hmac },
                BulkKeys::V1 { send: [2; 20], receive: [1; 20], hmac: false },
            )
        };
        [
            v1(false),
            v1(true),
            (BulkKeys::V2 { send: [1; 32], receive: [2; 32] }, BulkKeys::V2 { send: [2; 32], receive: [1; 32] }),
        ]
    }

    fn counting() -> impl FnMut(&mut [u8]) {
        let mut next = 0u8;
        move |bytes| bytes.iter_mut().for_each(|byte| (*byte, next) = (next, next.wrapping_add(97)))
    }

    #[test]
    fn data_comes_through_once_and_nothing_forged_does() {
        for (here, there) in pairs() {
            let (mut here, mut there) = (Bulk::new(&here).unwrap(), Bulk::new(&there).unwrap());
            let mut random = counting();
            for data in [&b""[..], b"frame", &[0xff; 1514]] {
                let sealed = here.seal(data, &mut random).unwrap();
                for at in [0, 11, 12, 19, 20, 36, sealed.len() - 17, sealed.len() - 16, sealed.len() - 1] {
                    let mut forged = sealed.clone();
                    forged[at] ^= 0x10;
                    assert_eq!(there.open(&forged), None, "byte {at}");
                }
                (0..sealed.len()).step_by(7).for_each(|size| assert_eq!(there.open(&sealed[..size]), None));
                assert_eq!(there.open(&sealed).as_deref(), Some(data));
                assert_eq!(there.open(&sealed), None, "a replay");
                assert_eq!(here.open(&sealed), None, "one's own");
            }
        }
    }

    #[test]
    fn an_hmac_is_answered_by_one() {
        let [_, (with, without), _] = pairs();
        let (mut with, mut without) = (Bulk::new(&with).unwrap(), Bulk::new(&without).unwrap());
        let mut random = counting();
        let early = without.seal(b"hash", &mut random).unwrap();
        assert_eq!(with.open(&early), None, "who began with HMAC takes nothing less");
        without.open(&with.seal(b"first", &mut random).unwrap()).unwrap();
        assert!(with.open(&without.seal(b"hmac", &mut random).unwrap()).is_some());
    }

    #[test]
    fn signed_and_too_short_is_none() {
        // The C subtracts 8 from what is left, and takes 4 GiB for the rest of it.
        let mut bulk = Bulk::new(&BulkKeys::V1 { send: [1; 20], receive: [2; 20], hmac: false }).unwrap();
        for size in 0..9 {
            let mut body = vec![1; size];
            cipher(&[2; 20], &[3; 20]).apply(&mut body);
            let signed = [&[3; 20][..], &body].concat();
            let datagram = [&sha1(&[&[2; 20][..], &signed].concat())[..], &signed].concat();
            // 8 bytes and one of padding are the number 0x0101010101010101 and no data.
            assert_eq!(bulk.open(&datagram).is_some(), size == 9, "{size} bytes");
        }
    }

    #[test]
    fn the_window_is_what_a_set_of_numbers_says() {
        let (mut window, mut seen, mut newest) = (Window::default(), BTreeSet::new(), 0);
        let mut state = 1u64;
        for _ in 0..100_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let step = state >> 33;
            // Mostly near the newest, now and then far ahead.
            let number = match step % 100 {
                0 => newest + step % 40_000,
                _ => (newest + 70).saturating_sub(step / 100 % 17_000).max(1),
            };
            let expected = newest < number + RUDP_BULK_SEQ_NO_RANGE && seen.insert(number);
            assert_eq!(window.take(number), expected, "{number} after {newest}");
            newest = newest.max(number);
        }
    }
}
