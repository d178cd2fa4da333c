//! Attacks by clients that make the broker hold much, or hand out much of what it holds.

use anyhow::{Result, ensure};
use bytes::BytesMut;
use ebbtide_protocol::codec::encode;
use ebbtide_protocol::packet::{Connect, Publish};
use ebbtide_protocol::{Packet, QoS, Version};
use ebbtide_tests::peer::{Peer, Transport, clean, kept, publish, subscribe};

use super::{Attack, Wild};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn bytes(packet: &Packet, version: Version) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    encode(packet, version, &mut bytes);
    bytes.to_vec()
}

/// All that is retained, asked for again before it has come; it is read as fast as it comes.
#[test]
fn everything_retained_again_and_again() -> Result<()> {
    const RETAINED: usize = 10_000;
    let attack = Attack {
        arguments: &[],
        per_s: 20,
        memory_bytes: 64 * MIB,
    };
    attack.withstand(|broker| {
        let mut publisher = Peer::clean(broker, "retains")?;
        for number in 0..RETAINED {
            let message = publish(&format!("r/{number}"), "x", QoS::AtMostOnce, 1)?;
            publisher.publish(Publish {
                retain: true,
                ..message
            })?;
        }
        publisher.ping()?;
        let all = bytes(&subscribe(&["r/#", "#"], QoS::AtMostOnce)?, Version::V5);
        let mut wild = Wild::connect(broker, "wild")?;
        Ok(Box::new(move || {
            wild.send(&all);
            wild.drain();
            Ok(())
        }))
    })
}

/// It reads nothing, and others publish to it.
#[test]
fn a_subscriber_that_reads_nothing() -> Result<()> {
    let attack = Attack {
        arguments: &[],
        per_s: 500,
        memory_bytes: 64 * MIB,
    };
    attack.withstand(|broker| {
        let (mut deaf, _) = Peer::connect(broker, Transport::Tcp, kept("deaf"))?;
        deaf.subscribe(&["flood"], QoS::AtMostOnce)?;
        let message = publish("flood", vec![0; 10 * KIB], QoS::AtMostOnce, 1)?;
        let message = bytes(&Packet::Publish(Box::new(message)), Version::V5);
        let mut wild = Wild::connect(broker, "wild")?;
        Ok(Box::new(move || {
            let _still_there = &deaf;
            wild.send(&message);
            Ok(())
        }))
    })
}

/// 3.1.1 knows no Receive Maximum: all 65,535 ids are taken, and then repeated.
#[test]
fn qos_2_ids_that_are_never_released() -> Result<()> {
    let attack = Attack {
        arguments: &[],
        per_s: 200,
        memory_bytes: 96 * MIB,
    };
    attack.withstand(|broker| {
        let connect = Connect {
            version: Version::V3_1_1,
            keep_alive: 0,
            ..clean("holds")
        };
        let mut wild = Wild::open(broker.mqtt())?;
        wild.send(&bytes(&Packet::Connect(Box::new(connect)), Version::V3_1_1));
        let mut id = 0_u16;
        Ok(Box::new(move || {
            for _ in 0..10 {
                id = id.checked_add(1).unwrap_or(1);
                let message = publish("held", "x", QoS::ExactlyOnce, id)?;
                wild.send(&bytes(&Packet::Publish(Box::new(message)), Version::V3_1_1));
            }
            ensure!(wild.drain(), "it is closed");
            Ok(())
        }))
    })
}
