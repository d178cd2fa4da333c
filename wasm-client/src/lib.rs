//! MQTT 3.1.1 and 5.0 for browsers: the client machine of `ebbtide-protocol` on a WebSocket.
//!
//! Every decision is made in `ebbtide_protocol::client`; this crate moves bytes, keeps time and calls listeners. It never
//! calls a listener from inside a call to the client, so listeners and callers may share state and call back at will.
//! The npm package has the same machine on TypeScript's socket and store, in `npm/`.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod client;
mod clock;
mod driver;
mod error;
mod js;
mod listeners;
mod listening;
mod options;
mod socket;
mod wake;

pub use client::{Client, Listener, OutgoingMessage, Subscription, SubscriptionEvent};
pub use error::Error;
pub use options::Options;

pub use bytes::Bytes;
pub use ebbtide_protocol::client::{
    Diagnostics, Error as ClientError, IncomingMessage as Message, Session, State,
};
pub use ebbtide_protocol::packet::{
    MessageProperties, RetainHandling, SubscriptionOptions, UserProperty,
};
pub use ebbtide_protocol::topic::{FilterError, NameError};
pub use ebbtide_protocol::{ByteString, QoS, ReasonCode, TopicFilter, TopicName, Version};
