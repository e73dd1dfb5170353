//! A TLS connection between two OpenSSL ends in one thread, whose client end is then taken over by `cedar::tls`.
#![allow(dead_code, reason = "each test file uses a part of it")]

use cedar::tls::{Keys, Opened, Side, Suite};
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{
    HandshakeError, Ssl, SslContext, SslContextBuilder, SslMethod, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509NameBuilder};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

/// One end of a connection in memory.
#[derive(Clone, Debug, Default)]
pub struct Pipe {
    incoming: Arc<Mutex<VecDeque<u8>>>,
    outgoing: Arc<Mutex<VecDeque<u8>>>,
}

impl Pipe {
    pub fn pair() -> (Self, Self) {
        let one = Self::default();
        let other = Self { incoming: Arc::clone(&one.outgoing), outgoing: Arc::clone(&one.incoming) };
        (one, other)
    }

    /// Everything that waits at this end.
    pub fn drain(&self) -> Vec<u8> {
        self.incoming.lock().unwrap().drain(..).collect()
    }

    pub fn send(&self, bytes: &[u8]) {
        self.outgoing.lock().unwrap().extend(bytes);
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut incoming = self.incoming.lock().unwrap();
        if incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        incoming.read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A version and a suite to agree on.
#[derive(Clone, Copy, Debug)]
pub struct Agreed {
    pub is_tls13: bool,
    pub suite: Suite,
}

impl Agreed {
    pub fn all() -> impl Iterator<Item = Self> {
        Suite::ALL.into_iter().flat_map(|suite| [true, false].map(|is_tls13| Self { is_tls13, suite }))
    }

    fn name(self) -> &'static str {
        match (self.is_tls13, self.suite) {
            (true, Suite::Aes128Gcm) => "TLS_AES_128_GCM_SHA256",
            (true, Suite::Aes256Gcm) => "TLS_AES_256_GCM_SHA384",
            (true, Suite::ChaCha20Poly1305) => "TLS_CHACHA20_POLY1305_SHA256",
            (false, Suite::Aes128Gcm) => "ECDHE-ECDSA-AES128-GCM-SHA256",
            (false, Suite::Aes256Gcm) => "ECDHE-ECDSA-AES256-GCM-SHA384",
            (false, Suite::ChaCha20Poly1305) => "ECDHE-ECDSA-CHACHA20-POLY1305",
        }
    }

    fn restrict(self, context: &mut SslContextBuilder) {
        let version = if self.is_tls13 { SslVersion::TLS1_3 } else { SslVersion::TLS1_2 };
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        if self.is_tls13 {
            context.set_ciphersuites(self.name()).unwrap();
        } else {
            context.set_cipher_list(self.name()).unwrap();
        }
    }
}

/// A connection whose client end is ours.
pub struct Taken {
    pub keys: Keys,
    pub wire: Pipe,
    pub server: SslStream<Pipe>,
    /// Bytes received and not opened yet.
    received: Vec<u8>,
}

/// Connects, has OpenSSL exchange `exchanged` records of data each way, and takes the client's end over.
pub fn take_over(agreed: Agreed, exchanged: u64) -> Taken {
    let secrets: Arc<Mutex<Vec<String>>> = Arc::default();
    let (near, far) = Pipe::pair();
    let mut server = Ssl::new(&server_context(agreed)).unwrap().accept(far);
    let mut client = Ssl::new(&client_context(agreed, &secrets)).unwrap().connect(near.clone());
    // Each turn lets both ends go as far as they can.
    for _ in 0..8 {
        client = go_on(client);
        server = go_on(server);
    }
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    let mut byte = [0];
    for _ in 0..exchanged {
        client.ssl_write(&[1]).unwrap();
        server.ssl_write(&[2]).unwrap();
        assert_eq!(server.ssl_read(&mut byte).unwrap(), 1);
        assert_eq!(client.ssl_read(&mut byte).unwrap(), 1);
    }
    // OpenSSL's server sends two tickets behind its handshake, which the client reads with the first data.
    let tickets = if agreed.is_tls13 && exchanged > 0 { 2 } else { 0 };
    let keys = if agreed.is_tls13 {
        let secrets = secrets.lock().unwrap();
        let [own, peer] = ["CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "].map(|label| logged(&secrets, label));
        Keys::tls13(agreed.suite, Side::Client, [&own, &peer], [exchanged, exchanged + tickets])
    } else {
        let ssl = client.ssl();
        let (mut own, mut peer) = ([0; 32], [0; 32]);
        ssl.client_random(&mut own);
        ssl.server_random(&mut peer);
        let mut master = [0; 48];
        ssl.session().unwrap().master_key(&mut master);
        // Behind ChangeCipherSpec each end has sent Finished.
        Keys::tls12(agreed.suite, Side::Client, &master, [&own, &peer], [exchanged + 1, exchanged + 1])
    };
    // The client's OpenSSL object may say goodbye when it goes: not on this wire.
    std::mem::forget(client);
    Taken { keys: keys.unwrap(), wire: near, server, received: Vec::new() }
}

impl Taken {
    /// Sends data to OpenSSL, and returns what it reads.
    pub fn send_up(&mut self, data: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; cedar::tls::Sealer::sealed_len_max(data.len())];
        let size = self.keys.sealer.seal_all(data, &mut sealed).unwrap();
        self.wire.send(&sealed[..size]);
        self.server_reads()
    }

    pub fn server_reads(&mut self) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 14]);
        loop {
            match self.server.ssl_read(&mut buffer) {
                Ok(0) => return all,
                Ok(size) => all.extend_from_slice(&buffer[..size]),
                Err(error) if error.code() == openssl::ssl::ErrorCode::WANT_READ => return all,
                Err(error) => panic!("the server reads: {error}"),
            }
        }
    }

    /// Has OpenSSL send data, and returns what came of it here.
    pub fn send_down(&mut self, data: &[u8]) -> (Vec<u8>, Opened) {
        self.server.write_all(data).unwrap();
        self.client_reads()
    }

    pub fn client_reads(&mut self) -> (Vec<u8>, Opened) {
        self.received.extend(self.wire.drain());
        let mut out = vec![0; self.received.len() + cedar::tls::FRAGMENT_MAX];
        let opened = self.keys.opener.open_all(&self.received, &mut out);
        self.received.drain(..opened.taken);
        out.truncate(opened.plaintext);
        if opened.key_update_requested {
            self.keys.sealer.owe_key_update();
        }
        (out, opened)
    }
}

type Handshake = Result<SslStream<Pipe>, HandshakeError<Pipe>>;

fn go_on(state: Handshake) -> Handshake {
    match state {
        Err(HandshakeError::WouldBlock(middle)) => middle.handshake(),
        other => other,
    }
}

fn logged(lines: &[String], label: &str) -> Vec<u8> {
    let line = lines.iter().find(|line| line.starts_with(label)).unwrap();
    let digits = line.rsplit(' ').next().unwrap().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn client_context(agreed: Agreed, secrets: &Arc<Mutex<Vec<String>>>) -> SslContext {
    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
    agreed.restrict(&mut context);
    context.set_verify(SslVerifyMode::NONE);
    let secrets = Arc::clone(secrets);
    context.set_keylog_callback(move |_, line| secrets.lock().unwrap().push(line.to_owned()));
    context.build()
}

fn server_context(agreed: Agreed) -> SslContext {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "server").unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    agreed.restrict(&mut context);
    context.set_certificate(&certificate.build()).unwrap();
    context.set_private_key(&key).unwrap();
    context.build()
}
