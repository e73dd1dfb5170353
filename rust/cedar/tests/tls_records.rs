//! The record layer against itself: random streams cut anywhere, arbitrary bytes, numbers at their ends, and no memory.

use cedar::tls::{
    End, Error, FRAGMENT_MAX, KEY_RECORDS_MAX, Keys, OVERHEAD_MAX, PLAINTEXT_MAX, SealError, Sealer, Side, Suite,
    TLS12_RECORDS_MAX,
};
use proptest::prelude::*;

fn ends(suite: Suite, is_tls13: bool, count: u64) -> [Keys; 2] {
    let secret = vec![7; if suite == Suite::Aes256Gcm { 48 } else { 32 }];
    let peer: Vec<u8> = secret.iter().map(|byte| byte ^ 1).collect();
    [Side::Client, Side::Server].map(|side| {
        if is_tls13 {
            Keys::tls13(suite, side, [&secret, &peer], [count, count]).unwrap()
        } else {
            Keys::tls12(suite, side, &[9; 48], [&[1; 32], &[2; 32]], [count, count]).unwrap()
        }
    })
}

/// Two ends, and whether their version is TLS 1.3.
fn any_ends() -> impl Strategy<Value = ([Keys; 2], bool)> {
    (0..3usize, any::<bool>(), 0..1u64 << 20)
        .prop_map(|(suite, is_tls13, count)| (ends(Suite::ALL[suite], is_tls13, count), is_tls13))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Batches of any size, key changes between them, received in pieces of any size: the bytes are the same.
    #[test]
    fn a_stream_cut_anywhere_arrives(
        ([mut near, mut far], is_tls13) in any_ends(),
        batches in prop::collection::vec((0..60_000usize, any::<bool>()), 1..8),
        pieces in prop::collection::vec(1..40_000usize, 1..8),
    ) {
        let (mut sent, mut wire) = (Vec::new(), Vec::new());
        for (number, (size, key_update)) in batches.into_iter().enumerate() {
            if key_update && is_tls13 {
                near.sealer.owe_key_update();
            }
            let data: Vec<u8> = (0..size).map(|place| (place + number) as u8).collect();
            let mut sealed = vec![0; Sealer::sealed_len_max(size)];
            let len = near.sealer.seal_all(&data, &mut sealed).unwrap();
            prop_assert!(len <= size + (size.div_ceil(PLAINTEXT_MAX) + 1) * OVERHEAD_MAX + 5);
            wire.extend_from_slice(&sealed[..len]);
            sent.extend_from_slice(&data);
        }
        let (mut received, mut kept, mut wire) = (Vec::new(), Vec::new(), &wire[..]);
        let mut out = vec![0; FRAGMENT_MAX];
        for piece in pieces.iter().cycle() {
            let (now, later) = wire.split_at((*piece).min(wire.len()));
            kept.extend_from_slice(now);
            wire = later;
            loop {
                let opened = far.opener.open_all(&kept, &mut out);
                prop_assert_eq!(opened.end, None);
                received.extend_from_slice(&out[..opened.plaintext]);
                kept.drain(..opened.taken);
                if opened.taken == 0 {
                    break;
                }
            }
            if wire.is_empty() {
                break;
            }
        }
        prop_assert!(kept.is_empty());
        prop_assert_eq!(received, sent);
    }

    /// Whatever comes, nothing panics, nothing is written outside the room, and nothing unauthentic gets through.
    #[test]
    fn arbitrary_bytes_are_refused(
        ([_, mut far], _) in any_ends(),
        mut bytes in prop::collection::vec(any::<u8>(), 0..40_000),
        room in 0..40_000usize,
        header: bool,
        length in 0..20_000u16,
    ) {
        if header && bytes.len() >= 5 {
            bytes[..3].copy_from_slice(&[23, 3, 3]);
            bytes[3..5].copy_from_slice(&length.to_be_bytes());
        }
        let opened = far.opener.open_all(&bytes, &mut vec![0; room]);
        prop_assert_eq!(opened.plaintext, 0);
        prop_assert!(opened.taken <= bytes.len());
        prop_assert!(opened.end != Some(End::CloseNotify));
    }
}

#[test]
fn the_end_of_a_key() {
    for suite in Suite::ALL {
        // TLS 1.3: one more record, then the next key.
        let [mut near, mut far] = ends(suite, true, KEY_RECORDS_MAX - 1);
        let (mut sealed, mut out) = (vec![0; Sealer::sealed_len_max(3)], vec![0; FRAGMENT_MAX]);
        for expected in [KEY_RECORDS_MAX, 1, 2] {
            let len = near.sealer.seal_all(b"abc", &mut sealed).unwrap();
            assert_eq!(near.sealer.records(), expected);
            let opened = far.opener.open_all(&sealed[..len], &mut out);
            assert_eq!((&out[..opened.plaintext], opened.end), (&b"abc"[..], None));
            assert_eq!(far.opener.records(), expected);
            assert_eq!(opened.key_update_requested, expected == 1, "the other direction's key is asked for with ours");
        }
        // TLS 1.2: no more.
        let [mut near, _] = ends(suite, false, TLS12_RECORDS_MAX - 1);
        assert!(near.sealer.seal_all(b"abc", &mut sealed).is_ok());
        assert_eq!(near.sealer.seal_all(b"abc", &mut sealed), Err(SealError::KeyExhausted));
        // A peer that never changes its key is followed to the last number, and no further.
        let [mut near, mut far] = ends(suite, false, u64::MAX);
        assert_eq!(near.sealer.seal_close_notify(&mut sealed), Err(SealError::KeyExhausted));
        let header = [23, 3, 3, 0, 40];
        let opened = far.opener.open_all(&[&header[..], &[0; 40]].concat(), &mut out);
        assert_eq!(opened.end, Some(End::Failed(Error::BadRecordMac)));
    }
}

#[test]
fn a_short_buffer_is_refused_before_anything_is_sealed() {
    for suite in Suite::ALL {
        let [mut near, _] = ends(suite, true, 5);
        for size in [0, 1, PLAINTEXT_MAX, PLAINTEXT_MAX + 1] {
            let data = vec![0; size];
            let mut sealed = vec![0; Sealer::sealed_len_max(size) - 1];
            assert_eq!(near.sealer.seal_all(&data, &mut sealed), Err(SealError::BufferTooSmall));
            assert_eq!(near.sealer.records(), 5);
        }
    }
}

/// A record announced as longer than any may be is refused from its header on.
#[test]
fn lengths_beyond_the_limits() {
    let [_, mut far] = ends(Suite::Aes128Gcm, true, 0);
    let [high, low] = u16::try_from(FRAGMENT_MAX + 1).unwrap().to_be_bytes();
    let opened = far.opener.open_all(&[23, 3, 3, high, low], &mut [0; 8]);
    assert_eq!(opened.end, Some(End::Failed(Error::RecordOverflow)));
    // Within the wire's limit, but more plaintext than TLS 1.3 allows.
    let [_, mut far] = ends(Suite::Aes128Gcm, true, 0);
    let record = [vec![23, 3, 3], (16_384u16 + 18).to_be_bytes().to_vec(), vec![0; 16_384 + 18]].concat();
    let opened = far.opener.open_all(&record, &mut vec![0; FRAGMENT_MAX]);
    assert_eq!(opened.end, Some(End::Failed(Error::RecordOverflow)));
    // Shorter than a tag.
    for len in 0..16 {
        let [_, mut far] = ends(Suite::Aes128Gcm, true, 0);
        let record = [vec![23, 3, 3, 0, len], vec![0; len.into()]].concat();
        let opened = far.opener.open_all(&record, &mut vec![0; FRAGMENT_MAX]);
        assert_eq!(opened.end, Some(End::Failed(Error::BadRecordMac)), "{len} bytes");
    }
}

/// Empty records are allowed, but not without end.
#[test]
fn records_without_data_are_limited() {
    let [mut near, mut far] = ends(Suite::Aes128Gcm, true, 0);
    let mut out = vec![0; FRAGMENT_MAX];
    let mut sealed = vec![0; Sealer::sealed_len_max(1)];
    for round in 0..100 {
        near.sealer.owe_key_update();
        // A KeyUpdate alone: sealing nothing seals no record of data.
        let len = near.sealer.seal_all(&[], &mut sealed).unwrap();
        let opened = far.opener.open_all(&sealed[..len], &mut out);
        let expected = if round < 32 { None } else { Some(End::Failed(Error::UnexpectedMessage)) };
        assert_eq!(opened.end, expected, "round {round}");
    }
}

#[test]
fn nothing_is_allocated() {
    for suite in Suite::ALL {
        for is_tls13 in [true, false] {
            let [mut near, mut far] = ends(suite, is_tls13, 0);
            let data = vec![5; 100_000];
            let mut sealed = vec![0; Sealer::sealed_len_max(data.len())];
            let mut out = vec![0; data.len() + FRAGMENT_MAX];
            let mut turn = || {
                let len = near.sealer.seal_all(&data, &mut sealed).unwrap();
                assert_eq!(far.opener.open_all(&sealed[..len], &mut out).plaintext, data.len());
            };
            turn();
            let used = allocation_counter::measure(|| (0..100).for_each(|_| turn()));
            assert_eq!(used.count_total, 0, "{suite:?}, TLS 1.3 {is_tls13}");
        }
    }
}
