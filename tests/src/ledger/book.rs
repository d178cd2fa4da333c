//! The book: what was said on the wire and when, by all clients, in one order. Entries are only ever added.
//!
//! What a client is about to send is entered before the first byte leaves, what it got after the last byte came. So if one
//! entry made another possible, it stands before it, and an acknowledgement in the book is one that the broker has sent.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ebbtide_protocol::QoS;

/// A client, by its place in the list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(pub u16);

/// Which message, and which sending of it; this is the payload.
///
/// A resent PUBLISH should be the same to the byte. Here `serial` differs, so that a receiver can tell a repetition by the
/// publisher from one by the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Who publishes.
    pub client: Client,
    /// Which of its messages, from 0.
    pub number: u32,
    /// Which of its sendings, from 0: never used twice.
    pub serial: u32,
}

impl Stamp {
    /// The payload says what it is.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(payload).ok()?.split(' ');
        let stamp = Self {
            client: Client(words.next()?.parse().ok()?),
            number: words.next()?.parse().ok()?,
            serial: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(stamp)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} {}",
            self.client.0, self.number, self.serial
        )
    }
}

/// What a CONNECT with a will promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The will message.
    pub stamp: Stamp,
    /// Will Delay Interval; zero where the session ends with the connection.
    pub delay: Duration,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The broker has started and takes connections.
    Ready,
    /// It is about to be killed.
    Kill,
    /// A CONNECT is about to be sent.
    Connecting {
        client: Client,
        clean_start: bool,
        /// Whether the session is to outlive the connection.
        keeps: bool,
        will: Option<Promise>,
    },
    /// Its CONNACK came.
    Connected {
        client: Client,
        session_present: bool,
    },
    /// The client is about to end the connection: with DISCONNECT 0x00, or by closing it.
    Leaving { client: Client, says_so: bool },
    /// The broker has closed the connection in answer to DISCONNECT: it has read it.
    Left { client: Client },
    /// A PUBLISH is about to be sent; `clears` if it has no payload and RETAIN.
    Sending {
        stamp: Stamp,
        topic: Arc<str>,
        qos: QoS,
        retain: bool,
        clears: bool,
    },
    /// Its PUBACK or PUBREC came.
    Accepted { stamp: Stamp },
    /// A message came that the client passes on to its application; not a repetition under a QoS 2 packet id in use.
    Received {
        client: Client,
        stamp: Stamp,
        topic: Arc<str>,
        qos: QoS,
        dup: bool,
    },
    /// A message came under a QoS 2 packet id that belongs to another one: the client cannot but drop it.
    Hidden {
        client: Client,
        stamp: Option<Stamp>,
    },
    /// The PUBACK or PUBREC for it was written.
    Acknowledged { client: Client, stamp: Stamp },
    /// A PINGREQ is about to be sent.
    Pinging { client: Client },
    /// Its PINGRESP came: all that was sent before the PINGREQ has been read.
    Ponged { client: Client },
    /// A SUBSCRIBE is about to be sent.
    Subscribing { client: Client, filter: Arc<str> },
    /// Its SUBACK came, with success.
    Subscribed { client: Client, filter: Arc<str> },
    /// An UNSUBSCRIBE is about to be sent.
    Unsubscribing { client: Client, filter: Arc<str> },
    /// Its UNSUBACK came.
    Unsubscribed { client: Client, filter: Arc<str> },
    /// First thing after a start, messages were sent to see whether a subscription is there.
    Probed {
        client: Client,
        filter: Arc<str>,
        arrived: bool,
    },
    /// First thing after a start, the retained message of a topic was looked up.
    Found {
        client: Client,
        topic: Arc<str>,
        stamp: Option<Stamp>,
    },
    /// The broker was there and did not do what it has to, or ended a connection by itself.
    Stuck { client: Client, what: String },
}

/// One line of the book.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Since the book was opened.
    pub at: Duration,
    /// What happened.
    pub event: Event,
}

/// The book, while it is being written by many.
#[derive(Debug)]
pub struct Book {
    opened: Instant,
    state: Mutex<State>,
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    names: Vec<String>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            opened: Instant::now(),
            state: Mutex::default(),
            written: Condvar::new(),
        }
    }
}

impl Book {
    /// Gives a client its number.
    pub fn client(&self, name: &str) -> Client {
        let mut state = self.lock();
        state.names.push(name.to_owned());
        Client(u16::try_from(state.names.len() - 1).expect("a campaign has a few dozen clients"))
    }

    /// The name of a client.
    pub fn name(&self, client: Client) -> String {
        self.lock().names[usize::from(client.0)].clone()
    }

    /// Adds an entry.
    pub fn enter(&self, event: Event) {
        let mut state = self.lock();
        // Under the lock: times then grow from entry to entry.
        let at = self.opened.elapsed();
        state.entries.push(Entry { at, event });
        self.written.notify_all();
    }

    /// Waits until something like this is entered; false: it was not in time.
    pub fn wait_for(&self, limit: Duration, is_it: impl Fn(&Event) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        let mut seen = state.entries.len();
        loop {
            if state.entries[seen..]
                .iter()
                .any(|entry| is_it(&entry.event))
            {
                return true;
            }
            seen = state.entries.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.written.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All of it, and the names.
    pub fn read(&self) -> (Vec<Entry>, Vec<String>) {
        let state = self.lock();
        (state.entries.clone(), state.names.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_says_which_sending_it_is() {
        let stamp = Stamp {
            client: Client(3),
            number: 17,
            serial: 20,
        };
        assert_eq!(Stamp::parse(stamp.to_string().as_bytes()), Some(stamp));
        for other in ["", "3 17", "3 17 20 1", "3 17 x", "sentinel"] {
            assert_eq!(Stamp::parse(other.as_bytes()), None, "{other}");
        }
    }
}
