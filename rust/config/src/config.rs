//! The validated configuration of one connection. Parses settings into types that cannot hold a
//! contradiction; reads certificates, and secrets when asked. Opens no connection.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use crate::cli::Overrides;
use crate::document;
use crate::error::{ConfigError, Place, Wrong};
use crate::locate::{self, Environment};
use crate::secret::{self, SecretOrigin, SecretSource};
use crate::settings::Settings;
use crate::values;

/// Everything `cutover up` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The instance's name: the file's name without `.toml`.
    pub name: String,
    /// The server's host name or address, without brackets.
    pub host: String,
    /// The server's TCP port.
    pub port: u16,
    /// The virtual hub.
    pub hub: String,
    /// Who logs in, and how.
    pub auth: Auth,
    /// How the server proves who it is.
    pub verify: Verify,
    /// How frames travel.
    pub transport: Transport,
    /// When to connect again.
    pub reconnect: Reconnect,
    /// The TAP interface.
    pub interface: Interface,
    /// Whether the client can be asked and told something while it runs, and keeps anything for its next run.
    pub control: bool,
    /// Where metrics are served over TCP: an address of this machine's loopback.
    pub metrics: Option<SocketAddr>,
    /// The modes of `[swaps]` as `pattern=mode,pattern=mode`, in the order of the file; empty when
    /// none were given.
    pub swaps: String,
    /// What is allowed but probably not meant, one sentence each.
    pub warnings: Vec<String>,
}

/// `[auth]`. Stands for CLIENT_AUTH of Cedar/Connection.h.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The user's name; SoftEther wants one also for anonymous logins.
    pub user: String,
    /// How the user proves to be that user.
    pub proof: Proof,
}

/// How a user logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// CLIENT_AUTHTYPE_ANONYMOUS.
    Anonymous,
    /// CLIENT_AUTHTYPE_PASSWORD: only a hash of password and challenge is sent.
    Password(SecretSource),
    /// CLIENT_AUTHTYPE_PLAIN_PASSWORD: the password itself is sent, inside TLS.
    Plain(SecretSource),
    /// CLIENT_AUTHTYPE_CERT.
    Certificate {
        /// The user's certificate.
        certificate: Pem,
        /// Where its private key is read from.
        key: SecretSource,
    },
}

/// Certificates in PEM, read and looked at, not yet decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pem {
    /// Where they were read.
    pub path: PathBuf,
    /// The file's bytes; at least one certificate begins in them.
    pub bytes: Vec<u8>,
}

/// `[tls]`: which server certificates are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Those that the system's roots signed for the server's name.
    SystemRoots,
    /// Those that one of these certificates signed for the server's name.
    CaFile(Pem),
    /// The one with this SHA-256 fingerprint.
    Pin([u8; 32]),
    /// Any. The user said so in so many words.
    Off,
}

/// `[transport]`. The fields are CLIENT_OPTION's of Cedar/Connection.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// MaxConnection: 1 to 32.
    pub connections: u8,
    /// HalfConnection.
    pub half_duplex: bool,
    /// UseEncrypt.
    pub encrypt: bool,
    /// UseCompress.
    pub compress: bool,
    /// Not NoUdpAcceleration.
    pub udp_acceleration: bool,
    /// Not DisableQoS.
    pub qos: bool,
}

/// `[reconnect]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    /// False: end with the exit code of the first failure.
    pub enabled: bool,
    /// The wait before the first new attempt.
    pub interval: Duration,
    /// The longest wait; not shorter than `interval`.
    pub max: Duration,
}

/// `[interface]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// A valid name of up to 15 bytes.
    pub name: String,
    /// Addresses to set, with their prefix lengths.
    pub addresses: Vec<IpNet>,
    /// A unicast Ethernet address; `None`: one made of this machine and this connection.
    pub mac: Option<[u8; 6]>,
    /// In bytes, 576 to 1500; 1280 or more when there is an IPv6 address.
    pub mtu: u16,
    /// Leave the interface in place at the end.
    pub persistent: bool,
}

const PEM_BYTES_MAX: u64 = 4 * 1024 * 1024;
const IPV6_MTU_MIN: u16 = 1280;
const PASSWORD_KEYS: [&str; 3] = ["auth.password_file", "auth.password_stdin", "auth.password_credential"];
const CERTIFICATE_KEYS: [&str; 2] = ["auth.certificate_file", "auth.key_file"];

impl Config {
    /// Finds, reads and checks the configuration that FILE|NAME and the options describe. Reads
    /// certificates, but no secrets.
    ///
    /// # Errors
    /// The first mistake found, with its place.
    pub fn load(target: &str, overrides: &Overrides, environment: &Environment) -> Result<Config, ConfigError> {
        let located = locate::locate(target, environment)?;
        let mut settings = document::read(&located.path)?;
        for (key, texts) in overrides.iter() {
            settings.set_option(key, texts)?;
        }
        Config::from_settings(located.name, &settings, environment)
    }

    /// Reads every secret once and forgets it, to find what is wrong with its file. Leaves
    /// standard input alone.
    ///
    /// # Errors
    /// As [`SecretSource::read_password`] and [`SecretSource::read_key`].
    pub fn check_secrets(&self) -> Result<(), ConfigError> {
        match &self.auth.proof {
            Proof::Password(source) | Proof::Plain(source) if source.origin != SecretOrigin::Stdin => {
                source.read_password().map(drop)
            }
            Proof::Certificate { key, .. } => key.read_key().map(drop),
            Proof::Anonymous | Proof::Password(_) | Proof::Plain(_) => Ok(()),
        }
    }

    fn from_settings(name: String, settings: &Settings, environment: &Environment) -> Result<Config, ConfigError> {
        let (host, port) = server(settings)?;
        let transport = transport(settings)?;
        let config = Config {
            name,
            host,
            port,
            hub: optional(settings, "hub", values::name)?.unwrap_or_else(|| "DEFAULT".to_owned()),
            auth: auth(settings, environment)?,
            verify: verify(settings)?,
            transport,
            reconnect: reconnect(settings)?,
            interface: interface(settings)?,
            control: settings.flag("control.enabled").unwrap_or(true),
            metrics: metrics(settings)?,
            swaps: settings.modes("swaps").join(","),
            warnings: Vec::new(),
        };
        Ok(Config { warnings: config.find_warnings(settings), ..config })
    }

    fn find_warnings(&self, settings: &Settings) -> Vec<String> {
        let mut warnings = Vec::new();
        let place = |path| settings.place(path).unwrap_or(&settings.whole);
        if self.verify == Verify::Off {
            warnings.push(format!(
                "{}: the server's certificate is not checked, so an impostor is not noticed; prefer tls.pin or tls.ca_file",
                place("tls.verify")
            ));
        }
        if !self.transport.encrypt {
            warnings.push(format!("{}: after login every frame travels in the clear", place("transport.encrypt")));
        }
        let needed = connections_for_qos(self.transport.half_duplex);
        if self.transport.qos && self.transport.connections < needed {
            warnings.push(format!(
                "{}: qos makes {needed} TCP connections out of the {} asked for",
                place("transport.qos"),
                self.transport.connections
            ));
        }
        warnings
    }
}

fn server(settings: &Settings) -> Result<(String, u16), ConfigError> {
    let Some((text, place)) = settings.text("server") else {
        return Err(missing(settings, "server", "server = \"vpn.example.net\""));
    };
    let (host, beside) = values::server(text).map_err(|wrong| wrong.at(place))?;
    let port: Option<u16> = settings.number("port");
    if let (Some(beside), Some(port)) = (beside, port)
        && beside != port
    {
        let place = settings.place("port").unwrap_or(place);
        let problem = format!("port is {port}, but server says {beside}");
        return Err(ConfigError::new(place, problem, "remove one of them"));
    }
    Ok((host, beside.or(port).unwrap_or(443)))
}

fn auth(settings: &Settings, environment: &Environment) -> Result<Auth, ConfigError> {
    let Some((user, place)) = settings.text("auth.user") else {
        return Err(missing(settings, "auth.user", "[auth] with user = \"NAME\""));
    };
    let user = values::name(user).map_err(|wrong| wrong.at(place))?;
    let kind = settings.text("auth.type").map_or("password", |(kind, _)| kind);
    let proof = match kind {
        "anonymous" => {
            forbid(settings, &PASSWORD_KEYS, kind)?;
            forbid(settings, &CERTIFICATE_KEYS, kind)?;
            Proof::Anonymous
        }
        "certificate" => {
            forbid(settings, &PASSWORD_KEYS, kind)?;
            certificate(settings)?
        }
        _ => {
            forbid(settings, &CERTIFICATE_KEYS, kind)?;
            let source = password(settings, environment)?;
            if kind == "plain" { Proof::Plain(source) } else { Proof::Password(source) }
        }
    };
    Ok(Auth { user, proof })
}

fn forbid(settings: &Settings, paths: &[&'static str], kind: &str) -> Result<(), ConfigError> {
    for path in paths {
        if let Some(place) = settings.place(path) {
            let problem = format!("{path} has no meaning with auth.type = \"{kind}\"");
            return Err(ConfigError::new(place, problem, "remove it, or change auth.type"));
        }
    }
    Ok(())
}

/// The one source of the password. An option replaces whichever source the file named, so that
/// `--auth-password-stdin` works with any configuration.
fn password(settings: &Settings, environment: &Environment) -> Result<SecretSource, ConfigError> {
    let is_given = |path: &&'static str| settings.place(path).is_some() && settings.flag(path) != Some(false);
    let is_option = |path: &&'static str| matches!(settings.place(path), Some(Place::Option(_)));
    let mut given: Vec<&'static str> = PASSWORD_KEYS.into_iter().filter(is_given).collect();
    if given.iter().any(is_option) {
        given.retain(is_option);
    }
    match given.as_slice() {
        [] => Err(missing(
            settings,
            "auth.password_file",
            "password_file = \"FILE\" (or password_stdin = true, or password_credential = \"NAME\") under [auth]",
        )),
        [path] => password_source(settings, path, environment),
        [first, second, ..] => Err(ConfigError::new(
            settings.place(second).unwrap_or(&settings.whole),
            format!("the password has two sources, {first} and {second}"),
            "remove one of them",
        )),
    }
}

fn password_source(
    settings: &Settings,
    path: &'static str,
    environment: &Environment,
) -> Result<SecretSource, ConfigError> {
    let place = settings.place(path).unwrap_or(&settings.whole).clone();
    let origin = if let Some((file, _)) = settings.file(path) {
        SecretOrigin::File(file.to_owned())
    } else if let Some((name, place)) = settings.text(path) {
        SecretOrigin::Credential(credential(name, environment).map_err(|wrong| wrong.at(place))?)
    } else {
        SecretOrigin::Stdin
    };
    Ok(SecretSource { origin, place })
}

fn credential(name: &str, environment: &Environment) -> Result<PathBuf, Wrong> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(Wrong::new(
            format!("{name:?} is not the name of a credential"),
            "write the name that LoadCredential= gives it",
        ));
    }
    let folder = environment.credentials_directory.as_ref().ok_or_else(|| {
        Wrong::new(
            "$CREDENTIALS_DIRECTORY is not set",
            "start the client as a systemd service with LoadCredential=, or use password_file",
        )
    })?;
    Ok(folder.join(name))
}

fn certificate(settings: &Settings) -> Result<Proof, ConfigError> {
    let Some((file, place)) = settings.file("auth.certificate_file") else {
        return Err(missing(settings, "auth.certificate_file", "certificate_file = \"FILE\" under [auth]"));
    };
    let certificate = read_pem(file).map_err(|wrong| wrong.at(place))?;
    let Some((key, place)) = settings.file("auth.key_file") else {
        return Err(missing(settings, "auth.key_file", "key_file = \"FILE\" under [auth]"));
    };
    let key = SecretSource { origin: SecretOrigin::File(key.to_owned()), place: place.clone() };
    Ok(Proof::Certificate { certificate, key })
}

fn read_pem(path: &Path) -> Result<Pem, Wrong> {
    let bytes = document::read_limited(path, PEM_BYTES_MAX)?;
    if secret::contains(&bytes, b"-----BEGIN CERTIFICATE-----") {
        return Ok(Pem { path: path.to_owned(), bytes });
    }
    Err(Wrong::new(
        format!("{} holds no certificate in PEM", path.display()),
        "convert it: openssl x509 -inform der -in FILE -out FILE.pem",
    ))
}

fn verify(settings: &Settings) -> Result<Verify, ConfigError> {
    let pin = optional(settings, "tls.pin", values::pin)?;
    let ca_file = settings.file("tls.ca_file");
    let conflict = |path, problem: &str, remedy: &str| {
        Err(ConfigError::new(settings.place(path).unwrap_or(&settings.whole), problem, remedy))
    };
    match (settings.flag("tls.verify").unwrap_or(true), pin, ca_file) {
        (false, Some(_), _) | (false, _, Some(_)) => conflict(
            "tls.verify",
            "tls.verify is false, yet tls.pin or tls.ca_file says what to verify",
            "remove verify = false",
        ),
        (_, Some(_), Some(_)) => conflict(
            "tls.pin",
            "tls.pin already names the one certificate that is accepted, so tls.ca_file has no effect",
            "remove one of them",
        ),
        (false, None, None) => Ok(Verify::Off),
        (true, Some(pin), None) => Ok(Verify::Pin(pin)),
        (true, None, Some((file, place))) => read_pem(file).map(Verify::CaFile).map_err(|wrong| wrong.at(place)),
        (true, None, None) => Ok(Verify::SystemRoots),
    }
}

fn transport(settings: &Settings) -> Result<Transport, ConfigError> {
    let flag = |path, default| settings.flag(path).unwrap_or(default);
    let connections = settings.number("transport.connections").unwrap_or(1);
    let half_duplex = flag("transport.half_duplex", false);
    if half_duplex && connections < 2 {
        return Err(ConfigError::new(
            settings.place("transport.half_duplex").unwrap_or(&settings.whole),
            "half_duplex needs one TCP connection for each direction",
            "write transport.connections = 2 or more",
        ));
    }
    Ok(Transport {
        connections,
        half_duplex,
        encrypt: flag("transport.encrypt", true),
        compress: flag("transport.compress", false),
        udp_acceleration: flag("transport.udp_acceleration", true),
        qos: flag("transport.qos", connections >= connections_for_qos(half_duplex)),
    })
}

/// What the C raises MaxConnection to when QoS is on (ClientConnect, Cedar/Protocol.c).
fn connections_for_qos(half_duplex: bool) -> u8 {
    if half_duplex { 4 } else { 2 }
}

fn reconnect(settings: &Settings) -> Result<Reconnect, ConfigError> {
    let interval: u64 = settings.number("reconnect.interval").unwrap_or(1);
    let max: Option<u64> = settings.number("reconnect.max");
    if let Some(max) = max.filter(|max| *max < interval) {
        return Err(ConfigError::new(
            settings.place("reconnect.max").unwrap_or(&settings.whole),
            format!("reconnect.max ({max} s) is shorter than reconnect.interval ({interval} s)"),
            "make max the longer of the two",
        ));
    }
    Ok(Reconnect {
        enabled: settings.flag("reconnect.enabled").unwrap_or(true),
        interval: Duration::from_secs(interval),
        max: Duration::from_secs(max.unwrap_or(60).max(interval)),
    })
}

fn interface(settings: &Settings) -> Result<Interface, ConfigError> {
    let addresses = settings
        .list("interface.address")
        .iter()
        .map(|(text, place)| values::address(text).map_err(|wrong| wrong.at(place)))
        .collect::<Result<Vec<_>, _>>()?;
    let mtu = settings.number("interface.mtu").unwrap_or(1500);
    if mtu < IPV6_MTU_MIN && addresses.iter().any(|net| matches!(net, IpNet::V6(_))) {
        return Err(ConfigError::new(
            settings.place("interface.mtu").unwrap_or(&settings.whole),
            format!("IPv6 needs an MTU of {IPV6_MTU_MIN} or more"),
            "raise the MTU or remove the IPv6 address",
        ));
    }
    Ok(Interface {
        name: optional(settings, "interface.name", values::interface_name)?.unwrap_or_else(|| "cut0".to_owned()),
        addresses,
        mac: optional(settings, "interface.mac", values::mac)?,
        mtu,
        persistent: settings.flag("interface.persistent").unwrap_or(false),
    })
}

fn metrics(settings: &Settings) -> Result<Option<SocketAddr>, ConfigError> {
    let address = optional(settings, "metrics.listen", values::loopback)?;
    if address.is_some() && settings.flag("control.enabled") == Some(false) {
        let place = settings.place("control.enabled").unwrap_or(&settings.whole);
        let problem = "metrics.listen needs what control.enabled = false leaves out";
        return Err(ConfigError::new(place, problem, "remove one of them"));
    }
    Ok(address)
}

fn optional<T>(
    settings: &Settings,
    path: &'static str,
    parse: fn(&str) -> Result<T, Wrong>,
) -> Result<Option<T>, ConfigError> {
    settings.text(path).map(|(text, place)| parse(text).map_err(|wrong| wrong.at(place))).transpose()
}

fn missing(settings: &Settings, path: &str, line: &str) -> ConfigError {
    ConfigError::new(&settings.whole, format!("{path} is missing"), format!("add {line}"))
}
