//! Power cuts: whatever the moment, the store opens again with exactly what was acknowledged, or with that and the
//! whole batch that was under way.

use super::{
    disk::{Disk, Random},
    model,
};
use crate::{
    Operation, RedbStore, Store,
    conformance::{Kept, kept, random_histories},
    redb::Settings,
};

const HISTORIES: usize = 3;

fn open(disk: &Disk) -> RedbStore {
    RedbStore::open_backend("disk", disk.clone(), Settings::default()).expect("opens")
}

/// A new store as it is once it is in its place.
fn new_store() -> Vec<u8> {
    let disk = Disk::default();
    drop(open(&disk));
    disk.content()
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
    let states: Vec<Kept> = (0..=history.len())
        .map(|count| kept(&model(&history[..count])))
        .collect();
    let mut random = Random(seed);
    for cut in begin..=end {
        let done = acknowledged.partition_point(|steps| *steps <= cut);
        let allowed = &states[done..states.len().min(done + 2)];
        let left = Disk::of(disk.after_power_cut(cut, &mut random));
        survives(left, allowed, &mut random)
            .map_err(|why| format!("seed {seed}, cut after step {cut}, batch {done}: {why}"))?;
    }
    Ok(end - begin + 1)
}

/// Opens what is left, sometimes after another cut while that was being opened.
fn survives(left: Disk, allowed: &[Kept], random: &mut Random) -> Result<(), String> {
    let settings = Settings::default;
    let opened = RedbStore::open_backend("disk", left.clone(), settings());
    let mut store = opened.map_err(|error| error.to_string())?;
    if random.below(4) == 0 {
        // The sweep of a recovery counts as not yet happened: the allowed states have it still to do.
        let steps = random.below(left.steps() + 1);
        drop(store);
        let left = Disk::of(left.after_power_cut(steps, random));
        let opened = RedbStore::open_backend("disk", left, settings());
        store = opened.map_err(|error| format!("the second time: {error}"))?;
    }
    let found = kept(&store);
    if allowed.contains(&found) {
        return Ok(());
    }
    Err(format!("found {found:#?}"))
}

fn histories() -> Vec<Vec<Vec<Operation>>> {
    random_histories(HISTORIES)
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
