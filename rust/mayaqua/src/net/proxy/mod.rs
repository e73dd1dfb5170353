//! Proxies over any stream that leads to one (C: Mayaqua/Proxy.c): HTTP CONNECT, SOCKS4, SOCKS5 (RFC 1928, 1929).
//!
//! Only the proxy's answer is read, byte by byte where its length is not known before, so that what the server behind it says
//! first stays in the stream. Answers have limits; the stream's own time ends a proxy that stalls.

use crate::base64;
use crate::http::{self, Header, HeaderReader};
use crate::str::to_int;
use std::io::{self, Read, Write};
use std::net::IpAddr;

/// Most bytes of a proxy's answer to CONNECT.
pub const ANSWER_MAX: usize = 16 * 1024;
/// Most bytes of a user's name or password (C: `PROXY_MAX_USERNAME_LEN`, Proxy.h, and RFC 1929).
pub const CREDENTIAL_MAX: usize = 255;
/// Most bytes of a target's name (RFC 1928).
const NAME_MAX: usize = 255;

/// Where the proxy is to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name or an address.
    pub host: String,
    /// The port, not 0.
    pub port: u16,
}

/// Who the user is, for proxies that ask.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// At most [`CREDENTIAL_MAX`] bytes.
    pub username: String,
    /// The same.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    /// Not the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({:?})", self.username)
    }
}

/// What a proxy speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// HTTP CONNECT (C: `ProxyHttpConnect`, Mayaqua/Proxy.c).
    Http {
        /// For `Proxy-Authorization: Basic`.
        credentials: Option<Credentials>,
        /// Lines to send besides, which replace those of the same name (C: `HttpCustomHeader`, `HttpUserAgent`).
        headers: Vec<(String, String)>,
    },
    /// SOCKS4, to an address of IPv4 (C: `ProxySocks4Connect`, Mayaqua/Proxy.c).
    Socks4 {
        /// The user's name, empty for none.
        username: String,
    },
    /// SOCKS5 (C: `ProxySocks5Connect`, Mayaqua/Proxy.c).
    Socks5 {
        /// For the user's authentication, which is offered only with them.
        credentials: Option<Credentials>,
    },
}

/// Why the proxy does not lead to the target (C: `PROXY_ERROR_*`, Proxy.h).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// A target, name or password that cannot be said in this protocol (C: `PROXY_ERROR_PARAMETER`).
    #[error("{0}")]
    Parameter(&'static str),
    /// The stream failed, ended or timed out (C: `PROXY_ERROR_DISCONNECTED`, `PROXY_ERROR_CANCELED`).
    #[error("it cannot be talked to: {0}")]
    Io(#[from] io::Error),
    /// An answer that is not one of this protocol (C: `PROXY_ERROR_VERSION`, `PROXY_ERROR_GENERIC`).
    #[error("it does not speak this protocol")]
    Protocol,
    /// It wants to know who the user is, or does not believe it (C: `PROXY_ERROR_AUTHENTICATION`).
    #[error("it refuses the user")]
    Authentication,
    /// The target cannot be reached from there (C: `PROXY_ERROR_TARGET`).
    #[error("it cannot reach the target (its code {0})")]
    Target(u16),
    /// Any other answer (C: `PROXY_ERROR_GENERIC`).
    #[error("it refuses (its code {0})")]
    Refused(u16),
}

impl From<http::Error> for ProxyError {
    fn from(_: http::Error) -> Self {
        Self::Protocol
    }
}

impl Proxy {
    /// Has the proxy at the other end of `stream` connect to `target`; what is said from then on is the target's.
    ///
    /// # Errors
    ///
    /// Why not; the stream is of no use any more.
    pub fn connect(&self, stream: &mut (impl Read + Write), target: &Target) -> Result<(), ProxyError> {
        let is_text = |byte: u8| byte > b' ' && byte != 0x7f;
        if target.port == 0 || target.host.is_empty() || target.host.len() > NAME_MAX {
            return Err(ProxyError::Parameter("a target needs a name of 1 to 255 bytes and a port"));
        }
        if !target.host.bytes().all(is_text) {
            return Err(ProxyError::Parameter("a space or control character in the target's name"));
        }
        match self {
            Self::Http { credentials, headers } => http_connect(stream, target, credentials.as_ref(), headers),
            Self::Socks4 { username } => socks4_connect(stream, target, username),
            Self::Socks5 { credentials } => socks5_connect(stream, target, credentials.as_ref()),
        }
    }
}

/// The target's address, if it is one and no name.
fn address_of(target: &Target) -> Option<IpAddr> {
    target.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn http_connect(
    stream: &mut (impl Read + Write),
    target: &Target,
    credentials: Option<&Credentials>,
    headers: &[(String, String)],
) -> Result<(), ProxyError> {
    const LINE: ProxyError = ProxyError::Parameter("a header line that is too long or has a line end in it");
    let Target { host, port } = target;
    let place = match address_of(target) {
        Some(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{host}:{port}"),
    };
    let mut header = Header::new(b"CONNECT", place.as_bytes(), b"HTTP/1.0").map_err(|_| LINE)?;
    for (name, value) in headers {
        header.add(name, value).map_err(|_| LINE)?;
    }
    let basic = credentials.map(|who| base64::encode(format!("{}:{}", who.username, who.password).as_bytes()));
    let authorization = basic.map(|basic| format!("Basic {basic}"));
    let usual = [
        ("User-Agent", Some("Mozilla/5.0 (Windows NT 6.3; WOW64; rv:29.0) Gecko/20100101 Firefox/29.0")),
        ("Host", Some(host.as_str())),
        ("Content-Length", Some("0")),
        ("Proxy-Connection", Some("Keep-Alive")),
        ("Pragma", Some("no-cache")),
        ("Proxy-Authorization", authorization.as_deref()),
    ];
    for (name, value) in usual {
        if let Some(value) = value.filter(|_| header.get(name).is_none()) {
            header.add(name, value).map_err(|_| LINE)?;
        }
    }
    send(stream, &header.to_bytes())?;
    let answer = read_header(stream)?;
    if answer.method().len() != 8 || !answer.method().starts_with(b"HTTP/1.") {
        return Err(ProxyError::Protocol);
    }
    match to_int(answer.target()) {
        200..=299 => Ok(()),
        401 | 403 | 407 => Err(ProxyError::Authentication),
        other => Err(ProxyError::Refused(u16::try_from(other).unwrap_or(u16::MAX))),
    }
}

/// One header, and not a byte behind it.
fn read_header(stream: &mut impl Read) -> Result<Header, ProxyError> {
    let mut reader = HeaderReader::new();
    for _ in 0..ANSWER_MAX {
        let byte: [u8; 1] = receive(stream)?;
        if let Some(header) = reader.push(&mut &byte[..])? {
            return Ok(header);
        }
    }
    Err(ProxyError::Protocol)
}

fn socks4_connect(stream: &mut (impl Read + Write), target: &Target, username: &str) -> Result<(), ProxyError> {
    let Some(IpAddr::V4(address)) = address_of(target) else {
        return Err(ProxyError::Parameter("SOCKS4 leads to addresses of IPv4 only"));
    };
    if username.len() > CREDENTIAL_MAX || username.contains('\0') {
        return Err(ProxyError::Parameter("a user's name has at most 255 bytes and no NUL"));
    }
    let port = target.port.to_be_bytes();
    send(stream, &[&[4, 1][..], &port, &address.octets(), username.as_bytes(), &[0]].concat())?;
    let [version, code, ..] = receive::<8>(stream)?;
    match (version, code) {
        (0, 90) => Ok(()),
        (0, 93) => Err(ProxyError::Authentication),
        (0, code) => Err(ProxyError::Target(code.into())),
        _ => Err(ProxyError::Protocol),
    }
}

/// The methods of authentication (RFC 1928, 3).
const METHOD_NONE: u8 = 0;
const METHOD_PASSWORD: u8 = 2;
const METHOD_REFUSED: u8 = 0xff;

fn socks5_connect(
    stream: &mut (impl Read + Write),
    target: &Target,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyError> {
    let legal = |text: &str| (1..=CREDENTIAL_MAX).contains(&text.len());
    if credentials.is_some_and(|who| !legal(&who.username) || !legal(&who.password)) {
        return Err(ProxyError::Parameter("a user's name and password have 1 to 255 bytes each"));
    }
    let methods: &[u8] = if credentials.is_some() { &[METHOD_NONE, METHOD_PASSWORD] } else { &[METHOD_NONE] };
    send(stream, &[&[5, length(methods)][..], methods].concat())?;
    match (receive::<2>(stream)?, credentials) {
        ([5, METHOD_NONE], _) => {}
        ([5, METHOD_PASSWORD], Some(who)) => authenticate(stream, who)?,
        ([5, METHOD_REFUSED], _) => return Err(ProxyError::Authentication),
        // A method that was not offered, which the C takes for none.
        _ => return Err(ProxyError::Protocol),
    }
    let mut request = vec![5, 1, 0];
    match address_of(target) {
        Some(IpAddr::V4(address)) => request.extend([&[1][..], &address.octets()].concat()),
        Some(IpAddr::V6(address)) => request.extend([&[4][..], &address.octets()].concat()),
        None => request.extend([&[3, length(target.host.as_bytes())][..], target.host.as_bytes()].concat()),
    }
    request.extend(target.port.to_be_bytes());
    send(stream, &request)?;
    let [version, code, _, kind] = receive::<4>(stream)?;
    if version != 5 {
        return Err(ProxyError::Protocol);
    }
    match code {
        0 => {}
        2 => return Err(ProxyError::Authentication),
        3..=6 => return Err(ProxyError::Target(code.into())),
        _ => return Err(ProxyError::Refused(code.into())),
    }
    // Where the proxy connected from: of no use, but in the way.
    match kind {
        1 => receive::<6>(stream).map(drop),
        4 => receive::<18>(stream).map(drop),
        3 => {
            let [length] = receive::<1>(stream)?;
            (0..usize::from(length) + 2).try_for_each(|_| receive::<1>(stream).map(drop))
        }
        _ => Err(ProxyError::Protocol),
    }
}

/// By name and password (RFC 1929).
fn authenticate(stream: &mut (impl Read + Write), who: &Credentials) -> Result<(), ProxyError> {
    let (name, password) = (who.username.as_bytes(), who.password.as_bytes());
    send(stream, &[&[1, length(name)][..], name, &[length(password)], password].concat())?;
    match receive::<2>(stream)? {
        [_, 0] => Ok(()),
        _ => Err(ProxyError::Authentication),
    }
}

/// The length of what was held against 255 bytes before.
fn length(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).unwrap_or(u8::MAX)
}

fn send(stream: &mut impl Write, data: &[u8]) -> Result<(), ProxyError> {
    stream.write_all(data)?;
    Ok(stream.flush()?)
}

fn receive<const N: usize>(stream: &mut impl Read) -> Result<[u8; N], ProxyError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
