//! The retained message of a topic is the last one that was acknowledged, or a later one that was not; a newcomer gets
//! exactly that, whoever is subscribed has got it last, and no session sees a topic go back.

use std::collections::{BTreeMap, BTreeSet};

use ebbtide_protocol::{QoS, TopicName, packet::RetainHandling};

use super::{Shared, lost};
use crate::history::{Fact, History, MessageId, Publishing, SessionId, Subscription};

pub fn check(history: &History) -> Result<(), String> {
    let kept = history.facts().find_map(|(at, fact)| match fact {
        Fact::Retained { messages } => Some((at, messages)),
        _ => None,
    });
    let rested = history
        .facts()
        .find(|(_, fact)| matches!(fact, Fact::Rested));
    let (Some((rested_at, _)), Some((looked_at, messages))) = (rested, kept) else {
        return Err("nobody has looked".to_owned());
    };
    let looked = (rested_at, looked_at);
    let writes = writes(history);
    let mut values: BTreeMap<&TopicName, MessageId> = BTreeMap::new();
    for message in messages {
        let topic = &history.messages[*message].topic;
        if values.insert(topic, *message).is_some() {
            return Err(format!("{} came twice", topic.as_str()));
        }
    }
    for (topic, writes) in &writes {
        right_value(history, topic, writes, values.get(topic).copied(), looked)?;
    }
    seen_last(history, &values, &writes)?;
    never_back(history)
}

/// All that would change the retained message of a topic.
type Writes = Vec<(MessageId, Publishing)>;

fn writes(history: &History) -> BTreeMap<&TopicName, Writes> {
    let mut writes: BTreeMap<&TopicName, Writes> = BTreeMap::new();
    for (id, publishing) in history.publishes().into_iter().enumerate() {
        let message = &history.messages[id];
        let is_sent = publishing.first.is_some() || message.will_of.is_some();
        if message.retain && is_sent {
            writes
                .entry(&message.topic)
                .or_default()
                .push((id, publishing));
        }
    }
    writes
}

fn right_value(
    history: &History,
    topic: &TopicName,
    writes: &[(MessageId, Publishing)],
    value: Option<MessageId>,
    (rested_at, looked_at): (usize, usize),
) -> Result<(), String> {
    // A write was the last one unless another began after it had been acknowledged, and was acknowledged itself.
    let may_be_last = |publishing: &Publishing| {
        publishing.acknowledged.is_none_or(|acknowledged| {
            !writes.iter().any(|(_, other)| {
                other.acknowledged.is_some()
                    && other.first.is_some_and(|first| first > acknowledged)
            })
        })
    };
    let time = |at: usize| history.entries[at].at_ms;
    let expires_ms = |id: MessageId| history.messages[id].expiry_s.map(|s| u64::from(s) * 1000);
    let lasts = writes
        .iter()
        .filter(|(_, publishing)| may_be_last(publishing));
    let lasts: Vec<&(MessageId, Publishing)> = lasts.collect();
    let is_right =
        match value {
            Some(value) => lasts.iter().any(|(id, publishing)| {
                let is_over = expires_ms(*id).zip(publishing.acknowledged).is_some_and(
                    |(expires_ms, acknowledged)| time(acknowledged) + expires_ms < time(rested_at),
                );
                *id == value && !is_over
            }),
            None => {
                let is_none_sure = writes
                    .iter()
                    .all(|(_, publishing)| publishing.acknowledged.is_none());
                is_none_sure
                    || lasts.iter().any(|(id, publishing)| {
                        let may_be_over = expires_ms(*id).zip(publishing.first).is_some_and(
                            |(expires_ms, first)| time(first) + expires_ms <= time(looked_at),
                        );
                        history.messages[*id].is_clear || may_be_over
                    })
            }
        };
    if is_right {
        return Ok(());
    }
    let describe = |id: MessageId| history.describe(id);
    let lasts: Vec<String> = lasts.iter().map(|(id, _)| describe(*id)).collect();
    Err(format!(
        "{} holds {:?}, not one of {lasts:?}",
        topic.as_str(),
        value.map(describe)
    ))
}

/// Whoever is still subscribed has got the retained message, and after it nothing else that was acknowledged.
fn seen_last(
    history: &History,
    values: &BTreeMap<&TopicName, MessageId>,
    writes: &BTreeMap<&TopicName, Writes>,
) -> Result<(), String> {
    let standing: BTreeSet<SessionId> = history
        .standing()
        .iter()
        .map(|(session, _)| *session)
        .collect();
    let (publishes, shared) = (history.publishes(), Shared::of(history));
    for (asked_at, subscription) in in_force(history) {
        let session = subscription.session;
        if !standing.contains(&session) || history.sessions[session].is_unsure {
            continue;
        }
        // A limit may have cost it the very last one.
        if lost(history, Some(subscription.client)) > 0 {
            continue;
        }
        for (topic, value) in values {
            let message = &history.messages[*value];
            // It may not have asked for what was there; what came live is looked at by `loss`.
            let is_meant = subscription.options.retain_handling == RetainHandling::Send
                && subscription.filter.matches(topic)
                && message.qos.min(subscription.options.qos) > QoS::AtMostOnce
                && message.expiry_s.is_none()
                && publishes[*value].acknowledged.is_some()
                && publishes[*value].times == 1;
            // Its own that it has sent since comes only with the snapshot, if at all. But then the one before has come.
            let is_own = subscription.options.no_local
                && message.session == session
                && publishes[*value].first > Some(asked_at);
            if is_own && !stands(history, &writes[topic], asked_at) {
                continue;
            }
            let from = if is_own { asked_at } else { 0 };
            let deliveries = history.deliveries().filter(|(at, delivery)| {
                let delivered = &history.messages[delivery.message];
                let is_of_topic = delivered.topic == **topic && delivered.retain;
                *at >= from && delivery.session == session && is_of_topic && !shared.has(delivery)
            });
            let mut last = None;
            let mut seen = BTreeSet::new();
            for (_, delivery) in deliveries {
                // Repetitions of an exchange at QoS 1 may come behind later exchanges at QoS 2 that need none.
                if seen.insert(delivery.message) || !delivery.dup {
                    last = Some(delivery.message);
                }
            }
            let is_wrong = last.is_none_or(|last| {
                let sent = &publishes[last];
                !is_own && last != *value && sent.acknowledged.is_some() && sent.times == 1
            });
            if is_meant && is_wrong {
                return Err(format!(
                    "{} has last got {:?} of {}, which holds {}",
                    history.name_of(session),
                    last.map(|last| history.describe(last)),
                    topic.as_str(),
                    history.describe(*value)
                ));
            }
        }
    }
    Ok(())
}

/// Whether the topic surely had a value then, and none since but such as are kept for all who subscribe.
fn stands(history: &History, writes: &[(MessageId, Publishing)], at: usize) -> bool {
    let is_kept = |id: MessageId| {
        let message = &history.messages[id];
        !message.is_clear && message.expiry_s.is_none() && message.qos > QoS::AtMostOnce
    };
    let before = writes.iter().filter(|(id, sent)| {
        is_kept(*id) && sent.times == 1 && sent.acknowledged.is_some_and(|done| done < at)
    });
    let Some((value, from)) = before.max_by_key(|(_, sent)| sent.first) else {
        return false;
    };
    writes.iter().all(|(id, sent)| {
        let is_of_same = history.messages[*id].publisher == history.messages[*value].publisher;
        let is_before = sent.times == 1
            && (sent
                .acknowledged
                .is_some_and(|done| Some(done) < from.first)
                || is_of_same && sent.first < from.first);
        is_kept(*id) || is_before
    })
}

/// The subscriptions at the end, for themselves, and when they were last asked for.
fn in_force(history: &History) -> Vec<(usize, &Subscription)> {
    let mut asked: BTreeMap<(SessionId, &str), usize> = BTreeMap::new();
    let mut in_force: BTreeMap<(SessionId, &str), (usize, &Subscription)> = BTreeMap::new();
    for (at, fact) in history.facts() {
        match fact {
            Fact::Subscribed(subscription) if subscription.filter.share().is_none() => {
                let key = (subscription.session, subscription.filter.as_str());
                in_force.insert(key, (asked[&key], subscription));
            }
            Fact::Subscribes(Subscription {
                session, filter, ..
            }) => {
                let key = (*session, filter.as_str());
                asked.insert(key, at);
                in_force.remove(&key);
            }
            Fact::Unsubscribes { session, filter } => {
                in_force.remove(&(*session, filter.as_str()));
            }
            _ => {}
        }
    }
    in_force.into_values().collect()
}

/// Of one publisher, values that it sent once may only go forward. A crash takes back what was not acknowledged.
fn never_back(history: &History) -> Result<(), String> {
    let (publishes, shared) = (history.publishes(), Shared::of(history));
    let mut seen: BTreeMap<(SessionId, usize, &TopicName), MessageId> = BTreeMap::new();
    for (at, fact) in history.facts() {
        let delivery = match fact {
            Fact::Crashed => {
                let is_sure = |message: &mut MessageId| {
                    publishes[*message]
                        .acknowledged
                        .is_some_and(|acknowledged| acknowledged < at)
                };
                seen.retain(|_, message| is_sure(message));
                continue;
            }
            Fact::Received(delivery) => delivery,
            _ => continue,
        };
        let message = &history.messages[delivery.message];
        let is_exempt = !message.retain
            || delivery.dup
            || publishes[delivery.message].times != 1
            || history.sessions[delivery.session].is_unsure
            || shared.has(delivery);
        if is_exempt {
            continue;
        }
        let key = (delivery.session, message.publisher, &message.topic);
        let before = seen.insert(key, delivery.message);
        let goes_back = before.is_some_and(|before| before > delivery.message);
        if goes_back {
            return Err(format!(
                "{} got {} after {}",
                history.name_of(delivery.session),
                history.describe(delivery.message),
                history.describe(before.expect("it is less"))
            ));
        }
    }
    Ok(())
}
