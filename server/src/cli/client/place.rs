//! The HTTP address of a broker, with TLS where it is an `https` one, and the way there.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Uri, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::ClientError;
use crate::tls::Trust;

/// How long it may take until a broker can be asked.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Sends requests over one connection.
pub(super) type Sender = http1::SendRequest<Full<Bytes>>;

/// Where a broker is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Host and port as they were typed, which is what `Host` has to say.
    authority: String,
    host: String,
    port: u16,
    /// `None`: nothing is encrypted.
    tls: Option<Arc<ClientConfig>>,
}

impl Place {
    /// `cafile`: the authorities that count instead of those of this machine.
    pub fn new(url: &Uri, cafile: Option<&Path>) -> Result<Self, ClientError> {
        let wrong = || ClientError::Url(shown(url));
        let authority = url.authority().ok_or_else(wrong)?;
        let (is_encrypted, default_port) = match url.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(wrong()),
        };
        let port = url.port_u16().unwrap_or(default_port);
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
        if port == 0 || !is_bare || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let trust = Trust {
            authorities: cafile,
            ..Trust::default()
        };
        Ok(Self {
            authority: authority.to_string(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port,
            tls: is_encrypted.then(|| trust.config()).transpose()?,
        })
    }

    /// What `Host` says.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// As it may be typed.
    pub fn url(&self) -> String {
        let scheme = match self.tls {
            Some(_) => "https",
            None => "http",
        };
        format!("{scheme}://{}", self.authority)
    }

    pub async fn connect(&self) -> Result<Sender, ClientError> {
        let unreachable = |why: String| ClientError::Unreachable {
            url: self.url(),
            why,
        };
        let connecting = timeout(CONNECT_LIMIT, self.open()).await;
        connecting.unwrap_or_else(|_| {
            let seconds = CONNECT_LIMIT.as_secs();
            Err(unreachable(format!("not within {seconds} s")))
        })
    }

    async fn open(&self) -> Result<Sender, ClientError> {
        let unreachable = |why: String| ClientError::Unreachable {
            url: self.url(),
            why,
        };
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| unreachable(error.to_string()))?;
        let sender = match &self.tls {
            None => speak(stream).await,
            Some(config) => {
                let name = ServerName::try_from(self.host.clone())
                    .map_err(|_| ClientError::Url(self.url()))?;
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name, stream).await;
                let stream = stream.map_err(|error| ClientError::Handshake {
                    url: self.url(),
                    why: error.to_string(),
                })?;
                speak(stream).await
            }
        };
        sender.map_err(|error| unreachable(error.to_string()))
    }
}

/// Without what may be a password.
fn shown(url: &Uri) -> String {
    match url.authority() {
        Some(authority) if authority.as_str().contains('@') => "a URL with a user in it".to_owned(),
        _ => url.to_string(),
    }
}

async fn speak<S>(stream: S) -> hyper::Result<Sender>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the last of sender and body; its errors reach them.
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_address_of_a_broker() {
        let place = |url: &str| Place::new(&url.parse().expect("a URI"), None);
        for (url, host, port, shown) in [
            (
                "http://127.0.0.1:81",
                "127.0.0.1",
                81,
                "http://127.0.0.1:81",
            ),
            ("http://[::1]:82/", "::1", 82, "http://[::1]:82"),
            (
                "http://broker.example",
                "broker.example",
                80,
                "http://broker.example",
            ),
        ] {
            let found = place(url).expect(url);
            assert_eq!((found.host.as_str(), found.port), (host, port), "{url}");
            assert_eq!(found.url(), shown);
        }
        for strange in [
            "mqtt://a:1",
            "a:1",
            "/a",
            "http://a:1/api",
            "http://a:1?x",
            "http://a:0",
            "http://ann:secret@a:1",
        ] {
            let error = place(strange).expect_err(strange).to_string();
            assert!(error.contains("--url https://HOST:PORT"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn https_needs_somebody_to_trust() {
        let url = "https://broker.example".parse().expect("a URI");
        let error = Place::new(&url, Some(Path::new("/nowhere/authority.pem")));
        let error = error.expect_err("there is no file").to_string();
        assert!(error.contains("--cafile /nowhere/authority.pem"), "{error}");
    }
}
