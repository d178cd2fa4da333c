//! What a group loses because more waits than may.

use std::sync::Arc;

use super::{Group, State};
use crate::{
    Limits, QueueOverflow,
    route::{crowding::Queue, excess, overflow::EVICTED_AT_ONCE},
    shared::Shared,
};

impl Group {
    /// As for a session, see [`crate::route::overflow::evict`].
    pub fn evict(&self, limits: &Limits, shared: &Shared) -> bool {
        limits.queue_overflow == QueueOverflow::DropOldest
            && self.lose_oldest(&mut self.state.lock(), limits, shared)
    }

    /// The same behind a message that has come; what is still too much goes later.
    pub(super) fn evict_for_push(
        self: &Arc<Self>,
        state: &mut State,
        limits: &Limits,
        shared: &Shared,
    ) {
        if self.lose_oldest(state, limits, shared) {
            excess::note(shared, self.number, Queue::Group(Arc::clone(self)));
        }
    }

    fn lose_oldest(&self, state: &mut State, limits: &Limits, shared: &Shared) -> bool {
        for _ in 0..EVICTED_AT_ONCE {
            if state.is_within(limits) {
                return false;
            }
            let Some(oldest) = state.waiting.pop_front() else {
                return false;
            };
            self.lose(state, &oldest, shared);
        }
        !state.is_within(limits)
    }
}
