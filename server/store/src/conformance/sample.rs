//! Values for histories: small numbers, so that they meet again; and every optional field both there and not.

use bytes::Bytes;
use ebbtide_protocol::{
    PacketId, QoS, TopicFilter, TopicName,
    packet::{MessageProperties, RetainHandling, SubscriptionOptions, Will},
};

use crate::{
    AccessRow, DroppedRow, GroupRow, Incarnation, Message, Operation, Queue, Recipient,
    RecipientSet, RetainedChange, RetainedRow, Revision, Sequence, SessionRow, SubscriptionRow,
    WallTime, WillRow,
    access::{Actions, Effect, KeyRow, RuleRow, Scopes, Secret, UserRow, Who},
};

/// The packet id, which is not zero.
pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("the suite uses no packet id zero")
}

pub(crate) fn topic(number: u64) -> TopicName {
    TopicName::new(format!("site/{number}/state")).expect("valid")
}

pub(crate) fn filter(number: u64) -> TopicFilter {
    let filter = match number % 3 {
        0 => format!("site/{number}/#"),
        1 => format!("$share/group/site/+/{number}"),
        _ => format!("site/{number}"),
    };
    TopicFilter::new(filter).expect("valid")
}

/// Groups are numbered like sessions, and may meet them.
pub(crate) fn put_group(number: u64) -> Operation {
    Operation::PutGroup(GroupRow {
        group: Incarnation(number),
        filter: filter(1 + number * 3),
    })
}

/// The copy has the number `copy`. Nothing else is done for the group than what is moved.
pub(crate) fn move_shared(
    sequence: u64,
    from: u64,
    copy: u64,
    to: u64,
    packet_id: u16,
) -> Operation {
    Operation::MoveShared {
        sequence: Sequence(sequence),
        from: Incarnation(from),
        cursor: Sequence(0),
        to: Incarnation(to),
        copy: queue(copy, [to], sequence).expect("there is one"),
        packet_id: id(packet_id),
    }
}

/// A message that `seed` fixes in all its fields.
pub(crate) fn message(topic: TopicName, seed: u64) -> Message {
    let full = seed.is_multiple_of(2);
    Message {
        topic,
        payload: Bytes::from(vec![seed as u8; (seed % 50) as usize]),
        qos: qos(seed),
        retain: full,
        accepted_at: WallTime(1_700_000_000_000 + seed),
        properties: MessageProperties {
            payload_format_indicator: full.then_some(seed.is_multiple_of(4)),
            message_expiry_interval: full.then_some(seed as u32),
            content_type: full.then(|| "text/plain".into()),
            response_topic: full.then(|| self::topic(seed)),
            correlation_data: full.then(|| Bytes::from_static(b"\0\x01")),
            user_properties: (0..seed % 3)
                .map(|n| (format!("name {n}").into(), "värde".into()))
                .collect(),
        }
        .into(),
    }
}

fn qos(seed: u64) -> QoS {
    if seed.is_multiple_of(2) {
        QoS::AtLeastOnce
    } else {
        QoS::ExactlyOnce
    }
}

pub(crate) fn put_session(number: u64, seed: u64) -> Operation {
    Operation::PutSession(SessionRow {
        incarnation: Incarnation(number),
        client_id: format!("client {number}").into(),
        user: (seed.is_multiple_of(2)).then(|| "user".into()),
        session_expiry_interval: seed as u32,
        disconnected_at: (seed.is_multiple_of(3)).then_some(WallTime(seed)),
        next_packet_id: id(1 + seed as u16 % 9),
        maybe_sent: Sequence(seed % 3),
    })
}

pub(crate) fn subscription(number: u64, seed: u64) -> SubscriptionRow {
    SubscriptionRow {
        filter: filter(number),
        options: SubscriptionOptions {
            qos: qos(seed),
            no_local: seed.is_multiple_of(2),
            retain_as_published: seed.is_multiple_of(3),
            retain_handling: match seed % 3 {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                _ => RetainHandling::DoNotSend,
            },
        },
        identifier: (seed.is_multiple_of(2)).then_some(1 + seed as u32),
        retained_owed: seed.is_multiple_of(5),
    }
}

pub(crate) fn put_subscription(session: u64, number: u64, seed: u64) -> Operation {
    Operation::PutSubscription {
        session: Incarnation(session),
        subscription: subscription(number, seed),
    }
}

pub(crate) fn put_dropped(session: u64, seed: u64) -> Operation {
    Operation::PutDropped(DroppedRow {
        session: Incarnation(session),
        count: 1 + seed,
        first_at: WallTime(seed),
        last_at: WallTime(seed * 2),
    })
}

/// Of one of the four kinds.
fn access(kind: u64, seed: u64) -> AccessRow {
    let claims = |count| (0..count).map(|n| (format!("claim {n}").into(), "värde".into()));
    let scopes = Scopes {
        read: seed.is_multiple_of(2),
        publish: seed.is_multiple_of(3),
        admin: seed.is_multiple_of(5),
    };
    match kind {
        0 => AccessRow::User(UserRow {
            name: format!("user {}", seed % 3).into(),
            password: Secret(vec![seed as u8; 9]),
            scopes,
            claims: claims(seed % 3).collect(),
            changed_at: WallTime(seed),
        }),
        1 => AccessRow::Key(KeyRow {
            id: format!("key {}", seed % 3).into(),
            label: "für".into(),
            hash: Secret(vec![seed as u8; 32]),
            scopes,
            created_at: WallTime(seed),
            used_at: seed.is_multiple_of(2).then_some(WallTime(seed + 1)),
        }),
        2 => AccessRow::Rules((0..seed % 6).map(rule).collect()),
        _ => AccessRow::Secret(Secret(vec![seed as u8; 32])),
    }
}

fn rule(number: u64) -> RuleRow {
    RuleRow {
        effect: match number.is_multiple_of(2) {
            true => Effect::Allow,
            false => Effect::Deny,
        },
        who: match number {
            0 => Who::Any,
            1 => Who::Anonymous,
            2 => Who::Authenticated,
            3 => Who::User("ann".into()),
            _ => Who::Claim {
                name: "role".into(),
                value: "admin".into(),
            },
        },
        actions: Actions {
            publish: number.is_multiple_of(2),
            subscribe: number.is_multiple_of(3),
            retain: number.is_multiple_of(5),
        },
        topics: (0..=number % 2)
            .map(|n| format!("a/{n}/{{user}}/#").into())
            .collect(),
    }
}

pub(crate) fn put_access(kind: u64, seed: u64) -> Operation {
    Operation::PutAccess(Box::new(access(kind, seed)))
}

pub(crate) fn remove_access(kind: u64, seed: u64) -> Operation {
    Operation::RemoveAccess(access(kind, seed).name())
}

pub(crate) fn put_will(session: u64, seed: u64) -> Operation {
    let message = message(topic(session), seed);
    Operation::PutWill(Box::new(WillRow {
        session: Incarnation(session),
        client_id: format!("client {session}").into(),
        user: (seed.is_multiple_of(2)).then(|| "user".into()),
        claims: (0..seed % 3)
            .map(|n| (format!("claim {n}").into(), "värde".into()))
            .collect(),
        will: Will {
            topic: message.topic,
            payload: message.payload,
            qos: message.qos,
            retain: message.retain,
            delay_interval: seed as u32,
            properties: message.properties.into_inner(),
        },
        due_at: (seed.is_multiple_of(3)).then_some(WallTime(seed)),
    }))
}

/// A set of these sessions; `seed` varies how they get their message.
pub(crate) fn recipients(sessions: impl IntoIterator<Item = u64>, seed: u64) -> RecipientSet {
    let mut sessions: Vec<u64> = sessions.into_iter().collect();
    sessions.sort_unstable();
    sessions.dedup();
    let recipient = |session| Recipient {
        session: Incarnation(session),
        qos: qos(session + seed),
        retain: seed.is_multiple_of(5),
        subscription_identifiers: (0..(session + seed) as u32 % 3).collect(),
    };
    sessions.into_iter().map(recipient).collect()
}

pub(crate) fn queue(
    sequence: u64,
    sessions: impl IntoIterator<Item = u64>,
    seed: u64,
) -> Option<Queue> {
    Some(Queue {
        sequence: Sequence(sequence),
        message: message(topic(seed % 4), seed).into(),
        recipients: recipients(sessions, seed % 3),
    })
}

pub(crate) fn set_retained(topic: u64, revision: u64) -> RetainedChange {
    RetainedChange::Set(RetainedRow {
        revision: Revision(revision),
        message: message(self::topic(topic), revision).into(),
    })
}

pub(crate) fn clear_retained(topic: u64, revision: u64) -> RetainedChange {
    RetainedChange::Clear {
        topic: self::topic(topic),
        revision: Revision(revision),
    }
}

pub(crate) fn sent(session: u64, sequence: u64, packet_id: u16) -> Operation {
    Operation::Sent {
        session: Incarnation(session),
        sequence: Sequence(sequence),
        packet_id: id(packet_id),
    }
}

pub(crate) fn released(session: u64, sequence: u64, packet_id: u16) -> Operation {
    Operation::Released {
        session: Incarnation(session),
        sequence: Sequence(sequence),
        packet_id: id(packet_id),
    }
}

pub(crate) fn done(session: u64, sequence: u64, packet_id: u16, cursor: u64) -> Operation {
    Operation::Done {
        session: Incarnation(session),
        sequence: Sequence(sequence),
        packet_id: PacketId::new(packet_id),
        cursor: Sequence(cursor),
    }
}
