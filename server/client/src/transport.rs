//! TCP and WebSocket, with TLS or without, as two halves that move bytes. Both halves may be dropped in mid-operation
//! without losing any.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an IP address, without brackets.
    host: String,
    port: u16,
    is_encrypted: bool,
    /// Of a WebSocket.
    url: Option<String>,
}

/// A stream of bytes, encrypted or not.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}
pub(crate) type Stream = Box<dyn ByteStream>;

pub(crate) enum Reader {
    Plain(ReadHalf<Stream>),
    WebSocket(SplitStream<WebSocketStream<Stream>>),
}

/// What was written may wait in TLS or in a frame until it is flushed.
pub(crate) enum Writer {
    Plain {
        half: WriteHalf<Stream>,
        unflushed: bool,
    },
    WebSocket {
        sink: SplitSink<WebSocketStream<Stream>, Message>,
        unflushed: bool,
    },
}

impl Address {
    /// Scheme, port if none is typed, TLS, WebSocket.
    const SCHEMES: [(&str, u16, bool, bool); 4] = [
        ("mqtt", 1883, false, false),
        ("mqtts", 8883, true, false),
        ("ws", 80, false, true),
        ("wss", 443, true, true),
    ];

    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (_, default_port, is_encrypted, is_web_socket) = Self::SCHEMES
            .into_iter()
            .find(|(known, ..)| *known == scheme)?;
        let authority = match is_web_socket {
            true => rest.split(['/', '?']).next()?,
            false => rest.trim_end_matches('/'),
        };
        let typed = authority
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = typed.unwrap_or((authority, default_port));
        let host = host.trim_matches(['[', ']']);
        if host.is_empty() || host.contains(['/', '@']) {
            return None;
        }
        Some(Self {
            host: host.to_owned(),
            port,
            is_encrypted,
            url: is_web_socket.then(|| url.to_owned()),
        })
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    pub(crate) async fn open(self, tls: Option<Arc<ClientConfig>>) -> io::Result<(Reader, Writer)> {
        let socket = TcpStream::connect((self.host.as_str(), self.port)).await?;
        socket.set_nodelay(true)?;
        let stream: Stream = match tls {
            Some(tls) if self.is_encrypted => Box::new(self.encrypt(tls, socket).await?),
            _ => Box::new(socket),
        };
        let unflushed = false;
        let Some(url) = self.url else {
            let (reader, half) = tokio::io::split(stream);
            return Ok((Reader::Plain(reader), Writer::Plain { half, unflushed }));
        };
        let mut request = url.into_client_request().map_err(io::Error::other)?;
        // [MQTT-6.0.0-3]
        let protocol = HeaderValue::from_static("mqtt");
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", protocol);
        let (socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .map_err(io::Error::other)?;
        let (sink, stream) = socket.split();
        Ok((
            Reader::WebSocket(stream),
            Writer::WebSocket { sink, unflushed },
        ))
    }

    async fn encrypt(
        &self,
        tls: Arc<ClientConfig>,
        socket: TcpStream,
    ) -> io::Result<impl ByteStream + use<>> {
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(tls).connect(name, socket).await;
        stream.map_err(|error| {
            io::Error::new(error.kind(), format!("the TLS handshake failed: {error}"))
        })
    }
}

impl Reader {
    /// Appends what arrives; `false` at the end.
    pub(crate) async fn read(&mut self, input: &mut BytesMut) -> io::Result<bool> {
        match self {
            Self::Plain(reader) => {
                input.reserve(4096);
                match reader.read_buf(input).await {
                    // TLS without a farewell: MQTT has one of its own.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
                    read => Ok(read? > 0),
                }
            }
            Self::WebSocket(stream) => loop {
                match stream.next().await.transpose().map_err(io::Error::other)? {
                    Some(Message::Binary(bytes)) => {
                        input.extend_from_slice(&bytes);
                        return Ok(true);
                    }
                    // [MQTT-6.0.0-1]
                    Some(Message::Text(_)) => return Err(io::Error::other("a text frame")),
                    Some(Message::Close(_)) | None => return Ok(false),
                    Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                }
            },
        }
    }
}

impl Writer {
    /// Whether `write` has something to do.
    pub(crate) fn wants(&self, output: &BytesMut) -> bool {
        let (Self::Plain { unflushed, .. } | Self::WebSocket { unflushed, .. }) = self;
        *unflushed || !output.is_empty()
    }

    /// Writes from the front of `output`: some of it at least.
    pub(crate) async fn write(&mut self, output: &mut BytesMut) -> io::Result<()> {
        match self {
            Self::Plain { half, unflushed } => {
                if !output.is_empty() {
                    if half.write_buf(output).await? == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                    *unflushed = true;
                }
                half.flush().await?;
                *unflushed = false;
                Ok(())
            }
            Self::WebSocket { sink, unflushed } => {
                if !*unflushed {
                    // Without an item this only waits for room; the send behind it then never waits.
                    futures_util::future::poll_fn(|context| sink.poll_ready_unpin(context))
                        .await
                        .map_err(io::Error::other)?;
                    let frame = Message::Binary(output.split().freeze());
                    sink.start_send_unpin(frame).map_err(io::Error::other)?;
                    *unflushed = true;
                }
                sink.flush().await.map_err(io::Error::other)?;
                *unflushed = false;
                Ok(())
            }
        }
    }

    /// Writes all of it, and says that nothing more comes.
    pub(crate) async fn finish(&mut self, output: &mut BytesMut) -> io::Result<()> {
        while self.wants(output) {
            self.write(output).await?;
        }
        match self {
            Self::Plain { half, .. } => half.shutdown().await,
            Self::WebSocket { sink, .. } => sink.close().await.map_err(io::Error::other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parsed = |url: &str| {
            let address = Address::parse(url)?;
            Some((address.host, address.port, address.is_encrypted))
        };
        let at = |host: &str, port, is_encrypted| Some((host.to_owned(), port, is_encrypted));
        assert_eq!(parsed("mqtt://a"), at("a", 1883, false));
        assert_eq!(parsed("mqtt://127.0.0.1:7/"), at("127.0.0.1", 7, false));
        assert_eq!(parsed("mqtt://[::1]:7"), at("::1", 7, false));
        assert_eq!(parsed("mqtts://[::1]"), at("::1", 8883, true));
        assert_eq!(parsed("ws://a:9001/mqtt"), at("a", 9001, false));
        assert_eq!(parsed("wss://a/mqtt"), at("a", 443, true));
        for strange in ["mqtt://", "mqtt://a/b", "http://a", "a:1883", "mqtts://u@a"] {
            assert_eq!(parsed(strange), None, "{strange}");
        }
    }
}
