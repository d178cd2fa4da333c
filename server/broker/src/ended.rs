//! Sessions whose removal may not be on disk yet: whoever is told that there is none must not find it after a crash.

use std::collections::{HashMap, VecDeque};

use ebbtide_protocol::ByteString;
use parking_lot::Mutex;

use crate::journal::{Journal, Ticket};

/// By client id. No more is remembered than waits for the disk, or did when the last session ended.
#[derive(Debug, Default)]
pub(crate) struct Ended(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tickets: HashMap<ByteString, Ticket>,
    /// The oldest first.
    queue: VecDeque<(Ticket, ByteString)>,
}

impl Ended {
    /// The session of this client has ended, with the removal that the ticket stands for.
    pub fn remember(&self, client_id: &ByteString, ticket: Ticket, journal: &Journal) {
        let mut state = self.0.lock();
        while let Some((oldest, _)) = state.queue.front()
            && journal.is_durable(*oldest)
            && let Some((oldest, client_id)) = state.queue.pop_front()
        {
            if state.tickets.get(&client_id) == Some(&oldest) {
                state.tickets.remove(&client_id);
            }
        }
        state.tickets.insert(client_id.clone(), ticket);
        state.queue.push_back((ticket, client_id.clone()));
    }

    /// The removal of this client's last session, if it may not be on disk yet.
    pub fn ticket(&self, client_id: &ByteString) -> Option<Ticket> {
        self.0.lock().tickets.get(client_id).copied()
    }
}
