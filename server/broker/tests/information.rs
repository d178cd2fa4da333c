//! What the broker tells of itself and of what went wrong: to whom asks for it, and within the packets that it takes.

mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use bytes::BytesMut;
use ebbtide_broker::{Limit, Limits, Now, Origin, Transport};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicFilter, Version,
    codec::encoded_len,
    packet::{Connect, Subscribe, Subscription, SubscriptionOptions, Unsubscribe},
};
use world::*;

/// The Reason String of each packet.
fn texts(packets: &[Packet]) -> Vec<Option<&str>> {
    let text = |packet: &Packet| match packet {
        Packet::Disconnect(packet) => packet.reason_string.clone(),
        Packet::ConnAck(packet) => packet.reason_string.clone(),
        Packet::PubAck(packet) => packet.reason_string.clone(),
        Packet::SubAck(packet) => packet.reason_string.clone(),
        other => panic!("no answer: {other:?}"),
    };
    let texts = packets.iter().map(text);
    // Leaked on purpose: a test is short.
    texts
        .map(|text| text.map(|text| &*text.to_string().leak()))
        .collect()
}

fn with_few_levels() -> World {
    World::with(Limits {
        topic_levels_max: 3,
        ..Limits::default()
    })
}

/// A refused publish, a refused subscription, and the end of the connection.
fn provoke(world: &mut World, client: Client) -> Vec<Packet> {
    let too_deep = publish(1, "a/b/c/d", "x", QoS::AtLeastOnce);
    world.send(client, Packet::Publish(Box::new(too_deep)));
    let options = SubscriptionOptions::default();
    world.send(client, subscribe(2, "a/b/c/d", options));
    world.commit();
    world.send(client, Packet::PingResp);
    world.received(client)
}

#[test]
fn what_went_wrong_is_said_in_words() {
    let mut world = with_few_levels();
    let (client, _) = world.connect(clean("a"));
    assert_eq!(
        texts(&provoke(&mut world, client)),
        [
            Some("the topic has more levels than topic_levels_max"),
            Some("the filter has more levels than topic_levels_max"),
            Some("unexpected packet"),
        ]
    );
}

/// [MQTT-3.1.2-29]
#[test]
fn who_wants_no_problem_information_gets_none() {
    let mut world = with_few_levels();
    let (client, _) = world.connect(Connect {
        request_problem_information: Some(false),
        ..clean("a")
    });
    let packets = provoke(&mut world, client);
    assert_eq!(texts(&packets), [None, None, None]);
}

/// [MQTT-3.1.2-24, MQTT-3.4.2-2, MQTT-3.9.2-1, MQTT-3.14.2-3]
#[test]
fn texts_give_way_to_the_maximum_packet_size() {
    const SIZE_MAX: u32 = 40;
    let mut world = with_few_levels();
    let (client, _) = world.connect(Connect {
        maximum_packet_size: Some(SIZE_MAX),
        ..clean("a")
    });
    let packets = provoke(&mut world, client);
    assert_eq!(
        texts(&packets),
        [None, None, Some("unexpected packet")],
        "the last one fits"
    );
    for packet in &packets {
        assert!(encoded_len(packet, Default::default()) <= SIZE_MAX as usize);
    }
}

/// [MQTT-3.1.2-24, MQTT-3.2.2-19]
#[test]
fn a_client_that_takes_no_connack_is_refused_in_what_it_takes() {
    let mut world = World::new();
    let (_, connack) = world.connect(Connect {
        maximum_packet_size: Some(8),
        ..kept("a")
    });
    assert_eq!(connack.reason, ReasonCode::PacketTooLarge);
    let client = world.open();
    let connect = Connect {
        maximum_packet_size: Some(4),
        ..kept("a")
    };
    world.send(client, Packet::Connect(Box::new(connect)));
    assert_eq!(world.received(client), []);
    assert_eq!(world.is_closed(client), Some(ReasonCode::PacketTooLarge));
    let (_, connack) = world.connect(kept("a"));
    assert!(!connack.session_present, "no session was begun");
}

/// [MQTT-3.1.2-28]
#[test]
fn response_information_is_for_those_who_ask() {
    let mut world = World::new();
    let (_, connack) = world.connect(clean("a"));
    assert_eq!(connack.response_information, None);
    let asking = |id: &str| Connect {
        request_response_information: true,
        ..clean(id)
    };
    let (_, connack) = world.connect(asking("lamp-1"));
    assert_eq!(
        connack.response_information.as_deref(),
        Some("response/lamp-1")
    );
    let (_, connack) = world.connect(asking("a/+ü#"));
    assert_eq!(
        connack.response_information.as_deref(),
        Some("response/a%2F%2B%C3%BC%23"),
        "one level, and no wildcard"
    );
    let (_, connack) = world.connect(asking(&"/".repeat(30_000)));
    assert_eq!(connack.reason, ReasonCode::Success);
    assert_eq!(connack.response_information, None, "no topic is so long");
}

#[test]
fn a_server_that_stops_may_name_another() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("a"));
    world.broker.shut_down(Some("other.example:1883".into()));
    world.settle();
    let [Packet::Disconnect(disconnect)] = &*world.received(client) else {
        panic!("no DISCONNECT")
    };
    assert_eq!(disconnect.reason, ReasonCode::UseAnotherServer);
    assert_eq!(
        disconnect.server_reference.as_deref(),
        Some("other.example:1883")
    );
    let late = world.open();
    world.send(late, Packet::Connect(Box::new(clean("b"))));
    let [Packet::ConnAck(connack)] = &*world.received(late) else {
        panic!("no CONNACK")
    };
    assert_eq!(connack.reason, ReasonCode::UseAnotherServer);
    assert_eq!(
        connack.server_reference.as_deref(),
        Some("other.example:1883")
    );
}

#[test]
fn connections_that_have_not_said_connect_are_woken_too() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let world = World::new();
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let origin = Origin {
        address: "test".into(),
        transport: Transport::Tcp,
    };
    let waker = Waker::from(Arc::clone(&count));
    let now = Now::default();
    let mut silent = world.broker.connect(origin, waker, now);
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    world.broker.shut_down(None);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    silent.handle_wake(now);
    assert!(silent.close().is_some());
    assert!(
        !silent.poll_transmit(&mut BytesMut::new(), now),
        "it says nothing"
    );
}

fn filters(count: u32) -> impl Iterator<Item = TopicFilter> {
    (0..count).map(|number| TopicFilter::new(number.to_string()).expect("a filter"))
}

fn subscribe_to(count: u32) -> Packet {
    let subscription = |filter| Subscription {
        filter,
        options: SubscriptionOptions::default(),
    };
    Packet::Subscribe(Subscribe {
        packet_id: packet_id(1),
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: filters(count).map(subscription).collect(),
    })
}

fn unsubscribe_from(count: u32) -> Packet {
    Packet::Unsubscribe(Unsubscribe {
        packet_id: packet_id(2),
        user_properties: Vec::new(),
        filters: filters(count).collect(),
    })
}

/// The answer has a reason for each filter. Who does not take it as large would wait for ever.
///
/// [MQTT-3.1.2-24]
#[test]
fn who_takes_no_answer_to_so_many_filters_is_told_before_anything_is_done() {
    const SIZE_MAX: u32 = 40;
    // Besides them: the header, the packet id and the length of no properties.
    const FILTERS_MAX: u32 = SIZE_MAX - 5;
    for too_much in [subscribe_to, unsubscribe_from] {
        let mut world = World::new();
        let (client, _) = world.connect(Connect {
            maximum_packet_size: Some(SIZE_MAX),
            ..kept("a")
        });
        world.send(client, subscribe_to(FILTERS_MAX));
        world.send(client, unsubscribe_from(FILTERS_MAX));
        world.send(client, subscribe_to(1));
        world.commit();
        let sizes: Vec<usize> = (world.received(client).iter())
            .map(|packet| encoded_len(packet, Version::V5))
            .collect();
        assert_eq!(sizes, [40, 40, 6]);
        world.send(client, too_much(FILTERS_MAX + 1));
        world.commit();
        let [Packet::Disconnect(disconnect)] = &*world.received(client) else {
            panic!("no DISCONNECT")
        };
        assert_eq!(disconnect.reason, ReasonCode::PacketTooLarge);
        let stats = world.broker.stats();
        assert_eq!(stats.subscriptions, 1);
        let own = stats.limits.of(Limit::MaximumPacketSize);
        assert_eq!(own, 0, "it is the client's limit");
    }
}
