//! A client subscribes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicFilter,
    packet::{RetainHandling, SubAck, Subscribe, Subscription},
    topic::FilterError,
};
use ebbtide_store::{Incarnation, Operation, Revision, SubscriptionRow};

use super::{
    announce::Announcement,
    fault::{Close, Refusal},
    open::Open,
    replies::Replies,
};
use crate::{
    Limit, Now, durability,
    journal::Ticket,
    numbers::Exhausted,
    room,
    route::{
        group::Group,
        index::Index,
        mailbox::{End, Snapshot},
    },
    session::{Subscribed, subscription_bytes},
    shared::Shared,
    trim, work,
};

/// What all filters of one SUBSCRIBE have in common.
#[derive(Clone, Copy)]
struct Request {
    identifier: Option<u32>,
    generation: u64,
    /// The client wants to know when the retained messages have all come.
    asks_for_end: bool,
    /// How many there are.
    filters: usize,
    /// The number of its SUBACK among the replies.
    reply: u64,
}

/// What becomes of the filters, before any of them is entered.
#[derive(Default)]
struct Verdict {
    accepted: Vec<SubscriptionRow>,
    /// Of all, in their order.
    reasons: Vec<ReasonCode>,
    /// Of the first that was refused.
    why: Option<&'static str>,
    /// Where each filter stands, the last time; if the client asks for the end.
    places: HashMap<TopicFilter, usize>,
    /// For the groups of which it may be the first member.
    numbers: HashMap<TopicFilter, Incarnation>,
}

/// What follows from having been entered.
#[derive(Default)]
struct Entered {
    /// Those that are to get retained messages, as of these revisions.
    owed: Vec<(SubscriptionRow, Revision)>,
    groups: HashMap<TopicFilter, Arc<Group>>,
    /// Those that replace one whose retained messages are still under way, and its generation.
    unfinished: HashMap<TopicFilter, u64>,
    announcement: Option<Announcement>,
    /// The rows of a kept session.
    rows: Option<Ticket>,
}

impl Open {
    /// One SUBACK with the packet id of the request [MQTT-2.2.1-6, MQTT-3.8.4-1, MQTT-3.8.4-2] answers for each filter in its order
    /// [MQTT-3.8.4-5, MQTT-3.8.4-6, MQTT-3.9.3-1]. A client that does not take it is not subscribed, and has to go
    /// [MQTT-3.1.2-24].
    pub fn handle_subscribe(
        &mut self,
        subscribe: Subscribe,
        shared: &Shared,
        replies: &mut Replies,
        now: Now,
    ) -> Result<(), Close> {
        let filters = subscribe.subscriptions.len();
        self.tolerance.takes_answer(filters, self.version)?;
        self.session.generation += 1;
        let request = Request {
            identifier: subscribe.subscription_identifier,
            generation: self.session.generation,
            asks_for_end: self.asks_for_end(&subscribe),
            filters,
            reply: replies.next(),
        };
        let filters = subscribe.subscriptions.iter().map(|one| &one.filter);
        let bytes = waiting_bytes(filters.clone());
        self.steps += filters.map(levels).sum::<usize>();
        let Verdict {
            mut accepted,
            reasons,
            why,
            places,
            numbers,
        } = self.judge(subscribe.subscriptions, request, shared);
        let mut entered = self.enter(&mut accepted, request, &numbers, shared);
        let user_properties = entered.announcement.take().map(|announcement| {
            let owed = entered.owed.iter();
            let owed = owed.map(|(row, revision)| (row, *revision, places[&row.filter]));
            self.announce(announcement, owed, shared, now)
        });
        let suback = SubAck {
            packet_id: subscribe.packet_id,
            reason_string: why.and_then(|why| self.tolerance.reason_string(why)),
            user_properties: user_properties.unwrap_or_default(),
            reasons,
        };
        let ticket = durability::subscription(entered.rows);
        replies.push_counted(ticket, Packet::SubAck(suback), bytes);
        self.note_subscriptions(accepted, request, entered, shared);
        Ok(())
    }

    /// Decides about each filter by itself.
    fn judge(
        &mut self,
        subscriptions: Vec<Subscription>,
        request: Request,
        shared: &Shared,
    ) -> Verdict {
        let mut verdict = Verdict {
            reasons: Vec::with_capacity(subscriptions.len()),
            ..Verdict::default()
        };
        let mut accepted_bytes = 0;
        for Subscription { filter, options } in subscriptions {
            let refusal = self
                .refusal(&filter, verdict.accepted.len(), accepted_bytes, shared)
                .or_else(|| self.may_not_subscribe(&filter, shared))
                .or_else(|| self.no_room(&filter, shared));
            if let Some(refusal) =
                refusal.or_else(|| self.number(&filter, &mut verdict.numbers, shared))
            {
                verdict.reasons.push(refusal.reason);
                verdict.why.get_or_insert(refusal.why);
                continue;
            }
            let filter = trim::filter(&filter);
            accepted_bytes += subscription_bytes(&filter);
            if request.asks_for_end {
                verdict.places.insert(filter.clone(), verdict.reasons.len());
            }
            verdict.reasons.push(granted(options.qos));
            verdict.accepted.push(SubscriptionRow {
                filter,
                options,
                identifier: request.identifier,
                retained_owed: false,
            });
        }
        verdict.accepted = last_of_each(verdict.accepted);
        verdict
    }

    /// The subscriptions enter the index, the revision of the retained messages is noted and the snapshots are queued while nobody
    /// can publish: what is published later comes live, what was before comes with the snapshot [MQTT-3.8.4-4]. If they are many
    /// this goes part by part; then no numbers can be relied on, and the marker comes.
    fn enter(
        &mut self,
        accepted: &mut [SubscriptionRow],
        request: Request,
        numbers: &HashMap<TopicFilter, Incarnation>,
        shared: &Shared,
    ) -> Entered {
        let Request {
            identifier,
            generation,
            ..
        } = request;
        let session = self.session.incarnation;
        let mut entered = Entered::default();
        let mut left = accepted;
        loop {
            let (part, rest) = left.split_at_mut(work::part(left, |row| levels(&row.filter)));
            left = rest;
            let is_last = left.is_empty();
            let first_owed = entered.owed.len();
            let mut index = shared.index.write();
            let revision = shared.numbers.lock().last_revision();
            for row in part.iter_mut() {
                if row.filter.share().is_some() {
                    // No retained messages for these (section 4.8.2).
                    let group = self.join(&mut index, row, numbers, shared);
                    entered.groups.insert(row.filter.clone(), group);
                } else {
                    self.enter_own(&mut index, row, revision, &mut entered);
                }
            }
            if self.session.kept && !part.is_empty() {
                let rows = part.iter().map(|row| Operation::PutSubscription {
                    session,
                    subscription: row.clone(),
                });
                entered.rows = Some(shared.journal.submit_all(rows));
            }
            if request.asks_for_end && entered.announcement.is_none() {
                let has_own = entered.groups.len() < part.len();
                let announcement = self.announcement(request, &entered, has_own, is_last);
                entered.announcement = Some(announcement);
            }
            for (row, revision) in &entered.owed[first_owed..] {
                self.session.mailbox.push_snapshot(Snapshot {
                    filter: row.filter.clone(),
                    options: row.options,
                    identifier,
                    generation,
                    revision: *revision,
                    number: 0,
                    after_reply: request.reply,
                    position: None,
                    is_complete: false,
                });
            }
            if is_last {
                if let Some(announcement) = &entered.announcement
                    && (announcement.is_promised || !entered.owed.is_empty())
                {
                    self.push_end(announcement.end);
                }
                return entered;
            }
        }
    }

    /// One of the session's own. It replaces one of the same filter [MQTT-3.8.4-3].
    fn enter_own(
        &mut self,
        index: &mut Index,
        row: &mut SubscriptionRow,
        revision: Revision,
        entered: &mut Entered,
    ) {
        let is_new = index.insert(row.filter.pattern(), self.session.subscriber(row));
        // [MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11]
        row.retained_owed = match row.options.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        if row.retained_owed {
            entered.owed.push((row.clone(), revision));
        } else if let Some(before) = self.session.subscriptions.get(&row.filter)
            && before.row.retained_owed
        {
            // What the one before has asked for is still under way, and goes on.
            row.retained_owed = true;
            let ends = &mut self.outbound.ends;
            ends.promise(before.row.identifier, before.generation);
            let generation = before.generation;
            entered.unfinished.insert(row.filter.clone(), generation);
        }
    }

    /// What is to be told of the snapshots, by what the first part has asked for. `has_own`: not all of it is shared.
    fn announcement(
        &self,
        request: Request,
        entered: &Entered,
        has_own: bool,
        is_last: bool,
    ) -> Announcement {
        let end = End {
            identifier: request.identifier.unwrap_or(0),
            generation: request.generation,
            after_reply: request.reply,
        };
        // What is owed later comes as it is then, not as it is counted now.
        let is_later = !entered.owed.is_empty() && self.session.mailbox.is_spilling();
        // What an earlier one was owed may still come with the same identifier.
        let is_behind = has_own && self.may_carry(request.identifier);
        // And between the parts somebody may publish.
        let is_promised = is_later || is_behind || !is_last || !entered.unfinished.is_empty();
        let has_groups = !entered.groups.is_empty();
        Announcement::new(end, is_promised, has_groups, request.filters)
    }

    /// They are the session's from now on.
    fn note_subscriptions(
        &mut self,
        accepted: Vec<SubscriptionRow>,
        request: Request,
        mut entered: Entered,
        shared: &Shared,
    ) {
        let session = &mut self.session;
        let identifier = request.identifier.unwrap_or(0);
        session.identifier_max = session.identifier_max.max(identifier);
        for row in accepted {
            let group = entered.groups.remove(&row.filter);
            if let Some(group) = &group {
                let receive_maximum = self.outbound.receive_maximum();
                group.attach(session.incarnation, receive_maximum, shared);
            }
            let earlier = entered.unfinished.remove(&row.filter);
            session.subscribe(Subscribed {
                row,
                generation: earlier.unwrap_or(request.generation),
                group,
            });
        }
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
        // Of a client before 5.0, which may name topics that begin with `$share`. There are none.
        if filter.is_broken_share() {
            return Some(Refusal {
                reason: ReasonCode::TopicFilterInvalid,
                why: FilterError::Share.message(),
            });
        }
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
pub(super) fn levels(filter: &TopicFilter) -> usize {
    work::levels(filter.as_str())
}

/// What waits for the disk together with the answer: a row for each filter.
pub(super) fn waiting_bytes<'a>(filters: impl IntoIterator<Item = &'a TopicFilter>) -> usize {
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
