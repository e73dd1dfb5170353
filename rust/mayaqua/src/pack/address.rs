//! Addresses in a PACK: four elements each (C: `PackAddIpEx2`, `PackGetIpEx`, Mayaqua/Pack.c).
//!
//! | element | holds |
//! | --- | --- |
//! | `name` | INT: an IPv4 address with its first byte lowest; 192.0.2.254 where it is IPv6 |
//! | `name@ipv6_bool` | INT: 1 if it is IPv6 |
//! | `name@ipv6_array` | DATA: the 16 bytes, zeros if it is IPv4 |
//! | `name@ipv6_scope_id` | INT: the scope, 0 if it is IPv4 |

use super::{Error, Pack, cut_name};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What stands for IPv6 in the place of an IPv4 address (C: `SetIP6` and `IsIP6`, Mayaqua/Network.c).
const IPV6_MARK: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);

/// An address as SoftEther keeps it (C: `IP`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// The address.
    pub address: IpAddr,
    /// The scope of an IPv6 address, else 0 (C: `IP.ipv6_scope_id`).
    pub scope_id: u32,
}

impl From<IpAddr> for Ip {
    fn from(address: IpAddr) -> Self {
        Self { address, scope_id: 0 }
    }
}

impl Pack {
    /// Adds an address (C: `PackAddIp` and `PackAddIp32`, Mayaqua/Pack.c).
    ///
    /// # Errors
    ///
    /// As [`Pack::add_ip_ex`].
    pub fn add_ip(&mut self, name: &str, ip: Ip) -> Result<(), Error> {
        self.add_ip_ex(name, ip, 0, 1)
    }

    /// Adds the address at `index` of `total` (C: `PackAddIpEx` and `PackAddIp32Ex`, Mayaqua/Pack.c). The names that are
    /// made of `name` are cut where they are too long, as in the C.
    ///
    /// # Errors
    ///
    /// As [`Pack::add_int_ex`]; some of the four elements may be there then.
    pub fn add_ip_ex(&mut self, name: &str, ip: Ip, index: usize, total: usize) -> Result<(), Error> {
        let (ipv4, ipv6, scope_id) = match ip.address {
            IpAddr::V4(address) => (address, [0; 16], 0),
            IpAddr::V6(address) => (IPV6_MARK, address.octets(), ip.scope_id),
        };
        self.add_bool_ex(&part(name, "bool"), ip.address.is_ipv6(), index, total)?;
        self.add_data_ex(&part(name, "array"), &ipv6, index, total)?;
        self.add_int_ex(&part(name, "scope_id"), scope_id, index, total)?;
        self.add_int_ex(name, u32::from_le_bytes(ipv4.octets()), index, total)
    }

    /// An address (C: `PackGetIp` and `PackGetIp32`, Mayaqua/Pack.c).
    #[must_use]
    pub fn get_ip(&self, name: &str) -> Option<Ip> {
        self.get_ip_ex(name, 0)
    }

    /// The address at `index` (C: `PackGetIpEx` and `PackGetIp32Ex`, Mayaqua/Pack.c): `None` if there is no element for
    /// it; one that is incomplete has zeros, as in the C.
    #[must_use]
    pub fn get_ip_ex(&self, name: &str, index: usize) -> Option<Ip> {
        if self.get_bool_ex(&part(name, "bool"), index) {
            let bytes = self.get_data_ex(&part(name, "array"), index);
            let bytes: [u8; 16] = bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
            let scope_id = self.get_int_ex(&part(name, "scope_id"), index);
            return Some(Ip { address: Ipv6Addr::from(bytes).into(), scope_id });
        }
        self.element(name).filter(|element| element.value_type() == super::ValueType::Int)?;
        let address = Ipv4Addr::from(self.get_int_ex(name, index).to_le_bytes());
        Some(IpAddr::V4(address).into())
    }

    /// Adds the 16 bytes of an IPv6 address (C: `PackAddIp6Addr`, Mayaqua/Pack.c).
    ///
    /// # Errors
    ///
    /// As [`Pack::add_data`].
    pub fn add_ip6_addr(&mut self, name: &str, address: Ipv6Addr) -> Result<(), Error> {
        self.add_data_ex(name, &address.octets(), 0, 1)
    }

    /// An IPv6 address of 16 bytes (C: `PackGetIp6Addr`, Mayaqua/Pack.c).
    #[must_use]
    pub fn get_ip6_addr(&self, name: &str) -> Option<Ipv6Addr> {
        let bytes: [u8; 16] = self.get_data(name)?.try_into().ok()?;
        Some(bytes.into())
    }
}

/// The name of one of the parts. One that is cut inside a character is no name of anything.
fn part(name: &str, part: &str) -> String {
    String::from_utf8_lossy(cut_name(format!("{name}@ipv6_{part}").as_bytes())).into_owned()
}
