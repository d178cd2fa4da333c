//! What every store must do, checked on any store: each documented rule by a script, and random histories compared with
//! [`crate::MemoryStore`], restarted after every batch and within it, with every operation doubled, and with their tails applied
//! again.
//!
//! A store runs it with one call, see [`run`]. It panics at the first difference.

mod compare;
mod history;
mod random;
mod rules;
pub(crate) mod sample;

pub use compare::{Kept, assert_same_reads, kept};
#[cfg(all(test, feature = "redb"))]
pub(crate) use random::histories as random_histories;

use crate::Store;

/// Makes and reopens the stores under test.
pub trait Subject {
    /// What is tested.
    type Store: Store;

    /// A new, empty store. The suite has done with the one before.
    fn create(&mut self) -> Self::Store;

    /// Ends the store as a crash would, after whatever was committed, and opens it again.
    fn restart(&mut self, store: Self::Store) -> Self::Store;
}

/// Runs the whole suite.
///
/// # Panics
/// When the store breaks a rule.
pub fn run(mut subject: impl Subject) {
    rules::run(&mut subject);
    random::run(&mut subject);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    struct Memory;

    impl Subject for Memory {
        type Store = MemoryStore;

        fn create(&mut self) -> MemoryStore {
            MemoryStore::new()
        }

        fn restart(&mut self, store: MemoryStore) -> MemoryStore {
            store
        }
    }

    #[test]
    fn the_memory_store_conforms() {
        run(Memory);
    }
}
