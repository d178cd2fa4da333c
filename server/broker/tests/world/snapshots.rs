//! Clients that ask how many retained messages follow, and what they are told.

use std::num::NonZeroU16;

use ebbtide_protocol::{
    Packet, QoS, TopicFilter, extension,
    packet::{
        Connect, Publish, RetainHandling, SubAck, Subscribe, Subscription, SubscriptionOptions,
    },
};

use super::{Client, World, clean, packet_id, text};

/// More than one chunk of a snapshot.
pub const MANY: usize = 300;

pub const AT_LEAST_ONCE: SubscriptionOptions = SubscriptionOptions {
    qos: QoS::AtLeastOnce,
    no_local: false,
    retain_as_published: false,
    retain_handling: RetainHandling::Send,
};
pub const AT_MOST_ONCE: SubscriptionOptions = SubscriptionOptions {
    qos: QoS::AtMostOnce,
    ..AT_LEAST_ONCE
};

/// Retains so many messages below `r`, in the order of the walk.
pub fn retain(world: &mut World, count: usize) {
    let (publisher, _) = world.connect(clean("retains"));
    for n in 0..count {
        set(world, publisher, n, "old");
    }
}

pub fn set(world: &mut World, publisher: Client, n: usize, payload: &str) {
    world.publish(publisher, 1, &topic(n), payload, QoS::AtLeastOnce, true);
}

pub fn topic(n: usize) -> String {
    format!("r/{n:05}")
}

/// A client with a session of its connection that takes one message after the other.
pub fn slow(id: &str) -> Connect {
    Connect {
        receive_maximum: NonZeroU16::new(1),
        ..clean(id)
    }
}

pub fn asking(identifier: Option<u32>, filters: &[(&str, SubscriptionOptions)]) -> Subscribe {
    let subscriptions = filters.iter().map(|(filter, options)| Subscription {
        filter: TopicFilter::new(*filter).expect("a filter"),
        options: *options,
    });
    Subscribe {
        packet_id: packet_id(1),
        subscription_identifier: identifier,
        user_properties: vec![extension::set(extension::SNAPSHOT_ASKED)],
        subscriptions: subscriptions.collect(),
    }
}

/// What SUBACK says, which is the next that comes.
pub fn ask(
    world: &mut World,
    client: Client,
    identifier: u32,
    filters: &[(&str, SubscriptionOptions)],
) -> SubAck {
    let subscribe = asking(Some(identifier), filters);
    world.send(client, Packet::Subscribe(subscribe));
    world.commit();
    world.next_suback(client)
}

/// The numbers of an answer, and whether the marker is promised.
pub fn told(suback: &SubAck) -> (Vec<&str>, bool) {
    let properties = &suback.user_properties;
    let numbers = extension::values(properties, extension::RETAINED);
    (
        numbers.map(|number| &**number).collect(),
        extension::is_set(properties, extension::END),
    )
}

pub fn is_marker(publish: &Publish) -> bool {
    let topic = publish.topic.as_ref().expect("no aliases here");
    extension::ended(topic).is_some()
}

/// Everything that comes: topics and payloads, markers with their identifiers.
pub fn all(world: &mut World, client: Client) -> Vec<String> {
    world.take_all(client).iter().map(describe).collect()
}

fn describe(publish: &Publish) -> String {
    let topic = publish.topic.as_ref().expect("no aliases here");
    if !is_marker(publish) {
        return format!("{topic} {}", text(publish));
    }
    assert_eq!(publish.qos, QoS::AtMostOnce);
    assert!(!publish.retain && publish.payload.is_empty());
    format!("{topic} {:?}", publish.subscription_identifiers)
}

pub fn values(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{} old", topic(n))).collect()
}
