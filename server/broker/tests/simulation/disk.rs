//! The store of a broker that crashes, and which session of each client it has.

use std::collections::BTreeMap;

use ebbtide_protocol::ByteString;
use ebbtide_store::{Incarnation, Operation, Store, memory::MemoryStore};

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

    /// The number of this client's session.
    pub fn session(&self, client_id: &str) -> Option<Incarnation> {
        self.sessions.get(client_id).copied()
    }
}
