//! Limits in all: when one is reached, what would pass it is refused before anybody gets it.

use std::sync::atomic::Ordering;

use ebbtide_protocol::packet::Will;
use ebbtide_store::{Incarnation, Message};

use super::{NOBODY, audience::Audience, mailbox::Mailbox, retained::weight};
use crate::{Limit, Now, numbers::Exhausted, room::NoRoom, shared::Shared, wills};

/// The largest will of which nothing but a row of the session's own has to be kept, or a retained message that is there is replaced:
/// it counts for nothing.
const WILL_BYTES_MAX: u64 = 4096;

const NO_MEMORY: &str = "the broker has memory_bytes_max in use";

/// Why a message is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No number may be handed out now: the disk lags far behind.
    Exhausted,
    /// A limit in all, by what the publisher is told.
    Quota(&'static str),
    /// It would have to be kept, and there is no room on the disk.
    NoRoom(NoRoom),
}

impl From<Exhausted> for Refused {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

impl From<NoRoom> for Refused {
    fn from(no_room: NoRoom) -> Self {
        Self::NoRoom(no_room)
    }
}

/// Whether there is room for it. The caller holds the order lock, so that two cannot take the same room.
pub(super) fn check(shared: &Shared, message: &Message, is_queued: bool) -> Result<(), Refused> {
    if (is_queued || is_set(message)) && shared.lacks_memory() {
        return Err(Refused::Quota(NO_MEMORY));
    }
    in_all(shared, message, is_queued)
}

/// Checks the will of a client that comes in, while it can still be told: what CONNACK promises is published later, whatever limit is reached
/// then. So what limits in all can be passed by is one message for each connection that is there and each session that is away.
///
/// `session` will be its publisher; `leaving` is this client's old session, which ends now and is not counted.
///
/// - `Ok(false)`: it adds nothing to what is kept, and is taken even without any room: it is how devices say that they have gone, and they
///   come back to take what waits for them. Or there is room for anything, and nobody has looked.
/// - `Ok(true)`: it adds something. No limit in all is in the way; whether the disk has room is for the caller to ask.
pub(crate) fn check_will(
    shared: &Shared,
    will: &Will,
    session: Incarnation,
    leaving: Option<Incarnation>,
    now: Now,
) -> Result<bool, Refused> {
    let is_counted = |mailbox: &Mailbox| Some(mailbox.session) != leaving;
    check_will_for(shared, will, session, is_counted, now)
}

/// The same before it is known what becomes of the session that this client may have: what fails or grows here does so there too. That
/// session is not counted, for it may end or not want its own messages.
pub(crate) fn check_will_early(
    shared: &Shared,
    will: &Will,
    client_id: &str,
    now: Now,
) -> Result<bool, Refused> {
    let is_counted = |mailbox: &Mailbox| mailbox.client_id != client_id;
    check_will_for(shared, will, NOBODY, is_counted, now)
}

/// `is_counted`: what waits there does so although this client comes.
fn check_will_for(
    shared: &Shared,
    will: &Will,
    session: Incarnation,
    is_counted: impl Fn(&Mailbox) -> bool,
    now: Now,
) -> Result<bool, Refused> {
    let message = wills::message(will.clone(), now.wall);
    let is_short = shared.is_short_of_memory.load(Ordering::Relaxed);
    if !is_short && shared.journal.no_room().is_none() && reached(shared, &message, true).is_none()
    {
        // Whom it reaches is asked only where that matters: it may be many.
        return Ok(false);
    }
    let index = shared.index.read();
    let (matches, _) = index.matches(message.topic.as_str());
    let mut audience = Audience::of(&matches, &message, session);
    audience.targets.retain(|target| is_counted(target.mailbox));
    let is_queued = audience.is_queued();
    let is_new = is_set(&message) && shared.retained.read().get(&message.topic).is_none();
    let grows = is_queued || is_new || message.content_bytes() > WILL_BYTES_MAX;
    if !grows {
        return Ok(false);
    }
    // Only now it counts as a hit. It may have become short, or not be any more.
    if is_short && shared.lacks_memory() {
        return Err(Refused::Quota(NO_MEMORY));
    }
    in_all(shared, &message, is_queued)?;
    Ok(true)
}

/// It becomes the retained message of its topic.
fn is_set(message: &Message) -> bool {
    message.retain && !message.payload.is_empty()
}

fn in_all(shared: &Shared, message: &Message, is_queued: bool) -> Result<(), Refused> {
    let Some((limit, why)) = reached(shared, message, is_queued) else {
        return Ok(());
    };
    shared.counters.limits.hit(limit);
    Err(Refused::Quota(why))
}

/// The limit in all that this message would pass, and what its publisher is told.
fn reached(shared: &Shared, message: &Message, is_queued: bool) -> Option<(Limit, &'static str)> {
    let (limits, journal) = (shared.limits(), &shared.journal);
    let bytes = message.content_bytes();
    if is_queued {
        if journal.waiting_messages() >= limits.queue_messages_max {
            return Some((Limit::QueueMessagesMax, "queue_messages_max messages wait"));
        }
        if journal.waiting_bytes() + bytes > limits.queue_bytes_max {
            return Some((Limit::QueueBytesMax, "queue_bytes_max bytes wait"));
        }
    }
    if is_set(message) {
        let retained = shared.retained.read();
        let old = retained.get(&message.topic);
        if old.is_none() && retained.len() >= limits.retained_messages_max {
            let why = "there are retained_messages_max retained messages";
            return Some((Limit::RetainedMessagesMax, why));
        }
        // Another one of a topic has the same levels.
        let (more, less) = match old.map(|row| row.message.content_bytes()) {
            Some(less) => (bytes, less),
            None => (weight(message), 0),
        };
        if more > less && retained.weight() - less + more > limits.retained_bytes_max {
            let why = "retained messages have retained_bytes_max bytes";
            return Some((Limit::RetainedBytesMax, why));
        }
    }
    None
}

/// Whether copies may be kept of what waits for others too. The members of groups get them as they are sent, so none is refused: without
/// room they are sent one at a time.
pub(crate) fn has_room_for_copies(shared: &Shared) -> bool {
    let (limits, journal) = (shared.limits(), &shared.journal);
    journal.no_room().is_none()
        && journal.waiting_bytes() < limits.queue_bytes_max
        && journal.waiting_messages() < limits.queue_messages_max
}

/// How many copies of retained messages may be kept for a session now, besides what waits: nobody publishes them who could be
/// refused. The caller holds the order lock.
pub(crate) fn copies(shared: &Shared, mailbox: &Mailbox) -> usize {
    let (limits, journal) = (shared.limits(), &shared.journal);
    let (waiting, bytes) = mailbox.waiting();
    if !has_room_for_copies(shared) || bytes >= limits.queue_bytes_per_session_max {
        return 0;
    }
    let in_all = limits
        .queue_messages_max
        .saturating_sub(journal.waiting_messages());
    let of_session = limits
        .queue_messages_per_session_max
        .saturating_sub(waiting);
    in_all.min(of_session)
}
