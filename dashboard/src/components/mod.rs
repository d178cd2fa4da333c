//! What is drawn, one file per component. Text from the network is only ever a text node or an attribute value.

pub mod banner;
pub mod code_line;
pub mod config_board;
pub mod config_entry;
pub mod content;
pub mod filter_field;
pub mod first_run;
pub mod header;
pub mod icon;
pub mod now;
pub mod presence_board;
pub mod presence_card;
pub mod state_panel;
pub mod toast;
pub mod topic_path;
