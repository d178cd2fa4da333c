//! Queues that are full: what a session loses then, and how it is put on record.
//!
//! Only what has no packet id yet is ever dropped: the rest is in the session's flows, not in its queue.

use ebbtide_store::{DroppedRow, Sequence, WallTime};

use super::mailbox::Mailbox;
use crate::{QueueOverflow, shared::Shared, stats::DropReason};

/// Whether one message more may wait for the session. With `DropOldest` it always may: others go for it.
pub(super) fn has_room(shared: &Shared, mailbox: &Mailbox) -> bool {
    shared.limits.queue_overflow == QueueOverflow::DropOldest || !mailbox.is_full(&shared.limits)
}

/// Drops the oldest until the queue is within its limits.
pub(super) fn evict(shared: &Shared, mailbox: &Mailbox, at: WallTime) {
    let size_of = |sequence| shared.journal.bytes_of(&[sequence]);
    while let Some(sequence) = mailbox.pop_above(&shared.limits, size_of) {
        // The owner alone knows its cursor; a lower one changes nothing.
        let (session, cursor) = (mailbox.session, Sequence(0));
        shared.journal.done(session, sequence, None, cursor);
        record(shared, mailbox, DropReason::QueueFull, at);
    }
}

/// A message is lost for this session: counted, and to be told when it returns.
pub(crate) fn record(shared: &Shared, mailbox: &Mailbox, reason: DropReason, at: WallTime) {
    shared.counters.dropped(reason);
    if mailbox.kept {
        let row = mailbox.losses.add(mailbox.session, at);
        shared.journal.note_dropped(mailbox.session, Some(row));
    }
}

/// The client has been told of this much.
pub(crate) fn told(shared: &Shared, mailbox: &Mailbox, told: DroppedRow) {
    let rest = mailbox.losses.told(told);
    shared.journal.note_dropped(mailbox.session, rest);
}
