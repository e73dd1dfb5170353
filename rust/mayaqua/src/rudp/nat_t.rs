//! NAT-T servers: a client asks one of SoftEther's where a VPN server behind a NAT is, and the NAT-T server has that one open its
//! NAT for the client. (C: `NewRUDPClientNatT`, Mayaqua/Network.c.) Not here: what a VPN server says to them.
//!
//! NAT-T servers are not authenticated. Whoever forges an answer sends a client elsewhere, where TLS has to find it out.

use super::{Random, number_of};
use crate::crypto::sha1;
use crate::dyn_list::DynList;
use crate::net::{Limit, Udp};
use crate::pack::{self, Pack};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

/// Where NAT-T servers answer (C: the same name, Network.h).
pub const UDP_NAT_T_PORT: u16 = 5004;
/// The version of the protocol (C: the same name, Network.h).
pub const UDP_NAT_TRAVERSAL_VERSION: u32 = 1;

/// Milliseconds after the first question (C: `UDP_NAT_T_CONNECT_INTERVAL`, Network.h), and how often they are doubled.
const CONNECT_INTERVAL: u64 = 200;
const DOUBLED_MAX: u32 = 6;

/// The NAT-T server for an address, one of 256; any of them without one (C: `RUDPGetRegisterHostNameByIP`, Mayaqua/Network.c).
#[must_use]
pub fn register_host_name(address: Option<Ipv4Addr>, random: u8) -> String {
    let [_, number, ..] = address.map_or([random; 20], |address| sha1(&address.octets()));
    let (high, low) = (number >> 4, number & 15);
    format!("x{high:x}.x{low:x}.dev.servers.nat-traversal.softether-network.net.")
}

/// Whom a client looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its NAT's address.
    pub address: IpAddr,
    /// The service, `SoftEther_VPN` for a VPN server (C: `svc_name`).
    pub service: String,
    /// What tells it from others behind the same NAT, if anything (C: `hint_str`).
    pub hint: Option<String>,
    /// The name that the address was found by (C: `target_hostname`).
    pub host_name: Option<String>,
}

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it waits for datagrams.
    pub peer: SocketAddrV4,
    /// It is in the same network: the socket that asked must not be used for the connection (C: `same_lan`).
    pub same_lan: bool,
}

/// Why it is not known where a server is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatTError {
    /// Several servers have that address (C: `RUDP_ERROR_NAT_T_TWO_OR_MORE`).
    #[error("more than one server is behind this address")]
    TwoOrMore,
    /// The NAT-T server knows none (C: `RUDP_ERROR_NAT_T_NOT_FOUND`).
    #[error("no server is registered for this address")]
    NotFound,
    /// The question cannot be written: a text of it is too long or has a NUL inside.
    #[error("the question cannot be asked: {0}")]
    Question(#[from] pack::Error),
    /// The NAT-T server was not reached in time, it was cancelled, or what the system says (C: `RUDP_ERROR_NAT_T_NO_RESPONSE`,
    /// `RUDP_ERROR_USER_CANCELED`).
    #[error("no answer from the NAT-T server: {0}")]
    NoAnswer(#[from] io::Error),
}

/// A question on its way (C: the loop of `NewRUDPClientNatT`).
#[derive(Debug)]
pub struct Query {
    target: Target,
    tran_id: u64,
    /// What the server said to say.
    cookie: u64,
    next_send: Option<u64>,
    times: u32,
}

impl Query {
    /// A question that nobody was asked yet.
    #[must_use]
    pub fn new(target: Target, random: Random<'_>) -> Self {
        let tran_id = u64::from(number_of(random)) << 32 | u64::from(number_of(random));
        Self { target, tran_id, cookie: 0, next_send: None, times: 0 }
    }

    /// The datagram that is due, and when the next one is (C: a part of `NewRUDPClientNatT`, which waits for 12.8 s after the
    /// first and ever longer, where 0.2 s and up to 12.8 s were meant).
    ///
    /// # Errors
    ///
    /// The target's texts make no PACK.
    pub fn poll(&mut self, now: u64, values: &DynList) -> Result<(Option<Vec<u8>>, u64), pack::Error> {
        if let Some(next) = self.next_send.filter(|next| now < *next) {
            return Ok((None, next));
        }
        let mut question = Pack::new();
        question.add_str("opcode", b"nat_t_connect_request")?;
        question.add_int64("tran_id", self.tran_id)?;
        question.add_str("dest_ip", self.target.address.to_string().as_bytes())?;
        question.add_int64("cookie", self.cookie)?;
        for (name, text) in [("hint", &self.target.hint), ("target_hostname", &self.target.host_name)] {
            if let Some(text) = text.as_deref().filter(|text| !text.trim().is_empty()) {
                question.add_str(name, text.as_bytes())?;
            }
        }
        question.add_str("svc_name", self.target.service.as_bytes())?;
        question.add_int("nat_traversal_version", UDP_NAT_TRAVERSAL_VERSION)?;
        let interval = values.value_or_safe("UDP_NAT_T_CONNECT_INTERVAL", CONNECT_INTERVAL);
        let next = now.saturating_add(interval << self.times.min(DOUBLED_MAX));
        self.times = self.times.saturating_add(1);
        self.next_send = Some(next);
        Ok((Some(question.encode()?), next))
    }

    /// Takes a datagram of the NAT-T server; `None` for one that answers nothing (C: a part of `NewRUDPClientNatT`).
    pub fn receive(&mut self, datagram: &[u8]) -> Option<Result<Found, NatTError>> {
        let answer = Pack::decode(datagram).ok()?;
        if answer.get_int64("cookie") != 0 {
            self.cookie = answer.get_int64("cookie");
        }
        let is_answer = answer.cmp_str("opcode", b"nat_t_connect_request");
        if answer.get_int64("tran_id") != self.tran_id || !is_answer {
            return None;
        }
        if !answer.get_bool("ok") {
            let is_many = answer.get_bool("multi_candidates");
            return Some(Err(if is_many { NatTError::TwoOrMore } else { NatTError::NotFound }));
        }
        let address = std::str::from_utf8(answer.get_str("result_ip")?).ok()?.trim().parse().ok()?;
        let port = u16::try_from(answer.get_int("result_port")).ok().filter(|port| *port != 0)?;
        let peer = Some(SocketAddrV4::new(address, port)).filter(|peer| !peer.ip().is_unspecified())?;
        Some(Ok(Found { peer, same_lan: answer.get_bool("same_lan") }))
    }
}

/// Asks the NAT-T server at `server` over a socket, which the server that is found then sends to (C: `NewRUDPClientNatT`,
/// Mayaqua/Network.c, up to the connection, which is [`super::Stream::connect_over`]).
///
/// # Errors
///
/// Why it is not known where the target is.
pub fn find(udp: &mut Udp, server: SocketAddrV4, mut query: Query, limit: &Limit) -> Result<Found, NatTError> {
    let (start, values) = (Instant::now(), DynList::new());
    let end = limit.end();
    let mut buffer = vec![0; 65_536];
    loop {
        let now = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (question, next) = query.poll(now, &values)?;
        // What comes while a question is sent is read afterwards.
        udp.set_end(end);
        if let Some(question) = question {
            udp.send_to(&question, server.into())?;
        }
        let next = start.checked_add(Duration::from_millis(next));
        udp.set_end([next, end].into_iter().flatten().min());
        match udp.receive_from(&mut buffer) {
            Ok((size, source)) if source == server.into() => {
                let datagram = buffer.get(..size).unwrap_or_default();
                if let Some(found) = query.receive(datagram) {
                    udp.set_end(None);
                    return found;
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut && end.is_none_or(|end| Instant::now() < end) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
