//! What one client or one moment causes is done in turns of a bounded size, counted in steps: nobody is held up for long, and all of it
//! is done in the end.

mod world;

use bytes::BytesMut;
use ebbtide_broker::STEPS_PER_TURN;
use ebbtide_protocol::{
    Packet, QoS, TopicFilter, Version,
    codec::encode,
    packet::{Connect, Subscribe, Subscription, SubscriptionOptions, Unsubscribe},
};
use world::{Client, World, bare::Bare, clean, kept, packet_id, publish, snapshots::retain, will};

/// More levels of topics than are looked at in two turns.
const TOPICS: usize = 40_000;

#[test]
fn a_filter_that_matches_little_takes_several_turns() {
    let mut world = World::new();
    retain(&mut world, TOPICS);
    let (publisher, _) = world.connect(clean("p"));
    // Behind all the others.
    world.publish(publisher, 1, "s/1/x", "found", QoS::AtLeastOnce, true);
    let mut line = Bare::open(&world, clean("raw"));
    assert_eq!(line.turn().len(), 1, "CONNACK");
    line.send(&Packet::Subscribe(Subscribe {
        packet_id: packet_id(1),
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: vec![Subscription {
            filter: TopicFilter::new("+/+/x").expect("a filter"),
            options: SubscriptionOptions::default(),
        }],
    }));
    assert_eq!(line.turn().len(), 1, "SUBACK");
    let mut turns = 0;
    let found = loop {
        assert!(line.connection.wants_turn(), "it is not done");
        turns += 1;
        let packets = line.turn();
        if !packets.is_empty() {
            break packets;
        }
    };
    assert!(turns >= 2, "{turns} turns");
    let [Packet::Publish(publish)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(world::text(publish), "found");
    assert!(!line.connection.wants_turn(), "it is done");
}

/// One SUBSCRIBE for all of these.
fn subscribe_all(filters: impl IntoIterator<Item = String>, qos: QoS) -> Packet {
    let options = SubscriptionOptions {
        qos,
        ..SubscriptionOptions::default()
    };
    let subscriptions = filters.into_iter().map(|filter| Subscription {
        filter: TopicFilter::new(filter).expect("a filter"),
        options,
    });
    Packet::Subscribe(Subscribe {
        packet_id: packet_id(1),
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: subscriptions.collect(),
    })
}

/// All filters of so many levels that are `a` or `+`: all of them match `a/a/a/…`.
fn overlapping(levels: u32) -> impl Iterator<Item = String> {
    (0..1_u32 << levels).map(move |bits| {
        let level = |at: u32| if bits >> at & 1 == 0 { "+" } else { "a" };
        (0..levels).map(level).collect::<Vec<_>>().join("/")
    })
}

/// Calls until nothing is due; the most steps of one call, and how many calls.
fn keep_time(world: &World) -> (usize, usize) {
    let (mut most, mut turns) = (0, 0);
    loop {
        most = most.max(world.broker.handle_timeout(world.now));
        turns += 1;
        let due = world.broker.poll_timeout();
        if due.is_none_or(|at| at > world.now.monotonic) {
            return (most, turns);
        }
    }
}

fn connect_all(world: &mut World, count: usize, connect: impl Fn(usize) -> Connect) -> Vec<Client> {
    let clients = (0..count).map(|number| world.connect(connect(number)).0);
    clients.collect()
}

#[test]
fn publishes_that_match_thousands_of_filters_take_several_turns() {
    const LEVELS: u32 = 12;
    const PUBLISHES: usize = 20;
    let mut world = World::new();
    let (bomb, _) = world.connect(clean("bomb"));
    world.send(bomb, subscribe_all(overlapping(LEVELS), QoS::AtMostOnce));
    world.commit();
    world.take_suback(bomb);
    let mut line = Bare::open(&world, clean("raw"));
    line.turn();
    let topic = vec!["a"; LEVELS as usize].join("/");
    let message = Packet::Publish(Box::new(publish(1, &topic, "x", QoS::AtMostOnce)));
    let mut one = BytesMut::new();
    encode(&message, Version::V5, &mut one);
    let mut input = BytesMut::from(&one.repeat(PUBLISHES)[..]);
    // Found, found again and remembered, remembered: then nothing is looked for any more, and each subscription still counts.
    let mut costs = [0; 3];
    for cost in &mut costs {
        line.take(&mut one.clone());
        *cost = line.connection.steps();
        assert!(*cost > 1 << LEVELS, "each filter is looked at: {cost}");
    }
    let [cost, again, remembered] = costs;
    assert!(cost == again && remembered < again, "{costs:?}");
    let mut turns = 1;
    while line.take(&mut input) {
        let steps = line.connection.steps();
        assert!(steps < STEPS_PER_TURN + cost, "{steps}");
        turns += 1;
    }
    assert!(
        turns >= PUBLISHES * remembered / (STEPS_PER_TURN + remembered),
        "{turns}"
    );
    world.settle();
    assert_eq!(world.take_texts(bomb).len(), PUBLISHES + costs.len());
}

#[test]
fn sessions_that_end_together_take_several_turns() {
    const SESSIONS: usize = 600;
    let mut world = World::new();
    let connect = |number: usize| Connect {
        session_expiry_interval: Some(60),
        ..kept(&number.to_string())
    };
    for client in connect_all(&mut world, SESSIONS, connect) {
        world.cut(client);
    }
    world.now.monotonic = world.now.monotonic.plus_ms(60_000);
    world.broker.handle_timeout(world.now);
    let ended = world.broker.stats().expired_sessions as usize;
    assert!(ended > 0 && ended < SESSIONS / 2, "{ended}");
    let (most, turns) = keep_time(&world);
    assert!(most < STEPS_PER_TURN + 100 && turns > 1, "{most} {turns}");
    assert_eq!(world.broker.stats().sessions, 0);
}

/// Each has as many recipients as there are subscribers.
#[test]
fn wills_that_are_due_together_take_several_turns() {
    const WILLS: usize = 100;
    const SUBSCRIBERS: usize = 400;
    let mut world = World::new();
    let subscribers = connect_all(&mut world, SUBSCRIBERS, |number| {
        clean(&format!("s{number}"))
    });
    for client in &subscribers {
        world.subscribe(*client, "gone/+", QoS::AtMostOnce);
    }
    let connect = |number: usize| Connect {
        will: Some(will(&format!("gone/{number}"), "x", 30)),
        ..kept(&format!("w{number}"))
    };
    for client in connect_all(&mut world, WILLS, connect) {
        world.cut(client);
    }
    world.now.monotonic = world.now.monotonic.plus_ms(30_000);
    let (most, turns) = keep_time(&world);
    assert!(most < STEPS_PER_TURN + SUBSCRIBERS + 200, "{most}");
    assert!(turns >= 3, "{turns}");
    world.settle();
    for client in subscribers {
        assert_eq!(world.take_texts(client).len(), WILLS);
    }
}

/// `count` messages wait for a session that is away.
fn backlog(count: usize, expiry_s: Option<u32>) -> World {
    let mut world = World::new();
    let (away, _) = world.connect(kept("away"));
    world.subscribe(away, "t", QoS::AtLeastOnce);
    world.cut(away);
    let (publisher, _) = world.connect(clean("p"));
    for number in 0..count {
        let id = u16::try_from(number % 1_000 + 1).expect("small");
        let mut packet = publish(id, "t", "x", QoS::AtLeastOnce);
        packet.properties.message_expiry_interval = expiry_s;
        world.send(publisher, Packet::Publish(Box::new(packet)));
        if id == 1_000 {
            world.commit();
        }
    }
    world.commit();
    assert_eq!(world.broker.stats().waiting as usize, count);
    world
}

#[test]
fn a_session_that_ends_with_much_that_waits_is_forgotten_part_by_part() {
    const COUNT: usize = 20_000;
    let mut world = backlog(COUNT, None);
    world.connect(clean("away"));
    let left = world.broker.stats().waiting as usize;
    assert!(left > COUNT / 2 && left < COUNT, "{left}");
    let mut before = left;
    while before > 0 {
        world.broker.handle_timeout(world.now);
        let now = world.broker.stats().waiting as usize;
        assert!(
            now < before && before - now <= STEPS_PER_TURN,
            "{before} {now}"
        );
        before = now;
    }
    // A crash before all of it is forgotten leaves nothing behind.
    let mut world = backlog(COUNT, None);
    world.connect(clean("away"));
    world.crash();
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn messages_that_expire_together_take_several_turns() {
    const COUNT: usize = 20_000;
    let mut world = backlog(COUNT, Some(60));
    world.now.monotonic = world.now.monotonic.plus_ms(80_000);
    world.now.wall.0 += 80_000;
    let (most, turns) = keep_time(&world);
    assert!(most < STEPS_PER_TURN + 1_000 && turns > 1, "{most} {turns}");
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn snapshots_that_find_nothing_take_several_turns() {
    const FILTERS: usize = 5_000;
    let world = World::new();
    let mut line = Bare::open(&world, clean("raw"));
    line.turn();
    let filters = (0..FILTERS).map(|number| format!("nothing/{number}"));
    line.send(&subscribe_all(filters, QoS::AtMostOnce));
    let suback = line.turn();
    assert!(matches!(suback[..], [Packet::SubAck(_)]), "{suback:?}");
    let mut turns = 1;
    while line.connection.wants_turn() {
        assert_eq!(line.turn(), []);
        turns += 1;
    }
    assert!(turns >= 3, "{turns}");
}

#[test]
fn many_filters_in_one_packet_enter_and_leave_part_by_part_and_all_count() {
    const FILTERS: usize = 3_000;
    let mut world = World::new();
    let (client, _) = world.connect(kept("many"));
    let filters = || (0..FILTERS).map(|number| format!("many/{number}"));
    world.send(client, subscribe_all(filters(), QoS::AtLeastOnce));
    world.commit();
    assert_eq!(world.next_suback(client).reasons.len(), FILTERS);
    assert_eq!(world.broker.stats().subscriptions as usize, FILTERS);
    let (publisher, _) = world.connect(clean("p"));
    for number in [0, 255, 256, FILTERS - 1] {
        let topic = format!("many/{number}");
        world.publish(publisher, 1, &topic, &topic, QoS::AtLeastOnce, false);
        assert_eq!(world.take_texts(client), [topic]);
    }
    world.commit();
    world.crash();
    assert_eq!(world.broker.stats().subscriptions as usize, FILTERS);
    let (client, _) = world.connect(kept("many"));
    world.send(
        client,
        Packet::Unsubscribe(Unsubscribe {
            packet_id: packet_id(2),
            user_properties: Vec::new(),
            filters: filters()
                .map(|filter| TopicFilter::new(filter).expect("a filter"))
                .collect(),
        }),
    );
    assert_eq!(world.broker.stats().subscriptions, 0);
}
