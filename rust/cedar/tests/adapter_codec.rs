//! Segmentation and coalescing against each other, against etherparse, rule by rule, and against nonsense.

mod adapter_common;

use adapter_common::*;
use cedar::adapter::packet::{Ip, Layout};
use cedar::adapter::vnet_hdr::{GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, VnetHdr};
use cedar::adapter::{Adapter, DropReason, Error, Offloaded, Offloads, WriteError};
use proptest::prelude::*;

/// Super-packets of every kind the kernel makes.
fn recipe() -> impl Strategy<Value = Recipe> {
    let kind = (any::<bool>(), any::<bool>(), proptest::option::of(0u16..4096));
    let network = (any::<u16>(), any::<bool>(), any::<u8>(), 1u8.., 0u32..1 << 20);
    let transport = (any::<u32>(), any::<u32>(), any::<u16>(), any::<[bool; 4]>(), 0usize..=10);
    let sizes = (1usize..=1460, 0usize..65_536, any::<u8>());
    (kind, network, transport, sizes).prop_map(|((v6, udp, vlan), (id, df, tos, ttl, flow_label), transport, sizes)| {
        let (sequence, ack, window, [psh, fin, ece, cwr], option_words) = transport;
        let (segment_len, len, filler) = sizes;
        let mut recipe = Recipe {
            v6,
            udp,
            vlan,
            id,
            df,
            tos,
            ttl,
            flow_label,
            sequence,
            ack,
            window,
            flags: TcpFlags { psh, fin, ece, cwr, ..TcpFlags::default() },
            options: if udp { vec![] } else { vec![1; option_words * 4] },
            ..Recipe::default()
        };
        let room = if vlan.is_some() { 1518 } else { 1514 } - recipe.headers_len();
        recipe.segment_len = segment_len.min(room);
        // At least two segments, and no more than one write can take.
        let most = recipe.payload_max().min(recipe.segment_len * 1022);
        let len = (recipe.segment_len + 1 + len % 65_000).min(most);
        recipe.payload = pattern(len).iter().map(|byte| byte ^ filler).collect();
        recipe
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn coalesce_of_split_is_the_super_packet(recipe in recipe()) {
        let (vnet, packet) = (recipe.vnet(), recipe.super_packet());
        let frames = split(&vnet, &packet).unwrap();
        prop_assert_eq!(frames.len(), recipe.payload.len().div_ceil(recipe.segment_len));
        let merged = merge(ALL_OFFLOADS, &frames);
        prop_assert_eq!(merged.len(), 1);
        prop_assert_eq!(merged[0].0, vnet);
        prop_assert!(merged[0].1 == packet, "the packets differ");
    }

    #[test]
    fn split_gives_the_frames_etherparse_would_make(recipe in recipe()) {
        let frames = split(&recipe.vnet(), &recipe.super_packet()).unwrap();
        let count = frames.len();
        for (i, (frame, payload)) in frames.iter().zip(recipe.payload.chunks(recipe.segment_len)).enumerate() {
            check_frame(frame);
            let (first, last) = (i == 0, i + 1 == count);
            let flags = recipe.flags;
            let expected = Recipe {
                id: recipe.id.wrapping_add(i as u16),
                sequence: recipe.sequence.wrapping_add((i * recipe.segment_len) as u32),
                flags: TcpFlags {
                    psh: flags.psh && last, fin: flags.fin && last, cwr: flags.cwr && first, ..flags
                },
                payload: payload.to_vec(),
                ..recipe.clone()
            };
            prop_assert!(*frame == expected.frame(), "frame {} of {}", i, count);
        }
    }

    #[test]
    fn split_of_coalesce_is_the_frames(
        recipes in proptest::collection::vec((recipe(), 0u8..4), 1..6),
        order in any::<u64>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..6),
        extras in 0usize..8,
    ) {
        let mut flows: Vec<Vec<Vec<u8>>> = recipes.iter().map(|(recipe, host)| {
            let recipe = Recipe { host: *host, ..recipe.clone() };
            let mut frames = split(&recipe.vnet(), &recipe.super_packet()).unwrap();
            frames.truncate(200);
            frames
        }).collect();
        flows.push((0..extras).map(|i| [vec![0xff; 12], vec![8, 6], vec![i as u8; 46]].concat()).collect());
        let mut frames = interleave(flows, order);
        for (which, at, value) in damage {
            let frame = which.get(&frames).clone();
            let at = at.index(frame.len());
            let which = which.index(frames.len());
            frames[which][at] ^= value;
        }
        let back: Vec<Vec<u8>> = merge(ALL_OFFLOADS, &frames)
            .iter()
            .flat_map(|(vnet, packet)| split(vnet, packet).unwrap())
            .collect();
        prop_assert_eq!(back.len(), frames.len());
        let mut sent: Vec<_> = frames.iter().map(|f| (flow_of(f), without_meaningless_id(f))).collect();
        let mut got: Vec<_> = back.iter().map(|f| (flow_of(f), without_meaningless_id(f))).collect();
        // Stable: the order inside each flow is part of the comparison.
        sent.sort_by(|a, b| a.0.cmp(&b.0));
        got.sort_by(|a, b| a.0.cmp(&b.0));
        prop_assert!(sent == got, "frames changed or changed places");
    }

    #[test]
    fn nonsense_is_dropped_or_split_but_never_too_long(
        vnet in any::<[u8; 10]>(), packet in proptest::collection::vec(any::<u8>(), 0..4_000)
    ) {
        no_frame_is_too_long(&VnetHdr::decode(&vnet), &packet);
    }

    #[test]
    fn a_damaged_super_packet_is_dropped_or_split_but_never_too_long(
        recipe in recipe(),
        vnet_damage in proptest::collection::vec((0usize..10, any::<u8>()), 0..3),
        damage in proptest::collection::vec((0usize..90, any::<u8>()), 0..4),
        cut in proptest::option::of(0usize..200),
    ) {
        let mut vnet = recipe.vnet().encode();
        let mut packet = recipe.super_packet();
        for (at, value) in vnet_damage {
            vnet[at] = value;
        }
        for (at, value) in damage {
            if let Some(byte) = packet.get_mut(at) {
                *byte = value;
            }
        }
        packet.truncate(cut.unwrap_or(packet.len()));
        no_frame_is_too_long(&VnetHdr::decode(&vnet), &packet);
    }
}

fn no_frame_is_too_long(vnet: &VnetHdr, packet: &[u8]) {
    let Ok(frames) = split(vnet, packet) else { return };
    for frame in &frames {
        let tagged = [[0x81, 0x00], [0x88, 0xa8]].contains(&[frame[12], frame[13]]);
        assert!((14..=if tagged { 1518 } else { 1514 }).contains(&frame.len()), "{} bytes", frame.len());
    }
}

/// The frames of all flows in an order made of `seed`, each flow's own order kept.
fn interleave(mut flows: Vec<Vec<Vec<u8>>>, mut seed: u64) -> Vec<Vec<u8>> {
    for flow in &mut flows {
        flow.reverse();
    }
    let mut frames = Vec::new();
    while flows.iter().any(|flow| !flow.is_empty()) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (seed >> 33) as usize % flows.len();
        // Runs, as they come from a network.
        for _ in 0..1 + (seed >> 20) % 8 {
            frames.extend(flows[at].pop());
        }
    }
    frames
}

/// What must stay in order: MAC addresses, ethertype, addresses, protocol and ports.
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

/// Two frames of a TCP flow that merge, and the second changed by `change`.
fn pair(change: impl Fn(&mut Recipe)) -> Vec<Vec<u8>> {
    pair_of(Recipe::default(), change)
}

fn pair_of(first: Recipe, change: impl Fn(&mut Recipe)) -> Vec<Vec<u8>> {
    let mut second = Recipe {
        id: first.id.wrapping_add(1),
        sequence: first.sequence.wrapping_add(first.payload.len() as u32),
        ..first.clone()
    };
    change(&mut second);
    vec![first.frame(), second.frame()]
}

#[test]
fn what_agrees_is_merged() {
    assert_eq!(group_sizes(&pair(|_| {})), [2]);
    for (name, change) in [
        ("shorter last", (|r: &mut Recipe| r.payload.truncate(1)) as fn(&mut Recipe)),
        ("PSH on the last", |r| r.flags.psh = true),
        ("FIN on the last", |r| r.flags.fin = true),
        ("any ID with DF", |r| r.id = 7),
    ] {
        assert_eq!(group_sizes(&pair(change)), [2], "{name}");
    }
    let udp = Recipe { udp: true, ..Recipe::default() };
    assert_eq!(group_sizes(&pair_of(udp, |_| {})), [2]);
    let v6 = Recipe { v6: true, ..Recipe::default() };
    assert_eq!(group_sizes(&pair_of(v6, |_| {})), [2]);
    let fragmentable = Recipe { df: false, ..Recipe::default() };
    assert_eq!(group_sizes(&pair_of(fragmentable, |_| {})), [2]);
    let ece = Recipe { flags: TcpFlags { ece: true, cwr: true, ..TcpFlags::default() }, ..Recipe::default() };
    assert_eq!(group_sizes(&pair_of(ece, |r| r.flags.cwr = false)), [2], "CWR on the first");
}

#[test]
fn what_differs_is_not_merged() {
    type Change = (&'static str, fn(&mut Recipe));
    let changes: [Change; 25] = [
        ("MAC and address", |r| r.host = 9),
        ("VLAN tag", |r| r.vlan = Some(1)),
        ("source port", |r| r.ports.0 = 1),
        ("destination port", |r| r.ports.1 = 1),
        ("TOS", |r| r.tos = 4),
        ("ECN", |r| r.tos = 2),
        ("TTL", |r| r.ttl = 63),
        ("DF", |r| r.df = false),
        ("a gap", |r| r.sequence += 1),
        ("a repetition", |r| r.sequence -= 1),
        ("acknowledgement", |r| r.ack += 1),
        ("window", |r| r.window += 1),
        ("options", |r| r.options[7] = 9),
        ("length of options", |r| r.options.truncate(8)),
        ("longer", |r| r.payload.push(0)),
        ("empty", |r| r.payload.clear()),
        ("ECE", |r| r.flags.ece = true),
        ("CWR on the second", |r| r.flags.cwr = true),
        ("SYN", |r| r.flags.syn = true),
        ("RST", |r| r.flags.rst = true),
        ("URG", |r| r.flags.urg = true),
        ("NS", |r| r.flags.ns = true),
        ("UDP", |r| r.udp = true),
        ("IPv6", |r| r.v6 = true),
        ("too long for a card", |r| r.payload = pattern(1_600)),
    ];
    for (name, change) in changes {
        assert_eq!(group_sizes(&pair(change)), [1, 1], "{name}");
    }
    let fragmentable = Recipe { df: false, ..Recipe::default() };
    assert_eq!(group_sizes(&pair_of(fragmentable, |r| r.id += 1)), [1, 1], "a gap of IDs without DF");
    let v6 = Recipe { v6: true, ..Recipe::default() };
    assert_eq!(group_sizes(&pair_of(v6.clone(), |r| r.flow_label += 1)), [1, 1], "flow label");
    assert_eq!(group_sizes(&pair_of(v6, |r| r.ttl -= 1)), [1, 1], "hop limit");
    for flags in [TcpFlags { psh: true, ..TcpFlags::default() }, TcpFlags { fin: true, ..TcpFlags::default() }] {
        let ends = Recipe { flags, ..Recipe::default() };
        assert_eq!(group_sizes(&pair_of(ends, |r| r.flags = TcpFlags::default())), [1, 1], "{flags:?} ends a group");
    }
    let short = Recipe { payload: pattern(999), ..Recipe::default() };
    assert_eq!(group_sizes(&pair_of(short, |r| r.payload.push(0))), [1, 1], "the first is shorter");
}

#[test]
fn a_wrong_checksum_anywhere_is_not_merged_and_not_mended() {
    let good = pair(|_| {});
    let l4 = Recipe::default().l4();
    for which in 0..2 {
        for at in [14 + 10, l4 + 16, good[0].len() - 1] {
            let mut frames = good.clone();
            frames[which][at] ^= 1;
            assert_eq!(group_sizes(&frames), [1, 1], "frame {which}, byte {at}");
            let written: Vec<_> = merge(ALL_OFFLOADS, &frames).into_iter().map(|(_, packet)| packet).collect();
            assert_eq!(written, frames, "frame {which}, byte {at}");
        }
    }
    let mut frames = pair_of(Recipe { udp: true, ..Recipe::default() }, |_| {});
    frames[1][l4 + 6..l4 + 8].fill(0);
    assert_eq!(group_sizes(&frames), [1, 1], "UDP without a checksum");
}

#[test]
fn frames_of_a_flow_do_not_overtake_each_other() {
    let mut frames = pair(|_| {});
    let ack = Recipe { payload: vec![], sequence: 0xffff_f000u32.wrapping_add(1000), ..Recipe::default() };
    frames.insert(1, ack.frame());
    assert_eq!(group_sizes(&frames), [1, 1, 1], "an acknowledgement between two segments");
    let other = Recipe { host: 9, ..Recipe::default() };
    frames[1] = other.frame();
    assert_eq!(group_sizes(&frames), [2, 1], "a frame of another flow between them");
}

#[test]
fn groups_end_at_the_longest_ip_packet_and_at_the_most_pieces() {
    let long = Recipe { segment_len: 1000, payload: pattern(65_000), ..Recipe::default() };
    let mut frames = split(&long.vnet(), &long.super_packet()).unwrap();
    let after = Recipe { sequence: long.sequence.wrapping_add(65_000), ..Recipe::default() };
    frames.push(after.frame());
    assert_eq!(group_sizes(&frames), [65, 1]);
    let small = Recipe { segment_len: 1, payload: pattern(1_024), ..Recipe::default() };
    let frames = split(&small.vnet(), &small.super_packet()).unwrap();
    assert_eq!(group_sizes(&frames), [1_022, 2]);
}

#[test]
fn a_shorter_frame_is_the_last_of_its_group() {
    let first = Recipe::default();
    let at = |offset: u32, len| Recipe {
        sequence: first.sequence.wrapping_add(offset),
        payload: pattern(len),
        ..Recipe::default()
    };
    let frames = [first.frame(), at(1_000, 500).frame(), at(1_500, 500).frame(), at(2_000, 500).frame()];
    assert_eq!(group_sizes(&frames), [2, 2]);
}

#[test]
fn more_flows_than_are_looked_after_still_arrive() {
    let mut frames = Vec::new();
    for round in 0..3u32 {
        for port in 0..40 {
            let recipe = Recipe { ports: (port, 443), ..Recipe::default() };
            let sequence = recipe.sequence.wrapping_add(round * 1000);
            frames.push(Recipe { sequence, ..recipe }.frame());
        }
    }
    let total: usize = group_sizes(&frames).iter().sum();
    assert_eq!(total, frames.len());
}

#[test]
fn without_the_offload_nothing_is_merged() {
    let tcp_only = Offloads { vnet_hdr: true, tcp: true, udp: false };
    let udp = pair_of(Recipe { udp: true, ..Recipe::default() }, |_| {});
    assert_eq!(merge(tcp_only, &udp).len(), 2);
    assert_eq!(merge(tcp_only, &pair(|_| {})).len(), 1);
    let plain = merge(Offloads::default(), &pair(|_| {}));
    assert_eq!(plain.into_iter().map(|(_, packet)| packet).collect::<Vec<_>>(), pair(|_| {}));
}

#[test]
fn a_contradiction_in_a_super_packet_drops_it() {
    use DropReason::{Malformed, Oversize, Runt, UnknownOffload};
    let recipe = Recipe { payload: pattern(5_000), ..Recipe::default() };
    let udp = Recipe { udp: true, options: vec![], ..recipe.clone() };
    let v6 = Recipe { v6: true, ..recipe.clone() };
    let with = |recipe: &Recipe, change: fn(&mut VnetHdr)| {
        let mut vnet = recipe.vnet();
        change(&mut vnet);
        split(&vnet, &recipe.super_packet()).map(|frames| frames.len())
    };
    assert_eq!(with(&recipe, |v| v.hdr_len = 0), Ok(5), "hdr_len is not looked at");
    assert_eq!(with(&recipe, |v| v.hdr_len = 65_535), Ok(5), "hdr_len is not looked at");
    assert_eq!(with(&recipe, |v| v.gso_size = 0), Err(Malformed));
    assert_eq!(with(&recipe, |v| v.gso_size = 65_535), Ok(4), "TCP segments are made to fit: 5000 / 1448");
    assert_eq!(with(&udp, |v| v.gso_size = 1_473), Err(Oversize), "a datagram is not split");
    assert_eq!(with(&udp, |v| v.gso_size = 1_472), Ok(4), "the largest datagram");
    assert_eq!(with(&recipe, |v| v.flags = 0), Err(Malformed));
    assert_eq!(with(&recipe, |v| v.csum_start += 2), Err(Malformed));
    assert_eq!(with(&recipe, |v| v.csum_start = 65_535), Err(Malformed));
    assert_eq!(with(&recipe, |v| v.csum_offset = 6), Err(Malformed));
    assert_eq!(with(&recipe, |v| v.gso_type = GSO_TCPV6), Err(Malformed));
    assert_eq!(with(&recipe, |v| v.gso_type = GSO_UDP_L4), Err(Malformed));
    assert_eq!(with(&v6, |v| v.gso_type = GSO_TCPV4), Err(Malformed));
    assert_eq!(with(&v6, |v| v.csum_start -= 8), Err(Malformed));
    for kind in [2, 3, 6, 0x20, 0x40, 0x7f] {
        let vnet = VnetHdr { gso_type: kind, ..recipe.vnet() };
        assert_eq!(split(&vnet, &recipe.super_packet()), Err(UnknownOffload), "kind {kind}");
    }
    let packet = recipe.super_packet();
    for cut in 0..recipe.headers_len() + 1 {
        let expected = if cut < 14 { Runt } else { Malformed };
        assert_eq!(split(&recipe.vnet(), &packet[..cut]), Err(expected), "cut to {cut}");
    }
    for (at, value, why) in [
        (14, 0x44, "IHL 4"),
        (14, 0x65, "version"),
        (17, 0, "total length"),
        (20, 0x20, "fragment"),
        (46, 0x40, "offset"),
    ] {
        let mut packet = packet.clone();
        packet[at] = value;
        assert_eq!(split(&recipe.vnet(), &packet), Err(Malformed), "{why}");
    }
}

#[test]
fn ordinary_packets_pass_up_to_the_limit() {
    let ordinary = VnetHdr::default();
    let sized = |len: usize, ethertype: [u8; 2]| [vec![2; 12], ethertype.to_vec(), vec![0; len - 14]].concat();
    for (len, ethertype, expected) in [
        (14, [0x08, 0x06], Ok(1)),
        (1_514, [0x08, 0x00], Ok(1)),
        (1_515, [0x08, 0x00], Err(DropReason::Oversize)),
        (1_518, [0x81, 0x00], Ok(1)),
        (1_519, [0x81, 0x00], Err(DropReason::Oversize)),
        (1_518, [0x88, 0xa8], Ok(1)),
        (9_018, [0x08, 0x00], Err(DropReason::Oversize)),
    ] {
        let packet = sized(len, ethertype);
        let frames = split(&ordinary, &packet);
        assert_eq!(frames.as_ref().map(Vec::len).map_err(|e| *e), expected, "{len} bytes, {ethertype:02x?}");
        if let Ok(frames) = frames {
            assert_eq!(frames, [packet]);
        }
    }
    for len in 0..14 {
        assert_eq!(split(&ordinary, &vec![0; len]), Err(DropReason::Runt), "{len} bytes");
    }
}

#[test]
fn a_checksum_left_open_is_finished() {
    for recipe in [
        Recipe::default(),
        Recipe { udp: true, ..Recipe::default() },
        Recipe { v6: true, vlan: Some(5), payload: vec![], ..Recipe::default() },
        Recipe { udp: true, v6: true, payload: pattern(3), ..Recipe::default() },
    ] {
        let vnet = VnetHdr { gso_type: GSO_NONE, gso_size: 0, ..recipe.vnet() };
        assert_eq!(split(&vnet, &recipe.super_packet()), Ok(vec![recipe.frame()]));
    }
    let vnet = |csum_start, csum_offset| VnetHdr { flags: NEEDS_CSUM, csum_start, csum_offset, ..VnetHdr::default() };
    for (start, offset) in [(60, 0), (61, 0), (0, 59), (65_535, 65_535), (59, 0)] {
        assert_eq!(split(&vnet(start, offset), &[0; 60]), Err(DropReason::Malformed), "{start} + {offset}");
    }
    assert!(split(&vnet(58, 0), &[0; 60]).is_ok());
}

#[test]
fn a_refused_super_packet_is_written_frame_by_frame() {
    let frames = pair(|_| {});
    let device = Recorder { offloads: ALL_OFFLOADS, fail_super: Some(WriteError::Refused), ..Recorder::default() };
    let mut adapter = Offloaded::new(device);
    adapter.send(batch(&frames).frames()).unwrap();
    let written: Vec<_> = adapter.device().packets().into_iter().map(|(_, packet)| packet).collect();
    assert_eq!(written, frames);
    let stats = adapter.stats();
    assert_eq!((stats.super_packets_refused, stats.super_packets_sent, stats.frames_sent), (1, 0, 2));
    assert_eq!(stats.send_drops.total(), 0);
}

#[test]
fn what_cannot_be_written_is_counted_with_its_reason() {
    for (error, reason) in [
        (WriteError::Full, DropReason::Full),
        (WriteError::Down, DropReason::Down),
        (WriteError::NoMemory, DropReason::NoMemory),
        (WriteError::Refused, DropReason::Refused),
    ] {
        let device = Recorder {
            offloads: ALL_OFFLOADS,
            fail_super: Some(error),
            fail_single: Some(error),
            ..Recorder::default()
        };
        let mut adapter = Offloaded::new(device);
        adapter.send(batch(&pair(|_| {})).frames()).unwrap();
        assert_eq!(adapter.stats().send_drops.count(reason), 2, "{reason:?}");
        assert_eq!(adapter.stats().frames_sent, 0);
    }
    let mut adapter = Offloaded::new(Recorder { fail_single: Some(WriteError::Gone), ..Recorder::default() });
    assert_eq!(adapter.send(batch(&pair(|_| {})).frames()), Err(Error::Gone));
    let mut adapter = Offloaded::new(Recorder::default());
    for len in [0, 1, 13, 14, 1_600, 1_601, 9_018] {
        adapter.put_frame(&vec![0; len]).unwrap();
    }
    adapter.flush().unwrap();
    let drops = adapter.stats().send_drops;
    assert_eq!((drops.count(DropReason::Runt), drops.count(DropReason::Oversize)), (3, 2));
    assert_eq!(adapter.device().written.iter().map(Vec::len).collect::<Vec<_>>(), [14, 1_600]);
}

#[test]
fn one_frame_per_call_is_served_from_the_super_packet() {
    let recipe = Recipe { payload: pattern(2_500), ..Recipe::default() };
    let packet = [recipe.vnet().encode().to_vec(), recipe.super_packet()].concat();
    let device = Recorder {
        offloads: ALL_OFFLOADS,
        incoming: [Ok(packet.clone()), Ok(vec![0; 5]), Ok(packet)].into(),
        ..Recorder::default()
    };
    let mut adapter = Offloaded::new(device);
    let expected = split(&recipe.vnet(), &recipe.super_packet()).unwrap();
    for frame in expected.iter().chain(&expected) {
        assert_eq!(adapter.next_frame(), Ok(Some(frame.as_slice())));
    }
    assert_eq!(adapter.stats().reads, 3);
    assert_eq!(adapter.next_frame(), Ok(None));
    assert_eq!(adapter.stats().receive_drops.count(DropReason::Runt), 1, "shorter than a vnet header");
    assert_eq!(adapter.stats().super_packets_received, 2);
}

#[test]
fn a_batch_of_limited_size_continues_where_it_stopped() {
    let recipe = Recipe { payload: pattern(5_000), ..Recipe::default() };
    let packet = [recipe.vnet().encode().to_vec(), recipe.super_packet()].concat();
    let device = Recorder { offloads: ALL_OFFLOADS, incoming: [Ok(packet)].into(), ..Recorder::default() };
    let mut adapter = Offloaded::new(device);
    let mut frames = Vec::new();
    let mut sizes = Vec::new();
    for _ in 0..4 {
        sizes.push(adapter.receive(2, |frame| frames.push(frame.to_vec())).unwrap());
    }
    assert_eq!(sizes, [2, 2, 1, 0]);
    assert_eq!(frames, split(&recipe.vnet(), &recipe.super_packet()).unwrap());
}

#[test]
fn a_read_error_ends_nothing_but_the_call_and_gone_is_said() {
    let device = Recorder {
        incoming: [Err(Error::Read { errno: 14 }), Ok(vec![0; 60]), Err(Error::Gone)].into(),
        ..Recorder::default()
    };
    let mut adapter = Offloaded::new(device);
    assert_eq!(adapter.next_frame(), Err(Error::Read { errno: 14 }));
    assert_eq!(adapter.next_frame(), Ok(Some([0; 60].as_slice())));
    assert_eq!(adapter.next_frame(), Err(Error::Gone));
}

#[test]
fn putting_more_than_a_batch_holds_flushes_by_itself() {
    let mut adapter = Offloaded::new(Recorder { offloads: ALL_OFFLOADS, ..Recorder::default() });
    for _ in 0..2_500 {
        adapter.put_frame(&[0; 60]).unwrap();
    }
    adapter.flush().unwrap();
    adapter.flush().unwrap();
    assert_eq!(adapter.device().written.len(), 2_500);
    assert_eq!(adapter.stats().frames_sent, 2_500);
}
