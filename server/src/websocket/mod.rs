//! MQTT over WebSocket (section 6): the bytes of binary frames are one stream, packets may be split over frames and several
//! may share one [MQTT-6.0.0-2].

mod boundary;
mod gate;
mod read_ahead;
#[cfg(test)]
mod tests;
mod turn;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
pub use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{
    Error, Message, Result, Utf8Bytes,
    protocol::{CloseFrame, WebSocketConfig, WebSocketContext, frame::coding::CloseCode},
};

use self::{gate::Gate, read_ahead::ReadAhead, turn::Turn};
use crate::driver::ByteStream;

/// The subprotocols that are taken, the best first: that of the standard [MQTT-6.0.0-4], and the name from before it for
/// clients that ask for nothing else.
pub const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];
/// A frame may carry the largest packet and some more.
const FRAME_SLACK: usize = 64 * 1024;
/// With their heads frames may be so many times as large as what they carry.
const GATE_FACTOR: usize = 2;
/// The most that one read gives. A small packet that is kept must not keep a whole large frame in memory.
const READ_BYTES_MAX: usize = 64 * 1024;
/// The most that one message carries. More than a turn gives, unless a packet is large.
const WRITE_BYTES_MAX: usize = 128 * 1024;
/// The most that the library holds of what the socket does not take: a message of ours that was handed over when it held nothing, or
/// as much of its own answers to pings. What has no room replaces the answer before it, as section 5.5.3 of RFC 6455 allows.
const UNWRITTEN_BYTES_MAX: usize = 2 * WRITE_BYTES_MAX;
/// The read buffer that the library keeps: small, for most connections are idle.
const BUFFER_BYTES: usize = 256;
/// A frame above this makes buffers grow that the library never gives back by itself.
const SMALL_BYTES: usize = 512;

/// The stream of bytes in a WebSocket.
#[derive(Debug)]
pub struct WebSocket<S> {
    io: Gate<ReadAhead<S>>,
    frames: WebSocketContext,
    role: Role,
    bytes_max: usize,
    /// The library has had a frame in its hands, in one direction or the other, that made its buffers grow.
    has_grown: bool,
    /// All that has come was handed over, and the socket had no more.
    is_drained: bool,
    /// What is left of a large message.
    rest: Bytes,
    /// What the close frame says.
    close: (CloseCode, &'static str),
    is_closed: bool,
    /// Reading has failed: nothing more comes.
    has_failed: bool,
    /// The socket has not taken all of what the library has to write.
    is_blocked: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes over after the handshake, of which `ahead` was read too much. No message above the largest packet, and a little, is taken, and until
    /// [`ByteStream::let_in`] no more than a connect packet of that size takes in frames; `None`: there is no such limit.
    pub fn new(
        io: S,
        ahead: Bytes,
        role: Role,
        maximum_packet_size: u32,
        connect_packet_size_max: Option<u32>,
    ) -> Self {
        let bytes_max = maximum_packet_size as usize + FRAME_SLACK;
        let most = connect_packet_size_max.map(|bytes| GATE_FACTOR * bytes as usize + FRAME_SLACK);
        Self {
            io: Gate::new(ReadAhead::new(io, ahead), most),
            frames: frames(role, bytes_max),
            role,
            bytes_max,
            has_grown: false,
            is_drained: false,
            rest: Bytes::new(),
            close: (CloseCode::Normal, ""),
            is_closed: false,
            has_failed: false,
            is_blocked: false,
        }
    }

    /// The next message.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<Message>> {
        if self.has_failed {
            return Poll::Ready(Err(Error::AlreadyClosed));
        }
        let message = turn::poll(self.frames.read(&mut Turn::new(&mut self.io, context)));
        self.is_drained = message.is_pending();
        let message = ready!(message);
        self.has_failed = message.is_err();
        self.has_grown |= message
            .as_ref()
            .is_ok_and(|message| message.len() > SMALL_BYTES);
        Poll::Ready(message)
    }

    /// Ready once a message can be taken.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.is_blocked {
            return Poll::Ready(Ok(()));
        }
        self.poll_flush(context)
    }

    /// Hands a message over; the library keeps what the socket does not take.
    fn send(&mut self, context: &mut Context<'_>, message: Message) -> Result<()> {
        self.has_grown |= message.len() > SMALL_BYTES;
        let written = self
            .frames
            .write(&mut Turn::new(&mut self.io, context), message);
        match turn::poll(written) {
            Poll::Ready(written) => written,
            Poll::Pending => {
                self.is_blocked = true;
                Ok(())
            }
        }
    }

    /// Ready once everything is on its way.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = self.frames.flush(&mut Turn::new(&mut self.io, context));
        let flushed = ready!(turn::poll(flushed));
        self.is_blocked = false;
        Poll::Ready(match flushed {
            // The last that there was to write was on its way before.
            Err(Error::ConnectionClosed) => Ok(()),
            flushed => flushed,
        })
    }

    fn violation(&mut self, code: CloseCode, reason: &'static str) -> io::Error {
        self.close = (code, reason);
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

/// The library at a boundary between two messages.
fn frames(role: Role, bytes_max: usize) -> WebSocketContext {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(UNWRITTEN_BYTES_MAX)
        .max_message_size(Some(bytes_max))
        .max_frame_size(Some(bytes_max));
    WebSocketContext::new(role, Some(config))
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for WebSocket<S> {
    /// The library keeps its buffers as large as they were once. Where no message has begun, nothing waits to be written and nobody
    /// has begun to close, a new one is as good.
    fn give_back(&mut self, context: &mut Context<'_>) {
        let is_between = self.is_drained && self.io.inner().is_between();
        let is_open = self.frames.can_read() && self.frames.can_write() && !self.has_failed;
        if self.has_grown
            && is_between
            && is_open
            && matches!(self.poll_flush(context), Poll::Ready(Ok(())))
        {
            self.frames = frames(self.role, self.bytes_max);
            self.has_grown = false;
        }
    }

    fn let_in(&mut self) {
        self.io.open();
    }

    fn is_exceeded(&self) -> bool {
        self.io.is_exceeded()
    }

    fn incomplete_bytes(&self) -> usize {
        self.io.inner().incomplete_bytes()
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
            let message = match ready!(self.poll_message(context)) {
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Poll::Ready(Ok(0)),
                Err(error) => return Poll::Ready(Err(self.error(error))),
                Ok(message) => message,
            };
            match message {
                Message::Binary(bytes) if bytes.is_empty() => {}
                Message::Binary(bytes) if bytes.len() > READ_BYTES_MAX => self.rest = bytes,
                Message::Binary(bytes) => {
                    // Copied: the library's buffer is behind it, and would live as long as the smallest packet of it.
                    input.extend_from_slice(&bytes);
                    return Poll::Ready(Ok(bytes.len()));
                }
                // [MQTT-6.0.0-1]
                Message::Text(_) => {
                    let refusal =
                        self.violation(CloseCode::Unsupported, "MQTT uses binary frames only");
                    return Poll::Ready(Err(refusal));
                }
                Message::Close(_) => return Poll::Ready(Ok(0)),
                // The library answers pings by itself, and may have to hold answers back: no message goes before they are on their way.
                Message::Ping(_) => (self.is_blocked, self.has_grown) = (true, true),
                Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// After a failure there are no frames any more, only bytes.
    fn poll_throw_away(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !self.has_failed {
            let read = ready!(self.poll_read(context, &mut BytesMut::new()));
            if read.is_ok() {
                return Poll::Ready(read);
            }
        }
        self.io.inner_mut().poll_throw_away(context)
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        output: &mut BytesMut,
    ) -> Poll<io::Result<()>> {
        while !output.is_empty() {
            if let Err(error) = ready!(self.poll_ready(context)) {
                return Poll::Ready(Err(self.error(error)));
            }
            // Everything of this turn in one frame, unless a packet is large: browsers hand over whole messages only, and would see nothing
            // for all the time that it takes on a slow link.
            let count = output.len().min(WRITE_BYTES_MAX);
            let message = Message::Binary(output.split_to(count).freeze());
            if let Err(error) = self.send(context, message) {
                return Poll::Ready(Err(self.error(error)));
            }
        }
        let flushed = ready!(self.poll_flush(context));
        Poll::Ready(flushed.map_err(|error| self.error(error)))
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closed {
            if ready!(self.poll_ready(context)).is_err() {
                return Poll::Ready(Ok(()));
            }
            self.is_closed = true;
            // An error means that the other side has closed first: all the better.
            let (code, reason) = self.close;
            let reason = Utf8Bytes::from_static(reason);
            let _ = self.send(context, Message::Close(Some(CloseFrame { code, reason })));
        }
        let _ = ready!(self.poll_flush(context));
        if self.has_failed {
            // Its own close frame could not be told from what else comes: who has read ours finds the end behind it.
            return Pin::new(&mut self.io).poll_shutdown(context);
        }
        Poll::Ready(Ok(()))
    }
}
