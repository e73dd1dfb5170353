//! Connections that OpenSSL has made over contexts of `NewSSLCtx`, taken over by both record layers.

use super::{openssl::OpenSsl, *};
use ::openssl::asn1::Asn1Time;
use ::openssl::ec::{EcGroup, EcKey};
use ::openssl::hash::MessageDigest;
use ::openssl::nid::Nid;
use ::openssl::pkey::PKey;
use ::openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVersion};
use ::openssl::x509::{X509, X509NameBuilder};
use cedar::fused::Records;
use cedar::tls::Sealer;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

unsafe extern "C" {
    fn SSL_set_fd(ssl: *mut ossl::SSL, fd: c_int) -> c_int;
    fn SSL_key_update(ssl: *mut ossl::SSL, kind: c_int) -> c_int;
}

fn server_context(version: SslVersion, ciphers: &str) -> SslContext {
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
    context.set_min_proto_version(Some(version)).unwrap();
    context.set_max_proto_version(Some(version)).unwrap();
    match version {
        SslVersion::TLS1_3 => context.set_ciphersuites(ciphers).unwrap(),
        _ => context.set_cipher_list(ciphers).unwrap(),
    }
    context.set_certificate(&certificate.build()).unwrap();
    context.set_private_key(&key).unwrap();
    context.build()
}

/// A client's object over a context of the swap's Rust side, connected; and what the server does after that.
fn connect(
    version: SslVersion,
    ciphers: &str,
    serve: impl FnOnce(SslStream<UnixStream>) + Send + 'static,
) -> (*mut ossl::SSL, UnixStream, JoinHandle<()>) {
    let (near, far) = UnixStream::pair().unwrap();
    let context = server_context(version, ciphers);
    let server = std::thread::spawn(move || serve(Ssl::new(&context).unwrap().accept(far).unwrap()));
    // SAFETY: a new context and object, each used here only; the socket outlives them.
    unsafe {
        let context = crate::new_ssl_ctx::rust(0);
        let ssl = ossl::SSL_new(context.cast());
        softether_sys::FreeSSLCtx(context);
        assert_eq!(SSL_set_fd(ssl, near.as_raw_fd()), 1);
        assert_eq!(ossl::SSL_connect(ssl), 1, "{:?}", ::openssl::error::ErrorStack::get());
        (ssl, near, server)
    }
}

const KINDS: [(SslVersion, &str); 6] = [
    (SslVersion::TLS1_3, "TLS_AES_128_GCM_SHA256"),
    (SslVersion::TLS1_3, "TLS_AES_256_GCM_SHA384"),
    (SslVersion::TLS1_3, "TLS_CHACHA20_POLY1305_SHA256"),
    (SslVersion::TLS1_2, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (SslVersion::TLS1_2, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (SslVersion::TLS1_2, "ECDHE-ECDSA-CHACHA20-POLY1305"),
];

/// Says hello over OpenSSL, both ways, as the login does.
fn log_in(ssl: *mut ossl::SSL, rounds: u8) {
    for round in 0..rounds {
        let mut answer = [0; 5];
        // SAFETY: a live object, used here only.
        unsafe {
            assert_eq!(ossl::SSL_write(ssl, [round; 5].as_ptr().cast(), 5), 5);
            assert_eq!(ossl::SSL_read(ssl, answer.as_mut_ptr().cast(), 5), 5);
        }
        assert_eq!(answer, [round; 5]);
    }
}

/// Answers as many hellos, then sends `more` in the same record as nothing, then echoes until the end.
fn serve(rounds: u8, more: &'static [u8]) -> impl FnOnce(SslStream<UnixStream>) + Send {
    move |mut stream| {
        for round in 0..rounds {
            let mut hello = [0; 5];
            stream.read_exact(&mut hello).unwrap();
            let last = if round + 1 == rounds { more } else { &[] };
            stream.write_all(&[&hello[..], last].concat()).unwrap();
        }
        let mut buffer = vec![0; 1 << 14];
        while let Ok(size @ 1..) = stream.read(&mut buffer) {
            stream.write_all(&buffer[..size]).unwrap();
        }
    }
}

#[test]
fn rust_goes_on_where_openssl_stopped() {
    for (version, ciphers) in KINDS {
        for (rounds, more) in [(0, &b""[..]), (1, b""), (3, b"read with the login")] {
            let what = format!("{ciphers}, {rounds} rounds");
            let (ssl, mut socket, server) = connect(version, ciphers, serve(rounds, more));
            log_in(ssl, rounds);
            // SAFETY: a live object, used no more but to be freed.
            let (mut keys, handed_over) = unsafe { take_over(ssl) }.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(handed_over, more, "{what}");
            let data: Vec<u8> = (0..50_000u32).map(|place| place as u8).collect();
            let mut sealed = vec![0; Sealer::sealed_len_max(data.len())];
            let size = keys.sealer.seal_all(&data, &mut sealed).unwrap();
            let mut writer = socket.try_clone().unwrap();
            let writing = std::thread::spawn(move || writer.write_all(&sealed[..size]).unwrap());
            let (mut received, mut wire) = (Vec::new(), Vec::new());
            let (mut buffer, mut out) = (vec![0; 1 << 16], vec![0; 1 << 17]);
            while received.len() < data.len() {
                let size = socket.read(&mut buffer).unwrap();
                wire.extend_from_slice(&buffer[..size]);
                let opened = keys.opener.open_all(&wire, &mut out);
                assert_eq!(opened.end, None, "{what}");
                received.extend_from_slice(&out[..opened.plaintext]);
                wire.drain(..opened.taken);
            }
            assert_eq!(received, data, "{what}");
            writing.join().unwrap();
            // What the C does when it closes the connection says nothing.
            // SAFETY: the last use of the object.
            unsafe { ossl::SSL_free(ssl) };
            drop(socket);
            server.join().unwrap();
        }
    }
}

#[test]
fn openssl_itself_goes_on_over_memory() {
    for (version, ciphers) in KINDS {
        let more = b"read with the login";
        let (ssl, mut socket, server) = connect(version, ciphers, serve(2, more));
        log_in(ssl, 2);
        // SAFETY: a live object, used by the record layer only from here on.
        let (mut records, handed_over) = unsafe { OpenSsl::new(ssl) }.unwrap();
        // SAFETY: the record layer has a reference of its own.
        unsafe { ossl::SSL_free(ssl) };
        assert_eq!(handed_over, more, "{ciphers}");
        let data: Vec<u8> = (0..50_000u32).map(|place| place as u8).collect();
        let mut sealed = vec![0; records.sealed_len_max(data.len())];
        let size = records.seal(&data, &mut sealed).unwrap();
        let mut writer = socket.try_clone().unwrap();
        let writing = std::thread::spawn(move || writer.write_all(&sealed[..size]).unwrap());
        let (mut received, mut buffer, mut out) = (Vec::new(), vec![0; 7001], vec![0; 1 << 17]);
        while received.len() < data.len() {
            let size = socket.read(&mut buffer).unwrap();
            let opened = records.open(&buffer[..size], &mut out);
            assert_eq!((opened.taken, opened.end), (size, None), "{ciphers}");
            received.extend_from_slice(&out[..opened.plaintext]);
        }
        assert_eq!(received, data, "{ciphers}");
        writing.join().unwrap();
        let mut goodbye = [0; 256];
        let size = records.seal_end(None, &mut goodbye);
        assert_ne!(size, 0);
        socket.write_all(&goodbye[..size]).unwrap();
        server.join().unwrap();
    }
}

#[test]
fn what_cannot_be_followed_stays_with_openssl() {
    // A suite without a record layer here.
    let (ssl, socket, server) = connect(SslVersion::TLS1_2, "ECDHE-ECDSA-AES256-SHA384", serve(0, b""));
    // SAFETY: a live object of this test, here and below.
    let refused = unsafe { take_over(ssl) }.map(drop);
    assert_eq!(refused, Err(Refused::Suite));
    // SAFETY: its last use.
    unsafe { ossl::SSL_free(ssl) };
    drop(socket);
    server.join().unwrap();
    // An object that the C side made.
    // SAFETY: new objects, freed once.
    unsafe {
        let context = ossl::SSL_CTX_new(ossl::TLS_client_method());
        let ssl = ossl::SSL_new(context);
        assert_eq!(take_over(ssl).map(drop), Err(Refused::NotRecorded));
        ossl::SSL_free(ssl);
        ossl::SSL_CTX_free(context);
    }
    // A key that changed during the login.
    let (ssl, socket, server) = connect(SslVersion::TLS1_3, "TLS_AES_256_GCM_SHA384", serve(1, b""));
    // SAFETY: as above.
    unsafe {
        assert_eq!(SSL_key_update(ssl, 0), 1);
        log_in(ssl, 1);
        assert_eq!(take_over(ssl).map(drop), Err(Refused::KeysChanged));
        ossl::SSL_free(ssl);
    }
    drop(socket);
    server.join().unwrap();
}
