//! Reading back what waits: close together or far apart, and once for all who have it in their hands.

use std::sync::Arc;

use super::Disks;
use crate::{
    Accept, Incarnation, MemoryStore, Operation, Part, RedbStore, Sequence, Store,
    conformance::{Subject, sample},
};

/// With messages of every third number for two sessions.
fn stores() -> (RedbStore, MemoryStore) {
    let (store, model) = (Disks::default().create(), MemoryStore::new());
    let accept = |number| {
        Operation::Accept(Accept {
            queued: sample::queue(number, [1, 2], number),
            retained: None,
            inbound: None,
        })
    };
    let sessions = [sample::put_session(1, 1), sample::put_session(2, 2)];
    let batch: Vec<_> = (1..100).step_by(3).map(accept).collect();
    for batch in [&sessions[..], &batch] {
        store.commit(batch).expect("commits");
        model.commit(batch).expect("commits");
    }
    (store, model)
}

fn read(store: &dyn Store, session: u64, numbers: &[u64]) -> Part {
    let numbers: Vec<_> = numbers.iter().copied().map(Sequence).collect();
    let part = store.read_part(Incarnation(session), &numbers, usize::MAX);
    part.expect("reads")
}

#[test]
fn however_the_numbers_lie_all_that_are_there_are_found() {
    let (store, model) = stores();
    for numbers in [
        &[] as &[u64],
        &[4],
        &[5],
        &[1, 4, 7, 10],
        &[2, 3, 4, 5, 6, 7, 13],
        &[1, 97],
        &[0, 1, 50, 200],
        &[97, 98, 99, 100, 101],
        &[10, 7, 4],
        &[4, 4, 7],
    ] {
        let found = read(&store, 1, numbers);
        assert_eq!(found, read(&model, 1, numbers), "{numbers:?}");
    }
}

#[test]
fn two_who_wait_for_a_message_have_the_same_one() {
    let (store, _) = stores();
    let first = read(&store, 1, &[4, 7]);
    let second = read(&store, 2, &[1, 4]);
    let (first, second) = (&first.messages[0], &second.messages[1]);
    assert!(Arc::ptr_eq(&first.message, &second.message));
    assert_ne!(first.recipient, second.recipient);
}

/// What is on disk decides, not what is in somebody's hands.
#[test]
fn what_is_done_is_gone_though_somebody_holds_it() {
    let (store, _) = stores();
    let held = read(&store, 1, &[4, 7]);
    store
        .commit(&[
            sample::done(2, 4, 0, 1),
            Operation::RemoveMessage(Sequence(7)),
        ])
        .expect("commits");
    assert!(read(&store, 2, &[4, 7]).messages.is_empty());
    assert_eq!(read(&store, 1, &[4, 7]).messages, held.messages[..1]);
}
