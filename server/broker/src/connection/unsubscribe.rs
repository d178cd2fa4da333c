//! A client unsubscribes.

use std::collections::BTreeSet;

use ebbtide_protocol::{
    Packet, ReasonCode, TopicFilter,
    packet::{UnsubAck, Unsubscribe},
};
use ebbtide_store::{Incarnation, Operation};

use super::{
    fault::Close,
    open::Open,
    replies::Replies,
    subscribe::{levels, waiting_bytes},
};
use crate::{Now, durability, shared::Shared, trim, work};

impl Open {
    /// What is the same, byte by byte, ends [MQTT-3.10.4-1, MQTT-3.10.4-2]; exchanges under way go on [MQTT-3.10.4-3]. One
    /// UNSUBACK with the packet id of the request answers for each filter in its order, whether or not it was there
    /// [MQTT-3.10.4-4, MQTT-3.10.4-5, MQTT-3.10.4-6, MQTT-3.11.3-1]; a client that does not take that has to go, before anything
    /// ends [MQTT-3.1.2-24].
    pub fn handle_unsubscribe(
        &mut self,
        unsubscribe: Unsubscribe,
        shared: &Shared,
        replies: &mut Replies,
        now: Now,
    ) -> Result<(), Close> {
        let filters = unsubscribe.filters.len();
        self.tolerance.takes_answer(filters, self.version)?;
        let session = self.session.incarnation;
        let groups = self.make_own(&unsubscribe.filters, shared, now);
        let mut reasons = Vec::with_capacity(filters);
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
                removed.push(trim::filter(filter));
            }
        }
        if !groups.is_empty() {
            self.give_back_unsent(&groups, shared);
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
        Ok(())
    }

    /// It gets no more of the groups that it is about to leave, and what it has in flight of them becomes its own. Before it leaves: then they may end with the next
    /// member that goes, and nothing of theirs is kept. Gives their numbers.
    fn make_own(
        &mut self,
        filters: &[TopicFilter],
        shared: &Shared,
        now: Now,
    ) -> BTreeSet<Incarnation> {
        let subscriptions = &self.session.subscriptions;
        let subscribed = filters
            .iter()
            .filter_map(|filter| subscriptions.get(filter));
        let groups = subscribed.filter_map(|subscribed| subscribed.group.as_ref());
        let mut left = BTreeSet::new();
        for group in groups {
            group.detach(self.session.incarnation, shared);
            left.insert(group.number);
        }
        if !left.is_empty() {
            self.steps += self.session.flows.len();
            let leaves = |group| left.contains(&group);
            self.session.inherit(leaves, shared, now);
        }
        left
    }
}
