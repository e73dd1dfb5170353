//! A segment as a datagram:
//!
//! | bytes | what | C |
//! | --- | --- | --- |
//! | 20 | SHA-1 of key and all that follows, for the sender's key | `SIGN` |
//! | 20 | what the RC4 of the rest is made from, with the key | `IV` |
//! | 8 | the sender's clock, in milliseconds | `MyTick` |
//! | 8 | the latest clock of the peer that the sender saw | `YourTick` |
//! | 8 | all segments up to this number have arrived | `MAX_ACK` |
//! | 4, 8 each | further ones that have | `NUM_ACK` |
//! | 8 | the segment's number | `SEQ` |
//! | 0 to 512 | its data | |
//! | 1 to 255 | padding; each byte says how long it is | |
//!
//! All numbers are big-endian. A hash of key and data is no good signature, RC4 is broken, and the keys come from a datagram that
//! everybody on the way can read: whoever is on the way can forge all of this. What goes through it has to protect itself; a
//! VPN's session is TLS.

use super::keys::Key;
use crate::crypto::{Rc4, SHA1_SIZE, same, sha1};

/// Most bytes of data in a segment (C: `RUDP_MAX_SEGMENT_SIZE`, Network.h).
pub const RUDP_MAX_SEGMENT_SIZE: usize = 512;
/// Most numbers of arrived segments in one, and how many segments are on their way at once (C: `RUDP_MAX_NUM_ACK`, Network.h).
pub const RUDP_MAX_NUM_ACK: usize = 64;
/// Where the encrypted part begins.
const BODY: usize = SHA1_SIZE * 2;

/// What a segment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Segment {
    /// The sender's clock.
    pub my_tick: u64,
    /// The latest clock of the receiver that the sender saw; 0 for none.
    pub your_tick: u64,
    /// All up to this number have arrived; 0 for none.
    pub max_ack: u64,
    /// So have these.
    pub acks: Vec<u64>,
    /// The segment's number; 0 for one that says nothing more.
    pub seq_no: u64,
    /// Its data.
    pub data: Vec<u8>,
}

/// A segment as it is sent (C: `RUDPSendSegmentNow`, Mayaqua/Network.c). `mask` is what signatures over DNS are masked with, and
/// `padding` the number of bytes behind the data, 0 standing for 1.
pub(super) fn seal(segment: &Segment, key: &Key, iv: &Key, padding: u8, mask: Option<&Key>) -> Vec<u8> {
    let Segment { my_tick, your_tick, max_ack, acks, seq_no, data } = segment;
    let mut sealed = Vec::with_capacity(BODY + 36 + acks.len() * 8 + data.len() + usize::from(padding) + 1);
    sealed.extend(key);
    sealed.extend(iv);
    [my_tick, your_tick, max_ack].iter().for_each(|number| sealed.extend(number.to_be_bytes()));
    let acks = acks.get(..RUDP_MAX_NUM_ACK).unwrap_or(acks);
    // Not more than 64.
    sealed.extend((acks.len() as u32).to_be_bytes());
    acks.iter().for_each(|ack| sealed.extend(ack.to_be_bytes()));
    sealed.extend(seq_no.to_be_bytes());
    sealed.extend(data);
    let padding = padding.max(1);
    sealed.resize(sealed.len() + usize::from(padding), padding);
    if let Some(body) = sealed.get_mut(BODY..) {
        cipher(iv, key).apply(body);
    }
    let signature = masked(sha1(&sealed), mask);
    if let Some(place) = sealed.get_mut(..SHA1_SIZE) {
        place.copy_from_slice(&signature);
    }
    sealed
}

/// A segment that was sealed so; `None` for anything else (C: `RUDPProcessRecvPacket`, which also acts on it, and
/// `RUDPCheckSignOfRecvPacket`, Mayaqua/Network.c).
pub(super) fn open(datagram: &[u8], key: &Key, mask: Option<&Key>) -> Option<Segment> {
    let (signature, signed) = datagram.split_first_chunk::<SHA1_SIZE>()?;
    let (iv, body) = signed.split_first_chunk::<SHA1_SIZE>()?;
    if !same(signature, &masked(sha1(&[key, signed].concat()), mask)) {
        return None;
    }
    let mut body = body.to_vec();
    cipher(iv, key).apply(&mut body);
    let body = without_padding(&body)?;
    let (my_tick, body) = number(body)?;
    let (your_tick, body) = number(body)?;
    let (max_ack, body) = number(body)?;
    let (count, body) = body.split_first_chunk()?;
    let count = usize::try_from(u32::from_be_bytes(*count)).ok().filter(|count| *count <= RUDP_MAX_NUM_ACK)?;
    let (acks, body) = body.split_at_checked(count * 8)?;
    let (seq_no, data) = number(body)?;
    let acks = acks.chunks_exact(8).filter_map(|ack| Some(number(ack)?.0)).collect();
    Some(Segment { my_tick, your_tick, max_ack, acks, seq_no, data: data.to_vec() })
}

/// What is before the padding, whose last byte says how long it is.
pub(super) fn without_padding(padded: &[u8]) -> Option<&[u8]> {
    let padding = usize::from(*padded.last()?);
    padded.get(..padded.len().checked_sub(padding)?).filter(|_| padding != 0)
}

/// A number, and what is behind it.
pub(super) fn number(data: &[u8]) -> Option<(u64, &[u8])> {
    data.split_first_chunk().map(|(number, rest)| (u64::from_be_bytes(*number), rest))
}

/// The RC4 whose key is the hash of two.
pub(super) fn cipher(first: &Key, second: &Key) -> Rc4 {
    let key = sha1(&[*first, *second].concat());
    Rc4::new(&key).unwrap_or_else(|_| unreachable!("20 bytes are a key"))
}

fn masked(mut signature: Key, mask: Option<&Key>) -> Key {
    signature.iter_mut().zip(mask.into_iter().flatten()).for_each(|(byte, mask)| *byte ^= mask);
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Segment {
        let acks = (10..74).collect();
        Segment { my_tick: 1, your_tick: 2, max_ack: 3, acks, seq_no: u64::MAX, data: vec![7; RUDP_MAX_SEGMENT_SIZE] }
    }

    #[test]
    fn a_segment_comes_back_with_every_padding() {
        for padding in 0..=u8::MAX {
            for segment in [segment(), Segment::default()] {
                let sealed = seal(&segment, &[1; 20], &[2; 20], padding, None);
                assert_eq!(open(&sealed, &[1; 20], None), Some(segment));
            }
        }
    }

    #[test]
    fn every_bit_counts_and_so_do_length_key_and_mask() {
        let sealed = seal(&Segment { acks: vec![5], ..Segment::default() }, &[1; 20], &[2; 20], 3, Some(&[9; 20]));
        let is_open = |datagram: &[u8]| open(datagram, &[1; 20], Some(&[9; 20])).is_some();
        assert!(is_open(&sealed));
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_open(&forged), "bit {bit}");
        }
        (0..sealed.len()).for_each(|size| assert!(!is_open(&sealed[..size]), "{size} bytes"));
        assert!(!is_open(&[&sealed[..], &[0]].concat()));
        assert_eq!(open(&sealed, &[3; 20], Some(&[9; 20])), None);
        assert_eq!(open(&sealed, &[1; 20], None), None);
    }

    /// A datagram with a right signature and any content.
    fn signed(body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        cipher(&[2; 20], &[1; 20]).apply(&mut body);
        let signed = [&[1; 20][..], &[2; 20], &body].concat();
        [&sha1(&signed)[..], &signed[20..]].concat()
    }

    #[test]
    fn what_is_signed_and_no_segment_is_none() {
        let right = [[0; 28].as_slice(), &[0; 8], &[1]].concat();
        assert_eq!(open(&signed(&right), &[1; 20], None), Some(Segment::default()));
        // Every length; padding of 0, and longer than all; 65 numbers; a number that is not there.
        (0..right.len()).for_each(|size| assert_eq!(open(&signed(&vec![1; size]), &[1; 20], None), None, "{size}"));
        for (at, byte) in [(36, 0), (36, 38), (27, 65), (27, 1), (24, 0xff)] {
            let mut wrong = right.clone();
            wrong[at] = byte;
            assert_eq!(open(&signed(&wrong), &[1; 20], None), None, "{byte} at {at}");
        }
    }
}
