//! One life of a peer: a machine, and what its process knows of it. All of it dies with the process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use ebbtide_protocol::{
    QoS, TopicFilter, TopicName,
    client::{
        Client, Delivery, JournalBatch, JournalEntry, OutgoingMessage, PublishHandle,
        SubscriptionHandle, Use,
    },
    codec::Decoder,
    packet::{MessageProperties, SubscriptionOptions},
};

use super::{
    history::ConnectionId,
    peer::Profile,
    random::Random,
    store::{Row, Sequence},
};

pub struct Life {
    pub client: Client,
    pub connection: Option<ConnectionId>,
    pub fed: BTreeMap<PublishHandle, Sequence>,
    /// Rows that the machine does not have.
    pub unfed: BTreeSet<Sequence>,
    /// `Sent` was handed out.
    pub seen: BTreeSet<PublishHandle>,
    /// When the batch is stored.
    pub writing: VecDeque<(u64, JournalBatch)>,
    pub decoder: Decoder,
    pub watched: BytesMut,
    pub input: BytesMut,
    pub resubscribe_at_ms: Option<u64>,
    pub subscription: Option<SubscriptionHandle>,
}

impl Life {
    pub fn subscribe(&mut self, profile: &Profile) {
        let Some(filter) = profile.filter else { return };
        let filter = TopicFilter::new(filter).expect("a topic filter");
        let used = Use {
            options: SubscriptionOptions {
                qos: QoS::ExactlyOnce,
                ..SubscriptionOptions::default()
            },
            refresh: profile.refreshes,
            ..Use::default()
        };
        let subscribed = self.client.subscribe_with(filter, used, Vec::new());
        self.subscription = Some(subscribed.expect("there is room"));
    }

    /// Without a connection what is unsent is for the store alone.
    pub fn take_back(&mut self, rows: &BTreeMap<Sequence, Row>) {
        let unseen: Vec<PublishHandle> = self
            .fed
            .keys()
            .filter(|handle| !self.seen.contains(handle))
            .copied()
            .collect();
        for handle in unseen {
            if self.client.cancel(handle)
                && let Some(sequence) = self.fed.remove(&handle)
                && rows.contains_key(&sequence)
            {
                self.unfed.insert(sequence);
            }
        }
    }

    pub fn keep(
        &mut self,
        batch: JournalBatch,
        now_ms: u64,
        profile: &Profile,
        random: &mut Random,
    ) {
        for entry in &batch.entries {
            if let JournalEntry::Sent { handle, .. } = entry {
                self.seen.insert(*handle);
            }
        }
        let takes_ms = match random.below(10) {
            _ if profile.is_steady => 0,
            0..7 => random.between(0, 10),
            7..9 => random.between(10, 200),
            _ => random.between(200, 3_000),
        };
        let after_ms = self.writing.back().map_or(now_ms, |(due_ms, _)| *due_ms);
        let due_ms = after_ms.max(now_ms) + takes_ms;
        self.writing.push_back((due_ms, batch));
    }

    pub fn has_restarted(&self, kept: usize) -> bool {
        self.writing.iter().take(kept).any(|(_, batch)| {
            batch
                .entries
                .iter()
                .any(|entry| matches!(entry, JournalEntry::Restarted { .. }))
        })
    }
}

impl Row {
    pub fn outgoing(&self, sequence: Sequence) -> (OutgoingMessage, Delivery) {
        let message = OutgoingMessage {
            topic: TopicName::new(self.topic.as_str()).expect("a topic name"),
            payload: Bytes::from(sequence.to_string()),
            qos: self.qos,
            retain: false,
            properties: MessageProperties::default(),
        };
        let delivery = Delivery {
            deadline: self.deadline_ms,
            resend: self.resend,
        };
        (message, delivery)
    }
}
