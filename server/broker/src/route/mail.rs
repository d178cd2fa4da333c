//! What stands in a session's queue, and how it counts there. It moves from the mailbox to the connection as it is.

use std::{collections::VecDeque, sync::Arc};

use ebbtide_protocol::{PacketId, QoS};
use ebbtide_store::{Incarnation, Message, Recipient, Sequence};
use ecow::EcoVec;

use super::{
    group::{Group, Lease},
    snapshot::{End, Snapshot},
};
use crate::Now;

/// One message for one session.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub message: Arc<Message>,
    /// Its place in the log; `None` when the store does not keep it for this session (QoS 0, or a transient session).
    pub sequence: Option<Sequence>,
    pub qos: QoS,
    pub retain: bool,
    /// It may have been sent before a crash of the broker.
    pub dup: bool,
    /// It is one of those that answer a subscription, and no live one.
    pub is_snapshot: bool,
    /// Shared with the subscription: a delivery takes no memory for them.
    pub subscription_identifiers: EcoVec<u32>,
    /// It is a group's, and in the hands of this member.
    pub lease: Option<Lease>,
}

impl Delivery {
    /// Nobody keeps it: it is lost with the connection.
    pub fn is_unkept(&self) -> bool {
        self.sequence.is_none() && self.lease.is_none()
    }

    pub fn has_expired(&self, now: Now) -> bool {
        let expires_at = self.message.expires_at();
        expires_at.is_some_and(|expires_at| expires_at <= now.wall)
    }

    /// As the store is to keep it for this session.
    pub fn recipient(&self, session: Incarnation) -> Recipient {
        Recipient {
            session,
            qos: self.qos,
            retain: self.retain,
            subscription_identifiers: self.subscription_identifiers.to_vec(),
        }
    }

    /// Bytes of topic, payload and properties, if the store keeps it for this session.
    pub fn kept_bytes(&self) -> u64 {
        match self.sequence {
            Some(_) => self.message.content_bytes(),
            None => 0,
        }
    }

    /// Memory it holds, roughly.
    pub fn bytes(&self) -> usize {
        self.message.size_bytes() + size_of_val(&*self.subscription_identifiers) + 128
    }
}

/// What stands in a session's queue.
#[derive(Debug)]
pub(crate) enum Mail {
    Message(Delivery),
    /// A message whose exchange was under way when the session was resumed.
    Resend(PacketId, Delivery),
    /// A message of a group, to be read from the store.
    Unread(Lease),
    Snapshot(Box<Snapshot>),
    End(End),
}

/// Takes out the messages of such groups, and leaves the rest in its order.
pub(crate) fn take_leases(mail: &mut VecDeque<Mail>, is_of: impl Fn(&Group) -> bool) -> Vec<Lease> {
    let mut leases = Vec::new();
    for one in std::mem::take(mail) {
        match one {
            Mail::Message(Delivery {
                lease: Some(lease), ..
            })
            | Mail::Unread(lease)
                if is_of(lease.group()) =>
            {
                leases.push(lease);
            }
            one => mail.push_back(one),
        }
    }
    leases
}

impl Mail {
    /// Bytes of what the store keeps for this session.
    pub fn kept_bytes(&self) -> u64 {
        match self {
            Self::Message(delivery) => delivery.kept_bytes(),
            Self::Resend(..) | Self::Unread(_) | Self::Snapshot(_) | Self::End(_) => 0,
        }
    }

    /// A message that nobody keeps: it is lost with the connection.
    pub fn is_unkept(&self) -> bool {
        matches!(self, Self::Message(delivery) if delivery.is_unkept())
    }

    /// The number of a message that has not been sent.
    pub fn sequence(&self) -> Option<Sequence> {
        match self {
            Self::Message(delivery) => delivery.sequence,
            // The session's flows have it.
            Self::Resend(..) | Self::Snapshot(_) | Self::End(_) => None,
            // The group has it.
            Self::Unread(_) => None,
        }
    }
}
