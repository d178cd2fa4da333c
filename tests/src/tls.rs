//! Certificates that the broker's own command makes, and clients that trust them.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::broker::run_to_end;

/// A connection with TLS.
pub type Secured = StreamOwned<ClientConnection, TcpStream>;

/// What `ebbtide cert dev` has made, in a folder of its own.
#[derive(Debug)]
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// An authority with a certificate for this machine and one for a client.
    pub fn make() -> Result<Self> {
        let folder = TempDir::new()?;
        let arguments = ["cert", "dev", "--out", ".", "--client", "device"];
        let output = run_to_end(&arguments, folder.path())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{said}");
        Ok(Self { folder })
    }

    /// One of the files.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The flags for a broker that uses them, at free ports.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let certificate = self.path("certificate.pem").display().to_string();
        let key = self.path("key.pem").display().to_string();
        [
            "--mqtts",
            "127.0.0.1:0",
            "--https",
            "127.0.0.1:0",
            "--tls-certificate",
            &certificate,
            "--tls-key",
            &key,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// Connects as somebody who trusts the authority and shows no certificate.
    pub fn connect(&self, address: SocketAddr) -> Result<Secured> {
        let config = self.trusting()?.with_no_client_auth();
        handshake(address, config)
    }

    /// What a client says first, as bytes: each time that they come they cost the broker a signature, and their sender nothing.
    pub fn client_hello(&self) -> Result<Vec<u8>> {
        let config = self.trusting()?.with_no_client_auth();
        let name = ServerName::try_from("localhost")?;
        let mut client = ClientConnection::new(Arc::new(config), name)?;
        let mut hello = Vec::new();
        client.write_tls(&mut hello)?;
        Ok(hello)
    }

    /// The same with the certificate for clients.
    pub fn connect_as_client(&self, address: SocketAddr) -> Result<Secured> {
        let chain = CertificateDer::pem_file_iter(self.path("client.pem"))?;
        let key = PrivateKeyDer::from_pem_file(self.path("client-key.pem"))?;
        let config = self
            .trusting()?
            .with_client_auth_cert(chain.collect::<Result<_, _>>()?, key)?;
        handshake(address, config)
    }

    fn trusting(
        &self,
    ) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>> {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_file_iter(self.path("authority.pem"))? {
            roots.add(authority?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots))
    }
}

/// In 1.3 the client is done before the server has looked at its certificate: what it says shows at the first read.
fn handshake(address: SocketAddr, config: ClientConfig) -> Result<Secured> {
    let name = ServerName::try_from("localhost")?;
    let client = ClientConnection::new(Arc::new(config), name)?;
    let mut socket = TcpStream::connect(address).context("connecting")?;
    socket.set_nodelay(true)?;
    let mut client = client;
    while client.is_handshaking() {
        client
            .complete_io(&mut socket)
            .context("the TLS handshake")?;
    }
    Ok(StreamOwned::new(client, socket))
}
