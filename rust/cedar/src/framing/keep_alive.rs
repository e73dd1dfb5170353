//! Keep-alives: reading, writing, and when the next one is due.

use super::encoder::BufferTooSmall;
use super::statistics::Statistics;
use super::wire::{
    KEEP_ALIVE_MAGIC, MAX_KEEPALIVE_SIZE, UDP_NAT_T_PORT_SIGNATURE_IN_KEEP_ALIVE as SIGNATURE, WORD_SIZE, to_usize,
    word,
};
use std::num::NonZeroU16;

/// Bytes of a keep-alive's body that carry the NAT-T port: the signature and a `u16`.
const NAT_T_PORT_SIZE: usize = SIGNATURE.len() + 2;

/// Longest keep-alive that [`encode_keep_alive`] writes, in bytes, with the magic and the size in front.
pub const MAX_ENCODED_KEEP_ALIVE_SIZE: usize = 2 * WORD_SIZE + MAX_KEEPALIVE_SIZE - 1;

/// A keep-alive that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive<'a> {
    body: &'a [u8],
}

impl<'a> KeepAlive<'a> {
    pub(super) const fn new(body: &'a [u8]) -> Self {
        Self { body }
    }

    /// The padding, at most `MAX_KEEPALIVE_SIZE` bytes.
    #[must_use]
    pub const fn body(self) -> &'a [u8] {
        self.body
    }

    /// The sender's UDP port as a NAT-T server sees it, if the body begins with one
    /// (C: mode 4 of `ConnectionReceive`, Cedar/Connection.c).
    ///
    /// A body that is too short for signature and port has none, and neither has port 0.
    #[must_use]
    pub fn nat_t_port(self) -> Option<NonZeroU16> {
        let port = self.body.strip_prefix(SIGNATURE)?.first_chunk()?;
        NonZeroU16::new(u16::from_be_bytes(*port))
    }
}

/// Writes a keep-alive to the start of `out` and returns its length in bytes (C: `SendKeepAlive`, Cedar/Connection.c).
///
/// `nat_t_port` is `UdpAccel->MyPortByNatTServer` if UDP acceleration is in use and the port is known.
/// `random` is called once for the length, then once per byte of padding, in the order in which the C calls `rand()`:
/// with the same source of numbers the bytes are the same.
///
/// # Errors
///
/// [`BufferTooSmall`] if `out` is shorter than [`MAX_ENCODED_KEEP_ALIVE_SIZE`], before `random` is called.
pub fn encode_keep_alive(
    out: &mut [u8],
    nat_t_port: Option<u16>,
    mut random: impl FnMut() -> u32,
    statistics: &mut Statistics,
) -> Result<usize, BufferTooSmall> {
    let available = out.len();
    let Some(out) = out.get_mut(..MAX_ENCODED_KEEP_ALIVE_SIZE) else {
        return Err(BufferTooSmall { needed: MAX_ENCODED_KEEP_ALIVE_SIZE, available });
    };
    let (magic, rest) = out.split_at_mut(WORD_SIZE);
    let (size, body) = rest.split_at_mut(WORD_SIZE);

    let least = if nat_t_port.is_some() { NAT_T_PORT_SIZE } else { 0 };
    let body_size = (to_usize(random()) % MAX_KEEPALIVE_SIZE).max(least);
    magic.copy_from_slice(&KEEP_ALIVE_MAGIC.to_be_bytes());
    size.copy_from_slice(&word(body_size));
    body[..body_size].fill_with(|| random().to_le_bytes()[0]);
    if let Some(port) = nat_t_port {
        body[..SIGNATURE.len()].copy_from_slice(SIGNATURE);
        body[SIGNATURE.len()..NAT_T_PORT_SIZE].copy_from_slice(&port.to_be_bytes());
    }

    statistics.record_overhead(2 * WORD_SIZE);
    statistics.record_keep_alive(body_size);
    Ok(2 * WORD_SIZE + body_size)
}

/// Milliseconds until the next keep-alive: at random between a fifth and a half of the session's timeout
/// (C: `GenNextKeepAliveSpan`, Cedar/Connection.c).
///
/// `timeout_ms` is `SESSION.Timeout`, which a server sets freely; with 0 and 1, by half of which the C divides, the
/// span is 0 (known difference `keep-alive-span-zero`). `random` is one result of the C's `rand()` or its like.
#[must_use]
pub const fn gen_next_keep_alive_span(timeout_ms: u32, random: u32) -> u32 {
    let spread = match timeout_ms / 2 {
        0 => 0,
        half => random % half,
    };
    let least = timeout_ms / 5;
    if spread > least { spread } else { least }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source of numbers that first gives `first` and then 0x111, 0x111, …
    fn numbers(first: u32) -> impl FnMut() -> u32 {
        let mut next = first;
        move || std::mem::replace(&mut next, 0x111)
    }

    /// I4: for every length that the random number can ask for, the declared length is the real one.
    #[test]
    fn declared_length_is_real_length() {
        for size in 0..1024 {
            for port in [None, Some(0), Some(1), Some(0xffff)] {
                let mut out = [0xee; MAX_ENCODED_KEEP_ALIVE_SIZE + 3];
                let mut statistics = Statistics::default();
                let length = encode_keep_alive(&mut out, port, numbers(size), &mut statistics).unwrap();
                let wanted = size as usize % 512;
                let expected = if port.is_some() { wanted.max(14) } else { wanted };
                assert_eq!(length, 8 + expected);
                assert_eq!(out[..4], [0xff; 4]);
                assert_eq!(out[4..8], (expected as u32).to_be_bytes());
                assert!(out[length..].iter().all(|&byte| byte == 0xee), "wrote past its end");
                assert_eq!(statistics.total_size(), length as u64);
                assert_eq!(statistics.keep_alives, 1);
                let read = KeepAlive::new(&out[8..length]).nat_t_port().map(NonZeroU16::get);
                assert_eq!(read, port.filter(|&port| port != 0));
            }
        }
    }

    #[test]
    fn the_random_numbers_are_used_as_the_c_uses_them() {
        let mut calls = Vec::new();
        let mut next = 19_u32;
        let random = || {
            calls.push(next);
            next += 1;
            calls[calls.len() - 1]
        };
        let mut out = [0; MAX_ENCODED_KEEP_ALIVE_SIZE];
        let length = encode_keep_alive(&mut out, Some(0x1234), random, &mut Statistics::default()).unwrap();
        assert_eq!(calls, (19..=19 + 19).collect::<Vec<_>>());
        assert_eq!(&out[8..length], b"NATT_MY_PORT\x12\x34\x22\x23\x24\x25\x26");
    }

    #[test]
    fn a_short_buffer_is_refused_before_any_number_is_drawn() {
        let mut out = [0; MAX_ENCODED_KEEP_ALIVE_SIZE - 1];
        let result = encode_keep_alive(&mut out, None, || panic!("drawn"), &mut Statistics::default());
        assert_eq!(result, Err(BufferTooSmall { needed: 519, available: 518 }));
    }

    /// I3: signatures that are truncated or half present.
    #[test]
    fn only_a_whole_signature_with_a_port_counts() {
        let port = |body: &[u8]| KeepAlive::new(body).nat_t_port().map(NonZeroU16::get);
        assert_eq!(port(b"NATT_MY_PORT\x13\x88"), Some(5000));
        assert_eq!(port(b"NATT_MY_PORT\x13\x88 and more"), Some(5000));
        let whole = b"NATT_MY_PORT\x13\x88";
        for cut in 0..whole.len() {
            assert_eq!(port(&whole[..cut]), None, "cut at {cut}");
            let mut damaged = *whole;
            damaged[cut] ^= 0x20;
            if cut < 12 {
                assert_eq!(port(&damaged), None, "byte {cut} damaged");
            }
        }
        assert_eq!(port(b"NATT_MY_PORT\0\0"), None);
        assert_eq!(port(b" NATT_MY_PORT\x13\x88"), None);
    }

    #[test]
    fn span_for_every_small_timeout() {
        for random in [0, 1, 2, 0x7fff_ffff, u32::MAX] {
            assert_eq!(gen_next_keep_alive_span(0, random), 0);
            assert_eq!(gen_next_keep_alive_span(1, random), 0);
            for timeout_ms in 2..200 {
                let c = (random % (timeout_ms / 2)).max(timeout_ms / 5);
                assert_eq!(gen_next_keep_alive_span(timeout_ms, random), c);
            }
        }
        assert_eq!(gen_next_keep_alive_span(30_000, 14_999), 14_999);
        assert_eq!(gen_next_keep_alive_span(30_000, 15_000), 6_000);
        assert_eq!(gen_next_keep_alive_span(u32::MAX, 0), 858_993_459);
    }
}
