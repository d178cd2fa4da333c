//! A board and the subscription that fills it, as long as the app runs: it stays live while another page is shown.

use yew::Callback;

use crate::feed::{Feed, Watching};
use crate::model::board::{Board, Change, FromPayload};
use crate::model::filter;

pub struct Watched<V> {
    pub board: Board<V>,
    pub filter: String,
    /// Why the filter could not be used, in words.
    pub problem: Option<String>,
    _watching: Option<Watching>,
}

impl<V: FromPayload> Watched<V> {
    /// Begins with an empty board. `feed` is the reason in words where there is none.
    pub fn new(feed: Result<&Feed, &str>, filter: &str, sink: Callback<Vec<Change>>) -> Self {
        let watching = filter::check(filter).and_then(|()| match feed {
            Ok(feed) => feed.watch(filter, sink),
            Err(reason) => Err(reason.to_owned()),
        });
        let (watching, problem) = match watching {
            Ok(watching) => (Some(watching), None),
            Err(problem) => (None, Some(problem)),
        };
        Self {
            board: Board::default(),
            filter: filter.to_owned(),
            problem,
            _watching: watching,
        }
    }

    pub fn apply(&mut self, changes: Vec<Change>, now_ms: i64) {
        for change in changes {
            self.board.apply(change, now_ms);
        }
    }
}
