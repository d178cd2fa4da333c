//! Those who are there and do nothing, while the load is measured.

use anyhow::{Context, Result};
use ebbtide_protocol::QoS;

use crate::broker::Broker;
use crate::load::{Link, clean};

/// Of one session: the broker's limit is 20,000.
const OF_EACH: usize = 10_000;
/// Filters of one SUBSCRIBE.
const AT_ONCE: usize = 1_000;

/// Connections with a subscription each.
pub fn idle(broker: &Broker, count: usize) -> Result<Vec<Link>> {
    let link = |number: usize| {
        let (mut link, _) = Link::connect(broker.mqtt(), clean(&format!("idle-{number}")))?;
        link.subscribe(&format!("idle/{number}"), QoS::AtMostOnce)?;
        Ok(link)
    };
    let links: Result<Vec<Link>> = (0..count).map(link).collect();
    links.with_context(|| format!("{count} connections: does `ulimit -n` allow that many?"))
}

/// Sessions with many subscriptions each, to topics beside those of the load.
pub fn subscribed(broker: &Broker, count: usize) -> Result<Vec<Link>> {
    let filters: Vec<String> = (0..count)
        .map(|number| format!("bench/p2p/other-{number}"))
        .collect();
    let mut links = Vec::new();
    for (number, own) in filters.chunks(OF_EACH).enumerate() {
        let (mut link, _) = Link::connect(broker.mqtt(), clean(&format!("other-{number}")))?;
        for some in own.chunks(AT_ONCE) {
            link.subscribe_to(some, QoS::AtMostOnce)?;
        }
        links.push(link);
    }
    Ok(links)
}
