//! The broker under load: where it is, and how bytes get there.

use std::{fmt, io, str::FromStr};

use bytes::Bytes;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::tungstenite::{client::IntoClientRequest, http::HeaderValue};

use crate::{
    cli::Login,
    driver::{ByteStream, Tcp},
    tls::{Encrypted, Trust},
    websocket::{Role, SUBPROTOCOLS, WebSocket},
};

/// The largest packet that is taken, bytes: more than any scenario sends.
const PACKET_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// EMFILE, on every system that has it by this name.
const TOO_MANY_FILES: i32 = 24;

/// A broker's address as it is typed: `mqtt://[USER[:PASSWORD]@]HOST:PORT`, `mqtts://`, `ws://HOST:PORT/PATH` or `wss://`.
/// Shown without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    login: Login,
    host: String,
    port: u16,
    path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Mqtt,
    Mqtts,
    Ws,
    Wss,
}

impl Scheme {
    const ALL: [(Self, &'static str, u16); 4] = [
        (Self::Mqtt, "mqtt", 1883),
        (Self::Mqtts, "mqtts", 8883),
        (Self::Ws, "ws", 80),
        (Self::Wss, "wss", 443),
    ];
}

/// Not the address of a broker.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "an address is mqtt://HOST:PORT, mqtts://HOST:PORT, ws://HOST:PORT/PATH or wss://HOST:PORT/PATH, for example \
     mqtt://127.0.0.1:1883"
)]
pub struct TargetError;

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("mqtt", text));
        let (scheme, _, port) = Scheme::ALL
            .into_iter()
            .find(|(_, name, _)| *name == scheme)
            .ok_or(TargetError)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, authority) = authority.rsplit_once('@').unwrap_or(("", authority));
        let login = Login::of_url(user).ok_or(TargetError)?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, typed)) if !typed.ends_with(']') => {
                (host, typed.parse().map_err(|_| TargetError)?)
            }
            _ => (authority, port),
        };
        if host.is_empty() || port == 0 {
            return Err(TargetError);
        }
        Ok(Self {
            scheme,
            login,
            host: host.to_owned(),
            port,
            path: format!("/{path}"),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            host,
            port,
            path,
            ..
        } = self;
        let (_, name, _) = Scheme::ALL
            .into_iter()
            .find(|(known, ..)| known == scheme)
            .expect("every scheme is listed");
        let path = if path == "/" { "" } else { path };
        write!(formatter, "{name}://{host}:{port}{path}")
    }
}

impl Target {
    /// As the system takes it.
    fn host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }
}

/// How to reach it; made once, for thousands of connections.
#[derive(Clone)]
pub struct Dialer {
    target: Target,
    tls: Option<TlsConnector>,
    /// What every client shows.
    pub login: Login,
}

impl Dialer {
    /// `login`: what clients show where the address does not say it.
    pub fn new(target: Target, trust: Trust<'_>, login: Login) -> io::Result<Self> {
        let is_encrypted = matches!(target.scheme, Scheme::Mqtts | Scheme::Wss);
        let config = is_encrypted.then(|| trust.config()).transpose();
        let tls = config.map_err(io::Error::other)?.map(TlsConnector::from);
        let login = target.login.clone().or(login);
        Ok(Self { target, tls, login })
    }

    /// Whether somebody listens there.
    pub async fn is_answered(&self) -> bool {
        self.socket().await.is_ok()
    }

    async fn socket(&self) -> io::Result<TcpStream> {
        TcpStream::connect((self.target.host(), self.target.port)).await
    }

    /// Connects, up to where MQTT begins. What a handshake takes is boxed: without, each of thousands that connect at once would have room
    /// for all of them.
    pub async fn dial(&self) -> io::Result<Box<dyn ByteStream>> {
        let host = self.target.host();
        let socket = self.socket().await.map_err(explained)?;
        socket.set_nodelay(true)?;
        Ok(match (self.target.scheme, &self.tls) {
            (Scheme::Wss, Some(tls)) => {
                let stream = Box::pin(encrypt(tls, host, socket)).await?;
                Box::pin(self.web_socket(stream)).await?
            }
            (_, Some(tls)) => {
                let stream = Box::pin(encrypt(tls, host, socket)).await?;
                Box::new(Encrypted::new(stream))
            }
            (Scheme::Ws, _) => Box::pin(self.web_socket(socket)).await?,
            (_, None) => Box::new(Tcp::new(socket)),
        })
    }

    async fn web_socket<S>(&self, stream: S) -> io::Result<Box<dyn ByteStream>>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let mut request = self
            .target
            .to_string()
            .into_client_request()
            .map_err(io::Error::other)?;
        // [MQTT-6.0.0-3]
        request.headers_mut().insert(
            "Sec-WebSocket-Protocol",
            HeaderValue::from_static(SUBPROTOCOLS[0]),
        );
        let (socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .map_err(|error| {
                let why = format!(
                    "no WebSocket at {}: {error}; Ebbtide's path is /mqtt",
                    self.target.path
                );
                io::Error::other(why)
            })?;
        let stream = socket.into_inner();
        Ok(Box::new(WebSocket::new(
            stream,
            Bytes::new(),
            Role::Client,
            PACKET_BYTES_MAX,
            None,
        )))
    }
}

/// What is to be done where there is no connection.
fn explained(error: io::Error) -> io::Error {
    let what_to_do = match error.kind() {
        io::ErrorKind::ConnectionRefused => "is a broker there, and listens at that port?",
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no port left for one more connection: ask for fewer, or widen net.ipv4.ip_local_port_range"
        }
        _ if error.raw_os_error() == Some(TOO_MANY_FILES) => {
            "this process may not open more: raise `ulimit -n`"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{error}; {what_to_do}"))
}

async fn encrypt(
    tls: &TlsConnector,
    host: &str,
    socket: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    tls.connect(name, socket).await.map_err(|error| {
        let why = format!(
            "the TLS handshake failed: {error}; an authority that this machine does not trust is given with --cafile FILE"
        );
        io::Error::new(error.kind(), why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (typed, shown) in [
            ("mqtt://127.0.0.1:1884", Some("mqtt://127.0.0.1:1884")),
            ("broker.example", Some("mqtt://broker.example:1883")),
            ("mqtts://[::1]", Some("mqtts://[::1]:8883")),
            ("ws://h:81/mqtt", Some("ws://h:81/mqtt")),
            ("wss://h/mqtt", Some("wss://h:443/mqtt")),
            ("mqtt://me:s%3Ax@h", Some("mqtt://h:1883")),
            ("mqtt://me@", None),
            ("http://h", None),
            ("mqtt://h:0", None),
            ("mqtt://:1883", None),
        ] {
            let parsed = typed
                .parse::<Target>()
                .ok()
                .map(|target| target.to_string());
            assert_eq!(parsed.as_deref(), shown, "{typed}");
        }
    }

    #[test]
    fn a_user_in_the_address_counts_before_the_flags() {
        let flags = Login {
            username: Some("flag".to_owned()),
            password: Some("word".into()),
        };
        let login = |typed: &str| {
            let target = typed.parse().expect("an address");
            let dialer = Dialer::new(target, Trust::default(), flags.clone());
            dialer.expect("nothing is encrypted").login
        };
        assert_eq!(login("mqtt://h"), flags);
        let named = login("mqtt://m%40e:s%3Ax@h");
        assert_eq!(named.username.as_deref(), Some("m@e"));
        assert_eq!(named.password.as_deref(), Some(&b"s:x"[..]));
    }
}
