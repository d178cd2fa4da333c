//! The retained messages: a trie of topic levels. A wildcard lookup visits the branches that match and no others, can
//! stop anywhere and go on from there later.

use std::{collections::BTreeMap, ops::ControlFlow};

use ebbtide_protocol::{TopicFilter, TopicName};
use ebbtide_store::RetainedRow;

#[derive(Debug, Default)]
pub(crate) struct Retained {
    root: Node,
    len: usize,
    /// Of topics and payloads.
    bytes: u64,
}

#[derive(Debug, Default)]
struct Node {
    children: BTreeMap<Box<str>, Node>,
    row: Option<RetainedRow>,
}

impl Retained {
    pub fn set(&mut self, row: RetainedRow) {
        let topic = row.message.topic.clone();
        let mut node = &mut self.root;
        for level in topic.levels() {
            if !node.children.contains_key(level) {
                node.children.insert(level.into(), Node::default());
            }
            node = node.children.get_mut(level).expect("just inserted");
        }
        self.bytes += row.message.content_bytes();
        match node.row.replace(row) {
            Some(old) => self.bytes -= old.message.content_bytes(),
            None => self.len += 1,
        }
    }

    /// Removes the message of a topic; `false` when there was none.
    pub fn clear(&mut self, topic: &TopicName) -> bool {
        let levels: Vec<&str> = topic.levels().collect();
        let removed = self.root.clear(&levels);
        if let Some(row) = &removed {
            self.len -= 1;
            self.bytes -= row.message.content_bytes();
        }
        removed.is_some()
    }

    pub fn get(&self, topic: &TopicName) -> Option<&RetainedRow> {
        let mut node = &self.root;
        for level in topic.levels() {
            node = node.children.get(level)?;
        }
        node.row.as_ref()
    }

    /// Visits what matches, level by level in order, beginning behind the topic `after`.
    pub fn visit<'a>(
        &'a self,
        filter: &TopicFilter,
        after: Option<&TopicName>,
        visit: &mut impl FnMut(&'a RetainedRow) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let pattern: Vec<&str> = filter.pattern().split('/').collect();
        let after: Option<Vec<&str>> = after.map(|topic| topic.levels().collect());
        self.root.visit(&pattern, after.as_deref(), true, visit)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Of topics and payloads.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Node {
    fn clear(&mut self, levels: &[&str]) -> Option<RetainedRow> {
        let Some((level, rest)) = levels.split_first() else {
            return self.row.take();
        };
        let child = self.children.get_mut(*level)?;
        let removed = child.clear(rest);
        if child.row.is_none() && child.children.is_empty() {
            self.children.remove(*level);
        }
        removed
    }

    /// `after` is what is left of the path of the last visited topic: `Some([])` at that topic itself.
    fn visit<'a>(
        &'a self,
        pattern: &[&str],
        after: Option<&[&str]>,
        is_root: bool,
        visit: &mut impl FnMut(&'a RetainedRow) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (level, rest) = match pattern.split_first() {
            None | Some((&"#", _)) => {
                if after.is_none()
                    && let Some(row) = &self.row
                {
                    visit(row)?;
                }
                if pattern.is_empty() {
                    return ControlFlow::Continue(());
                }
                ("#", pattern)
            }
            Some((level, rest)) => (*level, rest),
        };
        let first = after.and_then(|path| path.first().copied());
        if level != "#" && level != "+" {
            if first.is_some_and(|first| level < first) {
                return ControlFlow::Continue(());
            }
            let Some(child) = self.children.get(level) else {
                return ControlFlow::Continue(());
            };
            return child.visit(rest, tail(after, level), false, visit);
        }
        for (name, child) in self.children.range::<str, _>((
            first.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Included),
            std::ops::Bound::Unbounded,
        )) {
            // [MQTT-4.7.2-1]
            if is_root && name.starts_with('$') {
                continue;
            }
            child.visit(rest, tail(after, name), false, visit)?;
        }
        ControlFlow::Continue(())
    }
}

/// What is left of the path below the child `level`; `None` when the child comes after the path.
fn tail<'p, 's>(after: Option<&'p [&'s str]>, level: &str) -> Option<&'p [&'s str]> {
    match after?.split_first() {
        Some((first, rest)) if *first == level => Some(rest),
        _ => None,
    }
}
