//! Datagrams of UDP acceleration: whatever comes is refused or is a frame of the datagram, never a panic; and what one end
//! seals the other opens, unless it was changed on its way, which version 2 finds always.
//!
//! Run: `cargo +nightly fuzz run udp_accel_open` in rust/cedar.

#![no_main]

use arbitrary::Arbitrary;
use cedar::udp_accel::{NatT, Protection, State, UdpAccel};
use libfuzzer_sys::fuzz_target;
use std::net::{Ipv4Addr, SocketAddr};

#[derive(Arbitrary, Debug)]
struct Input {
    version: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    /// Anything at all.
    Raw { bytes: Vec<u8>, port: u16 },
    /// A frame of the peer's; with `flip`, one bit of it is changed on the way.
    Sealed { frame: Vec<u8>, is_compressed: bool, random: u32, peer_now: u64, flip: Option<u32>, cut: Option<u16> },
    /// Time passes.
    Tick(u32),
    /// What the NAT-T server may say.
    NatT(Vec<u8>),
}

fn end(version: u8, mine: u8, yours: u8) -> UdpAccel {
    let nat_t = NatT { server: Some(Ipv4Addr::new(198, 51, 100, 7).into()), ..NatT::default() };
    let state = State::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), None, mine == 1, nat_t);
    let protection = match version % 3 {
        0 => Protection::Plain,
        1 => Protection::V1 { my_key: &[mine; 20], your_key: &[yours; 20], next_iv: [3; 20] },
        _ => Protection::V2 { my_key: &[mine; 32], your_key: &[yours; 32], next_iv: [3; 12] },
    };
    UdpAccel::new(protection, 7, 7, 1426, state).expect("keys of the right length")
}

fuzz_target!(|input: Input| {
    let (mut own, mut peer) = (end(input.version, 1, 2), end(input.version, 2, 1));
    let source = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for step in input.steps {
        match step {
            Step::Raw { mut bytes, port } => {
                let size = bytes.len();
                if let Ok(received) = own.open(&mut bytes, source(port)) {
                    assert!(received.frame.len() <= size);
                }
            }
            Step::Sealed { frame, is_compressed, random, peer_now, flip, cut } => {
                peer.state.now = peer_now;
                let padding = peer.padding(frame.len().min(1600), random);
                let mut datagram = vec![0; peer.datagram_size(frame.len(), padding)];
                let at = peer.headroom();
                datagram[at..at + frame.len()].copy_from_slice(&frame);
                let Ok(size) = peer.seal(&mut datagram, frame.len(), is_compressed, padding) else {
                    assert!(frame.len() > 1600);
                    continue;
                };
                assert_eq!(size, datagram.len());
                if let Some(bit) = flip {
                    let bit = bit as usize % (size * 8);
                    datagram[bit / 8] ^= 1 << (bit % 8);
                }
                datagram.truncate(cut.map_or(size, |cut| usize::from(cut) % size));
                let is_whole = flip.is_none() && cut.is_none();
                match own.open(&mut datagram, source(9)) {
                    Ok(received) if is_whole => {
                        assert_eq!((received.frame, received.is_compressed), (&frame[..], is_compressed));
                    }
                    Ok(_) => assert_ne!(input.version % 3, 2, "a changed datagram was taken for a true one"),
                    Err(error) if is_whole => assert_eq!(error, cedar::udp_accel::Rejected::TooOld),
                    Err(_) => {}
                }
            }
            Step::Tick(milliseconds) => {
                own.state.now += u64::from(milliseconds);
                own.state.poll(|| milliseconds);
                own.state.keep_alive_targets();
                assert!(own.state.next_due() > own.state.now || !own.state.is_addressed());
            }
            Step::NatT(answer) => own.state.take_nat_t_answer(&answer),
        }
    }
});
