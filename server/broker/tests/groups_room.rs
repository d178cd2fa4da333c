//! What a member gets of its group at QoS 2 becomes its own, and takes room if others wait for it too. Without room that goes one at a
//! time: whoever comes to take what waits must not fill a disk that is full.

mod world;

use ebbtide_broker::Limits;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Ack, Publish},
};
use world::*;

const COUNT: u64 = 4;

/// A member of each of these groups, away, and what was published for them.
fn waiting(groups: &[&str], limits: Limits) -> World {
    let mut world = World::with(limits);
    for group in groups {
        let (client, _) = world.connect(kept(group));
        let filter = format!("$share/{group}/jobs");
        world.subscribe(client, &filter, QoS::ExactlyOnce);
        world.cut(client);
    }
    let (publisher, _) = world.connect(clean("p"));
    for id in 1..=COUNT as u16 {
        let text = id.to_string();
        world.publish(publisher, id, "jobs", &text, QoS::ExactlyOnce, false);
    }
    assert_eq!(world.broker.stats().waiting, COUNT);
    world
}

/// What has come until now, with nothing acknowledged.
fn come(world: &mut World, client: Client) -> Vec<Publish> {
    world.commit();
    let packets = world.received(client).into_iter();
    let publishes = packets.filter_map(|packet| match packet {
        Packet::Publish(publish) => Some(*publish),
        _ => None,
    });
    publishes.collect()
}

fn acknowledge(world: &mut World, client: Client, publish: &Publish) {
    let id = publish.packet_id.expect("an id");
    for answer in [Packet::PubRec, Packet::PubComp] {
        world.send(client, answer(Ack::new(id, ReasonCode::Success)));
        world.commit();
    }
}

/// The first member comes. With whom the rest is shared it does not concern.
fn come_one_at_a_time(mut world: World) {
    let (client, _) = world.connect(kept("g"));
    for number in 1..=COUNT {
        let publishes = come(&mut world, client);
        let texts: Vec<String> = publishes.iter().map(text).collect();
        assert_eq!(texts, [number.to_string()]);
        assert_eq!(world.broker.stats().waiting, COUNT + 1);
        acknowledge(&mut world, client, &publishes[0]);
    }
    assert_eq!(world.broker.stats().waiting, COUNT);
    let (client, _) = world.connect(kept("h"));
    assert_eq!(world.take_texts(client), ["1", "2", "3", "4"]);
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn what_others_wait_for_too_comes_one_at_a_time_while_the_disk_is_full() {
    let world = waiting(&["g", "h"], Limits::default());
    world.broker.journal().set_room_bytes(0);
    come_one_at_a_time(world);
}

#[test]
fn what_others_wait_for_too_comes_one_at_a_time_at_a_limit_in_all() {
    let limits = Limits {
        queue_messages_max: COUNT as usize,
        ..Limits::default()
    };
    come_one_at_a_time(waiting(&["g", "h"], limits));
    let bytes = waiting(&["g", "h"], Limits::default());
    let limits = Limits {
        queue_bytes_max: bytes.broker.stats().waiting_bytes,
        ..Limits::default()
    };
    come_one_at_a_time(waiting(&["g", "h"], limits));
}

/// Its row goes when the copy comes.
#[test]
fn what_nobody_else_waits_for_comes_at_once() {
    let mut world = waiting(&["g"], Limits::default());
    world.broker.journal().set_room_bytes(0);
    let (client, _) = world.connect(kept("g"));
    assert_eq!(come(&mut world, client).len() as u64, COUNT);
    assert_eq!(world.broker.stats().waiting, COUNT);
}

/// With room again, an acknowledgement lets all the others go.
#[test]
fn the_rest_comes_when_there_is_room() {
    let mut world = waiting(&["g", "h"], Limits::default());
    world.broker.journal().set_room_bytes(0);
    let (client, _) = world.connect(kept("g"));
    let first = come(&mut world, client);
    assert_eq!(first.len(), 1);
    world.broker.journal().set_room_bytes(u64::MAX);
    acknowledge(&mut world, client, &first[0]);
    assert_eq!(come(&mut world, client).len() as u64, COUNT - 1);
}
