//! What is drawn, one file per component. Text from the network is only ever a text node or an attribute value.

pub mod banner;
pub mod board_frame;
pub mod code_line;
pub mod content;
pub mod copy_button;
pub mod dialog;
pub mod diff_view;
pub mod filter_field;
pub mod first_run;
pub mod form_field;
pub mod icon;
pub mod json_tree;
pub mod link;
pub mod navigation;
pub mod now;
pub mod page_head;
pub mod payload_panel;
pub mod segmented;
pub mod spark;
pub mod state_panel;
pub mod toast;
pub mod top_bar;
pub mod topic_path;
pub mod virtual_list;
