//! What a subscription brings, one after the other, and how far it is.

use super::message::Message;

/// What happens under a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The subscription begins anew: the state is sent again.
    Restarted,
    /// The connection is gone: what is shown may be overtaken.
    Lost,
    Message(Message),
    SnapshotComplete,
    Refused(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The state is on its way.
    #[default]
    Loading,
    /// All of it has arrived; changes follow as they happen.
    Live,
    Refused(String),
}
