//! From a publisher to everybody who is to get the message.
//!
//! [`publish`] is the one critical section of the broker. It holds the subscription index for reading and, when the
//! message is to be kept or retained, the order lock ([`Numbers`](crate::numbers::Numbers)); in there the number is
//! taken, the retained message changes, the journal is told and the mailboxes are filled, in that order. So two
//! publishers to one topic agree everywhere on who was last, and every subscriber sees the order that is on disk
//! [MQTT-4.6.0-5, MQTT-4.6.0-6].
//! Elsewhere locks nest only as [`Shared`] says.

mod children;
mod crowding;
pub(crate) mod group;
pub(crate) mod index;
mod losses;
mod mail;
pub(crate) mod mailbox;
pub(crate) mod overflow;
mod quota;
pub(crate) mod retained;
pub(crate) mod sets;
mod snapshot;
mod trie;

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use ebbtide_protocol::{PacketId, QoS, TopicName};
use ebbtide_store::{
    Accept, Incarnation, Message, Operation, Properties, Queue, Recipient, RecipientSet,
    RetainedChange, RetainedRow, Sequence,
};

pub(crate) use self::crowding::Crowded;
pub(crate) use self::quota::{Refused, copies};
use crate::{
    Now, expiry,
    journal::Ticket,
    room,
    route::{
        group::Group,
        index::Subscriber,
        mailbox::{Delivery, Mailbox, Pushed},
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

    /// Whether there is anything for the store to do.
    fn is_kept(self, accept: &Accept) -> bool {
        let is_something =
            accept.queued.is_some() || accept.retained.is_some() || accept.inbound.is_some();
        is_something || matches!(self, Self::Will(_))
    }

    /// As operation on the store.
    fn operation(self, accept: Accept) -> Operation {
        match self {
            Self::Will(session) => Operation::FireWill { session, accept },
            Self::Client { .. } | Self::Broker => Operation::Accept(accept),
        }
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
    let (mut targets, own_steps) = targets(&index, &message, source.session());
    let (mut groups, group_steps) = groups(&index, &message);
    let steps = own_steps + group_steps;
    let matched = !targets.is_empty() || !groups.is_empty();
    let is_queued = is_queued(&targets, &groups);
    let inbound = match source {
        Source::Client { session, inbound } => inbound.map(|packet_id| (session, packet_id)),
        Source::Will(_) | Source::Broker => None,
    };
    // A will has been promised, and there is one per session; presence must not lie, and has its own limit.
    let can_be_refused = matches!(source, Source::Client { .. });
    if can_be_refused {
        room::for_publish(shared, &message, is_queued, inbound.is_some())?;
    }

    if !is_queued && !message.retain {
        let accept = Accept {
            queued: None,
            retained: None,
            inbound,
        };
        let ticket = source
            .is_kept(&accept)
            .then(|| shared.journal.submit(source.operation(accept)));
        let crowded = push(shared, targets, groups, &message, None, now);
        return Ok(Published {
            ticket,
            matched,
            crowded,
            steps,
            message,
        });
    }

    let mut numbers = shared.numbers.lock();
    let left_out = overflow::leave_out(shared, &mut targets, &mut groups, &message);
    let is_queued = self::is_queued(&targets, &groups);
    if can_be_refused {
        quota::check(shared, &message, is_queued)?;
    }
    let sequence = if is_queued {
        Some(numbers.sequence(&shared.journal)?)
    } else {
        None
    };
    // [MQTT-3.3.1-5, MQTT-3.3.1-8]
    let retained = if message.retain {
        let revision = numbers.revision(&shared.journal)?;
        Some(if message.payload.is_empty() {
            // [MQTT-3.3.1-6, MQTT-3.3.1-7]
            RetainedChange::Clear {
                topic: message.topic.clone(),
                revision,
            }
        } else {
            RetainedChange::Set(RetainedRow {
                revision,
                message: Arc::clone(&message),
            })
        })
    } else {
        None
    };
    if let Some(change) = &retained {
        if let RetainedChange::Set(_) = change {
            expiry::watch(&shared.timers, &message, now);
        }
        shared.change_retained(change.clone());
    }
    let queued = sequence.map(|sequence| Queue {
        sequence,
        message: Arc::clone(&message),
        recipients: recipients(shared, &targets, &groups, &message),
    });
    let accept = Accept {
        queued,
        retained,
        inbound,
    };
    let ticket = source
        .is_kept(&accept)
        .then(|| shared.journal.submit(source.operation(accept)));
    if sequence.is_some() {
        expiry::watch_queued(shared, &message, now);
    }
    let crowded = push(shared, targets, groups, &message, sequence, now);
    left_out.record(shared, &message);
    drop(numbers);
    Ok(Published {
        ticket,
        matched,
        crowded,
        steps,
        message,
    })
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
    let (targets, _) = targets(&index, &message, NOBODY);
    let (groups, _) = groups(&index, &message);
    let mut numbers = shared.numbers.lock();
    // Without a number it is left out this time: the next value comes soon.
    if let Ok(revision) = numbers.revision(&shared.journal) {
        shared.change_retained(RetainedChange::Set(RetainedRow {
            revision,
            message: Arc::clone(&message),
        }));
        // Who is away or behind gets the next value: that is no loss to be counted.
        for target in groups {
            target.group.push(&message, None, shared, now);
        }
        for target in targets {
            target.push(&message, None, now);
        }
    }
}

/// One session that is to get the message, all its matching subscriptions merged into one delivery at the highest of their
/// QoS [MQTT-3.3.4-2] with the identifiers of all of them [MQTT-3.3.4-3, MQTT-3.3.4-4].
struct Target {
    mailbox: Arc<Mailbox>,
    qos: QoS,
    retain: bool,
    subscription_identifiers: Vec<u32>,
    /// It is kept for this session.
    is_queued: bool,
}

impl Target {
    fn push(self, message: &Arc<Message>, sequence: Option<Sequence>, now: Now) -> Pushed {
        let delivery = Delivery {
            message: Arc::clone(message),
            sequence: sequence.filter(|_| self.is_queued),
            qos: self.qos,
            retain: self.retain,
            // [MQTT-3.3.1-3, MQTT-4.3.1-1, MQTT-4.3.2-2, MQTT-4.3.3-2]
            dup: false,
            subscription_identifiers: self.subscription_identifiers,
            lease: None,
        };
        self.mailbox.push(delivery, now.monotonic)
    }

    fn recipient(&self) -> Recipient {
        Recipient {
            session: self.mailbox.session,
            qos: self.qos,
            retain: self.retain,
            subscription_identifiers: self.subscription_identifiers.clone(),
        }
    }
}

/// One group that is to get the message, for one of its members.
struct GroupTarget {
    group: Arc<Group>,
    is_queued: bool,
}

/// Those that the store is to keep it for, ascending by number.
fn recipients(
    shared: &Shared,
    targets: &[Target],
    groups: &[GroupTarget],
    message: &Message,
) -> RecipientSet {
    let targets = targets.iter().filter(|target| target.is_queued);
    let kept = targets.map(Target::recipient);
    if groups.is_empty() {
        return shared.recent_sets.lock().share(kept.collect());
    }
    let groups = groups.iter().filter(|target| target.is_queued);
    let mut recipients: Vec<Recipient> = kept
        .chain(groups.map(|target| target.group.recipient(message)))
        .collect();
    recipients.sort_unstable_by_key(|recipient| recipient.session);
    shared.recent_sets.lock().share(recipients)
}

/// Whether the store is to keep the message for any of them.
fn is_queued(targets: &[Target], groups: &[GroupTarget]) -> bool {
    targets.iter().any(|target| target.is_queued) || groups.iter().any(|target| target.is_queued)
}

/// Those of shared subscriptions, and how many steps it took to find them and will take to reach them.
fn groups(index: &index::Index, message: &Message) -> (Vec<GroupTarget>, usize) {
    let mut targets = Vec::new();
    let mut steps = index.matching_groups(message.topic.as_str(), &mut |list| {
        targets.extend(list.iter().map(|group| GroupTarget {
            group: Arc::clone(group),
            is_queued: group.keeps(message.qos),
        }));
    });
    steps += targets
        .iter()
        .map(|target| target.group.members())
        .sum::<usize>();
    (targets, steps)
}

/// Ascending by session; and how many steps it took to find them and will take to reach them.
fn targets(
    index: &index::Index,
    message: &Message,
    publisher: Incarnation,
) -> (Vec<Target>, usize) {
    let mut found: Vec<&Subscriber> = Vec::new();
    let mut lists: usize = 0;
    let steps = index.matching(message.topic.as_str(), &mut |list| {
        lists += 1;
        found.extend(list);
    });
    if lists > 1 {
        found.sort_by_key(|subscriber| subscriber.session());
    }
    let mut targets = Vec::with_capacity(found.len());
    for same in runs(&found) {
        targets.extend(target(&found[same], message, publisher));
    }
    (targets, steps + found.len())
}

/// The runs of subscriptions that belong to one session.
fn runs(found: &[&Subscriber]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let session = found.get(start)?.session();
        let end = found[start..]
            .iter()
            .position(|subscriber| subscriber.session() != session)
            .map_or(found.len(), |n| start + n);
        let range = start..end;
        start = end;
        Some(range)
    })
}

fn target(same: &[&Subscriber], message: &Message, publisher: Incarnation) -> Option<Target> {
    let mailbox = &same[0].mailbox;
    // [MQTT-3.8.3-3]
    let is_own = mailbox.session == publisher;
    let mut wanted = same
        .iter()
        .filter(|subscriber| !(is_own && subscriber.options.no_local))
        .peekable();
    wanted.peek()?;
    let (mut qos, mut retain, mut subscription_identifiers) = (QoS::AtMostOnce, false, Vec::new());
    for subscriber in wanted {
        qos = qos.max(subscriber.options.qos);
        retain |= subscriber.options.retain_as_published;
        subscription_identifiers.extend(subscriber.identifier);
    }
    // [MQTT-3.8.4-8]
    let qos = qos.min(message.qos);
    let is_queued = mailbox.kept && qos > QoS::AtMostOnce;
    // [MQTT-3.3.1-12, MQTT-3.3.1-13]
    let retain = retain && message.retain;
    Some(Target {
        mailbox: Arc::clone(mailbox),
        qos,
        retain,
        subscription_identifiers,
        is_queued,
    })
}

/// Fills the queues, and says which have more in them now than they should.
fn push(
    shared: &Shared,
    targets: Vec<Target>,
    groups: Vec<GroupTarget>,
    message: &Arc<Message>,
    sequence: Option<Sequence>,
    now: Now,
) -> Vec<Crowded> {
    let mut crowded = Vec::new();
    for target in groups {
        let sequence = sequence.filter(|_| target.is_queued);
        match target.group.push(message, sequence, shared, now) {
            Pushed::Queued => {}
            Pushed::Crowded(until) => {
                let queue = crowding::Queue::Group(target.group);
                crowded.push(Crowded::new(queue, until));
            }
            Pushed::DroppedQoS0 | Pushed::Overflow => {
                shared.counters.dropped(DropReason::NobodyThere);
            }
        }
    }
    for target in targets {
        let mailbox = Arc::clone(&target.mailbox);
        let is_queued = target.is_queued;
        match target.push(message, sequence, now) {
            Pushed::Queued if is_queued => overflow::evict(shared, &mailbox, message.accepted_at),
            Pushed::Queued => {}
            Pushed::Crowded(until) => {
                if is_queued {
                    overflow::evict(shared, &mailbox, message.accepted_at);
                }
                let queue = crowding::Queue::Session(mailbox);
                crowded.push(Crowded::new(queue, until));
            }
            Pushed::DroppedQoS0 => shared.counters.dropped(DropReason::QoS0Unready),
            Pushed::Overflow => shared.counters.dropped(DropReason::Overflow),
        }
    }
    crowded
}
