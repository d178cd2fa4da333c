//! A payload that is large is never copied whole: each connection has a part of it before it, and all of them share the rest.

mod world;

use allocation_counter::measure;
use bytes::BytesMut;
use ebbtide_broker::{Connection, Now};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, Version,
    codec::encode,
    packet::{Connect, Publish, SubscriptionOptions},
};
use world::{Client, World, bare::Bare, clean, disconnect, kept, publish, subscribe, text};

const LARGE: usize = 4 * 1024 * 1024;
/// As much as one look gives, and the head of a packet.
const PART: usize = Connection::TRANSMIT_BYTES + 1024;

/// A client that has subscribed to "t".
fn subscriber(world: &mut World, connect: Connect, qos: QoS) -> Bare {
    let mut line = Bare::open(world, connect);
    let options = SubscriptionOptions {
        qos,
        ..SubscriptionOptions::default()
    };
    line.send(&subscribe(1, "t", options));
    world.commit();
    assert_eq!(packets(&mut line).len(), 2, "CONNACK and SUBACK");
    line
}

/// One look at what there is to write, which is never much.
fn look(line: &mut Bare) -> bool {
    let before = line.output.len();
    let more = line.look();
    let bytes = line.output.len() - before;
    assert!(bytes <= PART, "{bytes} bytes");
    more
}

/// All that there is to write.
fn packets(line: &mut Bare) -> Vec<Packet> {
    while look(line) {}
    let packets = line.written();
    assert!(line.output.is_empty(), "all packets are whole");
    packets
}

/// Distinct everywhere, so that no part can stand for another.
fn large() -> String {
    (0..LARGE / 8).map(|at| format!("{at:08}")).collect()
}

fn publish_large(world: &mut World, publisher: Client, qos: QoS) -> String {
    let large = large();
    world.publish(publisher, 1, "t", &large, qos, false);
    large
}

fn message(packet: &Packet) -> &Publish {
    match packet {
        Packet::Publish(publish) => publish,
        other => panic!("{other:?}"),
    }
}

#[test]
fn those_who_do_not_read_share_one_payload() {
    const READERS: usize = 16;
    let mut world = World::new();
    let mut lines: Vec<Bare> = (0..READERS)
        .map(|number| subscriber(&mut world, clean(&number.to_string()), QoS::AtMostOnce))
        .collect();
    let (publisher, _) = world.connect(clean("p"));
    let large = publish_large(&mut world, publisher, QoS::AtMostOnce);
    let held = measure(|| {
        for line in &mut lines {
            look(line);
        }
    });
    let bytes = usize::try_from(held.bytes_current).expect("it holds something");
    assert!(bytes <= READERS * 2 * PART, "{bytes} bytes");
    for mut line in lines {
        let packets = packets(&mut line);
        let [packet] = &packets[..] else {
            panic!("{} packets", packets.len())
        };
        assert!(text(message(packet)) == large, "another payload");
    }
}

/// Would fail if anything were written in the midst of a packet.
#[test]
fn what_is_to_be_sent_meanwhile_waits_for_the_rest() {
    let mut world = World::new();
    let mut line = subscriber(&mut world, clean("reader"), QoS::AtMostOnce);
    let (publisher, _) = world.connect(clean("p"));
    let large = publish_large(&mut world, publisher, QoS::AtMostOnce);
    assert!(look(&mut line));
    line.send(&Packet::PingReq);
    line.send(&subscribe(2, "more", SubscriptionOptions::default()));
    world.publish(publisher, 1, "t", "small", QoS::AtMostOnce, false);
    let packets = packets(&mut line);
    assert!(text(message(&packets[0])) == large, "another payload");
    let rest: Vec<u8> = packets[1..].iter().map(kind).collect();
    assert_eq!(rest, [SUBACK, PINGRESP, PUBLISH]);
    assert_eq!(text(message(&packets[3])), "small");
}

const PUBLISH: u8 = 0x30;
const SUBACK: u8 = 0x90;
const PINGRESP: u8 = 0xD0;

/// Its first byte.
fn kind(packet: &Packet) -> u8 {
    let mut bytes = BytesMut::new();
    encode(packet, Version::V5, &mut bytes);
    bytes[0]
}

/// [MQTT-3.1.4-3, MQTT-4.4.0-1]
#[test]
fn one_that_is_taken_over_in_the_midst_of_a_packet_ends_behind_it() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let mut line = subscriber(&mut world, kept("x"), qos);
        let (publisher, _) = world.connect(clean("p"));
        let large = publish_large(&mut world, publisher, qos);
        // The packet id of QoS 2 has to be committed.
        look(&mut line);
        world.commit();
        look(&mut line);
        let other = world.open();
        world.send(other, Packet::Connect(Box::new(kept("x"))));
        line.connection.handle_wake(Now::default());
        line.connection.handle_wake(Now::default());
        world.commit();

        let packets = packets(&mut line);
        let [packet, Packet::Disconnect(why)] = &packets[..] else {
            panic!("{qos:?}: {} packets", packets.len())
        };
        assert!(text(message(packet)) == large, "another payload");
        assert_eq!(why.reason, ReasonCode::SessionTakenOver);

        let packets = world.received(other);
        let again = message(&packets[1]);
        assert!(text(again) == large, "another payload");
        assert!(again.dup, "it had begun");
    }
}

#[test]
fn one_that_says_goodbye_in_the_midst_of_a_packet_gets_the_rest_of_it_only() {
    let mut world = World::new();
    let mut line = subscriber(&mut world, clean("reader"), QoS::AtMostOnce);
    let (publisher, _) = world.connect(clean("p"));
    let large = publish_large(&mut world, publisher, QoS::AtMostOnce);
    world.publish(publisher, 1, "t", "behind", QoS::AtMostOnce, false);
    assert!(look(&mut line));
    line.send(&disconnect(ReasonCode::Success));
    let packets = packets(&mut line);
    let [packet] = &packets[..] else {
        panic!("{} packets", packets.len())
    };
    assert!(text(message(packet)) == large, "another payload");
}

/// A small one that is cut costs a turn more than it spares.
#[test]
fn small_ones_are_not_cut() {
    let mut world = World::new();
    let mut line = subscriber(&mut world, clean("reader"), QoS::AtMostOnce);
    let (publisher, _) = world.connect(clean("p"));
    let payload = "x".repeat(10_000);
    for id in 1..=20 {
        let packet = publish(id, "t", &payload, QoS::AtMostOnce);
        world.send(publisher, Packet::Publish(Box::new(packet)));
    }
    let mut count = 0;
    while line.look() {
        count += line.written().len();
        assert!(line.output.is_empty(), "it ends behind a packet");
    }
    assert_eq!(count, 20);
}
