//! What `check` finds and says, and that it changes nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tempfile::TempDir;

use super::{history, spoil};
use crate::{
    Accept, Incarnation, Marks, Operation, RedbStore, Revision, Row, Sequence, Store, StoreError,
    conformance::sample,
    redb::{
        check::{CheckProgress, CheckReport, Fault, check},
        table,
    },
};

/// Rows in every table, under marks that cover them.
fn used() -> (TempDir, PathBuf, RedbStore) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let store = RedbStore::open(&path).expect("opens");
    let marks = Operation::Reserve(Marks {
        sequence: Sequence(1000),
        revision: Revision(1000),
        incarnation: Incarnation(1000),
    });
    let more = [marks, sample::put_group(9), sample::put_dropped(1, 5)];
    for batch in [more.to_vec()].iter().chain(&history()) {
        store.commit(batch).expect("commits");
    }
    (directory, path, store)
}

/// Checks the file, which must stay as it is to the last byte.
fn checked(path: &Path) -> CheckReport {
    let before = fs::read(path).expect("reads");
    let report = check(path, |_| {}).expect("is checked");
    assert!(fs::read(path).expect("reads") == before, "it has changed");
    report
}

fn only_fault(report: &CheckReport) -> &Fault {
    assert_eq!(report.fault_count, 1, "{report:#?}");
    &report.faults[0]
}

#[test]
fn a_sound_file_is_clean() {
    let (_directory, path, store) = used();
    drop(store);
    let report = checked(&path);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(report.format, table::FORMAT_VERSION);
    assert_eq!(report.leftover_count, 0);
    let rows = |name: &str| {
        let table = report.tables.iter().find(|table| table.name == name);
        table.map(|table| (table.rows, table.bytes > 0))
    };
    assert_eq!(rows("messages"), Some((19, true)));
    assert_eq!(rows("retained"), Some((4, true)));
    assert_eq!(rows("sessions"), Some((3, true)));
    assert_eq!(rows("quarantine"), Some((0, false)));
}

/// A kill leaves a file that redb repairs before it reads it: here in memory only.
#[test]
fn a_file_after_a_kill_is_clean() {
    let (directory, path, store) = used();
    let killed = directory.path().join("killed");
    fs::copy(&path, &killed).expect("copies");
    drop(store);
    assert!(checked(&killed).is_clean());
}

#[test]
fn every_bad_row_is_a_fault_with_its_meaning() {
    let filter = sample::filter(1);
    type Spoil<'a> = &'a dyn Fn(&redb::Database);
    let subscription = (1, filter.as_str().as_bytes());
    let cases: [(&str, &str, Spoil<'_>); 12] = [
        ("ebbtide", "`marks`", &|d| {
            spoil(d, table::META, table::MARKS, &[1]);
        }),
        ("sessions", "session 3", &|d| {
            spoil(d, table::SESSIONS, 3, &[9]);
        }),
        ("groups", "group 9", &|d| spoil(d, table::GROUPS, 9, &[])),
        (
            "subscriptions",
            "session 1, `$share/group/site/+/1`",
            &|d| {
                spoil(d, table::SUBSCRIPTIONS, subscription, &[1, 3]);
            },
        ),
        ("inbound", "session 2, packet id 0", &|d| {
            let transaction = d.begin_write().expect("begins");
            let insert = |mut table: redb::Table<'_, _, _>| table.insert((2, 0), ()).map(drop);
            let table = transaction.open_table(table::INBOUND).expect("opens");
            insert(table).expect("inserts");
            transaction.commit().expect("commits");
        }),
        ("dropped", "session 1", &|d| {
            spoil(d, table::DROPPED, 1, &[1]);
        }),
        ("wills", "session 2", &|d| spoil(d, table::WILLS, 2, &[1])),
        ("retained", "`site/1/state`", &|d| {
            spoil(d, table::RETAINED, b"site/1/state", &[7]);
        }),
        ("messages", "message 5", &|d| {
            spoil(d, table::MESSAGES, 5, &[1]);
        }),
        ("progress", "session 1", &|d| {
            spoil(d, table::PROGRESS, 1, &[1]);
        }),
        ("flows", "session 2, packet ids 1 to 63", &|d| {
            spoil(d, table::FLOWS, (2, 0), &[1]);
        }),
        ("sets", "recipient set 0", &|d| {
            spoil(d, table::SETS, 0, &[1]);
        }),
    ];
    let mut meanings = std::collections::BTreeSet::new();
    for (table, key, case) in cases {
        let (_directory, path, store) = used();
        case(&store.database());
        drop(store);
        let report = checked(&path);
        let fault = &report.faults[0];
        assert_eq!(
            (fault.table.as_str(), fault.key.as_str()),
            (table, key),
            "{report:#?}"
        );
        assert!(
            meanings.insert(fault.meaning),
            "{table} has no meaning of its own"
        );
        match table {
            // Nothing is below marks that cannot be read, and a bad set takes its messages along.
            "ebbtide" => assert!(report.fault_count > 1),
            "sets" => assert!(
                report.faults[1..]
                    .iter()
                    .all(|fault| fault.table == "messages")
            ),
            _ => assert_eq!(report.fault_count, 1, "{report:#?}"),
        }
    }
}

#[test]
fn rows_are_held_against_each_other() {
    let (_directory, path, store) = used();
    let above = Operation::Accept(Accept {
        queued: None,
        retained: Some(sample::set_retained(7, 1000)),
        inbound: None,
    });
    store.commit(&[above]).expect("commits");
    drop(store);
    let report = checked(&path);
    let fault = only_fault(&report);
    assert_eq!(fault.key, "`site/7/state`");
    assert_eq!(fault.what, "its revision 1000 is not below the mark 1000");

    let (_directory, path, store) = used();
    let transaction = store.database().begin_write().expect("begins");
    let removed = transaction
        .open_table(table::SETS)
        .and_then(|mut sets| Ok(sets.remove(0)?.is_some()))
        .expect("removes");
    assert!(removed);
    transaction.commit().expect("commits");
    drop(store);
    let report = checked(&path);
    assert!(report.fault_count > 1, "{report:#?}");
    for fault in &report.faults {
        assert_eq!(fault.table, "messages");
        assert_eq!(fault.what, "it names recipient set 0, which is not there");
    }
}

/// What a crash may leave behind is no damage.
#[test]
fn leftovers_are_counted_and_not_faults() {
    let (_directory, path, store) = used();
    let strangers = [
        // Nobody waits for it.
        Operation::Accept(Accept {
            queued: sample::queue(50, [77], 1),
            retained: None,
            inbound: Some((Incarnation(77), sample::id(1))),
        }),
        sample::put_subscription(77, 1, 1),
        sample::sent(77, 50, 3),
        sample::done(77, 40, 0, 2),
    ];
    store.commit(&strangers).expect("commits");
    drop(store);
    let report = checked(&path);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(report.leftover_count, 5);
    let store = RedbStore::open(&path).expect("opens");
    store.recover(&mut |_| {}).expect("recovers");
    drop(store);
    assert_eq!(checked(&path).leftover_count, 0, "recovery has swept them");
}

/// Of the flows in one row those that are done go, and the others stay.
#[test]
fn a_row_keeps_the_flows_that_are_not_done() {
    let (_directory, path, store) = used();
    let mut batch = vec![sample::put_session(20, 1)];
    for (sequence, id) in [(60, 64), (61, 65), (62, 66)] {
        batch.push(Operation::Accept(Accept {
            queued: sample::queue(sequence, [20], 1),
            retained: None,
            inbound: None,
        }));
        batch.push(sample::sent(20, sequence, id));
    }
    // Without the id, so that its flow is left.
    batch.push(sample::done(20, 61, 0, 0));
    batch.push(Operation::RemoveMessage(Sequence(61)));
    store.commit(&batch).expect("commits");
    drop(store);
    assert_eq!(checked(&path).leftover_count, 1);
    let store = RedbStore::open(&path).expect("opens");
    for _ in 0..2 {
        let mut ids = Vec::new();
        let swept = store.recover(&mut |row| match row {
            Row::Flow(flow) if flow.session == Incarnation(20) => ids.push(flow.packet_id.get()),
            _ => {}
        });
        swept.expect("recovers");
        assert_eq!(ids, [64, 66]);
    }
    drop(store);
    assert_eq!(checked(&path).leftover_count, 0);
}

/// A fault becomes a row that was put aside, which is listed from then on.
#[test]
fn the_quarantine_is_shown() {
    let (_directory, path, store) = used();
    spoil(&store.database(), table::MESSAGES, 5, &[1, 0xff, 0xff]);
    drop(store);
    let report = checked(&path);
    assert_eq!(only_fault(&report).table, "messages");
    assert!(report.put_aside.is_empty());
    let store = RedbStore::open(&path).expect("opens");
    store.recover(&mut |_| {}).expect("recovers");
    drop(store);
    let report = checked(&path);
    assert!(report.is_clean(), "{report:#?}");
    let aside = &report.put_aside[0];
    assert_eq!((aside.table.as_str(), aside.bytes), ("messages", 3));
    assert_eq!(aside.key, "0500000000000000");
}

#[test]
fn pages_are_verified() {
    let (_directory, path, store) = used();
    drop(store);
    let mut content = fs::read(&path).expect("reads");
    // A payload of the history, somewhere in a page.
    let payload = [19; 19];
    let at = content
        .windows(payload.len())
        .rposition(|window| window == payload)
        .expect("is there");
    content[at] ^= 1;
    fs::write(&path, &content).expect("writes");
    let error = check(&path, |_| {}).expect_err("is damaged");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(fs::read(&path).expect("reads") == content);
}

#[test]
fn a_file_in_use_is_refused_and_its_owner_goes_on() {
    let (_directory, path, store) = used();
    let error = check(&path, |_| {}).expect_err("is in use");
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    store.commit(&history()[0]).expect("commits");
}

#[test]
fn what_is_not_a_store_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    assert!(matches!(check(&path, |_| {}), Err(StoreError::Io(_))));
    for content in [&b""[..], b"what is this", &[0; 9000]] {
        fs::write(&path, content).expect("writes");
        let error = check(&path, |_| {}).expect_err("is none");
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(fs::read(&path).expect("reads") == content);
    }
}

#[test]
fn progress_goes_from_pages_to_rows_and_ends() {
    let (_directory, path, store) = used();
    drop(store);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&seen);
    let record = move |progress| recorded.lock().expect("not poisoned").push(progress);
    check(&path, record).expect("is checked");
    let seen = seen.lock().expect("not poisoned");
    assert!(matches!(seen.first(), Some(CheckProgress::Pages { .. })));
    let Some(CheckProgress::Rows { done, total }) = seen.last() else {
        panic!("{seen:?}");
    };
    assert!(done == total && *total > 50, "{done} of {total}");
}
