//! The addresses of this machine (C: `GetHostIPAddressList`, Mayaqua/Network.c), by the crate `if-addrs`.

use super::address::is_in_same_network4_standard;
use crate::buffer::Buf;
use crate::crypto::sha1;
use std::cmp::Ordering;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address with the number of the interface that a link-local one is of, 0 for none (C: `IP` with `ipv6_scope_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostAddress {
    /// The address.
    pub address: IpAddr,
    /// The interface's number.
    pub scope: u32,
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            0 => self.address.fmt(f),
            scope => write!(f, "{}%{scope}", self.address),
        }
    }
}

impl Ord for HostAddress {
    /// Of IPv4 before IPv6; in each, the unspecified one last and loopback before it (C: `CmpIpAddressList`,
    /// Mayaqua/Network.c).
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |of: &Self| {
            (of.address.is_ipv6(), of.address.is_unspecified(), of.address.is_loopback(), of.address, of.scope)
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for HostAddress {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The addresses of this machine, the unspecified and the loopback ones included, each once and in order (C:
/// `GetHostIPAddressListInternal`, `GetHostIPAddressList`, `AddHostIPAddressToList`, Mayaqua/Network.c, which keeps the answer
/// for five seconds).
///
/// # Errors
///
/// What the system says.
pub fn host_addresses() -> io::Result<Vec<HostAddress>> {
    let mut known: Vec<IpAddr> = vec![Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into()];
    if is_ipv6_supported() {
        known.extend([IpAddr::from(Ipv6Addr::UNSPECIFIED), Ipv6Addr::LOCALHOST.into()]);
    }
    let known = known.into_iter().map(|address| HostAddress { address, scope: 0 });
    let interfaces = if_addrs::get_if_addrs()?.into_iter().map(|interface| {
        let is_link_local = matches!(interface.ip(), IpAddr::V6(address) if address.is_unicast_link_local());
        let scope = interface.index.filter(|_| is_link_local).unwrap_or(0);
        HostAddress { address: interface.ip(), scope }
    });
    let mut addresses: Vec<HostAddress> = known.chain(interfaces).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

/// A number that changes with the machine's addresses (C: `GetHostIPAddressListHash`, Mayaqua/Network.c).
#[must_use]
pub fn host_addresses_hash(addresses: &[HostAddress]) -> u64 {
    let mut text = Buf::new();
    let written = addresses.iter().try_for_each(|address| text.write_str(address.to_string().as_bytes()));
    // A machine has no 4 GiB of addresses, and the hash is of what there is.
    let _ = written.and_then(|()| text.write_str(b"test"));
    let [a, b, c, d, e, f, g, h, ..] = sha1(text.data());
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Whether an address is loopback or one of `addresses` (C: `IsIPLocalHostOrMySelf`, Mayaqua/Network.c).
#[must_use]
pub fn is_local_host_or_myself(address: IpAddr, addresses: &[HostAddress]) -> bool {
    address.is_loopback() || addresses.iter().any(|own| own.address == address)
}

/// Whether an address is of the same /16 as one of `addresses` that is not loopback (C: `IsIPAddressInSameLocalNetwork`,
/// Mayaqua/Network.c).
#[must_use]
pub fn is_in_same_local_network(address: Ipv4Addr, addresses: &[HostAddress]) -> bool {
    addresses.iter().any(|own| match own.address {
        IpAddr::V4(own) => !own.is_unspecified() && !own.is_loopback() && is_in_same_network4_standard(own, address),
        IpAddr::V6(_) => false,
    })
}

/// Whether the system has IPv6 (C: `IsIPv6Supported`, Mayaqua/Network.c).
#[must_use]
pub fn is_ipv6_supported() -> bool {
    socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).is_ok()
}
