//! A batch that is committed once more after its commit has failed: in one, or in parts if there was no room for all of it.
//!
//! A transaction copies pages before it changes them, and what it frees is free for a later one only. So a batch that makes room may
//! not fit as a whole, and fits in parts. Every beginning of a batch is a state that a broker recovers from, so it does not
//! matter where a part ends; but nobody is told of one.

use ebbtide_store::{Operation, Store, StoreError};

/// So many operations are committed at a time once all of them were too many; fewer if they are too many, too.
const PART_OPERATIONS_MAX: usize = 500;

/// What is still to be committed.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    left: &'a [Operation],
    /// At a time.
    part: usize,
}

impl<'a> Parts<'a> {
    /// Of a batch whose commit failed like this.
    pub fn of(operations: &'a [Operation], error: &StoreError) -> Self {
        let mut parts = Self {
            left: operations,
            part: operations.len(),
        };
        parts.failed(error);
        parts
    }

    /// Commits what is left. What a failed attempt has committed is not part of the next: the store that is found then has it, or is
    /// another one, which gets nothing of this.
    pub fn commit(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        while !self.left.is_empty() {
            let (part, left) = self.left.split_at(self.part.min(self.left.len()));
            store.commit(part).inspect_err(|error| self.failed(error))?;
            self.left = left;
            // It goes faster again as soon as there is room.
            self.part = (self.part * 2).min(PART_OPERATIONS_MAX);
        }
        Ok(())
    }

    fn failed(&mut self, error: &StoreError) {
        if matches!(error, StoreError::Full(_)) {
            self.part = (self.part / 2).clamp(1, PART_OPERATIONS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_store::{Incarnation, MemoryStore, Part, RecoveryReport, Row, Sequence};
    use parking_lot::Mutex;

    use super::*;

    /// Takes so many operations at a time, and none after one that failed.
    struct Small {
        most: usize,
        store: MemoryStore,
        committed: Mutex<Vec<usize>>,
    }

    impl Small {
        fn new(most: usize) -> Self {
            Self {
                most,
                store: MemoryStore::new(),
                committed: Mutex::default(),
            }
        }
    }

    impl Store for Small {
        fn commit(&self, batch: &[Operation]) -> Result<(), StoreError> {
            if batch.len() > self.most {
                return Err(full());
            }
            self.committed.lock().push(batch.len());
            self.store.commit(batch)
        }

        fn read_part(
            &self,
            session: Incarnation,
            sequences: &[Sequence],
            bytes_max: usize,
        ) -> Result<Part, StoreError> {
            self.store.read_part(session, sequences, bytes_max)
        }

        fn recover(&self, visit: &mut dyn FnMut(Row)) -> Result<RecoveryReport, StoreError> {
            self.store.recover(visit)
        }
    }

    fn full() -> StoreError {
        StoreError::Full("it is small".into())
    }

    fn operations() -> Vec<Operation> {
        (0..2_300)
            .map(|number| Operation::RemoveDropped(Incarnation(number)))
            .collect()
    }

    #[test]
    fn a_batch_that_was_not_too_much_stays_whole() {
        let operations = operations();
        let mut parts = Parts::of(&operations, &StoreError::Io("it was away".into()));
        let store = Small::new(usize::MAX);
        parts.commit(&store).expect("fits");
        assert_eq!(*store.committed.lock(), [2_300]);
    }

    #[test]
    fn what_does_not_fit_at_once_fits_in_parts() {
        let operations = operations();
        let store = Small::new(600);
        let mut parts = Parts::of(&operations, &full());
        parts.commit(&store).expect("fits");
        assert_eq!(*store.committed.lock(), [500, 500, 500, 500, 300]);
    }

    /// And nothing that was committed is committed again.
    #[test]
    fn parts_become_as_small_as_they_have_to_be_and_larger_again() {
        let operations = operations();
        let mut store = Small::new(0);
        let mut parts = Parts::of(&operations, &full());
        for _ in 0..20 {
            assert!(parts.commit(&store).is_err());
        }
        store.most = 3;
        let mut attempts = 0;
        while parts.commit(&store).is_err() {
            attempts += 1;
        }
        assert!(attempts > 100, "each part was followed by one too many");
        store.most = usize::MAX;
        let committed: usize = store.committed.lock().iter().sum();
        assert_eq!(committed, operations.len());
        assert!(store.committed.lock().iter().all(|part| *part <= 3));
    }
}
