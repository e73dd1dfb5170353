//! A super-packet that is split and merged again is the same, bytes and vnet header; one that is damaged first, and any
//! nonsense, is dropped or split, and no frame is too short or too long.
#![no_main]

#[path = "../../tests/adapter_common/mod.rs"]
mod adapter_common;
mod input;

use adapter_common::{ALL_OFFLOADS, merge, split};
use arbitrary::Arbitrary;
use cedar::adapter::vnet_hdr::VnetHdr;
use input::SuperPacket;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Input {
    Whole(SuperPacket),
    Damaged { super_packet: SuperPacket, vnet: Vec<(u8, u8)>, packet: Vec<(u8, u8)>, cut: Option<u16> },
    Nonsense { vnet: [u8; 10], packet: Vec<u8> },
}

fuzz_target!(|input: Input| match input {
    Input::Whole(super_packet) => whole(&super_packet),
    Input::Damaged { super_packet, vnet, packet, cut } => damaged(&super_packet, &vnet, &packet, cut),
    Input::Nonsense { vnet, packet } => no_frame_is_too_long(&VnetHdr::decode(&vnet), &packet),
});

fn whole(super_packet: &SuperPacket) {
    let recipe = super_packet.recipe();
    let (vnet, packet) = (recipe.vnet(), recipe.super_packet());
    let frames = split(&vnet, &packet).expect("a consistent super-packet is split");
    assert_eq!(frames.len(), recipe.payload.len().div_ceil(recipe.segment_len));
    let merged = merge(ALL_OFFLOADS, &frames);
    assert_eq!(merged.len(), 1, "one super-packet again");
    assert_eq!(merged[0].0, vnet);
    assert!(merged[0].1 == packet, "the packets differ");
}

fn damaged(super_packet: &SuperPacket, in_vnet: &[(u8, u8)], in_packet: &[(u8, u8)], cut: Option<u16>) {
    let recipe = super_packet.recipe();
    let (mut vnet, mut packet) = (recipe.vnet().encode(), recipe.super_packet());
    for &(at, value) in in_vnet {
        let at = usize::from(at) % vnet.len();
        vnet[at] ^= value;
    }
    for &(at, value) in in_packet {
        if let Some(byte) = packet.get_mut(usize::from(at)) {
            *byte ^= value;
        }
    }
    packet.truncate(cut.map_or(packet.len(), usize::from));
    no_frame_is_too_long(&VnetHdr::decode(&vnet), &packet);
}

fn no_frame_is_too_long(vnet: &VnetHdr, packet: &[u8]) {
    let Ok(frames) = split(vnet, packet) else { return };
    for frame in &frames {
        let tagged = [[0x81, 0x00], [0x88, 0xa8]].contains(&[frame[12], frame[13]]);
        assert!((14..=if tagged { 1518 } else { 1514 }).contains(&frame.len()), "{} bytes", frame.len());
    }
}
