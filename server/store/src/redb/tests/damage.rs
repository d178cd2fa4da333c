//! A file that was cut or changed from outside: it opens as it was, or as it was one commit before, or is refused.
//! redb must never panic, for a release build ends at a panic.

use std::fs;

use super::{
    disk::{Disk, Random},
    history, model,
};
use crate::{
    RedbStore, Store, StoreError,
    conformance::{Kept, kept},
    redb::Settings,
};

/// Length of redb's header with both commit slots.
const HEADER_BYTES: usize = 320;
const FLIPS: usize = 300;

/// A file after the whole history, closed properly or as a kill leaves it; with the states that it may show.
fn file(closed: bool) -> (Vec<u8>, Vec<Kept>) {
    let disk = Disk::default();
    let store = RedbStore::open_backend("disk", disk.clone(), Settings::default()).expect("opens");
    let history = history();
    for batch in &history {
        store.commit(batch).expect("commits");
    }
    let killed = disk.content();
    drop(store);
    let content = if closed { disk.content() } else { killed };
    let last = history.len();
    let states = [last, last - 1].map(|count| kept(&model(&history[..count])));
    (content, states.into())
}

/// Opens it; gives whether it did.
fn opens(content: Vec<u8>, allowed: &[Kept], what: &str) -> bool {
    let disk = Disk::of(content.clone());
    match RedbStore::open_backend("disk", disk.clone(), Settings::default()) {
        Ok(store) => {
            assert!(allowed.contains(&kept(&store)), "{what}: other content");
            true
        }
        Err(StoreError::Damaged { .. }) => {
            // After a kill redb notes the length that it found in its header before it checks the pages.
            let after = disk.content();
            assert!(after.len() == content.len(), "{what}: its length changed");
            let header = HEADER_BYTES.min(content.len());
            assert!(after[header..] == content[header..], "{what}: written to");
            false
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

#[test]
fn bits_of_the_header() {
    for closed in [true, false] {
        let (content, states) = file(closed);
        // All of the fields that no checksum covers, a part of the commit slots.
        for bit in (0..64 * 8).chain((64 * 8..HEADER_BYTES * 8).step_by(5)) {
            let mut flipped = content.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            opens(flipped, &states, &format!("closed {closed}, bit {bit}"));
        }
    }
}

#[test]
fn bits_and_bytes_of_the_pages() {
    let mut refused = 0;
    for closed in [true, false] {
        let (content, states) = file(closed);
        // After a proper end there is no commit that a power cut could have torn.
        let allowed = if closed { &states[..1] } else { &states };
        let used: Vec<usize> = (HEADER_BYTES..content.len())
            .filter(|&at| content[at] != 0)
            .collect();
        let mut random = Random(3);
        for flip in 0..FLIPS {
            let at = used[random.below(used.len())];
            let mut changed = content.clone();
            if flip % 2 == 0 {
                changed[at] ^= 1 << random.below(8);
            } else {
                let end = content.len().min(at + 64);
                changed[at..end].fill_with(|| random.next() as u8);
            }
            let what = format!("closed {closed}, change {flip} at {at}");
            refused += usize::from(!opens(changed, allowed, &what));
        }
    }
    assert!(refused > FLIPS / 40, "only {refused} were refused");
}

#[test]
fn a_file_cut_short_or_grown() {
    for closed in [true, false] {
        let (content, states) = file(closed);
        let page = 4096;
        let pages = (0..content.len() / page).step_by(content.len() / page / 16);
        let lengths = [1, 8, 63, 64, 319, 320, 321, 4095, 4096, 4097]
            .into_iter()
            .chain(pages.flat_map(|n| [n * page + page, n * page + page + 1]))
            .chain([content.len() - page, content.len() - 1, content.len() + 1])
            .chain([content.len() + page, content.len() * 2]);
        for length in lengths {
            let mut cut = content.clone();
            cut.resize(length, 0);
            opens(cut, &states, &format!("closed {closed}, length {length}"));
        }
    }
}

/// The same through the file system, and the file stays as it was found.
#[test]
fn a_refused_file_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let (content, _) = file(true);
    for length in [5, 320, 4096, content.len() / 2, content.len() - 1] {
        fs::write(&path, &content[..length]).expect("writes");
        let error = RedbStore::open(&path).expect_err("is cut short");
        assert!(
            matches!(error, StoreError::Damaged { .. }),
            "{length}: {error}"
        );
        let after = fs::read(&path).expect("reads");
        assert!(after == content[..length], "{length}: it has changed");
    }
}
