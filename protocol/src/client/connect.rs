//! CONNECT as it is sent, CONNACK as it is understood, and which refusals make another attempt pointless.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU16;

use super::{Error, OutgoingMessage};
use crate::{
    ByteString, Packet, QoS, ReasonCode, TopicFilter, Version,
    codec::{PACKET_SIZE_MAX, Role, check_as},
    extension,
    packet::{ConnAck, Connect, Publish, UserProperty},
};

/// What the server accepts on this connection, from its CONNACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The version of the connection.
    pub version: Version,
    /// QoS 1 and 2 publishes unacknowledged at a time.
    pub receive_maximum: NonZeroU16,
    /// The largest packet in bytes; `None`: as large as the format allows.
    pub maximum_packet_size: Option<u32>,
    /// Topic aliases from this client.
    pub topic_alias_maximum: u16,
    /// The highest QoS.
    pub maximum_qos: QoS,
    /// Whether it keeps retained messages.
    pub retain: bool,
    /// Whether it takes wildcards.
    pub wildcard_subscriptions: bool,
    /// Whether it takes and returns Subscription Identifiers.
    pub subscription_identifiers: bool,
    /// Whether it takes shared subscriptions.
    pub shared_subscriptions: bool,
    /// The Keep Alive in force, seconds; zero: none.
    pub keep_alive_s: u16,
    /// Whether it tells when the retained messages of a subscription have all come: an extension of Ebbtide's.
    pub snapshots: bool,
}

impl Limits {
    /// Servers cannot say it before 5.0, and some stall when more is under way than their own usual limit.
    const WINDOW_BEFORE_5: NonZeroU16 = NonZeroU16::new(20).expect("not zero");
    /// A SUBSCRIBE with an identifier, without its filter.
    const SUBSCRIBE_OVERHEAD_BYTES_MAX: usize = 16;

    /// What CONNACK says, its silence filled with the standard's defaults (section 3.2.2.3).
    #[must_use]
    pub fn new(connect: &Connect, connack: &ConnAck) -> Self {
        Self {
            version: connect.version,
            receive_maximum: if connect.version == Version::V5 {
                connack.receive_maximum.unwrap_or(NonZeroU16::MAX)
            } else {
                Self::WINDOW_BEFORE_5
            },
            maximum_packet_size: connack.maximum_packet_size,
            topic_alias_maximum: connack.topic_alias_maximum,
            maximum_qos: connack.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retain: connack.retain_available.unwrap_or(true),
            wildcard_subscriptions: connack.wildcard_subscription_available.unwrap_or(true),
            subscription_identifiers: connect.version == Version::V5
                && connack.subscription_identifiers_available.unwrap_or(true),
            shared_subscriptions: connack.shared_subscription_available.unwrap_or(true),
            // [MQTT-3.1.2-21]
            keep_alive_s: connack.server_keep_alive.unwrap_or(connect.keep_alive),
            snapshots: extension::is_announced(&connack.user_properties, extension::SNAPSHOT),
        }
    }

    /// Why this message must not be sent [MQTT-3.2.2-11, MQTT-3.2.2-14, MQTT-3.2.2-15].
    pub(super) fn refusal(
        &self,
        message: &OutgoingMessage,
        to_publish: impl FnOnce() -> Publish,
    ) -> Option<Error> {
        if message.qos > self.maximum_qos {
            return Some(Error::Refused(ReasonCode::QoSNotSupported));
        }
        if message.retain && !self.retain {
            return Some(Error::Refused(ReasonCode::RetainNotSupported));
        }
        let publish = Packet::Publish(Box::new(to_publish()));
        (!self.has_room(&publish, 0)).then_some(Error::PacketTooLarge)
    }

    /// Whether this packet and so many bytes more can be encoded and are not too large for the server.
    pub(super) fn has_room(&self, packet: &Packet, more: usize) -> bool {
        let most = self.maximum_packet_size.unwrap_or(PACKET_SIZE_MAX) as usize;
        check_as(Some(Role::Client), packet, self.version).is_ok_and(|bytes| bytes + more <= most)
    }

    /// Without what is for people, where the server would not take it along
    /// [MQTT-3.14.2-3, MQTT-3.14.2-4, MQTT-3.15.2-2, MQTT-3.15.2-3].
    pub(super) fn shortened(&self, mut packet: Packet) -> Packet {
        if !self.has_room(&packet, 0) {
            match &mut packet {
                Packet::Disconnect(disconnect) => {
                    disconnect.reason_string = None;
                    disconnect.user_properties.clear();
                }
                Packet::Auth(auth) => {
                    auth.reason_string = None;
                    auth.user_properties.clear();
                }
                Packet::Unsubscribe(unsubscribe) => unsubscribe.user_properties.clear(),
                _ => {}
            }
        }
        packet
    }

    /// What a SUBSCRIBE asks for beyond the standard, if there is room for it.
    pub(super) fn asked_of(&self, filter: &TopicFilter) -> Vec<UserProperty> {
        let asked = extension::set(extension::SNAPSHOT_ASKED);
        // An identifier, and the lengths of names and values.
        let more = asked.0.len() + asked.1.len() + 8;
        let bytes = filter.as_str().len() + Self::SUBSCRIBE_OVERHEAD_BYTES_MAX + more;
        let has_room = self
            .maximum_packet_size
            .is_none_or(|most| bytes <= most as usize);
        let is_asked = self.snapshots && self.subscription_identifiers && has_room;
        is_asked.then_some(asked).into_iter().collect()
    }

    /// Why this filter must not be sent.
    pub(super) fn subscription_refusal(&self, filter: &TopicFilter) -> Option<ReasonCode> {
        if filter.share().is_some() && !self.shared_subscriptions {
            Some(ReasonCode::SharedSubscriptionsNotSupported)
        } else if filter.pattern().bytes().any(|b| matches!(b, b'+' | b'#'))
            && !self.wildcard_subscriptions
        {
            Some(ReasonCode::WildcardSubscriptionsNotSupported)
        } else if self.maximum_packet_size.is_some_and(|most| {
            filter.as_str().len() + Self::SUBSCRIBE_OVERHEAD_BYTES_MAX > most as usize
        }) {
            Some(ReasonCode::PacketTooLarge)
        } else {
            None
        }
    }
}

/// The CONNECT of an attempt.
pub(super) fn packet(
    template: &Connect,
    clean_start: bool,
    assigned: Option<&ByteString>,
) -> Connect {
    let mut connect = template.clone();
    connect.clean_start = clean_start;
    if let Some(client_id) = assigned {
        connect.client_id = client_id.clone();
    }
    connect
}

/// What a refusal or a DISCONNECT means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Retry,
    NeedsAuth,
    Never,
}

/// Judges the reason with which the server ended a connection: what was wrong with one packet need not be wrong with what comes next.
pub(super) fn verdict_on_end(reason: ReasonCode) -> Verdict {
    use ReasonCode as R;
    match reason {
        R::MalformedPacket
        | R::ProtocolError
        | R::TopicNameInvalid
        | R::PayloadFormatInvalid
        | R::RetainNotSupported
        | R::QoSNotSupported => Verdict::Retry,
        _ => verdict(reason),
    }
}

/// Judges the reason with which the server never began the connection.
pub(super) fn verdict(reason: ReasonCode) -> Verdict {
    use ReasonCode as R;
    match reason {
        R::BadUserNameOrPassword | R::NotAuthorized | R::BadAuthenticationMethod => {
            Verdict::NeedsAuth
        }
        R::MalformedPacket
        | R::ProtocolError
        | R::UnsupportedProtocolVersion
        | R::ClientIdentifierNotValid
        | R::Banned
        | R::TopicNameInvalid
        | R::PayloadFormatInvalid
        | R::RetainNotSupported
        | R::QoSNotSupported
        | R::UseAnotherServer
        | R::ServerMoved => Verdict::Never,
        _ => Verdict::Retry,
    }
}
