//! One HTTP request over a fresh connection, with exactly the headers that a test wants to send.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(10);

/// Status, and head and body as text.
pub struct Response {
    /// As in the status line.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// What follows them.
    pub body: String,
}

/// GET with a fitting `Host`.
pub fn get(address: SocketAddr, path: &str) -> Result<Response> {
    request(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
    )
}

/// Sends `head` as it stands; reads the whole answer, or only the head when it is 101.
pub fn request(address: SocketAddr, head: &str) -> Result<Response> {
    let mut stream = TcpStream::connect(address).context("connecting")?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(head.as_bytes())?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let length = stream.read(&mut chunk).context("reading the response")?;
        bytes.extend_from_slice(&chunk[..length]);
        if length == 0 || is_whole(&bytes) {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .with_context(|| format!("no HTTP response: {text:?}"))?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .context("no status")?;
    Ok(Response {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// Whether this is an answer with all of its body. One that does not state its length ends with the connection.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|value| value.trim().parse::<usize>().ok());
    head.starts_with("http/1.1 101")
        || length.is_some_and(|length| bytes.len() >= head.len() + 4 + length)
}

/// The head of a WebSocket handshake for MQTT.
pub fn upgrade(host: &str, more: &str) -> String {
    format!(
        "GET /mqtt HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n{more}\r\n"
    )
}

/// A request of the API with a body of JSON, or none; status and answer, which is null if it has no body.
pub fn api(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    let answer = request(
        address,
        &format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ),
    )?;
    if answer.body.is_empty() {
        return Ok((answer.status, Value::Null));
    }
    let value = serde_json::from_str(&answer.body)
        .with_context(|| format!("{method} {path}: {} {}", answer.status, answer.body))?;
    Ok((answer.status, value))
}

/// A stream of server-sent events.
pub struct Events(BufReader<TcpStream>);

impl Events {
    /// Listens; what happens from then on is told.
    pub fn listen(address: SocketAddr) -> Result<Self> {
        Self::listen_with(address, "")
    }

    /// The same with more headers, each with its line end.
    pub fn listen_with(address: SocketAddr, more: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address).context("connecting")?;
        stream.set_read_timeout(Some(DEADLINE))?;
        write!(
            stream,
            "GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\n{more}\r\n"
        )?;
        let mut events = Self(BufReader::new(stream));
        let status = events.line()?;
        ensure!(status.starts_with("HTTP/1.1 200"), "{status}");
        while !events.line()?.trim().is_empty() {}
        Ok(events)
    }

    /// The next event of this type; others are passed over.
    pub fn next(&mut self, kind: &str) -> Result<Value> {
        loop {
            if let Some(data) = self.line()?.strip_prefix("data: ") {
                let event: Value = serde_json::from_str(data)?;
                if event["type"] == kind {
                    return Ok(event);
                }
            }
        }
    }

    /// Reads to the end of the stream.
    pub fn end(mut self) -> Result<()> {
        self.0.read_to_end(&mut Vec::new()).context("the end")?;
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let count = self.0.read_line(&mut line).context("reading an event")?;
        ensure!(count > 0, "the stream has ended");
        Ok(line)
    }
}
