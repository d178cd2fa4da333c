//! What the broker keeps: the operations on it, the rows it comes back as, and the stores that hold it.
//!
//! A [`Store`] applies batches of [`Operation`]s in order and makes each batch durable before it answers. It decides
//! nothing about MQTT. Every store runs the same conformance suite (`conformance`).

use std::sync::Arc;

pub mod access;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod memory;
pub mod message;
pub mod number;
pub mod operation;
mod progress;
pub mod properties;
mod ranges;
#[cfg(feature = "redb")]
pub mod redb;
pub mod row;

pub use access::{AccessName, AccessRow};
pub use memory::MemoryStore;
pub use message::{Message, Recipient, RecipientSet, content_size, set_size};
pub use number::{Incarnation, Marks, Revision, Sequence, WallTime};
pub use operation::{Accept, Operation, Queue, RetainedChange};
pub use properties::Properties;
#[cfg(feature = "redb")]
pub use redb::RedbStore;
pub use row::{
    DroppedRow, FlowRow, FlowStage, GroupRow, RetainedRow, Row, SessionRow, SubscriptionRow,
    WillRow,
};

/// A durable place for sessions, messages, retained values and wills.
///
/// One thread commits; any thread may read at the same time.
pub trait Store: Send + Sync {
    /// Applies the operations in order and returns once they are durable. All of them or none: a crash in between
    /// leaves the state before the batch.
    ///
    /// # Errors
    /// After an error it is unknown whether the batch is there; the store answers every further commit with
    /// [`StoreError::NeedsReopen`] until it is opened again.
    fn commit(&self, batch: &[Operation]) -> Result<(), StoreError>;

    /// The messages with these sequence numbers, as they were queued for that session, in the order asked for.
    /// Numbers that are gone (or were never for this session) are left out, and so are rows that cannot be decoded:
    /// the next recovery reports those. Once the messages have more than `bytes_max` bytes, the numbers behind are not
    /// looked at.
    ///
    /// # Errors
    /// When the disk fails.
    fn read_part(
        &self,
        session: Incarnation,
        sequences: &[Sequence],
        bytes_max: usize,
    ) -> Result<Part, StoreError>;

    /// [`Store::read_part`] of any size.
    ///
    /// # Errors
    /// When the disk fails.
    fn read(
        &self,
        session: Incarnation,
        sequences: &[Sequence],
    ) -> Result<Vec<Queued>, StoreError> {
        Ok(self.read_part(session, sequences, usize::MAX)?.messages)
    }

    /// Streams everything that is kept, in the order documented at [`Row`]; called once, before the first commit.
    /// Sweeps what no session owns. Rows that cannot be decoded are put aside and reported, they do not stop it.
    ///
    /// # Errors
    /// When the disk fails.
    fn recover(&self, visit: &mut dyn FnMut(Row)) -> Result<RecoveryReport, StoreError>;

    /// Bytes of rows that have been removed since the store was opened and not been made up for by others: roughly what it
    /// can take in without growing. A store that cannot tell says none.
    fn reusable_bytes(&self) -> u64 {
        0
    }
}

/// A message read back for one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub sequence: Sequence,
    /// The message; others who were to get it may hold it as well.
    pub message: Arc<Message>,
    /// How this session gets it.
    pub recipient: Recipient,
}

/// What [`Store::read_part`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The messages.
    pub messages: Vec<Queued>,
    /// How many of the numbers asked for were looked at: all, unless there were too many bytes.
    pub looked_at: usize,
}

impl Part {
    /// Takes the messages of all numbers one by one, as far as the bytes allow.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read<E>(
        sequences: &[Sequence],
        bytes_max: usize,
        mut read: impl FnMut(Sequence) -> Result<Option<Queued>, E>,
    ) -> Result<Self, E> {
        let (mut part, mut bytes) = (Self::default(), 0);
        for &sequence in sequences {
            if bytes > bytes_max {
                break;
            }
            part.looked_at += 1;
            if let Some(queued) = read(sequence)? {
                bytes += queued.message.size_bytes();
                part.messages.push(queued);
            }
        }
        Ok(part)
    }
}

/// What [`Store::recover`] had to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Rows that could not be decoded: table, key in hexadecimal, and why.
    pub put_aside: Vec<String>,
    /// Messages that no session waited for any more.
    pub swept: u64,
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk, or what it is reached through, failed.
    #[error("the store failed: {0}")]
    Io(String),
    /// There is no room left.
    #[error("the store has no room left: {0}")]
    Full(String),
    /// An earlier commit failed: what is on disk is unknown until the store is opened again.
    #[error("an earlier commit failed; the store has to be opened again")]
    NeedsReopen,
    /// Another process has it open.
    #[error("{path} is in use by another process")]
    InUse {
        /// The file.
        path: String,
    },
    /// The file is not one of ours, or damaged.
    #[error("{path} is damaged or is not an Ebbtide store: {why}")]
    Damaged {
        /// The file.
        path: String,
        /// What was found.
        why: String,
    },
    /// The file was written by a later version.
    #[error("{path} has format version {found}; this program reads versions 1 to {expected}")]
    Version {
        /// The file.
        path: String,
        /// The version in it.
        found: u64,
        /// The version that this program writes.
        expected: u64,
    },
}
