//! X.509 certificates (C: `X`, `NAME`, Mayaqua/Encrypt.c), by the crate `x509-parser`.
//!
//! Not here: making certificates, which is a server's, and chains of trust, which are the TLS library's ([`crate::tls`]).

use super::key::{INPUT_MAX, PrivateKey, is_pem};
use super::{md5, sha1, sha2_256};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, PemObject};
use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry as oid;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Most certificates in one file of PEM.
pub const CHAIN_MAX: usize = 16;

/// Why a certificate cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// More than [`INPUT_MAX`] bytes.
    #[error("a certificate of more than {INPUT_MAX} bytes")]
    TooLarge,
    /// More than [`CHAIN_MAX`] in one file.
    #[error("more than {CHAIN_MAX} certificates in one file")]
    TooMany,
    /// No certificate in PEM and none in DER, or bytes behind it.
    #[error("no certificate in PEM or DER")]
    Malformed,
}

/// What kind of key a certificate or private key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA.
    Rsa,
    /// An elliptic curve.
    Ecdsa,
    /// Ed25519.
    Ed25519,
    /// None of these.
    Other,
}

/// The parts of a name that SoftEther knows, each the first of its kind (C: `NAME`; `X509NameToName`,
/// `GetUniStrFromX509Name` and `CompareName`, Mayaqua/Encrypt.c).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// CN.
    pub common_name: Option<String>,
    /// O.
    pub organization: Option<String>,
    /// OU.
    pub unit: Option<String>,
    /// C.
    pub country: Option<String>,
    /// ST.
    pub state: Option<String>,
    /// L.
    pub local: Option<String>,
}

impl Name {
    fn of(name: &X509Name<'_>) -> Self {
        Self {
            common_name: name.iter_common_name().next().and_then(text),
            organization: name.iter_organization().next().and_then(text),
            unit: name.iter_organizational_unit().next().and_then(text),
            country: name.iter_country().next().and_then(text),
            state: name.iter_state_or_province().next().and_then(text),
            local: name.iter_locality().next().and_then(text),
        }
    }
}

/// An attribute's text; `None` if it is not of its own encoding.
fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    match attribute.attr_value().tag() {
        Tag::BmpString => {
            let (pairs, rest) = attribute.as_slice().as_chunks::<2>();
            let wide: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            String::from_utf16(&wide).ok().filter(|_| rest.is_empty())
        }
        // As UTF-8, as the C takes it.
        Tag::T61String => String::from_utf8(attribute.as_slice().to_vec()).ok(),
        _ => attribute.as_str().map(str::to_owned).ok(),
    }
}

/// A certificate, and what SoftEther reads from it (C: `X`). Two are equal when their bytes are (C: `CompareX`).
#[derive(Clone, Debug)]
pub struct Certificate {
    der: CertificateDer<'static>,
    subject: Name,
    issuer: Name,
    serial: Vec<u8>,
    not_before: i64,
    not_after: i64,
    key_kind: KeyKind,
    public_key: Vec<u8>,
    constraints: bool,
    is_ca: bool,
    issuer_url: Option<String>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// A certificate in PEM, the first that is in it, or in DER (C: `BufToX`, `BioToX`, `FileToXW`, `X509ToX`,
    /// Mayaqua/Encrypt.c).
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, CertificateError> {
        if bytes.len() > INPUT_MAX {
            return Err(CertificateError::TooLarge);
        }
        if is_pem(bytes) {
            let der = CertificateDer::from_pem_slice(bytes).map_err(|_: pem::Error| CertificateError::Malformed)?;
            return Self::from_der(&der);
        }
        Self::from_der(bytes)
    }

    /// All certificates of a file in PEM, in their order (C: `AddChainSslCertOnDirectory`, Mayaqua/Network.c, of one file).
    ///
    /// # Errors
    ///
    /// What is wrong with the first that is wrong; none at all is [`CertificateError::Malformed`].
    pub fn read_chain(pem: &[u8]) -> Result<Vec<Self>, CertificateError> {
        if pem.len() > INPUT_MAX * CHAIN_MAX {
            return Err(CertificateError::TooLarge);
        }
        let mut chain = Vec::new();
        for der in CertificateDer::pem_slice_iter(pem) {
            if chain.len() == CHAIN_MAX {
                return Err(CertificateError::TooMany);
            }
            chain.push(Self::from_der(&der.map_err(|_| CertificateError::Malformed)?)?);
        }
        if chain.is_empty() { Err(CertificateError::Malformed) } else { Ok(chain) }
    }

    fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > INPUT_MAX {
            return Err(CertificateError::TooLarge);
        }
        let (rest, x) = X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateError::Malformed);
        }
        let spki = x.public_key();
        let constraints = x.basic_constraints();
        Ok(Self {
            der: CertificateDer::from(der.to_vec()),
            subject: Name::of(x.subject()),
            issuer: Name::of(x.issuer()),
            serial: x.raw_serial().to_vec(),
            not_before: x.validity().not_before.timestamp(),
            not_after: x.validity().not_after.timestamp(),
            key_kind: kind_of(&x),
            public_key: spki.subject_public_key.data.to_vec(),
            constraints: !matches!(constraints, Ok(None)),
            is_ca: constraints.ok().flatten().is_some_and(|constraints| constraints.value.ca),
            issuer_url: issuer_url(&x),
        })
    }

    /// Its bytes in DER (C: `XToBuf` without text, Mayaqua/Encrypt.c).
    #[must_use]
    pub const fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Whom it is for (C: `subject_name`, by `LoadXNames`).
    #[must_use]
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// Who made it (C: `issuer_name`, by `LoadXNames`).
    #[must_use]
    pub const fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Its number, big-endian, with the sign's zero byte if it has one (C: `serial`, by `NewXSerial`).
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// From when and until when it is valid, in seconds since 1970 (C: `notBefore` and `notAfter`, by `LoadXDates`,
    /// `Asn1TimeToUINT64`, `Asn1TimeToSystem` and `StrToSystem`).
    #[must_use]
    pub const fn validity(&self) -> (i64, i64) {
        (self.not_before, self.not_after)
    }

    /// Whether it is valid at a time in seconds since 1970 (C: `CheckXDate` and `CheckXDateNow`, Mayaqua/Encrypt.c, for
    /// which, as here, neither end belongs to the time between).
    #[must_use]
    pub const fn is_valid_at(&self, time: i64) -> bool {
        self.not_before < time && time < self.not_after
    }

    /// What kind of key it holds.
    #[must_use]
    pub const fn key_kind(&self) -> KeyKind {
        self.key_kind
    }

    /// The public key (C: `GetKFromX`, Mayaqua/Encrypt.c), as [`PrivateKey::public_key`] has it.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether it names its issuer as itself and is signed by its own key (C: `root_cert`, which looks at names and key).
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.subject == self.issuer && self.is_signed_by(self)
    }

    /// Whether it has basic constraints, readable or not (C: `has_basic_constraints`).
    #[must_use]
    pub const fn has_basic_constraints(&self) -> bool {
        self.constraints
    }

    /// Whether it may sign others.
    #[must_use]
    pub const fn is_ca(&self) -> bool {
        self.is_ca
    }

    /// Where it says that its issuer's certificate is (C: `issuer_url`).
    #[must_use]
    pub fn issuer_url(&self) -> Option<&str> {
        self.issuer_url.as_deref()
    }

    /// SHA-1 of its bytes (C: `GetXDigest` with `sha1`, Mayaqua/Encrypt.c).
    #[must_use]
    pub fn sha1(&self) -> [u8; 20] {
        sha1(&self.der)
    }

    /// MD5 of its bytes (C: `GetXDigest` without `sha1`).
    #[must_use]
    pub fn md5(&self) -> [u8; 16] {
        md5(&self.der)
    }

    /// SHA-256 of its bytes: what pins compare.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        sha2_256(&self.der)
    }

    /// Whether the key of `issuer` signed it: RSA, P-256, P-384 or Ed25519 (C: `CheckSignature`, Mayaqua/Encrypt.c). Says
    /// nothing of names, dates and constraints, nor of the encoding around what is signed, which the parser takes less
    /// strictly than OpenSSL.
    #[must_use]
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        let (Ok((_, x)), Ok((_, issuer))) =
            (X509Certificate::from_der(&self.der), X509Certificate::from_der(&issuer.der))
        else {
            return false;
        };
        // The algorithm stands twice; only the second is signed.
        x.signature_algorithm == x.tbs_certificate.signature && x.verify_signature(Some(issuer.public_key())).is_ok()
    }

    /// Whether `key` is its key (C: `CheckXandK`, Mayaqua/Encrypt.c).
    #[must_use]
    pub fn key_matches(&self, key: &PrivateKey) -> bool {
        self.key_kind == key.kind() && self.public_key == key.public_key()
    }
}

fn kind_of(x: &X509Certificate<'_>) -> KeyKind {
    let algorithm = &x.public_key().algorithm.algorithm;
    if *algorithm == oid::OID_PKCS1_RSAENCRYPTION {
        KeyKind::Rsa
    } else if *algorithm == oid::OID_KEY_TYPE_EC_PUBLIC_KEY {
        KeyKind::Ecdsa
    } else if *algorithm == oid::OID_SIG_ED25519 {
        KeyKind::Ed25519
    } else {
        KeyKind::Other
    }
}

/// The first CA issuer that is a URI, if it is not empty.
fn issuer_url(x: &X509Certificate<'_>) -> Option<String> {
    x.iter_extensions().find_map(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else { return None };
        access.accessdescs.iter().find_map(|place| match &place.access_location {
            GeneralName::URI(url) if place.access_method == oid::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS => {
                Some((*url).to_owned()).filter(|url| !url.is_empty())
            }
            _ => None,
        })
    })
}
