//! The retained messages: a trie of topic levels. A wildcard lookup visits the branches that match and no others, can
//! stop anywhere and go on from there later.

use std::{ops::ControlFlow, sync::Arc};

use ebbtide_protocol::{TopicFilter, TopicName};
use ebbtide_store::{Message, RetainedRow};

use super::children::{Children, Level};

/// Memory that a level of a topic takes which no other topic has, roughly.
const LEVEL_BYTES: u64 = 96;

#[derive(Debug, Default)]
pub(crate) struct Retained {
    root: Node,
    len: usize,
    /// Of topics, payloads and properties.
    bytes: u64,
    /// Of their topics.
    levels: u64,
}

/// What `retained_bytes_max` counts of a message: a topic may have many levels with nothing in them, and each takes memory.
pub(crate) fn weight(message: &Message) -> u64 {
    let topic = message.topic.as_str().as_bytes();
    let levels = 1 + topic.iter().filter(|byte| **byte == b'/').count();
    message.content_bytes() + LEVEL_BYTES * levels as u64
}

#[derive(Debug, Default)]
struct Node {
    children: Children<Node>,
    row: Option<RetainedRow>,
}

/// A node on the way to the last row, while a trie is built: its children are in order.
#[derive(Default)]
struct Open {
    level: Level,
    children: Vec<(Level, Node)>,
    row: Option<RetainedRow>,
}

impl Open {
    fn close(self) -> (Level, Node) {
        let node = Node {
            children: Children::of(self.children),
            row: self.row,
        };
        (self.level, node)
    }
}

/// What topics are compared by so that they stand level by level, one above right before what is below it. No topic has a
/// NUL.
fn by_level(topic: &TopicName) -> impl Iterator<Item = u8> {
    let bytes = topic.as_str().bytes();
    bytes.map(|byte| if byte == b'/' { 0 } else { byte })
}

impl Retained {
    /// All of them at once, in any order, best in that of their topics. That takes a fraction of what [`Retained::set`] takes for
    /// each: nothing is searched for.
    pub fn of(mut rows: Vec<RetainedRow>) -> Self {
        rows.sort_by(|a, b| by_level(&a.message.topic).cmp(by_level(&b.message.topic)));
        let (mut len, mut bytes, mut depths) = (0, 0, 0);
        let mut root = Open::default();
        let mut path: Vec<Open> = Vec::new();
        let close = |root: &mut Open, path: &mut Vec<Open>, depth: usize| {
            while path.len() > depth
                && let Some(open) = path.pop()
            {
                let above = path.last_mut().unwrap_or(root);
                above.children.push(open.close());
            }
        };
        for row in rows {
            let message = Arc::clone(&row.message);
            let levels = message.topic.levels().zip(&path);
            let shared = levels.take_while(|(level, open)| **level == *open.level);
            let shared = shared.count();
            close(&mut root, &mut path, shared);
            path.extend(message.topic.levels().skip(shared).map(|level| Open {
                level: level.into(),
                ..Open::default()
            }));
            bytes += message.content_bytes();
            let depth = path.len() as u64;
            let last = path.last_mut().unwrap_or(&mut root);
            match last.row.replace(row) {
                Some(old) => bytes -= old.message.content_bytes(),
                None => (len, depths) = (len + 1, depths + depth),
            }
        }
        close(&mut root, &mut path, 0);
        Self {
            root: root.close().1,
            len,
            bytes,
            levels: depths,
        }
    }

    /// Sets the message of a topic; `false` when there was none.
    pub fn set(&mut self, row: RetainedRow) -> bool {
        // Not the topic is cloned: a `Bytes` that has been takes more memory from then on.
        let message = Arc::clone(&row.message);
        let mut node = &mut self.root;
        let mut levels = 0;
        for level in message.topic.levels() {
            node = node.children.get_or_insert_default(level);
            levels += 1;
        }
        self.bytes += message.content_bytes();
        let replaced = node.row.replace(row);
        match &replaced {
            Some(old) => self.bytes -= old.message.content_bytes(),
            None => {
                self.len += 1;
                self.levels += levels;
            }
        }
        replaced.is_some()
    }

    /// Removes the message of a topic; `false` when there was none.
    pub fn clear(&mut self, topic: &TopicName) -> bool {
        let levels: Vec<&str> = topic.levels().collect();
        let removed = self.root.clear(&levels);
        if let Some(row) = &removed {
            self.len -= 1;
            self.bytes -= row.message.content_bytes();
            self.levels -= levels.len() as u64;
        }
        removed.is_some()
    }

    pub fn get(&self, topic: &TopicName) -> Option<&RetainedRow> {
        let mut node = &self.root;
        for level in topic.levels() {
            node = node.children.get(level)?.1;
        }
        node.row.as_ref()
    }

    /// Visits what may lead to a match, level by level in order, beginning behind the path `after`: the row of what matches,
    /// `None` for what only stands on the way. So whoever counts can stop, however little matches. Gives the path that it was
    /// stopped at; `None`: that was all.
    pub fn visit<'a>(
        &'a self,
        filter: &TopicFilter,
        after: Option<&str>,
        visit: &mut impl FnMut(Option<&'a RetainedRow>) -> ControlFlow<()>,
    ) -> Option<String> {
        let pattern: Vec<&str> = filter.pattern().split('/').collect();
        let after: Option<Vec<&str>> = after.map(|path| path.split('/').collect());
        let flow = self.root.visit(&pattern, after.as_deref(), true, visit);
        flow.break_value().map(|mut path| {
            path.reverse();
            path.join("/")
        })
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Of topics, payloads and properties.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Of all messages, by [`weight`].
    pub fn weight(&self) -> u64 {
        self.bytes + LEVEL_BYTES * self.levels
    }
}

impl Node {
    fn clear(&mut self, levels: &[&str]) -> Option<RetainedRow> {
        let Some((level, rest)) = levels.split_first() else {
            return self.row.take();
        };
        let child = self.children.get_mut(level)?;
        let removed = child.clear(rest);
        if child.row.is_none() && child.children.is_empty() {
            self.children.remove(level);
        }
        removed
    }

    /// `after` is what is left of the path that was stopped at: `Some([])` there itself. Breaks with the path below this node,
    /// the last level first.
    fn visit<'a>(
        &'a self,
        pattern: &[&str],
        after: Option<&[&str]>,
        is_root: bool,
        visit: &mut impl FnMut(Option<&'a RetainedRow>) -> ControlFlow<()>,
    ) -> ControlFlow<Vec<&'a str>> {
        let (level, rest) = match pattern.split_first() {
            None => (None, pattern),
            Some((&"#", _)) => (Some("#"), pattern),
            Some((level, rest)) => (Some(*level), rest),
        };
        if after.is_none() && !is_root {
            let is_match = matches!(level, None | Some("#"));
            let row = self.row.as_ref().filter(|_| is_match);
            if visit(row).is_break() {
                return ControlFlow::Break(Vec::new());
            }
        }
        let Some(level) = level else {
            return ControlFlow::Continue(());
        };
        let first = after.and_then(|path| path.first().copied());
        let below = |name: &'a str, child: &'a Self, visit: &mut _| {
            let flow = child.visit(rest, tail(after, name), false, visit);
            flow.map_break(|mut path| {
                path.push(name);
                path
            })
        };
        if level != "#" && level != "+" {
            if first.is_some_and(|first| level < first) {
                return ControlFlow::Continue(());
            }
            return match self.children.get(level) {
                Some((name, child)) => below(name, child, visit),
                None => ControlFlow::Continue(()),
            };
        }
        for (name, child) in self.children.from(first) {
            // [MQTT-4.7.2-1]
            if !(is_root && name.starts_with('$')) {
                below(name, child, visit)?;
            }
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ebbtide_protocol::QoS;
    use ebbtide_store::{Message, Properties, Revision, WallTime};

    use super::*;

    fn retained(topics: impl IntoIterator<Item = String>) -> Retained {
        let mut retained = Retained::default();
        for topic in topics {
            retained.set(row(topic));
        }
        retained
    }

    fn row(topic: String) -> RetainedRow {
        RetainedRow {
            revision: Revision(1),
            message: Arc::new(Message {
                topic: TopicName::new(topic).expect("a topic"),
                payload: Bytes::from_static(b"x"),
                qos: QoS::AtMostOnce,
                retain: true,
                accepted_at: WallTime(0),
                properties: Properties::default(),
            }),
        }
    }

    #[test]
    fn built_at_once_it_is_as_one_by_one() {
        let topics = [
            "b", "a", "a!", "a/b", "a!/b", "a/b/c", "a/", "a//x", "/", "/b", "b/b/c", "$s/b/c",
            "a/b", "a/b!/c", "é/b",
        ];
        for count in 0..=topics.len() {
            let mut rows = Vec::new();
            let mut one_by_one = Retained::default();
            for (revision, topic) in (1..).zip(&topics[..count]) {
                let mut row = row((*topic).to_owned());
                row.revision = Revision(revision);
                rows.push(row.clone());
                one_by_one.set(row);
            }
            let at_once = Retained::of(rows);
            assert_eq!(format!("{at_once:?}"), format!("{one_by_one:?}"));
        }
    }

    /// Each of them takes memory, though the topic has one byte more by it.
    #[test]
    fn levels_weigh_more_than_their_bytes() {
        let deep = "/".repeat(999);
        let mut retained = retained([deep.clone()]);
        assert_eq!(retained.weight(), retained.bytes() + 1_000 * LEVEL_BYTES);
        retained.set(row(deep.clone()));
        assert_eq!(retained.weight(), retained.bytes() + 1_000 * LEVEL_BYTES);
        assert!(retained.clear(&TopicName::new(deep).expect("a topic")));
        assert_eq!((retained.weight(), retained.bytes()), (0, 0));
    }

    /// What matches, when it is stopped after so many visits each time.
    fn matches(retained: &Retained, filter: &str, visits_max: usize) -> Vec<String> {
        let filter = TopicFilter::new(filter).expect("a filter");
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut visits = 0;
            after = retained.visit(&filter, after.as_deref(), &mut |row| {
                visits += 1;
                found.extend(row.map(|row| row.message.topic.as_str().to_owned()));
                match visits < visits_max {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            });
            if after.is_none() {
                return found;
            }
        }
    }

    #[test]
    fn a_visit_goes_on_wherever_it_was_stopped() {
        let topics = [
            "a", "a/b", "a/b/c", "a/bb", "a/x/c", "/", "/b", "b//c", "b/b/c", "$s/b/c",
        ];
        let retained = retained(topics.map(str::to_owned));
        for filter in [
            "#", "a/#", "+/b/c", "+/+/c", "a/+", "+", "/+", "a/b", "$s/#",
        ] {
            let all = matches(&retained, filter, usize::MAX);
            assert!(!all.is_empty(), "{filter}");
            for visits_max in 1..=topics.len() {
                assert_eq!(matches(&retained, filter, visits_max), all, "{filter}");
            }
        }
    }

    /// The lock on all retained messages is held until somebody stops it.
    #[test]
    fn a_visit_can_be_stopped_though_nothing_matches() {
        let retained = retained((0..100).map(|n| format!("a/{n}/v")));
        let filter = TopicFilter::new("+/+/nope").expect("a filter");
        let mut visits = 0;
        let after = retained.visit(&filter, None, &mut |row| {
            assert!(row.is_none());
            visits += 1;
            match visits < 10 {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        assert_eq!(visits, 10);
        assert!(after.is_some());
    }
}
