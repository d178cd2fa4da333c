//! From a publisher to everybody who is to get the message.
//!
//! [`publish`] is the one critical section of the broker. It holds the subscription index for reading and, when the
//! message is to be kept or retained, the order lock ([`Numbers`](crate::numbers::Numbers)); in there the number is
//! taken, the retained message changes, the journal is told and the mailboxes are filled, in that order. So two
//! publishers to one topic agree everywhere on who was last, and every subscriber sees the order that is on disk
//! [MQTT-4.6.0-5, MQTT-4.6.0-6].
//! Elsewhere locks nest only as [`Shared`] says.

mod audience;
mod children;
mod crowding;
pub(crate) mod excess;
pub(crate) mod group;
pub(crate) mod index;
mod losses;
mod mail;
pub(crate) mod mailbox;
mod matches;
pub(crate) mod overflow;
mod quota;
mod recent_matches;
pub(crate) mod retained;
pub(crate) mod sets;
mod snapshot;
mod trie;

use std::sync::Arc;

use bytes::Bytes;
use ebbtide_protocol::{PacketId, QoS, TopicName};
use ebbtide_store::{
    Accept, Incarnation, Message, Operation, Properties, Queue, RetainedChange, RetainedRow,
    Sequence,
};

pub(crate) use self::crowding::Crowded;
pub(crate) use self::quota::{Refused, check_will, check_will_early, copies, has_room_for_copies};
use crate::{
    Limits, Now, expiry,
    journal::Ticket,
    numbers::{Exhausted, Numbers},
    room,
    route::{
        audience::Audience,
        mailbox::{Outcome, Pushed},
        matches::Matches,
    },
    shared::Shared,
    stats::DropReason,
};

/// The publisher of what no session publishes: numbers begin above.
const NOBODY: Incarnation = Incarnation(0);

/// A message on its way in.
pub(crate) struct Incoming {
    pub message: Message,
    pub source: Source,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A client's. It does not come back to a No Local subscription of that session.
    Client {
        session: Incarnation,
        /// The packet id, for QoS 2 from a session that is kept.
        inbound: Option<PacketId>,
    },
    /// The will of a session, which goes from the store at the same time.
    Will(Incarnation),
    /// The broker's own.
    Broker,
}

impl Source {
    fn session(self) -> Incarnation {
        match self {
            Self::Client { session, .. } | Self::Will(session) => session,
            Self::Broker => NOBODY,
        }
    }

    /// Tells the journal, if there is anything for the store to do.
    fn submit(self, accept: Accept, shared: &Shared) -> Option<Ticket> {
        let is_something =
            accept.queued.is_some() || accept.retained.is_some() || accept.inbound.is_some();
        let operation = match self {
            Self::Will(session) => Operation::FireWill { session, accept },
            Self::Client { .. } | Self::Broker if is_something => Operation::Accept(accept),
            Self::Client { .. } | Self::Broker => return None,
        };
        Some(shared.journal.submit(operation))
    }
}

/// What became of it.
pub(crate) struct Published {
    /// The commit that its acknowledgement stands for; `None`: nothing of it is kept.
    pub ticket: Option<Ticket>,
    /// Whether anybody had subscribed.
    pub matched: bool,
    /// Queues that have more in them than they should.
    pub crowded: Vec<Crowded>,
    /// Work that it was, see [`crate::work`].
    pub steps: usize,
    /// What was published. Whoever waits for the commit holds it until then: memory goes back to where it came from for less
    /// in the thread that took it than in the writer.
    pub message: Arc<Message>,
}

/// Hands a message to all its subscribers and to the journal [MQTT-4.5.0-1].
///
/// # Errors
/// It is not taken in: nothing has happened.
pub(crate) fn publish(shared: &Shared, incoming: Incoming, now: Now) -> Result<Published, Refused> {
    let Incoming { message, source } = incoming;
    let message = Arc::new(message);
    let index = shared.index.read();
    let (found, looked_at) = index.matches(message.topic.as_str());
    let matches: &Matches = &found;
    let mut audience = Audience::of(matches, &message, source.session());
    let steps = looked_at + audience::reach(matches);
    let matched = !audience.is_empty();
    let is_queued = audience.is_queued();
    let inbound = match source {
        Source::Client { session, inbound } => inbound.map(|packet_id| (session, packet_id)),
        Source::Will(_) | Source::Broker => None,
    };
    // A will has been promised, after the same look; presence must not lie, and has its own limit.
    let can_be_refused = matches!(source, Source::Client { .. });
    if can_be_refused {
        room::for_publish(shared, &message, is_queued, inbound.is_some())?;
    }

    let (ticket, crowded) = if is_queued || message.retain {
        let limits = shared.limits();
        let mut numbers = shared.numbers.lock();
        let left_out = overflow::leave_out(shared, &limits, &mut audience, &message);
        let is_queued = audience.is_queued();
        if can_be_refused {
            quota::check(shared, &message, is_queued)?;
        }
        let (sequence, retained) = number(shared, &mut numbers, &message, is_queued)?;
        let replaces = retained.as_ref().map(|change| {
            expiry::watch_change(&shared.timers, change, now);
            shared.change_retained(change.clone())
        });
        let queued = sequence.map(|sequence| Queue {
            sequence,
            message: Arc::clone(&message),
            recipients: audience.recipients(shared, &message),
        });
        let accept = Accept {
            queued,
            retained,
            inbound,
        };
        let ticket = source.submit(accept, shared);
        if sequence.is_some() {
            expiry::watch_queued(shared, &message, now);
        }
        let crowded = push(
            shared,
            Some(&limits),
            &audience,
            &message,
            sequence,
            replaces,
            now,
        );
        if let Some(replaces) = replaces {
            audience.note_not_local(&message.topic, replaces);
        }
        left_out.record(shared, &message, replaces);
        (ticket, crowded)
    } else {
        let accept = Accept {
            queued: None,
            retained: None,
            inbound,
        };
        let ticket = source.submit(accept, shared);
        let crowded = push(shared, None, &audience, &message, None, None, now);
        (ticket, crowded)
    };
    Ok(Published {
        ticket,
        matched,
        crowded,
        steps,
        message,
    })
}

/// Takes the numbers of a message that is to be kept or retained; with it, how what is retained changes.
fn number(
    shared: &Shared,
    numbers: &mut Numbers,
    message: &Arc<Message>,
    is_queued: bool,
) -> Result<(Option<Sequence>, Option<RetainedChange>), Exhausted> {
    let sequence = if is_queued {
        Some(numbers.sequence(&shared.journal)?)
    } else {
        None
    };
    // [MQTT-3.3.1-5, MQTT-3.3.1-8]
    if !message.retain {
        return Ok((sequence, None));
    }
    let revision = numbers.revision(&shared.journal)?;
    let change = if message.payload.is_empty() {
        // [MQTT-3.3.1-6, MQTT-3.3.1-7]
        RetainedChange::Clear {
            topic: message.topic.clone(),
            revision,
        }
    } else {
        RetainedChange::Set(RetainedRow {
            revision,
            message: Arc::clone(message),
        })
    };
    Ok((sequence, Some(change)))
}

/// Hands on a value of the broker's own: at QoS 0, and retained in memory only.
pub(crate) fn publish_system(shared: &Shared, topic: TopicName, payload: Bytes, now: Now) {
    let message = Arc::new(Message {
        topic,
        payload,
        qos: QoS::AtMostOnce,
        retain: true,
        accepted_at: now.wall,
        properties: Properties::default(),
    });
    let index = shared.index.read();
    let (matches, _) = index.matches(message.topic.as_str());
    let mut numbers = shared.numbers.lock();
    // Without a number it is left out this time: the next value comes soon.
    if let Ok(revision) = numbers.revision(&shared.journal) {
        let replaces = shared.change_retained(RetainedChange::Set(RetainedRow {
            revision,
            message: Arc::clone(&message),
        }));
        // Who is away or behind gets the next value: that is no loss to be counted.
        for group in &matches.groups {
            group.push(&message, None, shared, now);
        }
        let ceiling = shared.outgoing_bytes_ceiling();
        for target in Audience::of(&matches, &message, NOBODY).targets {
            let Outcome { pushed, .. } = target.push(&message, None, None, ceiling, now);
            let is_queued = pushed != Pushed::DroppedQoS0;
            (target.mailbox).note_change(&message.topic, is_queued, replaces);
        }
    }
}

/// Fills the queues, and says which have more in them now than they should. `replaces`: it is retained now, and whether in the place
/// of another one.
fn push(
    shared: &Shared,
    limits: Option<&Limits>,
    audience: &Audience<'_>,
    message: &Arc<Message>,
    sequence: Option<Sequence>,
    replaces: Option<bool>,
    now: Now,
) -> Vec<Crowded> {
    let mut crowded = Vec::new();
    for target in &audience.groups {
        let sequence = sequence.filter(|_| target.is_queued);
        match target.group.push(message, sequence, shared, now) {
            Pushed::Queued => {}
            // As below.
            Pushed::Crowded(_) if audience.is_own_group(target.group) => {}
            Pushed::Crowded(until) => {
                let queue = crowding::Queue::Group(Arc::clone(target.group));
                crowded.push(Crowded::new(queue, until));
            }
            Pushed::DroppedQoS0 => shared.counters.dropped(DropReason::NobodyThere),
            Pushed::Overflow => shared.counters.dropped(DropReason::Overflow),
        }
    }
    let ceiling = shared.outgoing_bytes_ceiling();
    for target in &audience.targets {
        let mailbox = target.mailbox;
        let Outcome { pushed, is_above } = target.push(message, sequence, limits, ceiling, now);
        if let Some(replaces) = replaces {
            mailbox.note_change(&message.topic, pushed != Pushed::DroppedQoS0, replaces);
        }
        if target.is_queued {
            overflow::sweep(shared, mailbox, message.accepted_at);
        }
        if is_above
            && let Some(limits) = limits
            && overflow::evict(shared, mailbox, limits, message.accepted_at)
        {
            let queue = crowding::Queue::Session(Arc::clone(mailbox));
            excess::note(shared, mailbox.session, queue);
        }
        match pushed {
            Pushed::Queued => {}
            // Who is not read cannot acknowledge what would make room.
            Pushed::Crowded(_) if audience.is_own(mailbox) => {}
            Pushed::Crowded(until) => {
                let queue = crowding::Queue::Session(Arc::clone(mailbox));
                crowded.push(Crowded::new(queue, until));
            }
            Pushed::DroppedQoS0 => shared.counters.dropped(DropReason::QoS0Unready),
            Pushed::Overflow => shared.counters.dropped(DropReason::Overflow),
        }
    }
    crowded
}
