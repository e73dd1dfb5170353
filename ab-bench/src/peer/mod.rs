//! The lab's own far end: it speaks a SoftEther server's side of one session, and is there to be faster than any client,
//! so that the client is what limits a measurement.
//!
//! What happens to a connection:
//!
//!  1. `accept`: TLS 1.3 by rustls.
//!  2. `login`: the C's own sequence over HTTP: watermark, hello, login, welcome. Hub and user must be right; a password
//!     is not asked for, because the peer lives in a private namespace and has nothing to protect.
//!  3. `data`: rustls hands its keys over to `cedar::tls`, and one loop moves frames between the connection and a TAP with
//!     offloads, in batches, until the client goes. There is no hub, no queue and no second session: what a server
//!     does with frames beyond that is what the peer leaves out.
//!
//! It grants one TCP connection, no compression and no UDP acceleration, with or without encryption. One session at a
//! time; the next waits until the TAP is free.

mod data;
mod login;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cedar::adapter::Offloaded;
use cedar::adapter::linux::{Interface, InterfaceConfig, InterfaceError};
use sha2::{Digest, Sha256};

pub use data::SessionCounts;

/// How long a client may take for each message of its login.
const LOGIN_PATIENCE: Duration = Duration::from_secs(10);
/// Sessions and logins at once.
const CONNECTIONS_MAX: usize = 64;

/// What the peer serves.
#[derive(Debug, Clone)]
pub struct PeerOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The name of its TAP.
    pub tap: String,
    /// The TAP's MAC address.
    pub tap_mac: [u8; 6],
    /// The only hub.
    pub hub: String,
    /// Who may log in.
    pub users: Vec<String>,
    /// Where the SHA-256 of its certificate is written to, as `sha256:<hex>`.
    pub pin_file: PathBuf,
    /// A fault for the measurement to find.
    pub plant: Option<Plant>,
}

/// A fault in what comes from the client, every so many frames of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// The frame is dropped.
    Drop(u64),
    /// The lowest bit of its last byte is flipped.
    Flip(u64),
}

impl Plant {
    fn every(self) -> u64 {
        match self {
            Self::Drop(every) | Self::Flip(every) => every,
        }
    }
}

impl std::str::FromStr for Plant {
    type Err = &'static str;

    /// `drop:N` or `flip:N`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANT: &str = "want drop:N or flip:N, N frames from one to the next";
        let (kind, every) = text.split_once(':').ok_or(WANT)?;
        let every = every.parse().ok().filter(|every| *every > 0).ok_or(WANT)?;
        match kind {
            "drop" => Ok(Self::Drop(every)),
            "flip" => Ok(Self::Flip(every)),
            _ => Err(WANT),
        }
    }
}

/// Why the peer cannot serve, or why a session ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The TAP could not be made.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// The TAP is gone.
    #[error(transparent)]
    Adapter(#[from] cedar::adapter::Error),
    /// A certificate could not be made.
    #[error("could not make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The keys cannot be handed over.
    #[error("{0}")]
    Keys(&'static str),
    /// A message of the login is none.
    #[error("login: {0}")]
    Http(#[from] mayaqua::http::Error),
    /// A PACK of the login is none.
    #[error("login: {0}")]
    Pack(#[from] mayaqua::pack::Error),
    /// The login was refused.
    #[error("login refused: {0}")]
    Refused(String),
    /// The client broke the protocol of the data phase.
    #[error("data phase: {0}")]
    Protocol(#[from] cedar::framing::ProtocolError),
    /// A record could not be opened.
    #[error("a record: {0}")]
    Record(#[from] cedar::tls::Error),
    /// A record could not be sealed.
    #[error("a record: {0}")]
    Seal(#[from] cedar::tls::SealError),
    /// A system call failed.
    #[error("could not {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl PeerError {
    fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

/// The TAP with offloads that all sessions take turns with.
type Card = Offloaded<cedar::adapter::linux::TapDevice>;

/// A listening peer.
pub struct Peer {
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    options: Arc<PeerOptions>,
    card: Arc<Mutex<Card>>,
    // Keeps the interface.
    _interface: Interface,
}

impl Peer {
    /// Makes a certificate, writes its pin, makes the TAP and listens, in this order: who sees it listening may read the
    /// pin.
    pub fn start(options: PeerOptions) -> Result<Self, PeerError> {
        // The C looks for an RSA key in a server's certificate.
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)?;
        let certificate = rcgen::CertificateParams::new(vec!["cutover-peer".to_owned()])?.self_signed(&key)?;
        let certificate = certificate.der().clone();
        let pin: String = Sha256::digest(&certificate).iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(&options.pin_file, format!("sha256:{pin}")).map_err(PeerError::io("write the pin"))?;
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).map_err(PeerError::Keys)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        // Tickets would be records that the counts of the data phase do not know of.
        tls.send_tls13_tickets = 0;
        tls.enable_secret_extraction = true;

        let config = InterfaceConfig { mac: Some(options.tap_mac), ..InterfaceConfig::new(&options.tap) };
        let mut interface = Interface::open(config)?;
        let card = Arc::new(Mutex::new(Offloaded::new(interface.device()?)));
        let listener = TcpListener::bind(options.listen).map_err(PeerError::io("listen"))?;
        Ok(Self { listener, tls: Arc::new(tls), options: Arc::new(options), card, _interface: interface })
    }

    /// Serves until the process ends. What becomes of each connection is one line for `log`.
    pub fn serve(&self, log: impl Fn(String) + Sync) -> Result<(), PeerError> {
        let log = &log;
        let open = &std::sync::atomic::AtomicUsize::new(0);
        thread::scope(|scope| {
            loop {
                let (stream, from) = self.listener.accept().map_err(PeerError::io("accept a connection"))?;
                if open.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= CONNECTIONS_MAX {
                    open.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
                    log(format!("{from}: too many connections"));
                    continue;
                }
                scope.spawn(move || {
                    match self.session(stream, log) {
                        Ok(counts) => log(format!("{from}: ended: {counts}")),
                        Err(error) => log(format!("{from}: {error}")),
                    }
                    open.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
                });
            }
        })
    }

    fn session(&self, stream: TcpStream, log: &(impl Fn(String) + Sync)) -> Result<SessionCounts, PeerError> {
        stream.set_nodelay(true).map_err(PeerError::io("set TCP_NODELAY"))?;
        for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
            set(&stream, Some(LOGIN_PATIENCE)).map_err(PeerError::io("limit the login's time"))?;
        }
        let login = login::accept(&stream, Arc::clone(&self.tls), &self.options)?;
        log(format!("session of {}, cipher {}", login.user, login.cipher));
        let mut card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        data::carry(&stream, login.keys, &mut card, self.options.plant)
    }
}
