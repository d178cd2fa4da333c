//! The sizes and numbers that must work: large payloads, long and deep topics, many subscriptions, a full window, any
//! cut of the stream into segments.

use std::num::NonZeroU16;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use ebbtide_protocol::packet::{Ack, Connect, Disconnect, Publish};
use ebbtide_protocol::{Packet, QoS, ReasonCode, Version};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::peer::{Peer, Transport, clean, kept, publish, subscribe};

const MIB: usize = 1024 * 1024;
const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

#[test]
fn payloads_of_1_mib_over_tcp() -> Result<()> {
    payloads(Transport::Tcp, MIB)
}

#[test]
fn payloads_of_1_mib_over_web_socket() -> Result<()> {
    payloads(Transport::WebSocket, MIB)
}

#[test]
fn payloads_of_10_mib_over_tcp() -> Result<()> {
    payloads(Transport::Tcp, 10 * MIB)
}

#[test]
fn payloads_of_10_mib_over_web_socket() -> Result<()> {
    payloads(Transport::WebSocket, 10 * MIB)
}

/// At every QoS to a subscriber that is there, to one that was away, and retained.
fn payloads(transport: Transport, length: usize) -> Result<()> {
    let broker = Broker::start()?;
    let payload: Bytes = (0..length)
        .map(|at| (at % 251) as u8 ^ (at >> 16) as u8)
        .collect();
    let (mut away, _) = Peer::connect(&broker, transport, kept("away"))?;
    away.subscribe(&["large/+"], QoS::ExactlyOnce)?;
    drop(away);
    let (mut present, _) = Peer::connect(&broker, transport, clean("present"))?;
    present.subscribe(&["large/+"], QoS::ExactlyOnce)?;
    let (mut publisher, _) = Peer::connect(&broker, transport, clean("publisher"))?;
    let is_it = |message: &Publish, qos: QoS, what: &str| {
        ensure!(message.qos == qos, "{what}: {:?}", message.qos);
        ensure!(message.payload == payload, "{what}: another payload");
        Ok(())
    };
    for qos in LEVELS {
        publisher.publish(publish("large/it", payload.clone(), qos, 1)?)?;
        is_it(&present.take()?, qos, "to who is there")?;
    }
    let retained = publish("large/kept", payload.clone(), QoS::AtLeastOnce, 2)?;
    publisher.publish(Publish {
        retain: true,
        ..retained
    })?;
    is_it(&present.take()?, QoS::AtLeastOnce, "live")?;
    let (mut newcomer, _) = Peer::connect(&broker, transport, clean("newcomer"))?;
    newcomer.subscribe(&["large/kept"], QoS::AtMostOnce)?;
    let message = newcomer.take()?;
    ensure!(message.retain, "not retained");
    is_it(&message, QoS::AtMostOnce, "retained")?;

    let (mut away, connack) = Peer::connect(&broker, transport, kept("away"))?;
    ensure!(connack.session_present);
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtLeastOnce] {
        is_it(&away.take()?, qos, "to who was away")?;
    }
    away.ping()
}

#[test]
fn topics_of_65_535_bytes_and_of_1_000_levels() -> Result<()> {
    let broker = Broker::start()?;
    let long = "x".repeat(65_535);
    let deep = format!("{}end", "level/".repeat(999));
    let mut publisher = Peer::clean(&broker, "publisher")?;
    let (mut away, _) = Peer::connect(&broker, Transport::Tcp, kept("away"))?;
    let any = format!("{}+", "+/".repeat(999));
    away.subscribe(&[&long, &any], QoS::AtLeastOnce)?;
    drop(away);
    for topic in [&long, &deep] {
        let message = publish(topic, "it", QoS::AtLeastOnce, 1)?;
        publisher.publish(Publish {
            retain: true,
            ..message
        })?;
        let mut newcomer = Peer::clean(&broker, "newcomer")?;
        newcomer.subscribe(&[topic], QoS::AtMostOnce)?;
        let got = newcomer.take()?;
        ensure!(got.topic.is_some_and(|got| got.as_str() == topic));
        ensure!(got.retain);
    }
    let (mut away, _) = Peer::connect(&broker, Transport::Tcp, kept("away"))?;
    for topic in [&long, &deep] {
        let got = away.take()?;
        ensure!(got.topic.is_some_and(|got| got.as_str() == topic));
    }
    Ok(())
}

#[test]
fn a_session_has_10_000_subscriptions_and_keeps_them_across_a_kill() -> Result<()> {
    const COUNT: usize = 10_000;
    let mut broker = Broker::start()?;
    let filters: Vec<String> = (0..COUNT).map(|n| format!("many/{n}/+")).collect();
    let (mut many, _) = Peer::connect(&broker, Transport::Tcp, kept("many"))?;
    for part in filters.chunks(1_000) {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        many.subscribe(&part, QoS::AtLeastOnce)?;
    }
    let one = |broker: &Broker, many: &mut Peer, number: usize| {
        let topic = format!("many/{number}/it");
        let mut publisher = Peer::clean(broker, "publisher")?;
        publisher.publish(publish(&topic, "it", QoS::AtLeastOnce, 1)?)?;
        let mut got = many.take()?;
        while got.dup {
            // An acknowledgement is not waited for, so the kill may have come before it was on disk.
            got = many.take()?;
        }
        ensure!(got.topic.is_some_and(|got| got.as_str() == topic));
        many.ping()
    };
    for number in [0, 4_711, COUNT - 1] {
        one(&broker, &mut many, number)?;
    }
    broker.crash_and_restart()?;
    let (mut many, connack) = Peer::connect(&broker, Transport::Tcp, kept("many"))?;
    ensure!(connack.session_present);
    for number in [0, 815, COUNT - 1] {
        one(&broker, &mut many, number)?;
    }
    Ok(())
}

/// As many as there are packet ids.
const WINDOW: u16 = u16::MAX;

#[test]
fn a_subscriber_has_65_535_messages_in_flight() -> Result<()> {
    let broker = Broker::start()?;
    let connect = Connect {
        receive_maximum: NonZeroU16::new(WINDOW),
        ..kept("wide")
    };
    let (mut wide, _) = Peer::connect(&broker, Transport::Tcp, connect.clone())?;
    wide.subscribe(&["it"], QoS::AtLeastOnce)?;
    let mut publisher = Peer::clean(&broker, "publisher")?;
    // One more than the window: it comes only when there is room.
    let mut ids: Vec<NonZeroU16> = Vec::new();
    let (mut sent, mut acknowledged) = (0_u32, 0_u32);
    while acknowledged <= u32::from(WINDOW) {
        // The broker's Receive Maximum is 1,024.
        let mut burst = Vec::new();
        while sent <= u32::from(WINDOW) && sent < acknowledged + 1_000 {
            let id = u16::try_from(sent % 1_000)? + 1;
            let message = publish("it", sent.to_string(), QoS::AtLeastOnce, id)?;
            burst.extend_from_slice(&publisher.encode(&Packet::Publish(Box::new(message))));
            sent += 1;
        }
        publisher.send_bytes(&burst)?;
        while acknowledged < sent {
            let answer = publisher.receive().context("an acknowledgement")?;
            ensure!(matches!(answer, Packet::PubAck(_)), "{answer:?}");
            acknowledged += 1;
        }
        while ids.len() < usize::try_from(sent)?.min(usize::from(WINDOW)) {
            let got = wide.message();
            let got = got.with_context(|| format!("message {} of {sent}", ids.len()))?;
            ensure!(got.payload == ids.len().to_string(), "out of order");
            ids.push(got.packet_id.context("a packet id")?);
        }
    }
    wide.ping().context("beyond the window")?;
    for (at, part) in ids.chunks(8_192).enumerate() {
        let acks = part.iter().flat_map(|&id| {
            let ack = Ack::new(id, ReasonCode::Success);
            wide.encode(&Packet::PubAck(ack))
        });
        let acks: Vec<u8> = acks.collect();
        wide.send_bytes(&acks)?;
        if at == 0 {
            let last = wide.take().context("the one beyond the window")?;
            ensure!(last.payload == WINDOW.to_string());
        }
        wide.ping()?;
    }
    ids.sort_unstable();
    ids.dedup();
    ensure!(ids.len() == usize::from(WINDOW), "an id was used twice");
    drop(wide);
    let (mut wide, _) = Peer::connect(&broker, Transport::Tcp, connect)?;
    wide.ping().context("something is repeated")
}

#[test]
fn a_publisher_has_65_535_messages_in_flight() -> Result<()> {
    let broker = Broker::start()?;
    let connect = Connect {
        version: Version::V3_1_1,
        session_expiry_interval: None,
        ..kept("wide")
    };
    let mut subscriber = Peer::clean(&broker, "subscriber")?;
    subscriber.subscribe(&["it"], QoS::AtMostOnce)?;
    let (mut wide, _) = Peer::connect(&broker, Transport::Tcp, connect)?;
    let ids = || (1..=WINDOW).filter_map(NonZeroU16::new);
    let mut sent = 0;
    for part in ids().collect::<Vec<_>>().chunks(4_096) {
        let mut burst = Vec::new();
        for id in part {
            let message = publish("it", id.to_string(), QoS::ExactlyOnce, id.get())?;
            burst.extend_from_slice(&wide.encode(&Packet::Publish(Box::new(message))));
        }
        wide.send_bytes(&burst)?;
        for id in part {
            let answer = wide.receive()?;
            ensure!(
                matches!(&answer, Packet::PubRec(ack) if ack.packet_id == *id),
                "{answer:?}"
            );
            sent += 1;
            ensure!(subscriber.message()?.payload == sent.to_string());
        }
    }
    // All of them again: they are repetitions.
    let again = publish("it", "again", QoS::ExactlyOnce, 4_711)?;
    wide.send(&Packet::Publish(Box::new(Publish { dup: true, ..again })))?;
    ensure!(matches!(wide.receive()?, Packet::PubRec(_)));
    subscriber.ping().context("a repetition was delivered")?;
    let mut burst = Vec::new();
    for id in ids() {
        burst.extend_from_slice(&wide.encode(&Packet::PubRel(Ack::new(id, ReasonCode::Success))));
    }
    wide.send_bytes(&burst)?;
    for id in ids() {
        let answer = wide.receive()?;
        ensure!(
            matches!(&answer, Packet::PubComp(ack) if ack.packet_id == id),
            "{answer:?}"
        );
    }
    Ok(())
}

/// What a whole session says, from CONNECT to PINGREQ.
fn whole_session(peer: &Peer, messages: u16) -> Result<Vec<Bytes>> {
    let mut packets = vec![
        Packet::Connect(Box::new(clean("whole"))),
        subscribe(&["it/#"], QoS::AtMostOnce)?,
    ];
    for id in 1..=messages {
        let message = publish("it/is", id.to_string(), QoS::AtLeastOnce, id)?;
        packets.push(Packet::Publish(Box::new(message)));
    }
    packets.push(Packet::PingReq);
    Ok(packets.iter().map(|packet| peer.encode(packet)).collect())
}

/// Takes the answers to all of it, whatever overtakes what, and says goodbye.
fn is_answered(mut peer: Peer, messages: u16) -> Result<()> {
    let (mut acks, mut copies, mut connacks, mut subacks, mut pings) = (0, 0, 0, 0, 0);
    while (connacks, subacks, pings, acks, copies) != (1, 1, 1, messages, messages) {
        match peer.receive()? {
            Packet::ConnAck(_) => connacks += 1,
            Packet::SubAck(_) => subacks += 1,
            Packet::PingResp => pings += 1,
            Packet::PubAck(ack) => {
                acks += 1;
                ensure!(ack.packet_id.get() == acks, "acknowledged out of order");
            }
            Packet::Publish(publish) => {
                copies += 1;
                ensure!(publish.payload == copies.to_string(), "out of order");
            }
            other => anyhow::bail!("unexpected {other:?}"),
        }
    }
    let goodbye = Disconnect::new(ReasonCode::Success);
    peer.send(&Packet::Disconnect(Box::new(goodbye)))?;
    let more = peer.receive_or_end()?;
    ensure!(more.is_none(), "{more:?}");
    Ok(())
}

#[test]
fn one_byte_per_segment() -> Result<()> {
    const MESSAGES: u16 = 20;
    let broker = Broker::start()?;
    for transport in [Transport::Tcp, Transport::WebSocket] {
        let mut peer = Peer::open(&broker, transport)?;
        for packet in whole_session(&peer, MESSAGES)? {
            for byte in packet {
                peer.send_bytes(&[byte])?;
            }
        }
        is_answered(peer, MESSAGES)?;
    }
    Ok(())
}

#[test]
fn a_hundred_packets_in_one_segment() -> Result<()> {
    const MESSAGES: u16 = 97;
    let broker = Broker::start()?;
    for transport in [Transport::Tcp, Transport::WebSocket] {
        let mut peer = Peer::open(&broker, transport)?;
        let packets = whole_session(&peer, MESSAGES)?;
        ensure!(packets.len() == 100);
        peer.send_bytes(&packets.concat())?;
        is_answered(peer, MESSAGES)?;
    }
    Ok(())
}
