//! Generators of every packet, limited to what a version can carry and to the form that decoding gives.
//!
//! `packet(role, version)` makes what that role reads. A test that needs them elsewhere includes this file by path.

#![allow(dead_code, missing_docs, reason = "each test takes what it needs")]

use std::num::NonZeroU16;

use bytes::Bytes;
use ebbtide_protocol::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, MessageProperties, Publish, RetainHandling, SubAck,
    Subscribe, Subscription, SubscriptionOptions, UnsubAck, Unsubscribe, UserProperty, Will,
};
use ebbtide_protocol::{
    ByteString, Packet, PacketId, QoS, ReasonCode, Role, TopicFilter, TopicName, Version,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const SUBSCRIPTION_IDENTIFIER_MAX: u32 = 268_435_455;

pub fn version() -> impl Strategy<Value = Version> {
    select(vec![Version::V3_1, Version::V3_1_1, Version::V5])
}

pub fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Server, Role::Client])
}

/// Every packet that `role` reads in `version`.
pub fn packet(role: Role, version: Version) -> BoxedStrategy<Packet> {
    let mut all = vec![
        publish(role, version)
            .prop_map(|p| Packet::Publish(Box::new(p)))
            .boxed(),
        ack(version, RECEIVED).prop_map(Packet::PubAck).boxed(),
        ack(version, RECEIVED).prop_map(Packet::PubRec).boxed(),
        ack(version, RELEASED).prop_map(Packet::PubRel).boxed(),
        ack(version, RELEASED).prop_map(Packet::PubComp).boxed(),
    ];
    match role {
        Role::Server => all.extend([
            subscribe(version).prop_map(Packet::Subscribe).boxed(),
            unsubscribe(version).prop_map(Packet::Unsubscribe).boxed(),
            Just(Packet::PingReq).boxed(),
        ]),
        Role::Client => all.extend([
            connack(version)
                .prop_map(|p| Packet::ConnAck(Box::new(p)))
                .boxed(),
            suback(version).prop_map(Packet::SubAck).boxed(),
            unsuback(version).prop_map(Packet::UnsubAck).boxed(),
            Just(Packet::PingResp).boxed(),
        ]),
    }
    if role == Role::Server || version == Version::V5 {
        all.push(
            disconnect(role, version)
                .prop_map(|p| Packet::Disconnect(Box::new(p)))
                .boxed(),
        );
    }
    if version == Version::V5 {
        all.push(auth(role).prop_map(|p| Packet::Auth(Box::new(p))).boxed());
    }
    proptest::strategy::Union::new(all).boxed()
}

/// `strategy` in 5.0, the default value before: what only 5.0 has.
fn v5<T: Clone + std::fmt::Debug + Default + 'static>(
    version: Version,
    strategy: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    if version == Version::V5 {
        strategy.boxed()
    } else {
        Just(T::default()).boxed()
    }
}

pub fn text() -> impl Strategy<Value = ByteString> {
    prop_oneof![4 => "[^\\x00]{0,12}", 1 => "[a-zé水]{120,140}"].prop_map(ByteString::from)
}

fn binary() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

pub fn topic_name() -> impl Strategy<Value = TopicName> {
    "[$/abé]{1,8}".prop_map(|text| TopicName::new(text).expect("no wildcard, not empty"))
}

pub fn topic_filter() -> impl Strategy<Value = TopicFilter> {
    let level = prop_oneof![3 => "[$abé]{0,2}", 1 => Just("+".to_owned())];
    (
        option::weighted(0.2, "[ab]{1,3}"),
        vec(level, 1..5),
        any::<bool>(),
    )
        .prop_map(|(group, mut levels, multi)| {
            if multi {
                levels.push("#".to_owned());
            }
            let mut pattern = levels.join("/");
            if pattern.is_empty() || pattern.starts_with("$share") {
                pattern = "a".to_owned();
            }
            let text = group.map_or(pattern.clone(), |group| format!("$share/{group}/{pattern}"));
            TopicFilter::new(text).expect("built from whole levels")
        })
}

fn user_properties(version: Version) -> BoxedStrategy<Vec<UserProperty>> {
    v5(version, vec((text(), text()), 0..3))
}

fn diagnostics(version: Version) -> impl Strategy<Value = (Option<ByteString>, Vec<UserProperty>)> {
    (v5(version, option::of(text())), user_properties(version))
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    any::<NonZeroU16>()
}

fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn message_properties(version: Version) -> BoxedStrategy<MessageProperties> {
    let properties = (
        option::of(any::<bool>()),
        option::of(any::<u32>()),
        option::of(text()),
        option::of(topic_name()),
        option::of(binary()),
        user_properties(version),
    )
        .prop_map(
            |(format, expiry, content_type, response_topic, correlation_data, user_properties)| {
                MessageProperties {
                    payload_format_indicator: format,
                    message_expiry_interval: expiry,
                    content_type,
                    response_topic,
                    correlation_data,
                    user_properties,
                }
            },
        );
    v5(version, properties)
}

pub fn connect(version: Version) -> impl Strategy<Value = Connect> {
    let will = (
        topic_name(),
        binary(),
        qos(),
        any::<bool>(),
        v5(version, any::<u32>()),
        message_properties(version),
    )
        .prop_map(
            |(topic, payload, qos, retain, delay_interval, properties)| Will {
                topic,
                payload,
                qos,
                retain,
                delay_interval,
                properties,
            },
        );
    let session = (
        any::<bool>(),
        any::<u16>(),
        text(),
        option::of(will),
        option::of(text()),
        option::of(binary()),
    );
    let limits = (
        v5(version, option::of(any::<u32>())),
        v5(version, option::of(any::<NonZeroU16>())),
        v5(version, option::of(1..=u32::MAX)),
        v5(version, any::<u16>()),
        v5(version, any::<bool>()),
        v5(version, option::of(any::<bool>())),
    );
    let method = v5(version, option::of((text(), option::of(binary()))));
    (session, limits, user_properties(version), method).prop_map(
        move |(
            (clean_start, keep_alive, client_id, will, username, password),
            limits,
            user_properties,
            method,
        )| {
            let (authentication_method, authentication_data) =
                method.map_or((None, None), |(m, d)| (Some(m), d));
            let needs_id = client_id.is_empty() && !version.allows_empty_client_id(clean_start);
            let password =
                password.filter(|_| username.is_some() || !version.password_requires_user_name());
            Connect {
                version,
                clean_start,
                keep_alive,
                client_id: if needs_id { "c".into() } else { client_id },
                will,
                username,
                password,
                session_expiry_interval: limits.0,
                receive_maximum: limits.1,
                maximum_packet_size: limits.2,
                topic_alias_maximum: limits.3,
                request_response_information: limits.4,
                request_problem_information: limits.5,
                user_properties,
                authentication_method,
                authentication_data,
            }
        },
    )
}

fn connack(version: Version) -> BoxedStrategy<ConnAck> {
    // Those that all versions can say and read back.
    let reason = select(vec![
        ReasonCode::Success,
        ReasonCode::UnsupportedProtocolVersion,
        ReasonCode::ClientIdentifierNotValid,
        ReasonCode::ServerUnavailable,
        ReasonCode::BadUserNameOrPassword,
        ReasonCode::NotAuthorized,
    ]);
    let plain = (reason, any::<bool>()).prop_map(move |(reason, session_present)| {
        ConnAck::new(
            reason,
            session_present && reason == ReasonCode::Success && version.has_session_present(),
        )
    });
    if version != Version::V5 {
        return plain.boxed();
    }
    let numbers = (
        option::of(any::<u32>()),
        option::of(any::<NonZeroU16>()),
        option::of(select(vec![QoS::AtMostOnce, QoS::AtLeastOnce])),
        option::of(1..=u32::MAX),
        any::<u16>(),
        option::of(any::<u16>()),
    );
    let flags = proptest::array::uniform4(option::of(any::<bool>()));
    let texts = proptest::array::uniform4(option::of(text()));
    (
        plain,
        numbers,
        flags,
        texts,
        option::of(binary()),
        diagnostics(version),
    )
        .prop_map(
            |(
                plain,
                numbers,
                flags,
                texts,
                authentication_data,
                (reason_string, user_properties),
            )| {
                let [
                    assigned_client_identifier,
                    response_information,
                    server_reference,
                    authentication_method,
                ] = texts;
                ConnAck {
                    session_expiry_interval: numbers.0,
                    receive_maximum: numbers.1,
                    maximum_qos: numbers.2,
                    maximum_packet_size: numbers.3,
                    topic_alias_maximum: numbers.4,
                    server_keep_alive: numbers.5,
                    retain_available: flags[0],
                    wildcard_subscription_available: flags[1],
                    subscription_identifiers_available: flags[2],
                    shared_subscription_available: flags[3],
                    assigned_client_identifier,
                    response_information,
                    server_reference,
                    authentication_method,
                    authentication_data,
                    reason_string,
                    user_properties,
                    ..plain
                }
            },
        )
        .boxed()
}

pub fn publish(role: Role, version: Version) -> impl Strategy<Value = Publish> {
    let identifiers = if role == Role::Client { 0..3 } else { 0..1 };
    let identifiers = v5(version, vec(1..=SUBSCRIPTION_IDENTIFIER_MAX, identifiers));
    let alias = v5(version, option::of((any::<NonZeroU16>(), any::<bool>())));
    let flags = (any::<bool>(), qos(), any::<bool>());
    let payload = vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    (
        flags,
        topic_name(),
        packet_id(),
        alias,
        identifiers,
        message_properties(version),
        payload,
    )
        .prop_map(
            |(
                (dup, qos, retain),
                topic,
                packet_id,
                alias,
                subscription_identifiers,
                properties,
                payload,
            )| Publish {
                dup: dup && qos != QoS::AtMostOnce,
                qos,
                retain,
                topic: if alias.is_some_and(|(_, alone)| alone) {
                    None
                } else {
                    Some(topic)
                },
                packet_id: (qos != QoS::AtMostOnce).then_some(packet_id),
                topic_alias: alias.map(|(alias, _)| alias),
                subscription_identifiers,
                properties,
                payload,
            },
        )
}

const RECEIVED: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::NoMatchingSubscribers,
    ReasonCode::QuotaExceeded,
];
const RELEASED: &[ReasonCode] = &[ReasonCode::Success, ReasonCode::PacketIdentifierNotFound];

fn ack(version: Version, reasons: &'static [ReasonCode]) -> impl Strategy<Value = Ack> {
    let reasons = if version == Version::V5 {
        reasons
    } else {
        &[ReasonCode::Success]
    };
    (packet_id(), select(reasons), diagnostics(version)).prop_map(
        |(packet_id, reason, (reason_string, user_properties))| Ack {
            packet_id,
            reason,
            reason_string,
            user_properties,
        },
    )
}

fn subscribe(version: Version) -> impl Strategy<Value = Subscribe> {
    let handling = select(vec![
        RetainHandling::Send,
        RetainHandling::SendIfNew,
        RetainHandling::DoNotSend,
    ]);
    let more = v5(version, (any::<bool>(), any::<bool>(), handling));
    let subscription = (topic_filter(), qos(), more).prop_map(|(filter, qos, more)| Subscription {
        options: SubscriptionOptions {
            qos,
            no_local: more.0 && filter.share().is_none(),
            retain_as_published: more.1,
            retain_handling: more.2,
        },
        filter,
    });
    let identifier = v5(version, option::of(1..=SUBSCRIPTION_IDENTIFIER_MAX));
    (
        packet_id(),
        identifier,
        user_properties(version),
        vec(subscription, 1..4),
    )
        .prop_map(
            |(packet_id, subscription_identifier, user_properties, subscriptions)| Subscribe {
                packet_id,
                subscription_identifier,
                user_properties,
                subscriptions,
            },
        )
}

fn suback(version: Version) -> impl Strategy<Value = SubAck> {
    let mut reasons = vec![
        ReasonCode::Success,
        ReasonCode::GrantedQoS1,
        ReasonCode::GrantedQoS2,
        ReasonCode::UnspecifiedError,
    ];
    if version == Version::V5 {
        reasons.push(ReasonCode::NotAuthorized);
    }
    (
        packet_id(),
        diagnostics(version),
        vec(select(reasons), 1..4),
    )
        .prop_map(
            |(packet_id, (reason_string, user_properties), reasons)| SubAck {
                packet_id,
                reason_string,
                user_properties,
                reasons,
            },
        )
}

fn unsubscribe(version: Version) -> impl Strategy<Value = Unsubscribe> {
    (
        packet_id(),
        user_properties(version),
        vec(topic_filter(), 1..4),
    )
        .prop_map(|(packet_id, user_properties, filters)| Unsubscribe {
            packet_id,
            user_properties,
            filters,
        })
}

fn unsuback(version: Version) -> impl Strategy<Value = UnsubAck> {
    let reasons = v5(
        version,
        vec(
            select(vec![ReasonCode::Success, ReasonCode::NoSubscriptionExisted]),
            1..4,
        ),
    );
    (packet_id(), diagnostics(version), reasons).prop_map(
        |(packet_id, (reason_string, user_properties), reasons)| UnsubAck {
            packet_id,
            reason_string,
            user_properties,
            reasons,
        },
    )
}

fn disconnect(role: Role, version: Version) -> impl Strategy<Value = Disconnect> {
    let reasons = match (version, role) {
        (Version::V5, Role::Server) => vec![ReasonCode::Success, ReasonCode::DisconnectWithWill],
        (Version::V5, Role::Client) => vec![ReasonCode::Success, ReasonCode::SessionTakenOver],
        _ => vec![ReasonCode::Success],
    };
    let expiry = v5(version, option::of(any::<u32>()));
    let reference = v5(version, option::of(text()));
    (select(reasons), expiry, diagnostics(version), reference).prop_map(
        move |(reason, expiry, (reason_string, user_properties), reference)| Disconnect {
            reason,
            session_expiry_interval: expiry.filter(|_| role == Role::Server),
            reason_string,
            user_properties,
            server_reference: reference.filter(|_| role == Role::Client),
        },
    )
}

fn auth(role: Role) -> impl Strategy<Value = Auth> {
    let own = if role == Role::Server {
        ReasonCode::ReAuthenticate
    } else {
        ReasonCode::Success
    };
    let reason = select(vec![ReasonCode::ContinueAuthentication, own]);
    (
        reason,
        text(),
        option::of(binary()),
        diagnostics(Version::V5),
    )
        .prop_map(
            |(reason, method, authentication_data, (reason_string, user_properties))| Auth {
                reason,
                authentication_method: Some(method),
                authentication_data,
                reason_string,
                user_properties,
            },
        )
}
