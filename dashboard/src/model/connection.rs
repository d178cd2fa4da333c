//! The connection as it is told to people: what it is now, and since when it has been lost.

use super::clock;

/// What the client last reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    Connecting,
    Online,
    Offline {
        reason: String,
        retry_at_ms: Option<i64>,
    },
    NeedsAuth {
        reason: String,
    },
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub link: Link,
    /// When the connection was last lost, or first failed. Stays over attempts to reconnect, ends with success.
    pub lost_at_ms: Option<i64>,
    /// Why, in the words of the last failure.
    pub last_reason: Option<String>,
    /// The broker has let this page in once.
    pub has_stood: bool,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            link: Link::Connecting,
            lost_at_ms: None,
            last_reason: None,
            has_stood: false,
        }
    }
}

impl Connection {
    #[must_use]
    pub fn next(self, link: Link, now_ms: i64) -> Self {
        match &link {
            Link::Online => Self {
                link,
                lost_at_ms: None,
                last_reason: None,
                has_stood: true,
            },
            Link::Connecting => Self { link, ..self },
            Link::Offline { reason, .. } | Link::NeedsAuth { reason } => Self {
                lost_at_ms: self.lost_at_ms.or(Some(now_ms)),
                last_reason: Some(reason.clone()),
                link,
                ..self
            },
            Link::Closed => Self {
                lost_at_ms: self.lost_at_ms.or(Some(now_ms)),
                link,
                ..self
            },
        }
    }

    pub fn is_online(&self) -> bool {
        self.link == Link::Online
    }

    /// For tests and styles.
    pub fn name(&self) -> &'static str {
        match self.link {
            Link::Connecting => "connecting",
            Link::Online => "online",
            Link::Offline { .. } => "offline",
            Link::NeedsAuth { .. } => "needs-auth",
            Link::Closed => "closed",
        }
    }

    /// Always visible; read aloud when it changes, so it has no countdown.
    pub fn words(&self) -> &'static str {
        match (&self.link, self.lost_at_ms) {
            (Link::Connecting, None) => "Connecting",
            (Link::Connecting, Some(_)) => "Reconnecting",
            (Link::Online, _) => "Live",
            (Link::Offline { .. }, _) => "Offline",
            (Link::NeedsAuth { .. }, _) => "Sign-in needed",
            (Link::Closed, _) => "Closed",
        }
    }

    /// What happens next, for the banner.
    pub fn outlook(&self, now_ms: i64) -> String {
        match &self.link {
            Link::Connecting => "Trying to reconnect now.".to_owned(),
            Link::Online => "Connected.".to_owned(),
            Link::Offline {
                retry_at_ms: Some(at_ms),
                ..
            } => match clock::seconds_until(now_ms, *at_ms) {
                0 => "Trying to reconnect now.".to_owned(),
                seconds => format!("Next attempt in {seconds} s."),
            },
            Link::Offline {
                retry_at_ms: None, ..
            } => "It does not try again by itself.".to_owned(),
            Link::NeedsAuth { .. } => {
                "The broker does not let this page in without signing in.".to_owned()
            }
            Link::Closed => "This page has closed its connection.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offline(retry_at_ms: Option<i64>) -> Link {
        Link::Offline {
            reason: "connection lost".to_owned(),
            retry_at_ms,
        }
    }

    #[test]
    fn the_time_of_loss_stays_over_attempts_and_ends_with_success() {
        let connection = Connection::default()
            .next(Link::Online, 10)
            .next(offline(Some(1_020)), 20)
            .next(Link::Connecting, 30)
            .next(offline(None), 40);
        assert_eq!(connection.lost_at_ms, Some(20));
        assert_eq!(connection.last_reason.as_deref(), Some("connection lost"));
        assert!(connection.has_stood);
        assert_eq!(connection.next(Link::Online, 50).lost_at_ms, None);
    }

    #[test]
    fn tells_a_first_attempt_from_a_later_one() {
        let connection = Connection::default();
        assert_eq!(connection.words(), "Connecting");
        let connection = connection
            .next(offline(Some(9_000)), 0)
            .next(Link::Connecting, 1);
        assert_eq!(connection.words(), "Reconnecting");
    }

    #[test]
    fn says_when_it_tries_again() {
        let connection = Connection::default().next(offline(Some(9_000)), 0);
        assert!(!connection.has_stood);
        assert_eq!(connection.outlook(6_500), "Next attempt in 3 s.");
        assert_eq!(connection.outlook(9_500), "Trying to reconnect now.");
    }
}
