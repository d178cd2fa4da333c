//! The tables of the file and what their keys are. Values are rows as [`super::encoding`] writes them.
//!
//! Keys that hold text are byte strings, since redb panics on a damaged key of a text type.

use redb::TableDefinition;

/// A row of any table.
pub(super) type Bytes = &'static [u8];

/// Named values: [`FORMAT`] and [`MARKS`]. Its presence tells our files from other redb files.
pub(super) const META: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("ebbtide");
/// Kind and name → user, key, the rules, or the secret.
pub(super) const ACCESS: TableDefinition<'_, (u64, Bytes), Bytes> = TableDefinition::new("access");
/// Incarnation → session.
pub(super) const SESSIONS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("sessions");
/// Number → the filter of a group that shares a subscription. Numbers are unlike those of sessions.
pub(super) const GROUPS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("groups");
/// Incarnation and filter → subscription.
pub(super) const SUBSCRIPTIONS: TableDefinition<'_, (u64, Bytes), Bytes> =
    TableDefinition::new("subscriptions");
/// Incarnation and packet id of a publisher → nothing.
pub(super) const INBOUND: TableDefinition<'_, (u64, u16), ()> = TableDefinition::new("inbound");
/// Incarnation → what the session has lost and does not know of.
pub(super) const DROPPED: TableDefinition<'_, u64, Bytes> = TableDefinition::new("dropped");
/// Incarnation → will.
pub(super) const WILLS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("wills");
/// Topic → revision and message.
pub(super) const RETAINED: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("retained");
/// Sequence → the number of its recipient set, and the message. The log: keys grow, which is what redb is fast at.
pub(super) const MESSAGES: TableDefinition<'_, u64, Bytes> = TableDefinition::new("messages");
/// Number → recipient set. Each distinct set is there once.
pub(super) const SETS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("sets");
/// Incarnation → what the session is done with.
pub(super) const PROGRESS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("progress");
/// Incarnation and the first of 64 packet ids of a subscriber → sequence and stage of each that is in use.
pub(super) const FLOWS: TableDefinition<'_, (u64, u16), Bytes> = TableDefinition::new("flows");
/// Table and key → a row that could not be decoded, as it was found.
pub(super) const QUARANTINE: TableDefinition<'_, (Bytes, Bytes), Bytes> =
    TableDefinition::new("quarantine");
/// One row: the stamp of the last commit. Not among [`super::shape::ALL`], for it is of this file alone.
pub(super) const STAMP: TableDefinition<'_, (), u64> = TableDefinition::new("stamp");

/// Key in [`META`]: the format version of the whole file, eight bytes, little endian.
pub(super) const FORMAT: &[u8] = b"format";
/// Key in [`META`]: the reserved numbers.
pub(super) const MARKS: &[u8] = b"marks";

/// The format that this program writes. It grows with every change that an earlier program could not read: of a table, or
/// of the version byte of a row; with a step in [`super::migrate`].
pub(super) const FORMAT_VERSION: u64 = 6;
