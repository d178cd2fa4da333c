//! The fifteen control packets as plain values, one shape for both versions.
//!
//! What only MQTT 5.0 has is `None`, empty or [`ReasonCode::Success`] when it came from 3.1.1, and is left out when
//! encoded for 3.1.1. A field that the standard restricts has a type that cannot hold anything else.

use alloc::boxed::Box;

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod publish;
mod subscribe;
mod unsubscribe;

pub use ack::Ack;
pub use auth::Auth;
pub use connack::ConnAck;
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub use publish::{MessageProperties, Publish};
pub use subscribe::{RetainHandling, SubAck, Subscribe, Subscription, SubscriptionOptions};
pub use unsubscribe::{UnsubAck, Unsubscribe};

use crate::ByteString;

/// A User Property: a name and a value; names may repeat and the order is kept [MQTT-3.3.2-18].
pub type UserProperty = (ByteString, ByteString);

/// One control packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Client requests a connection.
    Connect(Box<Connect>),
    /// Server answers CONNECT.
    ConnAck(Box<ConnAck>),
    /// An application message, either way.
    Publish(Box<Publish>),
    /// QoS 1: received.
    PubAck(Ack),
    /// QoS 2, step one: received.
    PubRec(Ack),
    /// QoS 2, step two: released.
    PubRel(Ack),
    /// QoS 2, step three: complete.
    PubComp(Ack),
    /// Client subscribes.
    Subscribe(Subscribe),
    /// Server answers SUBSCRIBE, a reason per filter.
    SubAck(SubAck),
    /// Client unsubscribes.
    Unsubscribe(Unsubscribe),
    /// Server answers UNSUBSCRIBE.
    UnsubAck(UnsubAck),
    /// Client asks for a sign of life.
    PingReq,
    /// Server gives it.
    PingResp,
    /// The connection ends: by the client in both versions, by the server in 5.0 only.
    Disconnect(Box<Disconnect>),
    /// Enhanced authentication, 5.0 only.
    Auth(Box<Auth>),
}
