//! Queues with more in them than may wait, because a limit was lowered, or because one large message has come for which many small ones
//! must go. Whoever publishes drops a few of them, for nobody else can publish meanwhile; the rest goes in turns of the timers.

use std::{collections::BTreeMap, ops::Bound};

use ebbtide_store::Incarnation;
use parking_lot::Mutex;

use super::{
    crowding::Queue,
    overflow::{self, EVICTED_AT_ONCE},
};
use crate::{Monotonic, Now, shared::Shared, timers::Timer, work::DROP_STEPS};

/// So many go out of one queue before it is the turn of the next one.
const EVICTED_PER_PART: usize = 1_024;
/// With so many operations in the journal the disk comes first: what it commits at once, others wait for.
const OPERATIONS_MAX: usize = 4 * EVICTED_PER_PART;
/// After so long it is looked again.
const AGAIN_MS: u64 = 20;

/// Those that are known.
#[derive(Debug, Default)]
pub(crate) struct Excess(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<Incarnation, Queue>,
    /// Whose turn it was: one that stays above keeps nobody else waiting.
    last: Incarnation,
}

impl Excess {
    fn insert(&self, number: Incarnation, queue: Queue) {
        self.0.lock().queues.insert(number, queue);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().queues.is_empty()
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
    if shared.journal.operations() >= OPERATIONS_MAX {
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
    if is_above {
        shared.excess.insert(number, queue);
    }
    if !shared.excess.is_empty() {
        shared.timers.ensure(Monotonic(0), Timer::Excess);
    }
    count * DROP_STEPS
}
