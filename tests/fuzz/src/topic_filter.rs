//! Strings as filters and topics: whether they match, by a second, slower way; and whether a broker with all the filters
//! subscribed finds those, live and retained.

use std::collections::BTreeSet;

use arbitrary::Unstructured;
use bytes::Bytes;
use ebbtide_protocol::{
    Packet, QoS, TopicFilter, TopicName,
    packet::{Connect, MessageProperties, Publish, Subscribe, Subscription, SubscriptionOptions},
};

use super::driver::Driver;

const FILTERS_MAX: usize = 8;
const TOPICS_MAX: usize = 8;

const PUBLISHER: usize = 0;
const SUBSCRIBER: usize = 1;
const LATECOMER: usize = 2;

/// Two lists of strings.
pub fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok((filters, topics)) = input.arbitrary::<(Vec<&str>, Vec<&str>)>() else {
        return;
    };
    let filters: Vec<TopicFilter> = (filters.into_iter().take(FILTERS_MAX))
        .filter_map(|text| TopicFilter::new(text.to_owned()).ok())
        .collect();
    let topics: BTreeSet<String> = (topics.into_iter().take(TOPICS_MAX))
        .filter(|text| TopicName::new((*text).to_owned()).is_ok())
        .map(str::to_owned)
        .collect();
    let topics = topics
        .into_iter()
        .map(|text| TopicName::new(text).expect("looked at above"));
    let topics: Vec<TopicName> = topics.collect();
    for filter in &filters {
        for topic in &topics {
            assert_eq!(filter.matches(topic), slowly(filter, topic));
        }
    }
    let plain = |filter: &TopicFilter| filter.share().is_none();
    through_a_broker(filters.into_iter().filter(plain).collect(), &topics);
}

fn slowly(filter: &TopicFilter, topic: &TopicName) -> bool {
    let is_system = topic.as_str().starts_with('$') && filter.pattern().starts_with(['+', '#']);
    let pattern: Vec<&str> = filter.pattern().split('/').collect();
    let levels: Vec<&str> = topic.levels().collect();
    !is_system && level_by_level(&pattern, &levels)
}

fn level_by_level(pattern: &[&str], levels: &[&str]) -> bool {
    match (pattern, levels) {
        (["#"], _) => true,
        ([], []) => true,
        ([wanted, pattern @ ..], [level, levels @ ..]) => {
            (*wanted == "+" || wanted == level) && level_by_level(pattern, levels)
        }
        _ => false,
    }
}

fn through_a_broker(mut filters: Vec<TopicFilter>, topics: &[TopicName]) {
    filters.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    filters.dedup();
    let topics: Vec<&TopicName> = (topics.iter())
        .filter(|topic| !topic.as_str().starts_with("$SYS/"))
        .collect();
    let mut driver = Driver::new(3);
    for at in 0..3 {
        let connect = Connect {
            client_id: at.to_string().into(),
            clean_start: true,
            ..Connect::default()
        };
        driver.send(at, &Packet::Connect(Box::new(connect)));
    }
    subscribe(&mut driver, SUBSCRIBER, &filters);
    for (number, topic) in topics.iter().enumerate() {
        driver.send(PUBLISHER, &publish(topic, number));
    }
    driver.commit();
    for publish in publishes(&mut driver, SUBSCRIBER) {
        let topic = publish.topic.as_ref().expect("no aliases");
        let expected = matching(&filters, topic);
        let mut got = publish.subscription_identifiers.clone();
        got.sort_unstable();
        assert_eq!(got, expected, "live, {topic:?}");
    }
    for (number, filter) in filters.iter().enumerate() {
        subscribe_one(&mut driver, LATECOMER, filter, number);
        driver.commit();
        let retained = publishes(&mut driver, LATECOMER);
        let got: BTreeSet<&TopicName> = retained
            .iter()
            .filter_map(|publish| publish.topic.as_ref())
            .collect();
        let expected = topics.iter().filter(|topic| slowly(filter, topic));
        let expected: BTreeSet<&TopicName> = expected.copied().collect();
        assert_eq!(got, expected, "retained, {filter:?}");
        assert_eq!(retained.len(), expected.len());
    }
    driver.check();
}

fn matching(filters: &[TopicFilter], topic: &TopicName) -> Vec<u32> {
    (1..)
        .zip(filters)
        .filter(|(_, filter)| slowly(filter, topic))
        .map(|(number, _)| number)
        .collect()
}

fn subscribe(driver: &mut Driver, at: usize, filters: &[TopicFilter]) {
    for (number, filter) in filters.iter().enumerate() {
        subscribe_one(driver, at, filter, number);
    }
    driver.commit();
}

fn subscribe_one(driver: &mut Driver, at: usize, filter: &TopicFilter, number: usize) {
    let number = u16::try_from(number + 1).expect("few");
    let packet = Subscribe {
        packet_id: number.try_into().expect("not zero"),
        subscription_identifier: Some(number.into()),
        user_properties: Vec::new(),
        subscriptions: vec![Subscription {
            filter: filter.clone(),
            options: SubscriptionOptions::default(),
        }],
    };
    driver.send(at, &Packet::Subscribe(packet));
}

fn publish(topic: &TopicName, number: usize) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: true,
        topic: Some(topic.clone()),
        packet_id: None,
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: Bytes::from(number.to_string()),
    }))
}

fn publishes(driver: &mut Driver, at: usize) -> Vec<Publish> {
    let packets = driver.received(at).into_iter();
    packets
        .filter_map(|packet| match packet {
            Packet::Publish(publish) => Some(*publish),
            _ => None,
        })
        .collect()
}
