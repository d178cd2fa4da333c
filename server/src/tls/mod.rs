//! TLS on the listeners: the files it needs, the handshake, and the stream that the handshake gives; in `client` the other side,
//! for the commands that are clients.
//!
//! The files are read at the start, where a mistake ends the program, and again when they change, where it is logged and
//! the old ones go on. A connection keeps what it began with. Versions 1.2 and 1.3, the cipher suites of rustls.

mod certificate;
mod client;
mod files;
mod stream;
mod watch;

pub use certificate::{CertificateUser, ClientCertificate};
pub use client::{Trust, TrustError};
pub use files::TlsError;
pub use stream::Encrypted;
pub use watch::watch;

use std::{io, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::{CertificateError, ServerConfig};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use self::files::ClientVerifier;
use crate::{config::TlsFiles, logging::Throttle, tcp::Peer};

/// How long a client may take for its handshake.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// What the listeners show to clients now.
#[derive(Clone, Debug)]
pub struct Tls {
    current: Arc<ArcSwap<Prepared>>,
    /// Keeps strangers from flooding the log.
    complaints: Arc<Throttle>,
}

/// Files that have been read and can be used.
#[derive(Debug)]
pub struct Prepared {
    files: TlsFiles,
    /// Built of what these files name, or, if they name nothing for it, of earlier ones.
    verifier: Option<ClientVerifier>,
    config: Arc<ServerConfig>,
}

impl Prepared {
    /// Reads the files.
    pub fn read(files: TlsFiles) -> Result<Self, TlsError> {
        Self::read_with(files, None)
    }

    fn read_with(files: TlsFiles, kept: Option<ClientVerifier>) -> Result<Self, TlsError> {
        let (config, verifier) = files::read(&files, kept)?;
        Ok(Self {
            files,
            verifier,
            config: Arc::new(config),
        })
    }
}

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            current: Arc::new(ArcSwap::from_pointee(Prepared::read(files)?)),
            complaints: Arc::new(Throttle::new()),
        })
    }

    /// Reads the files but those about clients: whose certificates count stays as it was read, for these files are named no more and
    /// may be gone.
    pub fn prepare_for_the_same_clients(&self, files: TlsFiles) -> Result<Prepared, TlsError> {
        let files = TlsFiles {
            client_authorities: None,
            revoked: None,
            ..files
        };
        Prepared::read_with(files, self.current.load().verifier.clone())
    }

    /// Uses these, for the connections to come.
    pub fn set(&self, prepared: Prepared) {
        self.current.store(Arc::new(prepared));
    }

    /// Reads them again: for the connections to come. On an error nothing changes.
    pub fn reload(&self) -> Result<(), TlsError> {
        let current = self.current.load();
        self.set(Prepared::read_with(
            current.files.clone(),
            current.verifier.clone(),
        )?);
        Ok(())
    }

    /// A handshake that came to nothing: what a scanner or a client with another authority leaves behind, and a client whose
    /// certificate does not count, which its operator has to hear of.
    pub fn refused(&self, peer: &Peer, error: &io::Error) {
        let address = peer.remote;
        match complaint(error) {
            None => tracing::debug!(%address, %error, "the TLS handshake was not completed"),
            Some(why) => {
                if let Some(suppressed) = self.complaints.permit() {
                    tracing::warn!(%address, suppressed, "a client was not let in: {why}");
                }
            }
        }
    }

    /// Does the handshake with a client that has just connected.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.current.load().config));
        // In a place of its own: it takes ten times what else is done before a client is in.
        let handshake = Box::pin(acceptor.accept(stream));
        timeout(HANDSHAKE_DEADLINE, handshake)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// What a client has shown in its handshake.
pub fn certificate(stream: &TlsStream<TcpStream>) -> Option<Arc<ClientCertificate>> {
    let chain = stream.get_ref().1.peer_certificates()?;
    ClientCertificate::read(chain.first()?).map(Arc::new)
}

/// Why a client's certificate does not count; `None`: it is about something else.
fn complaint(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    match error {
        rustls::Error::NoCertificatesPresented => {
            Some("it has shown no certificate, and `tls_client_ca` asks for one".to_owned())
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => Some(
            "its certificate was signed by none of the authorities in `tls_client_ca`".to_owned(),
        ),
        rustls::Error::InvalidCertificate(CertificateError::Revoked) => {
            Some("its certificate was revoked (`tls_client_crl`)".to_owned())
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => Some("its certificate has expired".to_owned()),
        rustls::Error::InvalidCertificate(why) => {
            Some(format!("its certificate does not count: {why}"))
        }
        _ => None,
    }
}
