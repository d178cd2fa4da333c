//! What can be done to a store. What must hold together is one operation; each is indivisible and may be applied
//! again without harm.

use std::sync::Arc;

use ebbtide_protocol::{PacketId, TopicFilter, TopicName};

use crate::{
    AccessName, AccessRow, DroppedRow, GroupRow, Incarnation, Marks, Message, RecipientSet,
    RetainedRow, Revision, Sequence, SessionRow, SubscriptionRow, WillRow,
};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Raises the marks (each one separately; never lowers one).
    Reserve(Marks),
    /// Creates or replaces the row of a session.
    PutSession(SessionRow),
    /// Removes a session with all that belongs to it: subscriptions, progress, flows, inbound ids, what was dropped. Its
    /// will stays.
    RemoveSession(Incarnation),
    /// Creates or replaces a subscription.
    PutSubscription {
        /// Whose.
        session: Incarnation,
        /// What.
        subscription: SubscriptionRow,
    },
    /// Ends a subscription.
    RemoveSubscription {
        /// Whose.
        session: Incarnation,
        /// Which.
        filter: TopicFilter,
    },
    /// Creates the row of a group: the members of one shared subscription. Messages wait for it as for a session.
    PutGroup(GroupRow),
    /// Removes a group with its progress. The subscriptions of its members stay.
    RemoveGroup(Incarnation),
    /// A member gets a message of its group at QoS 2, under this packet id: the group is done with it, and a copy with a number
    /// of its own waits for that member alone [MQTT-4.8.2-4]. Replaces an earlier flow under the same id.
    MoveShared {
        /// What.
        sequence: Sequence,
        /// The group that has waited for it.
        from: Incarnation,
        /// Everything below is done for the group, as with `Done`.
        cursor: Sequence,
        /// The member.
        to: Incarnation,
        /// The message again, for the member alone. Under the old number it may wait for the member already, by another
        /// subscription: only by its number a session says what it is done with.
        copy: Queue,
        /// Under which id.
        packet_id: PacketId,
    },
    /// Takes in a published message.
    Accept(Accept),
    /// A delivery at QoS 1 or 2 goes under this packet id. Replaces an earlier flow under the same id.
    Sent {
        /// To whom.
        session: Incarnation,
        /// What.
        sequence: Sequence,
        /// Under which id.
        packet_id: PacketId,
    },
    /// The subscriber has answered PUBREC: from now on only PUBREL is sent.
    Released {
        /// Whose flow.
        session: Incarnation,
        /// Of what.
        sequence: Sequence,
        /// Under which id.
        packet_id: PacketId,
    },
    /// The session is done with the message: acknowledged, expired or dropped. Ends its flow, if it has one.
    Done {
        /// Who.
        session: Incarnation,
        /// With what.
        sequence: Sequence,
        /// The id of the flow that ends, if there was one.
        packet_id: Option<PacketId>,
        /// Everything below is done for this session (and stays done: an earlier, higher cursor wins).
        cursor: Sequence,
    },
    /// No session waits for the message any more. It follows the last `Done`; recovery sweeps what a crash in
    /// between has left.
    RemoveMessage(Sequence),
    /// The publisher has released this packet id (PUBREL): it may be used for another message.
    ReleaseInbound {
        /// Which publisher.
        session: Incarnation,
        /// Its id.
        packet_id: PacketId,
    },
    /// Creates or replaces what a session has lost and does not know of.
    PutDropped(DroppedRow),
    /// The session has been told.
    RemoveDropped(Incarnation),
    /// Creates or replaces a user, a key, the rules or the secret.
    PutAccess(Box<AccessRow>),
    /// Removes one of these.
    RemoveAccess(AccessName),
    /// Creates or replaces the will of a connection, kept or transient.
    PutWill(Box<WillRow>),
    /// Removes a will that is not to be published.
    RemoveWill(Incarnation),
    /// Publishes a will: removes it and accepts its message.
    FireWill {
        /// Whose.
        session: Incarnation,
        /// The message that comes of it.
        accept: Accept,
    },
}

/// A published message with all that must be kept of it together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The message for sessions that are kept, if any is to get it.
    pub queued: Option<Queue>,
    /// The change of the retained message, if there is one.
    pub retained: Option<RetainedChange>,
    /// Session and packet id of the publisher, for QoS 2 and a publisher that is kept: a repetition is recognised.
    pub inbound: Option<(Incarnation, PacketId)>,
}

/// A message and who waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its place.
    pub sequence: Sequence,
    /// The message.
    pub message: Arc<Message>,
    /// Not empty.
    pub recipients: RecipientSet,
}

/// What happens to the retained message of a topic. Applied only if its revision is greater than the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetainedChange {
    /// It is this now.
    Set(RetainedRow),
    /// There is none any more.
    Clear {
        /// Of which topic.
        topic: TopicName,
        /// The number of this change.
        revision: Revision,
    },
}
