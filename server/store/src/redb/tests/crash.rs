//! Power cuts: whatever the moment, the store opens again with exactly what was acknowledged, or with that and the
//! whole batch that was under way, and goes on from there. Also when the power goes once more while it is being opened or recovers.

use super::{
    disk::{Disk, Random},
    history, model,
};
use crate::{
    Accept, Operation, RedbStore, Sequence, Store, StoreError,
    conformance::{Kept, kept, random_histories, sample},
    redb::Settings,
};

/// How many random histories run unless `EBBTIDE_HISTORIES` says otherwise.
const HISTORIES: usize = 3;

fn try_open(disk: &Disk) -> Result<RedbStore, StoreError> {
    RedbStore::open_backend("disk", disk.clone(), Settings::default())
}

fn open(disk: &Disk) -> RedbStore {
    try_open(disk).expect("opens")
}

/// A new store as it is once it is in its place.
fn new_store() -> Vec<u8> {
    let disk = Disk::default();
    drop(open(&disk));
    disk.content()
}

/// One history, and what may be found of it.
struct Check<'a> {
    history: &'a [Vec<Operation>],
    /// What is kept after each number of batches.
    states: Vec<Kept>,
    random: Random,
    cuts: usize,
}

/// Runs the history on the disk and then cuts the power after every step of it. Gives the number of cuts.
fn check(disk: &Disk, history: &[Vec<Operation>], seed: u64) -> Result<usize, String> {
    let store = open(disk);
    let begin = disk.steps();
    let mut acknowledged = Vec::new();
    for batch in history {
        store.commit(batch).expect("commits");
        acknowledged.push(disk.steps());
    }
    let end = disk.steps();
    drop(store);
    let mut check = Check {
        history,
        states: (0..=history.len())
            .map(|count| kept(&model(&history[..count])))
            .collect(),
        random: Random(seed),
        cuts: 0,
    };
    let done = |cut| acknowledged.partition_point(|steps| *steps <= cut);
    for cut in begin..=end {
        let left = disk.after_power_cut(cut, &mut check.random);
        check.survives(left, done(cut)).map_err(|why| {
            let batch = done(cut);
            format!("seed {seed}, cut after step {cut}, batch {batch}: {why}")
        })?;
    }
    let syncs = disk.before_syncs(begin);
    for cut in syncs.into_iter().filter(|cut| *cut <= end) {
        for (n, left) in disk.with_one_out_of_order(cut).into_iter().enumerate() {
            check.survives(left, done(cut)).map_err(|why| {
                format!("seed {seed}, outcome {n} of a cut before the sync at step {cut}: {why}")
            })?;
        }
    }
    Ok(check.cuts)
}

impl Check<'_> {
    /// Opens what is left after so many acknowledged batches, sometimes after another cut while that was being done, and
    /// sometimes goes on with the history.
    fn survives(&mut self, left: Vec<u8>, done: usize) -> Result<(), String> {
        self.cuts += 1;
        let mut left = Disk::of(left);
        let is_cut_again = self.random.below(4) == 0;
        if is_cut_again {
            let store = try_open(&left).map_err(|error| error.to_string())?;
            // It sweeps, which is a commit like any other.
            store
                .recover(&mut |_| {})
                .map_err(|error| error.to_string())?;
            let steps = self.random.below(left.steps() + 1);
            drop(store);
            left = Disk::of(left.after_power_cut(steps, &mut self.random));
        }
        let store = try_open(&left).map_err(|error| format!("again {is_cut_again}: {error}"))?;
        let found = kept(&store);
        let is_state = |state: &Kept| {
            // The first recovery may have swept already.
            let is_swept = found.swept == state.swept || (is_cut_again && found.swept == 0);
            found.rows == state.rows && is_swept
        };
        let allowed = done..self.states.len().min(done + 2);
        match allowed.clone().find(|count| is_state(&self.states[*count])) {
            Some(count) if self.random.below(8) == 0 => self.goes_on(&store, count),
            Some(_) => Ok(()),
            None => Err(format!("not a state of {allowed:?}, found {found:#?}")),
        }
    }

    /// After the crash the rest of the history has the same outcome as without one.
    fn goes_on(&self, store: &RedbStore, count: usize) -> Result<(), String> {
        let (before, after) = self.history.split_at(count);
        let model = model(before);
        // Its recovery sweeps what that of the store has.
        kept(&model);
        for batch in after {
            store.commit(batch).map_err(|error| error.to_string())?;
            model.commit(batch).map_err(|error| error.to_string())?;
        }
        let (found, expected) = (kept(store).rows, kept(&model).rows);
        if found == expected {
            return Ok(());
        }
        Err(format!("after batch {count} it went on to {found:#?}"))
    }
}

fn histories() -> Vec<Vec<Vec<Operation>>> {
    let count = std::env::var("EBBTIDE_HISTORIES").map_or(HISTORIES, |count| {
        count.parse().expect("EBBTIDE_HISTORIES is a number")
    });
    let mut histories = random_histories(count);
    histories.push(history());
    histories.push(long_batches());
    histories
}

/// Messages enough in each batch to go into the log together, and some that leave it.
fn long_batches() -> Vec<Vec<Operation>> {
    let put = |number| {
        Operation::Accept(Accept {
            queued: sample::queue(number, [1, 2, 3], number),
            retained: None,
            inbound: None,
        })
    };
    let mut history: Vec<Vec<Operation>> =
        vec![(1..=3).map(|n| sample::put_session(n, n)).collect()];
    history.extend((0..6).map(|batch| {
        let mut operations: Vec<Operation> = (1..=40).map(|n| put(batch * 40 + n)).collect();
        operations.push(Operation::RemoveMessage(Sequence(batch * 30 + 7)));
        operations
    }));
    history
}

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    let new = new_store();
    let mut cuts = 0;
    for (history, seed) in histories().iter().zip(1..) {
        let checked = check(&Disk::of(new.clone()), history, seed);
        cuts += checked.unwrap_or_else(|why| panic!("{why}"));
    }
    let batches: usize = histories().iter().map(Vec::len).sum();
    // At the least there is a write and a sync to cut before and after.
    assert!(cuts > 3 * batches, "only {cuts} cuts, {batches} batches");
}

/// The check above can fail: on a disk that says it has synced and has not, it does.
#[test]
fn a_disk_that_lies_is_found_out() {
    let new = new_store();
    for (history, seed) in histories().iter().zip(1..) {
        let checked = check(&Disk::of(new.clone()).lying(), history, seed);
        assert!(checked.is_err(), "history {seed} survived {checked:?} cuts");
    }
}

/// What is left of a store that was being made is known for what it is: `RedbStore::create` makes it anew then. Once it is made,
/// and only then is it put in its place, it opens.
#[test]
fn a_power_cut_while_a_store_is_made_leaves_none_or_a_whole_one() {
    let disk = Disk::default();
    drop(open(&disk));
    let mut random = Random(1);
    let (mut none, mut whole) = (0, 0);
    for cut in 0..=disk.steps() {
        for _ in 0..8 {
            match try_open(&Disk::of(disk.after_power_cut(cut, &mut random))) {
                Ok(store) => {
                    assert_eq!(kept(&store), kept(&model([])));
                    whole += 1;
                }
                Err(StoreError::Damaged { .. }) => none += 1,
                Err(error) => panic!("cut after step {cut}: {error}"),
            }
        }
    }
    assert!(none > 0 && whole > 8, "{none} and {whole}");
    let made = disk.after_power_cut(disk.steps(), &mut random);
    assert!(try_open(&Disk::of(made)).is_ok());
}
