//! What has happened lately, as lines for people: the newest first, and only so many.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use ebbtide_api::{Event, SessionEnd, StoreState};

use super::clock;
use super::format::{counted, drop_reason};
use super::name;

/// Older lines go.
pub const LINES_MAX: usize = 50;

/// How a line is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Arrival,
    Departure,
    Warning,
}

impl Mark {
    pub fn name(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::Departure => "departure",
            Self::Warning => "warning",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Tells lines apart.
    pub number: u64,
    pub at_ms: i64,
    pub mark: Mark,
    /// Whom it is about.
    pub client_id: Option<String>,
    /// What happened to that client, or all of it.
    pub what: String,
    pub detail: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recent {
    lines: VecDeque<Rc<Line>>,
    count: u64,
}

impl Recent {
    pub fn add(&mut self, event: &Event, now_ms: i64) {
        self.count += 1;
        self.lines
            .push_front(Rc::new(line(event, self.count, now_ms)));
        self.lines.truncate(LINES_MAX);
    }

    pub fn lines(&self) -> impl Iterator<Item = &Rc<Line>> {
        self.lines.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

fn line(event: &Event, number: u64, now_ms: i64) -> Line {
    let line = |at: &str, mark, client_id: Option<&String>, what: &str, detail: String| Line {
        number,
        at_ms: clock::parse(at).unwrap_or(now_ms),
        mark,
        client_id: client_id.cloned(),
        what: what.to_owned(),
        detail,
    };
    match event {
        Event::Connect {
            at,
            client_id,
            user,
            address,
            transport,
            protocol,
            session_present,
            taken_over,
        } => {
            let mut detail = format!("MQTT {protocol} over {transport} from {address}");
            if let Some(user) = user {
                detail.push_str(&format!(", user {}", name::shown(user)));
            }
            if *session_present {
                detail.push_str(", goes on with its session");
            }
            let what = if *taken_over {
                "connected in place of another connection"
            } else {
                "connected"
            };
            line(at, Mark::Arrival, Some(client_id), what, detail)
        }
        Event::Disconnect {
            at,
            client_id,
            reason_code,
            explanation,
            ..
        } => {
            let (mark, what) = match reason_code {
                0 => (Mark::Departure, "left"),
                _ => (Mark::Warning, "was cut off"),
            };
            line(at, mark, Some(client_id), what, explanation.clone())
        }
        Event::SessionEnd { at, client_id, why } => {
            let detail = match why {
                SessionEnd::Expired => "It was away for too long",
                SessionEnd::CleanStart => "Its client begins anew",
                SessionEnd::Deleted => "An operator deleted it",
            };
            let what = "lost its session";
            line(
                at,
                Mark::Departure,
                Some(client_id),
                what,
                detail.to_owned(),
            )
        }
        Event::Drops {
            at,
            reasons,
            sessions,
            others,
        } => {
            let total: u64 = reasons.values().sum();
            let what = format!("{} not delivered", counted(total, "message"));
            let mut detail = reasons_in_words(reasons);
            let clients = sessions.len() as u64 + others;
            if let (1, Some(client_id)) = (clients, sessions.keys().next()) {
                return line(
                    at,
                    Mark::Warning,
                    Some(client_id),
                    &format!("missed {}", counted(total, "message")),
                    detail,
                );
            }
            if clients > 0 {
                detail.push_str(&format!("; {} concerned", counted(clients, "client")));
            }
            line(at, Mark::Warning, None, &what, detail)
        }
        Event::Store { at, state } => {
            let (mark, what) = match state {
                StoreState::Working => (Mark::Arrival, "The store works again"),
                StoreState::Full => (Mark::Warning, "The disk is full"),
                StoreState::Failed => (Mark::Warning, "The store has failed"),
            };
            line(at, mark, None, what, String::new())
        }
        Event::Missed { count } => {
            let what = format!("{} not shown", counted(*count, "event"));
            line(
                "",
                Mark::Warning,
                None,
                &what,
                "More happened than this page could follow".into(),
            )
        }
    }
}

/// `queue full 10, expired 2`.
fn reasons_in_words(reasons: &BTreeMap<String, u64>) -> String {
    let parts = reasons.iter().filter(|(_, count)| **count > 0);
    let parts: Vec<String> = parts
        .map(|(reason, count)| format!("{} {count}", drop_reason(reason)))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(event: Event) -> String {
        let mut recent = Recent::default();
        recent.add(&event, 7);
        let line = recent.lines().next().expect("a line");
        let client = line.client_id.as_deref().unwrap_or("-");
        let (mark, at_ms) = (line.mark.name(), line.at_ms);
        format!("{mark} {at_ms} {client} {}: {}", line.what, line.detail)
    }

    #[test]
    fn events_are_told_in_words() {
        let at = || "1970-01-01T00:00:01Z".to_owned();
        let disconnect = |reason_code| Event::Disconnect {
            at: at(),
            client_id: "a".into(),
            reason_code,
            reason: "x".into(),
            explanation: "it went".into(),
        };
        assert_eq!(told(disconnect(0)), "departure 1000 a left: it went");
        assert_eq!(told(disconnect(141)), "warning 1000 a was cut off: it went");
        let connect = Event::Connect {
            at: at(),
            client_id: "a".into(),
            user: Some("ana".into()),
            address: "127.0.0.1:5".into(),
            transport: "ws".into(),
            protocol: "5.0".into(),
            session_present: true,
            taken_over: false,
        };
        assert_eq!(
            told(connect),
            "arrival 1000 a connected: MQTT 5.0 over ws from 127.0.0.1:5, user ana, goes on with its session"
        );
        assert_eq!(
            told(Event::Missed { count: 3 }),
            "warning 7 - 3 events not shown: More happened than this page could follow"
        );
    }

    #[test]
    fn drops_name_the_client_if_there_is_one() {
        let drops = |sessions: &[(&str, u64)], others| Event::Drops {
            at: "1970-01-01T00:00:01Z".into(),
            reasons: [("expired".into(), 2), ("queue_full".into(), 10)].into(),
            sessions: sessions
                .iter()
                .map(|(c, n)| ((*c).to_owned(), *n))
                .collect(),
            others,
        };
        assert_eq!(
            told(drops(&[("a", 12)], 0)),
            "warning 1000 a missed 12 messages: expired 2, queue full 10"
        );
        assert_eq!(
            told(drops(&[("a", 6), ("b", 6)], 3)),
            "warning 1000 - 12 messages not delivered: expired 2, queue full 10; 5 clients concerned"
        );
    }

    #[test]
    fn only_so_many_are_kept_the_newest_first() {
        let mut recent = Recent::default();
        for count in 0..=LINES_MAX as u64 {
            recent.add(&Event::Missed { count }, 0);
        }
        assert_eq!(recent.lines().count(), LINES_MAX);
        let first = recent.lines().next().expect("a line");
        assert_eq!(first.what, "50 events not shown");
    }
}
