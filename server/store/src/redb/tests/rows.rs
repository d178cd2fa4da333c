//! Rows that cannot be decoded, and rows at the limits.

use bytes::Bytes;
use ebbtide_protocol::{TopicFilter, TopicName};
use redb::{Database, Key, TableDefinition, TableHandle, Value};

use super::{history, model};
use crate::{
    Accept, Incarnation, Operation, RedbStore, RetainedChange, RetainedRow, Row, Sequence, Store,
    SubscriptionRow,
    conformance::{assert_same_reads, kept, sample},
    redb::table,
};

/// Spoils a row behind the store's back.
fn spoil<K: Key + 'static, V: Value + 'static>(
    database: &Database,
    table: TableDefinition<'_, K, V>,
    key: K::SelfType<'_>,
    row: V::SelfType<'_>,
) {
    let transaction = database.begin_write().expect("begins");
    let old = transaction
        .open_table(table)
        .and_then(|mut table| Ok(table.insert(key, row)?.is_some()))
        .expect("writes");
    assert!(old, "{} had no such row", table.name());
    transaction.commit().expect("commits");
}

#[test]
fn a_bad_row_is_put_aside_once_and_the_rest_lives() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let store = RedbStore::open(&path).expect("opens");
    for batch in &history() {
        store.commit(batch).expect("commits");
    }
    let database = &store.database;
    spoil(database, table::SESSIONS, 3, &[9, 9]);
    spoil(database, table::WILLS, 2, &[]);
    spoil(database, table::MESSAGES, 5, &[1, 0xff, 0xff]);
    spoil(database, table::RETAINED, b"site/1/state", &[7]);
    spoil(database, table::PROGRESS, 1, &[1]);
    spoil(database, table::FLOWS, (2, 7), &[1]);
    drop(store);

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
            "flows", "messages", "progress", "retained", "sessions", "wills"
        ]
    );
    assert!(
        lines[1].starts_with("messages 0500000000000000: "),
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
    let snapshot = redb::ReadableDatabase::begin_read(&store.database).expect("begins");
    let quarantine = snapshot.open_table(table::QUARANTINE).expect("opens");
    let key = (&b"messages"[..], &5_u64.to_le_bytes()[..]);
    let row = quarantine.get(key).expect("reads").expect("is there");
    assert_eq!(row.value(), [1, 0xff, 0xff]);
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
    spoil(&store.database, table::MESSAGES, 5, &[1, 0xff, 0xff]);
    assert_eq!(read(), [3, 4, 6, 7]);
    // A set takes the messages that name it along, and no others.
    spoil(&store.database, table::SETS, 0, &[1]);
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
