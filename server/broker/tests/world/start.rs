//! How a world begins: a broker recovered from the store, with rules or without. And what is done to it from beside the clients.

use ebbtide_broker::{Broker, Limit, Limits, Now, PresenceTopic, Recovery, Rules};
use ebbtide_store::{Store, access::RuleRow, memory::MemoryStore};

use super::{Client, World};

impl World {
    /// Rules decide who may do what.
    pub fn guarded(rules: Vec<RuleRow>) -> Self {
        Self::start(Limits::default(), None, Some(rules))
    }

    /// The same from the next start on.
    pub fn guard(&mut self, rules: Vec<RuleRow>) {
        self.rules = Some(rules);
    }

    /// The door says that it is one too many.
    pub fn refuse(&mut self, client: Client, limit: Limit) {
        self.clients[client.0].connection.refuse(limit, self.now);
    }

    /// What is due is done, turn after turn.
    pub fn keep_time(&mut self) {
        self.broker.handle_timeout(self.now);
        while (self.broker.poll_timeout()).is_some_and(|at| at <= self.now.monotonic) {
            self.broker.handle_timeout(self.now);
        }
    }
}

pub(super) fn recover(
    store: &MemoryStore,
    limits: &Limits,
    presence: Option<&PresenceTopic>,
    rules: Option<&Vec<RuleRow>>,
    now: Now,
) -> Broker {
    let mut recovery = Recovery::new(limits.clone(), 1);
    if let Some(topic) = presence {
        recovery.keep_presence(topic.clone());
    }
    if let Some(rules) = rules {
        recovery.guard(Rules::new(rules.clone()).expect("valid rules"));
    }
    store
        .recover(&mut |row| recovery.row(row))
        .expect("a store in memory does not fail");
    recovery.finish(now)
}
