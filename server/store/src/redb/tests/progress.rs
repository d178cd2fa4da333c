//! What a session or group is done with stays a small row, however long one of its messages is open, and whatever lies between.

use redb::ReadableDatabase;

use super::Disks;
use crate::{
    Accept, Incarnation, Operation, RedbStore, Row, Sequence, Store,
    conformance::{Subject, sample},
    progress::{LOOKED_AT_PER_RANGE, RANGES_STEP},
    redb::table,
};

const OWNER: u64 = 9;
const OTHER: u64 = 2;

fn put(number: u64, recipient: u64) -> Operation {
    put_for(number, &[recipient])
}

fn put_for(number: u64, recipients: &[u64]) -> Operation {
    Operation::Accept(Accept {
        queued: sample::queue(number, recipients.iter().copied(), 1),
        retained: None,
        inbound: None,
    })
}

fn row_bytes(store: &RedbStore, owner: u64) -> usize {
    let snapshot = store.database().begin_read().expect("begins");
    let table = snapshot.open_table(table::PROGRESS).expect("opens");
    let row = table.get(owner).expect("reads");
    row.map_or(0, |row| row.value().len())
}

/// Who waits for what after a start.
fn waiting(store: &RedbStore) -> Vec<(u64, u64)> {
    let mut waiting = Vec::new();
    let visit = &mut |row| {
        if let Row::Queued {
            sequence,
            recipients,
            ..
        } = row
        {
            waiting.extend((recipients.iter()).map(|to| (to.session.0, sequence.0)));
        }
    };
    store.recover(visit).expect("recovers");
    waiting
}

/// The oldest message stays open, and a few more. The owner is done with what comes after them, one after the other; between lie numbers
/// that were another's, or nobody's, and some that the other still waits for.
fn is_bounded(owner: Operation) {
    let mut disks = Disks::default();
    let store = disks.create();
    store
        .commit(&[owner, sample::put_session(OTHER, OTHER), put(1, OWNER)])
        .expect("commits");
    let (mut bytes_max, mut expected) = (0, vec![(OWNER, 1)]);
    let mut number = 1;
    for round in 0..60 {
        // One more that stays open.
        number += 1;
        let mut batch = vec![put(number, OWNER)];
        expected.push((OWNER, number));
        for _ in 0..RANGES_STEP / 10 {
            let (others, own) = (number + 1, number + 3);
            number = own;
            batch.extend([put(others, OTHER), put(own, OWNER)]);
            if round % 10 > 0 {
                batch.push(sample::done(OTHER, others, 0, 0));
                batch.push(Operation::RemoveMessage(Sequence(others)));
            } else {
                expected.push((OTHER, others));
            }
            batch.push(sample::done(OWNER, own, 0, 1));
            batch.push(Operation::RemoveMessage(Sequence(own)));
        }
        store.commit(&batch).expect("commits");
        bytes_max = bytes_max.max(row_bytes(&store, OWNER));
    }
    assert!(bytes_max <= 4 * RANGES_STEP, "{bytes_max} bytes");
    let store = disks.restart(store);
    let own = |waiting: &[(u64, u64)]| -> Vec<u64> {
        let own = waiting.iter().filter(|(owner, _)| *owner == OWNER);
        own.map(|(_, number)| *number).collect()
    };
    let found = waiting(&store);
    assert_eq!(own(&found), own(&expected));
    assert_eq!(found, expected);
    let numbers: Vec<Sequence> = (1..=number).map(Sequence).collect();
    let part = store
        .read_part(Incarnation(OWNER), &numbers, usize::MAX)
        .expect("reads");
    let read: Vec<u64> = part.messages.iter().map(|one| one.sequence.0).collect();
    assert_eq!(read, own(&expected));
}

#[test]
fn of_a_session_with_one_message_in_flight() {
    is_bounded(sample::put_session(OWNER, OWNER));
}

#[test]
fn of_a_group_with_one_message_in_the_hands_of_a_member() {
    is_bounded(sample::put_group(OWNER));
}

/// Of more messages of others than are looked at one may be the owner's: all but those are joined.
#[test]
fn a_gap_with_much_in_it_stays() {
    let mut disks = Disks::default();
    let store = disks.create();
    let mut batch = vec![
        sample::put_session(OWNER, OWNER),
        sample::put_session(OTHER, OTHER),
        put(1, OWNER),
    ];
    let much = (LOOKED_AT_PER_RANGE * (RANGES_STEP + 2)) as u64;
    batch.extend((2..=much).map(|number| put(number, OTHER)));
    batch.push(put(much + 1, OWNER));
    for own in (much + 2..).step_by(2).take(RANGES_STEP + 1) {
        batch.extend([put(own, OWNER), sample::done(OWNER, own, 0, 0)]);
        batch.push(Operation::RemoveMessage(Sequence(own)));
    }
    store.commit(&batch).expect("commits");
    assert!(row_bytes(&store, OWNER) < 16);
    let store = disks.restart(store);
    let waiting: Vec<_> = waiting(&store);
    assert_eq!(waiting.iter().filter(|one| one.0 == OWNER).count(), 2);
}

/// As many of others between two of the owner's would be too many to be looked at everywhere, if there were no end to it.
#[test]
fn gaps_are_joined_while_others_get_much_more() {
    let mut disks = Disks::default();
    let store = disks.create();
    let owners = [OWNER, OTHER].map(|number| sample::put_session(number, number));
    store.commit(&owners).expect("commits");
    store.commit(&[put(1, OWNER)]).expect("commits");
    let mut number = 1;
    for _ in 0..11 {
        let mut batch = Vec::new();
        for _ in 0..RANGES_STEP / 10 {
            batch.extend((1..=20).map(|others| put(number + others, OTHER)));
            number += 21;
            batch.extend([put(number, OWNER), sample::done(OWNER, number, 0, 1)]);
            batch.push(Operation::RemoveMessage(Sequence(number)));
        }
        store.commit(&batch).expect("commits");
    }
    assert!(row_bytes(&store, OWNER) < 1_000);
    let store = disks.restart(store);
    let found = waiting(&store);
    let own: Vec<_> = found.iter().filter(|one| one.0 == OWNER).collect();
    assert_eq!(own, [&(OWNER, 1)]);
}

/// Rows go into the table together: one that is not there yet waits like the others.
#[test]
fn what_has_come_in_the_same_batch_is_not_passed() {
    let mut disks = Disks::default();
    let store = disks.create();
    store
        .commit(&[
            sample::put_session(OWNER, OWNER),
            sample::put_session(OTHER, OTHER),
        ])
        .expect("commits");
    let mut batch = vec![put(1, OWNER)];
    for own in (3..).step_by(2).take(RANGES_STEP) {
        batch.push(put_for(own, &[OTHER, OWNER]));
        batch.push(sample::done(OWNER, own, 0, 0));
    }
    store.commit(&batch).expect("commits");
    assert!(row_bytes(&store, OWNER) < 16);
    let store = disks.restart(store);
    let found = waiting(&store);
    let own: Vec<_> = found.iter().filter(|one| one.0 == OWNER).collect();
    assert_eq!(own, [&(OWNER, 1)]);
}
