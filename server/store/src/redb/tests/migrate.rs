//! Files of every format that there was, kept as text in `formats/`: `[table]`, then key and row of each of its rows in
//! hexadecimal. They are written as they are, opened, and must hold what they held; what they are is never changed.

use redb::{Database, Durability, ReadableDatabase};

use super::{
    backup::raised,
    disk::{Disk, Random},
    model,
};
use crate::{
    Accept, Incarnation, Operation, RedbStore, Row, Sequence, Store, StoreError,
    conformance::{Kept, kept, sample},
    redb::{
        Settings,
        backup::Frames,
        check::check,
        chunk::Chunk,
        migrate::{read_format, write_format},
        restore::restore,
        shape::{self, Shape},
        table,
    },
};

/// Number and content; the last one is what is written today.
const FORMATS: [(u64, &str); 7] = [
    (1, include_str!("formats/1.txt")),
    (2, include_str!("formats/2.txt")),
    (3, include_str!("formats/3.txt")),
    (4, include_str!("formats/4.txt")),
    (5, include_str!("formats/5.txt")),
    (5, WITH_PROPERTIES),
    (6, LAST),
];
const LAST: &str = include_str!("formats/6.txt");
/// Since then the size of a message that waits has its properties in it. It is a figure that limits are held by, and what was written
/// before keeps its own.
const WITH_PROPERTIES: &str = include_str!("formats/5-properties.txt");

/// What the files hold: a row in every table that recovery reads. Groups came with format 2, drops with 3, what sessions may have sent with 4,
/// access and whose a will is with 5.
fn batch(format: u64) -> Vec<Operation> {
    let mut batch = vec![
        Operation::Reserve(crate::Marks {
            sequence: Sequence(100),
            revision: crate::Revision(200),
            incarnation: Incarnation(300),
        }),
        session(1, 1, format),
        session(2, 6, format),
        sample::put_subscription(1, 1, 1),
        sample::put_subscription(2, 2, 10),
        will(2, 6, format),
        will(7, 1, format),
    ];
    if format >= 2 {
        batch.push(sample::put_group(9));
    }
    if format >= 3 {
        batch.push(sample::put_dropped(2, 5));
    }
    if format >= 5 {
        batch.extend((0..4).map(|kind| sample::put_access(kind, 5)));
    }
    batch.extend((1..=4).map(|n| {
        Operation::Accept(Accept {
            queued: sample::queue(n, [1, 2, 9], n),
            retained: Some(sample::set_retained(n % 2, n)),
            inbound: Some((Incarnation(2), sample::id(n as u16))),
        })
    }));
    batch.extend([sample::done(1, 2, 0, 2), sample::sent(2, 1, 7)]);
    batch.extend([sample::sent(2, 3, 8), sample::released(2, 3, 8)]);
    batch
}

fn session(number: u64, seed: u64, format: u64) -> Operation {
    match sample::put_session(number, seed) {
        Operation::PutSession(mut row) => {
            if format < 4 {
                row.maybe_sent = Sequence(0);
            }
            Operation::PutSession(row)
        }
        other => other,
    }
}

fn will(session: u64, seed: u64, format: u64) -> Operation {
    match sample::put_will(session, seed) {
        Operation::PutWill(mut row) => {
            if format < 5 {
                (row.user, row.claims) = (None, Vec::new());
            }
            Operation::PutWill(row)
        }
        other => other,
    }
}

fn held(format: u64, text: &str) -> Kept {
    let mut held = kept(&model([&batch(format)]));
    for row in &mut held.rows {
        if let Row::Queued {
            sequence,
            size_bytes,
            ..
        } = row
            && format < 6
            && text != WITH_PROPERTIES
        {
            // Topic and payload.
            *size_bytes = "site/1/state".len() as u64 + sequence.0;
        }
    }
    held
}

/// The rows of that text, each as a chunk of one; and every table, as an empty chunk before its rows.
fn chunks(text: &str) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut table = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            let shape = Shape::named(name.trim_end_matches(']')).expect("a table");
            chunks.push(Chunk::new(shape));
            table = Some(shape);
            continue;
        }
        let (key, row) = line.split_once(' ').expect("a key and a row");
        let row = bytes(row);
        let entry = [bytes(key), postcard::to_stdvec(&row).expect("bytes")].concat();
        chunks.push(Chunk::of(table.expect("a table comes first"), 1, entry));
    }
    chunks
}

/// A file as that text says, closed.
fn file(text: &str) -> Vec<u8> {
    let disk = Disk::default();
    let database = Database::builder()
        .create_with_backend(disk.clone())
        .expect("creates");
    let transaction = database.begin_write().expect("begins");
    for chunk in chunks(text) {
        chunk.shape().fill(&transaction, &chunk).expect("writes");
    }
    transaction.commit().expect("commits");
    drop(database);
    disk.content()
}

/// `-`: none.
fn bytes(hex: &str) -> Vec<u8> {
    let hex = hex.trim_start_matches('-');
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn open(disk: &Disk) -> Result<RedbStore, StoreError> {
    RedbStore::open_backend("disk", disk.clone(), Settings::default())
}

#[test]
fn every_format_opens_with_what_it_held() {
    for (format, text) in FORMATS {
        let disk = Disk::of(file(text));
        let store = open(&disk).expect("opens");
        let older = (format < table::FORMAT_VERSION).then_some(format);
        assert_eq!(store.migrated_from(), older);
        assert_eq!(kept(&store), held(format, text), "format {format}");
        drop(store);
        let store = open(&disk).expect("opens");
        assert_eq!(store.migrated_from(), None, "it is one of today's now");
        assert_eq!(kept(&store), held(format, text), "format {format}, again");
    }
}

/// A change of an encoding or a table shows here: it needs a version byte or a format of its own.
#[test]
fn a_store_writes_the_last_of_them() {
    let store = open(&Disk::default()).expect("opens");
    store
        .commit(&batch(table::FORMAT_VERSION))
        .expect("commits");
    let snapshot = store.database().begin_read().expect("begins");
    let written: String = shape::ALL
        .into_iter()
        .map(|shape| dump(shape, &snapshot))
        .collect();
    assert_eq!(written, LAST);
}

/// Rows that the migration has to decode are put aside and reported like those that recovery meets.
#[test]
fn a_bad_row_is_put_aside_by_the_migration() {
    let bad = WITH_PROPERTIES.replace("030207 010100", "030207 0101");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    std::fs::write(&path, file(&bad)).expect("writes");
    let report = check(&path, |_| {}).expect("is checked");
    assert_eq!(report.fault_count, 1, "{report:#?}");
    assert_eq!(report.faults[0].table, "flows");

    let disk = Disk::of(file(&bad));
    let store = open(&disk).expect("opens");
    let mut flows = Vec::new();
    let report = store.recover(&mut |row| {
        if let Row::Flow(flow) = row {
            flows.push(flow.packet_id.get());
        }
    });
    let report = report.expect("recovers");
    assert_eq!(report.put_aside.len(), 1, "{report:?}");
    assert!(report.put_aside[0].starts_with("flows 02000000000000000700: "));
    assert_eq!(flows, [8]);
    let snapshot = store.database().begin_read().expect("begins");
    let quarantine = snapshot.open_table(table::QUARANTINE).expect("opens");
    let key = (&b"flows"[..], &[2, 0, 0, 0, 0, 0, 0, 0, 7, 0][..]);
    let row = quarantine.get(key).expect("reads").expect("is there");
    assert_eq!(row.value(), [1, 1]);
    drop((row, quarantine, snapshot, store));
    let report = open(&disk).expect("opens").recover(&mut |_| {});
    assert_eq!(report.expect("recovers").put_aside, Vec::<String>::new());
}

/// A power cut at any moment of a migration leaves a file that opens with all that it held.
#[test]
fn a_migration_survives_a_power_cut() {
    let mut random = Random(5);
    for (format, text) in FORMATS {
        let content = file(text);
        let disk = Disk::of(content.clone());
        drop(open(&disk).expect("opens"));
        let steps = disk.steps();
        for cut in 0..=steps {
            let left = Disk::of(disk.after_power_cut(cut, &mut random));
            let store =
                open(&left).unwrap_or_else(|why| panic!("format {format}, cut {cut}: {why}"));
            assert_eq!(
                kept(&store),
                held(format, text),
                "format {format}, cut {cut}"
            );
        }
    }
}

/// A backup that was made when the store had that format.
#[test]
fn a_backup_of_every_format_is_restored() {
    for (format, text) in FORMATS {
        let mut backup = Vec::new();
        let mut frames = Frames::begin(&mut backup, format).expect("begins");
        for chunk in chunks(text) {
            frames.chunk(&chunk).expect("writes");
        }
        frames.end().expect("ends");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("store");
        let restored = restore(backup.as_slice(), &path, |_| {}).expect("restores");
        assert!(restored.report.is_clean(), "{:#?}", restored.report);
        let store = RedbStore::open(&path).expect("opens");
        assert_eq!(store.migrated_from(), None);
        let mut expected = held(format, text);
        expected.rows[0] = Row::Marks(raised(&model([&batch(format)]), &store));
        assert_eq!(kept(&store), expected, "format {format}");
    }
}

#[test]
fn a_newer_file_is_refused_and_left_as_it_is() {
    for strange in [0, table::FORMAT_VERSION + 1, u64::MAX] {
        let disk = Disk::default();
        drop(open(&disk).expect("opens"));
        let database = Database::builder()
            .create_with_backend(disk.clone())
            .expect("opens");
        let mut transaction = database.begin_write().expect("begins");
        transaction
            .set_durability(Durability::Immediate)
            .expect("sets");
        write_format(&transaction, strange).expect("writes");
        transaction.commit().expect("commits");
        drop(database);
        let error = open(&disk).expect_err("is of no format that there was");
        let expected = (strange, table::FORMAT_VERSION);
        assert!(
            matches!(&error, StoreError::Version { found, expected: e, .. } if (*found, *e) == expected),
            "{error}"
        );
        let database = Database::builder()
            .create_with_backend(disk)
            .expect("opens");
        assert_eq!(read_format(&database).expect("reads"), Some(strange));
    }
}
/// The table as in `formats/`.
fn dump(shape: Shape, snapshot: &redb::ReadTransaction) -> String {
    let mut text = format!("[{}]\n", shape.name());
    shape
        .scan(snapshot, &mut |key, row| -> Result<(), redb::Error> {
            let key = postcard::to_stdvec(&key).expect("a key");
            let row = if row.is_empty() { "-".into() } else { hex(row) };
            text += &format!("{} {row}\n", hex(&key));
            Ok(())
        })
        .expect("reads");
    text
}
