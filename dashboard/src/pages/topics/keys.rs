//! What the keys do in a tree, as the ARIA practices have it. Pure: from the rows and where one is to where one goes.

use crate::model::topics::NodeId;
use crate::model::topics::rows::Row;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To the row at this index.
    Move(usize),
    Open(NodeId),
    Close(NodeId),
    Select(NodeId),
}

/// `at` is the index of the active row; `None`: there is none. Below a search nothing can be closed (`is_search`): all that it
/// has found is shown. `None` as answer: not a key of the tree.
pub fn action(key: &str, rows: &[Row], at: Option<usize>, is_search: bool) -> Option<Action> {
    let last = rows.len().checked_sub(1)?;
    let Some(at) = at else {
        return match key {
            "ArrowDown" | "ArrowUp" | "Home" => Some(Action::Move(0)),
            "End" => Some(Action::Move(last)),
            _ => None,
        };
    };
    let row = rows.get(at)?;
    match key {
        "ArrowDown" => Some(Action::Move((at + 1).min(last))),
        "ArrowUp" => Some(Action::Move(at.saturating_sub(1))),
        "Home" => Some(Action::Move(0)),
        "End" => Some(Action::Move(last)),
        "PageDown" => Some(Action::Move((at + 15).min(last))),
        "PageUp" => Some(Action::Move(at.saturating_sub(15))),
        "ArrowRight" if row.is_open => Some(Action::Move((at + 1).min(last))),
        "ArrowRight" if row.is_branch => Some(Action::Open(row.node)),
        "ArrowLeft" if row.is_open && !is_search => Some(Action::Close(row.node)),
        "ArrowLeft" => {
            let parent = rows[..at].iter().rposition(|above| above.depth < row.depth);
            parent.map(Action::Move)
        }
        "Enter" | " " => Some(Action::Select(row.node)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |node, depth, is_branch, is_open| Row {
            node,
            depth,
            is_branch,
            is_open,
            place: 1,
            siblings: 1,
        };
        vec![
            row(10, 0, true, true),
            row(11, 1, true, false),
            row(12, 1, false, false),
            row(13, 0, false, false),
        ]
    }

    #[test]
    fn arrows_walk_the_tree() {
        let press = |key, at| action(key, &rows(), at, false);
        assert_eq!(press("ArrowDown", None), Some(Action::Move(0)));
        assert_eq!(press("ArrowDown", Some(3)), Some(Action::Move(3)));
        assert_eq!(press("ArrowUp", Some(0)), Some(Action::Move(0)));
        assert_eq!(press("ArrowRight", Some(0)), Some(Action::Move(1)));
        assert_eq!(press("ArrowRight", Some(1)), Some(Action::Open(11)));
        assert_eq!(press("ArrowRight", Some(2)), None);
        assert_eq!(press("ArrowLeft", Some(0)), Some(Action::Close(10)));
        assert_eq!(press("ArrowLeft", Some(2)), Some(Action::Move(0)));
        assert_eq!(press("ArrowLeft", Some(3)), None);
        assert_eq!(press("End", Some(0)), Some(Action::Move(3)));
        assert_eq!(press("Enter", Some(2)), Some(Action::Select(12)));
        assert_eq!(press("x", Some(2)), None);
        assert_eq!(action("ArrowDown", &[], None, false), None);
    }

    #[test]
    fn below_a_search_the_way_to_the_left_leads_upwards() {
        let press = |at| action("ArrowLeft", &rows(), at, true);
        assert_eq!(press(Some(1)), Some(Action::Move(0)));
        assert_eq!(press(Some(0)), None);
    }
}
