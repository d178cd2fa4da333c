//! Who has subscribed to what: a trie of filter levels, matched against a topic without looking at other filters.

use std::{collections::HashMap, sync::Arc};

use ebbtide_protocol::packet::SubscriptionOptions;
use ebbtide_store::Incarnation;

use super::mailbox::Mailbox;

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

#[derive(Debug, Default)]
pub(crate) struct Index {
    root: Node,
    len: usize,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    /// `+`
    any: Option<Box<Node>>,
    /// Filters that end here, ascending by session.
    here: Vec<Subscriber>,
    /// Filters that end here with `#`, ascending by session.
    all: Vec<Subscriber>,
}

impl Index {
    /// Adds a subscription or replaces that session's one to the same pattern. Gives `true` when it is new.
    pub fn insert(&mut self, pattern: &str, subscriber: Subscriber) -> bool {
        let list = self.root.list(pattern);
        let is_new = match list.binary_search_by_key(&subscriber.session(), Subscriber::session) {
            Ok(at) => {
                list[at] = subscriber;
                false
            }
            Err(at) => {
                list.insert(at, subscriber);
                true
            }
        };
        self.len += usize::from(is_new);
        is_new
    }

    /// Removes that session's subscription; `false` when there was none.
    pub fn remove(&mut self, pattern: &str, session: Incarnation) -> bool {
        let removed = self.root.remove(pattern, session);
        self.len -= usize::from(removed);
        removed
    }

    /// The lists of subscribers whose filter matches. A session may stand in several of them.
    pub fn matching<'a>(&'a self, topic: &str, visit: &mut impl FnMut(&'a [Subscriber])) {
        // Wildcards in the first level do not match topics that begin with `$` [MQTT-4.7.2-1].
        let is_system = topic.starts_with('$');
        self.root.matching(Some(topic), is_system, visit);
    }

    pub fn len(&self) -> usize {
        self.len
    }
}

/// The first level, and the rest after its `/`.
fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((level, rest)) => (level, Some(rest)),
        None => (path, None),
    }
}

impl Node {
    fn list(&mut self, pattern: &str) -> &mut Vec<Subscriber> {
        let (level, rest) = split(pattern);
        if level == "#" {
            return &mut self.all;
        }
        let child = if level == "+" {
            self.any.get_or_insert_default()
        } else {
            // Looked up first: the key is copied only for a new level.
            if !self.children.contains_key(level) {
                self.children.insert(level.into(), Self::default());
            }
            self.children.get_mut(level).expect("just inserted")
        };
        match rest {
            Some(rest) => child.list(rest),
            None => &mut child.here,
        }
    }

    fn remove(&mut self, pattern: &str, session: Incarnation) -> bool {
        let (level, rest) = split(pattern);
        if level == "#" {
            return remove_from(&mut self.all, session);
        }
        let child = if level == "+" {
            self.any.as_deref_mut()
        } else {
            self.children.get_mut(level)
        };
        let Some(child) = child else { return false };
        let removed = match rest {
            Some(rest) => child.remove(rest, session),
            None => remove_from(&mut child.here, session),
        };
        if child.is_empty() {
            if level == "+" {
                self.any = None;
            } else {
                self.children.remove(level);
            }
        }
        removed
    }

    fn matching<'a>(
        &'a self,
        path: Option<&str>,
        is_system: bool,
        visit: &mut impl FnMut(&'a [Subscriber]),
    ) {
        // `a/#` matches `a` as well [MQTT-4.7.1-2].
        if !self.all.is_empty() && !is_system {
            visit(&self.all);
        }
        let Some(path) = path else {
            if !self.here.is_empty() {
                visit(&self.here);
            }
            return;
        };
        let (level, rest) = split(path);
        if let Some(child) = self.children.get(level) {
            child.matching(rest, false, visit);
        }
        if let Some(any) = &self.any
            && !is_system
        {
            any.matching(rest, false, visit);
        }
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty()
            && self.any.is_none()
            && self.here.is_empty()
            && self.all.is_empty()
    }
}

fn remove_from(list: &mut Vec<Subscriber>, session: Incarnation) -> bool {
    match list.binary_search_by_key(&session, Subscriber::session) {
        Ok(at) => {
            list.remove(at);
            true
        }
        Err(_) => false,
    }
}
