//! R-UDP that looks like DNS, to get out of networks that let nothing else through (C: `RUDP_PROTOCOL_DNS`; parts of
//! `RUDPMainThread`, Mayaqua/Network.c): before each datagram stands a question, or a question with its answer.

use super::keys::Side;

/// Bytes before a datagram of a client, and before one of a server.
const QUESTION: usize = 37;
const ANSWER: usize = 42;
/// Seconds that an answer says it may be kept: half a day, and up to half a day more.
const TTL: u32 = 60 * 60 * 12;

/// A datagram in its disguise, of the end that `side` is. `id` is random for a client, and for a server that of the question which came last; `random` is
/// eight bytes for the name that is asked for and the answer's lifetime.
#[must_use]
pub fn seal_dns(datagram: &[u8], side: Side, id: [u8; 2], random: [u8; 8]) -> Vec<u8> {
    let mut wrapped = Vec::with_capacity(ANSWER + datagram.len());
    let [a, b, c, d, ttl @ .., _, _] = random;
    let name = format!("{:08x}", u32::from_be_bytes([a, b, c, d]));
    // What does not fit into a datagram is not sent, whatever its header says.
    let size = |more: usize| u16::try_from(datagram.len() + more).unwrap_or(u16::MAX).to_be_bytes();
    wrapped.extend(id);
    match side {
        Side::Client => {
            // A standard query with one question of 8 letters, type DNSKEY, and EDNS.
            wrapped.extend([0x01, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08]);
            wrapped.extend(name.bytes());
            wrapped.extend([0x00, 0x00, 0x30, 0x00, 0x01, 0x00, 0x00, 0x29, 0x10, 0x00, 0x00, 0x00, 0x80, 0x00]);
            wrapped.extend(size(0));
        }
        Side::Server => {
            wrapped.extend([0x81, 0x80, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x08]);
            wrapped.extend(name.bytes());
            wrapped.extend([0x00, 0x00, 0x30, 0x00, 0x01, 0xc0, 0x0c, 0x00, 0x30, 0x00, 0x01]);
            wrapped.extend((TTL + u32::from(u16::from_be_bytes(ttl)) % TTL).to_be_bytes());
            wrapped.extend(size(4));
            wrapped.extend([0x01, 0x00, 0x03, 0x08]);
        }
    }
    wrapped.extend(datagram);
    wrapped
}

/// The datagram in what came, and the question's or answer's number; `side` is the receiver's. As in the C nothing is looked at
/// but the length: the signature in it says whose it is.
#[must_use]
pub fn open_dns(wrapped: &[u8], side: Side) -> Option<([u8; 2], &[u8])> {
    let head = if side == Side::Client { ANSWER } else { QUESTION };
    let datagram = wrapped.get(head..).filter(|datagram| !datagram.is_empty())?;
    Some((*wrapped.first_chunk()?, datagram))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_and_every_length() {
        for (from, to, head) in [(Side::Client, Side::Server, QUESTION), (Side::Server, Side::Client, ANSWER)] {
            let wrapped = seal_dns(b"datagram", from, [0xab, 0xcd], [0xff; 8]);
            assert_eq!(wrapped.len(), head + 8);
            assert_eq!(open_dns(&wrapped, to), Some(([0xab, 0xcd], &b"datagram"[..])));
            (0..=head).for_each(|size| assert_eq!(open_dns(&wrapped[..size], to), None));
        }
    }
}
