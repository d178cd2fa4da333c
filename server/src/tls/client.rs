//! The other side: whom a client of ours trusts, and which certificate it shows.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

/// What was typed about TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trust<'a> {
    /// Authorities; without it those of this machine count.
    pub authorities: Option<&'a Path>,
    /// A certificate with its chain, and its key.
    pub identity: Option<(&'a Path, &'a Path)>,
    /// The certificate may be for another name.
    pub any_name: bool,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file.
    #[error("cannot read {what}: {why}")]
    Read {
        /// Which, with its flag.
        what: String,
        /// Why not.
        why: String,
    },
    /// What was typed cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl Trust<'_> {
    /// What a connection needs.
    pub fn config(self) -> Result<Arc<ClientConfig>, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(self.roots()?);
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
        let no_trust = |why: String| TrustError::Unusable(format!("--cafile: {why}"));
        let verifier = verifier
            .build()
            .map_err(|error| no_trust(error.to_string()))?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| no_trust(error.to_string()))?;
        let builder = match self.any_name {
            true => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyName(verifier))),
            false => builder.with_webpki_verifier(verifier),
        };
        let Some((chain, key)) = self.identity else {
            return Ok(Arc::new(builder.with_no_client_auth()));
        };
        let certificates = certificates("--cert", chain)?;
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| unreadable("--key", key, &error.to_string()))?;
        let config = builder
            .with_client_auth_cert(certificates, private)
            .map_err(|error| {
                TrustError::Unusable(format!(
                    "--cert and --key are no pair that can be used: {error}"
                ))
            })?;
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, TrustError> {
        let mut roots = RootCertStore::empty();
        let Some(file) = self.authorities else {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            return match roots.is_empty() {
                true => Err(TrustError::Unusable(
                    "this machine has no list of authorities to trust: give --cafile FILE, the one that has signed the broker's certificate".to_owned(),
                )),
                false => Ok(roots),
            };
        };
        for authority in certificates("--cafile", file)? {
            roots
                .add(authority)
                .map_err(|error| unreadable("--cafile", file, &error.to_string()))?;
        }
        Ok(roots)
    }
}

fn certificates(flag: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| unreadable(flag, file, &error.to_string()))?;
    match certificates.is_empty() {
        true => Err(unreadable(flag, file, "there is no certificate in it")),
        false => Ok(certificates),
    }
}

fn unreadable(flag: &str, file: &Path, why: &str) -> TrustError {
    TrustError::Read {
        what: format!("{flag} {}", file.display()),
        why: why.to_owned(),
    }
}

/// Everything is verified but the name, as `--insecure` of Mosquitto's programs does it.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.0
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
