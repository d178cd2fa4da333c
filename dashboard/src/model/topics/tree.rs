//! The topics as a tree of their levels, with the newest message of each.
//!
//! Bounded: at most [`TOPICS_MAX`] topics, [`NODES_MAX`] levels of them and [`BYTES_MAX`] of their payloads; what is over
//! that is counted. A topic whose retained message was cleared leaves the tree.

use std::rc::Rc;

use crate::model::message::Message;
use crate::model::natural::Natural;

/// Messages of further topics are counted, not kept: the filter is too wide.
pub const TOPICS_MAX: usize = 20_000;
/// Levels of all topics, shared ones counted once.
pub const NODES_MAX: usize = 100_000;
/// Levels of one topic; what is below stays together in the last one.
pub const LEVELS_MAX: usize = 32;
/// Payloads of the newest messages, bytes; beyond that only the start of each.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Of a payload when [`BYTES_MAX`] are reached.
const START_BYTES_MAX: usize = 256;

pub type NodeId = usize;
const ROOT: NodeId = 0;

#[derive(Debug, Default)]
pub struct Node {
    pub name: Rc<str>,
    pub parent: NodeId,
    /// In the order of their names.
    children: Vec<(Natural, NodeId)>,
    pub topic: Option<Topic>,
    /// Topics at and below it.
    pub topics: usize,
    /// Messages at and below it, during this visit.
    pub messages: u64,
    pub is_open: bool,
}

/// A topic that has had a message.
#[derive(Debug)]
pub struct Topic {
    pub newest: Rc<Message>,
    /// Whether the broker keeps a message of it, as far as this page knows.
    pub is_retained: bool,
    /// Messages of it during this visit.
    pub messages: u64,
    seen_in: u32,
}

#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    bytes: usize,
    /// What is looked for, in lower case; empty: nothing.
    search: String,
    /// Changes when there are other nodes, others are open, or others are found.
    pub structure: u64,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            free: Vec::new(),
            bytes: 0,
            search: String::new(),
            structure: 0,
        }
    }
}

impl Node {
    pub fn children(&self) -> impl ExactSizeIterator<Item = NodeId> + DoubleEndedIterator {
        self.children.iter().map(|(_, id)| *id)
    }

    /// The child of that name, or the place where it would be.
    fn child(&self, name: &Natural) -> Result<NodeId, usize> {
        let place = self.children.binary_search_by(|(level, _)| level.cmp(name));
        place.map(|place| self.children[place].1)
    }
}

/// What became of a message.
#[derive(Debug)]
pub enum Kept {
    /// It is the newest of its topic; what was there before.
    Yes(Option<Rc<Message>>),
    /// There is no room for another topic.
    Over,
}

impl Tree {
    pub fn root(&self) -> &Node {
        &self.nodes[ROOT]
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    pub fn topics(&self) -> usize {
        self.root().topics
    }

    pub fn find(&self, topic: &str) -> Option<NodeId> {
        let mut id = ROOT;
        for name in levels(topic) {
            id = self.nodes[id].child(&Natural(name.into())).ok()?;
        }
        Some(id)
    }

    pub fn topic(&self, topic: &str) -> Option<&Topic> {
        self.nodes[self.find(topic)?].topic.as_ref()
    }

    /// The whole path of a node, as a topic.
    pub fn path(&self, mut id: NodeId) -> String {
        let mut names = Vec::new();
        while id != ROOT {
            names.push(&*self.nodes[id].name);
            id = self.nodes[id].parent;
        }
        names.reverse();
        names.join("/")
    }

    /// All topics, in the order of the tree.
    pub fn all(&self) -> Vec<&Topic> {
        let mut found = Vec::with_capacity(self.topics());
        let mut waiting = vec![ROOT];
        while let Some(id) = waiting.pop() {
            let node = &self.nodes[id];
            found.extend(node.topic.as_ref());
            waiting.extend(node.children().rev());
        }
        found
    }

    pub fn keep(&mut self, message: Message, snapshot: u32) -> Kept {
        let Some(id) = self.place(&message.topic) else {
            return Kept::Over;
        };
        let before = self.nodes[id].topic.take();
        let freed = before.as_ref().map_or(0, |t| t.newest.kept_bytes());
        self.bytes -= freed;
        let message = self.fit(message);
        self.bytes += message.kept_bytes();
        let is_new = before.is_none();
        if let Some(before) = before.as_ref().filter(|_| !self.search.is_empty())
            && before.newest.has(&self.search) != message.has(&self.search)
        {
            self.structure += 1;
        }
        // A message that is not kept says nothing about the one that is.
        let is_retained = message.retained || before.as_ref().is_some_and(|t| t.is_retained);
        self.nodes[id].topic = Some(Topic {
            newest: Rc::new(message),
            is_retained,
            messages: before.as_ref().map_or(0, |t| t.messages) + 1,
            seen_in: snapshot,
        });
        let mut at = id;
        loop {
            let node = &mut self.nodes[at];
            node.messages += 1;
            node.topics += usize::from(is_new);
            if at == ROOT {
                break;
            }
            at = node.parent;
        }
        Kept::Yes(before.map(|topic| topic.newest))
    }

    /// What the snapshot would have brought and did not is no longer retained.
    pub fn not_seen_in(&self, snapshot: u32) -> Vec<Rc<str>> {
        let gone = |topic: &&Topic| topic.is_retained && topic.seen_in != snapshot;
        let gone = self.all().into_iter().filter(gone);
        gone.map(|topic| Rc::clone(&topic.newest.topic)).collect()
    }

    pub fn seen_again(&mut self, topic: &str, snapshot: u32) {
        if let Some(id) = self.find(topic)
            && let Some(topic) = &mut self.nodes[id].topic
        {
            topic.seen_in = snapshot;
            topic.is_retained = true;
        }
    }

    /// Gives back its newest message.
    pub fn remove(&mut self, topic: &str) -> Option<Rc<Message>> {
        let mut id = self.find(topic)?;
        let gone = self.nodes[id].topic.take()?;
        self.bytes -= gone.newest.kept_bytes();
        self.structure += 1;
        loop {
            let node = &mut self.nodes[id];
            node.topics -= 1;
            let (parent, is_empty) = (node.parent, node.topics == 0);
            if id == ROOT {
                return Some(gone.newest);
            }
            if is_empty {
                let name = Natural(std::mem::take(&mut self.nodes[id]).name);
                let siblings = &mut self.nodes[parent].children;
                if let Ok(place) = siblings.binary_search_by(|(level, _)| level.cmp(&name)) {
                    siblings.remove(place);
                }
                self.free.push(id);
            }
            id = parent;
        }
    }

    /// Looks for the topics that have this text in their name or payload; empty: for none.
    pub fn search_for(&mut self, text: &str) {
        let text = text.trim().to_lowercase();
        if self.search != text {
            self.search = text;
            self.structure += 1;
        }
    }

    /// What is looked for, if anything is.
    pub fn search(&self) -> Option<&str> {
        Some(&*self.search).filter(|search| !search.is_empty())
    }

    pub fn set_open(&mut self, id: NodeId, open: bool) {
        if self.nodes[id].is_open != open {
            self.nodes[id].is_open = open;
            self.structure += 1;
        }
    }

    pub fn set_all_open(&mut self, open: bool) {
        for node in &mut self.nodes {
            node.is_open = open;
        }
        self.structure += 1;
    }

    /// Opens what is above a topic.
    pub fn reveal(&mut self, topic: &str) {
        let Some(id) = self.find(topic) else { return };
        let mut at = self.nodes[id].parent;
        while at != ROOT {
            self.set_open(at, true);
            at = self.nodes[at].parent;
        }
    }

    /// The node of a topic, made if there is room for it.
    fn place(&mut self, topic: &str) -> Option<NodeId> {
        let known = self.find(topic);
        if known.is_some_and(|id| self.nodes[id].topic.is_some()) {
            return known;
        }
        let nodes = self.nodes.len() - self.free.len();
        if self.topics() >= TOPICS_MAX || nodes + LEVELS_MAX > NODES_MAX {
            return None;
        }
        self.structure += 1;
        let mut at = ROOT;
        for name in levels(topic) {
            let name = Natural(name.into());
            at = match self.nodes[at].child(&name) {
                Ok(child) => child,
                Err(place) => self.add(at, place, name),
            };
        }
        Some(at)
    }

    fn add(&mut self, parent: NodeId, place: usize, name: Natural) -> NodeId {
        let node = Node {
            name: Rc::clone(&name.0),
            parent,
            ..Node::default()
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.nodes[id] = node;
                id
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        self.nodes[parent].children.insert(place, (name, id));
        id
    }

    fn fit(&self, mut message: Message) -> Message {
        if self.bytes + message.kept_bytes() > BYTES_MAX {
            message.payload = message.payload.start(START_BYTES_MAX);
        }
        message
    }
}

/// Empty ones are levels as well: `/a` has two.
fn levels(topic: &str) -> impl Iterator<Item = &str> {
    topic.splitn(LEVELS_MAX, '/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: &str) -> Message {
        Message::retained(topic, payload)
    }

    fn tree(topics: &[&str]) -> Tree {
        let mut tree = Tree::default();
        for topic in topics {
            tree.keep(message(topic, "1"), 1);
        }
        tree
    }

    #[test]
    fn a_topic_may_have_topics_below_it_and_empty_levels() {
        let tree = tree(&["a", "a/b", "/", "a//b", "$SYS/x", "a b/🌊"]);
        assert_eq!(tree.topics(), 6);
        for topic in ["a", "a/b", "/", "a//b", "$SYS/x", "a b/🌊"] {
            let id = tree.find(topic).expect(topic);
            assert_eq!(tree.path(id), topic);
        }
        assert!(tree.topic("a/").is_none(), "a level without a message");
        assert_eq!(tree.node(tree.find("a").expect("a")).topics, 3);
    }

    #[test]
    fn removing_a_topic_takes_the_levels_with_it_that_nothing_needs() {
        let mut tree = tree(&["a/b/c", "a/b/c/d", "a/x"]);
        assert!(tree.remove("a/b/c").is_some());
        assert!(tree.find("a/b/c").is_some(), "d is below it");
        tree.remove("a/b/c/d");
        assert!(tree.find("a/b").is_none());
        assert_eq!(tree.topics(), 1);
        assert_eq!(tree.free.len(), 3);
        tree.keep(message("n/e/w", "1"), 1);
        assert_eq!(tree.free.len(), 0, "their places are taken again");
        assert!(tree.remove("n/e").is_none());
    }

    #[test]
    fn messages_count_in_every_level_above() {
        let mut tree = tree(&["a/b", "a/b", "a/c"]);
        let a = tree.find("a").expect("a");
        assert_eq!((tree.node(a).messages, tree.node(a).topics), (3, 2));
        let Kept::Yes(before) = tree.keep(message("a/c", "2"), 1) else {
            panic!("there is room");
        };
        assert_eq!(
            before.and_then(|m| m.payload.text().map(str::to_owned)),
            Some("1".into())
        );
    }

    #[test]
    fn there_is_an_end_to_topics_levels_and_bytes() {
        let mut tree = Tree::default();
        for n in 0..TOPICS_MAX {
            tree.keep(message(&format!("t/{n}"), "1"), 1);
        }
        assert!(matches!(
            tree.keep(message("t/one more", "1"), 1),
            Kept::Over
        ));
        assert!(matches!(
            tree.keep(message("t/0", "2"), 1),
            Kept::Yes(Some(_))
        ));

        let mut tree = Tree::default();
        let deep = "x/".repeat(30_000);
        tree.keep(message(&deep, "1"), 1);
        assert_eq!(tree.nodes.len(), LEVELS_MAX + 1);
        assert_eq!(tree.path(tree.find(&deep).expect("deep")), deep);

        let large = "y".repeat(64 * 1024);
        for n in 0..BYTES_MAX / large.len() + 10 {
            tree.keep(message(&format!("l/{n}"), &large), 1);
        }
        assert!(tree.bytes < BYTES_MAX + 64 * 1024, "{}", tree.bytes);
        let last = tree.topic("l/520").expect("kept");
        assert!(last.newest.payload.is_cut());
        assert_eq!(last.newest.payload.bytes(), large.len());
    }

    #[test]
    fn revealing_opens_what_is_above() {
        let mut tree = tree(&["a/b/c"]);
        tree.reveal("a/b/c");
        let open = |path: &str| tree.node(tree.find(path).expect(path)).is_open;
        assert!(open("a") && open("a/b") && !open("a/b/c"));
    }
}
