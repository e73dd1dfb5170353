//! The registry of configuration keys: one row per key, from which the file reader, the command
//! line options, their help and the did-you-mean are derived. Holds no values.

/// What a key's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A string that names a file; relative to the configuration file's folder, or, as an option,
    /// to the working directory.
    File,
    /// `true` or `false`.
    Flag,
    /// A whole number in a range.
    Number {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A string or a list of strings.
    List,
    /// A table of `"pattern" = "mode"`; as an option, `pattern=mode,pattern=mode`.
    Modes,
}

/// One configuration key.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Path in the file, such as `tls.ca_file`.
    pub path: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// Stands for the value in the help.
    pub placeholder: &'static str,
    /// What it does and what holds without it.
    pub help: &'static str,
}

impl Key {
    /// The option's name without the dashes: `tls.ca_file` is `tls-ca-file`.
    pub fn option(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// The table the key stands in; empty for the top level.
    pub fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }
}

const FLAG: &str = "true|false";
const SECONDS: &str = "SECONDS";

const fn key(path: &'static str, kind: Kind, placeholder: &'static str, help: &'static str) -> Key {
    Key { path, kind, placeholder, help }
}

/// Every key of a configuration file, in the order of the help.
pub static KEYS: &[Key] = &[
    key("server", Kind::Text, "HOST[:PORT]", "The VPN server: host, host:port or [IPv6]:port"),
    key(
        "port",
        Kind::Number { min: 1, max: 65_535 },
        "PORT",
        "The server's port, if not given with the host [default: 443]",
    ),
    key("hub", Kind::Text, "HUB", "The virtual hub on the server [default: DEFAULT]"),
    key(
        "auth.type",
        Kind::Choice(&["password", "plain", "anonymous", "certificate"]),
        "TYPE",
        "password (SoftEther's hashed challenge), plain (the password itself, for RADIUS and Active Directory), anonymous or certificate [default: password]",
    ),
    key("auth.user", Kind::Text, "USER", "The user name on the hub"),
    key(
        "auth.password_file",
        Kind::File,
        "FILE",
        "Read the password from this file; only you or root may be able to read it",
    ),
    key("auth.password_stdin", Kind::Flag, FLAG, "Read the password from standard input, one line"),
    key(
        "auth.password_credential",
        Kind::Text,
        "NAME",
        "Read the password from $CREDENTIALS_DIRECTORY/NAME (systemd's LoadCredential=)",
    ),
    key("auth.certificate_file", Kind::File, "FILE", "The user's certificate (PEM), for auth.type = \"certificate\""),
    key(
        "auth.key_file",
        Kind::File,
        "FILE",
        "The certificate's private key (PEM); only you or root may be able to read it",
    ),
    key(
        "tls.verify",
        Kind::Flag,
        FLAG,
        "Check the server's certificate; false accepts any server, also an impostor [default: true]",
    ),
    key("tls.ca_file", Kind::File, "FILE", "Trust these certificates (PEM) instead of the system's roots"),
    key(
        "tls.pin",
        Kind::Text,
        "sha256:HEX",
        "Accept exactly the certificate with this SHA-256 fingerprint, whoever signed it",
    ),
    key(
        "transport.connections",
        Kind::Number { min: 1, max: 32 },
        "N",
        "How many TCP connections carry the session [default: 1]",
    ),
    key(
        "transport.half_duplex",
        Kind::Flag,
        FLAG,
        "Each TCP connection only sends or only receives; needs 2 connections or more [default: false]",
    ),
    key(
        "transport.encrypt",
        Kind::Flag,
        FLAG,
        "Encrypt the data phase; false sends the frames in the clear after login [default: true]",
    ),
    key("transport.compress", Kind::Flag, FLAG, "Compress every frame with zlib [default: false]"),
    key("transport.udp_acceleration", Kind::Flag, FLAG, "Let frames go by UDP when that works [default: true]"),
    key(
        "transport.qos",
        Kind::Flag,
        FLAG,
        "Keep a TCP connection apart for urgent packets; takes 2 connections, 4 with half_duplex [default: true when there are as many]",
    ),
    key(
        "reconnect.enabled",
        Kind::Flag,
        FLAG,
        "Connect again when the connection is lost or the server is unreachable [default: true]",
    ),
    key(
        "reconnect.interval",
        Kind::Number { min: 1, max: 3600 },
        SECONDS,
        "Wait this long before the first new attempt; doubles with every failure, with jitter [default: 1]",
    ),
    key("reconnect.max", Kind::Number { min: 1, max: 86_400 }, SECONDS, "Never wait longer than this [default: 60]"),
    key("interface.name", Kind::Text, "NAME", "The TAP interface to make, up to 15 bytes [default: cut0]"),
    key(
        "interface.address",
        Kind::List,
        "ADDR/PREFIX",
        "Addresses for the interface, such as 10.78.0.2/24; none if absent",
    ),
    key(
        "interface.mac",
        Kind::Text,
        "MAC",
        "The interface's Ethernet address [default: made of this machine and this connection, always the same]",
    ),
    key("interface.mtu", Kind::Number { min: 576, max: 1500 }, "BYTES", "The interface's MTU [default: 1500]"),
    key("interface.persistent", Kind::Flag, FLAG, "Leave the interface in place when the client ends [default: false]"),
    key(
        "control.enabled",
        Kind::Flag,
        FLAG,
        "Have a control socket and metrics, watch the swaps, and keep modes and demotions over restarts [default: true]",
    ),
    key(
        "metrics.listen",
        Kind::Text,
        "ADDR:PORT",
        "Serve metrics over HTTP on this loopback address, too, such as 127.0.0.1:9469 [default: on the Unix socket only]",
    ),
    key(
        "swaps",
        Kind::Modes,
        "PATTERN=MODE,…",
        "Which implementation runs, per function: c, shadow or rust, with a share if you like (rust@10%)",
    ),
];

/// The row of `path`.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The key a person probably meant by `path`: the same last word in another table, else the
/// closest spelling.
pub fn closest(path: &str) -> Option<&'static Key> {
    let last = path.rsplit('.').next().unwrap_or(path);
    let same_word = KEYS.iter().find(|key| key.path.rsplit('.').next() == Some(last));
    let by_distance = || {
        KEYS.iter()
            .map(|key| (strsim::damerau_levenshtein(key.path, path), key))
            .filter(|(distance, _)| *distance <= 3)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, key)| key)
    };
    same_word.or_else(by_distance)
}

/// True for the name of a table such as `tls`.
pub fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.section() == name)
}

/// The table a person probably meant by `name`.
pub fn closest_section(name: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(Key::section)
        .filter(|section| !section.is_empty())
        .find(|section| strsim::damerau_levenshtein(section, name) <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn paths_and_options_are_unique() {
        let paths: HashSet<_> = KEYS.iter().map(|key| key.path).collect();
        let options: HashSet<_> = KEYS.iter().map(Key::option).collect();
        assert_eq!(paths.len(), KEYS.len());
        assert_eq!(options.len(), KEYS.len());
    }

    #[test]
    fn a_misspelt_or_misplaced_key_finds_its_row() {
        let suggestion = |path| closest(path).map(|key| key.path);
        assert_eq!(suggestion("transport.conections"), Some("transport.connections"));
        assert_eq!(suggestion("verify"), Some("tls.verify"));
        assert_eq!(suggestion("sever"), Some("server"));
        assert_eq!(suggestion("tls.quantum"), None);
        assert_eq!(closest_section("trasport"), Some("transport"));
        assert_eq!(closest_section("wireguard"), None);
    }
}
