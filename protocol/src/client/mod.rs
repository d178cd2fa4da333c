//! The client half of MQTT as a state machine: no socket, no clock, no randomness.
//!
//! [`Client`] decides what to send, when to connect again and what to tell the application. A driver feeds it what
//! happened (`handle_*`, with the time in milliseconds) and empties it afterwards (`poll_*`). The same machine
//! runs under tokio, in browsers and in tests with virtual time.

mod alias;
mod backoff;
mod connect;
mod event;
mod inbound;
mod keep_alive;
mod lifecycle;
mod machine;
mod options;
mod outbound;
mod packet_ids;
mod subscriptions;
mod wire;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use connect::Limits;
pub use event::{Action, Error, Event, IncomingMessage, State, SubscriptionChange};
pub use machine::Client;
pub use options::{OfflineQos0, Options};
pub use outbound::{OutgoingMessage, PublishHandle};
pub use subscriptions::SubscriptionHandle;

/// A point in time: milliseconds since a moment of the driver's choice. Never goes back.
pub type Millis = u64;
