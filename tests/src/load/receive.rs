//! Receiving a number of messages, acknowledged as they come.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ebbtide_protocol::packet::Ack;
use ebbtide_protocol::{Packet, QoS, ReasonCode};

use super::Link;

/// How it went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    /// To the first message.
    pub first: Duration,
    /// To the last one.
    pub last: Duration,
}

/// Takes `count` messages and acknowledges those at QoS 1.
pub fn receive(link: &mut Link, count: usize) -> Result<Received> {
    let start = Instant::now();
    let mut received = Received::default();
    let mut taken = 0;
    while taken < count {
        let mut packet = link.packet()?;
        loop {
            let Packet::Publish(publish) = packet else {
                bail!("no PUBLISH: {packet:?}")
            };
            if taken == 0 {
                received.first = start.elapsed();
            }
            taken += 1;
            if let (QoS::AtLeastOnce, Some(id)) = (publish.qos, publish.packet_id) {
                link.put(&Packet::PubAck(Ack::new(id, ReasonCode::Success)));
            }
            match link.buffered()? {
                Some(next) => packet = next,
                None => break,
            }
        }
        link.flush()?;
    }
    received.last = start.elapsed();
    Ok(received)
}
