//! Who has subscribed to what: sessions for themselves, and groups for the members of a shared subscription.

use std::{collections::HashMap, sync::Arc};

use ebbtide_protocol::{TopicFilter, packet::SubscriptionOptions};
use ebbtide_store::Incarnation;

use super::{
    group::Group,
    mailbox::Mailbox,
    matches::{Found, Matches},
    recent_matches::{Key, Look, RecentMatches},
    trie::{Entry, Trie},
};

/// One subscription as routing sees it.
#[derive(Clone, Debug)]
pub(crate) struct Subscriber {
    pub mailbox: Arc<Mailbox>,
    pub options: SubscriptionOptions,
    pub identifier: Option<u32>,
}

impl Subscriber {
    pub fn session(&self) -> Incarnation {
        self.mailbox.session
    }
}

impl Entry for Subscriber {
    fn number(&self) -> Incarnation {
        self.session()
    }
}

impl Entry for Arc<Group> {
    fn number(&self) -> Incarnation {
        self.number
    }
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    own: Trie<Subscriber>,
    shared: Trie<Arc<Group>>,
    groups: HashMap<TopicFilter, Arc<Group>>,
    memberships: usize,
    /// Of these two tries as they are: whoever changes one empties it.
    recent: RecentMatches,
    /// What most topics of retained messages match.
    nobody: Arc<Matches>,
}

impl Index {
    /// Adds a subscription or replaces that session's one to the same pattern. Gives `true` when it is new.
    pub fn insert(&mut self, pattern: &str, subscriber: Subscriber) -> bool {
        self.recent.clear();
        self.own.insert(pattern, subscriber)
    }

    /// Removes that session's subscription; `false` when there was none.
    pub fn remove(&mut self, pattern: &str, session: Incarnation) -> bool {
        self.recent.clear();
        self.own.remove(pattern, session)
    }

    /// The group that shares this filter, if anybody does.
    pub fn group(&self, filter: &TopicFilter) -> Option<&Arc<Group>> {
        self.groups.get(filter)
    }

    /// Makes a group known.
    pub fn insert_group(&mut self, group: &Arc<Group>) {
        self.recent.clear();
        self.shared
            .insert(group.filter.pattern(), Arc::clone(group));
        self.groups.insert(group.filter.clone(), Arc::clone(group));
    }

    /// Adds a member to a group, or changes its subscription.
    pub fn join(&mut self, group: &Group, subscriber: Subscriber) {
        self.memberships += usize::from(group.join(subscriber));
    }

    /// Removes a member. Its last one gone, the group is given: it is to be ended once this lock is released.
    pub fn leave(&mut self, group: &Arc<Group>, session: Incarnation) -> Option<Arc<Group>> {
        self.memberships -= 1;
        group.leave(session).then(|| self.remove_group(group))
    }

    /// Takes out a group without members. After a crash another one may have its filter.
    pub fn remove_group(&mut self, group: &Arc<Group>) -> Arc<Group> {
        self.recent.clear();
        self.shared.remove(group.filter.pattern(), group.number);
        if (self.groups.get(&group.filter)).is_some_and(|known| Arc::ptr_eq(known, group)) {
            self.groups.remove(&group.filter);
        }
        Arc::clone(group)
    }

    /// Everybody who gets what is published to a topic; and how much was looked at to find them.
    pub fn matches(&self, topic: &str) -> (Found, usize) {
        let key = Key::of(topic);
        match self.recent.look(key, topic) {
            Look::Remembered(matches) => (Found::Remembered(matches), 1),
            Look::New => {
                let (matches, steps) = self.find(topic);
                (Found::Once(matches), steps)
            }
            Look::Again => {
                let (matches, steps) = self.find(topic);
                let matches = match matches.is_empty() {
                    true => Arc::clone(&self.nobody),
                    false => Arc::new(matches),
                };
                self.recent.keep(key, topic, &matches);
                (Found::Remembered(matches), steps)
            }
        }
    }

    fn find(&self, topic: &str) -> (Matches, usize) {
        let mut found: Vec<&Subscriber> = Vec::new();
        let mut lists: usize = 0;
        let mut steps = self.own.matching(topic, &mut |list| {
            lists += 1;
            found.extend(list);
        });
        if lists > 1 {
            // Stable: the identifiers of one session stay in the order of its filters in the trie.
            found.sort_by_key(|subscriber| subscriber.session());
        }
        let mut groups = Vec::new();
        if self.shared.len() > 0 {
            steps += self
                .shared
                .matching(topic, &mut |list| groups.extend_from_slice(list));
        }
        (Matches::new(&found, groups), steps)
    }

    /// Of shared subscriptions.
    pub fn memberships(&self) -> usize {
        self.memberships
    }

    /// All subscriptions.
    pub fn len(&self) -> usize {
        self.own.len() + self.memberships
    }
}

#[cfg(test)]
mod tests;
