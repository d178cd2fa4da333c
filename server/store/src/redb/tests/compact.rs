//! Compaction while commits, reads and power cuts come in between.

use std::{
    fs, io,
    ops::ControlFlow,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use super::{
    disk::{Disk, Random},
    history, model,
};
use crate::{
    Incarnation, Operation, RedbStore, Sequence, Store, StoreError,
    conformance::{Kept, assert_same_reads, kept, random_histories, sample},
    redb::{
        Settings,
        check::check,
        compact::{COMPACT_SUFFIX, CompactError, CompactProgress, Place, Recording, Touched},
    },
};

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// The copy on a disk of its own, and when the switch was.
struct OnDisk<'a> {
    live: &'a Disk,
    copy: Disk,
    /// Steps of both.
    switched: Option<(usize, usize)>,
    settles: bool,
}

impl<'a> OnDisk<'a> {
    fn new(live: &'a Disk) -> Self {
        Self {
            live,
            copy: Disk::default(),
            switched: None,
            settles: true,
        }
    }
}

impl Place for OnDisk<'_> {
    type Backend = Disk;

    fn create(&mut self) -> io::Result<Disk> {
        Ok(self.copy.clone())
    }

    fn put(&mut self) -> io::Result<()> {
        self.switched = Some((self.live.steps(), self.copy.steps()));
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        match self.settles {
            true => Ok(()),
            false => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

fn open(disk: &Disk) -> RedbStore {
    RedbStore::open_backend("disk", disk.clone(), Settings::default()).expect("opens")
}

/// Commits a part of the history, the rest in between the steps of a compaction, and what is left after it.
fn compacted(
    store: &RedbStore,
    place: &mut OnDisk<'_>,
    history: &[Vec<Operation>],
    mut committed: impl FnMut(&OnDisk<'_>),
) -> usize {
    let (before, rest) = history.split_at(history.len() / 3);
    let mut rest = rest.iter();
    for batch in before {
        store.commit(batch).expect("commits");
        committed(place);
    }
    let mut between = 0;
    let live = OnDisk::new(place.live);
    let recording = Recording::begin(store).expect("begins");
    let mut progress = |_| {
        // Not all: some come after the switch.
        if rest.len() > history.len() / 3
            && let Some(batch) = rest.next()
        {
            store.commit(batch).expect("commits");
            committed(&live);
            between += 1;
        }
        GO_ON
    };
    recording.copy(place, &mut progress).expect("compacts");
    for batch in rest {
        store.commit(batch).expect("commits");
        committed(place);
    }
    between
}

#[test]
fn nothing_is_lost_and_nothing_comes_back() {
    let mut between = 0;
    for history in random_histories(12) {
        let disk = Disk::default();
        let store = open(&disk);
        let mut place = OnDisk::new(&disk);
        between += compacted(&store, &mut place, &history, |_| {});
        assert_same_reads(&store, &model(&history));
        let mut found = Vec::new();
        store
            .snapshot()
            .expect("is taken")
            .write(&mut found)
            .expect("writes");

        // The same without a compaction has the same rows in every table, to the numbers of its sets.
        let plain = open(&Disk::default());
        for batch in &history {
            plain.commit(batch).expect("commits");
        }
        let mut expected = Vec::new();
        plain
            .snapshot()
            .expect("is taken")
            .write(&mut expected)
            .expect("writes");
        assert!(found == expected);

        drop(store);
        assert_eq!(kept(&open(&place.copy)), kept(&model(&history)));
    }
    assert!(between > 40, "only {between} commits came in between");
}

/// A power cut at any moment leaves the old file, or after the switch the new one, with what was acknowledged by then.
#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    for (history, seed) in random_histories(2).iter().zip(1..) {
        let live = Disk::default();
        drop(open(&live));
        let live = Disk::of(live.content());
        let store = open(&live);
        let mut place = OnDisk::new(&live);
        // Steps of the disk that was the store then.
        let mut acknowledged = Vec::new();
        compacted(&store, &mut place, history, |place| {
            acknowledged.push(match place.switched {
                None => (place.live.steps(), 0),
                Some((live, _)) => (live, place.copy.steps()),
            });
        });
        drop(store);
        let states: Vec<Kept> = (0..=history.len())
            .map(|count| kept(&model(&history[..count])))
            .collect();
        let (last_live, first_copy) = place.switched.expect("has switched");
        let before = (0..=last_live).map(|cut| (&live, cut, (cut, 0)));
        let after =
            (first_copy..=place.copy.steps()).map(|cut| (&place.copy, cut, (last_live, cut)));
        let mut random = Random(seed);
        for (disk, cut, time) in before.chain(after) {
            let done = acknowledged.partition_point(|steps| *steps <= time);
            let left = Disk::of(disk.after_power_cut(cut, &mut random));
            let found = kept(&open(&left));
            let allowed = &states[done..states.len().min(done + 2)];
            assert!(
                allowed.contains(&found),
                "seed {seed}, cut {time:?}, batch {done}"
            );
        }
    }
}

/// Rows come and go; the file stays as large as it was at its largest, until this.
#[test]
fn space_is_given_back_and_the_store_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let store = RedbStore::open(&path).expect("opens");
    let large = |number: u64| {
        let mut queue = sample::queue(number, [1], 1).expect("queues");
        queue.message = crate::Message {
            payload: vec![7; 100_000].into(),
            ..sample::message(sample::topic(1), 1)
        }
        .into();
        Operation::Accept(crate::Accept {
            queued: Some(queue),
            retained: None,
            inbound: None,
        })
    };
    let mut batches = history();
    batches.push((100..300).map(large).collect());
    // All but the last one go: what is at the end of the file keeps it long.
    batches.push(
        (100..299)
            .map(|n| Operation::RemoveMessage(Sequence(n)))
            .collect(),
    );
    for batch in &batches {
        store.commit(batch).expect("commits");
    }
    let mut seen = Vec::new();
    let compacted = store
        .compact(&mut |progress| {
            seen.push(progress);
            GO_ON
        })
        .expect("compacts");
    assert!(compacted.before_bytes > 20_000_000, "{compacted:?}");
    assert!(compacted.after_bytes < 4_000_000, "{compacted:?}");
    assert!(compacted.paused.as_secs() < 5, "{compacted:?}");
    assert!(matches!(seen.last(), Some(CompactProgress::Round)));
    assert_eq!(store.reusable_bytes(), 0, "what was free inside has gone");
    let rows = |progress: &&CompactProgress| matches!(progress, CompactProgress::Rows { .. });
    let last = seen.iter().rfind(rows);
    assert!(matches!(last, Some(CompactProgress::Rows { done, total }) if done == total));
    let more = [
        sample::done(1, 299, 0, 2),
        Operation::RemoveMessage(Sequence(299)),
    ];
    store.commit(&more).expect("goes on");
    batches.push(more.to_vec());
    assert_same_reads(&store, &model(&batches));
    store.compact(&mut |_| GO_ON).expect("compacts again");
    let error = check(&path, |_| {}).expect_err("is in use");
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(store);
    check(&path, |_| {}).expect("its pages are sound");
    assert_eq!(fs::read_dir(directory.path()).expect("lists").count(), 1);
    let store = RedbStore::open(&path).expect("opens");
    assert_eq!(kept(&store), kept(&model(&batches)));
}

#[test]
fn reads_go_on_over_the_switch() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = RedbStore::open(directory.path().join("store")).expect("opens");
    for batch in &history() {
        store.commit(batch).expect("commits");
    }
    let ended = AtomicBool::new(false);
    let sequences: Vec<_> = (3..20).map(Sequence).collect();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut count = 0;
            while !ended.load(Ordering::Acquire) {
                let found = store.read(Incarnation(2), &sequences).expect("reads");
                assert_eq!(found.len(), sequences.len());
                count += 1;
            }
            count
        });
        for _ in 0..20 {
            store.compact(&mut |_| GO_ON).expect("compacts");
        }
        ended.store(true, Ordering::Release);
        assert!(reader.join().expect("has not panicked") > 20);
    });
}

#[test]
fn only_one_at_a_time() {
    let store = open(&Disk::default());
    let recording = Recording::begin(&store).expect("begins");
    assert!(matches!(
        Recording::begin(&store),
        Err(CompactError::UnderWay)
    ));
    drop(recording);
    Recording::begin(&store).map(drop).expect("begins");
}

/// A commit waits for its disk. Until the rows are copied nobody needs what it holds.
#[test]
fn rows_are_copied_while_a_commit_is_under_way() {
    let disk = Disk::default();
    let store = open(&disk);
    for batch in &history() {
        store.commit(batch).expect("commits");
    }
    let mut place = OnDisk::new(&disk);
    let recording = Recording::begin(&store).expect("begins");
    let (copied, until_copied) = channel();
    let mut progress = move |progress| {
        if let CompactProgress::Rows { done, total } = progress
            && done == total
        {
            copied.send(()).expect("somebody waits");
        }
        GO_ON
    };
    thread::scope(|scope| {
        let commit = store.writer.lock();
        let copying = scope.spawn(|| recording.copy(&mut place, &mut progress));
        let waited = until_copied.recv_timeout(Duration::from_secs(10));
        drop(commit);
        let copied = copying.join().expect("has not panicked");
        copied.expect("compacts");
        waited.expect("the rows wait for the commit");
    });
}

/// What a round waits for its disk says nothing of how far behind the copy is.
#[test]
fn a_disk_that_is_slow_to_sync_does_not_keep_it_from_its_end() {
    let disk = Disk::default();
    let store = open(&disk);
    for batch in &history() {
        store.commit(batch).expect("commits");
    }
    let mut place = OnDisk::new(&disk);
    place.copy.slow_down(Duration::from_millis(150));
    let recording = Recording::begin(&store).expect("begins");
    let mut rounds = 0;
    let copied = recording.copy(&mut place, &mut |progress| {
        rounds += u32::from(progress == CompactProgress::Round);
        GO_ON
    });
    copied.expect("compacts");
    // redb syncs once before it changes anything, which makes the first one long.
    assert!(rounds <= 2, "{rounds}, and nothing was committed meanwhile");
}

/// The copy is given up, the store goes on.
#[test]
fn a_copy_that_cannot_be_written_changes_nothing() {
    let disk = Disk::default();
    let store = open(&disk);
    let mut place = OnDisk::new(&disk);
    place.copy.fail(Some(io::ErrorKind::StorageFull));
    let recording = Recording::begin(&store).expect("begins");
    let error = recording
        .copy(&mut place, &mut |_| GO_ON)
        .expect_err("has no room");
    assert!(
        matches!(error, CompactError::Store(StoreError::Full(_))),
        "{error}"
    );
    store.commit(&history()[0]).expect("goes on");
    Recording::begin(&store).map(drop).expect("can begin again");
}

#[test]
fn it_can_be_stopped() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = RedbStore::open(directory.path().join("store")).expect("opens");
    let error = store
        .compact(&mut |_| ControlFlow::Break(()))
        .expect_err("is stopped");
    assert!(matches!(error, CompactError::Stopped), "{error}");
    assert_eq!(fs::read_dir(directory.path()).expect("lists").count(), 1);
    store.compact(&mut |_| GO_ON).expect("compacts");
}

#[test]
fn a_failed_commit_ends_it() {
    let disk = Disk::default();
    let store = open(&disk);
    let mut place = OnDisk::new(&disk);
    let recording = Recording::begin(&store).expect("begins");
    let mut fail = |_| {
        disk.fail(Some(io::ErrorKind::TimedOut));
        store.commit(&history()[0]).expect_err("fails");
        GO_ON
    };
    let error = recording
        .copy(&mut place, &mut fail)
        .expect_err("has to end");
    assert!(
        matches!(error, CompactError::Store(StoreError::NeedsReopen)),
        "{error}"
    );
    assert_eq!(place.switched, None);
}

/// When the new name may not survive a power cut, nothing more is acknowledged before the store is opened again.
#[test]
fn a_switch_in_doubt_asks_for_a_reopen() {
    let disk = Disk::default();
    let store = open(&disk);
    store.commit(&history()[0]).expect("commits");
    let mut place = OnDisk::new(&disk);
    place.settles = false;
    let recording = Recording::begin(&store).expect("begins");
    recording
        .copy(&mut place, &mut |_| GO_ON)
        .expect_err("is in doubt");
    let error = store.commit(&history()[1]).expect_err("is refused");
    assert!(matches!(error, StoreError::NeedsReopen), "{error}");
    let stamps = store.stamps();
    drop(store);
    for left in [disk.clone(), place.copy] {
        let store = open(&left);
        assert!(stamps.include(&store), "either is the store");
        assert_eq!(kept(&store), kept(&model(&history()[..1])));
    }
}

#[test]
fn what_is_noted_is_bounded() {
    let mut touched = Touched::default();
    for number in 0..2_000_000 {
        touched.record(&Operation::RemoveMessage(Sequence(number)));
    }
    assert!(
        !touched.is_too_much(),
        "numbers that follow each other are one entry"
    );
    for number in 0..=1_000_000 {
        touched.record(&Operation::RemoveWill(Incarnation(number)));
    }
    assert!(touched.is_too_much());
    // What a recovery changes is not noted at all.
    let disk = Disk::default();
    let store = open(&disk);
    let recording = Recording::begin(&store).expect("begins");
    let mut recover = |_| {
        store.recover(&mut |_| {}).expect("recovers");
        GO_ON
    };
    let error = recording.copy(&mut OnDisk::new(&disk), &mut recover);
    assert!(matches!(error, Err(CompactError::TooBusy)));
}

#[test]
fn the_rest_of_a_killed_one_is_removed_at_the_next_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let rest = directory.path().join(format!("store{COMPACT_SUFFIX}"));
    drop(RedbStore::open(&path).expect("opens"));
    fs::write(&rest, "rest").expect("writes");
    drop(RedbStore::open(&path).expect("opens"));
    assert!(!rest.exists());
}

/// Whoever has opened the old file, and gets its lock when the switch lets go of it, must not take it for the store.
#[cfg(unix)]
#[test]
fn a_file_that_has_lost_its_name_is_not_opened() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let store = RedbStore::open(&path).expect("opens");
    let found = fs::metadata(&path).expect("is there");
    store.check_place(&found).expect("has its name");
    store.compact(&mut |_| GO_ON).expect("compacts");
    let error = store.check_place(&found).expect_err("has lost it");
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
}
