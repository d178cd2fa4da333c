//! One MQTT connection, blocking, packet by packet. It sends only what it is told to and answers nothing by itself: the
//! ledger must know what was acknowledged, and when.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use ebbtide_protocol::{
    ByteString, Decoder, Packet, ReasonCode, Role, Version, codec,
    packet::{ConnAck, Connect, Disconnect},
};

/// How long any answer may take while the broker is there: more than a commit on a disk that others keep busy.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
const PACKET_SIZE_MAX: u32 = 1 << 20;

/// Why there is no connection any more.
#[derive(Debug, thiserror::Error)]
pub enum Gone {
    /// Closed or reset, as when the broker is killed.
    #[error("the connection ended")]
    Closed,
    /// The broker said no to CONNECT.
    #[error("CONNECT was refused: {0:?}")]
    Refused(ReasonCode),
    /// The broker said why it ended the connection.
    #[error("the broker sent DISCONNECT: {0:?}")]
    Dismissed(ReasonCode),
    /// What came is no MQTT, or not what may come here.
    #[error("the broker broke the protocol: {0}")]
    Violation(String),
    /// Nothing came in time.
    #[error("no {0} in time")]
    Silent(&'static str),
}

/// A connection that has had its CONNACK.
pub struct Link {
    stream: TcpStream,
    decoder: Decoder,
    version: Version,
    input: BytesMut,
    era: u32,
}

impl Link {
    /// TCP only; `None` if nobody listens.
    pub fn dial(address: SocketAddr) -> Option<TcpStream> {
        let stream = TcpStream::connect_timeout(&address, ANSWER_DEADLINE).ok()?;
        // Without a listener a port of the system's choice can be connected to itself.
        (stream.local_addr().ok()? != address).then_some(stream)
    }

    /// CONNECT and its CONNACK. `era` says which life of the broker it belongs to.
    pub fn connect(stream: TcpStream, connect: Connect, era: u32) -> Result<(Self, ConnAck), Gone> {
        stream.set_nodelay(true).map_err(|_| Gone::Closed)?;
        let version = connect.version;
        let mut decoder = Decoder::new(Role::Client, PACKET_SIZE_MAX);
        decoder.set_version(version);
        let mut link = Self {
            stream,
            decoder,
            version,
            input: BytesMut::new(),
            era,
        };
        link.send(&Packet::Connect(Box::new(connect)))?;
        match link.receive(ANSWER_DEADLINE)? {
            Some(Packet::ConnAck(connack)) if connack.reason == ReasonCode::Success => {
                Ok((link, *connack))
            }
            Some(Packet::ConnAck(connack)) => Err(Gone::Refused(connack.reason)),
            Some(other) => Err(Gone::Violation(format!("{other:?} instead of CONNACK"))),
            None => Err(Gone::Silent("CONNACK")),
        }
    }

    /// Which life of the broker it belongs to.
    pub fn era(&self) -> u32 {
        self.era
    }

    /// Sends one packet.
    pub fn send(&mut self, packet: &Packet) -> Result<(), Gone> {
        let mut output = BytesMut::new();
        codec::encode(packet, self.version, &mut output);
        self.stream.write_all(&output).map_err(|_| Gone::Closed)
    }

    /// The next packet, or none within `limit`.
    pub fn receive(&mut self, limit: Duration) -> Result<Option<Packet>, Gone> {
        let deadline = Instant::now() + limit;
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(Packet::Disconnect(disconnect))) => {
                    return Err(Gone::Dismissed(disconnect.reason));
                }
                Ok(Some(packet)) => return Ok(Some(packet)),
                Ok(None) => {}
                Err(violation) => return Err(Gone::Violation(violation.to_string())),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.read(left)? {
                return Ok(None);
            }
        }
    }

    /// DISCONNECT 0x00; true when the broker has closed in answer.
    pub fn disconnect(mut self) -> bool {
        let packet = Packet::Disconnect(Box::new(Disconnect::new(ReasonCode::Success)));
        if self.send(&packet).is_err() {
            return false;
        }
        let deadline = Instant::now() + ANSWER_DEADLINE;
        while Instant::now() < deadline {
            let mut bytes = [0; 4096];
            self.stream.set_read_timeout(Some(ANSWER_DEADLINE)).ok();
            match self.stream.read(&mut bytes) {
                // What was on its way.
                Ok(count) if count > 0 => {}
                Ok(_) => return true,
                // A reset may come from a kill just as well.
                Err(_) => return false,
            }
        }
        false
    }

    /// True if something came.
    fn read(&mut self, limit: Duration) -> Result<bool, Gone> {
        let mut bytes = [0; 16 * 1024];
        let limit = limit.max(Duration::from_millis(1));
        self.stream
            .set_read_timeout(Some(limit))
            .map_err(|_| Gone::Closed)?;
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(Gone::Closed),
            Ok(count) => {
                self.input.extend_from_slice(&bytes[..count]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(false)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(_) => Err(Gone::Closed),
        }
    }
}

/// A CONNECT. Before 5.0 a session is kept if and only if it is not clean, whatever `expiry_s` says.
#[must_use]
pub fn connect(version: Version, client_id: &str, clean_start: bool, expiry_s: u32) -> Connect {
    Connect {
        version,
        clean_start,
        keep_alive: 60,
        client_id: ByteString::from(client_id),
        session_expiry_interval: (version == Version::V5).then_some(expiry_s),
        ..Connect::default()
    }
}
