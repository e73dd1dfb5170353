//! Whether a session's frames go by UDP acceleration: seen from outside, so it is the same for every client.

use std::time::{Duration, Instant};

use super::{Client, Lab, LabError, Side};
use crate::frames::{Direction, FramePlan, FrameSizes};

/// How long UDP acceleration may take to be used: the C waits ten seconds for a path that stays.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Frames per look, and how many of them must have gone as datagrams.
const FRAMES: u32 = 100;
const FRAMES_BY_UDP: u64 = 90;

/// Payload of a full inner segment without a smaller MSS: the most that one datagram carries.
const SEGMENT_BYTES: u64 = 1448;
/// How many full segments of ten must at least have gone as datagrams.
const SEGMENTS_BY_UDP_OF_TEN: u64 = 9;

/// What the kernel of one side has received since the lab began. (Of what is sent, it counts a burst as one.)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UdpCounts {
    /// UDP datagrams, fragmented ones once.
    pub datagrams: u64,
    /// Fragments of IP packets.
    pub fragments: u64,
}

impl UdpCounts {
    /// What has been added since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self { datagrams: self.datagrams - before.datagrams, fragments: self.fragments - before.fragments }
    }

    /// Whether so many bytes of inner TCP went by UDP while this was counted, and none in fragments: a server has inner
    /// TCP send segments that fit into a datagram, but only in connections that began while its end used UDP.
    ///
    /// # Errors
    ///
    /// [`LabError::NotByUdp`] says what was counted.
    pub fn carried(self, bytes: u64) -> Result<(), LabError> {
        let Self { datagrams, fragments } = self;
        let segments = bytes / SEGMENT_BYTES;
        if datagrams * 10 >= segments * SEGMENTS_BY_UDP_OF_TEN && fragments == 0 {
            return Ok(());
        }
        Err(LabError::NotByUdp { segments, datagrams, fragments })
    }

    /// From the text of `/proc/net/snmp`: a line of names and a line of values for each protocol.
    fn parse(snmp: &str) -> Option<Self> {
        let value = |protocol: &str, name: &str| -> Option<u64> {
            let mut lines = snmp.lines().filter_map(|line| line.strip_prefix(protocol));
            let (names, values) = (lines.next()?, lines.next()?);
            let place = names.split_whitespace().position(|other| other == name)?;
            values.split_whitespace().nth(place)?.parse().ok()
        };
        Some(Self { datagrams: value("Udp: ", "InDatagrams")?, fragments: value("Ip: ", "ReasmReqds")? })
    }
}

impl Lab {
    /// What one side has received.
    pub fn udp_received(&self, side: Side) -> Result<UdpCounts, LabError> {
        let failed = |source: std::io::Error| LabError::io("count datagrams", source);
        // Of the thread, which is in that side's namespace: the process is in another.
        let text = self.within(side, || std::fs::read_to_string("/proc/thread-self/net/snmp"))?;
        UdpCounts::parse(&text.map_err(failed)?)
            .ok_or_else(|| failed(std::io::Error::other("/proc/net/snmp is not as expected")))
    }

    /// Carries frames until they go by UDP both ways: client and server decide on their own, and the server has inner TCP
    /// send shorter segments only once it does.
    pub fn wait_for_udp(&self, client: &Client) -> Result<(), LabError> {
        let begun = Instant::now();
        for (direction, side) in [(Direction::Up, Side::Server), (Direction::Down, Side::Client)] {
            loop {
                let before = self.udp_received(side)?;
                // Short ones: the fused path sends by TCP what would not fit into a datagram.
                let sizes = FrameSizes::new(64, 512);
                let plan = FramePlan { window: 16, sizes, ..FramePlan::new(FRAMES, 9) };
                let report = self.carry_frames(client, direction, &plan)?;
                if self.udp_received(side)?.since(before).datagrams >= FRAMES_BY_UDP {
                    break;
                }
                if begun.elapsed() >= PATIENCE {
                    let detail = format!("; frames go by TCP, {direction:?}: {report}");
                    return Err(LabError::TimedOut {
                        what: "the use of UDP acceleration".into(),
                        after: PATIENCE,
                        detail,
                    });
                }
                std::thread::sleep(LOOK);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_their_names() {
        let snmp = "Ip: Forwarding ReasmTimeout ReasmReqds ReasmOKs\nIp: 1 2 3 4\nTcp: InSegs\nTcp: 5\n\
                    Udp: InDatagrams NoPorts\nUdp: 6 7\nUdpLite: InDatagrams NoPorts\nUdpLite: 8 9\n";
        assert_eq!(UdpCounts::parse(snmp), Some(UdpCounts { datagrams: 6, fragments: 3 }));
        assert_eq!(UdpCounts::parse("Udp: InDatagrams\n"), None);
    }

    #[test]
    fn what_went_by_tcp_or_in_fragments_did_not_go_by_udp() {
        let counted = |datagrams, fragments| UdpCounts { datagrams, fragments }.carried(1000 * SEGMENT_BYTES).is_ok();
        assert!(counted(900, 0) && counted(1116, 0));
        assert!(!counted(899, 0));
        assert!(!counted(1000, 1));
        let before = UdpCounts { datagrams: 5, fragments: 1 };
        assert_eq!(UdpCounts { datagrams: 7, fragments: 4 }.since(before), UdpCounts { datagrams: 2, fragments: 3 });
    }
}
