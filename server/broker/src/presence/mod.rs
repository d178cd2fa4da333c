//! Presence kept by the broker: a retained entry for each client that says whether it is connected.
//!
//! It is written in the order of what happens to a client, under one lock per change, so that the end of an old connection never
//! stands after the beginning of a new one. CONNACK waits for the entry. Clients cannot publish to these topics; an operator can
//! clear the entry of a client that is gone. After a crash all who were there are gone, and their entries say so as soon as they can.

mod topic;

use bytes::Bytes;
use ebbtide_protocol::{ByteString, QoS, TopicName, packet::MessageProperties};
use ebbtide_store::{Message, Properties, RetainedRow};
use parking_lot::{Mutex, MutexGuard};
use serde_json::json;

pub use self::topic::{PresenceTopic, PresenceTopicError};
use crate::{
    Limits, Now,
    connection::rfc3339,
    journal::Ticket,
    keyed::KeyedMap,
    room::NoRoom,
    route::{self, Incoming, Published, Source, retained::Retained},
    shared::{Shared, scramble},
    work::TIMER_STEPS,
};

const ONLINE: &str = "online";

/// What is left to be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Nothing.
    All,
    /// Others may have their turn first.
    Some,
    /// The disk is behind: again later.
    Behind,
}

/// The presence of all clients.
#[derive(Debug)]
pub(crate) struct Presence {
    topic: PresenceTopic,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The connection that each entry is about.
    present: KeyedMap<TopicName, u64>,
    last: u64,
    /// Entries of clients that were connected when the broker ended.
    stale: Vec<TopicName>,
}

/// The entry of one connection. It is to be given up when the connection ends.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    topic: TopicName,
    connection: u64,
}

/// A client is not connected, and none comes or goes as long as this is held.
pub(crate) struct Absence<'a> {
    _state: MutexGuard<'a, State>,
}

impl Presence {
    /// `retained` has what the last run has left.
    pub fn recover(topic: PresenceTopic, retained: &Retained) -> Self {
        let mut stale = Vec::new();
        let _ = retained.visit(&topic.filter(), None, &mut |row: Option<&RetainedRow>| {
            if let Some(row) = row
                && topic.contains(&row.message.topic)
                && is_online(&row.message.payload)
            {
                stale.push(row.message.topic.clone());
            }
            std::ops::ControlFlow::Continue(())
        });
        let state = Mutex::new(State {
            stale,
            ..State::default()
        });
        Self { topic, state }
    }

    /// Whether the topic is one of these, and so not for clients to publish to.
    pub fn contains(&self, topic: &TopicName) -> bool {
        self.topic.contains(topic)
    }

    /// Of the client whose entry this is, if it is not connected: then somebody else may clear it.
    pub fn absence(&self, topic: &TopicName) -> Option<Absence<'_>> {
        let state = self.state.lock();
        let is_gone = self.topic.contains(topic) && !state.present.contains_key(topic);
        is_gone.then_some(Absence { _state: state })
    }

    /// Whether there is something for [`Presence::settle`].
    pub fn is_stale(&self) -> bool {
        !self.state.lock().stale.is_empty()
    }

    /// Whether there may be an entry for this client: there is one, or room for one more.
    pub fn has_room(&self, shared: &Shared, client_id: &str) -> bool {
        let Some(topic) = self.topic.of(client_id) else {
            return true;
        };
        let retained = shared.retained.read();
        !is_full(&retained, &shared.limits()) || retained.get(&topic).is_some()
    }

    /// The client is connected. `None`: its name is too long for a topic.
    pub fn enter(
        &self,
        shared: &Shared,
        client_id: &str,
        user: Option<&ByteString>,
        now: Now,
    ) -> Option<(Seat, Option<Ticket>)> {
        let topic = self.topic.of(client_id)?;
        let mut state = self.state.lock();
        state.last += 1;
        let connection = state.last;
        state.present.insert(topic.clone(), connection);
        let mut entry = json!({
            "status": ONLINE,
            "since": rfc3339(now.wall),
            "conn": format!("{:016x}", scramble(shared.seed ^ scramble(connection))),
        });
        if let Some(user) = user {
            entry["user"] = (&**user).into();
        }
        let published = publish(shared, entry_of(topic.clone(), &entry, None, now), now);
        drop(state);
        let ticket = published.and_then(|published| published.ticket);
        Some((Seat { topic, connection }, ticket))
    }

    /// The entry of a client, whoever's it is now.
    pub fn seat_of(&self, client_id: &str) -> Option<Seat> {
        let topic = self.topic.of(client_id)?;
        let connection = *self.state.lock().present.get(&topic)?;
        Some(Seat { topic, connection })
    }

    /// The client is gone, unless it is there again. `is_kept`: it has a session that waits for it. Without one, its entry is
    /// not kept either when there is no room for more, or when the disk is full: anybody can come under any number of names.
    pub fn leave(&self, shared: &Shared, seat: Seat, reason: &str, is_kept: bool, now: Now) {
        let mut state = self.state.lock();
        if state.present.get(&seat.topic) != Some(&seat.connection) {
            return;
        }
        state.present.remove(&seat.topic);
        let mut entry = self.offline(seat.topic, reason, now);
        let has_room = || {
            !is_full(&shared.retained.read(), &shared.limits())
                && shared.journal.no_room() != Some(NoRoom::Full)
        };
        if is_kept || has_room() {
            publish(shared, entry, now);
            return;
        }
        // Who watches is told nevertheless.
        let clear = Message {
            payload: Bytes::new(),
            properties: Properties::default(),
            ..entry.clone()
        };
        entry.retain = false;
        publish(shared, entry, now);
        publish(shared, clear, now);
    }

    /// All who were connected when the broker ended and have not returned are gone: as many of them as so many steps allow, one at
    /// least. Gives how many steps it took, and what is left.
    pub fn settle(&self, shared: &Shared, steps_max: usize, now: Now) -> (usize, Settled) {
        let mut steps = 0;
        loop {
            // Who comes meanwhile does not wait for all of them.
            let mut state = self.state.lock();
            let Some(topic) = state.stale.pop() else {
                return (steps, Settled::All);
            };
            steps += TIMER_STEPS;
            let is_back = state.present.contains_key(&topic);
            // Who has come and gone since has another entry by now, or none.
            let is_left = shared
                .retained
                .read()
                .get(&topic)
                .is_some_and(|row| is_online(&row.message.payload));
            if is_left && !is_back {
                let entry = self.offline(topic.clone(), "broker restart", now);
                let Some(published) = publish(shared, entry, now) else {
                    state.stale.push(topic);
                    return (steps, Settled::Behind);
                };
                steps += published.steps;
            }
            if steps >= steps_max {
                return (steps, Settled::Some);
            }
        }
    }

    fn offline(&self, topic: TopicName, reason: &str, now: Now) -> Message {
        let entry = json!({
            "status": "offline",
            "since": rfc3339(now.wall),
            "reason": reason,
        });
        entry_of(topic, &entry, self.topic.offline_expiry_s(), now)
    }
}

fn entry_of(
    topic: TopicName,
    entry: &serde_json::Value,
    expiry_s: Option<u32>,
    now: Now,
) -> Message {
    Message {
        topic,
        payload: entry.to_string().into(),
        qos: QoS::AtLeastOnce,
        retain: true,
        accepted_at: now.wall,
        properties: MessageProperties {
            payload_format_indicator: Some(true),
            message_expiry_interval: expiry_s,
            content_type: Some("application/json".into()),
            ..MessageProperties::default()
        }
        .into(),
    }
}

/// Sets an entry; gives the commit that it is durable with. While the disk is full only the entry itself is kept: who comes and goes
/// would otherwise fill the queues of those who are away, and nobody could refuse it.
fn publish(shared: &Shared, mut message: Message, now: Now) -> Option<Published> {
    if shared.journal.no_room() == Some(NoRoom::Full) {
        message.qos = QoS::AtMostOnce;
    }
    let incoming = Incoming {
        message,
        source: Source::Broker,
    };
    route::publish(shared, incoming, now).ok()
}

/// Whether as much is retained as may be.
fn is_full(retained: &Retained, limits: &Limits) -> bool {
    retained.len() >= limits.retained_messages_max || retained.weight() >= limits.retained_bytes_max
}

fn is_online(payload: &[u8]) -> bool {
    let entry: Option<serde_json::Value> = serde_json::from_slice(payload).ok();
    entry.is_some_and(|entry| entry["status"] == ONLINE)
}
