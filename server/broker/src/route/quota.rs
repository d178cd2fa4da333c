//! Limits in all: when one is reached, what would pass it is refused before anybody gets it.

use ebbtide_store::Message;

use super::mailbox::Mailbox;
use crate::{Limit, numbers::Exhausted, room::NoRoom, shared::Shared};

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
    let (limits, journal) = (shared.limits(), &shared.journal);
    let bytes = message.content_bytes();
    let over = |limit, why| {
        shared.counters.limits.hit(limit);
        Err(Refused::Quota(why))
    };
    let is_retained = message.retain && !message.payload.is_empty();
    if (is_queued || is_retained) && shared.lacks_memory() {
        return Err(Refused::Quota("the broker has memory_bytes_max in use"));
    }
    if is_queued {
        if journal.waiting_messages() >= limits.queue_messages_max {
            return over(Limit::QueueMessagesMax, "queue_messages_max messages wait");
        }
        if journal.waiting_bytes() + bytes > limits.queue_bytes_max {
            return over(Limit::QueueBytesMax, "queue_bytes_max bytes wait");
        }
    }
    if is_retained {
        let retained = shared.retained.read();
        let old = retained.get(&message.topic);
        if old.is_none() && retained.len() >= limits.retained_messages_max {
            return over(
                Limit::RetainedMessagesMax,
                "there are retained_messages_max retained messages",
            );
        }
        let old_bytes = old.map_or(0, |row| row.message.content_bytes());
        if bytes > old_bytes && retained.bytes() - old_bytes + bytes > limits.retained_bytes_max {
            return over(
                Limit::RetainedBytesMax,
                "retained messages have retained_bytes_max bytes",
            );
        }
    }
    Ok(())
}

/// How many copies of retained messages may be kept for a session now, besides what waits: nobody publishes them who could be
/// refused. The caller holds the order lock.
pub(crate) fn copies(shared: &Shared, mailbox: &Mailbox) -> usize {
    let (limits, journal) = (shared.limits(), &shared.journal);
    let (waiting, bytes) = mailbox.waiting();
    if journal.no_room().is_some()
        || journal.waiting_bytes() >= limits.queue_bytes_max
        || bytes >= limits.queue_bytes_per_session_max
    {
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
