//! The store of a broker that crashes, and which session of each client it has.

use std::{collections::BTreeMap, sync::Arc};

use ebbtide_protocol::ByteString;
use ebbtide_store::{Incarnation, Message, Operation, Store, memory::MemoryStore};

#[derive(Default)]
pub struct Disk {
    pub store: MemoryStore,
    sessions: BTreeMap<ByteString, Incarnation>,
}

impl Disk {
    pub fn commit(&mut self, operations: &[Operation]) {
        for operation in operations {
            match operation {
                Operation::PutSession(row) => {
                    let client_id = row.client_id.clone();
                    self.sessions.insert(client_id, row.incarnation);
                }
                Operation::RemoveSession(ended) => self.sessions.retain(|_, it| it != ended),
                _ => {}
            }
        }
        self.store
            .commit(operations)
            .expect("a store in memory does not fail");
    }

    /// What still waits here, by client, because these operations have not come to be.
    pub fn undone(&self, operations: &[Operation]) -> Vec<(ByteString, Arc<Message>)> {
        let mut undone = Vec::new();
        for (client_id, incarnation) in &self.sessions {
            let done = operations.iter().filter_map(|operation| match operation {
                Operation::Done {
                    session, sequence, ..
                } if session == incarnation => Some(*sequence),
                _ => None,
            });
            let done: Vec<_> = done.collect();
            let waiting = self.store.read(*incarnation, &done);
            for queued in waiting.expect("a store in memory does not fail") {
                undone.push((client_id.clone(), queued.message));
            }
        }
        undone
    }

    /// The number of this client's session.
    pub fn session(&self, client_id: &str) -> Option<Incarnation> {
        self.sessions.get(client_id).copied()
    }
}
