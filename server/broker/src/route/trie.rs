//! A trie of filter levels, matched against a topic without looking at other filters. It does not know what it holds.

use std::collections::HashMap;

use ebbtide_store::Incarnation;

/// What stands at the end of a filter, by number.
pub(super) trait Entry {
    fn number(&self) -> Incarnation;
}

#[derive(Debug)]
pub(super) struct Trie<T> {
    root: Node<T>,
    len: usize,
}

#[derive(Debug)]
struct Node<T> {
    children: HashMap<Box<str>, Node<T>>,
    /// `+`
    any: Option<Box<Node<T>>>,
    /// Filters that end here, ascending by number.
    here: Vec<T>,
    /// Filters that end here with `#`, ascending by number.
    all: Vec<T>,
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        let root = Node::default();
        Self { root, len: 0 }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            children: HashMap::new(),
            any: None,
            here: Vec::new(),
            all: Vec::new(),
        }
    }
}

impl<T: Entry> Trie<T> {
    /// Adds an entry or replaces the one of the same number at the same pattern. Gives `true` when it is new.
    pub fn insert(&mut self, pattern: &str, entry: T) -> bool {
        let list = self.root.list(pattern);
        let is_new = match list.binary_search_by_key(&entry.number(), Entry::number) {
            Ok(at) => {
                list[at] = entry;
                false
            }
            Err(at) => {
                if list.capacity() == 0 {
                    // Most filters are one client's alone.
                    list.reserve_exact(1);
                }
                list.insert(at, entry);
                true
            }
        };
        self.len += usize::from(is_new);
        is_new
    }

    /// Removes the entry of that number; `false` when there was none.
    pub fn remove(&mut self, pattern: &str, number: Incarnation) -> bool {
        let removed = self.root.remove(pattern, number);
        self.len -= usize::from(removed);
        removed
    }

    /// The lists of entries whose filter matches [MQTT-3.3.2-3], byte by byte [MQTT-4.7.3-4]. A number may stand in several
    /// of them. Gives how many nodes were looked at.
    pub fn matching<'a>(&'a self, topic: &str, visit: &mut impl FnMut(&'a [T])) -> usize {
        // Wildcards in the first level do not match topics that begin with `$` [MQTT-4.7.2-1].
        let is_system = topic.starts_with('$');
        self.root.matching(Some(topic), is_system, visit)
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

impl<T: Entry> Node<T> {
    fn list(&mut self, pattern: &str) -> &mut Vec<T> {
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

    fn remove(&mut self, pattern: &str, number: Incarnation) -> bool {
        let (level, rest) = split(pattern);
        if level == "#" {
            return remove_from(&mut self.all, number);
        }
        let child = if level == "+" {
            self.any.as_deref_mut()
        } else {
            self.children.get_mut(level)
        };
        let Some(child) = child else { return false };
        let removed = match rest {
            Some(rest) => child.remove(rest, number),
            None => remove_from(&mut child.here, number),
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
        visit: &mut impl FnMut(&'a [T]),
    ) -> usize {
        // `a/#` matches `a` as well (section 4.7.1.2).
        if !self.all.is_empty() && !is_system {
            visit(&self.all);
        }
        let Some(path) = path else {
            if !self.here.is_empty() {
                visit(&self.here);
            }
            return 1;
        };
        let (level, rest) = split(path);
        let mut steps = 1;
        if let Some(child) = self.children.get(level) {
            steps += child.matching(rest, false, visit);
        }
        if let Some(any) = &self.any
            && !is_system
        {
            steps += any.matching(rest, false, visit);
        }
        steps
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty()
            && self.any.is_none()
            && self.here.is_empty()
            && self.all.is_empty()
    }
}

fn remove_from<T: Entry>(list: &mut Vec<T>, number: Incarnation) -> bool {
    match list.binary_search_by_key(&number, Entry::number) {
        Ok(at) => {
            list.remove(at);
            true
        }
        Err(_) => false,
    }
}
