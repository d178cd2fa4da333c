//! What survives the process: publishes by sequence number, received messages, subscriptions. A batch of the journal
//! changes it as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use ebbtide_protocol::{
    ByteString, PacketId, QoS, ReasonCode, TopicFilter,
    client::{Error, JournalEntry, PublishHandle, Use},
    extension,
    packet::ConnAck,
};

/// Names a publish of a peer over all its lives; ascending.
pub type Sequence = u64;

#[derive(Clone, Debug)]
pub struct Row {
    pub topic: String,
    pub qos: QoS,
    pub deadline_ms: Option<u64>,
    pub resend: bool,
    pub stage: RowStage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStage {
    Unsent,
    Sent(PacketId),
    Released(PacketId),
}

#[derive(Clone, Debug)]
pub struct Received {
    pub topic: String,
    pub qos: QoS,
    pub dup: bool,
    /// The number that its publisher gave it.
    pub number: Sequence,
}

#[derive(Clone, Debug, Default)]
pub struct Store {
    pub rows: BTreeMap<Sequence, Row>,
    pub outcomes: BTreeMap<Sequence, Vec<Result<ReasonCode, Error>>>,
    pub inbound: BTreeSet<PacketId>,
    pub inbox: Vec<Received>,
    pub subscriptions: BTreeMap<u32, (TopicFilter, Use)>,
    pub has_session: bool,
    pub is_unsure: bool,
    pub session_name: Option<ByteString>,
}

impl Store {
    /// Whether the server goes on with the session that is stored here.
    pub fn knows(&self, connack: &ConnAck) -> bool {
        let name = extension::values(&connack.user_properties, extension::SESSION_NAME).next();
        let is_another = name.is_some() && self.session_name.is_some();
        connack.session_present && !(is_another && name != self.session_name.as_ref())
    }

    /// Changes it as an entry says. `Err`: the row that was to be sent is gone, so it must not be.
    pub fn apply(
        &mut self,
        entry: &JournalEntry,
        sequence_of: impl Fn(PublishHandle) -> Sequence,
    ) -> Result<(), PublishHandle> {
        match entry {
            JournalEntry::Sent { handle, packet_id } => {
                let row = self.rows.get_mut(&sequence_of(*handle)).ok_or(*handle)?;
                row.stage = RowStage::Sent(*packet_id);
            }
            JournalEntry::Released { handle } => {
                if let Some(row) = self.rows.get_mut(&sequence_of(*handle))
                    && let RowStage::Sent(packet_id) = row.stage
                {
                    row.stage = RowStage::Released(packet_id);
                }
            }
            JournalEntry::Finished { handle, result, .. } => {
                let sequence = sequence_of(*handle);
                if self.rows.remove(&sequence).is_some() {
                    self.outcomes.entry(sequence).or_default().push(*result);
                }
            }
            JournalEntry::Withdrawn { handle } => {
                if let Some(row) = self.rows.get_mut(&sequence_of(*handle)) {
                    row.stage = RowStage::Unsent;
                }
            }
            JournalEntry::Received {
                packet_id, message, ..
            } => {
                self.inbound.extend(*packet_id);
                self.inbox.push(Received {
                    topic: message.topic.as_str().to_owned(),
                    qos: message.qos,
                    dup: message.dup,
                    number: number_of(&message.payload),
                });
            }
            JournalEntry::Completed { packet_id } => {
                self.inbound.remove(packet_id);
            }
            JournalEntry::Unsure { is_unsure } => self.is_unsure = *is_unsure,
            JournalEntry::Restarted { session_name } => {
                self.has_session = true;
                self.is_unsure = false;
                self.session_name.clone_from(session_name);
                self.inbound.clear();
                self.subscriptions.clear();
                for row in self.rows.values_mut() {
                    if let RowStage::Sent(_) = row.stage {
                        row.stage = RowStage::Unsent;
                    }
                }
            }
            JournalEntry::Subscribed {
                identifier,
                filter,
                used,
            } => {
                let row = (filter.clone(), *used);
                self.subscriptions.insert(*identifier, row);
            }
            JournalEntry::Unsubscribed { identifier } => {
                self.subscriptions.remove(identifier);
            }
        }
        Ok(())
    }
}

/// Payloads are numbers in decimal.
pub fn number_of(payload: &[u8]) -> Sequence {
    std::str::from_utf8(payload)
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("every payload of this world is a number")
}
