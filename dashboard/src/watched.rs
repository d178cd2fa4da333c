//! A board and the subscription that fills it, as long as the app runs: it stays live while another page is shown.
//!
//! What it knows is kept in the browser, so that the next visit begins with it, before the broker answers or without it.
//! Only whole states are kept: a board that is still loading, or has lost its connection, changes nothing there.

use gloo::timers::callback::Timeout;
use yew::Callback;

use crate::feed::{Feed, Watching};
use crate::model::board::{Board, FromPayload};
use crate::model::change::{Change, Phase};
use crate::model::filter;
use crate::model::last_known;
use crate::storage;

/// At the most so often: a busy board would be written all the time.
const KEEP_AFTER_MS: u32 = 5_000;

pub struct Watched<V> {
    pub board: Board<V>,
    pub filter: String,
    /// Why the filter could not be used, in words.
    pub problem: Option<String>,
    watching: Option<Watching>,
    sink: Callback<Vec<Change>>,
    /// Its name in the browser's storage.
    stored_as: String,
    /// Asks for [`Watched::keep`].
    on_keep: Callback<()>,
    keep_soon: Option<Timeout>,
}

impl<V: FromPayload> Watched<V> {
    /// Begins with what was known last. `feed` is the reason in words where there is none, or empty before there
    /// is one; `name` tells boards apart;
    /// `on_keep` has to call [`Watched::keep`].
    pub fn new(
        feed: Result<&Feed, &str>,
        name: &str,
        filter: &str,
        sink: Callback<Vec<Change>>,
        on_keep: Callback<()>,
    ) -> Self {
        let stored_as = format!("{}{name}", storage::LAST_KNOWN);
        let mut board = Board::default();
        let known = storage::kept(&stored_as).and_then(|text| last_known::read(&text, filter));
        if let Some(known) = known {
            board.restore(known);
        }
        let mut watched = Self {
            board,
            filter: filter.to_owned(),
            problem: None,
            watching: None,
            sink,
            stored_as,
            on_keep,
            keep_soon: None,
        };
        watched.begin(feed);
        watched
    }

    /// Subscribes, if there is a feed.
    pub fn begin(&mut self, feed: Result<&Feed, &str>) {
        let filter = &self.filter;
        let watching = filter::check(filter).and_then(|()| match feed {
            Ok(feed) => feed.watch(filter, self.sink.clone()).map(Some),
            Err("") => Ok(None),
            Err(reason) => Err(reason.to_owned()),
        });
        (self.watching, self.problem) = match watching {
            Ok(watching) => (watching, None),
            Err(problem) => (None, Some(problem)),
        };
    }

    pub fn apply(&mut self, changes: Vec<Change>, now_ms: i64) {
        for change in changes {
            if change == Change::Lost {
                // From now on it may be overtaken; what it was until now is worth keeping.
                self.keep(now_ms);
            }
            self.board.apply(change, now_ms);
        }
        if self.is_whole() && self.keep_soon.is_none() {
            let on_keep = self.on_keep.clone();
            self.keep_soon = Some(Timeout::new(KEEP_AFTER_MS, move || on_keep.emit(())));
        }
    }
}

impl<V> Watched<V> {
    /// Writes what is known, if that is the whole state and has changed since it was written.
    pub fn keep(&mut self, now_ms: i64) {
        if self.keep_soon.take().is_none() || !self.is_whole() {
            return;
        }
        let entries = self.board.entries();
        let entries = entries.map(|entry| (&*entry.topic, &entry.payload));
        let text = last_known::write(&self.filter, now_ms, entries);
        if !storage::keep(&self.stored_as, &text) {
            // An old state in its place would be worse than none.
            storage::keep(&self.stored_as, "");
        }
    }

    fn is_whole(&self) -> bool {
        self.board.phase == Phase::Live && self.board.stale_since_ms.is_none()
    }
}
