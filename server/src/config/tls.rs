//! Which files TLS uses. They are read by `crate::tls`, at the start and whenever they change.

use std::{fmt, path::PathBuf};

use super::{ClientCertificates, ConfigError, Options};

/// What a listener with TLS needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The broker's certificate and those that lead to its authority, PEM.
    pub certificate: PathBuf,
    /// The private key of the first, PEM.
    pub key: PathBuf,
    /// Who signs the certificates of clients, PEM; `None`: clients show none.
    pub client_authorities: Option<PathBuf>,
    /// Whether they have to.
    pub client_certificates: ClientCertificates,
    /// Which of them have been revoked, PEM.
    pub revoked: Option<PathBuf>,
}

impl TlsFiles {
    pub(super) fn resolve(options: &Options) -> Result<Option<Self>, ConfigError> {
        let client_authorities = options.tls_client_ca.clone();
        if client_authorities.is_none() && options.tls_client_crl.is_some() {
            return Err(ConfigError::NoClientAuthorities("--tls-client-crl"));
        }
        match (options.tls_certificate.clone(), options.tls_key.clone()) {
            (Some(certificate), Some(key)) => Ok(Some(Self {
                certificate,
                key,
                client_authorities,
                client_certificates: options.tls_client_certificates.unwrap_or_default(),
                revoked: options.tls_client_crl.clone(),
            })),
            (None, None) if client_authorities.is_some() => {
                Err(ConfigError::UnusedClientAuthorities)
            }
            (None, None) => Ok(None),
            (Some(_), None) => Err(ConfigError::HalfCertificate("--tls-key")),
            (None, Some(_)) => Err(ConfigError::HalfCertificate("--tls-certificate")),
        }
    }

    pub(super) fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = [
            ("tls_certificate", Some(&self.certificate)),
            ("tls_key", Some(&self.key)),
            ("tls_client_ca", self.client_authorities.as_ref()),
            ("tls_client_crl", self.revoked.as_ref()),
        ];
        for (key, file) in files {
            if let Some(file) = file {
                let path = toml::Value::from(file.to_string_lossy().into_owned());
                writeln!(formatter, "{key} = {path}")?;
            }
        }
        Ok(())
    }
}
