//! Which frames go to the high-priority queue of a session with the VoIP / QoS function.

/// Whether `frame` has priority (C: `IsPriorityHighestPacketForQoS`, Cedar/Session.c).
///
/// That is an IPv4 packet with a type of service other than 0 and 8, or a short ICMPv4 packet. VLAN tags are not
/// looked behind, and IPv4 options are not minded, as in the C.
#[inline]
#[must_use]
pub fn is_priority_highest_packet_for_qos(frame: &[u8]) -> bool {
    const ICMPV4: u8 = 0x01;
    let &[_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x00, _, type_of_service, ..] = frame else {
        return false;
    };
    let marked = !matches!(type_of_service, 0x00 | 0x08);
    marked || (34..=128).contains(&frame.len()) && frame.get(23) == Some(&ICMPV4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ipv4(size: usize, type_of_service: u8, protocol: u8) -> Vec<u8> {
        let mut frame = vec![0; size.max(24)];
        frame[12] = 0x08;
        frame[15] = type_of_service;
        frame[23] = protocol;
        frame.truncate(size);
        frame
    }

    #[test]
    fn edges_of_the_sizes() {
        for (size, icmp, marked) in [
            (0, false, false),
            (13, false, false),
            (15, false, false),
            (16, false, true),
            (23, false, true),
            (33, false, true),
            (34, true, true),
            (128, true, true),
            (129, false, true),
            (1514, false, true),
        ] {
            let priority = |tos, protocol| is_priority_highest_packet_for_qos(&ipv4(size, tos, protocol));
            assert_eq!(priority(0, 1), icmp, "ICMP of {size} bytes");
            assert_eq!(priority(0x10, 17), marked, "ToS 0x10, {size} bytes");
            assert!(!priority(0, 17), "UDP of {size} bytes");
        }
    }

    #[test]
    fn type_of_service_eight_is_no_mark() {
        assert!(!is_priority_highest_packet_for_qos(&ipv4(60, 0x08, 6)));
        assert!(is_priority_highest_packet_for_qos(&ipv4(60, 0x09, 6)));
    }

    #[test]
    fn other_ether_types_have_no_priority() {
        for (high, low) in [(0x86, 0xdd), (0x81, 0x00), (0x08, 0x06)] {
            let mut frame = ipv4(60, 0x10, 1);
            (frame[12], frame[13]) = (high, low);
            assert!(!is_priority_highest_packet_for_qos(&frame));
        }
    }

    /// The C function, line by line.
    fn c_rule(buf: &[u8]) -> bool {
        let size = buf.len();
        if size >= 16 {
            if buf[12] == 0x08 && buf[13] == 0x00 && buf[15] != 0x00 && buf[15] != 0x08 {
                return true;
            }
            if (34..=128).contains(&size) && buf[12] == 0x08 && buf[13] == 0x00 && buf[23] == 0x01 {
                return true;
            }
        }
        false
    }

    proptest! {
        #[test]
        fn equals_the_c_rule(
            mut frame in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(8), any::<u8>()], 0..160),
            ipv4: bool,
        ) {
            if ipv4 && frame.len() >= 14 {
                (frame[12], frame[13]) = (0x08, 0x00);
            }
            prop_assert_eq!(is_priority_highest_packet_for_qos(&frame), c_rule(&frame));
        }
    }
}
