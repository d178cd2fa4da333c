//! Of a shared subscription, every message comes to exactly one member; to another one only after the first has gone. As
//! long as one member stays, nothing is lost.

use std::collections::BTreeMap;

use ebbtide_protocol::QoS;

use super::{
    Shared,
    connections::{Story, stories},
    lost,
};
use crate::history::{Delivery, Fact, History, MessageId};

pub fn check(history: &History) -> Result<(), String> {
    let shared = Shared::of(history);
    let mut received: BTreeMap<MessageId, Vec<(usize, &Delivery)>> = BTreeMap::new();
    for (at, delivery) in history.deliveries() {
        if shared.has(delivery) {
            received
                .entry(delivery.message)
                .or_default()
                .push((at, delivery));
        }
    }
    nothing_lost(history, &received)?;
    one_at_a_time(history, &received)
}

type Received<'a> = BTreeMap<MessageId, Vec<(usize, &'a Delivery)>>;

/// The first member never leaves the group: its session lasts.
fn nothing_lost(history: &History, received: &Received<'_>) -> Result<(), String> {
    let founded = history.facts().find_map(|(at, fact)| match fact {
        Fact::Subscribed(subscription)
            if subscription.filter.share().is_some()
                && history.names[subscription.client] == "worker0" =>
        {
            Some((at, &subscription.filter))
        }
        _ => None,
    });
    let Some((founded_at, filter)) = founded else {
        return Ok(());
    };
    let mut missing = 0;
    for (id, publishing) in history.publishes().into_iter().enumerate() {
        let message = &history.messages[id];
        let is_meant = publishing.first.is_some_and(|first| first > founded_at)
            && publishing.acknowledged.is_some()
            && message.qos > QoS::AtMostOnce
            && message.expiry_s.is_none()
            && filter.matches(&message.topic);
        missing += u64::from(is_meant && !received.contains_key(&id));
        if missing > lost(history, None) {
            return Err(format!("no member got {}", history.describe(id)));
        }
    }
    Ok(())
}

fn one_at_a_time(history: &History, received: &Received<'_>) -> Result<(), String> {
    let stories = stories(history);
    let publishes = history.publishes();
    for (id, deliveries) in received {
        let is_exact = history.messages[*id].qos == QoS::ExactlyOnce;
        let copies = publishes[*id].times;
        for (position, (at, delivery)) in deliveries.iter().enumerate() {
            let earlier = &deliveries[..position];
            let what = || {
                let who = &history.names[delivery.client];
                format!("{who} got {}", history.describe(*id))
            };
            let is_there = |connection| {
                let story: &Story = &stories[connection];
                story.end.as_ref().is_none_or(|end| end.at > *at)
            };
            // What was under way when the broker's end was over had been sent before it went to another one. At QoS 2 it does not go.
            let was_sent_later = is_there(&delivery.connection);
            let is_settled = |(_, before): &(usize, &Delivery)| before.qos == QoS::ExactlyOnce;
            if is_exact
                && (was_sent_later || delivery.qos == QoS::ExactlyOnce)
                && earlier.iter().any(is_settled)
            {
                return Err(format!("{}, which had been got at QoS 2", what()));
            }
            let holders = earlier
                .iter()
                .filter(|(_, before)| is_there(&before.connection));
            if was_sent_later && holders.count() >= copies {
                return Err(format!("{}, which others had and have not lost", what()));
            }
        }
    }
    Ok(())
}
