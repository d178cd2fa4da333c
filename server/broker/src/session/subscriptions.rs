//! The subscriptions of one session, by filter. Most sessions have one, and a hash map begins with room for three: the first stands for
//! itself, and a map is made for those beside it.
//!
//! No filter stands in both places.

use std::{collections::HashMap, sync::Arc};

use ebbtide_protocol::TopicFilter;
use ebbtide_store::SubscriptionRow;

use crate::route::group::Group;

/// A subscription, and which SUBSCRIBE made it: a snapshot of an earlier one is not its own.
#[derive(Debug)]
pub(crate) struct Subscribed {
    pub row: SubscriptionRow,
    pub generation: u64,
    /// Of a shared subscription.
    pub group: Option<Arc<Group>>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    first: Option<Subscribed>,
    others: HashMap<TopicFilter, Subscribed>,
}

impl Subscriptions {
    /// Gives the one with the same filter that it replaces.
    pub fn insert(&mut self, subscribed: Subscribed) -> Option<Subscribed> {
        let filter = &subscribed.row.filter;
        match &mut self.first {
            Some(first) if first.row.filter == *filter => {
                Some(std::mem::replace(first, subscribed))
            }
            None if self.others.is_empty() => {
                self.first = Some(subscribed);
                None
            }
            _ => self.others.insert(filter.clone(), subscribed),
        }
    }

    pub fn remove(&mut self, filter: &TopicFilter) -> Option<Subscribed> {
        let first = self.first.take_if(|first| first.row.filter == *filter);
        first.or_else(|| self.others.remove(filter))
    }

    pub fn get(&self, filter: &TopicFilter) -> Option<&Subscribed> {
        match &self.first {
            Some(first) if first.row.filter == *filter => Some(first),
            _ => self.others.get(filter),
        }
    }

    pub fn get_mut(&mut self, filter: &TopicFilter) -> Option<&mut Subscribed> {
        match &mut self.first {
            Some(first) if first.row.filter == *filter => Some(first),
            _ => self.others.get_mut(filter),
        }
    }

    pub fn contains(&self, filter: &TopicFilter) -> bool {
        self.get(filter).is_some()
    }

    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// In no order.
    pub fn iter(&self) -> impl Iterator<Item = &Subscribed> {
        self.first.as_ref().into_iter().chain(self.others.values())
    }

    /// In no order.
    pub fn filters(&self) -> impl Iterator<Item = &TopicFilter> {
        self.iter().map(|subscribed| &subscribed.row.filter)
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_protocol::packet::SubscriptionOptions;

    use super::*;

    fn filter(number: u64) -> TopicFilter {
        TopicFilter::new(format!("f/{number}")).expect("a filter")
    }

    fn subscribed(number: u64, generation: u64) -> Subscribed {
        Subscribed {
            row: SubscriptionRow {
                filter: filter(number),
                options: SubscriptionOptions::default(),
                identifier: None,
                retained_owed: false,
            },
            generation,
            group: None,
        }
    }

    /// Whatever comes and goes in whatever order, it is a map.
    #[test]
    fn it_is_a_map_by_filter() {
        let (mut subscriptions, mut model) = (Subscriptions::default(), HashMap::new());
        for step in 0..2_000_u64 {
            let number = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62;
            let removes = step.wrapping_mul(0xd134_2543_de82_ef95) >> 63 == 1;
            let (found, expected) = match removes {
                true => (subscriptions.remove(&filter(number)), model.remove(&number)),
                false => (
                    subscriptions.insert(subscribed(number, step)),
                    model.insert(number, step),
                ),
            };
            assert_eq!(found.map(|one| one.generation), expected);
            for number in 0..4 {
                let expected = model.get(&number).copied();
                let found = subscriptions.get(&filter(number));
                assert_eq!(found.map(|one| one.generation), expected);
                let found = subscriptions.get_mut(&filter(number));
                assert_eq!(found.map(|one| one.generation), expected);
                let is_there = subscriptions.contains(&filter(number));
                assert_eq!(is_there, expected.is_some());
            }
            assert_eq!(subscriptions.len(), model.len());
            let mut all: Vec<_> = subscriptions.iter().map(|one| one.generation).collect();
            let mut expected: Vec<_> = model.values().copied().collect();
            all.sort_unstable();
            expected.sort_unstable();
            assert_eq!(all, expected);
            assert_eq!(subscriptions.filters().count(), model.len());
        }
    }
}
