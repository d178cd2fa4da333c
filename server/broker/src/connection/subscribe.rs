//! A client subscribes and unsubscribes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicFilter,
    packet::{RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe},
};
use ebbtide_store::{Incarnation, Operation, SubscriptionRow};

use super::{announce::Announcement, fault::Refusal, open::Open, replies::Replies};
use crate::{
    Limit, Now, compact, durability,
    numbers::Exhausted,
    room,
    route::{
        group::Group,
        index::Index,
        mailbox::{End, Snapshot},
    },
    session::{Subscribed, subscription_bytes},
    shared::Shared,
    work,
};

impl Open {
    /// The subscriptions enter the index, the revision of the retained messages is noted and the snapshots are queued
    /// while nobody can publish: what is published later comes live, what was before comes with the snapshot
    /// [MQTT-3.8.4-4]. If they are many this goes part by part; then no numbers can be relied on, and the marker comes. One SUBACK with the packet id of the request [MQTT-2.2.1-6, MQTT-3.8.4-1, MQTT-3.8.4-2] answers for
    /// each filter in its order [MQTT-3.8.4-5, MQTT-3.8.4-6, MQTT-3.9.3-1].
    pub fn handle_subscribe(
        &mut self,
        subscribe: Subscribe,
        shared: &Shared,
        replies: &mut Replies,
        now: Now,
    ) {
        let identifier = subscribe.subscription_identifier;
        let asks_for_end = self.asks_for_end(&subscribe);
        let count = subscribe.subscriptions.len();
        let filters = subscribe.subscriptions.iter().map(|one| &one.filter);
        let bytes = waiting_bytes(filters.clone());
        self.steps += filters.map(levels).sum::<usize>();
        let mut reasons = Vec::with_capacity(count);
        let (mut accepted, mut accepted_bytes) = (Vec::new(), 0);
        // Where each filter stands, the last time.
        let mut places = HashMap::new();
        let mut numbers = HashMap::new();
        let mut why = None;
        for Subscription { filter, options } in subscribe.subscriptions {
            let refusal = self
                .refusal(&filter, accepted.len(), accepted_bytes, shared)
                .or_else(|| self.may_not_subscribe(&filter, shared))
                .or_else(|| self.no_room(&filter, shared));
            match refusal.or_else(|| self.number(&filter, &mut numbers, shared)) {
                Some(refusal) => {
                    reasons.push(refusal.reason);
                    why.get_or_insert(refusal.why);
                }
                None => {
                    reasons.push(granted(options.qos));
                    let filter = compact::filter(&filter);
                    accepted_bytes += subscription_bytes(&filter);
                    if asks_for_end {
                        places.insert(filter.clone(), reasons.len() - 1);
                    }
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
        let reply = replies.next();
        let mut owed = Vec::new();
        let mut groups = HashMap::new();
        let mut unfinished = HashMap::new();
        let mut announcement = None;
        let mut rows = None;
        let session = self.session.incarnation;
        let mut left = &mut accepted[..];
        loop {
            let (part, rest) = left.split_at_mut(work::part(left, |row| levels(&row.filter)));
            left = rest;
            let is_first = announcement.is_none();
            let first_owed = owed.len();
            let mut index = shared.index.write();
            let revision = shared.numbers.lock().last_revision();
            for row in part.iter_mut() {
                if row.filter.share().is_some() {
                    // No retained messages for these (section 4.8.2).
                    let group = self.join(&mut index, row, &numbers, shared);
                    groups.insert(row.filter.clone(), group);
                    continue;
                }
                // It replaces one of the same filter [MQTT-3.8.4-3].
                let is_new = index.insert(row.filter.pattern(), self.session.subscriber(row));
                // [MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11]
                row.retained_owed = match row.options.retain_handling {
                    RetainHandling::Send => true,
                    RetainHandling::SendIfNew => is_new,
                    RetainHandling::DoNotSend => false,
                };
                if row.retained_owed {
                    owed.push((row.clone(), revision));
                } else if let Some(before) = self.session.subscriptions.get(&row.filter)
                    && before.row.retained_owed
                {
                    // What the one before has asked for is still under way, and goes on.
                    row.retained_owed = true;
                    let outbound = &mut self.outbound;
                    outbound
                        .ends
                        .promise(before.row.identifier, before.generation);
                    unfinished.insert(row.filter.clone(), before.generation);
                }
            }
            if self.session.kept && !part.is_empty() {
                rows = Some(shared.journal.submit_all(part.iter().map(|row| {
                    Operation::PutSubscription {
                        session,
                        subscription: row.clone(),
                    }
                })));
            }
            let is_last = left.is_empty();
            if is_first && asks_for_end {
                let end = End {
                    identifier: identifier.unwrap_or(0),
                    generation,
                    after_reply: reply,
                };
                // What is owed later comes as it is then, not as it is counted now.
                let is_later = !owed.is_empty() && self.session.mailbox.is_spilling();
                // What an earlier one was owed may still come with the same identifier.
                let is_behind = groups.len() < part.len() && self.may_carry(identifier);
                // And between the parts somebody may publish.
                let is_promised = is_later || is_behind || !is_last || !unfinished.is_empty();
                announcement = Some(Announcement::new(
                    end,
                    is_promised,
                    !groups.is_empty(),
                    count,
                ));
            }
            for (row, _) in &owed[first_owed..] {
                self.session.mailbox.push_snapshot(Snapshot {
                    filter: row.filter.clone(),
                    options: row.options,
                    identifier,
                    generation,
                    revision,
                    after_reply: reply,
                    position: None,
                });
            }
            if is_last
                && let Some(announcement) = &announcement
                && (announcement.is_promised || !owed.is_empty())
            {
                self.push_end(announcement.end);
            }
            drop(index);
            if is_last {
                break;
            }
        }
        let user_properties = announcement.map(|announcement| {
            let owed = owed
                .iter()
                .map(|(row, revision)| (row, *revision, places[&row.filter]));
            self.announce(announcement, owed, shared, now)
        });
        self.session.identifier_max = self.session.identifier_max.max(identifier.unwrap_or(0));
        let suback = SubAck {
            packet_id: subscribe.packet_id,
            // Of the first that was refused.
            reason_string: why.and_then(|why| self.tolerance.reason_string(why)),
            user_properties: user_properties.unwrap_or_default(),
            reasons,
        };
        let ticket = durability::subscription(rows);
        replies.push_counted(ticket, Packet::SubAck(suback), bytes);
        for row in accepted {
            let group = groups.remove(&row.filter);
            if let Some(group) = &group {
                group.attach(session, self.outbound.receive_maximum());
            }
            let earlier = unfinished.remove(&row.filter);
            let subscribed = Subscribed {
                row,
                generation: earlier.unwrap_or(generation),
                group,
            };
            self.session.subscribe(subscribed);
        }
    }

    /// What is the same, byte by byte, ends [MQTT-3.10.4-1, MQTT-3.10.4-2]; exchanges under way go on [MQTT-3.10.4-3]. One
    /// UNSUBACK with the packet id of the request answers for each filter in its order, whether or not it was there
    /// [MQTT-3.10.4-4, MQTT-3.10.4-5, MQTT-3.10.4-6, MQTT-3.11.3-1].
    pub fn handle_unsubscribe(
        &mut self,
        unsubscribe: Unsubscribe,
        shared: &Shared,
        replies: &mut Replies,
    ) {
        let session = self.session.incarnation;
        let mut reasons = Vec::with_capacity(unsubscribe.filters.len());
        let (mut removed, mut ended) = (Vec::new(), Vec::new());
        // In parts, for nobody can publish meanwhile.
        let mut left = &unsubscribe.filters[..];
        self.steps += left.iter().map(levels).sum::<usize>();
        while !left.is_empty() {
            let (part, rest) = left.split_at(work::part(left, levels));
            left = rest;
            let mut index = shared.index.write();
            for filter in part {
                let Some(subscribed) = self.session.unsubscribe(filter) else {
                    reasons.push(ReasonCode::NoSubscriptionExisted);
                    continue;
                };
                match subscribed.group {
                    None => {
                        index.remove(filter.pattern(), session);
                    }
                    Some(group) => ended.extend(index.leave(&group, session)),
                }
                reasons.push(ReasonCode::Success);
                removed.push(compact::filter(filter));
            }
        }
        for group in ended {
            group.end(shared);
        }
        for filter in &removed {
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
        let ticket = durability::subscription(rows);
        let bytes = waiting_bytes(&unsubscribe.filters);
        replies.push_counted(ticket, Packet::UnsubAck(unsuback), bytes);
    }

    /// Why the subscription could not be kept now.
    fn no_room(&self, filter: &TopicFilter, shared: &Shared) -> Option<Refusal> {
        let is_new = !self.session.subscriptions.contains(filter);
        let needed = self
            .session
            .kept
            .then(|| room::for_subscription(shared, is_new));
        needed?.err().map(|no_room| Refusal {
            reason: ReasonCode::QuotaExceeded,
            why: no_room.why(),
        })
    }

    /// Takes a number for the group of a shared subscription, in case it is the first; a reason if none can be had.
    fn number(
        &self,
        filter: &TopicFilter,
        numbers: &mut HashMap<TopicFilter, Incarnation>,
        shared: &Shared,
    ) -> Option<Refusal> {
        filter.share()?;
        match shared.new_incarnation() {
            Ok(number) => {
                numbers.insert(filter.clone(), number);
                None
            }
            Err(Exhausted) => Some(Refusal {
                reason: ReasonCode::UnspecifiedError,
                why: "the store is far behind",
            }),
        }
    }

    /// Enters the group of a shared subscription; the first member makes it.
    fn join(
        &self,
        index: &mut Index,
        row: &SubscriptionRow,
        numbers: &HashMap<TopicFilter, Incarnation>,
        shared: &Shared,
    ) -> Arc<Group> {
        let group = match index.group(&row.filter) {
            Some(group) => Arc::clone(group),
            None => {
                let group = Group::new(numbers[&row.filter], row.filter.clone(), &shared.limits());
                let group = Arc::new(group);
                index.insert_group(&group);
                group
            }
        };
        index.join(&group, self.session.subscriber(row));
        if self.session.kept && group.keep() {
            shared.journal.submit(Operation::PutGroup(group.row()));
        }
        group
    }

    /// Why a filter is refused, when so many others with so many bytes have been accepted before it.
    fn refusal(
        &self,
        filter: &TopicFilter,
        also: usize,
        also_bytes: usize,
        shared: &Shared,
    ) -> Option<Refusal> {
        let limits = shared.limits();
        let hits = &shared.counters.limits;
        let text = filter.as_str();
        if text.len() > limits.topic_bytes_max {
            hits.hit(Limit::TopicBytesMax);
            return Some(Refusal {
                reason: ReasonCode::TopicFilterInvalid,
                why: "the filter is longer than topic_bytes_max",
            });
        }
        if text.split('/').count() > limits.topic_levels_max {
            hits.hit(Limit::TopicLevelsMax);
            return Some(Refusal {
                reason: ReasonCode::TopicFilterInvalid,
                why: "the filter has more levels than topic_levels_max",
            });
        }
        let is_new = !self.session.subscriptions.contains(filter);
        let count = self.session.subscriptions.len() + also;
        let quota = |why| Refusal {
            reason: ReasonCode::QuotaExceeded,
            why,
        };
        let bytes = self.session.subscription_bytes + also_bytes + subscription_bytes(filter);
        if is_new && count >= limits.subscriptions_per_session_max {
            hits.hit(Limit::SubscriptionsPerSessionMax);
            Some(quota(
                "the session has subscriptions_per_session_max subscriptions",
            ))
        } else if is_new && bytes > limits.subscription_bytes_per_session_max {
            hits.hit(Limit::SubscriptionBytesPerSessionMax);
            Some(quota(
                "the session's subscriptions take subscription_bytes_per_session_max",
            ))
        } else if is_new && shared.lacks_memory() {
            Some(quota("the broker has memory_bytes_max in use"))
        } else {
            None
        }
    }
}

/// Of a filter.
fn levels(filter: &TopicFilter) -> usize {
    work::levels(filter.as_str())
}

/// What waits for the disk together with the answer: a row for each filter.
fn waiting_bytes<'a>(filters: impl IntoIterator<Item = &'a TopicFilter>) -> usize {
    const ROW_BYTES: usize = 256;
    let rows = filters.into_iter();
    rows.map(|filter| filter.as_str().len() + ROW_BYTES).sum()
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

/// [MQTT-3.8.4-7]
fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}
