//! Who has subscribed to what: sessions for themselves, and groups for the members of a shared subscription.

use std::{collections::HashMap, sync::Arc};

use ebbtide_protocol::{TopicFilter, packet::SubscriptionOptions};
use ebbtide_store::Incarnation;

use super::{
    group::Group,
    mailbox::Mailbox,
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
}

impl Index {
    /// Adds a subscription or replaces that session's one to the same pattern. Gives `true` when it is new.
    pub fn insert(&mut self, pattern: &str, subscriber: Subscriber) -> bool {
        self.own.insert(pattern, subscriber)
    }

    /// Removes that session's subscription; `false` when there was none.
    pub fn remove(&mut self, pattern: &str, session: Incarnation) -> bool {
        self.own.remove(pattern, session)
    }

    /// The group that shares this filter, if anybody does.
    pub fn group(&self, filter: &TopicFilter) -> Option<&Arc<Group>> {
        self.groups.get(filter)
    }

    /// Makes a group known.
    pub fn insert_group(&mut self, group: &Arc<Group>) {
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

    /// Takes out a group without members.
    pub fn remove_group(&mut self, group: &Arc<Group>) -> Arc<Group> {
        self.shared.remove(group.filter.pattern(), group.number);
        self.groups.remove(&group.filter);
        Arc::clone(group)
    }

    /// The lists of subscribers whose filter matches. A session may stand in several of them. Gives how much was looked
    /// at.
    pub fn matching<'a>(&'a self, topic: &str, visit: &mut impl FnMut(&'a [Subscriber])) -> usize {
        self.own.matching(topic, visit)
    }

    /// The groups whose filter matches. Each stands in one list.
    pub fn matching_groups<'a>(
        &'a self,
        topic: &str,
        visit: &mut impl FnMut(&'a [Arc<Group>]),
    ) -> usize {
        match self.shared.len() {
            0 => 0,
            _ => self.shared.matching(topic, visit),
        }
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
