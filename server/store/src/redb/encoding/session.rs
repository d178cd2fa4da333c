//! Rows of sessions and of what belongs to them: subscriptions and wills; and the reserved marks.

use bytes::Bytes;
use ebbtide_protocol::{
    PacketId, TopicFilter,
    packet::{RetainHandling, SubscriptionOptions, Will},
};
use serde::{Deserialize, Serialize};

use super::{
    RowError,
    access::{decode_claims, encode_claims},
    decode, encode,
    message::{Blob, Properties, topic},
    qos,
};
use crate::{
    DroppedRow, GroupRow, Incarnation, Marks, Sequence, SessionRow, SubscriptionRow, WallTime,
    WillRow,
};

const MARKS_VERSION: u8 = 1;
const SESSION_VERSION: u8 = 2;
/// It ended with `next_packet_id`.
const SESSION_WITHOUT_MAYBE_SENT: u8 = 1;
const GROUP_VERSION: u8 = 1;
const SUBSCRIPTION_VERSION: u8 = 1;
const DROPPED_VERSION: u8 = 1;
const WILL_VERSION: u8 = 2;
/// It did not say whose it is.
const WILL_OF_NOBODY: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Session<'a> {
    client_id: &'a str,
    user: Option<&'a str>,
    session_expiry_interval: u32,
    disconnected_at: Option<WallTime>,
    next_packet_id: PacketId,
}

#[derive(Serialize, Deserialize)]
struct Subscription {
    qos: u8,
    no_local: bool,
    retain_as_published: bool,
    retain_handling: u8,
    identifier: Option<u32>,
    retained_owed: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredWill<'a> {
    client_id: &'a str,
    due_at: Option<WallTime>,
    topic: &'a str,
    qos: u8,
    retain: bool,
    delay_interval: u32,
    #[serde(borrow)]
    properties: Properties<'a>,
    payload: Blob<'a>,
}

/// Whose a will is.
#[derive(Default, Serialize, Deserialize)]
struct Owner {
    user: Option<String>,
    claims: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct Dropped {
    count: u64,
    first_at: WallTime,
    last_at: WallTime,
}

/// What a session has lost; its incarnation is the key.
pub(in crate::redb) fn encode_dropped(row: &DroppedRow) -> Vec<u8> {
    let &DroppedRow {
        count,
        first_at,
        last_at,
        ..
    } = row;
    encode(
        DROPPED_VERSION,
        &Dropped {
            count,
            first_at,
            last_at,
        },
    )
}

/// What a session has lost.
pub(in crate::redb) fn decode_dropped(key: u64, row: &[u8]) -> Result<DroppedRow, RowError> {
    let Dropped {
        count,
        first_at,
        last_at,
    } = decode(DROPPED_VERSION, row)?;
    Ok(DroppedRow {
        session: Incarnation(key),
        count,
        first_at,
        last_at,
    })
}

/// The reserved numbers.
pub(in crate::redb) fn encode_marks(marks: &Marks) -> Vec<u8> {
    encode(MARKS_VERSION, marks)
}

/// The reserved numbers.
pub(in crate::redb) fn decode_marks(row: &[u8]) -> Result<Marks, RowError> {
    decode(MARKS_VERSION, row)
}

/// A session; its incarnation is the key.
pub(in crate::redb) fn encode_session(row: &SessionRow) -> Vec<u8> {
    let session = Session {
        client_id: &row.client_id,
        user: row.user.as_deref(),
        session_expiry_interval: row.session_expiry_interval,
        disconnected_at: row.disconnected_at,
        next_packet_id: row.next_packet_id,
    };
    encode(SESSION_VERSION, &(session, row.maybe_sent))
}

/// A session.
pub(in crate::redb) fn decode_session(key: u64, row: &[u8]) -> Result<SessionRow, RowError> {
    let (row, maybe_sent): (Session<'_>, Sequence) = match row.first() {
        Some(&SESSION_WITHOUT_MAYBE_SENT) => {
            (decode(SESSION_WITHOUT_MAYBE_SENT, row)?, Sequence(0))
        }
        _ => decode(SESSION_VERSION, row)?,
    };
    Ok(SessionRow {
        incarnation: Incarnation(key),
        client_id: row.client_id.into(),
        user: row.user.map(Into::into),
        session_expiry_interval: row.session_expiry_interval,
        disconnected_at: row.disconnected_at,
        next_packet_id: row.next_packet_id,
        maybe_sent,
    })
}

/// A group; its number is the key.
pub(in crate::redb) fn encode_group(row: &GroupRow) -> Vec<u8> {
    encode(GROUP_VERSION, row.filter.as_str())
}

/// A group.
pub(in crate::redb) fn decode_group(key: u64, row: &[u8]) -> Result<GroupRow, RowError> {
    let filter: &str = decode(GROUP_VERSION, row)?;
    Ok(GroupRow {
        group: Incarnation(key),
        filter: TopicFilter::new(filter)
            .map_err(|_| RowError::Invalid("the topic filter is not valid"))?,
    })
}

/// A subscription; its filter is part of the key.
pub(in crate::redb) fn encode_subscription(row: &SubscriptionRow) -> Vec<u8> {
    encode(
        SUBSCRIPTION_VERSION,
        &Subscription {
            qos: row.options.qos as u8,
            no_local: row.options.no_local,
            retain_as_published: row.options.retain_as_published,
            retain_handling: row.options.retain_handling as u8,
            identifier: row.identifier,
            retained_owed: row.retained_owed,
        },
    )
}

/// A subscription.
pub(in crate::redb) fn decode_subscription(
    filter: &[u8],
    row: &[u8],
) -> Result<SubscriptionRow, RowError> {
    let filter =
        std::str::from_utf8(filter).map_err(|_| RowError::Invalid("the key is not UTF-8"))?;
    let row: Subscription = decode(SUBSCRIPTION_VERSION, row)?;
    Ok(SubscriptionRow {
        filter: TopicFilter::new(filter)
            .map_err(|_| RowError::Invalid("the topic filter is not valid"))?,
        options: SubscriptionOptions {
            qos: qos(row.qos)?,
            no_local: row.no_local,
            retain_as_published: row.retain_as_published,
            retain_handling: match row.retain_handling {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                2 => RetainHandling::DoNotSend,
                _ => return Err(RowError::Invalid("the retain handling does not exist")),
            },
        },
        identifier: row.identifier,
        retained_owed: row.retained_owed,
    })
}

/// A will; the incarnation is the key.
pub(in crate::redb) fn encode_will(row: &WillRow) -> Vec<u8> {
    let will = StoredWill {
        client_id: &row.client_id,
        due_at: row.due_at,
        topic: row.will.topic.as_str(),
        qos: row.will.qos as u8,
        retain: row.will.retain,
        delay_interval: row.will.delay_interval,
        properties: Properties::of(&row.will.properties),
        payload: Blob(&row.will.payload),
    };
    let owner = Owner {
        user: row.user.as_ref().map(ToString::to_string),
        claims: encode_claims(&row.claims),
    };
    encode(WILL_VERSION, &(will, owner))
}

/// A will.
pub(in crate::redb) fn decode_will(key: u64, row: &[u8]) -> Result<WillRow, RowError> {
    let (row, owner): (StoredWill<'_>, Owner) = match row.first() {
        Some(&WILL_OF_NOBODY) => (decode(WILL_OF_NOBODY, row)?, Owner::default()),
        _ => decode(WILL_VERSION, row)?,
    };
    Ok(WillRow {
        session: Incarnation(key),
        client_id: row.client_id.into(),
        user: owner.user.map(Into::into),
        claims: decode_claims(owner.claims),
        due_at: row.due_at,
        will: Will {
            topic: topic(row.topic)?,
            payload: Bytes::copy_from_slice(row.payload.0),
            qos: qos(row.qos)?,
            retain: row.retain,
            delay_interval: row.delay_interval,
            properties: row.properties.own()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_an_earlier_program_is_read() -> Result<(), RowError> {
        let session = Session {
            client_id: "a",
            user: None,
            session_expiry_interval: 60,
            disconnected_at: None,
            next_packet_id: PacketId::MIN,
        };
        let old = decode_session(1, &encode(SESSION_WITHOUT_MAYBE_SENT, &session))?;
        assert_eq!((&*old.client_id, old.maybe_sent), ("a", Sequence(0)));
        assert_eq!(decode_session(1, &encode_session(&old)), Ok(old));
        Ok(())
    }
}
