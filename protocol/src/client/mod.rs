//! The client half of MQTT as a state machine: no socket, no clock, no randomness.
//!
//! [`Client`] decides what to send, when to connect again and what to tell the application. A driver feeds it what
//! happened (`handle_*`, with the time in milliseconds) and empties it afterwards (`poll_*`). The same machine
//! runs under tokio, in browsers and in tests with virtual time.

mod alias;
mod backoff;
mod connect;
mod diagnostics;
mod durable;
mod event;
mod inbound;
mod journal;
mod keep_alive;
mod lifecycle;
mod machine;
mod options;
mod outbound;
mod outgoing;
mod packet_ids;
mod session;
mod subscriptions;
mod telling;
mod uses;
mod wire;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use connect::Limits;
pub use diagnostics::{Diagnostics, Said};
pub use event::{
    Action, Error, Event, Figures, IncomingMessage, Session, State, SubscriptionChange,
};
pub use journal::{JournalBatch, JournalEntry, Ticket};
pub use machine::Client;
pub use options::{OfflineQos0, Options};
pub use outgoing::{Delivery, OutgoingMessage, PublishHandle, Stage};
pub use uses::{SubscriptionHandle, Use};

/// A point in time: milliseconds since a moment of the driver's choice. Never goes back.
pub type Millis = u64;
