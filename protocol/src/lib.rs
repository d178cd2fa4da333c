//! The MQTT language, versions 3.1.1 and 5.0 in one tree: packets, codec, topics and the client state machine.
//!
//! Nothing here does I/O, reads a clock, spawns a thread or awaits: bytes and times come in as arguments, packets and
//! bytes go out as values. The crate compiles for wasm32 and is shared by the broker, the command line, the tests and
//! the browser. All differences between the two versions sit in [`version`].

#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod client;
pub mod codec;
pub mod extension;
pub mod packet;
pub mod qos;
pub mod reason;
pub mod topic;
pub mod version;
pub mod violation;

pub use bytestring::ByteString;
pub use codec::{Decoder, Role};
pub use packet::Packet;
pub use qos::{PacketId, QoS};
pub use reason::ReasonCode;
pub use topic::{TopicFilter, TopicName};
pub use version::Version;
pub use violation::Violation;
