//! Which entries of a board are shown, and in which order.

use std::cmp::Reverse;
use std::rc::Rc;

use super::board::{Board, Entry};
use super::presence::{Presence, Status};

/// What the presence board is ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Name,
    Status,
    Recent,
}

impl Sort {
    pub const ALL: [Self; 3] = [Self::Name, Self::Status, Self::Recent];

    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Status => "status",
            Self::Recent => "recent",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Status => "Status",
            Self::Recent => "Most recent",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.name() == name)
    }
}

/// How many entries there are by status, of those that the search matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub all: usize,
    pub online: usize,
    pub offline: usize,
    pub unknown: usize,
}

impl Counts {
    pub fn of(&self, status: Status) -> usize {
        match status {
            Status::Online => self.online,
            Status::Offline => self.offline,
            Status::Unknown => self.unknown,
        }
    }
}

/// A search text: all its words must occur, in any case and order.
#[derive(Debug)]
pub struct Search(Vec<String>);

impl Search {
    pub fn new(text: &str) -> Self {
        let words = text.to_lowercase();
        Self(words.split_whitespace().map(str::to_owned).collect())
    }

    fn matches<V>(&self, entry: &Entry<V>) -> bool {
        self.0.iter().all(|word| entry.searched.contains(word))
    }
}

/// Entries by topic.
pub fn config(board: &Board<()>, search: &Search) -> Vec<Rc<Entry<()>>> {
    let entries = board.entries().filter(|entry| search.matches(entry));
    entries.cloned().collect()
}

pub fn presence(
    board: &Board<Presence>,
    search: &Search,
    status: Option<Status>,
    sort: Sort,
) -> (Vec<Rc<Entry<Presence>>>, Counts) {
    let mut counts = Counts::default();
    let mut shown = Vec::new();
    for entry in board.entries().filter(|entry| search.matches(entry)) {
        counts.all += 1;
        match entry.value.status {
            Status::Online => counts.online += 1,
            Status::Offline => counts.offline += 1,
            Status::Unknown => counts.unknown += 1,
        }
        if status.is_none_or(|wanted| wanted == entry.value.status) {
            shown.push(Rc::clone(entry));
        }
    }
    // The board is in the order of topics and the sorts are stable: equal entries stay in that order.
    match sort {
        Sort::Name => {}
        Sort::Status => shown.sort_by_key(|entry| entry.value.status),
        Sort::Recent => shown.sort_by_key(|entry| Reverse(recency(entry))),
    }
    (shown, counts)
}

/// When the entry last changed, as far as that is known.
fn recency(entry: &Entry<Presence>) -> Option<i64> {
    entry.value.since_ms.max(entry.changed_at_ms)
}

#[cfg(test)]
mod tests {
    use super::super::change::Change;
    use super::super::message::Message;
    use super::*;

    fn board() -> Board<Presence> {
        let mut board = Board::default();
        for (topic, payload) in [
            (
                "p/ana",
                r#"{"status":"offline","since":"1970-01-01T00:00:03Z"}"#,
            ),
            (
                "p/bo",
                r#"{"status":"online","since":"1970-01-01T00:00:01Z","meta":{"site":"Kiel"}}"#,
            ),
            ("p/cy", "?"),
            (
                "p/di",
                r#"{"status":"online","since":"1970-01-01T00:00:02Z"}"#,
            ),
        ] {
            board.apply(Change::Message(Message::retained(topic, payload)), 0);
        }
        board
    }

    fn check(search: &str, status: Option<Status>, sort: Sort, expected: &[&str]) {
        let board = board();
        let (shown, _) = presence(&board, &Search::new(search), status, sort);
        let topics: Vec<&str> = shown.iter().map(|entry| &entry.topic[2..]).collect();
        assert_eq!(topics, expected);
    }

    #[test]
    fn sorts_by_name_status_and_time() {
        check("", None, Sort::Name, &["ana", "bo", "cy", "di"]);
        check("", None, Sort::Status, &["bo", "di", "cy", "ana"]);
        check("", None, Sort::Recent, &["ana", "di", "bo", "cy"]);
    }

    #[test]
    fn searches_topic_and_content_in_any_case() {
        check("KIEL", None, Sort::Name, &["bo"]);
        check("online p/d", None, Sort::Name, &["di"]);
        check("nobody", None, Sort::Name, &[]);
    }

    #[test]
    fn a_status_narrows_the_list_but_not_the_counts() {
        check("", Some(Status::Offline), Sort::Name, &["ana"]);
        let (_, counts) = presence(
            &board(),
            &Search::new(""),
            Some(Status::Offline),
            Sort::Name,
        );
        assert_eq!(
            counts,
            Counts {
                all: 4,
                online: 2,
                offline: 1,
                unknown: 1
            }
        );
    }
}
