//! Topic aliases towards the client: within its maximum, understood, and never across connections.

mod world;

use std::{collections::HashMap, num::NonZeroU16};

use ebbtide_protocol::{
    QoS,
    packet::{Connect, Publish},
};
use world::*;

/// Understands aliases as a client does; fails where one would.
#[derive(Default)]
struct Reader {
    maximum: u16,
    known: HashMap<NonZeroU16, String>,
}

impl Reader {
    fn new(maximum: u16) -> Self {
        Self {
            maximum,
            known: HashMap::new(),
        }
    }

    fn topic(&mut self, publish: &Publish) -> String {
        let named = publish
            .topic
            .as_ref()
            .map(|topic| topic.as_str().to_owned());
        let Some(alias) = publish.topic_alias else {
            return named.expect("a topic, for there is no alias");
        };
        assert!(alias.get() <= self.maximum, "{alias} is too high");
        match named {
            Some(topic) => {
                self.known.insert(alias, topic.clone());
                topic
            }
            None => self.known.get(&alias).expect("an alias in use").clone(),
        }
    }
}

fn with_aliases(maximum: u16) -> Connect {
    Connect {
        topic_alias_maximum: maximum,
        ..kept("reader")
    }
}

fn rounds(world: &mut World, topics: u16, rounds: u16) -> Vec<(String, String)> {
    let (publisher, _) = world.connect(clean("publisher"));
    let mut published = Vec::new();
    for round in 0..rounds {
        for topic in 0..topics {
            let (topic, payload) = (format!("topics/{topic}"), format!("{round}"));
            world.publish(publisher, 1, &topic, &payload, QoS::AtLeastOnce, false);
            published.push((topic, payload));
        }
    }
    published
}

fn read(reader: &mut Reader, got: &[Publish]) -> Vec<(String, String)> {
    got.iter()
        .map(|publish| (reader.topic(publish), text(publish)))
        .collect()
}

#[test]
fn topics_are_sent_once_while_aliases_last() {
    let mut world = World::new();
    let (client, _) = world.connect(with_aliases(10));
    world.subscribe(client, "topics/#", QoS::AtLeastOnce);
    let published = rounds(&mut world, 10, 3);
    let got = world.take_all(client);
    let named = got.iter().filter(|publish| publish.topic.is_some()).count();
    assert_eq!(named, 10, "each topic by name once");
    assert_eq!(read(&mut Reader::new(10), &got), published);
}

/// [MQTT-3.1.2-26, MQTT-3.3.2-11]
#[test]
fn aliases_pass_to_the_topics_that_are_in_use() {
    let mut world = World::new();
    let (client, _) = world.connect(with_aliases(2));
    world.subscribe(client, "topics/#", QoS::AtLeastOnce);
    let mut published = rounds(&mut world, 5, 2);
    published.extend(rounds(&mut world, 2, 3));
    let got = world.take_all(client);
    assert_eq!(read(&mut Reader::new(2), &got), published);
    let last = &got[got.len() - 2..];
    assert!(last.iter().all(|publish| publish.topic.is_none()));
}

/// [MQTT-3.1.2-27]
#[test]
fn none_are_sent_unasked() {
    for connect in [kept("reader"), kept_3("reader")] {
        let mut world = World::new();
        let (client, _) = world.connect(connect);
        world.subscribe(client, "topics/#", QoS::AtLeastOnce);
        let published = rounds(&mut world, 2, 2);
        let got = world.take_all(client);
        assert!(got.iter().all(|publish| publish.topic_alias.is_none()));
        assert_eq!(read(&mut Reader::new(0), &got), published);
    }
}

/// [MQTT-3.3.2-7]
#[test]
fn they_end_with_the_connection() {
    let mut world = World::new();
    let (client, _) = world.connect(with_aliases(10));
    world.subscribe(client, "topics/#", QoS::AtLeastOnce);
    rounds(&mut world, 3, 2);
    world.take_all(client);
    // One that takes fewer, and none of the old.
    let (client, connack) = world.connect(with_aliases(1));
    assert!(connack.session_present);
    let published = rounds(&mut world, 3, 2);
    let got = world.take_all(client);
    assert_eq!(read(&mut Reader::new(1), &got), published);
}

/// [MQTT-3.1.2-24]
#[test]
fn an_alias_never_makes_a_packet_too_large() {
    let mut world = World::new();
    // PUBLISH of `topics/0` with one byte has 2 + 2 + 8 + 2 + 1 + 1 bytes.
    for room in 0..8 {
        let (client, _) = world.connect(Connect {
            maximum_packet_size: Some(16 + room),
            clean_start: true,
            ..with_aliases(10)
        });
        world.subscribe(client, "topics/#", QoS::AtLeastOnce);
        let published = rounds(&mut world, 1, 3);
        let got = world.take_all(client);
        assert_eq!(read(&mut Reader::new(10), &got), published);
    }
    assert_eq!(world.broker.stats().dropped.too_large, 0);
}
