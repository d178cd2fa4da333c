//! The topics of all rules as one tree, level by level. To ask it visits what can still match and would come earlier in the order than
//! what has been found, so that a thousand rules cost hardly more than ten.

use std::collections::hash_map::Entry as Place;

use ebbtide_store::access::Actions;

use super::{
    Action,
    template::{Filled, Template},
};
use crate::keyed::KeyedMap;

/// A level of a topic in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Exactly(Box<str>),
    /// The template with this number.
    Filled(usize),
    /// `+`
    Any,
    /// `#`
    Rest,
}

/// A rule, where one of its topics ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub rule: usize,
    pub is_allowed: bool,
    pub actions: Actions,
    /// Whom it is about, by number.
    pub who: usize,
}

impl Entry {
    fn is_about(&self, action: Action) -> bool {
        match action {
            Action::Publish => self.actions.publish,
            Action::Subscribe => self.actions.subscribe,
            Action::Retain => self.actions.retain,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Tree(Node);

#[derive(Debug)]
struct Node {
    /// The first rule of all that end here or below.
    first: usize,
    exactly: KeyedMap<Box<str>, Box<Node>>,
    filled: Vec<(usize, Node)>,
    /// Where each template is in `filled`.
    places: KeyedMap<usize, usize>,
    any: Option<Box<Node>>,
    /// Those whose topic ends in `#` below here, ascending.
    rest: Vec<Entry>,
    /// Those whose topic ends here, ascending.
    here: Vec<Entry>,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            first: usize::MAX,
            exactly: KeyedMap::default(),
            filled: Vec::new(),
            places: KeyedMap::default(),
            any: None,
            rest: Vec::new(),
            here: Vec::new(),
        }
    }
}

/// Who asks for what.
pub(super) struct Query<'a> {
    pub action: Action,
    /// Whether a rule with this number is about it.
    pub is_who: &'a dyn Fn(usize) -> bool,
    pub templates: &'a [Template],
    /// What they are for it.
    pub filled: &'a Filled,
}

impl Tree {
    /// Rules come in their order.
    pub fn insert(&mut self, levels: &[Level], entry: Entry) {
        let mut node = &mut self.0;
        for level in levels {
            node.first = node.first.min(entry.rule);
            node = match level {
                Level::Rest => return node.rest.push(entry),
                Level::Any => node.any.get_or_insert_default(),
                Level::Exactly(text) => node.exactly.entry(text.clone()).or_default(),
                Level::Filled(template) => {
                    let at = match node.places.entry(*template) {
                        Place::Occupied(place) => *place.get(),
                        Place::Vacant(place) => {
                            node.filled.push((*template, Node::default()));
                            *place.insert(node.filled.len() - 1)
                        }
                    };
                    &mut node.filled[at].1
                }
            };
        }
        node.first = node.first.min(entry.rule);
        node.here.push(entry);
    }

    /// The first rule that matches a topic, or covers a filter: all topics that the filter matches.
    pub fn first(&self, topic_or_filter: &str, query: &Query<'_>) -> Option<Entry> {
        self.search(topic_or_filter, query).found
    }

    /// How many nodes, and templates, that looks at.
    #[cfg(test)]
    pub fn steps(&self, topic_or_filter: &str, query: &Query<'_>) -> usize {
        self.search(topic_or_filter, query).steps
    }

    fn search<'a>(&self, topic_or_filter: &str, query: &'a Query<'a>) -> Search<'a> {
        let mut search = Search {
            query,
            // A wildcard in the first level does not match what begins with `$` [MQTT-4.7.2-1].
            is_hidden: topic_or_filter.starts_with('$'),
            begins_empty: topic_or_filter.starts_with('/'),
            found: None,
            #[cfg(test)]
            steps: 0,
        };
        search.visit(&self.0, Some(topic_or_filter), 0, false);
        search
    }
}

struct Search<'a> {
    query: &'a Query<'a>,
    is_hidden: bool,
    begins_empty: bool,
    found: Option<Entry>,
    #[cfg(test)]
    steps: usize,
}

impl Search<'_> {
    /// Counts, for tests.
    fn step(&mut self) {
        #[cfg(test)]
        {
            self.steps += 1;
        }
    }

    /// Looks below a node for what is left; `None`: nothing is left. `denies`: a name on the way fits into no topic, so only rules that
    /// deny count.
    fn visit(&mut self, node: &Node, left: Option<&str>, depth: usize, denies: bool) {
        self.step();
        if self.found.is_some_and(|found| found.rule < node.first) {
            return;
        }
        let is_hidden = self.is_hidden && depth == 0;
        if !is_hidden {
            // `a/#` matches `a` too.
            self.take(&node.rest, denies);
        }
        let Some(left) = left else {
            return self.take(&node.here, denies);
        };
        let (level, left) = match left.split_once('/') {
            Some((level, left)) => (level, Some(left)),
            None => (left, None),
        };
        // Only `#` covers `#`, and it has been looked at; but no topic is empty [MQTT-4.7.3-1], so `#` is the same as `+/#`, and `/#` as
        // `/+/#`.
        if level == "#" {
            if (depth == 0 || depth == 1 && self.begins_empty)
                && let Some(node) = &node.any
            {
                self.take(&node.rest, denies);
            }
            return;
        }
        let depth = depth + 1;
        // `+` is nobody's text, so it is not found here.
        if let Some(node) = node.exactly.get(level) {
            self.visit(node, left, depth, denies);
        }
        for (template, node) in &node.filled {
            self.step();
            // A name does not make a topic the broker's own.
            if is_hidden {
                continue;
            }
            let Query {
                templates, filled, ..
            } = self.query;
            match filled.is(*template, &templates[*template], level) {
                Some(true) => self.visit(node, left, depth, denies),
                Some(false) => {}
                None => self.visit(node, left, depth, true),
            }
        }
        if let Some(node) = &node.any
            && !is_hidden
        {
            self.visit(node, left, depth, denies);
        }
    }

    fn take(&mut self, entries: &[Entry], denies: bool) {
        let earlier = self.found.map_or(usize::MAX, |found| found.rule);
        let entry = entries.iter().find(|entry| {
            entry.rule >= earlier
                || entry.is_about(self.query.action)
                    && !(denies && entry.is_allowed)
                    && (self.query.is_who)(entry.who)
        });
        if let Some(entry) = entry.filter(|entry| entry.rule < earlier) {
            self.found = Some(*entry);
        }
    }
}
