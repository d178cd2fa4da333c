//! Presence that the broker keeps: right after every kind of end, a crash of the broker included.

mod world;

use ebbtide_broker::{Limits, PresenceTopic, STEPS_PER_TURN, Transport};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Ack, Connect, Publish},
};
use world::*;

fn with_presence() -> World {
    limited(Limits::default())
}

fn limited(limits: Limits) -> World {
    let topic = PresenceTopic::new("presence/{client}", Some(60)).expect("a template");
    World::with_presence(limits, topic)
}

/// Somebody who watches, and what it sees.
struct Watcher(Client);

impl Watcher {
    fn new(world: &mut World) -> Self {
        // Assigned ids have no presence.
        let (client, _) = world.connect(clean(""));
        world.subscribe(client, "presence/#", QoS::AtLeastOnce);
        Self(client)
    }

    /// Client, status and reason of each change since the last look.
    fn changes(&self, world: &mut World) -> Vec<String> {
        let messages = world.take_all(self.0);
        messages.iter().map(change).collect()
    }
}

fn change(message: &Publish) -> String {
    let topic = message.topic.as_ref().expect("no aliases").as_str();
    let client = topic.strip_prefix("presence/").expect("the prefix");
    if message.payload.is_empty() {
        return format!("{client} cleared");
    }
    let entry: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    assert!(text("since").ends_with('Z'), "{entry}");
    let rest = text("reason") + &text("user");
    format!("{client} {} {rest}", text("status"))
        .trim_end()
        .to_owned()
}

/// What a newcomer sees.
fn now(world: &mut World) -> Vec<String> {
    let mut seen = Watcher::new(world).changes(world);
    seen.sort();
    seen
}

#[test]
fn each_kind_of_end_is_told_with_its_reason() {
    let mut world = with_presence();
    let watcher = Watcher::new(&mut world);
    let (a, _) = world.connect(clean("a"));
    world.send(a, disconnect(ReasonCode::Success));
    assert_eq!(
        watcher.changes(&mut world),
        ["a online", "a offline disconnect"]
    );
    let (a, _) = world.connect(kept("a"));
    world.send(a, disconnect(ReasonCode::DisconnectWithWill));
    assert_eq!(
        watcher.changes(&mut world),
        ["a online", "a offline disconnect with will"]
    );
    let (a, _) = world.connect(kept("a"));
    world.cut(a);
    assert_eq!(
        watcher.changes(&mut world),
        ["a online", "a offline connection lost"]
    );
    let (a, _) = world.connect(kept("a"));
    world.send(a, Packet::PingResp);
    assert_eq!(
        watcher.changes(&mut world),
        ["a online", "a offline Protocol Error"]
    );
    let (_, _) = world.connect(Connect {
        keep_alive: 10,
        ..clean("a")
    });
    world.pass_ms(15_000);
    assert_eq!(
        watcher.changes(&mut world),
        ["a online", "a offline Keep Alive timeout"]
    );
    assert_eq!(now(&mut world), ["a offline Keep Alive timeout"]);
}

#[test]
fn connack_waits_for_the_entry() {
    let mut world = with_presence();
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(clean("a"))));
    assert_eq!(world.received(client), [], "it is not on disk");
    world.commit();
    assert_eq!(world.received(client).len(), 1);
}

#[test]
fn a_takeover_does_not_flap() {
    let mut world = with_presence();
    let (_, _) = world.connect(kept("a"));
    let watcher = Watcher::new(&mut world);
    watcher.changes(&mut world);
    let (second, _) = world.connect(kept("a"));
    assert_eq!(watcher.changes(&mut world), ["a online"]);
    world.cut(second);
    assert_eq!(watcher.changes(&mut world), ["a offline connection lost"]);
}

#[test]
fn a_taker_that_goes_at_once_leaves_nobody_online() {
    let mut world = with_presence();
    let (_, _) = world.connect(kept("a"));
    let watcher = Watcher::new(&mut world);
    watcher.changes(&mut world);
    let second = world.open();
    world.send(second, Packet::Connect(Box::new(kept("a"))));
    world.cut(second);
    let changes = watcher.changes(&mut world);
    assert_eq!(
        changes.last().map(String::as_str),
        Some("a offline connection lost")
    );
    // One that takes too small packets for CONNACK is refused before it has taken over.
    let (_, _) = world.connect(clean("a"));
    let (_, connack) = world.connect(Connect {
        maximum_packet_size: Some(8),
        ..kept("a")
    });
    assert_eq!(connack.reason, ReasonCode::PacketTooLarge);
    assert_eq!(now(&mut world), ["a online"]);
    // One that is to be kept is refused after it has taken over one that is not: there is no room, nor for an entry of that one.
    world.broker.journal().set_room_bytes(0);
    let (_, connack) = world.connect(kept("a"));
    assert_eq!(connack.reason, ReasonCode::QuotaExceeded);
    assert_eq!(now(&mut world), [""; 0]);
}

#[test]
fn after_a_crash_all_who_have_not_returned_are_gone() {
    let mut world = with_presence();
    let (_, _) = world.connect(kept("stays-away"));
    let (_, _) = world.connect(clean("transient"));
    let (left, _) = world.connect(clean("left"));
    world.send(left, disconnect(ReasonCode::Success));
    let (_, _) = world.connect(kept("returns"));
    world.commit();
    world.crash();
    let (_, _) = world.connect(kept("returns"));
    world.pass_ms(0);
    world.commit();
    assert_eq!(
        now(&mut world),
        [
            "left offline disconnect",
            "returns online",
            "stays-away offline broker restart",
            "transient offline broker restart",
        ]
    );
    world.crash();
    world.pass_ms(0);
    world.commit();
    assert_eq!(now(&mut world)[1], "returns offline broker restart");
}

#[test]
fn who_comes_and_goes_before_it_is_told_gone_has_gone_then() {
    let mut world = with_presence();
    let (_, _) = world.connect(clean("a"));
    world.commit();
    world.crash();
    let (client, _) = world.connect(clean("a"));
    world.send(client, disconnect(ReasonCode::Success));
    world.commit();
    world.pass_ms(0);
    world.commit();
    assert_eq!(now(&mut world), ["a offline disconnect"]);
}

#[test]
fn after_a_crash_of_many_others_have_their_turn_before_all_are_gone() {
    const CLIENTS: usize = 600;
    let mut world = with_presence();
    for number in 1..=CLIENTS {
        let (_, _) = world.connect(clean(&number.to_string()));
        // Nobody has looked at the entries between the crashes: this only makes the world small.
        if number % 50 == 0 {
            world.crash();
        }
    }
    let mut turns = 0;
    while world
        .broker
        .poll_timeout()
        .is_some_and(|at| at <= world.now.monotonic)
    {
        let steps = world.broker.handle_timeout(world.now);
        assert!(steps <= STEPS_PER_TURN + 1_000, "{steps}");
        turns += 1;
    }
    assert!(turns > 2, "{turns}");
    world.commit();
    let entries = now(&mut world);
    assert_eq!(entries.len(), CLIENTS);
    for entry in entries {
        assert!(entry.ends_with("offline broker restart"), "{entry}");
    }
}

/// Anybody can come under one name after the other, also while the disk is full.
#[test]
fn who_comes_and_goes_leaves_nothing_on_a_full_disk() {
    let mut world = with_presence();
    let (away, _) = world.connect(kept("away"));
    world.subscribe(away, "presence/#", QoS::AtLeastOnce);
    world.take_all(away);
    world.cut(away);
    world.commit();
    let before = world.broker.stats();
    world.broker.journal().set_room_bytes(0);
    for id in ["a", "b", "c"] {
        let (client, connack) = world.connect(clean(id));
        assert_eq!(connack.reason, ReasonCode::Success);
        assert_eq!(world.broker.stats().retained, before.retained + 1);
        world.cut(client);
        world.commit();
    }
    let after = world.broker.stats();
    assert_eq!(after.retained, before.retained);
    assert_eq!(after.waiting, before.waiting);
    // Each came, went and was forgotten.
    assert_eq!(after.dropped.qos0_unready, before.dropped.qos0_unready + 9);
}

#[test]
fn the_entry_of_who_is_gone_expires() {
    let mut world = with_presence();
    let (a, _) = world.connect(clean("a"));
    world.cut(a);
    world.commit();
    world.pass_ms(59_000);
    assert_eq!(now(&mut world).len(), 1);
    world.pass_ms(2_000);
    assert_eq!(now(&mut world), Vec::<String>::new());
    let (_, _) = world.connect(clean("a"));
    world.pass_ms(3_600_000);
    assert_eq!(
        now(&mut world),
        ["a online"],
        "who is there does not expire"
    );
}

#[test]
fn nobody_else_writes_presence() {
    let mut world = with_presence();
    let (client, _) = world.connect(clean("a"));
    world.send(
        client,
        Packet::Publish(Box::new(publish(1, "presence/b", "x", QoS::AtLeastOnce))),
    );
    let refused = Ack::new(packet_id(1), ReasonCode::NotAuthorized);
    assert_eq!(world.answers(client), [Packet::PubAck(refused)]);
    let (_, connack) = world.connect(Connect {
        will: Some(will("presence/b", "gone", 0)),
        ..clean("b")
    });
    assert_eq!(connack.reason, ReasonCode::NotAuthorized);
    // Other topics below are anybody's.
    world.publish(client, 2, "presence/b/mood", "fine", QoS::AtLeastOnce, true);
    assert_eq!(world.is_closed(client), None);
}

#[test]
fn a_user_is_named_and_a_strange_id_is_one_level() {
    let mut world = with_presence();
    let (_, _) = world.connect(Connect {
        username: Some("ada \"lovelace\"".into()),
        ..clean("a/+b")
    });
    assert_eq!(now(&mut world), ["a%2F%2Bb online ada \"lovelace\""]);
}

/// Anybody can come under one name after the other.
#[test]
fn who_comes_and_goes_leaves_no_entry_that_has_no_room() {
    let mut world = limited(Limits {
        retained_messages_max: 2,
        ..Limits::default()
    });
    let watcher = Watcher::new(&mut world);
    let (stays, _) = world.connect(kept("stays"));
    for id in ["a", "b", "c"] {
        let (client, connack) = world.connect(clean(id));
        assert_eq!(connack.reason, ReasonCode::Success);
        world.cut(client);
    }
    let gone = |id| {
        [
            format!("{id} offline connection lost"),
            format!("{id} cleared"),
        ]
    };
    let online = |id| format!("{id} online");
    let mut expected = vec![online("stays")];
    for id in ["a", "b", "c"] {
        expected.push(online(id));
        expected.extend(gone(id));
    }
    assert_eq!(watcher.changes(&mut world), expected);
    assert_eq!(world.broker.stats().retained, 1);

    let (there, _) = world.connect(clean("there"));
    let (_, connack) = world.connect(clean("a"));
    assert_eq!(connack.reason, ReasonCode::QuotaExceeded);
    // Who has an entry is no further one.
    world.cut(stays);
    assert_eq!(
        now(&mut world),
        ["stays offline connection lost", "there online"]
    );
    let (_, connack) = world.connect(kept("stays"));
    assert_eq!(connack.reason, ReasonCode::Success);
    world.cut(there);
    let (_, connack) = world.connect(clean("a"));
    assert_eq!(connack.reason, ReasonCode::Success);
}

/// Retains this in the topic; gives the answer.
fn retain_in(world: &mut World, client: Client, topic: &str, payload: &str) -> ReasonCode {
    let mut packet = publish(1, topic, payload, QoS::AtLeastOnce);
    packet.retain = true;
    world.send(client, Packet::Publish(Box::new(packet)));
    world.commit();
    let packets = world.received(client);
    match &packets[..] {
        [Packet::PubAck(ack)] => ack.reason,
        other => panic!("{other:?}"),
    }
}

/// Would fail if entries of clients that come once, under any number of names, stayed for ever.
#[test]
fn the_entry_of_a_client_that_is_gone_can_be_cleared_from_inside_only() {
    let mut world = with_presence();
    let watcher = Watcher::new(&mut world);
    let (here, _) = world.connect(clean("here"));
    let (gone, _) = world.connect(clean("gone"));
    world.cut(gone);
    watcher.changes(&mut world);
    let inside = world.open_by(Transport::Inside);
    world.send(inside, Packet::Connect(Box::new(clean(""))));
    world.commit();
    world.received(inside);

    let denied = ReasonCode::NotAuthorized;
    assert_eq!(retain_in(&mut world, here, "presence/gone", ""), denied);
    assert_eq!(retain_in(&mut world, inside, "presence/gone", "x"), denied);
    assert_eq!(retain_in(&mut world, inside, "presence/here", ""), denied);
    assert_eq!(retain_in(&mut world, inside, "$SYS/x", ""), denied);
    assert!(watcher.changes(&mut world).is_empty());

    let cleared = retain_in(&mut world, inside, "presence/gone", "");
    assert_eq!(cleared, ReasonCode::Success);
    assert_eq!(watcher.changes(&mut world), ["gone cleared"]);
    assert_eq!(now(&mut world), ["here online"]);
    world.connect(clean("gone"));
    assert_eq!(watcher.changes(&mut world), ["gone online"]);
}
