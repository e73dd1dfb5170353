//! Masks and networks of addresses (C: `IP`, Mayaqua/Network.c). The addresses themselves, their text, loopback, zero and
//! multicast are `std::net`'s.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The mask of so many bits from the left; `None` above 32 (C: `IntToSubnetMask4`, `IntToSubnetMask32`, Mayaqua/Network.c).
#[must_use]
pub fn int_to_subnet_mask4(bits: u32) -> Option<Ipv4Addr> {
    let mask = u32::MAX.checked_shl(32u32.checked_sub(bits)?).unwrap_or(0);
    Some(Ipv4Addr::from_bits(mask))
}

/// The mask of so many bits from the left; `None` above 128 (C: `IntToSubnetMask6`, Mayaqua/Network.c).
#[must_use]
pub fn int_to_subnet_mask6(bits: u32) -> Option<Ipv6Addr> {
    let mask = u128::MAX.checked_shl(128u32.checked_sub(bits)?).unwrap_or(0);
    Some(Ipv6Addr::from_bits(mask))
}

/// The number of bits of a mask; `None` if ones stand behind zeros (C: `SubnetMaskToInt`, `SubnetMaskToInt4`, `SubnetMaskToInt6`,
/// Mayaqua/Network.c, and, as a question, `IsSubnetMask`, `IsSubnetMask4`, `IsSubnetMask32`, `IsSubnetMask6`).
#[must_use]
pub fn subnet_mask_to_int(mask: IpAddr) -> Option<u32> {
    let (ones, zeros, width) = match mask {
        IpAddr::V4(mask) => (mask.to_bits().leading_ones(), mask.to_bits().trailing_zeros(), 32),
        IpAddr::V6(mask) => (mask.to_bits().leading_ones(), mask.to_bits().trailing_zeros(), 128),
    };
    (ones + zeros == width).then_some(ones)
}

/// The network of an address: the bits under the mask; `None` for one of IPv4 and one of IPv6 (C: `IPAnd4`, `IPAnd6`,
/// `GetPrefixAddress6`, Mayaqua/Network.c).
#[must_use]
pub fn ip_and(address: IpAddr, mask: IpAddr) -> Option<IpAddr> {
    match (address, mask) {
        (IpAddr::V4(address), IpAddr::V4(mask)) => Some((address & mask).into()),
        (IpAddr::V6(address), IpAddr::V6(mask)) => Some((address & mask).into()),
        _ => None,
    }
}

/// Whether two addresses are of the same network (C: `IsInSameNetwork4`, `IsInSameNetwork6`, Mayaqua/Network.c).
#[must_use]
pub fn is_in_same_network(a: IpAddr, b: IpAddr, mask: IpAddr) -> bool {
    ip_and(a, mask).is_some_and(|network| ip_and(b, mask) == Some(network))
}

/// The same with the mask 255.255.0.0 (C: `IsInSameNetwork4Standard`, Mayaqua/Network.c).
#[must_use]
pub fn is_in_same_network4_standard(a: Ipv4Addr, b: Ipv4Addr) -> bool {
    is_in_same_network(a.into(), b.into(), Ipv4Addr::new(255, 255, 0, 0).into())
}

/// Whether an address is private (C: `IsIPPrivate`, Mayaqua/Network.c; its file of further networks is
/// [`PrivateNetworks`]): 10/8, 172.16/12,
/// 192.168/16, link-local and 100.64/10; of IPv6, what is not global.
#[must_use]
pub const fn is_ip_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            address.is_private() || address.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(address) => address.is_unicast_link_local() || address.is_unique_local() || address.is_loopback(),
    }
}

/// An address and its mask from `192.168.0.0/24`, `192.168.0.0/255.255.255.0` or `2001:db8::/32` (C: `ParseIpAndMask46`,
/// Mayaqua/Network.c, and with the same check of the mask as here `ParseIpAndSubnetMask4` and `ParseIpAndSubnetMask46`).
#[must_use]
pub fn parse_ip_and_mask(text: &str) -> Option<(IpAddr, IpAddr)> {
    let (address, mask) = text.split_once('/')?;
    let (address, mask): (IpAddr, &str) = (address.trim().parse().ok()?, mask.trim());
    let mask: IpAddr = match mask.bytes().all(|byte| byte.is_ascii_digit()) {
        true if address.is_ipv4() => int_to_subnet_mask4(mask.parse().ok()?)?.into(),
        true => int_to_subnet_mask6(mask.parse().ok()?)?.into(),
        false => mask.parse().ok()?,
    };
    let fits = address.is_ipv4() == mask.is_ipv4() && subnet_mask_to_int(mask).is_some();
    fits.then_some((address, mask))
}

/// Most networks that [`PrivateNetworks::read`] takes.
pub const PRIVATE_NETWORKS_MAX: usize = 4096;

/// Further networks of IPv4 that count as private, which whoever runs a machine may name in a file (C: `PRIVATE_IP_SUBNET`, and
/// the file `$private_ip.txt` beside the program).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateNetworks(Vec<(Ipv4Addr, Ipv4Addr)>);

impl PrivateNetworks {
    /// The networks of a file's text: one a line, as [`parse_ip_and_mask`] reads it; lines that are none are passed over, and
    /// so is what follows [`PRIVATE_NETWORKS_MAX`] (C: `LoadPrivateIPFile`, Mayaqua/Network.c, without a limit).
    #[must_use]
    pub fn read(text: &str) -> Self {
        let network = |line: &str| match parse_ip_and_mask(line) {
            Some((IpAddr::V4(address), IpAddr::V4(mask))) => Some((address & mask, mask)),
            _ => None,
        };
        Self(text.split(['\n', '\r']).filter_map(network).take(PRIVATE_NETWORKS_MAX).collect())
    }

    /// Whether an address is of one of them (C: `IsOnPrivateIPFile`, Mayaqua/Network.c).
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.0.iter().any(|(network, mask)| address & *mask == *network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn masks_and_their_bits() {
        for bits in 0..=32 {
            let mask = int_to_subnet_mask4(bits).expect("up to 32 bits");
            assert_eq!((mask.to_bits().count_ones(), subnet_mask_to_int(mask.into())), (bits, Some(bits)));
        }
        for bits in 0..=128 {
            let mask = int_to_subnet_mask6(bits).expect("up to 128 bits");
            assert_eq!((mask.to_bits().count_ones(), subnet_mask_to_int(mask.into())), (bits, Some(bits)));
        }
        assert_eq!((int_to_subnet_mask4(33), int_to_subnet_mask6(129)), (None, None));
        assert_eq!((int_to_subnet_mask4(u32::MAX), int_to_subnet_mask6(u32::MAX)), (None, None));
        for wrong in ["255.0.255.0", "0.0.0.1", "::1", "ffff:0:1::"] {
            assert_eq!(subnet_mask_to_int(ip(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn networks() {
        let mask = ip("255.255.240.0");
        assert_eq!(ip_and(ip("10.1.31.9"), mask), Some(ip("10.1.16.0")));
        assert!(is_in_same_network(ip("10.1.16.1"), ip("10.1.31.254"), mask));
        assert!(!is_in_same_network(ip("10.1.16.1"), ip("10.1.32.1"), mask));
        assert!(!is_in_same_network(ip("10.1.16.1"), ip("::1"), mask), "of different families");
        assert!(is_in_same_network4_standard(Ipv4Addr::new(10, 1, 16, 1), Ipv4Addr::new(10, 1, 255, 2)));
        assert!(!is_in_same_network4_standard(Ipv4Addr::new(10, 1, 16, 1), Ipv4Addr::new(10, 2, 16, 1)));
        assert!(is_in_same_network(ip("2001:db8::1"), ip("2001:db8::2"), ip("ffff:ffff::")));
        for private in
            ["10.0.0.0", "172.31.255.255", "192.168.1.1", "169.254.0.1", "100.127.255.255", "fe80::1", "fd00::1"]
        {
            assert!(is_ip_private(ip(private)), "{private}");
        }
        for public in ["9.255.255.255", "172.32.0.0", "100.128.0.0", "100.63.255.255", "8.8.8.8", "2001:db8::1"] {
            assert!(!is_ip_private(ip(public)), "{public}");
        }
    }

    #[test]
    fn addresses_with_masks() {
        let parsed = |text| parse_ip_and_mask(text);
        assert_eq!(parsed("192.168.0.0/24"), Some((ip("192.168.0.0"), ip("255.255.255.0"))));
        assert_eq!(parsed(" 10.0.0.1 / 255.0.0.0 "), Some((ip("10.0.0.1"), ip("255.0.0.0"))));
        assert_eq!(parsed("10.0.0.1/32"), Some((ip("10.0.0.1"), ip("255.255.255.255"))));
        assert_eq!(parsed("2001:db8::/32"), Some((ip("2001:db8::"), ip("ffff:ffff::"))));
        let wrong = [
            "",
            "/",
            "10.0.0.1",
            "1.2.3.4/",
            "1.2.3.4/33",
            "::/129",
            "1.2.3.4/-1",
            "1.2.3.4/99999999999",
            "1.2.3.4/255.0.255.0",
        ];
        for wrong in wrong.into_iter().chain(["1.2.3.4/ffff::", "::/255.0.0.0", "1.2.3/8", "a/8", "1.2.3.4/8/8"]) {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn private_networks_of_a_file() {
        let text = "# a comment\r\n203.0.113.0/24\n 198.51.100.77/255.255.255.240 \n\nnonsense\n2001:db8::/32\n";
        let networks = PrivateNetworks::read(text);
        assert_eq!(networks.0.len(), 2);
        for inside in ["203.0.113.0", "203.0.113.255", "198.51.100.64", "198.51.100.79"] {
            assert!(networks.contains(inside.parse().expect("an address")), "{inside}");
        }
        for outside in ["203.0.112.255", "203.0.114.0", "198.51.100.63", "198.51.100.80", "10.0.0.1"] {
            assert!(!networks.contains(outside.parse().expect("an address")), "{outside}");
        }
        assert!(!PrivateNetworks::default().contains(Ipv4Addr::LOCALHOST));
        let many = "10.0.0.0/8\n".repeat(PRIVATE_NETWORKS_MAX + 1);
        assert_eq!(PrivateNetworks::read(&many).0.len(), PRIVATE_NETWORKS_MAX);
    }
}
