//! A stream of records that is sent, damaged, cut and received in any way: what comes out is a beginning of what was sent,
//! all of it if nothing was damaged, and nothing follows an end.
#![no_main]

use arbitrary::Arbitrary;
use cedar::tls::{FRAGMENT_MAX, Keys, Sealer, Side, Suite};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Step {
    Data(Vec<u8>),
    KeyUpdate,
    Goodbye,
    Flip { place: u16, bit: u8 },
    Raw(Vec<u8>),
    Receive { bytes: u16, room: u16 },
}

#[derive(Debug, Arbitrary)]
struct Input {
    suite: u8,
    is_tls13: bool,
    count: u32,
    steps: Vec<Step>,
}

fn keys(input: &Input, side: Side) -> Keys {
    let suite = Suite::ALL[usize::from(input.suite) % Suite::ALL.len()];
    let secret = vec![7; if suite == Suite::Aes256Gcm { 48 } else { 32 }];
    let peer: Vec<u8> = secret.iter().map(|byte| byte ^ 1).collect();
    let counts = [u64::from(input.count); 2];
    if input.is_tls13 {
        Keys::tls13(suite, side, [&secret, &peer], counts).expect("secrets of the suite")
    } else {
        Keys::tls12(suite, side, &[9; 48], [&[1; 32], &[2; 32]], counts).expect("a master secret")
    }
}

fuzz_target!(|input: Input| {
    let (mut near, mut far) = (keys(&input, Side::Client), keys(&input, Side::Server));
    let (mut sent, mut received, mut wire) = (Vec::new(), Vec::new(), Vec::new());
    let (mut is_damaged, mut has_ended) = (false, false);
    let mut receive = |wire: &mut Vec<u8>, bytes: usize, room: usize| {
        let mut out = vec![0; room];
        let bytes = bytes.min(wire.len());
        let opened = far.opener.open_all(&wire[..bytes], &mut out);
        assert!(opened.taken <= bytes && opened.plaintext <= room);
        assert!(!has_ended || (opened.plaintext == 0 && opened.end.is_some()), "something follows the end");
        has_ended |= opened.end.is_some();
        received.extend_from_slice(&out[..opened.plaintext]);
        wire.drain(..opened.taken);
        opened.taken
    };
    for step in &input.steps {
        let mut sealed = vec![0; Sealer::sealed_len_max(1 << 16)];
        match step {
            Step::Data(data) => {
                let data = &data[..data.len().min(1 << 16)];
                let Ok(size) = near.sealer.seal_all(data, &mut sealed) else { return };
                wire.extend_from_slice(&sealed[..size]);
                sent.extend_from_slice(data);
            }
            Step::KeyUpdate if input.is_tls13 => near.sealer.owe_key_update(),
            Step::KeyUpdate => {}
            Step::Goodbye => {
                let Ok(size) = near.sealer.seal_close_notify(&mut sealed) else { return };
                wire.extend_from_slice(&sealed[..size]);
                is_damaged = true;
            }
            Step::Flip { place, bit } => {
                if let Some(byte) = wire.get_mut(usize::from(*place)) {
                    *byte ^= 1 << (bit % 8);
                    is_damaged = true;
                }
            }
            Step::Raw(bytes) => {
                wire.extend_from_slice(bytes);
                is_damaged |= !bytes.is_empty();
            }
            Step::Receive { bytes, room } => {
                receive(&mut wire, usize::from(*bytes), usize::from(*room));
            }
        }
    }
    while receive(&mut wire, usize::MAX, FRAGMENT_MAX) != 0 {}
    assert!(sent.starts_with(&received), "what comes out was not sent");
    // A hundred empty records or key updates in a row are refused, damaged or not.
    assert!(is_damaged || has_ended || received == sent, "something is missing");
});
