//! One MQTT 5 connection over TCP: packets in and out, in batches.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use ebbtide_protocol::codec::{Decoder, Role, encode};
use ebbtide_protocol::packet::{Connect, Disconnect, Subscribe, Subscription, SubscriptionOptions};
use ebbtide_protocol::{Packet, PacketId, QoS, ReasonCode, TopicFilter, Version};

/// How long the broker may take to say anything at all.
const DEADLINE: Duration = Duration::from_secs(120);
const READ_BYTES: usize = 256 * 1024;

/// A connection.
pub struct Link {
    stream: TcpStream,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
}

impl Link {
    /// Connects; gives Session Present as well.
    pub fn connect(address: SocketAddr, connect: Connect) -> Result<(Self, bool)> {
        let stream = TcpStream::connect(address).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut decoder = Decoder::new(Role::Client, u32::MAX);
        decoder.set_version(Version::V5);
        let mut link = Self {
            stream,
            decoder,
            input: BytesMut::new(),
            output: BytesMut::new(),
        };
        link.put(&Packet::Connect(Box::new(connect)));
        link.flush()?;
        match link.packet()? {
            Packet::ConnAck(connack) if !connack.reason.is_error() => {
                Ok((link, connack.session_present))
            }
            other => bail!("no CONNACK: {other:?}"),
        }
    }

    /// Subscribes to one filter and waits for SUBACK.
    pub fn subscribe(&mut self, filter: &str, qos: QoS) -> Result<()> {
        self.subscribe_to(&[filter], qos)
    }

    /// Subscribes to some filters and waits for SUBACK.
    pub fn subscribe_to(&mut self, filters: &[impl AsRef<str>], qos: QoS) -> Result<()> {
        let options = SubscriptionOptions {
            qos,
            ..SubscriptionOptions::default()
        };
        let subscription = |filter: &str| {
            let filter = TopicFilter::new(filter.to_owned())?;
            Ok(Subscription { filter, options })
        };
        let subscriptions = filters.iter().map(|filter| subscription(filter.as_ref()));
        self.put(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::MIN,
            subscription_identifier: None,
            user_properties: Vec::new(),
            subscriptions: subscriptions.collect::<Result<_>>()?,
        }));
        self.flush()?;
        match self.packet()? {
            Packet::SubAck(suback) => {
                let refused = suback.reasons.iter().find(|reason| reason.is_error());
                ensure!(refused.is_none(), "{refused:?}");
                Ok(())
            }
            other => bail!("no SUBACK: {other:?}"),
        }
    }

    /// Puts a packet into the next write.
    pub fn put(&mut self, packet: &Packet) {
        encode(packet, Version::V5, &mut self.output);
    }

    /// Bytes that wait for [`Link::flush`].
    pub fn unwritten(&self) -> usize {
        self.output.len()
    }

    /// Writes what was put.
    pub fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.output).context("writing")?;
        self.output.clear();
        Ok(())
    }

    /// Says goodbye, and waits until the broker has taken that in: then it closes.
    pub fn end(mut self) -> Result<()> {
        let disconnect = Disconnect::new(ReasonCode::Success);
        self.put(&Packet::Disconnect(Box::new(disconnect)));
        self.flush()?;
        ensure!(self.packet().is_err(), "something came behind DISCONNECT");
        Ok(())
    }

    /// Its socket once more, for who writes while this one reads.
    pub fn writer(&self) -> Result<TcpStream> {
        self.stream.try_clone().context("the socket once more")
    }

    /// The next packet, read from the network if need be.
    pub fn packet(&mut self) -> Result<Packet> {
        loop {
            if let Some(packet) = self.buffered()? {
                return Ok(packet);
            }
            self.read()?;
        }
    }

    /// The next packet of what has been read.
    pub fn buffered(&mut self) -> Result<Option<Packet>> {
        Ok(self.decoder.decode(&mut self.input)?)
    }

    fn read(&mut self) -> Result<()> {
        let before = self.input.len();
        self.input.resize(before + READ_BYTES, 0);
        let count = self.stream.read(&mut self.input[before..]);
        self.input
            .truncate(before + count.as_ref().copied().unwrap_or(0));
        ensure!(count.context("reading")? > 0, "the broker closed");
        Ok(())
    }
}

/// A session that ends with its connection.
#[must_use]
pub fn clean(client_id: &str) -> Connect {
    Connect {
        client_id: client_id.into(),
        clean_start: true,
        ..Connect::default()
    }
}

/// A session that stays.
#[must_use]
pub fn kept(client_id: &str) -> Connect {
    Connect {
        client_id: client_id.into(),
        session_expiry_interval: Some(u32::MAX),
        ..Connect::default()
    }
}
