//! Against real servers over loopback: rustls's, and OpenSSL's for the versions that rustls does not speak; and against
//! what is no server at all.

use super::*;
use crate::crypto::KeyKind;
use openssl::ssl::{SslAcceptor, SslMethod, SslVersion};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn made(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec![name.to_owned()]).unwrap()
}

fn certificate(made: &CertifiedKey<KeyPair>) -> Certificate {
    Certificate::read(made.cert.der()).unwrap()
}

fn key_der(made: &CertifiedKey<KeyPair>) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn server_config(own: &CertifiedKey<KeyPair>) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    builder.with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key_der(own)).unwrap()
}

/// Accepts `times` connections, and answers each by what it was sent; the last thing it saw of each.
fn serve(config: ServerConfig, times: usize) -> (std::net::SocketAddr, JoinHandle<Vec<io::Result<()>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config);
    let answer = move |stream: TcpStream| -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(connection, stream);
        let mut word = [0; 4];
        tls.read_exact(&mut word)?;
        tls.write_all(&word)?;
        tls.conn.send_close_notify();
        tls.flush()?;
        // Until the client went, so that nothing of it is lost to a reset.
        tls.read_to_end(&mut Vec::new()).map(drop)
    };
    let server = thread::spawn(move || (0..times).map(|_| listener.accept().and_then(|(s, _)| answer(s))).collect());
    (address, server)
}

fn dial(address: std::net::SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection that says a word and hears it again.
fn talk(client: &Client, address: std::net::SocketAddr) -> Stream<TcpStream> {
    let mut tls = client.connect("localhost", dial(address)).unwrap();
    tls.write_all(b"word").unwrap();
    let mut answer = Vec::new();
    tls.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"word");
    tls.close().unwrap();
    tls
}

fn refusal(options: Options, name: &str, config: ServerConfig) -> Error {
    let (address, server) = serve(config, 1);
    let error = Client::new(options).unwrap().connect(name, dial(address)).unwrap_err();
    assert!(server.join().unwrap()[0].is_err());
    error
}

#[test]
fn both_versions_by_roots_and_by_pins_and_sessions_are_resumed() {
    let own = made("localhost");
    let trusts = [Trust::Roots(vec![certificate(&own)]), Trust::Pins(vec![[0; 32], certificate(&own).fingerprint()])];
    for trust in trusts {
        for (versions, said) in [(&rustls::version::TLS12, "TLS 1.2"), (&rustls::version::TLS13, "TLS 1.3")] {
            let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[versions]).unwrap();
            let chain: Vec<CertificateDer<'static>> = vec![own.cert.der().clone()];
            let mut config = builder.with_no_client_auth().with_single_cert(chain, key_der(&own)).unwrap();
            config.alpn_protocols = vec![b"vpn".to_vec()];
            config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
            let (address, server) = serve(config, 2);
            let alpn = vec![b"other".to_vec(), b"vpn".to_vec()];
            let client = Client::new(Options { alpn, ..Options::new(trust.clone()) }).unwrap();
            let first = talk(&client, address);
            assert_eq!((first.version(), first.alpn(), first.resumed()), (said, Some(&b"vpn"[..]), false));
            assert_eq!(first.certificate(), Some(certificate(&own)));
            assert!(first.cipher_suite().starts_with("TLS"), "{}", first.cipher_suite());
            drop(first);
            assert!(talk(&client, address).resumed(), "{said}");
            assert!(server.join().unwrap().iter().all(Result::is_ok));
        }
    }
}

#[test]
fn a_server_that_is_not_trusted_is_told_with_its_fingerprint() {
    let (own, other) = (made("localhost"), made("localhost"));
    let cases = [
        (Trust::Roots(vec![certificate(&other)]), "localhost"),
        (Trust::Roots(vec![certificate(&own)]), "example.com"),
        (Trust::Roots(vec![certificate(&own)]), "127.0.0.1"),
        (Trust::Pins(vec![certificate(&other).fingerprint()]), "localhost"),
        (Trust::System, "localhost"),
    ];
    for (trust, name) in cases {
        let shown = format!("{trust:?} {name}");
        // A machine without certificates of its own has nothing to trust a server by.
        if matches!(trust, Trust::System)
            && matches!(Client::new(Options::new(Trust::System)), Err(Error::SystemRoots(_)))
        {
            continue;
        }
        match refusal(Options::new(trust), name, server_config(&own)) {
            Error::Untrusted { fingerprint, reason } => {
                assert_eq!(fingerprint, certificate(&own).fingerprint());
                assert!(!reason.is_empty());
            }
            error => panic!("{shown}: {error}"),
        }
    }
}

#[test]
fn a_client_shows_its_certificate() {
    let (own, client, stranger) = (made("localhost"), made("client"), made("client"));
    let mut roots = RootCertStore::empty();
    roots.add(client.cert.der().clone()).unwrap();
    let asks = || {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), provider()).build().unwrap();
        let builder = ServerConfig::builder_with_provider(provider());
        // In TLS 1.2 the server judges before the handshake ends; in 1.3 the client hears of it with its first read.
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
        builder
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![own.cert.der().clone()], key_der(&own))
            .unwrap()
    };
    let identity = |made: &CertifiedKey<KeyPair>| Identity {
        chain: vec![certificate(made)],
        key: PrivateKey::read(&made.signing_key.serialize_der()).unwrap(),
    };
    let options = |identity| Options { identity, ..Options::new(Trust::Roots(vec![certificate(&own)])) };
    assert_eq!(identity(&client).key.kind(), KeyKind::Ecdsa);

    let (address, server) = serve(asks(), 1);
    talk(&Client::new(options(Some(identity(&client)))).unwrap(), address);
    assert!(server.join().unwrap()[0].is_ok());
    for wrong in [None, Some(identity(&stranger))] {
        let error = refusal(options(wrong), "localhost", asks());
        assert!(matches!(error, Error::Refused(_)), "{error}");
    }
    let mixed = Identity { chain: vec![certificate(&client)], key: identity(&stranger).key };
    assert!(matches!(Client::new(options(Some(mixed))), Err(Error::Identity(_))));
}

#[test]
fn nobody_to_trust_and_no_name_are_errors() {
    for trust in [Trust::Pins(Vec::new()), Trust::Roots(Vec::new())] {
        assert!(matches!(Client::new(Options::new(trust)), Err(Error::Trust(_))));
    }
    let client = Client::new(Options::new(Trust::Pins(vec![[0; 32]]))).unwrap();
    for name in ["", "a b", "name\0", "a..b"] {
        let error = client.connect(name, io::Cursor::new(Vec::new())).unwrap_err();
        assert!(matches!(error, Error::ServerName(_)), "{error}");
    }
}

#[test]
fn a_server_that_knows_none_of_the_protocols_or_only_old_versions() {
    let own = made("localhost");
    let trust = || Trust::Roots(vec![certificate(&own)]);
    let mut config = server_config(&own);
    config.alpn_protocols = vec![b"other".to_vec()];
    let error = refusal(Options { alpn: vec![b"vpn".to_vec()], ..Options::new(trust()) }, "localhost", config);
    assert!(matches!(error, Error::Refused(_)), "{error}");

    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS12]).unwrap().with_no_client_auth();
    let config = builder.with_single_cert(vec![own.cert.der().clone()], key_der(&own)).unwrap();
    let error = refusal(Options { lowest: Lowest::Tls13, ..Options::new(trust()) }, "localhost", config);
    assert!(matches!(error, Error::OldServer), "{error}");

    // OpenSSL with nothing but TLS 1.1, as SoftEther's of years ago.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls()).unwrap();
    acceptor.clear_options(openssl::ssl::SslOptions::NO_TLSV1 | openssl::ssl::SslOptions::NO_TLSV1_1);
    acceptor.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
    acceptor.set_max_proto_version(Some(SslVersion::TLS1_1)).unwrap();
    acceptor.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    acceptor
        .set_private_key(&openssl::pkey::PKey::private_key_from_der(&own.signing_key.serialize_der()).unwrap())
        .unwrap();
    acceptor.set_certificate(&openssl::x509::X509::from_der(own.cert.der()).unwrap()).unwrap();
    let acceptor = acceptor.build();
    let server = thread::spawn(move || acceptor.accept(listener.accept().unwrap().0).is_ok());
    let error = Client::new(Options::new(trust())).unwrap().connect("localhost", dial(address)).unwrap_err();
    assert!(matches!(error, Error::OldServer), "{error}");
    assert!(!server.join().unwrap());
}

/// What a server sent, up to a point, to a client that says whatever it likes.
#[derive(Debug)]
struct Said<'a> {
    input: &'a [u8],
    /// Most bytes of a read.
    piece: usize,
}

impl Read for Said<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.piece.min(buffer.len());
        self.input.read(&mut buffer[..piece])
    }
}

impl Write for Said<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_no_tls_and_what_is_cut_off_and_what_never_ends() {
    let client = Client::new(Options::new(Trust::Pins(vec![[0; 32]]))).unwrap();
    let connect = |input: &[u8], piece| client.connect("localhost", Said { input, piece }).unwrap_err();
    for text in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.2p1\r\n", &[0; 64]] {
        for piece in [1, 7, 4096] {
            let error = connect(text, piece);
            assert!(matches!(error, Error::NotTls), "{error}");
        }
    }
    // The alert that a server of old versions answers with.
    assert!(matches!(connect(&[21, 3, 1, 0, 2, 2, 70], 4096), Error::OldServer));
    // A ServerHello of TLS 1.1, cut off at every byte.
    let hello = [&[22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    for length in 0..hello.len() {
        let error = connect(&hello[..length], 3);
        assert!(
            matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof),
            "{length}: {error}"
        );
    }
    assert!(matches!(connect(&hello, 3), Error::OldServer));
    // A handshake message that never ends, in records without end: whichever limit is first, it is an error.
    let record = [&[22, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff][..], &[0; 0x4000 - 4]].concat();
    let error = connect(&record.repeat(2 * HANDSHAKE_MAX / record.len()), 4096);
    assert!(!matches!(error, Error::Io(_)), "{error}");
}
