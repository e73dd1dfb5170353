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
        openssl_sys::X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT => "is self-signed, so nobody vouches for it".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use config::cli::Command;
    use config::locate::Environment;
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::pkey::{PKey, Private};
    use openssl::ssl::{SslAcceptor, SslConnector, SslMethod, SslStream, SslVerifyMode};
    use openssl::x509::X509NameBuilder;
    use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
    use std::os::unix::net::UnixStream;

    struct Identity {
        certificate: X509,
        key: PKey<Private>,
    }

    /// What a certificate says.
    #[derive(Clone, Copy)]
    struct Claim<'a> {
        dns: &'a [&'a str],
        ips: &'a [&'a str],
        /// Days from now.
        valid: (i64, i64),
        ca: bool,
        client: bool,
    }

    const GOOD: Claim<'_> =
        Claim { dns: &["vpn.example.net"], ips: &["192.0.2.1"], valid: (-1, 1), ca: false, client: false };

    fn issue(claim: Claim<'_>, issuer: Option<&Identity>) -> Identity {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", if claim.ca { "ca" } else { "server" }).unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(issuer.map_or(&name, |issuer| issuer.certificate.subject_name())).unwrap();
        builder.set_pubkey(&key).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        let day = |days: i64| Asn1Time::from_unix(now + days * 86_400).unwrap();
        builder.set_not_before(&day(claim.valid.0)).unwrap();
        builder.set_not_after(&day(claim.valid.1)).unwrap();
        if claim.ca {
            builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        }
        if claim.client {
            builder.append_extension(ExtendedKeyUsage::new().client_auth().build().unwrap()).unwrap();
        }
        if !claim.dns.is_empty() || !claim.ips.is_empty() {
            let mut names = SubjectAlternativeName::new();
            claim.dns.iter().for_each(|dns| _ = names.dns(dns));
            claim.ips.iter().for_each(|ip| _ = names.ip(ip));
            let names = names.build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        builder.sign(issuer.map_or(&key, |issuer| &issuer.key), MessageDigest::sha256()).unwrap();
        Identity { certificate: builder.build(), key }
    }

    /// The client's end of a TLS connection to a server with this identity.
    fn connect(server: &Identity) -> SslStream<UnixStream> {
        let (near, far) = UnixStream::pair().unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls()).unwrap();
        acceptor.set_certificate(&server.certificate).unwrap();
        acceptor.set_private_key(&server.key).unwrap();
        let acceptor = acceptor.build();
        let accepting = std::thread::spawn(move || acceptor.accept(far).map(drop).map_err(|error| error.to_string()));
        let mut connector = SslConnector::builder(SslMethod::tls()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        let configured = connector.build().configure().unwrap().verify_hostname(false);
        let stream = configured.connect("any", near).unwrap();
        accepting.join().unwrap().unwrap();
        stream
    }

    fn config(host: &str, verify: Verify) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.toml");
        std::fs::write(&file, format!("server = \"{host}\"\n[auth]\ntype = \"anonymous\"\nuser = \"u\"\n")).unwrap();
        let line = ["cutover".into(), "up".into(), file.into_os_string()];
        let Ok(Command::Up(connection)) = config::parse(line) else { panic!("the command line does not parse") };
        let environment = Environment::default();
        let config = Config::load(&connection.target, &connection.overrides, &environment).unwrap();
        Config { verify, ..config }
    }

    fn verdict(server: &Identity, host: &str, how: Verify) -> Result<(), String> {
        let stream = connect(server);
        // SAFETY: the stream's own SSL, which nobody else uses.
        unsafe { verify(&config(host, how), stream.ssl().as_ptr()) }
    }

    fn trusting(identity: &Identity) -> Verify {
        let bytes = identity.certificate.to_pem().unwrap();
        Verify::CaFile(config::config::Pem { path: "ca.pem".into(), bytes })
    }

    fn authority() -> Identity {
        issue(Claim { ca: true, dns: &[], ips: &[], ..GOOD }, None)
    }

    #[test]
    fn a_chain_to_the_file_and_a_matching_name_are_accepted() {
        let ca = authority();
        let server = issue(GOOD, Some(&ca));
        for host in ["vpn.example.net", "VPN.example.NET", "vpn.example.net.", "192.0.2.1"] {
            assert_eq!(verdict(&server, host, trusting(&ca)), Ok(()), "{host}");
        }
        assert_eq!(verdict(&server, "vpn.example.net", trusting(&server)), Ok(()), "the leaf itself in the file");
        let wild = issue(Claim { dns: &["*.example.net"], ..GOOD }, Some(&ca));
        assert_eq!(verdict(&wild, "vpn.example.net", trusting(&ca)), Ok(()));
    }

    #[test]
    fn every_refusal_says_why_and_shows_the_fingerprint() {
        let (ca, other) = (authority(), authority());
        let expired = Claim { valid: (-2, -1), ..GOOD };
        let early = Claim { valid: (1, 2), ..GOOD };
        let client = Claim { client: true, ..GOOD };
        let partial = Claim { dns: &["vp*.example.net"], ..GOOD };
        let nameless = Claim { dns: &[], ips: &[], ..GOOD };
        for (claim, host, why) in [
            (GOOD, "evil.example.net", "is for vpn.example.net, 192.0.2.1, not for evil.example.net"),
            (GOOD, "192.0.2.2", "not for 192.0.2.2"),
            (GOOD, "example.net", "not for example.net"),
            (nameless, "vpn.example.net", "is for server, not for"),
            (partial, "vpn.example.net", "not for vpn.example.net"),
            (expired, "vpn.example.net", "expired on"),
            (early, "vpn.example.net", "is valid only from"),
            (client, "vpn.example.net", "purpose"),
        ] {
            let error = verdict(&issue(claim, Some(&ca)), host, trusting(&ca)).unwrap_err();
            assert!(error.contains(why) && error.contains("sha256:"), "{error}");
        }
        let server = issue(GOOD, Some(&ca));
        let error = verdict(&server, "vpn.example.net", trusting(&other)).unwrap_err();
        assert!(error.contains("cannot be trusted"), "{error}");
        let error = verdict(&issue(GOOD, None), "vpn.example.net", Verify::SystemRoots).unwrap_err();
        assert!(error.contains("self-signed"), "{error}");
        assert!(verdict(&server, "vpn.example.net", Verify::SystemRoots).is_err());
    }

    #[test]
    fn a_pin_accepts_its_certificate_and_no_other() {
        let expired = issue(Claim { valid: (-2, -1), ..GOOD }, None);
        let pin: [u8; 32] = fingerprint(&expired.certificate).unwrap().try_into().unwrap();
        assert_eq!(verdict(&expired, "other.example.net", Verify::Pin(pin)), Ok(()));
        let error = verdict(&issue(GOOD, None), "vpn.example.net", Verify::Pin(pin)).unwrap_err();
        assert!(error.contains("tls.pin names"), "{error}");
    }

    #[test]
    fn off_accepts_anything_and_no_tls_is_no_proof() {
        assert_eq!(verdict(&issue(GOOD, None), "other", Verify::Off), Ok(()));
        // SAFETY: null is allowed.
        let error = unsafe { verify(&config("vpn.example.net", Verify::SystemRoots), std::ptr::null_mut()) };
        assert!(error.unwrap_err().contains("no TLS"));
    }

    #[test]
    fn names_from_the_server_cannot_steer_the_terminal() {
        let ca = authority();
        let server = issue(Claim { dns: &["a\u{1b}[31mb"], ips: &[], ..GOOD }, Some(&ca));
        let error = verdict(&server, "vpn.example.net", trusting(&ca)).unwrap_err();
        assert!(!error.contains('\u{1b}'), "{error:?}");
    }
}
