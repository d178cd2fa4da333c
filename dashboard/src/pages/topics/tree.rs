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
    // By its topic: the number of a node is another one's when the topic has gone.
    let chosen = use_state_eq(|| None::<String>);
    let set_open = {
        let (store, on_changed) = (props.store.clone(), props.on_changed.clone());
        Callback::from(move |(node, open): (NodeId, bool)| {
            store.topics_mut().tree.set_open(node, open);
            on_changed.emit(());
        })
    };
    let topics = props.store.topics();
    let is_search = topics.tree.search().is_some();
    // Or what is nearest above it, where it is closed away or has gone.
    let row_of = |mut topic: &str| loop {
        let node = topics.tree.find(topic);
        let row = props.rows.iter().position(|row| Some(row.node) == node);
        if row.is_some() {
            return row;
        }
        topic = topic.rsplit_once('/')?.0;
    };
    // The keys begin where the viewer is.
    let active = chosen.as_deref().and_then(row_of);
    let active = active.or_else(|| props.selected.as_deref().and_then(row_of));
    let onkeydown = {
        let (store, rows, chosen) = (props.store.clone(), Rc::clone(&props.rows), chosen.clone());
        let (set_open, on_select) = (set_open.clone(), props.on_select.clone());
        Callback::from(move |event: KeyboardEvent| {
            if event.ctrl_key() || event.meta_key() || event.alt_key() {
                return;
            }
            let Some(action) = keys::action(&event.key(), &rows, active, is_search) else {
                return;
            };
            event.prevent_default();
            let topic = |node| store.topics().tree.path(node);
            match action {
                Action::Move(index) => {
                    chosen.set(Some(topic(rows[index].node)));
                    browser::bring_into_view(TREE_ID, index as f64 * ROWS.row_px, ROWS.row_px);
                }
                Action::Open(node) => set_open.emit((node, true)),
                Action::Close(node) => set_open.emit((node, false)),
                Action::Select(node) => on_select.emit(topic(node)),
            }
        })
    };
    let draw = {
        let (store, rows) = (props.store.clone(), Rc::clone(&props.rows));
        let (selected, on_select) = (props.selected.clone(), props.on_select.clone());
        DrawItem::new(move |index| {
            let row = rows[index];
            let topics = store.topics();
            let topic = topics.tree.path(row.node);
            let is_selected = selected.as_deref() == Some(&*topic);
            let on_click = {
                let (chosen, on_select) = (chosen.clone(), on_select.clone());
                Callback::from(move |_: MouseEvent| {
                    chosen.set(Some(topic.clone()));
                    on_select.emit(topic.clone());
                })
            };
            let on_toggle = {
                let set_open = set_open.clone();
                Callback::from(move |event: MouseEvent| {
                    if row.is_branch && !is_search {
                        event.stop_propagation();
                        set_open.emit((row.node, !row.is_open));
                    }
                })
            };
            let state = RowState {
                is_selected,
                is_active: active == Some(index),
                on_click,
                on_toggle,
            };
            row::row(&topics.tree, row, state)
        })
    };
    let active = active.map(|index| (index, AttrValue::from(row::id(props.rows[index].node))));
    html! {
        <VirtualList items={props.rows.len()} layout={ROWS} {draw} label="Topics" class="topic-tree"
            id={TREE_ID} role="tree" {onkeydown} {active} />
    }
}
