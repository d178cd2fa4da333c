//! CONNACK of success: what the broker grants and what it tells of itself (section 3.2.2.3). What is absent has the
//! standard's default: all QoS levels, retained messages, wildcards, Subscription Identifiers and shared subscriptions
//! are there.

use std::num::NonZeroU16;

use ebbtide_protocol::{
    ByteString, Packet, ReasonCode, extension,
    packet::{ConnAck, Connect, UserProperty},
};
use ebbtide_store::{DroppedRow, Incarnation, WallTime};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{connect::Arriving, farewell::Tolerance};
use crate::Limits;

/// The User Property that tells a session what it has lost.
const DROPPED: &str = "ebbtide-dropped";
/// The longest string that a packet can carry, bytes.
const STRING_BYTES_MAX: usize = u16::MAX as usize;

/// All but the unreserved characters of RFC 3986: what is encoded in a client id that becomes a level of a topic.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `expiry` is the Session Expiry Interval that is granted, seconds.
pub(super) fn success(
    arriving: &Arriving,
    limits: &Limits,
    expiry: u32,
    session_present: bool,
    session: Incarnation,
    dropped: Option<DroppedRow>,
) -> ConnAck {
    let connect = &arriving.connect;
    let asked = connect.version.session_expiry_interval(connect);
    let keep_alive = keep_alive(connect, limits);
    ConnAck {
        session_expiry_interval: (expiry != asked).then_some(expiry),
        receive_maximum: NonZeroU16::new(limits.receive_maximum),
        maximum_packet_size: Some(limits.maximum_packet_size),
        // [MQTT-3.1.3-7]
        assigned_client_identifier: arriving.is_assigned.then(|| connect.client_id.clone()),
        topic_alias_maximum: limits.topic_alias_maximum,
        // [MQTT-3.2.2-21]
        server_keep_alive: (keep_alive != connect.keep_alive).then_some(keep_alive),
        // Only to who asked [MQTT-3.1.2-28].
        response_information: connect
            .request_response_information
            .then(|| response_information(&connect.client_id))
            .flatten(),
        // [MQTT-4.12.0-5]
        authentication_method: connect.authentication_method.clone(),
        authentication_data: arriving.authentication_data.clone(),
        user_properties: dropped
            .map(told)
            .into_iter()
            .chain(connect.version.has_properties().then(extensions))
            .chain((connect.version.has_properties() && expiry > 0).then(|| name(session)))
            .collect(),
        ..ConnAck::new(ReasonCode::Success, session_present)
    }
}

/// What this broker has beyond the standard.
fn extensions() -> UserProperty {
    let list = [extension::SNAPSHOT, extension::SESSION].join(",");
    (extension::EXTENSIONS.into(), list.into())
}

/// Tells a session from the one that the client had before: its number is never used again.
fn name(session: Incarnation) -> UserProperty {
    (extension::SESSION_NAME.into(), session.0.to_string().into())
}

/// Makes CONNACK as small as the client wants it; `None`: it must not be sent. Also whether the session's losses are still told:
/// the extensions go before them.
pub(super) fn fit(mut connack: ConnAck, connect: &Connect) -> Option<(Packet, bool)> {
    let tolerance = Tolerance::of(connect);
    let mut packet = Packet::ConnAck(Box::new(connack.clone()));
    for name in [extension::SESSION_NAME, extension::EXTENSIONS] {
        if !tolerance.fits_whole(&packet, connect.version) {
            connack.user_properties.retain(|(key, _)| key != name);
            packet = Packet::ConnAck(Box::new(connack.clone()));
        }
    }
    let fits = tolerance.fits(&mut packet, connect.version);
    let is_told = matches!(&packet, Packet::ConnAck(connack)
        if extension::values(&connack.user_properties, DROPPED).next().is_some());
    fits.then_some((packet, is_told))
}

/// What the session has lost while nobody could be told: how many messages, when the first and when the last.
fn told(dropped: DroppedRow) -> UserProperty {
    let DroppedRow {
        count,
        first_at,
        last_at,
        ..
    } = dropped;
    let (first, last) = (rfc3339(first_at), rfc3339(last_at));
    let value = format!(r#"{{"count":{count},"first":"{first}","last":"{last}"}}"#);
    (DROPPED.into(), value.into())
}

/// A time as RFC 3339 writes it, in UTC, to the second.
#[must_use]
pub fn rfc3339(at: WallTime) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|date| date.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// The keep alive in force, seconds: the client's [MQTT-3.2.2-22], unless the server has a limit and it is above.
pub(super) fn keep_alive(connect: &Connect, limits: &Limits) -> u16 {
    let (asked, limit) = (connect.keep_alive, limits.keep_alive_s_max);
    if limit > 0 && (asked == 0 || asked > limit) {
        limit
    } else {
        asked
    }
}

/// Where a client may have its answers published: a part of the topic tree that is its own by its name (section
/// 3.2.2.3.15). The client id is percent-encoded, so that it is one level. `None`: it would be too long for a topic.
fn response_information(client_id: &str) -> Option<ByteString> {
    let level = utf8_percent_encode(client_id, RESERVED);
    let prefix = format!("response/{level}");
    (prefix.len() < STRING_BYTES_MAX).then(|| prefix.into())
}
