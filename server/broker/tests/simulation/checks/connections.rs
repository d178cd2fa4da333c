//! What became of each connection, gathered from the facts.

use std::collections::BTreeMap;

use crate::history::{ConnectionId, Connects, Fact, History};

/// Places in the history.
pub struct Story {
    pub asked: Connects,
    pub asked_at: usize,
    pub connected_at: Option<usize>,
    pub session_present: bool,
    /// DISCONNECT: whether it keeps the will, and for how long the session is to live.
    pub disconnects: Option<(bool, u32)>,
    /// The client takes no notice of it any more.
    pub left_at: Option<usize>,
    pub end: Option<End>,
}

/// The broker's end.
pub struct End {
    pub at: usize,
    /// DISCONNECT has come.
    pub by_client: bool,
    /// When what it has changed was on disk, if no crash came before.
    pub settled_at: Option<usize>,
    /// The first crash of the broker before that.
    pub unsettled_until: Option<usize>,
}

impl Story {
    /// How long the session lives after the end, seconds.
    pub fn expiry_s(&self) -> u32 {
        match (&self.end, self.disconnects) {
            (Some(end), Some((_, expiry_s))) if end.by_client => expiry_s,
            _ => self.asked.expiry_s,
        }
    }
}

/// Whether a CONNECT of the same client that it had given up on may have reached the broker after `at`.
pub fn is_haunted(stories: &BTreeMap<ConnectionId, Story>, story: &Story, at: usize) -> bool {
    let mut others = stories.values();
    others.any(|other| {
        other.asked.client == story.asked.client
            && other.asked.connection < story.asked.connection
            && other.connected_at.is_none()
            && other.end.as_ref().is_none_or(|end| end.at > at)
    })
}

pub fn stories(history: &History) -> BTreeMap<ConnectionId, Story> {
    let mut stories: BTreeMap<ConnectionId, Story> = BTreeMap::new();
    for (at, fact) in history.facts() {
        match fact {
            Fact::Connects(asked) => {
                let story = Story {
                    asked: asked.clone(),
                    asked_at: at,
                    connected_at: None,
                    session_present: false,
                    disconnects: None,
                    left_at: None,
                    end: None,
                };
                stories.insert(asked.connection, story);
            }
            Fact::Connected {
                connection,
                session_present,
                ..
            } => {
                if let Some(story) = stories.get_mut(connection) {
                    story.connected_at = Some(at);
                    story.session_present = *session_present;
                }
            }
            Fact::Disconnects {
                connection,
                keeps_will,
                expiry_s,
                ..
            } => {
                if let Some(story) = stories.get_mut(connection) {
                    story.disconnects = Some((*keeps_will, *expiry_s));
                }
            }
            Fact::Left { connection, .. } => {
                if let Some(story) = stories.get_mut(connection) {
                    story.left_at = Some(at);
                }
            }
            Fact::Ended {
                connection,
                by_client,
            } => {
                if let Some(story) = stories.get_mut(connection) {
                    story.end = Some(End {
                        at,
                        by_client: *by_client,
                        settled_at: None,
                        unsettled_until: None,
                    });
                }
            }
            Fact::Settled { connection } => {
                let story = stories.get_mut(connection);
                if let Some(end) = story.and_then(|story| story.end.as_mut()) {
                    end.settled_at = Some(at);
                }
            }
            Fact::Crashed => {
                for story in stories.values_mut() {
                    let end = story.end.get_or_insert(End {
                        at,
                        by_client: false,
                        // A start puts it on disk before it is over.
                        settled_at: Some(at),
                        unsettled_until: None,
                    });
                    if end.settled_at.is_none() {
                        end.unsettled_until.get_or_insert(at);
                        end.settled_at = Some(at);
                    }
                }
            }
            _ => {}
        }
    }
    stories
}
