//! Queues that are full: what a session loses then, and how it is put on record.
//!
//! Only what has no packet id yet is ever dropped: the rest is in the session's flows, not in its queue.

use ebbtide_store::{DroppedRow, Message, Sequence, WallTime};

use super::{
    audience::{Audience, GroupTarget, Target},
    mailbox::Mailbox,
};
use crate::{Fate, Limits, QueueOverflow, fates::TopicKey, shared::Shared, stats::DropReason};

/// So many that have expired go for each that comes: more than one, so that they become fewer, and not all at once.
pub(super) const SWEPT_PER_PUSH: usize = 4;
/// So many go at once from a queue that is too long: one for each that comes, and more where sizes differ.
pub(super) const EVICTED_AT_ONCE: usize = 16;

/// Those whom a message does not reach because their queue is full.
#[derive(Default)]
#[must_use]
pub(super) struct LeftOut<'a> {
    targets: Vec<Target<'a>>,
    groups: Vec<GroupTarget<'a>>,
}

/// Takes out those for whom the message may not wait too: with `DropNewest`, those whose queue it would make too long, but for
/// what has expired there. With `DropOldest` it always may: others go for it. The caller holds the order lock, so that two
/// cannot take the same room.
pub(super) fn leave_out<'a>(
    shared: &Shared,
    limits: &Limits,
    audience: &mut Audience<'a>,
    message: &Message,
) -> LeftOut<'a> {
    if limits.queue_overflow == QueueOverflow::DropOldest {
        return LeftOut::default();
    }
    let bytes = message.content_bytes();
    let is_full = |target: &mut Target<'_>| {
        let at = message.accepted_at;
        target.is_queued && !make_room(shared, target.mailbox, bytes, limits, at)
    };
    let is_full_group = |target: &mut GroupTarget<'_>| {
        target.is_queued && !target.group.make_room(bytes, limits, shared)
    };
    LeftOut {
        targets: audience.targets.extract_if(.., is_full).collect(),
        groups: audience.groups.extract_if(.., is_full_group).collect(),
    }
}

impl LeftOut<'_> {
    /// The message has been taken in, and so is lost for them. One that is refused is not: its publisher still has it. `replaces`: it is
    /// retained now, and whether in the place of another one.
    pub fn record(self, shared: &Shared, message: &Message, replaces: Option<bool>) {
        let at = message.accepted_at;
        for target in self.targets {
            let topic = TopicKey::of(&message.topic);
            target.mailbox.note(topic, Fate::QueueFull, at);
            if let Some(replaces) = replaces {
                (target.mailbox).note_change(&message.topic, false, replaces);
            }
            record(shared, target.mailbox, DropReason::QueueFull, at);
        }
        for _ in self.groups {
            shared.counters.dropped(DropReason::QueueFull);
        }
    }
}

/// With `DropOldest`: drops a few of what has waited longest if more waits than may. Gives whether there may be still more to drop.
pub(super) fn evict(shared: &Shared, mailbox: &Mailbox, limits: &Limits, at: WallTime) -> bool {
    limits.queue_overflow == QueueOverflow::DropOldest
        && (0..EVICTED_AT_ONCE).all(|_| {
            drop_one(shared, mailbox, at, |size_of, done| {
                mailbox.pop_above(limits, size_of, done)
            })
        })
}

/// What has expired before all others goes when more comes for a session that is away: the numbers of one that never returns would
/// become more and more, for nothing counts them as waiting on the disk.
pub(super) fn sweep(shared: &Shared, mailbox: &Mailbox, at: WallTime) {
    if !shared.journal.has_any_expired() || !mailbox.is_away() {
        return;
    }
    let has_expired = |sequence| shared.journal.has_expired(sequence);
    for _ in 0..SWEPT_PER_PUSH {
        let is_dropped = drop_one(shared, mailbox, at, |size_of, done| {
            mailbox.pop_expired(has_expired, size_of, done)
        });
        if !is_dropped {
            return;
        }
    }
}

/// Whether one message more, of so many bytes, may wait, once what has expired before all others makes room for it.
fn make_room(
    shared: &Shared,
    mailbox: &Mailbox,
    bytes: u64,
    limits: &Limits,
    at: WallTime,
) -> bool {
    let has_expired = |sequence| shared.journal.has_expired(sequence);
    while !mailbox.has_room(bytes, limits) {
        let is_dropped = drop_one(shared, mailbox, at, |size_of, done| {
            mailbox.pop_expired(has_expired, size_of, done)
        });
        if !is_dropped {
            return false;
        }
    }
    true
}

type SizeOf<'a> = &'a dyn Fn(Sequence) -> u64;
type Done<'a> = &'a mut dyn FnMut(Sequence, Sequence, TopicKey);

/// Settles and counts what `pop` takes out of the mailbox, if it does.
fn drop_one(
    shared: &Shared,
    mailbox: &Mailbox,
    at: WallTime,
    pop: impl FnOnce(SizeOf<'_>, Done<'_>) -> bool,
) -> bool {
    let mut has_expired = false;
    let mut topic = TopicKey::UNKNOWN;
    let size_of = |sequence| shared.journal.bytes_of(&[sequence]);
    let mut done = |sequence, cursor, of| {
        topic = of;
        has_expired = shared.journal.has_expired(sequence);
        shared.journal.done(mailbox.session, sequence, None, cursor);
    };
    if !pop(&size_of, &mut done) {
        return false;
    }
    if has_expired {
        mailbox.note(topic, Fate::Expired, at);
        shared.counters.dropped(DropReason::Expired);
    } else {
        mailbox.note(topic, Fate::QueueFull, at);
        record(shared, mailbox, DropReason::QueueFull, at);
    }
    true
}

/// A message is lost for this session: counted, and to be told when it returns.
pub(crate) fn record(shared: &Shared, mailbox: &Mailbox, reason: DropReason, at: WallTime) {
    shared.counters.dropped(reason);
    if mailbox.kept {
        let session = mailbox.session;
        let note = |row| shared.journal.note_dropped(session, Some(row));
        mailbox.losses.add(session, at, note);
        shared.recent_losses.add(&mailbox.client_id);
    }
}

/// The client has been told of this much.
pub(crate) fn told(shared: &Shared, mailbox: &Mailbox, told: DroppedRow) {
    let note = |rest| shared.journal.note_dropped(mailbox.session, rest);
    mailbox.losses.told(told, note);
}
