//! The client's side of `Mayaqua/Network.c` and `Proxy.c`: names to addresses, sockets that wait for so long and no longer,
//! proxies. Every wait ends with a time or a [`Cancel`], and no wait is a loop that looks now and then.
//!
//! | module | C | holds |
//! | --- | --- | --- |
//! | [`address`] | `IP` | masks and networks of addresses; the addresses are those of std |
//! | [`Cancel`] | `CANCEL` | ends waits from another thread |
//! | [`resolve`], [`host_name`] | `GetIP46Ex`, `GetHostName` | a name to its addresses, an address to its name |
//! | [`netbios`] | `GetNetBiosName` | the name that a host gives itself |
//! | [`mod@host`] | `GetHostIPAddressList` | the addresses of this machine |
//! | [`Tcp`], [`Udp`] | `SOCK` | sockets |
//! | [`proxy`] | Proxy.c | HTTP CONNECT, SOCKS4, SOCKS5, over any stream |
//! | [`connect`] | `ConnectEx4` | all of that together |
//!
//! Not here: TLS ([`crate::tls`], over any of these streams), listening, and R-UDP ([`crate::rudp`]), the C's TCP over UDP.

pub mod address;
mod cancel;
pub mod host;
pub mod netbios;
pub mod proxy;
mod resolve;
mod tcp;
mod udp;
mod wait;

pub use cancel::Cancel;
pub(crate) use cancel::Wake;
pub use resolve::{ADDRESSES_MAX, LOOKUPS_MAX, ResolveError, host_name, resolve};
pub use tcp::Tcp;
pub(crate) use udp::enlarge_buffers;
pub use udp::{UDP_MAX_BUFFER_SIZE, Udp};

use proxy::{Proxy, ProxyError, Target};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// For how long something may be tried, and what ends it before (C: `timeout` and `cancel_flag`).
#[derive(Clone, Debug)]
pub struct Limit {
    /// For how long; `None`: for ever.
    pub timeout: Option<Duration>,
    /// What ends it before.
    pub cancel: Cancel,
}

impl Limit {
    /// For so long, and nobody cancels.
    #[must_use]
    pub fn of(timeout: Duration) -> Self {
        Self { timeout: Some(timeout), cancel: Cancel::new() }
    }

    /// The time at which it is over.
    pub(crate) fn end(&self) -> Option<Instant> {
        // A time too far away to be counted is never.
        self.timeout.and_then(|timeout| Instant::now().checked_add(timeout))
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name has no address.
    #[error("{name}: {error}")]
    Resolve {
        /// The name.
        name: String,
        /// Why not.
        error: ResolveError,
    },
    /// No address answered; the last one's error.
    #[error("{address}: {error}")]
    Connect {
        /// The address.
        address: SocketAddr,
        /// What it said, or that it said nothing.
        error: io::Error,
    },
    /// The proxy refused or failed.
    #[error("the proxy: {0}")]
    Proxy(#[from] ProxyError),
}

/// A proxy and where it is (C: `PROXY_PARAM_IN`).
#[derive(Clone, Debug)]
pub struct ProxyServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What it speaks.
    pub proxy: Proxy,
}

/// Connects to a server, through a proxy if there is one, within `limit` in all (C: `ConnectEx4` without R-UDP,
/// `ConnectTimeoutIPv4`, `connect_timeout`, `Connect`, `ConnectEx`, `ConnectEx2`, `ConnectEx3`, Mayaqua/Network.c, which tries the first
/// address of IPv4 and then of IPv6 for the whole time each). Addresses are tried in the system's order, each for its share of
/// the time that is left.
///
/// # Errors
///
/// What failed last.
pub fn connect(host: &str, port: u16, proxy: Option<&ProxyServer>, limit: &Limit) -> Result<Tcp, ConnectError> {
    let end = limit.end();
    let (first, first_port) = proxy.map_or((host, port), |server| (server.host.as_str(), server.port));
    let mut tcp = connect_direct(first, first_port, end, &limit.cancel)?;
    let Some(server) = proxy else { return Ok(tcp) };
    let mut target = Target { host: host.to_owned(), port };
    if matches!(server.proxy, Proxy::Socks4 { .. }) {
        // SOCKS4 knows no names.
        let addresses = addresses(host, end, &limit.cancel)?;
        if let Some(address) = addresses.iter().find(|address| address.is_ipv4()) {
            target.host = address.to_string();
        }
    }
    tcp.set_end(end);
    server.proxy.connect(&mut tcp, &target)?;
    tcp.set_end(None);
    Ok(tcp)
}

fn addresses(host: &str, end: Option<Instant>, cancel: &Cancel) -> Result<Vec<IpAddr>, ConnectError> {
    let limit = Limit { timeout: left(end), cancel: cancel.clone() };
    resolve(host, &limit).map_err(|error| ConnectError::Resolve { name: host.to_owned(), error })
}

fn connect_direct(host: &str, port: u16, end: Option<Instant>, cancel: &Cancel) -> Result<Tcp, ConnectError> {
    let addresses = addresses(host, end, cancel)?;
    let mut last = ConnectError::Resolve { name: host.to_owned(), error: ResolveError::NotFound };
    for (tried, address) in addresses.iter().enumerate() {
        let address = SocketAddr::new(*address, port);
        let shares = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let limit = Limit { timeout: left(end).map(|left| left / shares), cancel: cancel.clone() };
        match Tcp::connect(address, &limit) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = ConnectError::Connect { address, error },
        }
        if cancel.is_cancelled() {
            break;
        }
    }
    Err(last)
}

/// How much is left until `end`.
fn left(end: Option<Instant>) -> Option<Duration> {
    end.map(|end| end.saturating_duration_since(Instant::now()))
}

#[cfg(test)]
mod tests;
