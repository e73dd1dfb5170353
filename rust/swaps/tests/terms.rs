//! I8: what a hostile or broken server may say in its Welcome, on the C's own SESSION: clamped or refused before either side
//! of `SessionMain` runs, and then both sides can live with it.

#![cfg(all(session_main, gen_next_keep_alive_span))]

#[path = "differential/support.rs"]
#[allow(dead_code, unused_macros, reason = "the differential tests use the rest")]
mod support;

use cedar::session::Refusal;
use softether_sys::*;
use support::connection::Connection;
use swaps::{gen_next_keep_alive_span, terms};

/// Said by the server: timeout and number of connections; held by the client: the same.
#[test]
fn numbers_are_clamped_and_both_sides_live_with_them() {
    support::start();
    for ([timeout, connections], held) in [
        ([0, 8], [30_000, 8]),
        ([1, 0], [5_000, 1]),
        ([u32::MAX, 33], [60_000, 32]),
        ([20_000, u32::MAX], [20_000, 32]),
    ] {
        let connection = Connection::new(0);
        // SAFETY: the connection and its session are ours.
        unsafe {
            let s = &mut *connection.s;
            (s.Timeout, s.MaxConnection) = (timeout, connections);
            terms::hold(s).expect("numbers are no reason to refuse");
            assert_eq!([s.Timeout, s.MaxConnection], held, "said: {timeout} {connections}");
            // C divides by half of the timeout, and by the number of connections.
            let spans = [
                gen_next_keep_alive_span::c_GenNextKeepAliveSpan(connection.c),
                gen_next_keep_alive_span::rust(connection.c),
            ];
            assert!(spans.iter().all(|&span| (1_000..30_000).contains(&span)), "{spans:?}");
            swaps::connection_send::c_ConnectionSend(connection.c, 1);
            swaps::connection_send::rust(connection.c, 1);
        }
    }
}

#[test]
fn what_was_to_be_encrypted_is_never_sent_in_the_clear() {
    support::start();
    for (asked, granted, udp_in_the_clear) in
        [(1, 1, false), (1, 1, true), (1, 0, false), (0, 0, true), (0, 1, true), (0, 0, false)]
    {
        let connection = Connection::new(0);
        // SAFETY: the connection and its session are ours; the UDP acceleration is looked at for one member.
        unsafe {
            let s = &mut *connection.s;
            let udp: *mut UDP_ACCEL = ZeroMalloc(size_of::<UDP_ACCEL>() as UINT).cast();
            (*udp).PlainTextMode = udp_in_the_clear.into();
            ((*s.ClientOption).UseEncrypt, s.UseEncrypt) = (asked, granted);
            (s.Timeout, s.UdpAccel, s.UseUdpAcceleration) = (20_000, udp, 1);
            let result = terms::hold(s);
            if asked > granted {
                assert_eq!(result, Err(Refusal::Plaintext));
            } else {
                assert_eq!(result, Ok(()));
                let is_udp_kept = asked == 0 || !udp_in_the_clear;
                assert_eq!(
                    s.UseUdpAcceleration,
                    u32::from(is_udp_kept),
                    "asked {asked}, in the clear {udp_in_the_clear}"
                );
            }
            s.UdpAccel = std::ptr::null_mut();
            Free(udp.cast());
        }
    }
}

/// C itself refuses a key of another length; nothing is written to the place for it.
#[test]
fn a_session_key_of_another_length_is_refused() {
    support::start();
    for length in [0_u32, 19, 20, 21, 40] {
        let (mut key, mut key32) = ([0xEE_u8; 20], 0);
        let mut sent = [7_u8; 40];
        // SAFETY: the pack is ours, and holds a copy of what is added.
        let is_taken = unsafe {
            let pack = NewPack();
            PackAddData(pack, c"session_key".as_ptr().cast_mut(), sent.as_mut_ptr().cast(), length);
            let is_taken = GetSessionKeyFromPack(pack, key.as_mut_ptr(), &mut key32) != 0;
            FreePack(pack);
            is_taken
        };
        assert_eq!(is_taken, length == 20, "{length} bytes");
        assert_eq!(key, if is_taken { [7; 20] } else { [0xEE; 20] }, "{length} bytes");
    }
}
