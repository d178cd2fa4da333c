//! The tree as rows, from above to below: what is open, or what a search finds.

use super::tree::{NodeId, Tree};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub node: NodeId,
    pub depth: usize,
    /// Whether there is something below it.
    pub is_branch: bool,
    /// Whether what is below it follows.
    pub is_open: bool,
    /// Its place among its siblings, from one, and how many they are: for those who cannot see the tree.
    pub place: usize,
    pub siblings: usize,
}

/// With a search, the topics whose name or payload has the text, and what is above them.
pub fn rows(tree: &Tree) -> Vec<Row> {
    let mut rows = Vec::new();
    match tree.search() {
        None => add_open(tree, &mut rows),
        Some(search) => add_found(tree, search, &mut rows),
    }
    rows
}

fn add_open(tree: &Tree, rows: &mut Vec<Row>) {
    let mut waiting = Vec::new();
    push_children(tree, 0, 0, &mut waiting);
    while let Some(row) = waiting.pop() {
        rows.push(row);
        if row.is_open {
            push_children(tree, row.node, row.depth + 1, &mut waiting);
        }
    }
}

fn push_children(tree: &Tree, id: NodeId, depth: usize, waiting: &mut Vec<Row>) {
    let children = tree.node(id).children();
    let siblings = children.len();
    for (index, child) in children.enumerate().rev() {
        let node = tree.node(child);
        let is_branch = node.children().len() > 0;
        waiting.push(Row {
            node: child,
            depth,
            is_branch,
            is_open: is_branch && node.is_open,
            place: index + 1,
            siblings,
        });
    }
}

fn add_found(tree: &Tree, search: &str, rows: &mut Vec<Row>) {
    // All of the tree in its order; a branch that found nothing goes again when it ends.
    let mut branches: Vec<(usize, usize)> = Vec::new();
    let mut waiting = Vec::new();
    push_children(tree, 0, 0, &mut waiting);
    while let Some(mut row) = waiting.pop() {
        close(rows, &mut branches, row.depth);
        row.is_open = row.is_branch;
        let node = tree.node(row.node);
        let found = node.topic.as_ref();
        let found = found.is_some_and(|topic| topic.newest.has(search));
        if row.is_branch && !found {
            branches.push((row.depth, rows.len()));
        } else if found {
            branches.clear();
        }
        if row.is_branch || found {
            rows.push(row);
        }
        push_children(tree, row.node, row.depth + 1, &mut waiting);
    }
    close(rows, &mut branches, 0);
}

/// Takes back the branches at and below `depth` that found nothing.
fn close(rows: &mut Vec<Row>, branches: &mut Vec<(usize, usize)>, depth: usize) {
    while let Some((branch, start)) = branches.last().copied()
        && branch >= depth
    {
        rows.truncate(start);
        branches.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::message::Message;

    fn message(topic: &str, payload: &str) -> Message {
        Message::retained(topic, payload)
    }

    fn shown(tree: &mut Tree, search: &str) -> Vec<String> {
        tree.search_for(search);
        let rows = rows(tree);
        let line = |row: &Row| {
            let name = &tree.node(row.node).name;
            format!("{}{name}", "  ".repeat(row.depth))
        };
        rows.iter().map(line).collect()
    }

    fn tree() -> Tree {
        let mut tree = Tree::default();
        for (topic, payload) in [
            ("b/2", "1"),
            ("b/10", "1"),
            ("a/x/deep", "Needle"),
            ("a/x", "1"),
            ("a/y/other", "1"),
            ("c/needles/z", "1"),
        ] {
            tree.keep(message(topic, payload), 1);
        }
        tree
    }

    #[test]
    fn only_what_is_open_shows_its_children() {
        let mut tree = tree();
        assert_eq!(shown(&mut tree, ""), ["a", "b", "c"]);
        tree.set_open(tree.find("b").expect("b"), true);
        tree.set_open(tree.find("a/x").expect("a/x"), true);
        assert_eq!(shown(&mut tree, ""), ["a", "b", "  2", "  10", "c"]);
        let all = rows(&tree);
        assert_eq!((all[3].place, all[3].siblings), (2, 2));
        assert!(all[1].is_open && !all[0].is_open && !all[2].is_branch);
    }

    #[test]
    fn a_search_shows_what_it_finds_and_what_is_above() {
        let mut tree = tree();
        assert_eq!(
            shown(&mut tree, "needle"),
            ["a", "  x", "    deep", "c", "  needles", "    z"]
        );
        assert_eq!(shown(&mut tree, " OTHER "), ["a", "  y", "    other"]);
        assert_eq!(shown(&mut tree, "b/1"), ["b", "  10"]);
        assert!(shown(&mut tree, "nothing").is_empty());
    }

    #[test]
    fn what_a_search_finds_follows_the_messages() {
        let mut tree = tree();
        assert_eq!(shown(&mut tree, "needle").len(), 6);
        let before = tree.structure;
        tree.keep(message("b/2", "2"), 1);
        tree.keep(message("a/x/deep", "another needle"), 1);
        assert_eq!(tree.structure, before, "nothing else is found");
        tree.keep(message("b/2", "a NEEDLE"), 1);
        assert_ne!(tree.structure, before);
        let found = tree.structure;
        tree.keep(message("a/x/deep", "hay"), 1);
        assert_ne!(tree.structure, found);
        assert_eq!(
            shown(&mut tree, "needle"),
            ["b", "  2", "c", "  needles", "    z"]
        );
        let without = shown(&mut tree, "").len();
        let before = tree.structure;
        tree.keep(message("b/2", "hay"), 1);
        assert_eq!((tree.structure, without), (before, 3));
    }
}
