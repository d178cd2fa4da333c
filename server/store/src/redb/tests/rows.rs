//! Rows that cannot be decoded, and rows at the limits.

use bytes::Bytes;
use ebbtide_protocol::{TopicFilter, TopicName};
use redb::Database;

use super::{disk::Disk, history, model, spoil};
use crate::{
    Accept, Incarnation, Operation, RedbStore, RetainedChange, RetainedRow, Row, Sequence, Store,
    StoreError, SubscriptionRow,
    conformance::{assert_same_reads, kept, sample},
    redb::{Settings, encoding::decode_queued_head, table},
};

#[test]
fn a_bad_row_is_put_aside_once_and_the_rest_lives() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let store = RedbStore::open(&path).expect("opens");
    for batch in &history() {
        store.commit(batch).expect("commits");
    }
    // A message with a set that no other names, and a group.
    let alone = Operation::Accept(Accept {
        queued: sample::queue(30, [2], 30),
        retained: None,
        inbound: None,
    });
    store
        .commit(&[sample::put_group(9), sample::put_dropped(1, 5), alone])
        .expect("commits");
    let held = store.database();
    let database = &*held;
    let filter = sample::filter(1);
    spoil(database, table::SESSIONS, 3, &[9, 9]);
    spoil(database, table::DROPPED, 1, &[1, 6]);
    spoil(database, table::GROUPS, 9, &[1, 3, b'a', b'#', b'b']);
    let subscription = (1, filter.as_str().as_bytes());
    spoil(database, table::SUBSCRIPTIONS, subscription, &[1, 3]);
    spoil(database, table::SETS, set_of(database, 30), &[1, 0, 0]);
    spoil(database, table::WILLS, 2, &[]);
    spoil(database, table::MESSAGES, 5, &[1, 0xff, 0xff]);
    spoil(database, table::RETAINED, b"site/1/state", &[7]);
    spoil(database, table::PROGRESS, 1, &[1]);
    spoil(database, table::FLOWS, (2, 0), &[1]);
    // All of this row is its key: the packet id zero does not exist.
    let transaction = database.begin_write().expect("begins");
    transaction
        .open_table(table::INBOUND)
        .and_then(|mut table| Ok(table.insert((2, 0), ()).map(drop)?))
        .expect("writes");
    transaction.commit().expect("commits");
    drop((held, store));

    let store = RedbStore::open(&path).expect("opens");
    let mut rows = Vec::new();
    let report = store.recover(&mut |row| rows.push(row)).expect("recovers");
    let mut lines = report.put_aside.clone();
    lines.sort();
    let tables: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(
        tables,
        [
            "dropped",
            "flows",
            "groups",
            "inbound",
            "messages",
            "messages",
            "progress",
            "retained",
            "sessions",
            "sets",
            "subscriptions",
            "wills"
        ]
    );
    assert!(
        lines[4].starts_with("messages 0500000000000000: "),
        "{lines:?}"
    );
    assert!(
        lines[5].starts_with("messages 1e00000000000000: its recipient set"),
        "{lines:?}"
    );
    let sessions = rows.iter().filter(|row| matches!(row, Row::Session(_)));
    assert_eq!(sessions.count(), 2);
    let queued = rows.iter().filter(|row| matches!(row, Row::Queued { .. }));
    assert_eq!(queued.count(), 18);
    drop(store);

    // They are out of the way for good, and kept as they were found.
    let store = RedbStore::open(&path).expect("opens");
    kept(&store);
    let snapshot = redb::ReadableDatabase::begin_read(&*store.database()).expect("begins");
    let quarantine = snapshot.open_table(table::QUARANTINE).expect("opens");
    let key = (&b"messages"[..], &5_u64.to_le_bytes()[..]);
    let row = quarantine.get(key).expect("reads").expect("is there");
    assert_eq!(row.value(), [1, 0xff, 0xff]);
}

fn set_of(database: &Database, sequence: u64) -> u64 {
    let snapshot = redb::ReadableDatabase::begin_read(database).expect("begins");
    let messages = snapshot.open_table(table::MESSAGES).expect("opens");
    let row = messages.get(sequence).expect("reads").expect("is there");
    decode_queued_head(row.value()).expect("decodes").set
}

/// Without the marks, numbers that are in use could be handed out again.
#[test]
fn bad_marks_stop_the_start() {
    let store = RedbStore::open_backend("disk", Disk::default(), Settings::default());
    let store = store.expect("opens");
    let marks = Operation::Reserve(crate::Marks::default());
    store.commit(&[marks]).expect("commits");
    spoil(&store.database(), table::META, table::MARKS, &[1]);
    let error = store.recover(&mut |_| {}).expect_err("is refused");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

/// A commit that meets a bad row fails as a whole; opened again, the row is put aside and the same commit passes.
#[test]
fn a_commit_over_a_bad_row_passes_after_a_reopen() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let store = RedbStore::open(&path).expect("opens");
    for batch in &history() {
        store.commit(batch).expect("commits");
    }
    spoil(&store.database(), table::RETAINED, b"site/1/state", &[7]);
    let change = Operation::Accept(Accept {
        queued: None,
        retained: Some(sample::set_retained(1, 100)),
        inbound: None,
    });
    let error = store
        .commit(std::slice::from_ref(&change))
        .expect_err("meets it");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    drop(store);
    let store = RedbStore::open(&path).expect("opens");
    let report = store.recover(&mut |_| {}).expect("recovers");
    assert_eq!(report.put_aside.len(), 1, "{report:?}");
    store.commit(&[change]).expect("commits");
    let found = kept(&store)
        .rows
        .into_iter()
        .any(|row| matches!(row, Row::Retained(row) if row.revision == crate::Revision(100)));
    assert!(found);
}

#[test]
fn a_bad_row_does_not_stop_a_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = RedbStore::open(directory.path().join("store")).expect("opens");
    for batch in &history() {
        store.commit(batch).expect("commits");
    }
    let read = || {
        let all: Vec<_> = (3..=7).map(Sequence).collect();
        let found = store.read(Incarnation(2), &all).expect("reads");
        found
            .iter()
            .map(|queued| queued.sequence.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(read(), [3, 4, 5, 6, 7]);
    spoil(&store.database(), table::MESSAGES, 5, &[1, 0xff, 0xff]);
    assert_eq!(read(), [3, 4, 6, 7]);
    // A set takes the messages that name it along, and no others.
    spoil(&store.database(), table::SETS, 0, &[1]);
    let rest = read();
    assert!(!rest.is_empty() && rest.len() < 4, "{rest:?}");
}

#[test]
fn the_longest_topics_fit() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let long = "a".repeat(usize::from(u16::MAX));
    let topic = TopicName::new(long.clone()).expect("valid");
    let message = crate::Message {
        payload: Bytes::from(vec![7; 100_000]),
        ..sample::message(topic, 2)
    };
    let mut queue = sample::queue(1, [1], 2).expect("queues");
    queue.message = message.clone().into();
    let batch = vec![
        sample::put_session(1, 1),
        Operation::PutSubscription {
            session: Incarnation(1),
            subscription: SubscriptionRow {
                filter: TopicFilter::new(long).expect("valid"),
                ..sample::subscription(1, 1)
            },
        },
        Operation::Accept(Accept {
            queued: Some(queue),
            retained: Some(RetainedChange::Set(RetainedRow {
                revision: crate::Revision(1),
                message: message.into(),
            })),
            inbound: None,
        }),
    ];
    let store = RedbStore::open(&path).expect("opens");
    store.commit(&batch).expect("commits");
    drop(store);
    let store = RedbStore::open(&path).expect("opens");
    let model = model([&batch]);
    assert_same_reads(&store, &model);
    assert_eq!(kept(&store), kept(&model));
}
