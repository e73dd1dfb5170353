//! What the fuzzer chooses: super-packets of every kind that a kernel makes, built by etherparse.

use arbitrary::Arbitrary;

use crate::adapter_common::{Recipe, TcpFlags, pattern};

/// One super-packet of at least two segments.
#[derive(Debug, Arbitrary)]
pub struct SuperPacket {
    v6: bool,
    udp: bool,
    vlan: Option<u16>,
    host: u8,
    id: u16,
    df: bool,
    tos: u8,
    ttl: u8,
    flow_label: u32,
    sequence: u32,
    ack: u32,
    window: u16,
    psh: bool,
    fin: bool,
    ece: bool,
    cwr: bool,
    option_words: u8,
    segment_len: u16,
    len: u16,
    filler: u8,
}

impl SuperPacket {
    /// The recipe of it, with its values brought into the ranges that a kernel keeps to.
    pub fn recipe(&self) -> Recipe {
        let mut recipe = Recipe {
            v6: self.v6,
            udp: self.udp,
            vlan: self.vlan.map(|tag| tag % 4096),
            host: self.host % 4,
            id: self.id,
            df: self.df,
            tos: self.tos,
            ttl: self.ttl.max(1),
            flow_label: self.flow_label % (1 << 20),
            sequence: self.sequence,
            ack: self.ack,
            window: self.window,
            flags: TcpFlags { psh: self.psh, fin: self.fin, ece: self.ece, cwr: self.cwr, ..TcpFlags::default() },
            options: if self.udp { vec![] } else { vec![1; usize::from(self.option_words % 11) * 4] },
            ..Recipe::default()
        };
        let room = if recipe.vlan.is_some() { 1518 } else { 1514 } - recipe.headers_len();
        recipe.segment_len = 1 + usize::from(self.segment_len) % room;
        // At least two segments, and no more than one write can take.
        let most = recipe.payload_max().min(recipe.segment_len * 1022);
        let len = (recipe.segment_len + 1 + usize::from(self.len) % 65_000).min(most);
        recipe.payload = pattern(len).iter().map(|byte| byte ^ self.filler).collect();
        recipe
    }
}
