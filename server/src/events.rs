//! What happens, handed to those who listen. Nobody waits for a listener: one that is too slow misses what came first, and is
//! told how much.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ebbtide_api::{SessionEnd, StoreState};
use ebbtide_broker::{Event, LostSince, NoRoom, Observer, rfc3339};
use ebbtide_protocol::Version;
use ebbtide_store::WallTime;
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

/// The most listeners at a time.
pub const LISTENERS_MAX: usize = 32;
/// So many events wait for the slowest listener.
const BACKLOG: usize = 1024;

/// Where events go; cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<Shared>);

struct Shared {
    sender: Sender<Arc<Told>>,
    listeners: AtomicUsize,
}

/// An event as it is sent.
#[derive(Debug)]
pub struct Told {
    /// Its type.
    pub name: &'static str,
    /// The event as JSON.
    pub data: String,
}

impl Told {
    fn new(event: &ebbtide_api::Event) -> Self {
        Self {
            name: event.name(),
            data: serde_json::to_string(event).unwrap_or_default(),
        }
    }
}

/// Somebody who listens.
pub struct Listener {
    receiver: Receiver<Arc<Told>>,
    events: Events,
}

impl Default for Events {
    fn default() -> Self {
        Self(Arc::new(Shared {
            sender: broadcast::channel(BACKLOG).0,
            listeners: AtomicUsize::new(0),
        }))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Events")
    }
}

impl Events {
    /// Listens from now on; `None`: too many do.
    pub fn listen(&self) -> Option<Listener> {
        let one_more = |count: usize| (count < LISTENERS_MAX).then_some(count + 1);
        let listeners = &self.0.listeners;
        listeners
            .try_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(Listener {
            receiver: self.0.sender.subscribe(),
            events: self.clone(),
        })
    }

    /// Messages were dropped since the last time: how many by reason, and whose.
    pub fn drops(&self, at: WallTime, reasons: &[(&'static str, u64)], lost: &LostSince) {
        // One that is counted in this second may be named in the next.
        let is_nothing = reasons.is_empty() && *lost == LostSince::default();
        if is_nothing || !self.is_watching() {
            return;
        }
        let reasons = reasons.iter();
        let sessions = lost.sessions.iter();
        self.send(&ebbtide_api::Event::Drops {
            at: rfc3339(at),
            reasons: reasons
                .map(|(reason, count)| ((*reason).to_owned(), *count))
                .collect(),
            sessions: sessions
                .map(|(client_id, count)| (client_id.to_string(), *count))
                .collect(),
            others: lost.others,
        });
    }

    /// Whether what has to be kept is taken in has changed.
    pub fn store(&self, at: WallTime, no_room: Option<NoRoom>) {
        self.send(&ebbtide_api::Event::Store {
            at: rfc3339(at),
            state: store_state(no_room),
        });
    }

    fn send(&self, event: &ebbtide_api::Event) {
        // Without a listener it is lost, and that is right.
        let _ = self.0.sender.send(Arc::new(Told::new(event)));
    }
}

/// In the words of the API.
pub fn store_state(no_room: Option<NoRoom>) -> StoreState {
    match no_room {
        None => StoreState::Working,
        Some(NoRoom::Full) => StoreState::Full,
        Some(NoRoom::Failed) => StoreState::Failed,
    }
}

/// In the words of the API.
pub fn protocol(version: Version) -> &'static str {
    match version {
        Version::V5 => "5.0",
        Version::V3_1_1 => "3.1.1",
        Version::V3_1 => "3.1",
    }
}

impl Observer for Events {
    fn is_watching(&self) -> bool {
        self.0.listeners.load(Ordering::Relaxed) > 0
    }

    fn event(&self, at: WallTime, event: Event) {
        let at = rfc3339(at);
        self.send(&match event {
            Event::Connected {
                client_id,
                user,
                origin,
                version,
                session_present,
                taken_over,
            } => ebbtide_api::Event::Connect {
                at,
                client_id: client_id.to_string(),
                user: user.map(|user| user.to_string()),
                address: origin.address.clone(),
                transport: origin.transport.name().to_owned(),
                protocol: protocol(version).to_owned(),
                session_present,
                taken_over,
            },
            Event::Disconnected {
                client_id,
                reason,
                explanation,
            } => ebbtide_api::Event::Disconnect {
                at,
                client_id: client_id.to_string(),
                reason_code: reason as u8,
                reason: reason.name().to_owned(),
                explanation,
            },
            Event::SessionEnded { client_id, why } => ebbtide_api::Event::SessionEnd {
                at,
                client_id: client_id.to_string(),
                why: match why {
                    ebbtide_broker::SessionEnd::Expired => SessionEnd::Expired,
                    ebbtide_broker::SessionEnd::CleanStart => SessionEnd::CleanStart,
                    ebbtide_broker::SessionEnd::Deleted => SessionEnd::Deleted,
                },
            },
        });
    }
}

impl Listener {
    /// The next event; `None`: there are no more.
    pub async fn next(&mut self) -> Option<Arc<Told>> {
        match self.receiver.recv().await {
            Ok(told) => Some(told),
            Err(RecvError::Lagged(count)) => {
                let missed = ebbtide_api::Event::Missed { count };
                Some(Arc::new(Told::new(&missed)))
            }
            Err(RecvError::Closed) => None,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.events.0.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(events: &Events) {
        let client_id = "a".into();
        let why = ebbtide_broker::SessionEnd::Expired;
        events.event(WallTime(0), Event::SessionEnded { client_id, why });
    }

    #[tokio::test]
    async fn who_is_too_slow_is_told_how_much_it_missed() {
        let events = Events::default();
        let mut listener = events.listen().expect("nobody listens yet");
        for _ in 0..BACKLOG + 7 {
            ended(&events);
        }
        let first = listener.next().await.expect("an event");
        assert_eq!(first.data, r#"{"type":"missed","count":7}"#);
        for _ in 0..BACKLOG {
            let told = listener.next().await.expect("an event");
            assert_eq!(told.name, "session_end");
        }
    }

    #[test]
    fn so_many_listen_and_no_more() {
        let events = Events::default();
        assert!(!events.is_watching());
        let mut listeners: Vec<_> = (0..LISTENERS_MAX).map(|_| events.listen()).collect();
        assert!(listeners.iter().all(Option::is_some));
        assert!(events.is_watching());
        assert!(events.listen().is_none());
        listeners.pop();
        assert!(events.listen().is_some());
    }
}
