//! Sessions in words: what one is at, what a message is at, and why one did not arrive.

use ebbtide_api::{Order, QueuedState, Session, SessionSort, SessionState, Subscription, Verdict};

use super::format::{count, counted, duration_s};
use super::name;

/// A column of the list that can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub sort: SessionSort,
    /// In addresses, as the API names it.
    pub name: &'static str,
    pub title: &'static str,
    /// To the right, and the greatest first when chosen.
    pub is_number: bool,
}

/// In the order of the list.
pub const COLUMNS: [Column; 6] = [
    column(SessionSort::ClientId, "client_id", "Client", false),
    column(
        SessionSort::Subscriptions,
        "subscriptions",
        "Subscriptions",
        true,
    ),
    column(SessionSort::InFlight, "in_flight", "In flight", true),
    column(
        SessionSort::QueueMessages,
        "queue_messages",
        "Backlog",
        true,
    ),
    column(SessionSort::ExpiresAt, "expires_at", "Ends in", true),
    column(SessionSort::Dropped, "dropped", "Dropped", true),
];

const fn column(
    sort: SessionSort,
    name: &'static str,
    title: &'static str,
    is_number: bool,
) -> Column {
    Column {
        sort,
        name,
        title,
        is_number,
    }
}

/// What the list begins with: the one that is most stuck stands first.
pub const FIRST_COLUMN: Column = COLUMNS[3];

impl Column {
    /// When it is chosen: the greatest first, or from A to Z.
    pub fn first_order(&self) -> Order {
        if self.is_number {
            Order::Desc
        } else {
            Order::Asc
        }
    }
}

pub fn column_named(name: &str) -> Option<Column> {
    COLUMNS.into_iter().find(|column| column.name == name)
}

pub fn state_named(name: &str) -> Option<SessionState> {
    match name {
        "connected" => Some(SessionState::Connected),
        "away" => Some(SessionState::Away),
        _ => None,
    }
}

/// When it ends by itself, in words: `4 min`, `never`, `with its connection`.
pub fn ends(session: &Session) -> String {
    match (session.expires_in_s, session.session_expiry_interval) {
        (Some(in_s), _) => duration_s(in_s),
        (None, None) => "never".to_owned(),
        (None, Some(0)) => "with its connection".to_owned(),
        (None, Some(interval_s)) => format!("{} away", duration_s(interval_s.into())),
    }
}

/// What a subscription asks for beside its filter, in words; empty when it is plain.
pub fn options(subscription: &Subscription) -> String {
    let mut words = Vec::new();
    if subscription.no_local {
        words.push("not its own".to_owned());
    }
    if subscription.retain_as_published {
        words.push("retain as published".to_owned());
    }
    match subscription.retain_handling {
        1 => words.push("retained only at first".to_owned()),
        2 => words.push("no retained".to_owned()),
        _ => {}
    }
    if let Some(identifier) = subscription.identifier {
        words.push(format!("identifier {identifier}"));
    }
    words.join(", ")
}

pub fn queued(state: QueuedState) -> &'static str {
    match state {
        QueuedState::Waiting => "waiting",
        QueuedState::Sent => "sent, not acknowledged",
        QueuedState::Released => "received, not completed",
    }
}

/// Whether the message is where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Pending,
    Bad,
    Open,
}

impl Tone {
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Pending => "pending",
            Self::Bad => "bad",
            Self::Open => "open",
        }
    }
}

/// The verdict in a few words, and how it is to be taken.
pub fn verdict(verdict: Verdict) -> (&'static str, Tone) {
    match verdict {
        Verdict::Unknown => ("Nothing is known of such a message", Tone::Open),
        Verdict::NoMatchingFilter => ("It does not subscribe to this topic", Tone::Bad),
        Verdict::Waiting => ("It still waits", Tone::Pending),
        Verdict::Unacknowledged => ("It was sent, and not acknowledged yet", Tone::Pending),
        Verdict::Acknowledged => ("The client has it: it has acknowledged it", Tone::Good),
        Verdict::Refused => ("The client has refused it", Tone::Bad),
        Verdict::SentQos0 => ("It was sent at QoS 0", Tone::Good),
        Verdict::Qos0Away => ("It was QoS 0, and the client was away", Tone::Bad),
        Verdict::Qos0Behind => ("It was QoS 0, and the client was too slow", Tone::Bad),
        Verdict::QueueFull => ("The queue was full", Tone::Bad),
        Verdict::Overflow => ("Too much waited, and the connection was ended", Tone::Bad),
        Verdict::Expired => ("It had expired", Tone::Bad),
        Verdict::TooLarge => ("It was larger than the client takes", Tone::Bad),
        Verdict::Purged => ("It was purged by an operator", Tone::Bad),
        Verdict::Damaged => ("It could not be read from the store", Tone::Bad),
        Verdict::Denied => ("A rule does not let the client have it", Tone::Bad),
    }
}

/// `1–50 of 1,234`; `none`.
pub fn range(first: u64, shown: u64, total: u64) -> String {
    if shown == 0 {
        return "none".to_owned();
    }
    let (from, to) = (count(first + 1), count(first + shown));
    format!("{from}–{to} of {}", count(total))
}

/// What is asked before the queue is emptied.
pub fn purge_question(session: &Session) -> String {
    format!(
        "Drop the {} for {}? What is being sent stays.",
        waiting(session.queue_messages),
        name::shown(&session.client_id)
    )
}

pub fn disconnect_question(session: &Session) -> String {
    let client = name::shown(&session.client_id);
    let left = waiting(session.queue_messages + session.in_flight);
    format!(
        "End the connection of {client}? Its will, if it has one, is published. Its session stays, with the {left} for it, if it outlives the connection."
    )
}

pub fn delete_question(session: &Session) -> String {
    format!(
        "Delete the session of {}? {}, and its connection ends.",
        name::shown(&session.client_id),
        lost(session)
    )
}

/// What goes with a session: `3 subscriptions and 10,000 messages that wait are lost`.
pub fn lost(session: &Session) -> String {
    format!(
        "{} and {} for it are lost",
        counted(session.subscriptions, "subscription"),
        waiting(session.queue_messages + session.in_flight)
    )
}

/// `1 message that waits`, `2 messages that wait`.
pub fn waiting(number: u64) -> String {
    let waits = if number == 1 { "waits" } else { "wait" };
    format!("{} that {waits}", counted(number, "message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_when_a_session_ends() {
        let check = |in_s, interval, expected: &str| {
            let session = Session {
                expires_in_s: in_s,
                session_expiry_interval: interval,
                ..Session::default()
            };
            assert_eq!(ends(&session), expected);
        };
        check(Some(61), Some(3600), "1 min");
        check(None, None, "never");
        check(None, Some(0), "with its connection");
        check(None, Some(3600), "1 h away");
    }

    #[test]
    fn questions_say_what_is_lost() {
        let session = Session {
            client_id: "a\u{202e}b".to_owned(),
            queue_messages: 9_999,
            in_flight: 1,
            subscriptions: 1,
            ..Session::default()
        };
        assert_eq!(
            delete_question(&session),
            "Delete the session of a\\u{202e}b? 1 subscription and 10,000 messages that wait for it are lost, and its connection ends."
        );
        assert!(purge_question(&session).contains("the 9,999 messages that wait"));
        assert!(disconnect_question(&session).contains("with the 10,000 messages that wait for"));
        assert_eq!(waiting(1), "1 message that waits");
    }

    #[test]
    fn plain_subscriptions_need_no_words() {
        assert_eq!(options(&Subscription::default()), "");
        let subscription = Subscription {
            no_local: true,
            retain_handling: 2,
            identifier: Some(7),
            ..Subscription::default()
        };
        assert_eq!(
            options(&subscription),
            "not its own, no retained, identifier 7"
        );
    }

    #[test]
    fn ranges_count_from_one() {
        assert_eq!(range(0, 50, 10_000), "1–50 of 10,000");
        assert_eq!(range(9_950, 50, 10_000), "9,951–10,000 of 10,000");
        assert_eq!(range(0, 0, 0), "none");
    }

    #[test]
    fn columns_are_named_as_in_the_api() {
        for column in COLUMNS {
            let name = serde_json::to_value(column.sort).expect("json");
            assert_eq!(name, column.name);
            assert_eq!(column_named(column.name), Some(column));
        }
        assert_eq!(FIRST_COLUMN.title, "Backlog");
    }
}
