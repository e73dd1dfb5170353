//! From one text to one typed value: server, interface name, address, MAC, fingerprint, swap modes.
//! Knows neither files nor options; the caller adds the place.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use crate::error::Wrong;

/// IFNAMSIZ without the NUL.
pub const INTERFACE_NAME_BYTES_MAX: usize = 15;

/// MAX_HUBNAME_LEN and MAX_USERNAME_LEN of Cedar/Cedar.h, MAX_HOST_NAME_LEN of Mayaqua/Network.h.
pub const NAME_BYTES_MAX: usize = 255;

/// A host with the port that was written beside it, if one was.
pub fn server(text: &str) -> Result<(String, Option<u16>), Wrong> {
    let (host, port) = split_port(text)?;
    let port = port.map(server_port).transpose()?;
    if !is_host(host) {
        return Err(Wrong::new(
            format!("{text:?} is not a server"),
            "write a host name, an IPv4 address or [an IPv6 address], such as \"vpn.example.net:443\" \
             (a name outside ASCII in its xn-- form)",
        ));
    }
    Ok((host.to_owned(), port))
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), Wrong> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(|| {
            Wrong::new(format!("{text:?} has no closing bracket"), "write [IPv6]:port, such as \"[2001:db8::1]:443\"")
        })?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(Wrong::new(format!("{host:?} is not an IPv6 address"), "brackets are for IPv6 addresses only"));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(Wrong::new(format!("{after:?} follows the bracket"), "write [IPv6]:port")),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    Ok(text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))))
}

fn server_port(text: &str) -> Result<u16, Wrong> {
    text.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(|| {
        Wrong::new(format!("{text:?} is not a port"), "write a whole number from 1 to 65535 after the colon")
    })
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    host.parse::<IpAddr>().is_ok() || (name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label))
}

/// An address and port of this machine's loopback.
pub fn loopback(text: &str) -> Result<SocketAddr, Wrong> {
    let address = text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    let address = address.ok_or_else(|| {
        Wrong::new(format!("{text:?} is not an address with a port"), "write ADDR:PORT, such as \"127.0.0.1:9469\"")
    })?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(Wrong::new(
        format!("{text:?} is not on this machine's loopback"),
        "write 127.0.0.1:PORT or [::1]:PORT; let a collector on this machine carry metrics further",
    ))
}

/// A hub or user name: what the C's buffers hold, without control characters.
pub fn name(text: &str) -> Result<String, Wrong> {
    let problem = if text.is_empty() {
        "is empty"
    } else if text.len() > NAME_BYTES_MAX {
        "is longer than SoftEther's 255 bytes"
    } else if text.chars().any(char::is_control) {
        "has a control character in it"
    } else {
        return Ok(text.to_owned());
    };
    Err(Wrong::new(format!("the name {problem}"), "write the name as the server's administrator gave it"))
}

/// A name that the Linux kernel accepts for an interface (`dev_valid_name`), without `%`, which
/// the TAP driver would replace by a number.
pub fn interface_name(text: &str) -> Result<String, Wrong> {
    let problem = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > INTERFACE_NAME_BYTES_MAX {
        format!("{text:?} has {} bytes", text.len())
    } else if text == "." || text == ".." {
        format!("{text:?} is not a name")
    } else if let Some(bad) = text.chars().find(|c| !c.is_ascii_graphic() || "/:%".contains(*c)) {
        format!("{text:?} has {bad:?} in it")
    } else {
        return Ok(text.to_owned());
    };
    Err(Wrong::new(
        format!("the interface name {problem}"),
        "use 1 to 15 letters, digits, '-', '_' or '.', such as \"cut0\"",
    ))
}

/// An address with its prefix length.
pub fn address(text: &str) -> Result<IpNet, Wrong> {
    let bad = |problem: &str| {
        Wrong::new(
            format!("{text:?} {problem}"),
            "write an address with its prefix length, such as \"10.78.0.2/24\" or \"fd00::2/64\"",
        )
    };
    let net: IpNet = text.parse().map_err(|_| {
        let bare = text.parse::<IpAddr>().is_ok();
        bad(if bare { "has no prefix length" } else { "is not an address with a prefix length" })
    })?;
    let address = net.addr();
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        return Err(bad("is no address for an interface"));
    }
    let is_v4_subnet = matches!(net, IpNet::V4(_)) && net.prefix_len() < 31;
    if is_v4_subnet && (address == net.network() || address == net.broadcast()) {
        return Err(bad("is the subnet's own network or broadcast address"));
    }
    Ok(net)
}

/// A unicast Ethernet address in six hexadecimal pairs.
pub fn mac(text: &str) -> Result<[u8; 6], Wrong> {
    let bad = |problem: &str| {
        Wrong::new(format!("{text:?} {problem}"), "write six hexadecimal pairs, such as \"5e:00:00:12:34:56\"")
    };
    let mut mac = [0; 6];
    let separator = if text.contains('-') { '-' } else { ':' };
    let is_paired = text.split(separator).all(|pair| pair.len() == 2);
    let digits: String = text.split(separator).collect();
    if !is_paired || hex::decode_to_slice(digits, &mut mac).is_err() {
        return Err(bad("is not an Ethernet address"));
    }
    let [first, ..] = mac;
    if first & 1 != 0 || mac == [0; 6] {
        return Err(bad("is not an address that one interface can have"));
    }
    Ok(mac)
}

/// A certificate's SHA-256 as `sha256:HEX`; colons between the pairs are allowed, as OpenSSL
/// prints them.
pub fn pin(text: &str) -> Result<[u8; 32], Wrong> {
    let bad = |problem: &str| {
        Wrong::new(
            format!("the fingerprint {problem}"),
            "write sha256: and 64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256` prints them",
        )
    };
    let digits = text.strip_prefix("sha256:").ok_or_else(|| bad("does not begin with sha256:"))?;
    let digits = digits.replace(':', "");
    let mut pin = [0; 32];
    hex::decode_to_slice(&digits, &mut pin)
        .map_err(|_| bad(&format!("is not 64 hexadecimal digits long ({} characters)", digits.chars().count())))?;
    Ok(pin)
}

/// One entry of `[swaps]` in the form `pattern=mode`. Whether such a swap exists is not asked here.
pub fn swap_mode(pattern: &str, mode: &str) -> Result<String, Wrong> {
    let is_pattern_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'*';
    if pattern.is_empty() || !pattern.bytes().all(is_pattern_byte) {
        return Err(Wrong::new(
            format!("{pattern:?} is no swap"),
            "write a swap's name, a group's name or \"*\"; `cutover swaps` lists them",
        ));
    }
    let (side, percent) = mode.split_once('@').map_or((mode, None), |(side, rest)| (side, Some(rest)));
    let is_percent = |text: &str| text.strip_suffix('%').and_then(|n| n.parse::<u8>().ok()).is_some_and(|n| n <= 100);
    let is_mode = match side {
        "c" => percent.is_none(),
        "shadow" | "rust" => percent.is_none_or(is_percent),
        _ => false,
    };
    if !is_mode {
        return Err(Wrong::new(
            format!("{pattern:?} has the mode {mode:?}"),
            "write \"c\", \"shadow\" or \"rust\", the last two with a share if you like: \"rust@10%\"",
        ));
    }
    Ok(format!("{pattern}={mode}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        let parsed = |text| server(text).map(|(host, port)| (host.to_string(), port)).ok();
        for (text, host, port) in [
            ("vpn.example.net", "vpn.example.net", None),
            ("vpn.example.net:992", "vpn.example.net", Some(992)),
            ("10.0.0.1:5555", "10.0.0.1", Some(5555)),
            ("[2001:db8::1]:443", "2001:db8::1", Some(443)),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("2001:db8::1", "2001:db8::1", None),
            ("localhost.", "localhost.", None),
        ] {
            assert_eq!(parsed(text), Some((host.to_owned(), port)), "{text}");
        }
        let long = "a.".repeat(128) + "a";
        for text in [
            "",
            ":443",
            "host:",
            "host:0",
            "host:65536",
            "host:4x3",
            "a b",
            "a..b",
            "-:1:2",
            "[::1",
            "[host]:1",
            "[::1]443",
            "vpn.exämple",
            "http://vpn",
            &long,
            "a\0b",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn interface_names() {
        for text in ["cut0", "a", "fifteen_bytes_x", "tap-1.2"] {
            assert_eq!(interface_name(text).as_deref(), Ok(text));
        }
        for text in ["", ".", "..", "sixteen_bytes_xx", "a b", "a/b", "a:b", "tap%d", "täp", "a\0", "a\n"] {
            assert!(interface_name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn addresses() {
        for text in ["10.78.0.2/24", "10.78.0.2/32", "10.0.0.0/31", "fd00::2/64", "fd00::/127"] {
            assert!(address(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "10.78.0.2",
            "10.78.0.2/33",
            "10.78.0.2/-1",
            "10.78.0/24",
            "10.78.0.0/24",
            "10.78.0.255/24",
            "0.0.0.0/0",
            "127.0.0.1/8",
            "224.0.0.1/4",
            "fd00::2/129",
            "::/0",
            "ff02::1/64",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ethernet_addresses() {
        assert_eq!(mac("5e:00:00:12:34:56"), Ok([0x5e, 0, 0, 0x12, 0x34, 0x56]));
        assert_eq!(mac("5E-00-00-12-34-56"), Ok([0x5e, 0, 0, 0x12, 0x34, 0x56]));
        for text in [
            "",
            "5e:00:00:12:34",
            "5e:00:00:12:34:56:78",
            "5e0000123456",
            "5e:0:00:12:34:56",
            "01:00:00:12:34:56",
            "00:00:00:00:00:00",
            "5e:00:00:12:34:5g",
            "5e:00-00:12-34:56",
            "é:00:00:12:34:56",
        ] {
            assert!(mac(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fingerprints() {
        let digits = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(pin(&format!("sha256:{digits}")), Ok([0xab; 32]));
        assert_eq!(pin(&format!("sha256:{colons}")), Ok([0xab; 32]));
        for text in
            ["", "sha256:", &digits, "sha1:abcd", &format!("sha256:{digits}0"), &format!("sha256:{}x", &digits[..63])]
        {
            assert!(pin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn swap_modes() {
        for (pattern, mode) in [
            ("new_block", "shadow"),
            ("*", "rust"),
            ("framing", "c"),
            ("read_*", "rust@10%"),
            ("a", "shadow@0%"),
            ("a", "rust@100%"),
        ] {
            assert_eq!(swap_mode(pattern, mode), Ok(format!("{pattern}={mode}")));
        }
        for (pattern, mode) in [
            ("", "c"),
            ("a=b", "c"),
            ("a,b", "c"),
            ("a b", "c"),
            ("a", ""),
            ("a", "Rust"),
            ("a", "rust@"),
            ("a", "c@10%"),
            ("a", "rust@10"),
            ("a", "rust@101%"),
            ("a", "rust@-1%"),
            ("a", "rust,b=c"),
        ] {
            assert!(swap_mode(pattern, mode).is_err(), "{pattern}={mode}");
        }
    }
}
