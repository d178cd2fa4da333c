//! Matches that were looked up lately, for topics that are published to again and again.
//!
//! The index owns it and empties it with each change of its own, so nothing here is ever older than the index, and nobody is
//! held on to who has left. A topic is remembered when it is looked up for the second time: one that is published to once
//! costs nothing but a look.
//!
//! Whoever publishes to topics that fall into one place keeps others from being remembered there, and has them looked up, which is what
//! happens without all this; what is remembered and let go again at once costs no more than finding it did.

use std::{
    hash::{BuildHasher, BuildHasherDefault},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use rustc_hash::FxHasher;

use super::matches::{Matches, PIECE_BYTES};

/// How many topics are remembered at the most; each in the place that its hash gives.
const TOPICS: usize = 256;
/// The most pieces of all topics and matches together: bounds the memory that this holds on to, and what is freed at once.
const PIECES_MAX: usize = 16_384;

#[derive(Debug)]
pub(super) struct RecentMatches {
    places: Box<[Mutex<Place>]>,
    pieces: AtomicUsize,
}

#[derive(Debug, Default)]
struct Place {
    /// The hash of the topic that was last looked up here in vain.
    missed: u32,
    remembered: Option<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    topic: Box<str>,
    matches: Arc<Matches>,
}

/// What a look comes to.
#[derive(Debug)]
pub(super) enum Look {
    Remembered(Arc<Matches>),
    /// Not the first in vain: what is found now is to be kept.
    Again,
    /// The first.
    New,
}

/// The hash of a topic, which says where it stands.
#[derive(Clone, Copy)]
pub(super) struct Key(u32);

impl Key {
    pub fn of(topic: &str) -> Self {
        let hash = BuildHasherDefault::<FxHasher>::default().hash_one(topic);
        Self((hash >> 32) as u32)
    }
}

impl Remembered {
    /// What it takes.
    fn pieces(&self) -> usize {
        self.matches.pieces() + self.topic.len() / PIECE_BYTES
    }
}

impl Default for RecentMatches {
    fn default() -> Self {
        Self {
            places: (0..TOPICS).map(|_| Mutex::default()).collect(),
            pieces: AtomicUsize::new(0),
        }
    }
}

impl RecentMatches {
    fn place(&self, key: Key) -> &Mutex<Place> {
        &self.places[key.0 as usize % TOPICS]
    }

    pub fn look(&self, key: Key, topic: &str) -> Look {
        let mut place = self.place(key).lock();
        match &place.remembered {
            Some(one) if *one.topic == *topic => Look::Remembered(Arc::clone(&one.matches)),
            _ if place.missed == key.0 => Look::Again,
            _ => {
                place.missed = key.0;
                Look::New
            }
        }
    }

    /// What was looked up in vain again, and found in the index.
    pub fn keep(&self, key: Key, topic: &str, matches: &Arc<Matches>) {
        let new = Remembered {
            topic: topic.into(),
            matches: Arc::clone(matches),
        };
        let pieces = new.pieces();
        if pieces > PIECES_MAX {
            return;
        }
        if self.pieces.fetch_add(pieces, Ordering::Relaxed) + pieces > PIECES_MAX {
            for place in &self.places {
                let old = place.lock().remembered.take();
                self.forgotten(old);
            }
        }
        let old = self.place(key).lock().remembered.replace(new);
        self.forgotten(old);
    }

    fn forgotten(&self, old: Option<Remembered>) {
        if let Some(old) = old {
            self.pieces.fetch_sub(old.pieces(), Ordering::Relaxed);
        }
    }

    /// The index is about to change.
    pub fn clear(&mut self) {
        if *self.pieces.get_mut() == 0 {
            return;
        }
        for place in &mut self.places {
            place.get_mut().remembered = None;
        }
        *self.pieces.get_mut() = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(recent: &RecentMatches, topic: &str, subscriptions: usize) {
        let mut matches = Matches::default();
        matches.subscriptions = subscriptions;
        let matches = Arc::new(matches);
        look_and_keep(recent, topic, &matches);
        look_and_keep(recent, topic, &matches);
    }

    /// As the index does.
    fn look_and_keep(recent: &RecentMatches, topic: &str, matches: &Arc<Matches>) {
        if let Look::Again = recent.look(Key::of(topic), topic) {
            recent.keep(Key::of(topic), topic, matches);
        }
    }

    fn get(recent: &RecentMatches, topic: &str) -> Option<usize> {
        let place = recent.place(Key::of(topic)).lock();
        let remembered = place.remembered.as_ref();
        let one = remembered.filter(|one| *one.topic == *topic)?;
        Some(one.matches.subscriptions)
    }

    fn bytes_of_topics(recent: &RecentMatches) -> usize {
        let places = recent.places.iter().map(Mutex::lock);
        places
            .filter_map(|place| place.remembered.as_ref().map(|one| one.topic.len()))
            .sum()
    }

    fn held(recent: &RecentMatches) -> usize {
        let places = recent.places.iter().map(Mutex::lock);
        places
            .filter_map(|place| place.remembered.as_ref().map(Remembered::pieces))
            .sum()
    }

    #[test]
    fn what_is_looked_up_twice_is_remembered_until_the_index_changes() {
        let mut recent = RecentMatches::default();
        look_and_keep(&recent, "a", &Arc::default());
        assert_eq!(get(&recent, "a"), None);
        put(&recent, "a", 7);
        assert_eq!(get(&recent, "a"), Some(7));
        assert_eq!(get(&recent, "b"), None);
        recent.clear();
        assert_eq!((get(&recent, "a"), held(&recent)), (None, 0));
        look_and_keep(&recent, "a", &Arc::default());
        assert_eq!(get(&recent, "a"), Some(0));
    }

    #[test]
    fn topics_in_one_place_are_not_confused() {
        let recent = RecentMatches::default();
        let topics: Vec<String> = (0..4 * TOPICS).map(|n| format!("t/{n}")).collect();
        for (n, topic) in topics.iter().enumerate() {
            put(&recent, topic, n % 32);
            assert_eq!(get(&recent, topic), Some(n % 32));
        }
        let there = topics.iter().enumerate().filter_map(|(n, topic)| {
            let found = get(&recent, topic)?;
            Some((n % 32, found))
        });
        assert!(there.clone().count() > TOPICS / 2);
        assert!(there.clone().all(|(n, found)| n == found));
    }

    #[test]
    fn it_holds_on_to_no_more_than_it_may() {
        let recent = RecentMatches::default();
        for size in 0..1_000 {
            put(&recent, &format!("t/{size}"), size);
            assert_eq!(held(&recent), recent.pieces.load(Ordering::Relaxed));
            assert!(held(&recent) <= PIECES_MAX);
        }
        // As long as topics can be.
        let long = "t".repeat(65_000);
        for number in 0..500 {
            put(&recent, &format!("{long}{number}"), 0);
            assert_eq!(held(&recent), recent.pieces.load(Ordering::Relaxed));
            assert!(bytes_of_topics(&recent) <= PIECES_MAX * PIECE_BYTES);
        }
        assert!(bytes_of_topics(&recent) > 0);
        put(&recent, "t", PIECES_MAX);
        assert_eq!(get(&recent, "t"), None);
        put(&recent, "t", PIECES_MAX - 1);
        assert_eq!(get(&recent, "t"), Some(PIECES_MAX - 1));
    }
}
