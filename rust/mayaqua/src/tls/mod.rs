//! TLS 1.2 and 1.3 of a client over any stream, by rustls and aws-lc (C: `StartSSLEx`, `SecureSend`, `SecureRecv`, `NewSSLCtx`,
//! `FreeSSLCtx`, Mayaqua/Network.c).
//!
//! 1. [`Options`] say whom to trust, who the client is and which protocols it offers; [`Client::new`] makes a configuration
//!    of them, once for many connections: sessions are resumed among its connections.
//! 2. [`Client::connect`] shakes hands over a stream. The stream's own timeouts and cancellation end a peer that stalls;
//!    one that never stops talking is ended by [`HANDSHAKE_MAX`].
//! 3. [`Stream`] reads and writes what is protected.
//!
//! ```no_run
//! # #[cfg(feature = "net")]
//! # fn fetch() -> Result<(), Box<dyn std::error::Error>> {
//! use mayaqua::net::{Limit, connect};
//! use mayaqua::tls::{Client, Options, Trust};
//! use std::io::{Read, Write};
//! use std::time::Duration;
//!
//! let tcp = connect("vpn.example.com", 443, None, &Limit::of(Duration::from_secs(10)))?;
//! let mut tls = Client::new(Options::new(Trust::System))?.connect("vpn.example.com", tcp)?;
//! tls.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
//! let mut page = String::new();
//! tls.read_to_string(&mut page)?;
//! # Ok(())
//! # }
//! ```
//!
//! The server is always verified: by the system's roots, by roots of one's own, or by pins. (The C verifies nothing unless it
//! is told to.) Versions below 1.2 are refused, with [`Error::OldServer`].
//!
//! Not here: servers; the client of Cutover, which shakes hands by the C's OpenSSL and takes the keys over (`cedar::tls`).

mod verifier;

use crate::crypto::{Certificate, PrivateKey};
use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, StreamOwned,
};
use std::io::{self, Read, Write};
use std::sync::Arc;
use verifier::{Refused, Verifier};

/// Most bytes that a server may send before the handshake is over.
pub const HANDSHAKE_MAX: usize = 256 * 1024;

/// Bytes of a pin: SHA-256 of the server's certificate.
pub const PIN_SIZE: usize = 32;

/// Whom to trust.
#[derive(Clone, Debug)]
pub enum Trust {
    /// What the system trusts.
    System,
    /// These roots, and no others.
    Roots(Vec<Certificate>),
    /// A server whose certificate has one of these fingerprints ([`Certificate::fingerprint`]), whatever else it says.
    Pins(Vec<[u8; PIN_SIZE]>),
}

/// The client's certificate, with those that lead to a root behind it, and its key (C: `AddChainSslCert`,
/// Mayaqua/Network.c).
#[derive(Debug)]
pub struct Identity {
    /// At least one.
    pub chain: Vec<Certificate>,
    /// The key of the first.
    pub key: PrivateKey,
}

/// The lowest version to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lowest {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// How to connect.
#[derive(Debug)]
pub struct Options {
    /// Whom to trust.
    pub trust: Trust,
    /// Who the client is, if a server asks.
    pub identity: Option<Identity>,
    /// Protocols of the application to offer (ALPN), the best first. A server that knows none of them is an error.
    pub alpn: Vec<Vec<u8>>,
    /// The lowest version to speak.
    pub lowest: Lowest,
}

impl Options {
    /// A client that nobody asked who it is.
    #[must_use]
    pub const fn new(trust: Trust) -> Self {
        Self { trust, identity: None, alpn: Vec::new(), lowest: Lowest::Tls12 }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system has no roots, or they cannot be read.
    #[error("the system's trusted certificates cannot be used: {0}")]
    SystemRoots(String),
    /// A root or a pin that cannot be one, or none at all.
    #[error("nobody to trust: {0}")]
    Trust(String),
    /// The client's certificate and key cannot be used together.
    #[error("the client's certificate cannot be used: {0}")]
    Identity(String),
    /// No name that a certificate can be for.
    #[error("{0:?} is no name of a server")]
    ServerName(String),
    /// The server speaks TLS 1.1 or less, or less than was asked for.
    #[error("the server speaks no version of TLS that is accepted here: TLS 1.2 and 1.3; update the server")]
    OldServer,
    /// What came is not TLS.
    #[error("the server does not speak TLS at this port")]
    NotTls,
    /// The server is not trusted.
    #[error("the server's certificate is not trusted: {reason}")]
    Untrusted {
        /// Why not.
        reason: String,
        /// What a pin of it would be.
        fingerprint: [u8; PIN_SIZE],
    },
    /// The server refuses the client, most often for its certificate.
    #[error("the server refused the handshake: {0}")]
    Refused(String),
    /// More than [`HANDSHAKE_MAX`] bytes.
    #[error("a handshake of more than {HANDSHAKE_MAX} bytes")]
    TooLong,
    /// What the server sends contradicts the protocol.
    #[error("TLS failed: {0}")]
    Protocol(String),
    /// The stream failed, ended or timed out.
    #[error("the connection failed during the handshake: {0}")]
    Io(#[from] io::Error),
}

/// A configuration for many connections (C: `SSL_CTX` of `NewSSLCtx`).
#[derive(Clone, Debug)]
pub struct Client {
    config: Arc<ClientConfig>,
}

impl Client {
    /// What `options` say.
    ///
    /// # Errors
    ///
    /// [`Error::SystemRoots`], [`Error::Trust`], [`Error::Identity`].
    pub fn new(options: Options) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions: &[_] = match options.lowest {
            Lowest::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            Lowest::Tls13 => &[&rustls::version::TLS13],
        };
        let verifier = match options.trust {
            Trust::Pins(pins) => Verifier::pins(pins, &provider)?,
            Trust::Roots(roots) => Verifier::roots(roots_of(&roots)?, &provider)?,
            Trust::System => Verifier::roots(system_roots()?, &provider)?,
        };
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        let builder = builder.map_err(|error| Error::Protocol(error.to_string()))?;
        // "Dangerous" since it is not rustls's own; it asks rustls's own for all that is not a pin.
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match options.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = identity.chain.iter().map(|certificate| certificate.der().clone()).collect();
                let made = builder.with_client_auth_cert(chain, identity.key.secret_der().clone_key());
                made.map_err(|error| Error::Identity(error.to_string()))?
            }
        };
        config.alpn_protocols = options.alpn;
        Ok(Self { config: Arc::new(config) })
    }

    /// Shakes hands over `stream` with the server `name`: a name of DNS or an address, which its certificate must be for
    /// unless it is pinned (C: `StartSSLEx`, Mayaqua/Network.c).
    ///
    /// # Errors
    ///
    /// Why the server is not one to talk to.
    pub fn connect<S: Read + Write>(&self, name: &str, stream: S) -> Result<Stream<S>, Error> {
        let server = ServerName::try_from(name.to_owned()).map_err(|_| Error::ServerName(name.to_owned()))?;
        let tls = ClientConnection::new(Arc::clone(&self.config), server).map_err(error_of)?;
        let mut stream = StreamOwned::new(tls, stream);
        let mut received = 0;
        while stream.conn.is_handshaking() || stream.conn.wants_write() {
            if stream.conn.wants_write() {
                retried(|| stream.conn.write_tls(&mut stream.sock))?;
                continue;
            }
            let length = retried(|| stream.conn.read_tls(&mut stream.sock))?;
            if length == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            received += length;
            if let Err(error) = stream.conn.process_new_packets() {
                // The alert that says why; whether it arrives changes nothing.
                let _ = stream.conn.write_tls(&mut stream.sock);
                return Err(error_of(error));
            }
            if received > HANDSHAKE_MAX && stream.conn.is_handshaking() {
                return Err(Error::TooLong);
            }
        }
        stream.sock.flush()?;
        Ok(Stream { stream })
    }
}

/// Repeats what a signal interrupted.
fn retried(mut work: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match work() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn roots_of(certificates: &[Certificate]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.der().clone()).map_err(|error| Error::Trust(error.to_string()))?;
    }
    Ok(roots)
}

/// The system's roots; ones that rustls cannot read are left out, as long as there are others.
fn system_roots() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(found.certs);
    match (good, found.errors.first()) {
        (0, Some(error)) => Err(Error::SystemRoots(error.to_string())),
        (0, None) => Err(Error::SystemRoots("there are none".to_owned())),
        _ => Ok(roots),
    }
}

fn error_of(error: rustls::Error) -> Error {
    use rustls::{CertificateError, PeerIncompatible};
    match error {
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => Error::OldServer,
        rustls::Error::InvalidMessage(
            rustls::InvalidMessage::InvalidContentType | rustls::InvalidMessage::UnknownProtocolVersion,
        ) => Error::NotTls,
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => match other.0.downcast_ref::<Refused>() {
            Some(refused) => Error::Untrusted { reason: refused.reason.clone(), fingerprint: refused.fingerprint },
            None => Error::Protocol(other.to_string()),
        },
        rustls::Error::AlertReceived(alert) => Error::Refused(format!("{alert:?}")),
        other => Error::Protocol(other.to_string()),
    }
}

/// A protected stream (C: a `SOCK` with `SecureMode`). Dropping it ends the stream without a word; see [`Stream::close`].
#[derive(Debug)]
pub struct Stream<S: Read + Write> {
    stream: StreamOwned<ClientConnection, S>,
}

impl<S: Read + Write> Stream<S> {
    /// The version of TLS: `TLS 1.2` or `TLS 1.3` (C: `TlsVersion`).
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self.stream.conn.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        }
    }

    /// The cipher suite, as IANA calls it (C: `CipherName`).
    #[must_use]
    pub fn cipher_suite(&self) -> String {
        self.stream.conn.negotiated_cipher_suite().map_or_else(String::new, |suite| format!("{:?}", suite.suite()))
    }

    /// The application's protocol that the server chose (ALPN).
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.stream.conn.alpn_protocol()
    }

    /// The server's certificate (C: `RemoteX`).
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        let certificates = self.stream.conn.peer_certificates()?;
        Certificate::read(certificates.first()?).ok()
    }

    /// Whether an earlier session was resumed, without certificates.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// What is underneath.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.stream.sock
    }

    /// Says that this side sends no more, so that the peer knows that nothing was cut off.
    ///
    /// # Errors
    ///
    /// Those of the stream underneath.
    pub fn close(&mut self) -> io::Result<()> {
        self.stream.conn.send_close_notify();
        while self.stream.conn.wants_write() {
            retried(|| self.stream.conn.write_tls(&mut self.stream.sock))?;
        }
        self.stream.sock.flush()
    }
}

impl<S: Read + Write> Read for Stream<S> {
    /// 0 when the server said that it sends no more; `UnexpectedEof` when the connection ended without that
    /// (C: `SecureRecv`, Mayaqua/Network.c, which takes both for the end).
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl<S: Read + Write> Write for Stream<S> {
    /// (C: `SecureSend`, Mayaqua/Network.c).
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.stream.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests;
