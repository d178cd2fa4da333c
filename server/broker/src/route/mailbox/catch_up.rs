//! What has spilled is taken to be read, and the session is live again.
//!
//! It is live as soon as its owner has taken the last of the numbers, though they have not been read: what is pushed from then on waits in
//! memory, behind what the owner holds. Until they are read more would have come, and again, for as long as there is traffic.

use std::collections::BTreeSet;

use ebbtide_protocol::TopicFilter;
use ebbtide_store::{Revision, Sequence};

use super::{Mail, Mailbox, Numbers, State, snapshots::Snapshots};

impl Mailbox {
    pub fn is_spilling(&self) -> bool {
        self.state.lock().spilling
    }

    /// Whether there is a backlog to be read; with the filters whose snapshots are owed, if [`Mailbox::catch_up`] will take the last
    /// numbers of it. Its owner makes the snapshots first: they may be many.
    pub fn begin_catch_up(&self, max: usize) -> Option<BTreeSet<TopicFilter>> {
        let mut state = self.state.lock();
        if !state.spilling {
            return None;
        }
        Some(match state.spilled.len() <= max {
            true => std::mem::take(&mut state.owed),
            false => BTreeSet::new(),
        })
    }

    /// Spilled numbers to read next, up to so many; none while anything waits in memory, for that comes first. `size_of` knows their
    /// bytes, which no longer count from the moment they are out: a publisher would drop others for them.
    ///
    /// With the last of them messages wait in memory again, behind the snapshots that were `owed`, as of this revision. If more has come
    /// meanwhile they stay there; and if these have become the last ones only now, for others were dropped, what is owed has to be made
    /// first. The caller holds the lock on the order of publishes, so however many they are, this takes no longer.
    pub fn catch_up(
        &self,
        max: usize,
        size_of: impl FnOnce(&[Sequence]) -> u64,
        owed: &mut Snapshots,
        revision: Revision,
    ) -> Vec<Sequence> {
        let mut state = self.state.lock();
        if !state.queue.is_empty() {
            return Vec::new();
        }
        let taken = state.spilled.take(max);
        state.kept_bytes = state.kept_bytes.saturating_sub(size_of(&taken));
        if state.spilling && state.spilled.is_empty() && state.owed.is_empty() {
            state.go_live(std::mem::take(owed), revision);
        }
        taken
    }
}

impl State {
    fn go_live(&mut self, owed: Snapshots, revision: Revision) {
        self.spilling = false;
        self.spilled = Numbers::default();
        self.begin_with(owed, revision);
        let ends = std::mem::take(&mut self.ends);
        self.queue.extend(ends.into_iter().map(Mail::End));
    }
}
