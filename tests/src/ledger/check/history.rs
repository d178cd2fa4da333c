//! The book, put in order for the checks: messages, deliveries, connections, lives of the broker. Does not judge.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ebbtide_protocol::QoS;

use crate::ledger::book::{Client, Entry, Event, Promise, Stamp};

/// A message that was published.
#[derive(Debug)]
pub struct Message {
    /// Where.
    pub topic: Arc<str>,
    /// Its QoS.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// It has no payload, so receivers cannot tell which one it is.
    pub clears: bool,
    /// Entries of its first sending, and of its acceptance.
    pub sent: usize,
    /// See `sent`.
    pub accepted: Option<usize>,
}

/// A message that came.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Its entry.
    pub at: usize,
    /// Which sending.
    pub stamp: Stamp,
    /// Its topic.
    pub topic: Arc<str>,
    /// The QoS it came with.
    pub qos: QoS,
    /// It was marked as a repetition.
    pub dup: bool,
    /// The connection it came over, by its place in the client's list.
    pub connection: usize,
}

/// A connection, or the attempt at one.
#[derive(Debug)]
pub struct Connection {
    /// Entry of CONNECT.
    pub asked: usize,
    /// Clean Start.
    pub clean_start: bool,
    /// Whether the session outlives it.
    pub keeps: bool,
    /// Its will.
    pub will: Option<Promise>,
    /// Entry of CONNACK, and Session Present.
    pub connected: Option<(usize, bool)>,
    /// Entry of the client's end of it, and whether with DISCONNECT.
    pub leaving: Option<(usize, bool)>,
    /// Entry of the broker's close in answer to DISCONNECT.
    pub left: Option<usize>,
}

/// Everything, by what it is about.
#[derive(Debug, Default)]
pub struct History {
    /// By publisher and number. Wills are not among them.
    pub messages: BTreeMap<(Client, u32), Message>,
    /// By serial: the entry of that sending.
    pub sendings: BTreeMap<(Client, u32), usize>,
    /// By subscriber, in the order of arrival.
    pub receipts: BTreeMap<Client, Vec<Receipt>>,
    /// By client, in order.
    pub connections: BTreeMap<Client, Vec<Connection>>,
    /// Who was subscribed to which filter, and from which entry on. Only of sessions that never unsubscribe.
    pub subscriptions: Vec<(Client, Arc<str>, usize)>,
    /// Those that publish wills.
    pub testators: BTreeSet<Client>,
    /// Entries: kills.
    pub kills: Vec<usize>,
    /// Entries: starts.
    starts: Vec<usize>,
    /// PUBACK and PUBREC written: subscriber and stamp, connection and entry.
    acknowledged: BTreeMap<(Client, Stamp), (usize, usize)>,
    /// By client and connection: entries of PINGREQ and its answer.
    pings: BTreeMap<(Client, usize), Vec<(usize, usize)>>,
    /// By client: the PINGREQ that waits for its answer.
    pinging: BTreeMap<Client, usize>,
    /// By entry of a sending: the first entry of an acceptance of it or of any later sending.
    accepted_after: Vec<(usize, usize)>,
}

impl History {
    /// Reads the book.
    pub fn read(book: &[Entry]) -> Self {
        let mut history = Self::default();
        for (at, entry) in book.iter().enumerate() {
            history.take(at, &entry.event);
        }
        let mut first = usize::MAX;
        for (_, accepted) in history.accepted_after.iter_mut().rev() {
            first = first.min(*accepted);
            *accepted = first;
        }
        history
    }

    /// The first entry that shows that what the broker had read at entry `at` is committed: an acknowledgement for
    /// something that was sent later. Commits are in the order of what they are for.
    pub fn committed(&self, at: usize) -> Option<usize> {
        let later = self.accepted_after.partition_point(|(sent, _)| *sent <= at);
        let (_, accepted) = self.accepted_after.get(later)?;
        (*accepted != usize::MAX).then_some(*accepted)
    }

    /// Entry of the first start after `at`: whatever the broker said until then, it said in the life that was killed.
    pub fn start_after(&self, at: usize) -> Option<usize> {
        let place = self.starts.partition_point(|start| *start <= at);
        self.starts.get(place).copied()
    }

    /// Entry of the first start after that connection was asked for, so the broker at its other end is gone. What that
    /// broker had sent may be entered later: it waits in the client's socket.
    pub fn start_after_connection(&self, client: Client, connection: usize) -> Option<usize> {
        self.start_after(self.connections[&client][connection].asked)
    }

    /// Entry of the kill before that start.
    pub fn kill_before(&self, start: usize) -> usize {
        let place = self.kills.partition_point(|kill| *kill < start);
        place.checked_sub(1).map_or(0, |place| self.kills[place])
    }

    /// Entry of the last start before `at`; none: it is the life that began before the book.
    pub fn start_before(&self, at: usize) -> Option<usize> {
        let place = self.starts.partition_point(|start| *start < at);
        place.checked_sub(1).map(|place| self.starts[place])
    }

    /// The connection over which this subscriber acknowledged, and the entry at which it is certain that the broker had
    /// read it.
    pub fn acknowledgement_read(&self, client: Client, stamp: Stamp) -> Option<(usize, usize)> {
        let (connection, written) = self.acknowledged.get(&(client, stamp))?;
        let pings = self.pings.get(&(client, *connection))?;
        let next = pings.iter().find(|(asked, _)| asked > written)?;
        Some((*connection, next.1))
    }

    fn take(&mut self, at: usize, event: &Event) {
        match event {
            Event::Ready => self.starts.push(at),
            Event::Kill => self.kills.push(at),
            Event::Connecting {
                client,
                clean_start,
                keeps,
                will,
            } => {
                if will.is_some() {
                    self.testators.insert(*client);
                }
                let connection = Connection {
                    asked: at,
                    clean_start: *clean_start,
                    keeps: *keeps,
                    will: *will,
                    connected: None,
                    leaving: None,
                    left: None,
                };
                self.connections
                    .entry(*client)
                    .or_default()
                    .push(connection);
            }
            Event::Connected {
                client,
                session_present,
            } => {
                if let Some(connection) = self.connection(*client) {
                    connection.connected = Some((at, *session_present));
                }
            }
            Event::Leaving { client, says_so } => {
                if let Some(connection) = self.connection(*client) {
                    connection.leaving = Some((at, *says_so));
                }
            }
            Event::Left { client } => {
                if let Some(connection) = self.connection(*client) {
                    connection.left = Some(at);
                }
            }
            Event::Sending {
                stamp,
                topic,
                qos,
                retain,
                clears,
            } => {
                self.sendings.insert((stamp.client, stamp.serial), at);
                let message = Message {
                    topic: Arc::clone(topic),
                    qos: *qos,
                    retain: *retain,
                    clears: *clears,
                    sent: at,
                    accepted: None,
                };
                let known = self.messages.entry((stamp.client, stamp.number));
                known.or_insert(message);
                self.accepted_after.push((at, usize::MAX));
            }
            Event::Accepted { stamp } => self.accept(at, *stamp),
            Event::Received {
                client,
                stamp,
                topic,
                qos,
                dup,
            } => {
                let receipt = Receipt {
                    at,
                    stamp: *stamp,
                    topic: Arc::clone(topic),
                    qos: *qos,
                    dup: *dup,
                    connection: self.current(*client),
                };
                self.receipts.entry(*client).or_default().push(receipt);
            }
            Event::Acknowledged { client, stamp } => {
                let written = (self.current(*client), at);
                self.acknowledged.insert((*client, *stamp), written);
            }
            Event::Pinging { client } => {
                self.pinging.insert(*client, at);
            }
            Event::Ponged { client } => {
                let connection = (*client, self.current(*client));
                if let Some(asked) = self.pinging.remove(client) {
                    self.pings.entry(connection).or_default().push((asked, at));
                }
            }
            Event::Subscribed { client, filter } if filter.ends_with('#') => {
                self.subscriptions.push((*client, Arc::clone(filter), at));
            }
            _ => {}
        }
    }

    fn accept(&mut self, at: usize, stamp: Stamp) {
        if let Some(message) = self.messages.get_mut(&(stamp.client, stamp.number)) {
            message.accepted.get_or_insert(at);
        }
        let Some(sent) = self.sendings.get(&(stamp.client, stamp.serial)) else {
            return;
        };
        if let Ok(place) = self
            .accepted_after
            .binary_search_by_key(sent, |(sent, _)| *sent)
        {
            self.accepted_after[place].1 = at;
        }
    }

    /// The place of the client's newest connection.
    fn current(&self, client: Client) -> usize {
        let connections = self.connections.get(&client).map_or(0, Vec::len);
        connections.saturating_sub(1)
    }

    fn connection(&mut self, client: Client) -> Option<&mut Connection> {
        self.connections.get_mut(&client)?.last_mut()
    }
}

/// Whether a filter that ends in `#` takes a topic.
pub fn takes(filter: &str, topic: &str) -> bool {
    let folder = filter.strip_suffix('#');
    folder.is_some_and(|folder| topic.starts_with(folder))
}
