//! The record layer against OpenSSL: a connection that OpenSSL has made is taken over on the client's side, in the middle
//! of it, and both directions go on, with every suite of both versions.

mod tls_common;

use cedar::tls::{End, Error, PLAINTEXT_MAX};
use openssl::ssl::{ErrorCode, ShutdownResult, SslRef};
use std::ffi::c_int;
use tls_common::{Agreed, Taken, take_over};

unsafe extern "C" {
    /// OpenSSL's own: sends a KeyUpdate with the next write.
    fn SSL_key_update(ssl: *mut std::ffi::c_void, kind: c_int) -> c_int;
}

const NOT_REQUESTED: c_int = 0;
const REQUESTED: c_int = 1;

fn key_update(ssl: &SslRef, kind: c_int) {
    use foreign_types::ForeignTypeRef;
    // SAFETY: a live SSL of TLS 1.3 after its handshake.
    assert_eq!(unsafe { SSL_key_update(ssl.as_ptr().cast(), kind) }, 1);
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|place| (place.wrapping_mul(2_654_435_761) >> 16) as u8).collect()
}

fn both_ways(taken: &mut Taken, data: &[u8], what: &dyn std::fmt::Debug) {
    assert_eq!(taken.send_up(data), data, "up, {what:?}");
    let (received, opened) = taken.send_down(data);
    assert_eq!((received, opened.end), (data.to_vec(), None), "down, {what:?}");
}

#[test]
fn every_size_of_record_in_every_suite() {
    for agreed in Agreed::all() {
        for exchanged in [0, 3] {
            let mut taken = take_over(agreed, exchanged);
            for size in [1, 2, 15, 16, 17, 255, 1514, PLAINTEXT_MAX - 1, PLAINTEXT_MAX] {
                both_ways(&mut taken, &bytes(size), &(agreed, exchanged, size));
            }
            // Over several records.
            for size in [PLAINTEXT_MAX + 1, 3 * PLAINTEXT_MAX, 100_000, 1 << 18] {
                both_ways(&mut taken, &bytes(size), &(agreed, exchanged, size));
            }
        }
    }
}

#[test]
fn every_size_from_1_to_16384_in_one_suite() {
    let agreed = Agreed::all().next().unwrap();
    let mut taken = take_over(agreed, 1);
    let data = bytes(PLAINTEXT_MAX);
    for size in 1..=PLAINTEXT_MAX {
        if !(300..PLAINTEXT_MAX - 300).contains(&size) || size % 61 == 0 {
            both_ways(&mut taken, &data[..size], &size);
        }
    }
}

#[test]
fn the_peer_changes_its_key_and_asks_for_ours() {
    for agreed in Agreed::all().filter(|agreed| agreed.is_tls13) {
        let mut taken = take_over(agreed, 1);
        for round in 0..50 {
            let kind = if round % 2 == 0 { REQUESTED } else { NOT_REQUESTED };
            key_update(taken.server.ssl(), kind);
            let data = bytes(1 + round * 997);
            let (received, opened) = taken.send_down(&data);
            assert_eq!(received, data, "{agreed:?}, round {round}");
            assert_eq!(opened.key_update_requested, kind == REQUESTED);
            let before = taken.keys.sealer.records();
            assert_eq!(taken.send_up(&data), data, "{agreed:?}, round {round}");
            let is_new_key = taken.keys.sealer.records() <= before;
            assert_eq!(is_new_key, kind == REQUESTED, "{agreed:?}, round {round}");
        }
    }
}

#[test]
fn our_key_changes_between_any_two_batches() {
    for agreed in Agreed::all().filter(|agreed| agreed.is_tls13) {
        let mut taken = take_over(agreed, 0);
        for round in 0..40 {
            taken.keys.sealer.owe_key_update();
            both_ways(&mut taken, &bytes(round * 1000 + 1), &(agreed, round));
        }
    }
}

#[test]
fn close_notify_both_ways() {
    for agreed in Agreed::all() {
        let mut taken = take_over(agreed, 2);
        both_ways(&mut taken, b"last words", &agreed);
        let mut sealed = [0; 64];
        let size = taken.keys.sealer.seal_close_notify(&mut sealed).unwrap();
        taken.wire.send(&sealed[..size]);
        let closed = taken.server.ssl_read(&mut [0; 1]).unwrap_err();
        assert_eq!(closed.code(), ErrorCode::ZERO_RETURN, "{agreed:?}");
        taken.server.ssl_write(b"behind").unwrap();
        assert!(matches!(taken.server.shutdown(), Ok(ShutdownResult::Received | ShutdownResult::Sent)));
        let (received, opened) = taken.client_reads();
        assert_eq!((&received[..], opened.end), (&b"behind"[..], Some(End::CloseNotify)), "{agreed:?}");
    }
}

/// Our alert ends OpenSSL's side.
#[test]
fn an_alert_says_what_was_wrong() {
    for agreed in Agreed::all() {
        let mut taken = take_over(agreed, 0);
        let mut sealed = [0; 64];
        let size = taken.keys.sealer.seal_alert(Error::BadRecordMac, &mut sealed).unwrap();
        taken.wire.send(&sealed[..size]);
        let error = taken.server.ssl_read(&mut [0; 1]).unwrap_err();
        assert!(error.to_string().contains("bad record mac"), "{agreed:?}: {error}");
    }
}

#[test]
fn a_record_changed_anywhere_is_refused_and_nothing_follows() {
    for agreed in Agreed::all() {
        let size = {
            let mut taken = take_over(agreed, 1);
            taken.server.ssl_write(b"sixteen bytes or so").unwrap();
            taken.wire.drain().len()
        };
        for place in 0..size {
            let mut taken = take_over(agreed, 1);
            taken.server.ssl_write(b"sixteen bytes or so").unwrap();
            let mut record = taken.wire.drain();
            record[place] ^= 0x40;
            record.extend_from_slice(&[0; 64]);
            let mut out = vec![0; 1 << 16];
            let opened = taken.keys.opener.open_all(&record, &mut out);
            // A longer length is a record that is not whole yet, or one that is too long.
            let is_refused = matches!(opened.end, Some(End::Failed(_)));
            let is_awaited = opened.end.is_none() && opened.taken == 0 && (3..5).contains(&place);
            // The version in a TLS 1.2 header is authenticated with the constant that it must be.
            let is_version = !agreed.is_tls13 && (1..3).contains(&place);
            assert!(is_refused || is_awaited || is_version, "{agreed:?}, byte {place}: {opened:?}");
            assert!(opened.plaintext == 0 || is_version, "{agreed:?}, byte {place}");
            if is_refused {
                assert_eq!(taken.keys.opener.open_all(&record, &mut out).end, opened.end);
            }
        }
    }
}

#[test]
fn a_record_cut_anywhere_waits_for_its_rest() {
    for agreed in Agreed::all() {
        let mut taken = take_over(agreed, 1);
        taken.server.ssl_write(b"one").unwrap();
        taken.server.ssl_write(b"two").unwrap();
        let records = taken.wire.drain();
        let mut out = vec![0; 1 << 16];
        for cut in 0..records.len() / 2 {
            let opened = taken.keys.opener.open_all(&records[..cut], &mut out);
            assert_eq!((opened.taken, opened.plaintext, opened.end), (0, 0, None), "{agreed:?}, cut at {cut}");
        }
        // No room for it: it waits, too.
        let room = records.len() / 2 - cedar::tls::HEADER;
        assert_eq!(taken.keys.opener.open_all(&records, &mut out[..room - 1]).taken, 0);
        let opened = taken.keys.opener.open_all(&records, &mut out);
        assert_eq!((opened.taken, &out[..opened.plaintext]), (records.len(), &b"onetwo"[..]), "{agreed:?}");
    }
}
