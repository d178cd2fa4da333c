//! Recipient sets that were made lately. Messages to the same subscribers share one, so it is made once, kept once while they
//! wait, and recognised by the store, which writes each distinct set once.

use std::{
    hash::{BuildHasher, BuildHasherDefault},
    sync::Arc,
};

use ebbtide_store::{Recipient, RecipientSet, set_size};
use rustc_hash::FxHasher;

/// How many are remembered; each in the place that its hash gives.
const SETS: usize = 64;
/// Bytes of all of them together: bounds the memory that this holds on to.
const BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct RecentSets {
    /// Each with its size.
    sets: Vec<Option<(RecipientSet, usize)>>,
    bytes: usize,
}

impl RecentSets {
    /// The set of these recipients: one that is there, if any is equal. `true`: it is new.
    pub fn share(&mut self, recipients: Vec<Recipient>) -> (RecipientSet, bool) {
        if self.sets.is_empty() {
            self.sets.resize(SETS, None);
        }
        let hash = BuildHasherDefault::<FxHasher>::default().hash_one(&recipients);
        // The high bits are the good ones.
        let at = usize::try_from(hash >> 32).unwrap_or_default() % SETS;
        if let Some((set, _)) = &self.sets[at]
            && are_same(set, &recipients)
        {
            return (Arc::clone(set), false);
        }
        let set: RecipientSet = recipients.into();
        let size = set_size(&set);
        if size > BYTES_MAX {
            return (set, true);
        }
        if self.bytes + size > BYTES_MAX {
            self.sets.fill(None);
            self.bytes = 0;
        }
        let replaced = self.sets[at].replace((Arc::clone(&set), size));
        self.bytes -= replaced.map_or(0, |(_, old)| old);
        self.bytes += size;
        (set, true)
    }
}

/// As `==`, which asks `memcmp` about the identifiers of each: with AVX-512 it takes a tenth of a microsecond to compare nothing at
/// the address of an empty `Vec`, for none is mapped there.
fn are_same(some: &[Recipient], others: &[Recipient]) -> bool {
    let is_same = |(one, other): (&Recipient, &Recipient)| {
        let (identifiers, other_identifiers) = (
            &one.subscription_identifiers,
            &other.subscription_identifiers,
        );
        let how = |it: &Recipient| (it.session, it.qos, it.retain);
        how(one) == how(other)
            && identifiers.len() == other_identifiers.len()
            && (identifiers.is_empty() || identifiers == other_identifiers)
    };
    some.len() == others.len() && some.iter().zip(others).all(is_same)
}

#[cfg(test)]
mod tests {
    use ebbtide_protocol::QoS;
    use ebbtide_store::Incarnation;

    use super::*;

    fn recipients(sessions: std::ops::Range<u64>) -> Vec<Recipient> {
        let recipient = |session| Recipient {
            session: Incarnation(session),
            qos: QoS::AtLeastOnce,
            retain: false,
            subscription_identifiers: Vec::new(),
        };
        sessions.map(recipient).collect()
    }

    #[test]
    fn equal_sets_are_one() {
        let mut recent = RecentSets::default();
        let (first, _) = recent.share(recipients(1..10));
        let (other, is_new) = recent.share(recipients(1..11));
        assert!(is_new);
        assert_eq!((first.len(), other.len()), (9, 10));
        for (set, sessions) in [(&first, 1..10), (&other, 1..11)] {
            let (again, is_new) = recent.share(recipients(sessions));
            assert!(Arc::ptr_eq(set, &again) && !is_new);
        }
    }

    #[test]
    fn it_holds_on_to_no_more_than_it_may() {
        let mut recent = RecentSets::default();
        for size in 1..1_000 {
            recent.share(recipients(0..size));
            assert_eq!(held(&recent), recent.bytes);
            assert!(recent.bytes <= BYTES_MAX);
        }
        recent.share(recipients(0..BYTES_MAX as u64 / 40 + 1));
        assert!(recent.bytes <= BYTES_MAX);
    }

    fn held(recent: &RecentSets) -> usize {
        let sets = recent.sets.iter().flatten();
        sets.map(|(set, _)| set_size(set)).sum()
    }

    /// Would fail if a set counted by its recipients alone: each of these has a quarter of a megabyte.
    #[test]
    fn subscription_identifiers_count_for_what_they_take() {
        let mut recent = RecentSets::default();
        for session in 0..100 {
            let mut recipients = recipients(session..session + 1);
            recipients[0].subscription_identifiers = vec![1; 65_536];
            recent.share(recipients);
            let held = held(&recent);
            assert!(held > 0 && held <= BYTES_MAX, "{held} bytes");
        }
    }
}
