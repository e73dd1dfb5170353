//! Whether a server's certificate is accepted: by a pin, or by rustls's own verifier. Signatures of the handshake are always
//! checked, so that only the owner of a pinned certificate's key passes.

use super::{Error, PIN_SIZE};
use crate::crypto::{same, sha2_256};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// Why a certificate was refused, and which it was.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) fingerprint: [u8; PIN_SIZE],
}

#[derive(Debug)]
enum Judge {
    Pins(Vec<[u8; PIN_SIZE]>),
    Roots(Arc<WebPkiServerVerifier>),
}

#[derive(Debug)]
pub(super) struct Verifier {
    judge: Judge,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn pins(pins: Vec<[u8; PIN_SIZE]>, provider: &CryptoProvider) -> Result<Self, Error> {
        if pins.is_empty() {
            return Err(Error::Trust("no pin".to_owned()));
        }
        Ok(Self { judge: Judge::Pins(pins), algorithms: provider.signature_verification_algorithms })
    }

    pub(super) fn roots(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let judge = builder.build().map_err(|error| Error::Trust(error.to_string()))?;
        Ok(Self { judge: Judge::Roots(judge), algorithms: provider.signature_verification_algorithms })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let fingerprint = sha2_256(end_entity);
        let reason = match &self.judge {
            Judge::Pins(pins) if pins.iter().any(|pin| same(pin, &fingerprint)) => {
                return Ok(ServerCertVerified::assertion());
            }
            Judge::Pins(_) => "it is not the one that was pinned".to_owned(),
            Judge::Roots(judge) => {
                match judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                    Ok(verified) => return Ok(verified),
                    Err(rustls::Error::InvalidCertificate(reason)) => reason.to_string(),
                    Err(other) => return Err(other),
                }
            }
        };
        let refused = Refused { reason, fingerprint };
        Err(CertificateError::Other(OtherError(Arc::new(refused))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
