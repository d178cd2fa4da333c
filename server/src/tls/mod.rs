//! TLS on the listeners: the files it needs, the handshake, and the stream that the handshake gives; in `client` the other side,
//! for the commands that are clients.
//!
//! The files are read at the start, where a mistake ends the program, and again when they change, where it is logged and
//! the old ones go on. A connection keeps what it began with. Versions 1.2 and 1.3, the cipher suites of rustls.

mod client;
mod files;
mod stream;
mod watch;

pub use client::{Trust, TrustError};
pub use files::TlsError;
pub use stream::Encrypted;
pub use watch::watch;

use std::{io, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{config::TlsFiles, tcp::Peer};

/// How long a client may take for its handshake.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// What the listeners show to clients now.
#[derive(Clone, Debug)]
pub struct Tls {
    files: Arc<ArcSwap<TlsFiles>>,
    current: Arc<ArcSwap<ServerConfig>>,
}

/// Files that have been read and can be used.
#[derive(Debug)]
pub struct Prepared {
    files: TlsFiles,
    config: ServerConfig,
}

impl Prepared {
    /// Reads the files.
    pub fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let config = files::read(&files)?;
        Ok(Self { files, config })
    }
}

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let Prepared { files, config } = Prepared::read(files)?;
        Ok(Self {
            files: Arc::new(ArcSwap::from_pointee(files)),
            current: Arc::new(ArcSwap::from_pointee(config)),
        })
    }

    /// Uses these, for the connections to come.
    pub fn set(&self, prepared: Prepared) {
        self.files.store(Arc::new(prepared.files));
        self.current.store(Arc::new(prepared.config));
    }

    /// Reads them again: for the connections to come. On an error nothing changes.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = files::read(&self.files.load())?;
        self.current.store(Arc::new(config));
        Ok(())
    }

    /// Does the handshake with a client that has just connected.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.current.load_full());
        // In a place of its own: it takes ten times what else is done before a client is in.
        let handshake = Box::pin(acceptor.accept(stream));
        timeout(HANDSHAKE_DEADLINE, handshake)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// A handshake that came to nothing: what a scanner or a client with another authority leaves behind.
pub fn refused(peer: &Peer, error: &io::Error) {
    tracing::debug!(address = %peer.remote, %error, "the TLS handshake was not completed");
}
