//! Which server certificates are accepted: `[tls]` of the configuration, applied to an established TLS connection.
//!
//! 1. Take the certificate that the server proved to have, and the others it sent.
//! 2. A pin compares the SHA-256 of that certificate, and nothing else matters.
//! 3. Otherwise build a chain to a trusted certificate, valid today, issued for a server of the configured name.
//! 4. A refusal says why, and shows the fingerprint that a pin would need.

use config::Config;
use config::config::Verify;
use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ssl::SslRef;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult};
use std::fmt::Write;
use std::net::IpAddr;

/// Checks the peer of `ssl`. The error is a sentence for the user.
///
/// # Safety
/// `ssl` is null or an SSL that nobody else uses meanwhile.
pub(crate) unsafe fn verify(config: &Config, ssl: *mut openssl_sys::SSL) -> Result<(), String> {
    if config.verify == Verify::Off {
        return Ok(());
    }
    if ssl.is_null() {
        return Err("the connection has no TLS, so the server cannot prove who it is".to_owned());
    }
    // SAFETY: the caller's.
    let ssl = unsafe { SslRef::from_ptr(ssl) };
    let leaf = ssl.peer_certificate().ok_or("the server showed no certificate")?;
    let fingerprint = fingerprint(&leaf).map_err(|error| failure(&error))?;
    let roots = match &config.verify {
        Verify::Off => return Ok(()),
        Verify::Pin(pin) if fingerprint == *pin => return Ok(()),
        Verify::Pin(_) => return Err(refusal("is not the one that tls.pin names", &fingerprint)),
        Verify::SystemRoots => system_roots(),
        Verify::CaFile(pem) => roots_of(&pem.bytes),
    };
    let verified = roots.and_then(|roots| check_chain(ssl, &leaf, &config.host, roots));
    match verified.map_err(|error| failure(&error))? {
        X509VerifyResult::OK => Ok(()),
        result => Err(refusal(&explain(result, &leaf, &config.host), &fingerprint)),
    }
}

fn refusal(problem: &str, fingerprint: &[u8]) -> String {
    let mut digits = String::new();
    for byte in fingerprint {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    format!(
        "the server's certificate {problem}; if a certificate with the fingerprint sha256:{digits} is your server's, write that as tls.pin"
    )
}

fn failure(error: &ErrorStack) -> String {
    format!("OpenSSL cannot check the server's certificate: {error}")
}

fn fingerprint(certificate: &X509Ref) -> Result<Vec<u8>, ErrorStack> {
    certificate.digest(MessageDigest::sha256()).map(|digest| digest.to_vec())
}

fn system_roots() -> Result<X509StoreBuilder, ErrorStack> {
    let mut roots = X509StoreBuilder::new()?;
    roots.set_default_paths()?;
    Ok(roots)
}

fn roots_of(pem: &[u8]) -> Result<X509StoreBuilder, ErrorStack> {
    let mut roots = X509StoreBuilder::new()?;
    for certificate in X509::stack_from_pem(pem)? {
        roots.add_cert(certificate)?;
    }
    // A certificate of the file is trusted even if another one signed it.
    roots.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    Ok(roots)
}

/// Builds a chain from `leaf` over what the server sent to `roots`.
fn check_chain(
    ssl: &SslRef,
    leaf: &X509Ref,
    host: &str,
    mut roots: X509StoreBuilder,
) -> Result<X509VerifyResult, ErrorStack> {
    let wanted = wanted(host)?;
    roots.set_param(&wanted)?;
    let none = Stack::new()?;
    let sent = ssl.peer_cert_chain().unwrap_or(&none);
    X509StoreContext::new()?.init(&roots.build(), leaf, sent, |context| {
        context.verify_cert()?;
        Ok(context.error())
    })
}

/// A server's certificate for this name or address.
fn wanted(host: &str) -> Result<X509VerifyParam, ErrorStack> {
    let mut wanted = X509VerifyParam::new()?;
    wanted.set_purpose(X509PurposeId::SSL_SERVER)?;
    wanted.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
    match host.parse::<IpAddr>() {
        Ok(address) => wanted.set_ip(address)?,
        Err(_) => wanted.set_host(host.strip_suffix('.').unwrap_or(host))?,
    }
    Ok(wanted)
}

fn explain(result: X509VerifyResult, leaf: &X509Ref, host: &str) -> String {
    match result.as_raw() {
        openssl_sys::X509_V_ERR_HOSTNAME_MISMATCH | openssl_sys::X509_V_ERR_IP_ADDRESS_MISMATCH => {
            format!("is for {}, not for {host}", names(leaf))
        }
        openssl_sys::X509_V_ERR_CERT_HAS_EXPIRED => format!("expired on {}", leaf.not_after()),
        openssl_sys::X509_V_ERR_CERT_NOT_YET_VALID => format!("is valid only from {}", leaf.not_before()),
        openssl_sys::X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT => {
            "is self-signed, so nobody vouches for it".to_owned()
        }
        _ => format!("cannot be trusted: {}", result.error_string()),
    }
}

/// The names and addresses that a certificate is for.
fn names(certificate: &X509Ref) -> String {
    let alternatives = certificate.subject_alt_names();
    let mut names: Vec<String> = alternatives
        .iter()
        .flatten()
        .filter_map(|name| name.dnsname().map(str::to_owned).or_else(|| name.ipaddress().and_then(address)))
        .collect();
    if names.is_empty() {
        let common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
        names.extend(common.filter_map(|entry| entry.data().to_string().ok()));
    }
    // Names come from the server and end up on a terminal.
    names.iter_mut().for_each(|name| name.retain(|character| !character.is_control()));
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4().or_else(|_| v6()).ok().map(|address| address.to_string())
}
