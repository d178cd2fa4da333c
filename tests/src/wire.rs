//! MQTT by hand: bytes out, bytes in. For what no proper client would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long an answer may take. Shorter than a broker waits for CONNECT, so that its silence is not taken for an answer.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// A TCP connection without any client behind it.
pub struct Wire {
    stream: TcpStream,
}

impl Wire {
    /// Connects TCP only.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connecting")?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self { stream })
    }

    /// Connects with MQTT 5, clean start, and takes the successful CONNACK.
    pub fn connect(address: SocketAddr, client_id: &str) -> Result<Self> {
        let mut wire = Self::open(address)?;
        let id = client_id.as_bytes();
        let mut packet = vec![0x10, u8::try_from(13 + id.len())?];
        packet.extend_from_slice(b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00");
        packet.push(u8::try_from(id.len())?);
        packet.extend_from_slice(id);
        wire.send(&packet)?;
        let connack = wire
            .packet()?
            .context("the connection ended instead of a CONNACK")?;
        if connack.first() != Some(&0x20) || connack.get(3) != Some(&0) {
            bail!("no successful CONNACK: {connack:02x?}");
        }
        Ok(wire)
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("sending")
    }

    /// The next packet with its fixed header, or none at the end of the connection. Packets of up to 16,383 bytes.
    pub fn packet(&mut self) -> Result<Option<Vec<u8>>> {
        let mut header = [0; 2];
        match self.stream.read_exact(&mut header) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error).context("reading a packet"),
        }
        let mut length = usize::from(header[1]);
        let mut packet = header.to_vec();
        if length >= 128 {
            let mut more = [0];
            self.stream.read_exact(&mut more)?;
            packet.push(more[0]);
            length = (length & 0x7f) + (usize::from(more[0]) << 7);
        }
        let mut body = vec![0; length];
        self.stream
            .read_exact(&mut body)
            .context("reading a packet's body")?;
        packet.extend_from_slice(&body);
        Ok(Some(packet))
    }

    /// PINGREQ must be answered.
    pub fn ping(&mut self) -> Result<()> {
        self.send(&[0xc0, 0x00])?;
        match self.packet()? {
            Some(packet) if packet == [0xd0, 0x00] => Ok(()),
            other => bail!("no PINGRESP: {other:02x?}"),
        }
    }
}
