//! The application's subscriptions and what the server knows of them.
//!
//! Several handles on one filter share one subscription at the server, for there a filter exists once. Subscriptions
//! outlive connections: without a session they are made again, in order. A snapshot is complete when the server says so.
//! Where it does not know how to, a PINGREQ asks; the snapshot is complete when it was answered and no retained message came
//! for a while. A server that allows only so many messages of QoS 1 and 2 under way may have more than it has sent: for
//! these the PINGREQ leaves when everything is acknowledged, so that the next ones come before its answer.

mod entry;

use alloc::vec;
use alloc::vec::Vec;

use self::entry::{Entry, Snapshot, Stage};
use super::{
    Error, Limits, Millis, SubscriptionChange, SubscriptionHandle, Use,
    journal::{Journal, JournalEntry},
    packet_ids::PacketIds,
};
use crate::{
    Packet, QoS, ReasonCode, TopicFilter, TopicName, extension,
    packet::{Publish, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, UserProperty},
};

/// An event of a subscription.
pub(super) type Change = (SubscriptionHandle, SubscriptionChange);

/// All subscriptions of one client.
#[derive(Debug)]
pub(super) struct Subscriptions {
    entries: Vec<Entry>,
    /// `Unsent` and `Asked` are of their UNSUBSCRIBE, and each has its last handle.
    endings: Vec<Entry>,
    next: u32,
    quiet_ms: u64,
    /// Something may be sent: spares the search after each packet.
    dirty: bool,
}

impl Subscriptions {
    /// How many filters one client may have.
    pub(super) const MAX: usize = 10_000;
    const IDENTIFIER_MAX: u32 = 268_435_455;

    pub(super) fn new(quiet_ms: u32) -> Self {
        Self {
            entries: Vec::new(),
            endings: Vec::new(),
            next: 1,
            quiet_ms: u64::from(quiet_ms),
            dirty: false,
        }
    }

    /// Adds a use of a filter. The same filter again asks for its retained messages again, for the new handle only;
    /// the newest options win, as they do at the server.
    pub(super) fn subscribe(
        &mut self,
        filter: TopicFilter,
        used: Use,
        user_properties: Vec<UserProperty>,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> Result<SubscriptionHandle, Error> {
        let place = self.entries.iter().position(|e| e.filter == filter);
        let has_place = self.entries.len() < Self::MAX || place.is_some();
        if !has_place || self.next > Self::IDENTIFIER_MAX {
            return Err(Error::TooManySubscriptions);
        }
        let number = self.next;
        self.next += 1;
        self.dirty = true;
        let handle = SubscriptionHandle(number);
        // One filter is stored once, whatever becomes of an UNSUBSCRIBE that has left.
        self.endings.retain(|e| {
            let goes_on = e.filter == filter;
            if goes_on {
                let identifier = e.identifier;
                journal.write(JournalEntry::Unsubscribed { identifier });
            }
            !goes_on || matches!(e.stage, Stage::Asked(_))
        });
        if let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) {
            entry.used = Use {
                refresh: used.refresh || entry.used.refresh,
                ..used
            };
            entry.user_properties = user_properties;
            entry.is_written = false;
            entry.is_doubtful = false;
            entry.handles.push((handle, true));
            entry.unask(ids);
        } else {
            let entry = Entry::new(number, filter, used, user_properties, false);
            self.entries.push(entry);
        }
        Ok(handle)
    }

    /// What an earlier run had subscribed to, ascending by identifier. It is asked for once more, or ended, since that run may
    /// have gone before the server heard of it.
    pub(super) fn restore(&mut self, identifier: u32, filter: TopicFilter, used: Use) {
        self.next = self.next.max(identifier.saturating_add(1));
        self.dirty = true;
        let entry = Entry::new(identifier, filter, used, Vec::new(), true);
        self.entries.push(entry);
    }

    /// The server may have begun its session while nobody heard of it: what it is believed to have is asked for again.
    pub(super) fn doubt(&mut self) {
        for entry in &mut self.entries {
            if matches!(entry.stage, Stage::Live) {
                entry.stage = Stage::Unsent;
                entry.is_doubtful = true;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Ends a use of a filter; with the last one the subscription ends at the server, too.
    pub(super) fn unsubscribe(
        &mut self,
        handle: SubscriptionHandle,
        user_properties: Vec<UserProperty>,
        ids: &mut PacketIds,
    ) {
        let Some(place) = self
            .entries
            .iter()
            .position(|e| e.handles.iter().any(|(h, _)| *h == handle))
        else {
            return;
        };
        let entry = &mut self.entries[place];
        if entry.handles.len() > 1 {
            entry.handles.retain(|(h, _)| *h != handle);
            return;
        }
        let mut entry = self.entries.remove(place);
        // Its SUBACK finds nobody, and has come long before the id is taken again.
        entry.unask(ids);
        entry.user_properties = user_properties;
        self.dirty = true;
        self.endings.push(entry);
    }

    /// Stores what is to end, should this run not come to it. UNSUBSCRIBE need not wait for that: it may be the last thing that
    /// this run does.
    pub(super) fn note_endings(&mut self, journal: &mut Journal) {
        for ending in &mut self.endings {
            if !ending.used.ending {
                ending.used.ending = true;
                ending.write(journal);
            }
        }
    }

    /// The connection is gone: what was under way on it must be asked for again.
    pub(super) fn disconnected(&mut self, ids: &mut PacketIds) {
        for entry in self.entries.iter_mut().chain(&mut self.endings) {
            match entry.stage {
                // Retained messages at QoS 0 may have been lost with the connection.
                Stage::Asked(_) | Stage::Snapshot(_) => entry.unask(ids),
                Stage::Unsent | Stage::Live | Stage::Refused => {}
            }
        }
    }

    /// A connection begins. Without a session everything is asked for again; what was to end has ended.
    pub(super) fn connected(&mut self, session_present: bool) -> Vec<SubscriptionHandle> {
        self.dirty = true;
        for entry in &mut self.entries {
            if session_present && (!entry.used.refresh || matches!(entry.stage, Stage::Refused)) {
                continue;
            }
            if !session_present {
                entry.is_written = false;
                entry.is_doubtful = false;
            }
            entry.stage = Stage::Unsent;
            for (_, wants_snapshot) in &mut entry.handles {
                *wants_snapshot = true;
            }
        }
        if session_present {
            return Vec::new();
        }
        self.endings.drain(..).map(|e| e.handles[0].0).collect()
    }

    /// The next SUBSCRIBE or UNSUBSCRIBE, or what the server has ruled out already. One filter per packet, since the
    /// Subscription Identifier belongs to the packet.
    pub(super) fn poll(
        &mut self,
        limits: &Limits,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> Option<(Option<Packet>, Vec<Change>)> {
        if !self.dirty {
            return None;
        }
        if let Some(ending) = self.endings.iter_mut().find(|e| e.is_unsent()) {
            let packet_id = ids.take()?;
            ending.stage = Stage::Asked(packet_id);
            let unsubscribe = Unsubscribe {
                packet_id,
                user_properties: ending.user_properties.clone(),
                filters: vec![ending.filter.clone()],
            };
            let packet = limits.shortened(Packet::Unsubscribe(unsubscribe));
            return Some((Some(packet), Vec::new()));
        }
        let Some(entry) = self.entries.iter_mut().find(|e| e.is_unsent()) else {
            self.dirty = false;
            return None;
        };
        if let Some(reason) = limits.subscription_refusal(&entry.filter) {
            return Some((None, entry.refuse(reason, journal)));
        }
        let packet_id = ids.take()?;
        entry.stage = Stage::Asked(packet_id);
        if !entry.is_written {
            entry.is_written = true;
            entry.write(journal);
        }
        let mut user_properties = entry.user_properties.clone();
        if entry.has_snapshot() {
            user_properties.extend(limits.asked_of(&entry.filter));
        }
        let subscribe = Subscribe {
            packet_id,
            subscription_identifier: limits.subscription_identifiers.then_some(entry.identifier),
            user_properties,
            subscriptions: vec![Subscription {
                filter: entry.filter.clone(),
                options: entry.asked_options(),
            }],
        };
        Some((Some(Packet::Subscribe(subscribe)), Vec::new()))
    }

    /// SUBACK.
    pub(super) fn suback(
        &mut self,
        suback: &SubAck,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> Vec<Change> {
        let Some(entry) = self
            .entries
            .iter_mut()
            .find(|e| e.is_asked(suback.packet_id))
        else {
            return Vec::new();
        };
        ids.free(suback.packet_id);
        let reason = suback
            .reasons
            .first()
            .copied()
            .unwrap_or(ReasonCode::UnspecifiedError);
        if reason.is_error() {
            return entry.refuse(reason, journal);
        }
        let mut changes = entry.tell(SubscriptionChange::Granted(reason));
        let properties = &suback.user_properties;
        let number = extension::values(properties, extension::RETAINED).next();
        let number = number.and_then(|number| extension::number(number));
        entry.stage = Stage::Snapshot(match number {
            // None will come: that is all of them.
            _ if !entry.has_snapshot() => Snapshot::Counted(0),
            Some(_) if extension::is_set(properties, extension::END) => Snapshot::Marked,
            Some(number) => Snapshot::Counted(number.into()),
            None => Snapshot::Pingless,
        });
        changes.extend(entry.complete_if_counted());
        changes
    }

    /// The server's end marker: all retained messages of the subscription with this identifier have come. It may be a late one,
    /// from before the subscription was renewed.
    pub(super) fn ended(&mut self, identifier: u32) -> Vec<Change> {
        let entry = self.entries.iter_mut().find(|entry| {
            entry.identifier == identifier && matches!(entry.stage, Stage::Snapshot(_))
        });
        entry.map(Entry::complete).unwrap_or_default()
    }

    /// UNSUBACK. A filter that did not exist is gone as well.
    pub(super) fn unsuback(
        &mut self,
        unsuback: &UnsubAck,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> Option<SubscriptionHandle> {
        let place = self
            .endings
            .iter()
            .position(|e| e.is_asked(unsuback.packet_id))?;
        ids.free(unsuback.packet_id);
        let Entry {
            handles,
            identifier,
            ..
        } = self.endings.swap_remove(place);
        journal.write(JournalEntry::Unsubscribed { identifier });
        Some(handles[0].0)
    }

    /// Whether a PINGREQ is to go out, with this number, for granted subscriptions that wait for one. `is_clear`: everything is
    /// acknowledged, and no other PINGREQ is under way.
    pub(super) fn asks(&mut self, number: u64, is_clear: bool) -> bool {
        let mut asks = false;
        for entry in &mut self.entries {
            if matches!(entry.stage, Stage::Snapshot(Snapshot::Pingless))
                && (is_clear || entry.is_at_most_once())
            {
                entry.stage = Stage::Snapshot(Snapshot::Ping(number));
                asks = true;
            }
        }
        asks
    }

    /// All PINGREQs up to this number have been answered. `is_clear`: and everything is acknowledged; else there may
    /// be more behind it.
    pub(super) fn ponged(&mut self, now: Millis, answered: u64, is_clear: bool) {
        for entry in &mut self.entries {
            if let Stage::Snapshot(Snapshot::Ping(number)) = entry.stage
                && number <= answered
            {
                entry.stage = Stage::Snapshot(match is_clear || entry.is_at_most_once() {
                    true => Snapshot::Quiet(now + self.quiet_ms),
                    false => Snapshot::Pingless,
                });
            }
        }
    }

    /// When the first snapshot turns complete if nothing comes.
    pub(super) fn next_timeout(&self) -> Option<Millis> {
        self.entries
            .iter()
            .filter_map(|e| match e.stage {
                Stage::Snapshot(Snapshot::Quiet(until)) => Some(until),
                _ => None,
            })
            .min()
    }

    /// Snapshots that are complete by now.
    pub(super) fn handle_timeout(&mut self, now: Millis) -> Vec<Change> {
        let mut changes = Vec::new();
        for entry in &mut self.entries {
            if let Stage::Snapshot(Snapshot::Quiet(until)) = entry.stage
                && until <= now
            {
                changes.extend(entry.tell(SubscriptionChange::SnapshotComplete { inferred: true }));
                entry.settle();
            }
        }
        changes
    }

    /// Whose message this is: by Subscription Identifier where the server gives it, else by filter. And what is to be told
    /// after it.
    pub(super) fn recipients(
        &mut self,
        now: Millis,
        publish: &Publish,
        topic: &TopicName,
        limits: &Limits,
    ) -> (Vec<SubscriptionHandle>, Vec<Change>) {
        let (mut recipients, mut changes) = (Vec::new(), Vec::new());
        let quiet_until = now + self.quiet_ms;
        for entry in &mut self.entries {
            let meant = if limits.subscription_identifiers
                && !publish.subscription_identifiers.is_empty()
            {
                publish.subscription_identifiers.contains(&entry.identifier)
            } else {
                entry.filter.matches(topic)
            };
            if !meant {
                continue;
            }
            let in_snapshot = publish.retain
                && match &mut entry.stage {
                    // More of them may wait for its acknowledgement.
                    Stage::Snapshot(asked @ (Snapshot::Ping(_) | Snapshot::Quiet(_)))
                        if publish.qos != QoS::AtMostOnce =>
                    {
                        *asked = Snapshot::Pingless;
                        true
                    }
                    Stage::Snapshot(Snapshot::Quiet(until)) => {
                        *until = quiet_until;
                        true
                    }
                    Stage::Snapshot(Snapshot::Counted(left)) => {
                        *left = left.saturating_sub(1);
                        true
                    }
                    Stage::Snapshot(_) | Stage::Asked(_) => true,
                    Stage::Unsent | Stage::Live | Stage::Refused => false,
                };
            // Without Retain As Published, and always in 3.1.1, the flag means: sent because of a SUBSCRIBE
            // [MQTT-3.3.1-12, MQTT3-3.3.1-8]. Who had the snapshot before does not get it again.
            let only_new =
                in_snapshot && !entry.used.options.retain_as_published && !entry.is_doubtful;
            recipients.extend(
                entry
                    .handles
                    .iter()
                    .filter(|(_, wants_snapshot)| *wants_snapshot || !only_new)
                    .map(|(handle, _)| *handle),
            );
            changes.extend(entry.complete_if_counted());
        }
        (recipients, changes)
    }
}
