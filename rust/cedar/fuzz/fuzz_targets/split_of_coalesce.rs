//! Frames that are merged and split again are the same frames, in the same order inside each flow, whatever they are:
//! several flows, interleaved and damaged, among frames that are nothing in particular.
#![no_main]

#[path = "../../tests/adapter_common/mod.rs"]
mod adapter_common;
mod input;

use adapter_common::{ALL_OFFLOADS, merge, split, without_meaningless_id};
use arbitrary::Arbitrary;
use cedar::adapter::packet::{Ip, Layout};
use input::SuperPacket;
use libfuzzer_sys::fuzz_target;

/// Frames of one flow that take part.
const FLOW_FRAMES_MAX: usize = 200;

#[derive(Debug, Arbitrary)]
struct Input {
    flows: Vec<SuperPacket>,
    others: Vec<Vec<u8>>,
    /// Which flow the next run of frames comes from, and how long the run is.
    runs: Vec<(u8, u8)>,
    /// Frame, place in it, and what is changed there.
    damage: Vec<(u16, u16, u8)>,
}

fuzz_target!(|input: Input| {
    let frames = input.frames();
    if frames.is_empty() {
        return;
    }
    let merged = merge(ALL_OFFLOADS, &frames);
    let back: Vec<Vec<u8>> =
        merged.iter().flat_map(|(vnet, packet)| split(vnet, packet).expect("what was merged can be split")).collect();
    assert_eq!(back.len(), frames.len());
    assert!(by_flow(&frames) == by_flow(&back), "frames changed or changed places");
});

impl Input {
    fn frames(&self) -> Vec<Vec<u8>> {
        let mut flows: Vec<Vec<Vec<u8>>> = self.flows.iter().take(6).map(flow).collect();
        // What has no Ethernet header, or is too long, is dropped and counted; that is another test's affair.
        let others = self.others.iter().filter(|frame| (14..=1514).contains(&frame.len())).take(8);
        flows.push(others.cloned().collect());
        let mut frames = Vec::new();
        for &(which, count) in &self.runs {
            let at = usize::from(which) % flows.len();
            for _ in 0..=count {
                frames.extend(flows[at].pop());
            }
        }
        for flow in &mut flows {
            frames.extend(flow.drain(..).rev());
        }
        self.damage(&mut frames);
        frames
    }

    fn damage(&self, frames: &mut [Vec<u8>]) {
        if frames.is_empty() {
            return;
        }
        for &(which, at, value) in self.damage.iter().take(16) {
            let which = usize::from(which) % frames.len();
            let at = usize::from(at) % frames[which].len();
            frames[which][at] ^= value;
        }
    }
}

/// The frames of one super-packet, the last one first.
fn flow(super_packet: &SuperPacket) -> Vec<Vec<u8>> {
    let recipe = super_packet.recipe();
    let mut frames = split(&recipe.vnet(), &recipe.super_packet()).expect("a consistent super-packet is split");
    frames.truncate(FLOW_FRAMES_MAX);
    frames.reverse();
    frames
}

/// The frames sorted by what must stay in order: addresses, protocol and ports. Stable, so that the order inside a flow
/// is part of the comparison.
fn by_flow(frames: &[Vec<u8>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut sorted: Vec<_> = frames.iter().map(|frame| (flow_of(frame), without_meaningless_id(frame))).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted
}

fn flow_of(frame: &[u8]) -> Vec<u8> {
    match Layout::of(frame) {
        Some(layout) => {
            let protocol = [layout.transport.protocol()];
            let addresses = if layout.ip == Ip::V4 { 8 } else { 32 };
            [&frame[..layout.l3], &protocol, &frame[layout.l4 - addresses..layout.l4 + 4]].concat()
        }
        None => [frame, b"no flow"].concat(),
    }
}
