//! Long batches of messages: rows that gather and go behind the last one together, mixed with whatever touches single rows.

use bytes::Bytes;
use redb::{ReadableDatabase, ReadableTable};

use super::{Disks, disk::Random, model};
use crate::{
    Accept, Message, Operation, Queue, RedbStore, Sequence, Store,
    conformance::{Subject, assert_same_reads, kept, sample},
    redb::table,
};

const SEEDS: u64 = 20;

fn put(number: u64, seed: u64) -> Operation {
    Operation::Accept(Accept {
        queued: sample::queue(number, [1, 2, 3], seed),
        retained: None,
        inbound: None,
    })
}

fn put_large(number: u64, payload_bytes: u64) -> Operation {
    let message = Message {
        payload: Bytes::from(vec![7; payload_bytes as usize]),
        ..sample::message(sample::topic(1), number)
    };
    Operation::Accept(Accept {
        queued: Some(Queue {
            sequence: Sequence(number),
            message: message.into(),
            recipients: sample::recipients([2], 1),
        }),
        retained: None,
        inbound: None,
    })
}

fn below(random: &mut Random, end: u64) -> u64 {
    random.next() % end
}

/// Bytes of all rows of messages.
fn row_bytes(store: &RedbStore) -> u64 {
    let snapshot = store.database().begin_read().expect("begins");
    let messages = snapshot.open_table(table::MESSAGES).expect("opens");
    let rows = messages.iter().expect("reads");
    rows.map(|entry| entry.expect("reads").1.value().len() as u64)
        .sum()
}

/// A batch after which the highest number is `next`.
fn batch(random: &mut Random, next: &mut u64) -> Vec<Operation> {
    let mut batch = Vec::new();
    for _ in 0..below(random, 60) {
        let earlier = 1 + below(random, *next + 1);
        match below(random, 12) {
            0 => batch.push(Operation::RemoveMessage(Sequence(earlier))),
            1 => {
                *next += 1;
                batch.push(sample::move_shared(
                    earlier,
                    3,
                    *next,
                    4,
                    1 + earlier as u16,
                ));
            }
            2 => batch.push(put(earlier, below(random, 40))),
            3 if below(random, 8) == 0 => {
                *next += 1;
                batch.push(put_large(*next, below(random, 300_000)));
            }
            _ => {
                // Numbers are left out where nobody waits.
                *next += 1 + below(random, 2);
                batch.push(put(*next, below(random, 40)));
            }
        }
    }
    batch
}

/// Whatever a batch mixes, the store has what the model has; and it knows how much that is.
#[test]
fn long_batches_are_as_the_model_says() {
    let mut disks = Disks::default();
    for seed in 1..=SEEDS {
        let mut random = Random(seed);
        let mut history: Vec<Vec<Operation>> =
            vec![(1..=4).map(|n| sample::put_session(n, n)).collect()];
        let mut next = 0;
        let store = disks.create();
        store.commit(&history[0]).expect("commits");
        for _ in 0..8 {
            // Some are committed again, as after a failure.
            let again = below(&mut random, 4) == 0;
            let batch = match history.last() {
                Some(last) if again => last.clone(),
                _ => batch(&mut random, &mut next),
            };
            store.commit(&batch).expect("commits");
            history.push(batch);
            let model = model(&history);
            assert_same_reads(&store, &model);
            let numbers: Vec<Sequence> = (0..=next + 1).map(Sequence).collect();
            for session in 1..=4 {
                let session = crate::Incarnation(session);
                let found = store.read(session, &numbers).expect("reads");
                let expected = model.read(session, &numbers).expect("reads");
                assert_eq!(found, expected, "seed {seed}, {session:?}");
            }
        }
        let store = disks.restart(store);
        assert_eq!(kept(&store), kept(&model(&history)), "seed {seed}");
    }
}

/// What is removed is counted as room by the bytes that it took, however it was written.
#[test]
fn rows_count_by_their_bytes() {
    let store = Disks::default().create();
    let puts: Vec<Operation> = (1..=100).map(|number| put(number, number)).collect();
    store.commit(&puts).expect("commits");
    assert_eq!(store.reusable_bytes(), 0);
    let bytes = row_bytes(&store);
    // Replaced by themselves.
    store.commit(&puts).expect("commits");
    assert_eq!((store.reusable_bytes(), row_bytes(&store)), (0, bytes));
    let removals = (1..=100).map(|number| Operation::RemoveMessage(Sequence(number)));
    store
        .commit(&removals.collect::<Vec<_>>())
        .expect("commits");
    assert_eq!((store.reusable_bytes(), row_bytes(&store)), (bytes, 0));
    // In one batch they are there, and gone again.
    let mut both = puts;
    both.extend((1..=100).map(|number| Operation::RemoveMessage(Sequence(number))));
    store.commit(&both).expect("commits");
    assert_eq!((store.reusable_bytes(), row_bytes(&store)), (bytes, 0));
}
