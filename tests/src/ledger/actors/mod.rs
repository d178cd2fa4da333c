//! The clients of a campaign, a thread each: what they do until the broker is killed, and how they go on after it.
//!
//! None of them judges: they enter what happens into the book, and `check` reads it afterwards.

pub mod publisher;
pub mod sessions;
pub mod subscriber;
pub mod subscriptions;
pub mod values;
pub mod wills;
