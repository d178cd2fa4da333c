//! TCP and WebSocket as two halves that move bytes. Both halves may be dropped in mid-operation without losing any.

use std::io;

use bytes::BytesMut;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(String),
    WebSocket { host: String, url: String },
}

pub(crate) enum Reader {
    Tcp(OwnedReadHalf),
    WebSocket(SplitStream<WebSocketStream<TcpStream>>),
}

pub(crate) enum Writer {
    Tcp(OwnedWriteHalf),
    WebSocket {
        sink: SplitSink<WebSocketStream<TcpStream>, Message>,
        unflushed: bool,
    },
}

impl Address {
    pub(crate) fn parse(url: &str) -> Option<Self> {
        if let Some(rest) = url.strip_prefix("mqtt://") {
            return Some(Self::Tcp(with_port(rest.trim_end_matches('/'), 1883)?));
        }
        let rest = url.strip_prefix("ws://")?;
        let host = rest.split(['/', '?']).next()?;
        Some(Self::WebSocket {
            host: with_port(host, 80)?,
            url: url.to_owned(),
        })
    }

    pub(crate) async fn open(self) -> io::Result<(Reader, Writer)> {
        let (Self::Tcp(host) | Self::WebSocket { host, .. }) = &self;
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let Self::WebSocket { url, .. } = self else {
            let (reader, writer) = stream.into_split();
            return Ok((Reader::Tcp(reader), Writer::Tcp(writer)));
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
        let unflushed = false;
        Ok((
            Reader::WebSocket(stream),
            Writer::WebSocket { sink, unflushed },
        ))
    }
}

fn with_port(host: &str, default: u16) -> Option<String> {
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if host.is_empty() || host.contains(['/', '@']) {
        None
    } else if has_port {
        Some(host.to_owned())
    } else {
        Some(format!("{host}:{default}"))
    }
}

impl Reader {
    /// Appends what arrives; `false` at the end.
    pub(crate) async fn read(&mut self, input: &mut BytesMut) -> io::Result<bool> {
        match self {
            Self::Tcp(reader) => {
                input.reserve(4096);
                Ok(reader.read_buf(input).await? > 0)
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
        let unflushed = matches!(
            self,
            Self::WebSocket {
                unflushed: true,
                ..
            }
        );
        unflushed || !output.is_empty()
    }

    /// Writes from the front of `output`: some of it at least.
    pub(crate) async fn write(&mut self, output: &mut BytesMut) -> io::Result<()> {
        match self {
            Self::Tcp(writer) => {
                if writer.write_buf(output).await? == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
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
            Self::Tcp(writer) => writer.shutdown().await,
            Self::WebSocket { sink, .. } => sink.close().await.map_err(io::Error::other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let tcp = |host: &str| Some(Address::Tcp(host.to_owned()));
        assert_eq!(Address::parse("mqtt://a"), tcp("a:1883"));
        assert_eq!(Address::parse("mqtt://127.0.0.1:7/"), tcp("127.0.0.1:7"));
        assert_eq!(Address::parse("mqtt://[::1]:7"), tcp("[::1]:7"));
        assert_eq!(Address::parse("mqtt://"), None);
        assert_eq!(Address::parse("http://a"), None);
        let url = "ws://a:9001/mqtt".to_owned();
        let host = "a:9001".to_owned();
        assert_eq!(
            Address::parse(&url),
            Some(Address::WebSocket {
                host,
                url: url.clone()
            })
        );
    }
}
