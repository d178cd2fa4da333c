//! QoS 2 comes exactly once, whatever crashes. QoS 1 repeats only after a failure: with DUP on a later connection, or
//! because the publisher had to send it again.

use std::collections::BTreeMap;

use ebbtide_protocol::QoS;

use super::{Shared, crashes};
use crate::history::{ConnectionId, Delivery, History, MessageId, SessionId};

pub fn check(history: &History) -> Result<(), String> {
    let publishes = history.publishes();
    for ((session, message), deliveries) in live(history) {
        if history.sessions[session].is_unsure {
            continue;
        }
        let what = format!(
            "{} got {}",
            history.name_of(session),
            history.describe(message)
        );
        let Message { qos, will_of, .. } = &history.messages[message];
        // As often as the broker may have taken it in.
        let copies = match will_of {
            Some(_) => 1 + crashes(history, 0, history.entries.len()),
            None => publishes[message].times,
        };
        let exact = deliveries
            .iter()
            .filter(|(_, delivery)| delivery.qos == QoS::ExactlyOnce);
        let exact = exact.count();
        if *qos == QoS::ExactlyOnce && exact > 1 {
            return Err(format!("{what} {exact} times at QoS 2"));
        }
        let mut on: BTreeMap<ConnectionId, usize> = BTreeMap::new();
        let mut fresh = 0;
        for (_, delivery) in &deliveries {
            let is_repeated = delivery.dup && on.keys().any(|on| *on < delivery.connection);
            fresh += usize::from(!is_repeated);
            *on.entry(delivery.connection).or_default() += 1;
        }
        let most_on_one = on.values().copied().max().unwrap_or(0);
        if fresh > copies || most_on_one > copies {
            return Err(format!(
                "{what} {fresh} times without a failure, {most_on_one} times on one connection, of {copies}"
            ));
        }
    }
    Ok(())
}

use crate::history::Message;

type Live<'a> = BTreeMap<(SessionId, MessageId), Vec<(usize, &'a Delivery)>>;

/// All but what came because it was retained, and what came from a group.
pub fn live(history: &History) -> Live<'_> {
    let shared = Shared::of(history);
    let mut live: Live<'_> = BTreeMap::new();
    for (at, delivery) in history
        .deliveries()
        .filter(|(_, delivery)| !delivery.retain && !shared.has(delivery))
    {
        let key = (delivery.session, delivery.message);
        live.entry(key).or_default().push((at, delivery));
    }
    live
}
