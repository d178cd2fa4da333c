//! Queues with more in them than may wait, because a limit was lowered, or because one large message has come for which many small ones
//! must go. Whoever publishes drops a few of them, for nobody else can publish meanwhile; the rest goes in turns of the timers.

use std::{collections::BTreeMap, ops::Bound};

use ebbtide_store::Incarnation;
use parking_lot::Mutex;

use super::{
    crowding::Queue,
    overflow::{self, EVICTED_AT_ONCE},
};
use crate::{
    Journal, Monotonic, Now, journal::Ticket, shared::Shared, timers::Timer, work::DROP_STEPS,
};

/// So many go out of one queue before it is the turn of the next one.
const EVICTED_PER_PART: usize = 1_024;
/// And so many before the disk has them: what it commits at once, others wait for.
const UNCOMMITTED_MAX: usize = 4 * EVICTED_PER_PART;
/// After so long it is looked again whether it has.
const AGAIN_MS: u64 = 20;

/// Those that are known.
#[derive(Debug, Default)]
pub(crate) struct Excess(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<Incarnation, Queue>,
    /// Whose turn it was: one that stays above keeps nobody else waiting.
    last: Incarnation,
    /// So many have gone since they were all on disk.
    uncommitted: usize,
    /// When they are.
    ticket: Ticket,
}

impl Excess {
    fn insert(&self, number: Incarnation, queue: Queue) {
        self.0.lock().queues.insert(number, queue);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().queues.is_empty()
    }

    /// Whether the disk keeps up.
    fn may_go_on(&self, journal: &Journal) -> bool {
        let mut state = self.0.lock();
        if journal.is_durable(state.ticket) {
            state.uncommitted = 0;
        }
        state.uncommitted < UNCOMMITTED_MAX
    }

    fn gone(&self, count: usize, ticket: Ticket) {
        let mut state = self.0.lock();
        state.uncommitted += count;
        state.ticket = ticket;
    }

    /// Takes out the one whose turn it is.
    fn next(&self) -> Option<(Incarnation, Queue)> {
        let mut state = self.0.lock();
        let behind = (Bound::Excluded(state.last), Bound::Unbounded);
        let next = state.queues.range(behind).chain(&state.queues).next();
        let number = *next?.0;
        state.last = number;
        state.queues.remove_entry(&number)
    }
}

impl Queue {
    fn evict(&self, shared: &Shared, now: Now) -> bool {
        let limits = shared.limits();
        match self {
            Self::Session(mailbox) => overflow::evict(shared, mailbox, &limits, now.wall),
            Self::Group(group) => group.evict(&limits, shared),
        }
    }
}

/// There is still too much in this one.
pub(super) fn note(shared: &Shared, number: Incarnation, queue: Queue) {
    shared.excess.insert(number, queue);
    shared.timers.ensure(Monotonic(0), Timer::Excess);
}

/// Drops the next of what is too much. Gives how much work that was.
pub(crate) fn evict_more(shared: &Shared, now: Now) -> usize {
    if !shared.excess.may_go_on(&shared.journal) {
        let again = now.monotonic.plus_ms(AGAIN_MS);
        shared.timers.ensure(again, Timer::Excess);
        return 0;
    }
    let Some((number, queue)) = shared.excess.next() else {
        return 0;
    };
    let mut count = EVICTED_AT_ONCE;
    let mut is_above = queue.evict(shared, now);
    while is_above && count < EVICTED_PER_PART {
        count += EVICTED_AT_ONCE;
        is_above = queue.evict(shared, now);
    }
    shared.excess.gone(count, shared.journal.last());
    if is_above {
        shared.excess.insert(number, queue);
    }
    if !shared.excess.is_empty() {
        shared.timers.ensure(Monotonic(0), Timer::Excess);
    }
    count * DROP_STEPS
}
