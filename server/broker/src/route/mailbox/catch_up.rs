//! What has spilled is taken to be read, and the session is live again.
//!
//! It is live as soon as its owner has taken the last of the numbers, though they have not been read: what is pushed from then on waits in
//! memory, behind what the owner holds. Until they are read more would have come, and again, for as long as there is traffic.

use ebbtide_protocol::TopicFilter;
use ebbtide_store::Sequence;

use super::{Mail, Mailbox, Numbers, Snapshot, State};

impl Mailbox {
    pub fn is_spilling(&self) -> bool {
        self.state.lock().spilling
    }

    /// Spilled numbers to read next, up to so many; none while anything waits in memory, for that comes first. `size_of` knows their
    /// bytes, which no longer count from the moment they are out: a publisher would drop others for them.
    ///
    /// With the last of them messages wait in memory again, behind the snapshots that are owed, as `snapshot_of` makes them. The caller
    /// holds the lock on the order of publishes.
    pub fn catch_up(
        &self,
        max: usize,
        size_of: impl FnOnce(&[Sequence]) -> u64,
        snapshot_of: impl Fn(&TopicFilter) -> Option<Snapshot>,
    ) -> Vec<Sequence> {
        let mut state = self.state.lock();
        if !state.queue.is_empty() {
            return Vec::new();
        }
        let taken = state.spilled.take(max);
        state.kept_bytes = state.kept_bytes.saturating_sub(size_of(&taken));
        if state.spilling && state.spilled.is_empty() {
            state.go_live(snapshot_of);
        }
        taken
    }
}

impl State {
    fn go_live(&mut self, snapshot_of: impl Fn(&TopicFilter) -> Option<Snapshot>) {
        self.spilling = false;
        self.spilled = Numbers::default();
        for filter in std::mem::take(&mut self.owed) {
            if let Some(snapshot) = snapshot_of(&filter) {
                self.queue_snapshot(snapshot);
            }
        }
        let ends = std::mem::take(&mut self.ends);
        self.queue.extend(ends.into_iter().map(Mail::End));
    }
}
