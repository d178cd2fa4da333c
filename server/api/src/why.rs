//! "Why did this client not get that message?"

use serde::{Deserialize, Serialize};

use crate::{QueuedState, Subscription};

/// What `GET /api/v1/sessions/{client id}/why` may be asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct WhyQuery {
    /// The topic of the message.
    pub topic: String,
}

/// The answer to `GET /api/v1/sessions/{client id}/why`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Why {
    /// What became of the last message of this topic, as far as the broker knows.
    pub verdict: Verdict,
    /// The same in a sentence.
    pub explanation: String,
    /// The session's subscriptions that match the topic now.
    pub subscriptions: Vec<Subscription>,
    /// Messages of this topic that wait or are under way: the first 10.
    pub waiting: Vec<WaitingMessage>,
    /// So many of the messages that wait were looked at, the first ones: at most 10000.
    pub looked_at: u64,
    /// How many wait in all.
    pub queue_total: u64,
    /// The place of the rule that decides whether this client may have messages of this topic, counted from 1. Nothing: no rule
    /// matches, there are no rules, or the client has not been here since the broker was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u64>,
    /// What became of earlier ones, the last first. The broker knows the last few topics of each session, since it was started.
    pub fates: Vec<MessageFate>,
}

/// A message that is still to come.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaitingMessage {
    /// Its place in the line, from 0.
    pub position: u64,
    /// How far it is.
    pub state: QueuedState,
    /// When the broker took it in (RFC 3339).
    pub accepted_at: String,
}

/// What became of messages of one topic.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageFate {
    /// What.
    pub fate: Verdict,
    /// When the last time (RFC 3339).
    pub last_at: String,
    /// How often.
    pub count: u64,
    /// Whether it is known that it was this topic: of what waits on disk the broker has only numbers in memory.
    pub certain: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is known: none was published, or it was too long ago.
    #[default]
    Unknown,
    /// No subscription matches.
    NoMatchingFilter,
    /// It waits.
    Waiting,
    /// It is with the client, which has not acknowledged it.
    Unacknowledged,
    /// The client has acknowledged it.
    Acknowledged,
    /// The client has refused it.
    Refused,
    /// It was sent at QoS 0, which nothing acknowledges.
    SentQos0,
    /// QoS 0 while the client was away.
    Qos0Away,
    /// QoS 0 while more waited than may wait in memory.
    Qos0Behind,
    /// The queue had its limit.
    QueueFull,
    /// The session was transient and had its limit of bytes waiting: its connection was ended.
    Overflow,
    /// Its Message Expiry Interval had passed.
    Expired,
    /// Larger than the client's Maximum Packet Size.
    TooLarge,
    /// An operator has emptied the queue.
    Purged,
    /// Its row in the store could not be read.
    Damaged,
    /// A rule did not let the client have it.
    Denied,
}
