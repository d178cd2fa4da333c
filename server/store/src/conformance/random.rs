//! Random histories against the model: recovery after every prefix, of batches and of the operations in them; each operation twice,
//! tails again.

use std::cell::{Cell, RefCell};

use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};

use super::{Subject, compare, history};
use crate::{MemoryStore, Operation, Store};

const CASES: u32 = 48;
/// How many of them are cut within every batch, which takes a store for each operation.
const CUT_WITHIN: usize = 4;
const SEED: u64 = 0x0EBB_71DE;

pub(super) fn run(subject: &mut impl Subject) {
    let config = Config {
        cases: CASES,
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        ..Config::default()
    };
    let strategy = (history::history(), any::<prop::sample::Index>());
    let subject = RefCell::new(subject);
    let cut_within = Cell::new(0);
    TestRunner::new(config)
        .run(&strategy, |(history, tail)| {
            let subject = &mut **subject.borrow_mut();
            prefixes(subject, &history);
            if cut_within.get() < CUT_WITHIN && history.len() >= 6 {
                cut_within.set(cut_within.get() + 1);
                prefixes_of_batches(subject, &history);
            }
            twice(subject, &history);
            tail_again(subject, &history, tail.index(history.len()));
            Ok(())
        })
        .expect("the store does as the model");
    assert_eq!(cut_within.get(), CUT_WITHIN, "too few long histories");
}

/// So many histories of at least eight batches, always the same.
#[cfg(all(test, feature = "redb"))]
pub(crate) fn histories(count: usize) -> Vec<Vec<Vec<Operation>>> {
    use proptest::strategy::ValueTree as _;
    let mut runner = TestRunner::new(Config {
        rng_seed: RngSeed::Fixed(SEED),
        ..Config::default()
    });
    let mut history = || history::history().new_tree(&mut runner);
    std::iter::repeat_with(|| history().expect("the strategy rejects nothing").current())
        .filter(|history| history.len() >= 8)
        .take(count)
        .collect()
}

/// After each batch the store is restarted, and gives back what the model has.
fn prefixes(subject: &mut impl Subject, history: &[Vec<Operation>]) {
    let model = MemoryStore::new();
    let mut store = subject.create();
    for batch in history {
        model.commit(batch).expect("commits");
        store.commit(batch).expect("commits");
        // Reads before the sweep that a recovery does.
        compare::assert_same_reads(&store, &model);
        store = subject.restart(store);
        assert_eq!(compare::kept(&store), compare::kept(&model));
        compare::assert_same_reads(&store, &model);
    }
}

/// A batch of which only the first operations have arrived leaves what they say, and the whole batch can follow: so a batch that
/// failed can be committed again.
fn prefixes_of_batches(subject: &mut impl Subject, history: &[Vec<Operation>]) {
    for (count, batch) in history.iter().enumerate() {
        for length in 1..batch.len() {
            let model = MemoryStore::new();
            let mut store = subject.create();
            for batch in history[..count].iter().map(Vec::as_slice) {
                model.commit(batch).expect("commits");
                store.commit(batch).expect("commits");
            }
            model.commit(&batch[..length]).expect("commits");
            store.commit(&batch[..length]).expect("commits");
            store = subject.restart(store);
            assert_eq!(compare::kept(&store), compare::kept(&model));
            compare::assert_same_reads(&store, &model);
            model.commit(batch).expect("commits");
            store.commit(batch).expect("commits");
            assert_same(subject, store, &model);
        }
    }
}

/// Every operation applied twice in a row makes no difference.
fn twice(subject: &mut impl Subject, history: &[Vec<Operation>]) {
    let model = MemoryStore::new();
    let store = subject.create();
    for batch in history {
        model.commit(batch).expect("commits");
        let doubled: Vec<Operation> = batch
            .iter()
            .flat_map(|op| [op.clone(), op.clone()])
            .collect();
        store.commit(&doubled).expect("commits");
    }
    assert_same(subject, store, &model);
}

/// The tail of a history applied again makes no difference, before a restart and after one.
fn tail_again(subject: &mut impl Subject, history: &[Vec<Operation>], from: usize) {
    let model = MemoryStore::new();
    let mut store = subject.create();
    let tail = &history[from..];
    for batch in history {
        model.commit(batch).expect("commits");
        store.commit(batch).expect("commits");
    }
    for batch in tail {
        store.commit(batch).expect("commits");
    }
    compare::assert_same_reads(&store, &model);
    store = subject.restart(store);
    let expected = compare::kept(&model).rows;
    assert_eq!(compare::kept(&store).rows, expected);
    for batch in tail {
        store.commit(batch).expect("commits");
    }
    store = subject.restart(store);
    assert_eq!(compare::kept(&store).rows, expected);
    compare::assert_same_reads(&store, &model);
}

fn assert_same<S: Subject>(subject: &mut S, store: S::Store, model: &MemoryStore) {
    compare::assert_same_reads(&store, model);
    let store = subject.restart(store);
    assert_eq!(compare::kept(&store), compare::kept(model));
    compare::assert_same_reads(&store, model);
}
