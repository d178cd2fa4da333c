//! One connection to the broker under test, over TCP, TLS or WebSocket.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tungstenite::{
    Message, WebSocket,
    client::IntoClientRequest,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use super::{
    How, Version,
    decode::{self, Received},
};
use crate::tls::{Certificates, Secured};

/// What comes from the broker.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Packet(Received),
    /// WebSocket only: `pong`, `ping`, `text` or `close`, and its content or code.
    Frame(&'static str, String),
    Closed,
    /// Nothing, until the deadline.
    Silence,
}

pub(super) struct Line {
    stream: Stream,
    version: Version,
    input: Vec<u8>,
    frames: Vec<(&'static str, String)>,
    is_closed: bool,
}

enum Stream {
    Tcp(TcpStream),
    Tls(Box<Secured>),
    WebSocket(Box<WebSocket<TcpStream>>),
}

impl Line {
    pub fn tcp(address: SocketAddr, version: Version) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Self::new(Stream::Tcp(stream), version))
    }

    pub fn tls(address: SocketAddr, certificates: &Certificates, version: Version) -> Result<Self> {
        let stream = certificates.connect(address)?;
        Ok(Self::new(Stream::Tls(Box::new(stream)), version))
    }

    pub fn websocket(address: SocketAddr, path: &str, version: Version) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut request = format!("ws://{address}{path}").into_client_request()?;
        let protocol = match version {
            Version::V3_1 => "mqttv3.1",
            Version::V3_1_1 | Version::V5 => "mqtt",
        };
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", protocol.parse()?);
        let (socket, _) = tungstenite::client(request, stream)
            .map_err(|error| anyhow::anyhow!("the WebSocket handshake: {error}"))?;
        Ok(Self::new(Stream::WebSocket(Box::new(socket)), version))
    }

    fn new(stream: Stream, version: Version) -> Self {
        Self {
            stream,
            version,
            input: Vec::new(),
            frames: Vec::new(),
            is_closed: false,
        }
    }

    /// What cannot be sent because the broker has closed is found out by what is expected next.
    pub fn send(&mut self, bytes: &[u8], how: How) -> Result<()> {
        match (&mut self.stream, how) {
            (Stream::Tcp(stream), how) => write(stream, bytes, how),
            (Stream::Tls(stream), how) => write(&mut **stream, bytes, how),
            (Stream::WebSocket(socket), How::Whole) => {
                drop(socket.send(Message::Binary(bytes.to_vec().into())));
            }
            (Stream::WebSocket(socket), How::Pieces(size)) => {
                for piece in bytes.chunks(size) {
                    drop(socket.send(Message::Binary(piece.to_vec().into())));
                }
            }
            (Stream::WebSocket(socket), How::Fragments(size)) => {
                let count = bytes.chunks(size).count();
                for (at, piece) in bytes.chunks(size).enumerate() {
                    let data = if at == 0 {
                        Data::Binary
                    } else {
                        Data::Continue
                    };
                    let is_last = at + 1 == count;
                    let frame = Frame::message(piece.to_vec(), OpCode::Data(data), is_last);
                    drop(socket.send(Message::Frame(frame)));
                }
            }
        }
        Ok(())
    }

    pub fn send_frame(&mut self, kind: &str, content: Vec<u8>) -> Result<()> {
        let Stream::WebSocket(socket) = &mut self.stream else {
            bail!("frames are for `transport ws`");
        };
        let message = match kind {
            "text" => Message::Text(String::from_utf8(content)?.into()),
            "ping" => Message::Ping(content.into()),
            "close" => {
                socket.close(None).ok();
                return Ok(());
            }
            other => bail!("`{other}` is no frame: text, ping or close"),
        };
        socket.send(message).ok();
        Ok(())
    }

    pub fn half_close(&mut self) -> Result<()> {
        self.tcp_stream().shutdown(Shutdown::Write)?;
        Ok(())
    }

    /// The next packet, or what else happens first.
    pub fn next(&mut self, patience: Duration) -> Result<Event> {
        let deadline = Instant::now() + patience;
        loop {
            if !self.frames.is_empty() {
                let (kind, content) = self.frames.remove(0);
                return Ok(Event::Frame(kind, content));
            }
            if let Some(packet) = self.packet()? {
                return Ok(Event::Packet(packet));
            }
            if self.is_closed {
                if !self.input.is_empty() {
                    bail!("the connection ended in the middle of a packet");
                }
                return Ok(Event::Closed);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Event::Silence);
            }
            self.tcp_stream()
                .set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            self.read()?;
        }
    }

    fn packet(&mut self) -> Result<Option<Received>> {
        let Some(length) = decode::packet_length(&self.input)? else {
            return Ok(None);
        };
        if self.input.len() < length {
            return Ok(None);
        }
        let rest = self.input.split_off(length);
        let packet = std::mem::replace(&mut self.input, rest);
        decode::decode(&packet, self.version)
            .with_context(|| format!("the broker sent {}", hexadecimal(&packet)))
            .map(Some)
    }

    fn read(&mut self) -> Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => self.is_closed = !read(stream, &mut self.input),
            Stream::Tls(stream) => self.is_closed = !read(&mut **stream, &mut self.input),
            Stream::WebSocket(socket) => match socket.read() {
                Ok(Message::Binary(bytes)) => self.input.extend(&bytes),
                Ok(Message::Text(text)) => self.frames.push(("text", text.to_string())),
                Ok(Message::Ping(data)) => self.frames.push(("ping", readable(&data))),
                Ok(Message::Pong(data)) => self.frames.push(("pong", readable(&data))),
                Ok(Message::Close(frame)) => {
                    let code = frame.map_or(1005, |frame| u16::from(frame.code));
                    self.frames.push(("close", code.to_string()));
                }
                Ok(Message::Frame(_)) => {}
                Err(tungstenite::Error::Io(error)) if is_timeout(&error) => {}
                Err(_) => self.is_closed = true,
            },
        }
        Ok(())
    }

    fn tcp_stream(&self) -> &TcpStream {
        match &self.stream {
            Stream::Tcp(stream) => stream,
            Stream::Tls(stream) => stream.get_ref(),
            Stream::WebSocket(socket) => socket.get_ref(),
        }
    }
}

fn write(stream: &mut impl Write, bytes: &[u8], how: How) {
    let size = match how {
        How::Pieces(size) => size,
        How::Whole | How::Fragments(_) => bytes.len().max(1),
    };
    for piece in bytes.chunks(size) {
        if stream
            .write_all(piece)
            .and_then(|()| stream.flush())
            .is_err()
        {
            break;
        }
    }
}

/// `false` at the end.
fn read(stream: &mut impl Read, input: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 65_536];
    match stream.read(&mut buffer) {
        Ok(0) => false,
        Ok(count) => {
            input.extend(&buffer[..count]);
            true
        }
        Err(error) => is_timeout(&error),
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let shown = bytes.iter().take(64);
    shown.map(|byte| format!("{byte:02x}")).collect()
}
