//! One filter that the client has subscribed to, and how far the server is with it.

use alloc::vec;
use alloc::vec::Vec;

use super::{
    super::{
        Millis, SubscriptionChange, SubscriptionHandle, Use,
        journal::{Journal, JournalEntry},
        packet_ids::PacketIds,
    },
    Change,
};
use crate::{
    PacketId, QoS, ReasonCode, TopicFilter,
    packet::{RetainHandling, SubscriptionOptions, UserProperty},
};

#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// The server must hear of it.
    Unsent,
    /// SUBSCRIBE is on its way.
    Asked(PacketId),
    /// Granted; retained messages may still come.
    Snapshot(Snapshot),
    /// Granted.
    Live,
    /// The server said no.
    Refused,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Snapshot {
    /// So many messages are still to come, unless the end marker comes before.
    Counted(u64),
    /// The end marker will come.
    Marked,
    /// Granted; a PINGREQ must go out, once everything is acknowledged.
    Pingless,
    /// The answer to this PINGREQ ends it, or begins the quiet.
    Ping(u64),
    /// Complete at this time unless something comes.
    Quiet(Millis),
}

#[derive(Debug)]
pub(super) struct Entry {
    /// Serves as Subscription Identifier as well. Ascending within the list.
    pub(super) identifier: u32,
    pub(super) filter: TopicFilter,
    pub(super) used: Use,
    pub(super) user_properties: Vec<UserProperty>,
    /// The journal has it.
    pub(super) is_written: bool,
    /// The server probably has it. If it has not, its retained messages are for everybody.
    pub(super) is_doubtful: bool,
    /// Never empty. The flag: the snapshot under way is for this handle.
    pub(super) handles: Vec<(SubscriptionHandle, bool)>,
    pub(super) stage: Stage,
}

impl Entry {
    /// `is_known`: of an earlier run, and perhaps of the server.
    pub(super) fn new(
        identifier: u32,
        filter: TopicFilter,
        used: Use,
        user_properties: Vec<UserProperty>,
        is_known: bool,
    ) -> Self {
        let handle = SubscriptionHandle(identifier);
        Self {
            identifier,
            filter,
            used,
            user_properties,
            is_written: is_known,
            is_doubtful: is_known,
            handles: vec![(handle, !is_known || used.refresh)],
            stage: Stage::Unsent,
        }
    }

    /// What the journal is to have of it.
    pub(super) fn write(&self, journal: &mut Journal) {
        journal.write(JournalEntry::Subscribed {
            identifier: self.identifier,
            filter: self.filter.clone(),
            used: self.used,
        });
    }

    /// No window of the server holds its messages back.
    pub(super) fn is_at_most_once(&self) -> bool {
        self.used.options.qos == QoS::AtMostOnce
    }

    pub(super) fn is_unsent(&self) -> bool {
        matches!(self.stage, Stage::Unsent)
    }

    pub(super) fn is_asked(&self, packet_id: PacketId) -> bool {
        matches!(self.stage, Stage::Asked(id) if id == packet_id)
    }

    /// The server must hear of it, whatever it was asked before.
    pub(super) fn unask(&mut self, ids: &mut PacketIds) {
        if let Stage::Asked(packet_id) = self.stage {
            ids.free(packet_id);
        }
        self.stage = Stage::Unsent;
    }

    /// What the SUBSCRIBE says: where it only makes sure, retained messages are to come only if it was necessary.
    pub(super) fn asked_options(&self) -> SubscriptionOptions {
        let mut options = self.used.options;
        if self.is_doubtful && !self.used.refresh && options.retain_handling == RetainHandling::Send
        {
            options.retain_handling = RetainHandling::SendIfNew;
        }
        options
    }

    /// The server does not have it, and is not asked again.
    pub(super) fn refuse(&mut self, reason: ReasonCode, journal: &mut Journal) -> Vec<Change> {
        self.stage = Stage::Refused;
        if self.is_written {
            self.is_written = false;
            journal.write(JournalEntry::Unsubscribed {
                identifier: self.identifier,
            });
        }
        // Who has been told of a snapshot hears of this, too.
        self.handles
            .iter()
            .map(|(handle, _)| (*handle, SubscriptionChange::Refused(reason)))
            .collect()
    }

    /// Whether it is answered with retained messages: shared subscriptions are not (section 4.8.2).
    pub(super) fn has_snapshot(&self) -> bool {
        self.asked_options().retain_handling != RetainHandling::DoNotSend
            && self.filter.share().is_none()
    }

    /// The server has said that all of them have come.
    pub(super) fn complete(&mut self) -> Vec<Change> {
        let changes = self.tell(SubscriptionChange::SnapshotComplete { inferred: false });
        self.settle();
        changes
    }

    /// The same, once as many have come as it said.
    pub(super) fn complete_if_counted(&mut self) -> Vec<Change> {
        match self.stage {
            Stage::Snapshot(Snapshot::Counted(0)) => self.complete(),
            _ => Vec::new(),
        }
    }

    /// No retained messages are awaited any more.
    pub(super) fn settle(&mut self) {
        self.stage = Stage::Live;
        self.is_doubtful = false;
        for (_, wants_snapshot) in &mut self.handles {
            *wants_snapshot = false;
        }
    }

    /// The same event for each handle that waits for it.
    pub(super) fn tell(&self, change: SubscriptionChange) -> Vec<Change> {
        self.handles
            .iter()
            .filter(|(_, wants_snapshot)| *wants_snapshot)
            .map(|(handle, _)| (*handle, change))
            .collect()
    }
}
