//! The tree as a list of which only what is in sight is drawn; walked with the keys, one row at a time.

use std::rc::Rc;

use yew::prelude::*;

use super::keys::{self, Action};
use super::row::{self, RowState};
use crate::browser;
use crate::components::virtual_list::{DrawItem, VirtualList};
use crate::model::rows::Layout;
use crate::model::topics::NodeId;
use crate::model::topics::rows::Row;
use crate::stores::TopicStore;

/// The height is that of the row in the stylesheet.
const ROWS: Layout = Layout {
    row_px: 34.0,
    gap_px: 0.0,
    column_px_min: None,
};
const TREE_ID: &str = "topic-tree";

#[derive(Properties, PartialEq)]
pub struct Props {
    pub store: TopicStore,
    pub rows: Rc<Vec<Row>>,
    /// Changes with every message.
    pub beat: u64,
    pub selected: Option<AttrValue>,
    pub on_select: Callback<String>,
    /// The viewer opened or closed something.
    pub on_changed: Callback<()>,
}

#[component]
pub fn TopicTree(props: &Props) -> Html {
    let active = use_state_eq(|| None::<NodeId>);
    let set_open = {
        let (store, on_changed) = (props.store.clone(), props.on_changed.clone());
        Callback::from(move |(node, open): (NodeId, bool)| {
            store.topics_mut().tree.set_open(node, open);
            on_changed.emit(());
        })
    };
    let select = {
        let (store, on_select) = (props.store.clone(), props.on_select.clone());
        Callback::from(move |node: NodeId| {
            let topic = store.topics().tree.path(node);
            on_select.emit(topic);
        })
    };
    let onkeydown = {
        let (rows, active) = (Rc::clone(&props.rows), active.clone());
        let (set_open, select) = (set_open.clone(), select.clone());
        Callback::from(move |event: KeyboardEvent| {
            if event.ctrl_key() || event.meta_key() || event.alt_key() {
                return;
            }
            let at = active.and_then(|node| rows.iter().position(|row| row.node == node));
            let Some(action) = keys::action(&event.key(), &rows, at) else {
                return;
            };
            event.prevent_default();
            match action {
                Action::Move(index) => {
                    active.set(Some(rows[index].node));
                    browser::bring_into_view(TREE_ID, index as f64 * ROWS.row_px, ROWS.row_px);
                }
                Action::Open(node) => set_open.emit((node, true)),
                Action::Close(node) => set_open.emit((node, false)),
                Action::Select(node) => select.emit(node),
            }
        })
    };
    let draw = {
        let (store, rows) = (props.store.clone(), Rc::clone(&props.rows));
        let (selected, active_node) = (props.selected.clone(), *active);
        let active = active.clone();
        DrawItem::new(move |index| {
            let row = rows[index];
            let topics = store.topics();
            let is_selected = selected.as_deref() == Some(&*topics.tree.path(row.node));
            let on_click = {
                let (active, select) = (active.clone(), select.clone());
                Callback::from(move |_: MouseEvent| {
                    active.set(Some(row.node));
                    select.emit(row.node);
                })
            };
            let on_toggle = {
                let set_open = set_open.clone();
                Callback::from(move |event: MouseEvent| {
                    if row.is_branch {
                        event.stop_propagation();
                        set_open.emit((row.node, !row.is_open));
                    }
                })
            };
            let state = RowState {
                is_selected,
                is_active: active_node == Some(row.node),
                on_click,
                on_toggle,
            };
            row::row(&topics.tree, row, state)
        })
    };
    html! {
        <VirtualList items={props.rows.len()} layout={ROWS} {draw} label="Topics" class="topic-tree"
            id={TREE_ID} role="tree" {onkeydown} active={active.map(|node| AttrValue::from(row::id(node)))} />
    }
}
