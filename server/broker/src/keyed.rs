//! Hashes of what clients choose, by a key that nobody outside knows: nobody can make many names that fall into one place of a map, or two
//! that look the same.
//!
//! The key is that of the process. No order and no number that anybody sees comes of it.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use foldhash::{SharedSeed, fast::FoldHasher};

static KEY: LazyLock<(u64, SharedSeed)> = LazyLock::new(|| {
    let random = RandomState::new();
    (random.hash_one(0), SharedSeed::from_u64(random.hash_one(1)))
});

/// A map whose keys clients choose, and whose order nobody sees.
pub(crate) type KeyedMap<K, V> = HashMap<K, V, Keyed>;

/// Makes the hashes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keyed;

impl BuildHasher for Keyed {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> FoldHasher<'static> {
        let (seed, shared) = &*KEY;
        FoldHasher::with_seed(*seed, shared)
    }
}
