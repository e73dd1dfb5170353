//! The programs that a user would take instead: each brings a server of its own, in the lab's server namespace.
//!
//! They get what they are best at without the lab's hub: a tunnel from 10.79.0.2 (client) to 10.79.0.1 (server) and
//! nothing behind it. Every one that is not installed is an error that names the command that installs it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::client::{POLL, logged};
use super::{Lab, LabError, LabProcess, SERVER_ADDRESS, Side, ip_batch};

/// The server's end of a neighbour's tunnel.
pub const NEIGHBOUR_SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 1);
/// The client's end.
pub const NEIGHBOUR_CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 2);
/// The client's interface.
const CLIENT_INTERFACE: &str = "nbc0";
/// The server's interface.
const SERVER_INTERFACE: &str = "nbs0";
/// Not 1194, where SoftEther's server listens too.
const OPENVPN_PORT: u16 = 11_194;
/// How long a step of its start may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Someone else's tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// OpenVPN with TAP over TCP, AES-256-GCM.
    OpenVpnTcp,
    /// OpenVPN with TAP over UDP, AES-256-GCM.
    OpenVpnUdp,
    /// openconnect with ocserv (TLS and DTLS).
    Openconnect,
    /// Cloudflare's WireGuard in user space.
    Boringtun,
    /// Mullvad's WireGuard in user space.
    Gotatun,
}

/// A neighbour's running pair.
pub(super) struct Pair {
    pub server: LabProcess,
    pub client: LabProcess,
    pub interface: String,
}

impl Neighbour {
    /// All.
    pub const ALL: [Self; 5] = [Self::OpenVpnTcp, Self::OpenVpnUdp, Self::Openconnect, Self::Boringtun, Self::Gotatun];

    /// The contestant's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenVpnTcp => "openvpn-tcp",
            Self::OpenVpnUdp => "openvpn-udp",
            Self::Openconnect => "openconnect",
            Self::Boringtun => "boringtun",
            Self::Gotatun => "gotatun",
        }
    }

    /// The neighbour of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|neighbour| neighbour.name() == name)
    }

    /// What it is, for people.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::OpenVpnTcp => "OpenVPN, TAP over TCP, AES-256-GCM",
            Self::OpenVpnUdp => "OpenVPN, TAP over UDP, AES-256-GCM",
            Self::Openconnect => "openconnect and ocserv, TUN over DTLS",
            Self::Boringtun => "boringtun, WireGuard in user space",
            Self::Gotatun => "gotatun, WireGuard in user space",
        }
    }

    /// The programs that it needs, and the command that brings each.
    #[must_use]
    pub fn needs(self) -> &'static [(&'static str, &'static str)] {
        const WG: (&str, &str) = ("wg", "apt install wireguard-tools");
        match self {
            Self::OpenVpnTcp | Self::OpenVpnUdp => {
                &[("openvpn", "apt install openvpn"), ("openssl", "apt install openssl")]
            }
            Self::Openconnect => &[
                ("openconnect", "apt install openconnect"),
                ("ocserv", "apt install ocserv"),
                ("openssl", "apt install openssl"),
            ],
            Self::Boringtun => &[("boringtun-cli", "cargo install boringtun-cli"), WG],
            Self::Gotatun => &[("gotatun", "cargo install gotatun-cli"), WG],
        }
    }

    /// Whether the tunnel carries Ethernet frames.
    #[must_use]
    pub fn carries_frames(self) -> bool {
        matches!(self, Self::OpenVpnTcp | Self::OpenVpnUdp)
    }

    /// What it says about its version; empty if it says nothing.
    #[must_use]
    pub fn version(self) -> String {
        let program = self.needs()[0].0;
        let output = Command::new(program).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        text.lines().next().unwrap_or_default().trim().to_owned()
    }

    /// Starts its server and its client, and gives both ends their addresses.
    pub(super) fn start(self, lab: &Lab, dir: &Path) -> Result<Pair, LabError> {
        for (program, install) in self.needs() {
            if find_program(program).is_none() {
                let hint = format!("{} needs it: `{install}`", self.name());
                return Err(LabError::Missing { what: format!("`{program}`"), hint });
            }
        }
        let pair = match self {
            Self::OpenVpnTcp => openvpn(lab, dir, "tcp-server", "tcp-client")?,
            Self::OpenVpnUdp => openvpn(lab, dir, "udp", "udp")?,
            Self::Openconnect => openconnect(lab, dir)?,
            Self::Boringtun => wireguard(lab, dir, "boringtun-cli")?,
            Self::Gotatun => wireguard(lab, dir, "gotatun")?,
        };
        Ok(pair)
    }
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// A self-signed certificate and its key, as files; returns the certificate's SHA-256.
fn certificate(lab: &Lab, dir: &Path, name: &str) -> Result<String, LabError> {
    let file = |ending: &str| dir.join(format!("{name}.{ending}")).display().to_string();
    let (key, cert, subject) = (file("key"), file("pem"), format!("/CN={name}"));
    let make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let files = ["-keyout", &key, "-out", &cert, "-subj", &subject, "-days", "2"];
    lab.run_ok(Side::Server, &[&make[..], &files[..]].concat(), PATIENCE)?;
    let print = ["openssl", "x509", "-in", &cert, "-noout", "-fingerprint", "-sha256"];
    let output = lab.run_ok(Side::Server, &print, PATIENCE)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.split_once('=').map_or("", |(_, hash)| hash).trim().to_owned())
}

/// OpenVPN from point to point, each end knowing the other's certificate.
fn openvpn(lab: &Lab, dir: &Path, server_protocol: &str, client_protocol: &str) -> Result<Pair, LabError> {
    let (server_print, client_print) = (certificate(lab, dir, "server")?, certificate(lab, dir, "client")?);
    let common = |role: &str, other: &str, interface: &str, address: Ipv4Addr| {
        format!(
            "dev {interface}\ndev-type tap\nifconfig {address} 255.255.255.0\ntls-{role}\ndh none\n\
             cert {dir}/{role}.pem\nkey {dir}/{role}.key\n<peer-fingerprint>\n{other}\n</peer-fingerprint>\n\
             data-ciphers AES-256-GCM\nmtu-disc no\n",
            dir = dir.display()
        )
    };
    let server = common("server", &client_print, SERVER_INTERFACE, NEIGHBOUR_SERVER_ADDRESS)
        + &format!("proto {server_protocol}\nlocal {SERVER_ADDRESS}\nport {OPENVPN_PORT}\n");
    let client = common("client", &server_print, CLIENT_INTERFACE, NEIGHBOUR_CLIENT_ADDRESS)
        + &format!("proto {client_protocol}\nremote {SERVER_ADDRESS} {OPENVPN_PORT}\nnobind\nconnect-retry 1\n");
    let start = |side, name: &str, text: &str| {
        let config = dir.join(format!("{name}.conf"));
        fs::write(&config, text).map_err(|source| LabError::io(format!("write {}", config.display()), source))?;
        let mut command = logged(Command::new("openvpn"), dir, name)?;
        command.arg("--config").arg(&config);
        lab.spawn(side, command)
    };
    let server = start(Side::Server, "server", &server)?;
    // A client that is refused by TCP waits a second before it tries again.
    if server_protocol == "tcp-server" {
        wait(lab, "openvpn's listening", || lab.world().listens(Side::Server, OPENVPN_PORT))?;
    }
    let pair = Pair { server, client: start(Side::Client, "client", &client)?, interface: CLIENT_INTERFACE.into() };
    for (side, interface) in [(Side::Server, SERVER_INTERFACE), (Side::Client, CLIENT_INTERFACE)] {
        wait(lab, "openvpn's interface", || lab.world().has_interface(side, interface))?;
    }
    Ok(pair)
}

/// A WireGuard program in user space at both ends.
fn wireguard(lab: &Lab, dir: &Path, program: &str) -> Result<Pair, LabError> {
    let key = |side| -> Result<(String, String), LabError> {
        let private = lab.run_ok(side, &["wg", "genkey"], PATIENCE)?.stdout;
        let private = String::from_utf8_lossy(&private).trim().to_owned();
        let public = lab.run_ok(side, &["sh", "-c", "echo \"$0\" | wg pubkey", &private], PATIENCE)?.stdout;
        Ok((private, String::from_utf8_lossy(&public).trim().to_owned()))
    };
    let (server_key, client_key) = (key(Side::Server)?, key(Side::Client)?);
    let start = |side, name: &str, interface: &str| {
        let mut command = logged(Command::new(program), dir, name)?;
        command.args(["--foreground", "--disable-drop-privileges", interface]);
        lab.spawn(side, command)
    };
    let server = start(Side::Server, "server", SERVER_INTERFACE)?;
    let client = start(Side::Client, "client", CLIENT_INTERFACE)?;
    let ends = [
        (
            Side::Server,
            SERVER_INTERFACE,
            NEIGHBOUR_SERVER_ADDRESS,
            format!(
                "[Interface]\nPrivateKey = {}\nListenPort = 51820\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.79.0.0/24\n",
                server_key.0, client_key.1
            ),
        ),
        (
            Side::Client,
            CLIENT_INTERFACE,
            NEIGHBOUR_CLIENT_ADDRESS,
            format!(
                "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.79.0.0/24\n\
                 Endpoint = {SERVER_ADDRESS}:51820\n",
                client_key.0, server_key.1
            ),
        ),
    ];
    for (side, interface, address, text) in ends {
        wait(lab, "the interface", || lab.world().has_interface(side, interface))?;
        let config = dir.join(format!("{interface}.conf"));
        fs::write(&config, text).map_err(|source| LabError::io(format!("write {}", config.display()), source))?;
        let config = config.display().to_string();
        let socket = format!("/var/run/wireguard/{interface}.sock");
        wait(lab, "its control socket", || Ok(lab.run(side, &["test", "-S", &socket], PATIENCE)?.status.success()))?;
        lab.run_ok(side, &["wg", "setconf", interface, &config], PATIENCE)?;
        ip_batch(
            lab.world(),
            side,
            &format!("address add {address}/24 dev {interface}\nlink set {interface} mtu 1420 up\n"),
        )?;
    }
    Ok(Pair { server, client, interface: CLIENT_INTERFACE.into() })
}

/// ocserv with one user, and openconnect that trusts its certificate by its pin.
fn openconnect(lab: &Lab, dir: &Path) -> Result<Pair, LabError> {
    certificate(lab, dir, "server")?;
    let path = |name: &str| dir.join(name).display().to_string();
    // The server gives the client the first free address of the network; the end that it keeps is .1.
    let config = format!(
        "auth = \"plain[passwd={passwd}]\"\ntcp-port = 4443\nudp-port = 4443\nlisten-host = {SERVER_ADDRESS}\n\
         socket-file = {socket}\nserver-cert = {cert}\nserver-key = {key}\nisolate-workers = false\nmax-clients = 4\n\
         device = {SERVER_INTERFACE}\nipv4-network = 10.79.0.0\nipv4-netmask = 255.255.255.0\n\
         cookie-timeout = 300\nrun-as-user = root\nrun-as-group = root\nmtu = 1400\n",
        passwd = path("ocpasswd"),
        socket = path("ocserv.sock"),
        cert = path("server.pem"),
        key = path("server.key"),
    );
    fs::write(dir.join("ocserv.conf"), config).map_err(|source| LabError::io("write ocserv.conf", source))?;
    let user = ["sh", "-c", "printf 'lab\\nlab\\n' | ocpasswd -c \"$0\" lab", &path("ocpasswd")];
    lab.run_ok(Side::Server, &user, PATIENCE)?;
    let mut command = logged(Command::new("ocserv"), dir, "server")?;
    command.args(["--foreground", "--config"]).arg(dir.join("ocserv.conf"));
    let server = lab.spawn(Side::Server, command)?;
    wait(lab, "ocserv's listening", || lab.world().listens(Side::Server, 4443))?;
    let pin_of = "openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64";
    let pin = lab.run_ok(Side::Client, &["sh", "-c", pin_of, &path("server.pem")], PATIENCE)?.stdout;
    let pin = format!("pin-sha256:{}", String::from_utf8_lossy(&pin).trim());
    // Its usual script would write to /etc/resolv.conf; all that is needed is the address.
    let script = format!(
        "#!/bin/sh\n[ \"$reason\" = connect ] || exit 0\nip address add {NEIGHBOUR_CLIENT_ADDRESS}/24 dev \"$TUNDEV\"\n\
         ip address add \"$INTERNAL_IP4_ADDRESS/32\" dev \"$TUNDEV\"\nip link set \"$TUNDEV\" mtu \"$INTERNAL_IP4_MTU\" up\n\
         ip route replace 10.79.0.0/24 dev \"$TUNDEV\" src \"$INTERNAL_IP4_ADDRESS\" congctl cubic\n"
    );
    fs::write(dir.join("script"), script).map_err(|source| LabError::io("write openconnect's script", source))?;
    let script = format!("sh {}", path("script"));
    let password = dir.join("password");
    fs::write(&password, "lab\n").map_err(|source| LabError::io("write the password", source))?;
    let password = fs::File::open(&password).map_err(|source| LabError::io("open the password", source))?;
    let mut command = logged(Command::new("openconnect"), dir, "client")?;
    command.args(["--user", "lab", "--passwd-on-stdin", "--servercert", &pin, "--interface", CLIENT_INTERFACE]);
    command.args(["--script", &script, &format!("{SERVER_ADDRESS}:4443")]).stdin(password);
    let client = lab.spawn(Side::Client, command)?;
    wait(lab, "openconnect's interface", || lab.world().has_interface(Side::Client, CLIENT_INTERFACE))?;
    Ok(Pair { server, client, interface: CLIENT_INTERFACE.into() })
}

/// Puts both ends of the tunnel on cubic. openconnect's script has done its end; ocserv makes and numbers an interface
/// per client, with a route to that client alone.
pub(super) fn tune(lab: &Lab, neighbour: Neighbour) -> Result<(), LabError> {
    if neighbour == Neighbour::Openconnect {
        let script = format!(
            "set -e; routes=$(ip route show | sed -n \
             's/^\\(10\\.79\\.0\\.[0-9]*\\) dev \\({SERVER_INTERFACE}[0-9]*\\) .*/route replace \\1 dev \\2 src {NEIGHBOUR_SERVER_ADDRESS} congctl cubic/p'); \
             [ -n \"$routes\" ] || {{ echo \"ocserv has set no route to its client\" >&2; exit 1; }}; echo \"$routes\" | ip -batch -"
        );
        lab.run_ok(Side::Server, &["sh", "-c", &script], PATIENCE)?;
        return Ok(());
    }
    let ends = [
        (Side::Client, CLIENT_INTERFACE, NEIGHBOUR_CLIENT_ADDRESS),
        (Side::Server, SERVER_INTERFACE, NEIGHBOUR_SERVER_ADDRESS),
    ];
    for (side, interface, address) in ends {
        let lines = format!(
            "link set {interface} up\n\
             route replace 10.79.0.0/24 dev {interface} src {address} congctl cubic\n"
        );
        ip_batch(lab.world(), side, &lines)?;
    }
    Ok(())
}

fn wait(lab: &Lab, what: &str, ready: impl Fn() -> Result<bool, LabError>) -> Result<(), LabError> {
    let deadline = Instant::now() + PATIENCE;
    while !ready()? {
        if Instant::now() >= deadline {
            let detail = format!(" in {}", lab.dir().display());
            return Err(LabError::TimedOut { what: what.into(), after: PATIENCE, detail });
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
