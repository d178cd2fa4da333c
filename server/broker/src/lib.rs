//! The broker core: connections, sessions, routing, retained messages and wills, as state machines.
//!
//! It knows no socket, no disk, no thread and no async runtime, and reads no clock: bytes, answers and the time come in
//! by `handle_*`, bytes, questions and deadlines go out by `poll_*`. One [`Broker`] is shared by all; a [`Connection`]
//! is owned by whoever drives its byte stream. What has to be kept goes into the [`Journal`]; a writer outside
//! takes batches from it, commits them to a store and reports back, and only then do the replies leave that
//! promise it.

mod broker;
mod command;
mod connection;
mod durability;
mod ended;
mod event;
mod expiry;
mod fates;
mod hits;
mod inspect;
mod journal;
mod keyed;
mod limits;
mod numbers;
mod own;
mod plausible;
mod presence;
mod rate;
mod recovery;
mod registry;
mod room;
mod route;
mod rules;
mod sequence_map;
mod session;
mod shared;
mod stats;
mod time;
mod timers;
mod trim;
mod wills;
mod work;

pub use broker::Broker;
pub use command::{Command, NotDone, Outcome, Pending};
pub use connection::{
    Answer, Authentication, AuthenticationStep, Close, Connection, Credentials, Denial, Identity,
    Origin, Question, Transport, rfc3339,
};
pub use durability::Durability;
pub use event::{Event, Observer, SessionEnd};
pub use fates::{Fate, FateInfo};
pub use hits::{Hits, Limit};
pub use inspect::{
    ConnectionInfo, Dropped, Known, LostSince, QueueEntry, QueuePart, QueuedContent, RetainedPart,
    SessionInfo, SessionList, SessionOrder, SessionPosition, SessionSelection, SubscriptionInfo,
    SubscriptionPart,
};
pub use journal::{Batch, Journal, Ticket};
pub use limits::{Limits, QueueOverflow};
pub use presence::{PresenceTopic, PresenceTopicError};
pub use rate::Bucket;
pub use recovery::Recovery;
pub use room::NoRoom;
pub use rules::{Action, Decision, Rights, RuleError, Rules, Subject};
pub use stats::{Drops, Stats, Traffic};
pub use time::{Monotonic, Now};
pub use work::STEPS_PER_TURN;
