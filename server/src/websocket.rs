//! MQTT over WebSocket (section 6): the bytes of binary frames are one stream, packets may be split over frames and several
//! may share one [MQTT-6.0.0-2].

mod gate;
mod read_ahead;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
pub use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use self::{gate::Gate, read_ahead::ReadAhead};
use crate::connection::ByteStream;

/// The subprotocols that are taken, the best first: that of the standard [MQTT-6.0.0-4], and the name from before it for
/// clients that ask for nothing else.
pub const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];
/// A frame may carry the largest packet and some more.
const FRAME_SLACK: usize = 64 * 1024;
/// With their heads frames may be so many times as large as what they carry.
const GATE_FACTOR: usize = 2;
/// The most that one read gives. A small packet that is kept must not keep a whole large frame in memory.
const READ_BYTES_MAX: usize = 64 * 1024;
/// The read buffer that the library keeps: small, for most connections are idle.
const BUFFER_BYTES: usize = 256;

/// The stream of bytes in a WebSocket.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: WebSocketStream<Gate<ReadAhead<S>>>,
    /// What is left of a large message.
    rest: Bytes,
    /// What the close frame says.
    close: CloseFrame,
    is_closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes over after the handshake, of which `ahead` was read too much. No message above the largest packet, and a little, is taken, and until
    /// [`ByteStream::let_in`] no more than a connect packet of that size takes in frames; `None`: there is no such limit.
    pub async fn new(
        io: S,
        ahead: Bytes,
        role: Role,
        maximum_packet_size: u32,
        connect_packet_size_max: Option<u32>,
    ) -> Self {
        let bytes_max = maximum_packet_size as usize + FRAME_SLACK;
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(bytes_max))
            .max_frame_size(Some(bytes_max));
        let most = connect_packet_size_max.map(|bytes| GATE_FACTOR * bytes as usize + FRAME_SLACK);
        let io = Gate::new(ReadAhead::new(io, ahead), most);
        let stream = WebSocketStream::from_raw_socket(io, role, Some(config)).await;
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: Utf8Bytes::default(),
        };
        Self {
            stream,
            rest: Bytes::new(),
            close,
            is_closed: false,
        }
    }

    fn violation(&mut self, code: CloseCode, reason: &'static str) -> io::Error {
        self.close = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        io::Error::new(io::ErrorKind::InvalidData, reason)
    }

    fn error(&mut self, error: Error) -> io::Error {
        match error {
            Error::Capacity(_) => {
                self.violation(CloseCode::Size, "larger than the Maximum Packet Size")
            }
            Error::Protocol(_) | Error::Utf8(_) => {
                self.violation(CloseCode::Protocol, "not WebSocket")
            }
            Error::Io(error) => error,
            other => io::Error::other(other),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for WebSocket<S> {
    fn let_in(&mut self) {
        self.stream.get_mut().open();
    }

    fn is_exceeded(&self) -> bool {
        self.stream.get_ref().is_exceeded()
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        input: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        loop {
            if !self.rest.is_empty() {
                let count = self.rest.len().min(READ_BYTES_MAX);
                input.extend_from_slice(&self.rest.split_to(count));
                return Poll::Ready(Ok(count));
            }
            let message = match ready!(Pin::new(&mut self.stream).poll_next(context)) {
                None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => {
                    return Poll::Ready(Ok(0));
                }
                Some(Err(error)) => return Poll::Ready(Err(self.error(error))),
                Some(Ok(message)) => message,
            };
            match message {
                Message::Binary(bytes) if bytes.is_empty() => {}
                Message::Binary(bytes) if bytes.len() > READ_BYTES_MAX => self.rest = bytes,
                Message::Binary(bytes) => {
                    let count = bytes.len();
                    if input.is_empty() {
                        // Nothing waits: the frame itself becomes the buffer.
                        *input = bytes
                            .try_into_mut()
                            .unwrap_or_else(|bytes| BytesMut::from(&bytes[..]));
                    } else {
                        input.extend_from_slice(&bytes);
                    }
                    return Poll::Ready(Ok(count));
                }
                // [MQTT-6.0.0-1]
                Message::Text(_) => {
                    let refusal =
                        self.violation(CloseCode::Unsupported, "MQTT uses binary frames only");
                    return Poll::Ready(Err(refusal));
                }
                Message::Close(_) => return Poll::Ready(Ok(0)),
                // The library answers pings by itself.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        output: &mut BytesMut,
    ) -> Poll<io::Result<()>> {
        if !output.is_empty() {
            if let Err(error) = ready!(Pin::new(&mut self.stream).poll_ready(context)) {
                return Poll::Ready(Err(self.error(error)));
            }
            // Everything of this turn in one frame.
            let message = Message::Binary(output.split().freeze());
            if let Err(error) = Pin::new(&mut self.stream).start_send(message) {
                return Poll::Ready(Err(self.error(error)));
            }
        }
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(context));
        Poll::Ready(flushed.map_err(|error| self.error(error)))
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closed {
            if ready!(Pin::new(&mut self.stream).poll_ready(context)).is_err() {
                return Poll::Ready(Ok(()));
            }
            self.is_closed = true;
            // An error means that the other side has closed first: all the better.
            let _ = Pin::new(&mut self.stream).start_send(Message::Close(Some(self.close.clone())));
        }
        let _ = ready!(Pin::new(&mut self.stream).poll_flush(context));
        Poll::Ready(Ok(()))
    }
}
