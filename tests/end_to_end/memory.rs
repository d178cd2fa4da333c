//! No input makes the broker's memory grow beyond its limits: whatever hostile clients send, and however little they read.
//!
//! Each attack sends many times what it may cost. The limits are those of `Limits`, as the program runs with them; what the
//! attacked connection may hold is counted twice, for a part of what waits has been taken out to be sent.

use std::num::NonZeroU16;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::{Bytes, BytesMut};
use ebbtide_broker::Limits;
use ebbtide_protocol::codec::encode;
use ebbtide_protocol::packet::{Connect, Publish};
use ebbtide_protocol::{Packet, QoS, ReasonCode, Version};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http;
use ebbtide_tests::memory::Watch;
use ebbtide_tests::peer::{Peer, Transport, clean, kept, publish, subscribe};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What the broker needs for itself: the store's cache and transactions, stacks, what the allocator keeps.
const OWN: usize = 32 * MIB;
/// So long nothing is read from a client before it counts as held back.
const PATIENCE: Duration = Duration::from_millis(500);

fn waiting_for_one() -> usize {
    2 * Limits::default().outgoing_bytes_max
}

/// The first bytes of a packet that says to be so large.
fn announcement(first: u8, remaining: usize) -> Result<Vec<u8>> {
    let seven = |shift: usize| u8::try_from((remaining >> shift) & 0x7F);
    Ok(vec![
        first,
        seven(0)? | 0x80,
        seven(7)? | 0x80,
        seven(14)? | 0x80,
        seven(21)?,
    ])
}

#[test]
fn what_is_announced_costs_nothing_until_it_comes() -> Result<()> {
    const CLIENTS: usize = 200;
    const COME: usize = 32 * KIB;
    let broker = Broker::start()?;
    let watch = Watch::begin(&broker)?;
    let mut announced = announcement(0x30, 15 * MIB)?;
    announced.resize(COME, 0);
    let mut peers = Vec::new();
    for number in 0..CLIENTS {
        let mut peer = Peer::clean(&broker, &format!("announces-{number}"))?;
        peer.send_bytes(&announced)?;
        peers.push(peer);
    }
    // Drop by drop.
    for _ in 0..8 {
        for peer in &mut peers {
            peer.send_bytes(&[0; 16])?;
        }
    }
    Peer::clean(&broker, "bystander")?.ping()?;
    watch.expect_below(CLIENTS * 4 * COME + OWN)
}

/// Would fail if what has come of packets that are not whole were nobody's: it would stay for as long as their senders do, and nobody else
/// would be let in. And if the broker looked too rarely at what it takes: this comes at a gigabyte a second.
#[test]
fn packets_that_never_become_whole_are_given_back_when_memory_is_short() -> Result<()> {
    const CLIENTS: usize = 40;
    const LIMIT: usize = 160 * MIB;
    let broker = Broker::start_with(&["--memory-bytes-max", &LIMIT.to_string()])?;
    let watch = Watch::begin(&broker)?;
    let mut announced = announcement(0x30, 15 * MIB)?;
    announced.resize(14 * MIB, 0);
    let mut peers = Vec::new();
    for number in 0..CLIENTS {
        let connect = clean(&format!("announces-{number}"));
        // While memory is short nobody else comes in.
        if let Ok((mut peer, _)) = Peer::connect(&broker, Transport::Tcp, connect) {
            peer.flood(&announced, announced.len(), PATIENCE)?;
            peers.push(peer);
        }
    }
    let metrics = http::get(broker.http(), "/metrics")?.body;
    let never = "ebbtide_limit_hits_total{limit=\"memory_bytes_max\"} 0\n";
    ensure!(!metrics.contains(never), "memory was never short");
    // They are silent now, and stay.
    let end = Instant::now() + Duration::from_secs(20);
    while Peer::clean(&broker, "bystander").is_err() {
        ensure!(Instant::now() < end, "nobody is let in any more");
        sleep(PATIENCE);
    }
    drop(peers);
    watch.expect_below(LIMIT + 4 * 16 * MIB)
}

#[test]
fn a_client_that_is_not_in_yet_may_send_no_more_than_a_connect() -> Result<()> {
    const CLIENTS: usize = 100;
    let limit = usize::try_from(Limits::default().connect_packet_size_max)?;
    let broker = Broker::start()?;
    let watch = Watch::begin(&broker)?;
    let mut connect = announcement(0x10, 15 * MIB)?;
    connect.extend_from_slice(b"\0\x04MQTT\x05\x02\0\0\0");
    connect.resize(2 * limit, 0);
    let mut peers = Vec::new();
    for _ in 0..CLIENTS {
        let mut peer = Peer::open(&broker, Transport::Tcp)?;
        peer.flood(&connect, connect.len(), PATIENCE)?;
        peers.push(peer);
    }
    watch.expect_below(OWN)?;
    for mut peer in peers {
        let answer = peer.receive_or_end()?;
        ensure!(answer.is_none(), "{answer:?}");
    }
    Ok(())
}

/// A frame is taken in as a whole before anybody sees that it is no CONNECT.
#[test]
fn a_web_socket_frame_from_who_is_not_in_yet_is_no_larger_than_a_connect() -> Result<()> {
    const CLIENTS: usize = 40;
    let broker = Broker::start()?;
    let mut connect = announcement(0x10, MIB - 5)?;
    connect.resize(15 * MIB, 0);
    let watch = Watch::begin(&broker)?;
    let mut peers = Vec::new();
    for _ in 0..CLIENTS {
        let mut peer = Peer::open(&broker, Transport::WebSocket)?;
        // The broker may close it before all of it has been sent.
        let _ = peer.send_bytes(&connect);
        peers.push(peer);
    }
    let limit = usize::try_from(Limits::default().connect_packet_size_max)?;
    watch.expect_below(CLIENTS * 3 * limit + OWN)?;
    let metrics = http::get(broker.http(), "/metrics")?.body;
    let hits = format!("ebbtide_limit_hits_total{{limit=\"connect_packet_size_max\"}} {CLIENTS}\n");
    ensure!(metrics.contains(&hits), "{metrics}");
    Peer::clean(&broker, "bystander")?.ping()
}

/// Floods a subscriber that reads nothing.
fn flood(subscriber: Connect, granted: QoS, message: &Publish, total: usize) -> Result<()> {
    let broker = Broker::start()?;
    let (mut deaf, _) = Peer::connect(&broker, Transport::Tcp, subscriber)?;
    deaf.subscribe(&["flood"], granted)?;
    let mut publisher = Peer::clean(&broker, "publisher")?;
    let watch = Watch::begin(&broker)?;
    let packet = publisher.encode(&Packet::Publish(Box::new(message.clone())));
    let sent = publisher.flood(&packet, total, Duration::from_secs(10))?;
    ensure!(sent >= total, "the publisher was held back after {sent}");
    publisher.ping()?;
    watch.expect_below(waiting_for_one() + packet.len() + OWN)
}

#[test]
fn qos_0_to_a_transient_subscriber_that_reads_nothing() -> Result<()> {
    let message = publish("flood", vec![0; 10 * KIB], QoS::AtMostOnce, 1)?;
    flood(clean("deaf"), QoS::AtMostOnce, &message, 200 * MIB)
}

#[test]
fn qos_0_to_a_persistent_subscriber_that_reads_nothing() -> Result<()> {
    let message = publish("flood", vec![0; 10 * KIB], QoS::AtMostOnce, 1)?;
    flood(kept("deaf"), QoS::AtMostOnce, &message, 200 * MIB)
}

/// Would fail if each had a copy of it: a gigabyte.
#[test]
fn one_large_message_to_many_who_read_nothing_is_there_once() -> Result<()> {
    const CLIENTS: usize = 64;
    /// What is about to be written to one.
    const WRITTEN: usize = 256 * KIB;
    for transport in [Transport::Tcp, Transport::WebSocket] {
        let broker = Broker::start()?;
        let mut deaf = Vec::new();
        for number in 0..CLIENTS {
            let (mut peer, _) =
                Peer::connect(&broker, transport, clean(&format!("deaf-{number}")))?;
            peer.subscribe(&["large"], QoS::AtMostOnce)?;
            deaf.push(peer);
        }
        let mut publisher = Peer::clean(&broker, "publisher")?;
        let payload = Bytes::from(vec![7; 15 * MIB]);
        let watch = Watch::begin(&broker)?;
        publisher.publish(publish("large", payload.clone(), QoS::AtLeastOnce, 1)?)?;
        // Behind it, to all of them.
        Peer::clean(&broker, "bystander")?.ping()?;
        sleep(PATIENCE);
        // Gathering it takes a buffer that doubles.
        watch.expect_below(3 * payload.len() + CLIENTS * WRITTEN + OWN)?;
        for mut peer in deaf {
            ensure!(peer.message()?.payload == payload, "another payload");
        }
    }
    Ok(())
}

#[test]
fn properties_count_for_what_they_take() -> Result<()> {
    let mut message = publish("flood", "", QoS::AtMostOnce, 1)?;
    message.properties.user_properties = vec![Default::default(); 10_000];
    flood(clean("deaf"), QoS::AtMostOnce, &message, 20 * MIB)
}

#[test]
fn small_messages_do_not_keep_what_was_read_with_them() -> Result<()> {
    let broker = Broker::start()?;
    let mut deaf = deaf_after_one(&broker, clean("deaf"))?;
    deaf.subscribe(&["small"], QoS::AtLeastOnce)?;
    let filler = publish("nobody", vec![0; 15 * KIB], QoS::AtMostOnce, 1)?;
    let small = publish("small", "x", QoS::AtLeastOnce, 1)?;
    // In each 64 KiB, or in each frame of a megabyte, one message that somebody wants.
    for (transport, fillers, times) in [(Transport::Tcp, 4, 2_000), (Transport::WebSocket, 64, 128)]
    {
        let (mut publisher, _) = Peer::connect(&broker, transport, clean("publisher"))?;
        let filler = publisher.encode(&Packet::Publish(Box::new(filler.clone())));
        let small = publisher.encode(&Packet::Publish(Box::new(small.clone())));
        let burst = [&filler.repeat(fillers)[..], &small].concat();
        let watch = Watch::begin(&broker)?;
        for _ in 0..times {
            publisher.send_bytes(&burst)?;
            let answer = publisher.receive()?;
            ensure!(matches!(answer, Packet::PubAck(_)), "{answer:?}");
        }
        watch.expect_below(waiting_for_one() + OWN)?;
    }
    Ok(())
}

/// Takes one message at QoS 1 and acknowledges none.
fn deaf_after_one(broker: &Broker, connect: Connect) -> Result<Peer> {
    let connect = Connect {
        receive_maximum: Some(NonZeroU16::MIN),
        ..connect
    };
    Ok(Peer::connect(broker, Transport::Tcp, connect)?.0)
}

#[test]
fn qos_1_to_persistent_subscribers_that_acknowledge_nothing() -> Result<()> {
    let broker = Broker::start()?;
    let mut present = deaf_after_one(&broker, kept("present"))?;
    present.subscribe(&["flood"], QoS::AtLeastOnce)?;
    let (mut away, _) = Peer::connect(&broker, Transport::Tcp, kept("away"))?;
    away.subscribe(&["flood"], QoS::AtLeastOnce)?;
    drop(away);
    let mut publisher = Peer::clean(&broker, "publisher")?;
    let watch = Watch::begin(&broker)?;
    let payload = Bytes::from(vec![0; 2 * MIB]);
    for id in 1..=32 {
        publisher.publish(publish("flood", payload.clone(), QoS::AtLeastOnce, id)?)?;
    }
    let uncommitted = Limits::default().uncommitted_bytes_max;
    watch.expect_below(2 * (waiting_for_one() + uncommitted) + OWN)?;
    // One who returns and reads no further than its first message: the backlog is read part by part.
    let watch = Watch::begin(&broker)?;
    let (mut away, connack) = Peer::connect(&broker, Transport::Tcp, kept("away"))?;
    ensure!(connack.session_present);
    ensure!(away.message()?.payload == payload);
    watch.expect_below(waiting_for_one() + OWN)
}

#[test]
fn a_transient_subscriber_that_acknowledges_nothing_is_let_go() -> Result<()> {
    let broker = Broker::start()?;
    let mut deaf = deaf_after_one(&broker, clean("deaf"))?;
    deaf.subscribe(&["flood"], QoS::AtLeastOnce)?;
    let mut publisher = Peer::clean(&broker, "publisher")?;
    let watch = Watch::begin(&broker)?;
    for _ in 0..2_000 {
        publisher.publish(publish("flood", vec![0; 50 * KIB], QoS::AtLeastOnce, 1)?)?;
    }
    watch.expect_below(waiting_for_one() + OWN)?;
    let mut last = None;
    while let Some(packet) = deaf.receive_or_end()? {
        last = Some(packet);
    }
    ensure!(
        matches!(&last, Some(Packet::Disconnect(why)) if why.reason == ReasonCode::QuotaExceeded),
        "{last:?}"
    );
    Ok(())
}

#[test]
fn aliases_of_long_topics() -> Result<()> {
    let limits = Limits::default();
    let broker = Broker::start()?;
    let mut publisher = Peer::clean(&broker, "publisher")?;
    let watch = Watch::begin(&broker)?;
    for number in 0..2_000_u16 {
        let topic = format!("{number:05}{}", "x".repeat(limits.topic_bytes_max - 5));
        let message = Publish {
            topic_alias: NonZeroU16::new(number % limits.topic_alias_maximum + 1),
            ..publish(&topic, "", QoS::AtMostOnce, 1)?
        };
        publisher.send(&Packet::Publish(Box::new(message)))?;
    }
    publisher.ping()?;
    let aliases = usize::from(limits.topic_alias_maximum) * limits.topic_bytes_max;
    watch.expect_below(aliases + OWN)
}

#[test]
fn an_alias_for_a_client_does_not_keep_the_message() -> Result<()> {
    let broker = Broker::start()?;
    let connect = Connect {
        topic_alias_maximum: u16::MAX,
        ..clean("subscriber")
    };
    let (mut subscriber, _) = Peer::connect(&broker, Transport::Tcp, connect)?;
    subscriber.subscribe(&["large/+"], QoS::AtMostOnce)?;
    let mut publisher = Peer::clean(&broker, "publisher")?;
    let watch = Watch::begin(&broker)?;
    for number in 0..64 {
        let topic = format!("large/{number}");
        publisher.publish(publish(&topic, vec![0; 2 * MIB], QoS::AtMostOnce, 1)?)?;
        ensure!(subscriber.message()?.topic_alias.is_some());
    }
    watch.expect_below(waiting_for_one() + OWN)
}

#[test]
fn subscriptions_of_a_thousand_levels() -> Result<()> {
    let limits = Limits::default();
    let broker = Broker::start()?;
    let watch = Watch::begin(&broker)?;
    for client in 0..2 {
        let mut peer = Peer::clean(&broker, "greedy")?;
        let mut refused = 0;
        for part in 0..10 {
            let filters: Vec<String> = (0..100)
                .map(|n| format!("{client}/{part}/{n}{}", "/x".repeat(1_000)))
                .collect();
            let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
            peer.send(&subscribe(&filters, QoS::AtMostOnce)?)?;
            let Packet::SubAck(suback) = peer.receive()? else {
                anyhow::bail!("no SUBACK")
            };
            let quota = |&&reason: &&ReasonCode| reason == ReasonCode::QuotaExceeded;
            refused += suback.reasons.iter().filter(quota).count();
        }
        ensure!(refused > 0, "there is no limit");
    }
    watch.expect_below(2 * limits.subscription_bytes_per_session_max + OWN)
}

#[test]
fn a_packet_that_lists_too_much_is_refused() -> Result<()> {
    let broker = Broker::start()?;
    let watch = Watch::begin(&broker)?;
    let size = usize::try_from(Limits::default().maximum_packet_size)? - 5;
    let lists: [(u8, &[u8], &[u8]); 3] = [
        (0x82, b"\0\x01\0", b"\0\x01a\0"),
        (0xA2, b"\0\x01\0", b"\0\x01a"),
        (0x30, b"\0\x01a\xF0\xFF\xFF\x07", b"\x26\0\0\0\0"),
    ];
    for (first, head, item) in lists {
        let mut packet = announcement(first, size)?;
        packet.extend_from_slice(head);
        let items = item.repeat(size / item.len() + 1);
        packet.extend_from_slice(&items[..size - head.len()]);
        let mut peer = Peer::clean(&broker, "greedy")?;
        peer.flood(&packet, packet.len(), Duration::from_secs(10))?;
        let answer = peer.receive_or_end()?;
        ensure!(
            matches!(&answer, Some(Packet::Disconnect(why)) if why.reason == ReasonCode::QuotaExceeded),
            "{first:#x} was not refused"
        );
    }
    // The packet itself, and twice the buffer that it was gathered in while that grew.
    watch.expect_below(3 * size + OWN)
}

/// Sends requests without reading any answer. `true`: the broker stopped reading them before the end.
fn unread_answers(version: Version, request: &[u8], total: usize) -> Result<bool> {
    let broker = Broker::start()?;
    let connect = Connect {
        version,
        session_expiry_interval: None,
        ..kept("deaf")
    };
    let (mut deaf, _) = Peer::connect(&broker, Transport::Tcp, connect)?;
    let watch = Watch::begin(&broker)?;
    let burst = request.repeat((MIB / request.len()).clamp(1, 10_000));
    let sent = deaf.flood(&burst, total, PATIENCE)?;
    Peer::clean(&broker, "bystander")?.ping()?;
    watch.expect_below(Limits::default().replies_max * REPLY + OWN)?;
    Ok(sent < total)
}

/// What a reply that waits takes.
const REPLY: usize = 256;

#[test]
fn pings_without_reading_the_answers() -> Result<()> {
    ensure!(unread_answers(Version::V5, &[0xC0, 0], 50 * MIB)?);
    Ok(())
}

/// The library answers these by itself, and would keep all of its answers.
#[test]
fn web_socket_pings_without_reading_the_answers() -> Result<()> {
    let broker = Broker::start()?;
    let (mut deaf, _) = Peer::connect(&broker, Transport::WebSocket, clean("deaf"))?;
    let watch = Watch::begin(&broker)?;
    let mut ping = vec![0x89, 0x80 | 125];
    ping.resize(ping.len() + 4 + 125, 0);
    deaf.flood(&ping.repeat(1_000), 200 * MIB, PATIENCE)?;
    Peer::clean(&broker, "bystander")?.ping()?;
    watch.expect_below(OWN)
}

#[test]
fn releases_without_reading_the_answers() -> Result<()> {
    ensure!(unread_answers(Version::V5, &[0x62, 2, 0, 1], 50 * MIB)?);
    Ok(())
}

/// The answers are so short against the requests that the system takes them all: it is about what the broker keeps of
/// the requests.
#[test]
fn subscribing_without_reading_the_answers() -> Result<()> {
    for version in [Version::V3_1_1, Version::V5] {
        for (length, total) in [(100, 12 * MIB), (60_000, 100 * MIB)] {
            let mut request = BytesMut::new();
            let packet = subscribe(&["t".repeat(length).as_str()], QoS::AtLeastOnce)?;
            encode(&packet, version, &mut request);
            unread_answers(version, &request, total)?;
        }
    }
    Ok(())
}
