//! What comes back from a store at start.

use std::sync::Arc;

use ebbtide_protocol::{
    ByteString, PacketId, TopicFilter,
    packet::{SubscriptionOptions, Will},
};

use crate::{
    AccessRow, Incarnation, Marks, Message, RecipientSet, Revision, Sequence, WallTime,
    access::Claims,
};

/// One thing that was kept.
///
/// [`crate::Store::recover`] gives them in this order: marks (once, always), access, sessions, groups, subscriptions, inbound ids,
/// what was dropped, wills, flows (ascending by session, then by sequence), retained messages and queued messages (these ascending) in any
/// mixture. Flows come before their messages, so that nobody has to remember who waits for what: that is by far the most of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Numbers continue at or above these.
    Marks(Marks),
    /// A user, a key, the rules or the secret.
    Access(Box<AccessRow>),
    /// A session.
    Session(SessionRow),
    /// The group of a shared subscription.
    Group(GroupRow),
    /// A subscription of a session that came before.
    Subscription {
        /// Whose.
        session: Incarnation,
        /// What.
        subscription: SubscriptionRow,
    },
    /// A QoS 2 packet id of a publisher, not yet released.
    Inbound {
        /// Whose.
        session: Incarnation,
        /// Which.
        packet_id: PacketId,
    },
    /// What a session has lost and does not know of.
    Dropped(DroppedRow),
    /// A will that has not been published.
    Will(Box<WillRow>),
    /// An exchange with a subscriber that is under way.
    Flow(FlowRow),
    /// A retained message.
    Retained(RetainedRow),
    /// A queued message, without its content: that is read when it is needed.
    Queued {
        /// Its place.
        sequence: Sequence,
        /// When it expires, if it does.
        expires_at: Option<WallTime>,
        /// Size of topic, payload and properties, bytes.
        size_bytes: u64,
        /// Those who still wait for it, never empty.
        recipients: RecipientSet,
    },
}

/// A session that outlives its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its number.
    pub incarnation: Incarnation,
    /// Its client.
    pub client_id: ByteString,
    /// The authenticated user that it belongs to; `None`: anonymous.
    pub user: Option<ByteString>,
    /// How long it lives after its connection, seconds; `u32::MAX`: forever.
    pub session_expiry_interval: u32,
    /// When its connection ended; `None` while it has one.
    pub disconnected_at: Option<WallTime>,
    /// Packet ids are handed out from here on, round and round.
    pub next_packet_id: PacketId,
    /// What waits up to here may have been sent before a crash: it is sent with DUP.
    pub maybe_sent: Sequence,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRow {
    /// Which topics.
    pub filter: TopicFilter,
    /// How.
    pub options: SubscriptionOptions,
    /// Its Subscription Identifier.
    pub identifier: Option<u32>,
    /// The retained messages that it asked for have not all been queued yet.
    pub retained_owed: bool,
}

/// The group that shares one subscription: the members with one share name and topic filter (section 4.8.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// Its number, of the same kind as a session's.
    pub group: Incarnation,
    /// The filter that its members have subscribed to, `$share` and name included.
    pub filter: TopicFilter,
}

/// A will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WillRow {
    /// The session of the connection that set it.
    pub session: Incarnation,
    /// Its client.
    pub client_id: ByteString,
    /// The authenticated user of that connection; `None`: anonymous.
    pub user: Option<ByteString>,
    /// What rules may ask for of it.
    pub claims: Claims,
    /// The will.
    pub will: Will,
    /// When it is to be published; `None` while its connection is there.
    pub due_at: Option<WallTime>,
}

/// Messages that a session was to get and that the broker dropped for it, since it was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DroppedRow {
    /// Whose.
    pub session: Incarnation,
    /// How many.
    pub count: u64,
    /// When the first was dropped.
    pub first_at: WallTime,
    /// When the last was dropped.
    pub last_at: WallTime,
}

/// A retained message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetainedRow {
    /// The number of the change that made it.
    pub revision: Revision,
    /// The message.
    pub message: Arc<Message>,
}

/// An exchange with a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRow {
    /// With whom.
    pub session: Incarnation,
    /// About what.
    pub sequence: Sequence,
    /// Under which id.
    pub packet_id: PacketId,
    /// How far it is.
    pub stage: FlowStage,
}

/// How far the delivery of a message at QoS 1 or 2 has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowStage {
    /// PUBLISH may have been sent.
    Sent,
    /// PUBREC came: PUBREL is what may have been sent.
    Released,
}
