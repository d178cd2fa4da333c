//! What came of publishes and subscriptions, told to the application: when what it stands for is stored, and not before.

use alloc::vec::Vec;

use super::{
    Client, Event, JournalEntry, Said, SubscriptionChange,
    journal::Effect,
    machine::Queued,
    outbound::{Answered, Settled},
    subscriptions::Change,
};

impl Client {
    pub(super) fn push_event(&mut self, event: Event) {
        self.events.push_back(Queued { event, owed: None });
    }

    pub(super) fn push_settled(&mut self, settled: Settled) {
        let Settled {
            handle,
            result,
            is_stored,
            diagnostics,
        } = settled;
        let acked = Event::Acked {
            handle,
            result,
            diagnostics: diagnostics.clone(),
        };
        if !is_stored {
            self.push_event(acked);
            return;
        }
        self.journal.write(JournalEntry::Finished {
            handle,
            result,
            diagnostics,
        });
        self.gate(Effect::Event(acked));
    }

    pub(super) fn push_all_settled(&mut self, all: Vec<Settled>) {
        for settled in all {
            self.push_settled(settled);
        }
    }

    pub(super) fn push_answered(&mut self, answered: Answered) {
        match answered {
            Answered::Nothing => {}
            Answered::Settled(settled) => self.push_settled(settled),
            Answered::Deferred(handle, reason, retry_in_ms, diagnostics) => {
                self.push_event(Event::Deferred {
                    handle,
                    reason,
                    retry_in_ms,
                    diagnostics,
                });
            }
        }
    }

    pub(super) fn push_changes(&mut self, changes: Vec<Change>) {
        self.push_told(changes, &None);
    }

    pub(super) fn push_told(&mut self, changes: Vec<Change>, diagnostics: &Said) {
        for (handle, change) in changes {
            // A snapshot is complete when what belongs to it is kept.
            let told = Effect::Event(Event::Subscription {
                handle,
                change,
                // A snapshot that was empty is complete at once, and SUBACK says nothing of that.
                diagnostics: match change {
                    SubscriptionChange::SnapshotComplete { .. } => None,
                    _ => diagnostics.clone(),
                },
            });
            self.gate(told);
        }
    }
}
