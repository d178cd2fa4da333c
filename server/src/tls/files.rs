//! From the PEM files to what rustls needs. Each mistake names its file and says what would be right.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::config::{ClientCertificates, TlsFiles};

/// Why there can be no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It could not be read, or is no PEM.
    #[error("cannot read {what} from {path} ({source}); give a PEM file with --{option}")]
    Unreadable {
        /// What should be in it.
        what: &'static str,
        /// The option that names it.
        option: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: pem::Error,
    },
    /// There is no certificate in it.
    #[error(
        "there is no certificate in {path}; give a PEM file with `BEGIN CERTIFICATE` with --{option}"
    )]
    NoCertificate {
        /// The option that names it.
        option: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// They do not belong together, or cannot be used.
    #[error(
        "the certificate in {certificate} and the key in {key} cannot be used: {source}; the first certificate of the file \
         has to be that of the key"
    )]
    Pair {
        /// Where the certificate is.
        certificate: PathBuf,
        /// Where the key is.
        key: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// An authority that cannot sign anything.
    #[error("the authorities in {path} cannot be used: {why}")]
    Authorities {
        /// Where.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

/// What turns away clients that none of the authorities has signed.
pub type ClientVerifier = Arc<dyn ClientCertVerifier>;

/// Reads all files anew. Where these name no authorities for clients, `kept` says whose certificates count; `None`: clients show none.
pub fn read(
    files: &TlsFiles,
    kept: Option<ClientVerifier>,
) -> Result<(ServerConfig, Option<ClientVerifier>), TlsError> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&files.certificate, "tls-certificate")?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::Unreadable {
        what: "a private key",
        option: "tls-key",
        path: files.key.clone(),
        source,
    })?;
    let pair = |source| TlsError::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(pair)?;
    let verifier = match &files.client_authorities {
        None => kept,
        Some(path) => Some(verifier(path, files, &provider)?),
    };
    let builder = match &verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
    // One of the two: a browser asks for HTTP, an MQTT client for MQTT or for nothing at all.
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"mqtt".to_vec()];
    Ok((config, verifier))
}

fn certificates(
    path: &Path,
    option: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable {
        what: "a certificate",
        option,
        path: path.into(),
        source,
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            option,
            path: path.into(),
        });
    }
    Ok(chain)
}

fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable {
        what: "lists of revoked certificates (`BEGIN X509 CRL`)",
        option: "tls-client-crl",
        path: path.into(),
        source,
    };
    let lists: Vec<_> = CertificateRevocationListDer::pem_file_iter(path)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    match lists.is_empty() {
        true => Err(unreadable(pem::Error::NoItemsFound)),
        false => Ok(lists),
    }
}

fn verifier(
    path: &Path,
    files: &TlsFiles,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientVerifier, TlsError> {
    let refused = |why: String| TlsError::Authorities {
        path: path.into(),
        why,
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(path, "tls-client-ca")? {
        roots
            .add(authority)
            .map_err(|error| refused(error.to_string()))?;
    }
    let mut builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    if files.client_certificates == ClientCertificates::Optional {
        builder = builder.allow_unauthenticated();
    }
    if let Some(path) = &files.revoked {
        // An authority without a list has revoked nothing.
        builder = builder
            .with_crls(revocation_lists(path)?)
            .allow_unknown_revocation_status();
    }
    builder
        .build()
        .map_err(|error: VerifierBuilderError| refused(error.to_string()))
}
