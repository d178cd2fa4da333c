//! Attacks by clients that are in: packets that are small to send and much work to take.

use std::num::NonZeroU16;

use anyhow::Result;
use bytes::BytesMut;
use ebbtide_protocol::codec::encode;
use ebbtide_protocol::packet::{Publish, Unsubscribe};
use ebbtide_protocol::{Packet, QoS, TopicFilter, Version};
use ebbtide_tests::http;
use ebbtide_tests::peer::{publish, subscribe};

use super::{Attack, Step, Wild, connect};

const MIB: usize = 1024 * 1024;

fn bytes(packet: &Packet) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    encode(packet, Version::V5, &mut bytes);
    bytes.to_vec()
}

/// All filters of so many levels that are `a` or `+`.
fn overlapping(levels: u32) -> Vec<String> {
    let filter = |bits: u32| {
        let level = |at: u32| if bits >> at & 1 == 0 { "+" } else { "a" };
        (0..levels).map(level).collect::<Vec<_>>().join("/")
    };
    (0..1 << levels).map(filter).collect()
}

fn subscribe_all(filters: &[String]) -> Result<Packet> {
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    subscribe(&filters, QoS::AtMostOnce)
}

/// Every publish matches thousands of filters of one client, which reads what it gets.
#[test]
fn a_bomb_of_overlapping_filters() -> Result<()> {
    const LEVELS: u32 = 12;
    let attack = Attack {
        arguments: &[],
        per_s: 50,
        memory_bytes: 96 * MIB,
    };
    attack.withstand(|broker| {
        let mut bomb = Wild::connect(broker, "bomb")?;
        bomb.send(&bytes(&subscribe_all(&overlapping(LEVELS))?));
        // Each filter has a reason code in SUBACK.
        bomb.wait_for(1 << LEVELS)?;
        let topic = vec!["a"; LEVELS as usize].join("/");
        let publish = publish(&topic, "x", QoS::AtMostOnce, 1)?;
        let publish = bytes(&Packet::Publish(Box::new(publish)));
        Ok(Box::new(move || {
            bomb.send(&publish);
            bomb.drain();
            Ok(())
        }))
    })
}

/// Hundreds of filters come and go with each pair of packets.
#[test]
fn filters_that_come_and_go() -> Result<()> {
    let attack = Attack {
        arguments: &[],
        per_s: 20,
        memory_bytes: 96 * MIB,
    };
    attack.withstand(|broker| {
        let filters = overlapping(9);
        let mut wild = Wild::connect(broker, "wild")?;
        let all = filters
            .iter()
            .map(|filter| TopicFilter::new(filter.as_str()));
        let unsubscribe = Packet::Unsubscribe(Unsubscribe {
            packet_id: NonZeroU16::MIN,
            user_properties: Vec::new(),
            filters: all.collect::<Result<_, _>>()?,
        });
        let pair = [bytes(&subscribe_all(&filters)?), bytes(&unsubscribe)].concat();
        Ok(Box::new(move || {
            wild.send(&pair);
            wild.drain();
            Ok(())
        }))
    })
}

#[test]
fn user_properties_by_thousands() -> Result<()> {
    let attack = Attack {
        arguments: &[],
        per_s: 20,
        memory_bytes: 96 * MIB,
    };
    attack.withstand(|broker| {
        let mut wild = Wild::connect(broker, "wild")?;
        let mut packet: Publish = publish("wild", "x", QoS::AtMostOnce, 1)?;
        packet.properties.user_properties = vec![("n".into(), "v".into()); 5_000];
        let packet = bytes(&Packet::Publish(Box::new(packet)));
        // More of them than may be: that connection ends, and the next one comes.
        let mut too_many: Publish = publish("wild", "x", QoS::AtMostOnce, 1)?;
        too_many.properties.user_properties = vec![("".into(), "".into()); 21_000];
        let too_many = bytes(&Packet::Publish(Box::new(too_many)));
        let address = broker.mqtt();
        let mut other = Wild::open(address)?;
        Ok(Box::new(move || {
            wild.send(&packet);
            wild.drain();
            if !other.drain() {
                other = Wild::open(address)?;
                other.send(&[connect("other")?, too_many.clone()].concat());
            }
            Ok(())
        }))
    })
}

/// Nobody reads the answers.
#[test]
fn a_flood_of_pings() -> Result<()> {
    let attack = Attack {
        arguments: &[],
        per_s: 200,
        memory_bytes: 64 * MIB,
    };
    attack.withstand(|broker| {
        let mut wild = Wild::connect(broker, "wild")?;
        let pings = [0xC0, 0].repeat(500);
        Ok(Box::new(move || {
            wild.send(&pings);
            Ok(())
        }))
    })
}

/// Frames of one byte, in fragments, with control frames in between.
#[test]
fn web_socket_frames_of_one_byte() -> Result<()> {
    let attack = Attack {
        arguments: &[],
        per_s: 200,
        memory_bytes: 64 * MIB,
    };
    attack.withstand(|broker| {
        let mut wild = Wild::open(broker.http())?;
        wild.send(http::upgrade(&broker.http().to_string(), "").as_bytes());
        let mut words = connect("wild")?;
        words.extend([0xC0, 0].repeat(50));
        let mut is_first = true;
        let step: Step = Box::new(move || {
            let part = if is_first {
                &words[..]
            } else {
                &words[words.len() - 100..]
            };
            is_first = false;
            let mut frames = Vec::new();
            for (at, byte) in part.iter().enumerate() {
                // A message of two fragments, and a ping in between; masked with zeroes.
                let head = if at % 2 == 0 { 0x02 } else { 0x80 };
                frames.extend([head, 0x81, 0, 0, 0, 0, *byte]);
                frames.extend([0x89, 0x80, 0, 0, 0, 0]);
            }
            if part.len() % 2 == 1 {
                frames.extend([0x80, 0x80, 0, 0, 0, 0]);
            }
            wild.send(&frames);
            wild.drain();
            Ok(())
        });
        Ok(step)
    })
}
