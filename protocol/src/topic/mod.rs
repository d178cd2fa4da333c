//! Topic names and topic filters (section 4.7): validated once, when they are made.

mod filter;
mod name;

pub use filter::{FilterError, TopicFilter};
pub use name::{NameError, TopicName};
