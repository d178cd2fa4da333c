//! The topics below `$SYS/broker/`: the state of the broker as retained messages, under Mosquitto's names where it has them,
//! so that tools made for it work here.
//!
//! A topic is published when its value has changed. Counters are 64 bits wide and begin with the broker.

mod load;

use std::collections::HashMap;

use bytes::Bytes;
use ebbtide_broker::Stats;
use ebbtide_protocol::TopicName;
use tokio::time::{Duration, Instant, interval_at};

use self::load::Load;
use crate::{clock::Clock, storage::CurrentBroker};

const PREFIX: &str = "$SYS/broker";

/// Publishes for as long as the broker runs.
pub async fn publish(current: CurrentBroker, clock: Clock, interval: Duration) {
    let mut told = Told::default();
    let mut generation = current.generation();
    let mut load = Load::default();
    // The first values are there at once.
    let mut ticks = interval_at(Instant::now(), interval);
    loop {
        ticks.tick().await;
        if generation != current.generation() {
            // Another broker begins with nothing retained here.
            generation = current.generation();
            told = Told::default();
        }
        let (broker, _) = current.get();
        let now = clock.now();
        let stats = broker.stats();
        let seconds = now.monotonic.0 / 1000;
        load.update(&stats, now.monotonic);
        for (name, value) in values(&stats, seconds).into_iter().chain(load.values()) {
            if let Some(value) = told.changed(&name, value)
                && let Ok(topic) = TopicName::new(format!("{PREFIX}/{name}"))
            {
                broker.publish_system(topic, value, now);
            }
        }
    }
}

/// What has been published last.
#[derive(Debug, Default)]
struct Told(HashMap<String, Bytes>);

impl Told {
    /// The value, if it is another one than before.
    fn changed(&mut self, name: &str, value: String) -> Option<Bytes> {
        let value = Bytes::from(value);
        if self.0.get(name) == Some(&value) {
            return None;
        }
        self.0.insert(name.to_owned(), value.clone());
        Some(value)
    }
}

fn values(stats: &Stats, uptime_s: u64) -> Vec<(String, String)> {
    let away = stats.sessions.saturating_sub(stats.connections);
    let counts = [
        ("clients/total", stats.sessions),
        ("clients/connected", stats.connections),
        ("clients/disconnected", away),
        ("clients/maximum", stats.connections_max),
        ("clients/expired", stats.expired_sessions),
        ("messages/received", stats.received.packets),
        ("messages/sent", stats.sent.packets),
        ("messages/stored", stats.waiting + stats.retained),
        ("store/messages/count", stats.waiting + stats.retained),
        ("retained messages/count", stats.retained),
        ("subscriptions/count", stats.subscriptions),
        ("shared_subscriptions/count", stats.shared_subscriptions),
        ("bytes/received", stats.received.bytes),
        ("bytes/sent", stats.sent.bytes),
        ("publish/messages/received", stats.received.publishes),
        ("publish/messages/sent", stats.sent.publishes),
        ("publish/messages/dropped", stats.dropped.total()),
        ("publish/bytes/received", stats.received.payload_bytes),
        ("publish/bytes/sent", stats.sent.payload_bytes),
    ];
    let drops = stats.dropped.by_reason();
    let drops = drops.map(|(reason, count)| (format!("publish/messages/dropped/{reason}"), count));
    let hits = stats.limits.by_name();
    let hits = hits.map(|(name, count)| (format!("limits/{name}"), count));
    let counts = counts.map(|(name, count)| (name.to_owned(), count));
    let version = concat!("ebbtide version ", env!("CARGO_PKG_VERSION"));
    let texts = [
        ("version".to_owned(), version.to_owned()),
        ("uptime".to_owned(), format!("{uptime_s} seconds")),
    ];
    let numbers = counts.into_iter().chain(drops).chain(hits);
    let numbers = numbers.map(|(name, count)| (name, count.to_string()));
    texts.into_iter().chain(numbers).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn only_what_has_changed_is_published() {
        let mut told = Told::default();
        assert!(told.changed("a", "1".into()).is_some());
        assert!(told.changed("a", "1".into()).is_none());
        assert!(told.changed("a", "2".into()).is_some());
    }

    #[test]
    fn every_value_has_a_topic_of_its_own() {
        let values = values(&Stats::default(), 5);
        let names: HashSet<&str> = values.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names.len(), values.len());
        for name in names {
            TopicName::new(format!("{PREFIX}/{name}")).expect("a topic name");
        }
        assert!(values.contains(&("uptime".into(), "5 seconds".into())));
    }
}
