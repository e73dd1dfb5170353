//! The name that a host of IPv4 gives itself: the status query of NetBIOS (RFC 1002, 4.2.17), for a log.

use super::{Cancel, Limit, ResolveError, Udp};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Where NetBIOS answers.
pub const NETBIOS_PORT: u16 = 137;

/// How often the question is asked at once, each with a number of its own (C: `NUM_NBT_QUERYS_SEND`, Network.c).
pub const QUERIES: usize = 3;

/// Bytes of a question (C: `NBTREQUEST`).
const REQUEST_SIZE: usize = 50;
/// Fewest bytes of an answer (C: `NBTRESPONSE`).
const RESPONSE_SIZE: usize = 74;
/// Where the questions and answers of both begin, and where in an answer the first name is.
const BODY: usize = 12;
const NAME: usize = BODY + 45;
/// Bytes of a name, without the byte of its kind behind it.
const NAME_SIZE: usize = 15;

/// Asks the host at an address for its name (C: `GetNetBiosName`, Mayaqua/Network.c, which waits 100 ms and takes an answer from
/// anywhere). `ids` are random numbers.
///
/// # Errors
///
/// [`ResolveError::TimedOut`], [`ResolveError::Cancelled`], [`ResolveError::NotFound`] for a host that has none, and
/// [`ResolveError::Failed`] with what the system says.
pub fn name_of(address: Ipv4Addr, ids: [u16; QUERIES], limit: &Limit) -> Result<String, ResolveError> {
    name_at(SocketAddrV4::new(address, NETBIOS_PORT), ids, limit)
}

/// [`name_of`] with another port.
pub(super) fn name_at(peer: SocketAddrV4, ids: [u16; QUERIES], limit: &Limit) -> Result<String, ResolveError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::TimedOut => ResolveError::TimedOut,
        ErrorKind::ConnectionAborted => ResolveError::Cancelled,
        _ => ResolveError::Failed(error.to_string()),
    };
    let cancel: &Cancel = &limit.cancel;
    let mut udp = Udp::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into(), cancel).map_err(failed)?;
    udp.set_end(limit.end());
    for id in ids {
        udp.send_to(&request(id), peer.into()).map_err(failed)?;
    }
    let mut buffer = [0; 1024];
    loop {
        let (size, source) = udp.receive_from(&mut buffer).map_err(failed)?;
        let answer = buffer.get(..size).filter(|_| source == peer.into()).and_then(parse);
        if let Some((_, name)) = answer.filter(|(id, _)| ids.contains(id)) {
            return name.ok_or(ResolveError::NotFound);
        }
    }
}

/// The question "what is your status" to any name.
fn request(id: u16) -> [u8; REQUEST_SIZE] {
    let mut request = [0; REQUEST_SIZE];
    let (head, body) = request.split_at_mut(BODY);
    head[..2].copy_from_slice(&id.to_be_bytes());
    head[5] = 1;
    // "*" and 15 zeros, half a byte a letter; type NBSTAT, class IN.
    body[..3].copy_from_slice(b"\x20CK");
    body[3..33].fill(b'A');
    body[35] = 0x21;
    body[37] = 1;
    request
}

/// The number of the question that an answer is of, and the first name in it; `None` for what is no answer.
fn parse(answer: &[u8]) -> Option<(u16, Option<String>)> {
    if answer.len() < RESPONSE_SIZE {
        return None;
    }
    let short = |at: usize| Some(u16::from_be_bytes([*answer.get(at)?, *answer.get(at + 1)?]));
    let is_answer = short(2)? != 0 && short(4)? == 0 && short(6)? != 0;
    let is_status =
        answer.get(BODY..BODY + 3)? == b"\x20CK" && answer.get(BODY + 34..BODY + 38)? == [0x00, 0x21, 0x00, 0x01];
    if !is_answer || !is_status {
        return None;
    }
    let name = answer.get(NAME..NAME + NAME_SIZE + 1)?.split(|byte| *byte == 0).next().unwrap_or_default();
    let is_printable = |byte: &u8| matches!(byte, b' '..=b'~');
    let text = std::str::from_utf8(name).ok().filter(|_| name.len() <= NAME_SIZE && name.iter().all(is_printable));
    Some((short(0)?, text.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::thread;
    use std::time::Duration;

    /// What a Windows machine answers, with one name.
    fn answer(id: u16, name: &[u8]) -> Vec<u8> {
        let mut answer = request(id).to_vec();
        (answer[2], answer[5], answer[7]) = (0x84, 0, 1);
        // Behind the name in the question: type and class, time to live, length, number of names.
        answer.splice(BODY + 34.., [0, 0x21, 0, 1, 0, 0, 0, 0, 0, 0x2f, 1]);
        answer.extend(name);
        answer.resize(RESPONSE_SIZE.max(NAME + name.len()), 0);
        answer
    }

    #[test]
    fn a_name_comes_from_the_host_that_was_asked_and_from_no_other() {
        let host = UdpSocket::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(address) = host.local_addr().unwrap() else { panic!("of IPv4") };
        let asked = thread::spawn(move || name_at(address, [7, 8, 9], &Limit::of(Duration::from_secs(60))));
        let mut buffer = [0; 100];
        let (size, peer) = host.recv_from(&mut buffer).unwrap();
        assert_eq!(buffer[..size], request(7));
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        stranger.send_to(&answer(7, b"STRANGER       \0"), peer).unwrap();
        for wrong in [&b""[..], &answer(10, b"OTHER QUESTION \0"), &answer(7, b"TOO SHORT")[..RESPONSE_SIZE - 1]] {
            host.send_to(wrong, peer).unwrap();
        }
        host.send_to(&answer(8, b"MACHINE        \0"), peer).unwrap();
        assert_eq!(asked.join().unwrap(), Ok("MACHINE".to_owned()));
    }

    #[test]
    fn what_is_no_name_is_none() {
        assert_eq!(parse(&answer(1, b"MACHINE\0")), Some((1, Some("MACHINE".to_owned()))));
        for none in [&b"               \0"[..], b"\0", b"SIXTEEN LETTERS!\0", b"BELL\x07\0", b"\xff\xfe\0"] {
            assert_eq!(parse(&answer(1, none)), Some((1, None)), "{none:?}");
        }
        let right = answer(1, b"MACHINE\0");
        for at in [3, 5, 7, BODY, BODY + 35, BODY + 37] {
            let mut wrong = right.clone();
            wrong[if at == 3 { 2 } else { at }] = if at == 5 { 1 } else { 0 };
            assert_eq!(parse(&wrong), None, "byte {at}");
        }
        (0..RESPONSE_SIZE).for_each(|size| assert_eq!(parse(&right[..size]), None));
    }
}
