//! A client without a mind of its own: it sends and receives packets, over TCP or WebSocket, one at a time, when told to.
//!
//! It acknowledges nothing by itself, and what it has not been asked for it leaves in the socket. The codec is the project's
//! own: for what is right and wrong on the wire there are the wire cases, which have another.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU16;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use ebbtide_protocol::codec::{Decoder, PACKET_SIZE_MAX, Role, encode};
use ebbtide_protocol::packet::{
    Ack, ConnAck, Connect, MessageProperties, Publish, Subscribe, Subscription,
    SubscriptionOptions, Unsubscribe,
};
use ebbtide_protocol::{Packet, QoS, ReasonCode, TopicFilter, TopicName, Version};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use crate::broker::Broker;

/// How long an answer may take: a debug build on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the bytes travel in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP as it is.
    Tcp,
    /// Binary frames.
    WebSocket,
}

enum Stream {
    Tcp(TcpStream),
    WebSocket(Box<WebSocket<TcpStream>>),
}

/// One connection.
pub struct Peer {
    stream: Stream,
    decoder: Decoder,
    version: Version,
    input: BytesMut,
    /// Came while something else was waited for.
    ahead: VecDeque<Publish>,
    /// What one read of the socket may give.
    buffer: Box<[u8]>,
}

impl Peer {
    /// Connects without a word of MQTT.
    pub fn open(broker: &Broker, transport: Transport) -> Result<Self> {
        let stream = match transport {
            Transport::Tcp => return Self::at(broker.mqtt()),
            Transport::WebSocket => {
                let address = broker.http();
                let mut request = format!("ws://{address}/mqtt").into_client_request()?;
                let protocol = HeaderValue::from_static("mqtt");
                request
                    .headers_mut()
                    .insert("Sec-WebSocket-Protocol", protocol);
                let config = WebSocketConfig::default()
                    .max_message_size(None)
                    .max_frame_size(None);
                let stream = tcp(address)?;
                let (socket, _) =
                    tungstenite::client::client_with_config(request, stream, Some(config))
                        .map_err(|error| anyhow::anyhow!("no WebSocket: {error}"))?;
                Stream::WebSocket(Box::new(socket))
            }
        };
        Ok(Self::on(stream))
    }

    /// The same at any broker, over TCP.
    pub fn at(address: SocketAddr) -> Result<Self> {
        Ok(Self::on(Stream::Tcp(tcp(address)?)))
    }

    fn on(stream: Stream) -> Self {
        Self {
            stream,
            decoder: Decoder::new(Role::Client, PACKET_SIZE_MAX),
            version: Version::V5,
            input: BytesMut::new(),
            ahead: VecDeque::new(),
            buffer: vec![0; 64 * 1024].into(),
        }
    }

    /// Connects, and takes the CONNACK, which must be a success.
    pub fn connect(
        broker: &Broker,
        transport: Transport,
        connect: Connect,
    ) -> Result<(Self, ConnAck)> {
        let mut peer = Self::open(broker, transport)?;
        peer.version = connect.version;
        peer.decoder.set_version(connect.version);
        peer.send(&Packet::Connect(Box::new(connect)))?;
        match peer.receive()? {
            Packet::ConnAck(connack) if connack.reason == ReasonCode::Success => {
                Ok((peer, *connack))
            }
            other => bail!("no successful CONNACK but {other:?}"),
        }
    }

    /// Over TCP with a session that ends with the connection.
    pub fn clean(broker: &Broker, client_id: &str) -> Result<Self> {
        Ok(Self::connect(broker, Transport::Tcp, clean(client_id))?.0)
    }

    /// Sends one packet.
    pub fn send(&mut self, packet: &Packet) -> Result<()> {
        let bytes = self.encode(packet);
        self.send_bytes(&bytes)
    }

    /// A packet as this connection would send it.
    pub fn encode(&self, packet: &Packet) -> Bytes {
        let mut bytes = BytesMut::new();
        encode(packet, self.version, &mut bytes);
        bytes.freeze()
    }

    /// What lies below: over WebSocket its bytes are frames.
    pub fn socket(&mut self) -> &mut TcpStream {
        match &mut self.stream {
            Stream::Tcp(stream) => stream,
            Stream::WebSocket(socket) => socket.get_mut(),
        }
    }

    /// Sends bytes as they are, over WebSocket in one frame.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes).context("sending"),
            Stream::WebSocket(socket) => socket
                .send(Message::Binary(Bytes::copy_from_slice(bytes)))
                .context("sending"),
        }
    }

    /// Writes the bytes again and again until so many have been sent or the broker has read none for so long. TCP only.
    pub fn flood(&mut self, bytes: &[u8], total: usize, patience: Duration) -> Result<usize> {
        let stream = self.socket();
        stream.set_write_timeout(Some(patience))?;
        let (mut sent, mut at) = (0, 0);
        while sent < total {
            match stream.write(&bytes[at..]) {
                Ok(count) => (sent, at) = (sent + count, (at + count) % bytes.len()),
                Err(error) if is_wait(error.kind()) => break,
                // Ended by the broker.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                    ) =>
                {
                    break;
                }
                Err(error) => return Err(error).context("flooding"),
            }
        }
        Ok(sent)
    }

    /// The next packet, which must come.
    pub fn receive(&mut self) -> Result<Packet> {
        self.receive_or_end()?
            .context("the connection ended instead of a packet")
    }

    /// The next packet; none at the end of the connection.
    pub fn receive_or_end(&mut self) -> Result<Option<Packet>> {
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.input)? {
                return Ok(Some(packet));
            }
            match &mut self.stream {
                Stream::Tcp(stream) => match stream.read(&mut self.buffer) {
                    Ok(0) => return Ok(None),
                    Ok(count) => self.input.extend_from_slice(&self.buffer[..count]),
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                        return Ok(None);
                    }
                    Err(error) => return Err(error).context("waiting for a packet"),
                },
                Stream::WebSocket(socket) => match socket.read().context("waiting for a packet")? {
                    Message::Binary(bytes) => self.input.extend_from_slice(&bytes),
                    Message::Close(_) => return Ok(None),
                    _ => {}
                },
            }
        }
    }

    /// The next packet, which must be a PUBLISH.
    pub fn message(&mut self) -> Result<Publish> {
        if let Some(publish) = self.ahead.pop_front() {
            return Ok(publish);
        }
        match self.receive()? {
            Packet::Publish(publish) => Ok(*publish),
            other => bail!("no PUBLISH but {other:?}"),
        }
    }

    /// The next message, acknowledged for good.
    pub fn take(&mut self) -> Result<Publish> {
        let publish = self.message()?;
        let Some(packet_id) = publish.packet_id else {
            return Ok(publish);
        };
        let ack = Ack::new(packet_id, ReasonCode::Success);
        if publish.qos == QoS::ExactlyOnce {
            self.send(&Packet::PubRec(ack.clone()))?;
            // PUBREL waits for the disk: the next messages may come before it.
            let released = loop {
                match self.receive()? {
                    Packet::Publish(publish) => self.ahead.push_back(*publish),
                    other => break other,
                }
            };
            ensure!(
                matches!(&released, Packet::PubRel(ack) if ack.packet_id == packet_id),
                "no PUBREL but {released:?}"
            );
            self.send(&Packet::PubComp(ack))?;
        } else {
            self.send(&Packet::PubAck(ack))?;
        }
        Ok(publish)
    }

    /// Publishes, and takes all acknowledgements.
    pub fn publish(&mut self, publish: Publish) -> Result<()> {
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        self.send(&Packet::Publish(Box::new(publish)))?;
        let Some(packet_id) = packet_id else {
            return Ok(());
        };
        let answer = self.receive()?;
        match (qos, &answer) {
            (QoS::AtLeastOnce, Packet::PubAck(ack)) if !ack.reason.is_error() => return Ok(()),
            (QoS::ExactlyOnce, Packet::PubRec(ack)) if !ack.reason.is_error() => {}
            _ => bail!("not acknowledged: {answer:?}"),
        }
        self.send(&Packet::PubRel(Ack::new(packet_id, ReasonCode::Success)))?;
        let answer = self.receive()?;
        ensure!(matches!(answer, Packet::PubComp(_)), "{answer:?}");
        Ok(())
    }

    /// Subscribes to one filter or several, and takes the SUBACK, which must grant all of it.
    pub fn subscribe(&mut self, filters: &[&str], qos: QoS) -> Result<()> {
        self.send(&subscribe(filters, qos)?)?;
        match self.receive()? {
            Packet::SubAck(ack) if ack.reasons.iter().all(|reason| !reason.is_error()) => {
                ensure!(ack.reasons.len() == filters.len(), "too few reasons");
                Ok(())
            }
            other => bail!("no SUBACK: {other:?}"),
        }
    }

    /// PINGREQ must be answered, and nothing else may come before.
    pub fn ping(&mut self) -> Result<()> {
        self.send(&Packet::PingReq)?;
        let answer = self.receive()?;
        ensure!(matches!(answer, Packet::PingResp), "{answer:?}");
        Ok(())
    }
}

fn is_wait(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn tcp(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).context("connecting")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// CONNECT with 5.0 for a session that ends with the connection.
pub fn clean(client_id: &str) -> Connect {
    Connect {
        version: Version::V5,
        clean_start: true,
        client_id: client_id.into(),
        ..Connect::default()
    }
}

/// CONNECT with 5.0 for a session that stays.
pub fn kept(client_id: &str) -> Connect {
    Connect {
        clean_start: false,
        session_expiry_interval: Some(3600),
        ..clean(client_id)
    }
}

/// A PUBLISH; the packet id counts above QoS 0.
pub fn publish(
    topic: &str,
    payload: impl Into<Bytes>,
    qos: QoS,
    packet_id: u16,
) -> Result<Publish> {
    let packet_id = NonZeroU16::new(packet_id).filter(|_| qos > QoS::AtMostOnce);
    Ok(Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(TopicName::new(topic)?),
        packet_id,
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: payload.into(),
    })
}

/// SUBSCRIBE to these filters.
pub fn subscribe(filters: &[&str], qos: QoS) -> Result<Packet> {
    let options = SubscriptionOptions {
        qos,
        ..SubscriptionOptions::default()
    };
    let subscriptions = filters.iter().map(|&filter| {
        let filter = TopicFilter::new(filter)?;
        Ok(Subscription { filter, options })
    });
    Ok(Packet::Subscribe(Subscribe {
        packet_id: NonZeroU16::MIN,
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: subscriptions.collect::<Result<_>>()?,
    }))
}

/// UNSUBSCRIBE from this filter.
pub fn unsubscribe(filter: &str) -> Result<Packet> {
    Ok(Packet::Unsubscribe(Unsubscribe {
        packet_id: NonZeroU16::MIN,
        user_properties: Vec::new(),
        filters: vec![TopicFilter::new(filter)?],
    }))
}
