//! What was acknowledged to its publisher reaches every session that was subscribed then and still is, with the
//! identifier of the subscription. But for what its queue had no room for: no more than the broker has counted.

use std::collections::{BTreeMap, BTreeSet};

use ebbtide_protocol::QoS;

use super::{Shared, lost};
use crate::history::{Fact, History, MessageId, SessionId, Subscription};

/// A subscription in force, from its SUBACK until the client says something else.
struct Period<'a> {
    subscription: &'a Subscription,
    from: usize,
    to: usize,
}

pub fn check(history: &History) -> Result<(), String> {
    let standing: Vec<SessionId> = history
        .standing()
        .iter()
        .map(|(session, _)| *session)
        .collect();
    let mut received: BTreeMap<(SessionId, MessageId), Vec<u32>> = BTreeMap::new();
    let mut live = BTreeSet::new();
    let shared = Shared::of(history);
    // A copy from a group makes up for none of its own.
    for (_, delivery) in history.deliveries().filter(|(_, one)| !shared.has(one)) {
        let key = (delivery.session, delivery.message);
        received
            .entry(key)
            .or_default()
            .extend(&delivery.identifiers);
        if !delivery.retain {
            live.insert(key);
        }
    }
    let publishes = history.publishes();
    let mut missing: BTreeMap<usize, BTreeSet<MessageId>> = BTreeMap::new();
    for period in periods(history) {
        let Subscription {
            session,
            filter,
            options,
            identifier,
            ..
        } = period.subscription;
        if !standing.contains(session) || history.sessions[*session].is_unsure {
            continue;
        }
        for (id, (message, publishing)) in history.messages.iter().zip(&publishes).enumerate() {
            let (Some(first), Some(acknowledged)) = (publishing.first, publishing.acknowledged)
            else {
                continue;
            };
            let is_meant = first > period.from
                && acknowledged < period.to
                && message.qos.min(options.qos) > QoS::AtMostOnce
                && filter.matches(&message.topic)
                && !(options.no_local && message.session == *session)
                && message.expiry_s.is_none()
                // Nobody can tell which one it was.
                && !(message.is_clear && identifier.is_none());
            if !is_meant {
                continue;
            }
            let who = history.name_of(*session);
            let what = history.describe(id);
            let filter = filter.as_str();
            let identifiers = received.get(&(*session, id)).filter(|identifiers| {
                // A copy for another subscription, from what is retained, makes up for nothing.
                live.contains(&(*session, id))
                    || identifier.is_none_or(|identifier| identifiers.contains(&identifier))
            });
            let Some(identifiers) = identifiers else {
                let client = history.sessions[*session].client;
                let missing = missing.entry(client).or_default();
                missing.insert(id);
                let lost = lost(history, Some(client));
                if missing.len() as u64 > lost {
                    return Err(format!(
                        "{who}, subscribed to {filter}, never got {what}; {lost} are counted as lost"
                    ));
                }
                continue;
            };
            if let Some(identifier) = identifier
                && !identifiers.contains(identifier)
            {
                return Err(format!(
                    "{who} got {what} with {identifiers:?}, not with {identifier} of {filter}"
                ));
            }
        }
    }
    Ok(())
}

fn periods(history: &History) -> Vec<Period<'_>> {
    let mut periods: Vec<Period<'_>> = Vec::new();
    for (at, fact) in history.facts() {
        match fact {
            Fact::Subscribed(subscription) if subscription.filter.share().is_none() => {
                periods.push(Period {
                    subscription,
                    from: at,
                    to: usize::MAX,
                });
            }
            Fact::Subscribes(Subscription {
                session, filter, ..
            })
            | Fact::Unsubscribes { session, filter } => {
                let ends = |period: &&mut Period<'_>| {
                    period.to == usize::MAX
                        && period.subscription.session == *session
                        && period.subscription.filter == *filter
                };
                for period in periods.iter_mut().filter(ends) {
                    period.to = at;
                }
            }
            _ => {}
        }
    }
    periods
}
