//! Publishing at QoS 1 through a window: as many unacknowledged as it allows, and no more.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use ebbtide_protocol::packet::{MessageProperties, Publish};
use ebbtide_protocol::{Packet, PacketId, QoS, TopicName};

use super::{Link, clean};

/// Written at once at the most.
const WRITE_BYTES: usize = 64 * 1024;

/// How it went.
#[derive(Debug, Default)]
pub struct Published {
    /// From the first byte to the last acknowledgement.
    pub took: Duration,
    /// From each write to its acknowledgement, in the order of publishing.
    pub latencies: Vec<Duration>,
}

/// What can be published to.
pub trait IntoTopic {
    /// As a topic name.
    ///
    /// # Errors
    /// When it is none.
    fn into_topic(self) -> Result<TopicName>;
}

impl IntoTopic for String {
    fn into_topic(self) -> Result<TopicName> {
        Ok(TopicName::new(self)?)
    }
}

/// One made beforehand costs nothing more: for measurements that the generator should not be part of.
impl IntoTopic for TopicName {
    fn into_topic(self) -> Result<TopicName> {
        Ok(self)
    }
}

/// Publishes `count` messages as one client, `window` at a time; `message` gives topic and payload of each.
pub fn publish<T: IntoTopic>(
    address: SocketAddr,
    client_id: &str,
    count: usize,
    window: usize,
    retain: bool,
    message: impl Fn(usize) -> (T, Bytes),
) -> Result<Published> {
    let (mut link, _) = Link::connect(address, clean(client_id))?;
    let start = Instant::now();
    let mut sent_at = Vec::with_capacity(count);
    let mut latencies = Vec::with_capacity(count);
    while latencies.len() < count {
        while sent_at.len() < count
            && sent_at.len() - latencies.len() < window
            && link.unwritten() < WRITE_BYTES
        {
            link.put(&packet(sent_at.len(), retain, &message)?);
            sent_at.push(Instant::now());
        }
        if link.unwritten() > 0 {
            link.flush()?;
        }
        let mut packet = link.packet()?;
        loop {
            let Packet::PubAck(ack) = packet else {
                bail!("no PUBACK: {packet:?}")
            };
            ensure!(
                !ack.reason.is_error(),
                "{:?} {:?}",
                ack.reason,
                ack.reason_string
            );
            latencies.push(sent_at[latencies.len()].elapsed());
            match link.buffered()? {
                Some(next) => packet = next,
                None => break,
            }
        }
    }
    let took = start.elapsed();
    link.end()?;
    Ok(Published { took, latencies })
}

fn packet<T: IntoTopic>(
    number: usize,
    retain: bool,
    message: impl Fn(usize) -> (T, Bytes),
) -> Result<Packet> {
    let (topic, payload) = message(number);
    let id = u16::try_from(number % usize::from(u16::MAX))? + 1;
    Ok(Packet::Publish(Box::new(Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain,
        topic: Some(topic.into_topic()?),
        packet_id: PacketId::new(id),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload,
    })))
}
