//! A client subscribes and unsubscribes.

use std::collections::HashSet;

use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicFilter,
    packet::{RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe},
};
use ebbtide_store::{Operation, SubscriptionRow};

use super::{open::Open, replies::Replies};
use crate::{
    Limits, compact, durability, route::mailbox::Snapshot, session::Subscribed, shared::Shared,
};

/// How many filters are taken out of the index at a time.
const FILTERS_PER_LOCK: usize = 256;

impl Open {
    /// The subscriptions enter the index, the revision of the retained messages is noted and the snapshots are queued
    /// while nobody can publish: what is published later comes live, what was before comes with the snapshot.
    pub fn handle_subscribe(
        &mut self,
        subscribe: Subscribe,
        shared: &Shared,
        replies: &mut Replies,
    ) {
        let identifier = subscribe.subscription_identifier;
        let mut reasons = Vec::with_capacity(subscribe.subscriptions.len());
        let mut accepted = Vec::new();
        for Subscription { filter, options } in subscribe.subscriptions {
            match self.refusal(&filter, accepted.len(), &shared.limits) {
                Some(reason) => reasons.push(reason),
                None => {
                    reasons.push(granted(options.qos));
                    let filter = compact::filter(&filter);
                    accepted.push(SubscriptionRow {
                        filter,
                        options,
                        identifier,
                        retained_owed: false,
                    });
                }
            }
        }

        let mut accepted = last_of_each(accepted);
        self.session.generation += 1;
        let generation = self.session.generation;
        let mut index = shared.index.write();
        let revision = shared.numbers.lock().last_revision();
        let mut owed = Vec::new();
        for row in &mut accepted {
            let is_new = index.insert(row.filter.pattern(), self.session.subscriber(row));
            row.retained_owed = match row.options.retain_handling {
                RetainHandling::Send => true,
                RetainHandling::SendIfNew => is_new,
                RetainHandling::DoNotSend => false,
            };
            if row.retained_owed {
                owed.push(row.clone());
            }
        }
        let session = self.session.incarnation;
        let rows = (self.session.kept && !accepted.is_empty()).then(|| {
            shared
                .journal
                .submit_all(accepted.iter().map(|row| Operation::PutSubscription {
                    session,
                    subscription: row.clone(),
                }))
        });
        let suback = SubAck {
            packet_id: subscribe.packet_id,
            reason_string: None,
            user_properties: Vec::new(),
            reasons,
        };
        let reply = replies.push(durability::subscription(rows), Packet::SubAck(suback));
        for row in owed {
            self.session.mailbox.push_snapshot(Snapshot {
                filter: row.filter,
                options: row.options,
                identifier,
                generation,
                revision,
                after_reply: reply,
                position: None,
            });
        }
        drop(index);
        for row in accepted {
            let filter = row.filter.clone();
            let subscribed = Subscribed { row, generation };
            self.session.subscriptions.insert(filter, subscribed);
        }
    }

    pub fn handle_unsubscribe(
        &mut self,
        unsubscribe: Unsubscribe,
        shared: &Shared,
        replies: &mut Replies,
    ) {
        let session = self.session.incarnation;
        let mut reasons = Vec::with_capacity(unsubscribe.filters.len());
        let mut removed = Vec::new();
        // In parts, for nobody can publish meanwhile.
        for filters in unsubscribe.filters.chunks(FILTERS_PER_LOCK) {
            let mut index = shared.index.write();
            for filter in filters {
                if index.remove(filter.pattern(), session) {
                    reasons.push(ReasonCode::Success);
                    removed.push(compact::filter(filter));
                } else {
                    reasons.push(ReasonCode::NoSubscriptionExisted);
                }
            }
        }
        for filter in &removed {
            self.session.subscriptions.remove(filter);
            self.session.mailbox.forget_owed(filter);
        }
        let rows = (self.session.kept && !removed.is_empty()).then(|| {
            let removals = removed
                .into_iter()
                .map(|filter| Operation::RemoveSubscription { session, filter });
            shared.journal.submit_all(removals)
        });
        let unsuback = UnsubAck {
            packet_id: unsubscribe.packet_id,
            reason_string: None,
            user_properties: Vec::new(),
            reasons,
        };
        replies.push(durability::subscription(rows), Packet::UnsubAck(unsuback));
    }

    fn refusal(&self, filter: &TopicFilter, also: usize, limits: &Limits) -> Option<ReasonCode> {
        if filter.share().is_some() {
            // As announced in CONNACK.
            return Some(ReasonCode::SharedSubscriptionsNotSupported);
        }
        let text = filter.as_str();
        if text.len() > limits.topic_bytes_max || text.split('/').count() > limits.topic_levels_max
        {
            return Some(ReasonCode::TopicFilterInvalid);
        }
        let is_new = !self.session.subscriptions.contains_key(filter);
        let count = self.session.subscriptions.len() + also;
        (is_new && count >= limits.subscriptions_per_session_max)
            .then_some(ReasonCode::QuotaExceeded)
    }
}

/// A filter that stands twice in one packet counts as it stands last.
fn last_of_each(rows: Vec<SubscriptionRow>) -> Vec<SubscriptionRow> {
    let mut seen = HashSet::with_capacity(rows.len());
    let mut last: Vec<SubscriptionRow> = rows
        .into_iter()
        .rev()
        .filter(|row| seen.insert(row.filter.clone()))
        .collect();
    last.reverse();
    last
}

fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}
