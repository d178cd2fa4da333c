//! More waits in a queue than may, and much more: since a limit was lowered, or one large message came for many small ones.

mod world;

use ebbtide_broker::Limits;
use ebbtide_protocol::QoS;
use world::{World, clean, kept};

/// Nobody can publish while the first few go, and whoever waits for a commit waits for all that is in it.
#[test]
fn what_is_above_a_lowered_limit_goes_in_parts() {
    const SESSIONS: usize = 40;
    const MESSAGES: usize = 600;
    const LEFT: usize = 10;
    let mut world = World::with(Limits::default());
    for session in 0..SESSIONS {
        let (away, _) = world.connect(kept(&session.to_string()));
        let filter = if session % 2 == 0 { "t" } else { "$share/g/t" };
        world.subscribe(away, filter, QoS::AtLeastOnce);
        world.cut(away);
    }
    // Half of them, and the group.
    let queues = SESSIONS / 2 + 1;
    let (publisher, _) = world.connect(clean("publisher"));
    for _ in 0..MESSAGES {
        world.publish(publisher, 1, "t", "m", QoS::AtLeastOnce, false);
    }
    assert_eq!(world.broker.stats().waiting, MESSAGES as u64);
    world.broker.set_limits(Limits {
        queue_messages_per_session_max: LEFT,
        ..Limits::default()
    });
    let before = world.batches.len();
    world.publish(publisher, 1, "t", "m", QoS::AtLeastOnce, false);
    let at_once = world.batches[before..].iter().map(Vec::len);
    assert!(at_once.sum::<usize>() <= 40 * queues);
    let mut rest = Vec::new();
    while rest.last() != Some(&0) {
        let before = world.batches.len();
        world.pass_ms(1000);
        world.commit();
        rest.push(world.batches[before..].iter().map(Vec::len).sum());
    }
    let most = rest.iter().max();
    assert!(most.is_some_and(|most| *most <= 8_192), "{rest:?}");
    assert_eq!(world.broker.stats().waiting, LEFT as u64);
    let lost = MESSAGES + 1 - LEFT;
    assert_eq!(
        world.broker.stats().dropped.queue_full,
        (lost * queues) as u64
    );
    let (_, connack) = world.connect(kept("0"));
    let told = connack.user_properties.first().expect("it is told");
    assert!(told.1.contains(&format!(r#""count":{lost},"#)), "{told:?}");
    let info = world.broker.session("2", world.now).expect("a session");
    assert_eq!(info.queue_messages, LEFT as u64);
}

#[test]
fn one_large_message_goes_for_many_small_ones() {
    let mut world = World::with(Limits {
        queue_bytes_per_session_max: 1_001,
        ..Limits::default()
    });
    for (id, filter) in [("a", "t"), ("b", "$share/g/t")] {
        let (away, _) = world.connect(kept(id));
        world.subscribe(away, filter, QoS::AtLeastOnce);
        world.cut(away);
    }
    let (publisher, _) = world.connect(clean("publisher"));
    for _ in 0..500 {
        world.publish(publisher, 1, "t", "m", QoS::AtLeastOnce, false);
    }
    let large = "l".repeat(1_000);
    world.publish(publisher, 1, "t", &large, QoS::AtLeastOnce, false);
    world.pass_ms(1000);
    assert_eq!(world.broker.stats().waiting, 1);
    assert_eq!(world.broker.stats().dropped.queue_full, 2 * 500);
    for id in ["a", "b"] {
        let (client, _) = world.connect(kept(id));
        assert_eq!(world.take_texts(client), [&*large]);
    }
}
