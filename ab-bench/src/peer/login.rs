//! TLS and login, the server's side: `ServerAccept` of `Cedar/Protocol.c` as far as a client sees it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use cedar::tls::{Keys, Side, Suite};
use mayaqua::http::{self, BodyReader, HeaderReader};
use mayaqua::pack::Pack;
use rand::RngExt;

use super::{PeerError, PeerOptions};

/// What the C calls itself, so that clients that look at it are content.
const SERVER: &str = "SoftEther VPN Server (64 bit)";
const VERSION: u32 = 501;
const BUILD: u32 = 9674;
/// The session's timeout in milliseconds.
const TIMEOUT_MS: u32 = 20_000;
/// The error codes of `Cedar/Cedar.h` that a client is refused with.
const ERR_HUB_NOT_FOUND: u32 = 8;
const ERR_AUTH_FAILED: u32 = 9;
/// The mark by which a client knows a SoftEther server (C: `http_detect_server_tag_future`, Mayaqua/Network.c).
const DETECTED: &str = "9C37197CA7C2428388C2E6E59B829B30";
/// Requests before the watermark (C: `max` in `ServerDownloadSignature`).
const QUESTIONS_MAX: u32 = 19;
/// A watermark with its padding is shorter than this (C: `MAX_WATERMARK_SIZE`).
const WATERMARK_MAX: u32 = 65_536;
/// Bytes of a read during the login.
const READ: usize = 4096;

/// A client that is logged in.
pub(super) struct Login {
    pub user: String,
    pub cipher: String,
    /// Absent: the data phase is not encrypted.
    pub keys: Option<Keys>,
}

/// Negotiates TLS and logs the client in; afterwards the stream carries the data phase and nothing else.
pub(super) fn accept(
    stream: &TcpStream,
    config: Arc<rustls::ServerConfig>,
    options: &PeerOptions,
) -> Result<Login, PeerError> {
    let secrets = Arc::new(Secrets::default());
    let mut config = Arc::unwrap_or_clone(config);
    config.key_log = Arc::clone(&secrets) as Arc<dyn rustls::KeyLog>;
    let mut tls = rustls::ServerConnection::new(Arc::new(config))?;
    let (user, encrypts) = log_in(&mut rustls::Stream::new(&mut tls, &mut &*stream), options)?;

    let suite = tls.negotiated_cipher_suite().ok_or(PeerError::Keys("there is no cipher suite"))?.suite();
    let cipher = suite.as_str().unwrap_or_default().replace("TLS13_", "TLS_");
    if !encrypts {
        return Ok(Login { user, cipher: "none".into(), keys: None });
    }
    let suite = Suite::from_iana(suite.into()).ok_or(PeerError::Keys("cedar::tls does not have the suite"))?;
    let counts = tls.dangerous_extract_secrets()?;
    let [client, server] = secrets.take().ok_or(PeerError::Keys("there are no traffic secrets"))?;
    let keys = Keys::tls13(suite, Side::Server, [&client, &server], [counts.tx.0, counts.rx.0])
        .map_err(|_| PeerError::Keys("the secrets do not fit the suite"))?;
    Ok(Login { user, cipher, keys: Some(keys) })
}

/// The two application traffic secrets as rustls tells them.
#[derive(Debug, Default)]
struct Secrets(Mutex<[Vec<u8>; 2]>);

impl Secrets {
    fn take(&self) -> Option<[Vec<u8>; 2]> {
        let secrets = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        secrets.iter().all(|secret| !secret.is_empty()).then_some(secrets)
    }
}

impl rustls::KeyLog for Secrets {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match label {
            "CLIENT_TRAFFIC_SECRET_0" => secrets[0] = secret.to_vec(),
            "SERVER_TRAFFIC_SECRET_0" => secrets[1] = secret.to_vec(),
            _ => {}
        }
    }
}

/// The four messages. Returns who it is, and whether the data phase is encrypted.
fn log_in(tls: &mut (impl Read + Write), options: &PeerOptions) -> Result<(String, bool), PeerError> {
    // A client may ask first what it has connected to (C: `DetectIsServerSoftEtherVPN`), and then shows its watermark.
    let mut questions = 0;
    while receive(tls, watermark_length)?.is_empty() {
        questions += 1;
        if questions > QUESTIONS_MAX {
            return Err(PeerError::Refused("too many questions and no watermark".into()));
        }
        let page = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{DETECTED}", DETECTED.len());
        tls.write_all(page.as_bytes()).and_then(|()| tls.flush()).map_err(PeerError::io("answer a question"))?;
    }
    let mut hello = Pack::new();
    hello.add_str("hello", SERVER.as_bytes())?;
    hello.add_int("version", VERSION)?;
    hello.add_int("build", BUILD)?;
    hello.add_data("random", &rand::rng().random::<[u8; 20]>())?;
    send(tls, &hello)?;

    let login = receive(tls, |header| http::server_recv(header, http::HTTP_PACK_MAX_SIZE))?;
    let login = Pack::decode(&login)?;
    let text = |name: &str| String::from_utf8_lossy(login.get_str(name).unwrap_or_default()).into_owned();
    let user = text("username");
    let is_user = options.users.iter().any(|known| known.eq_ignore_ascii_case(&user));
    let refusal = match (login.cmp_str("method", b"login"), login.cmp_str("hubname", options.hub.as_bytes())) {
        (true, true) if is_user => None,
        (true, false) => Some((ERR_HUB_NOT_FOUND, format!("there is no hub {}", text("hubname")))),
        (true, true) => Some((ERR_AUTH_FAILED, format!("there is no user {user}"))),
        (false, _) => Some((ERR_AUTH_FAILED, format!("method {} is not served", text("method")))),
    };
    if let Some((error, reason)) = refusal {
        let mut answer = Pack::new();
        answer.add_int("error", error)?;
        send(tls, &answer)?;
        return Err(PeerError::Refused(reason));
    }
    let encrypts = login.get_bool("use_encrypt");
    send(tls, &welcome(&user, encrypts)?)?;
    Ok((user, encrypts))
}

/// A watermark has some thousand bytes, a question none.
fn watermark_length(header: &http::Header) -> Result<u32, http::Error> {
    if header.method() == b"GET" { Ok(0) } else { http::content_length(header, WATERMARK_MAX) }
}

/// What is granted: one connection, nothing else (C: `PackWelcome`).
fn welcome(user: &str, encrypts: bool) -> Result<Pack, PeerError> {
    let mut pack = Pack::new();
    pack.add_str("session_name", format!("SID-{}-1", user.to_ascii_uppercase()).as_bytes())?;
    pack.add_str("connection_name", b"CID-1")?;
    pack.add_int("max_connection", 1)?;
    pack.add_bool("use_encrypt", encrypts)?;
    for granted_not in ["use_compress", "half_connection", "qos", "is_azure_session", "enable_udp_recovery"] {
        pack.add_bool(granted_not, false)?;
    }
    pack.add_int("timeout", TIMEOUT_MS)?;
    pack.add_data("session_key", &rand::rng().random::<[u8; 20]>())?;
    pack.add_int("session_key_32", rand::rng().random())?;
    pack.add_bool("policy:Access", true)?;
    pack.add_int("policy:MaxConnection", 1)?;
    pack.add_int("policy:TimeOut", TIMEOUT_MS / 1000)?;
    pack.add_int("vlan_id", 0)?;
    Ok(pack)
}

/// One message of the client: its header, and as much body as `length` allows.
fn receive(
    tls: &mut impl Read,
    length: impl Fn(&http::Header) -> Result<u32, http::Error>,
) -> Result<Vec<u8>, PeerError> {
    let mut header = HeaderReader::new();
    let mut body: Option<BodyReader> = None;
    let mut buffer = [0; READ];
    loop {
        let read = tls.read(&mut buffer).map_err(PeerError::io("receive a message of the login"))?;
        if read == 0 {
            return Err(http::Error::Truncated.into());
        }
        let mut input = buffer.get(..read).unwrap_or_default();
        if body.is_none() {
            body = header.push(&mut input)?.map(|header| length(&header)).transpose()?.map(BodyReader::new);
        }
        if let Some(message) = body.as_mut().and_then(|body| body.push(&mut input)) {
            return Ok(message);
        }
    }
}

fn send(tls: &mut impl Write, pack: &Pack) -> Result<(), PeerError> {
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis());
    let date = http::http_date(u64::try_from(now).unwrap_or(0));
    let message = http::server_send(&pack.encode()?, &date)?;
    tls.write_all(&message).and_then(|()| tls.flush()).map_err(PeerError::io("send a message of the login"))
}
