//! A batch that is committed once more after its commit has failed: in one, or in parts if there was no room for all of it.
//!
//! A transaction copies pages before it changes them, and what it frees is free for a later one only. So a batch that makes room may
//! not fit as a whole, and fits in parts. Every beginning of a batch is a state that a broker recovers from, so it does not
//! matter where a part ends; but nobody is told of one.

use ebbtide_store::{Operation, Store, StoreError};

/// So many operations are committed at a time once all of them were too many; fewer if they are too many, too.
const PART_OPERATIONS_MAX: usize = 500;
/// So many parts are committed before as many operations are tried at a time as were too many; twice as many if they were so again.
const PATIENCE_FIRST: usize = 16;
const PATIENCE_LAST: usize = 256;

/// What is still to be committed.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    left: &'a [Operation],
    /// At a time.
    part: usize,
    /// How many the commit had that failed last.
    tried: usize,
    /// So many there was no room for.
    too_many: usize,
    /// How many parts have been committed since this changed, and how many are to be before as many are tried again.
    committed: usize,
    patience: usize,
}

impl<'a> Parts<'a> {
    /// Of a batch whose commit failed like this.
    pub fn of(operations: &'a [Operation], error: &StoreError) -> Self {
        let mut parts = Self {
            left: operations,
            part: operations.len(),
            tried: 0,
            too_many: usize::MAX,
            committed: 0,
            patience: PATIENCE_FIRST,
        };
        parts.failed(operations.len(), error);
        parts
    }

    /// How many operations.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// The commit that failed last is there. To apply it again does no harm as a whole, but a crash between its parts would leave what
    /// never was: a will, say, that was put and removed.
    pub fn landed(&mut self) {
        self.left = &self.left[self.tried..];
        self.tried = 0;
    }

    /// Commits what is left. What a failed attempt has committed is not part of the next: the store that is found then has it, or is
    /// another one, which gets nothing of this.
    pub fn commit(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        while !self.left.is_empty() {
            let count = self.part.min(self.left.len());
            let (part, left) = self.left.split_at(count);
            store
                .commit(part)
                .inspect_err(|error| self.failed(count, error))?;
            self.left = left;
            self.succeeded();
        }
        Ok(())
    }

    /// It goes faster again when there is room; but to find out that there is none, the store has to be opened again.
    fn succeeded(&mut self) {
        if self.part >= self.too_many {
            (self.too_many, self.patience) = (usize::MAX, PATIENCE_FIRST);
        }
        self.committed += 1;
        if self.part * 2 < self.too_many || self.committed >= self.patience {
            self.part = (self.part * 2).min(PART_OPERATIONS_MAX);
            self.committed = 0;
        }
    }

    fn failed(&mut self, tried: usize, error: &StoreError) {
        self.tried = tried;
        if !matches!(error, StoreError::Full(_)) {
            return;
        }
        if tried >= self.too_many {
            self.patience = (self.patience * 2).min(PATIENCE_LAST);
        }
        self.too_many = tried;
        self.part = (tried / 2).clamp(1, PART_OPERATIONS_MAX);
        self.committed = 0;
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
        assert!((2..20).contains(&attempts), "{attempts}");
        let committed: usize = store.committed.lock().iter().sum();
        assert_eq!(committed, operations.len());
        assert!(store.committed.lock().iter().all(|part| *part <= 3));
    }

    /// The store does not have to be opened again for each of them.
    #[test]
    fn with_room_again_parts_grow_without_failing() {
        let operations = operations();
        let mut store = Small::new(0);
        let mut parts = Parts::of(&operations, &full());
        for _ in 0..20 {
            assert!(parts.commit(&store).is_err());
        }
        store.most = usize::MAX;
        parts.commit(&store).expect("fits");
        let committed = store.committed.lock();
        assert_eq!(committed[..4], [1, 2, 4, 8]);
        assert_eq!(committed.iter().sum::<usize>(), operations.len());
    }

    #[test]
    fn what_had_landed_is_not_committed_again() {
        let operations = operations();
        let store = Small::new(1_000);
        let mut whole = Parts::of(&operations, &full());
        whole.landed();
        assert_eq!(whole.left(), 0);
        whole.commit(&store).expect("nothing is left");
        assert!(store.committed.lock().is_empty());

        let mut parts = Parts::of(&operations, &full());
        let none = Small::new(0);
        assert!(parts.commit(&none).is_err());
        parts.landed();
        assert_eq!(parts.left(), operations.len() - 500, "a part of it");
        parts.landed();
        assert_eq!(parts.left(), operations.len() - 500, "it was one");
        parts.commit(&store).expect("fits");
        let committed: usize = store.committed.lock().iter().sum();
        assert_eq!(committed, operations.len() - 500);
    }
}
