//! What has happened in a run, as a list of facts: all that the checkers know.
//!
//! Most facts are what clients see and do. `Ended` and `Settled` are looked up inside, for no client can tell when the
//! broker has noticed that a connection is over.

use std::fmt;

use ebbtide_protocol::{
    QoS, TopicFilter, TopicName,
    packet::{SubscriptionOptions, Will},
};

/// Its place in [`History::messages`].
pub type MessageId = usize;
/// Every connection has its own; later is greater.
pub type ConnectionId = usize;
/// A session as its client knows it: a new number whenever the client begins anew or learns that it must.
pub type SessionId = usize;

/// An application message, published or a will.
#[derive(Clone, Debug)]
pub struct Message {
    pub topic: TopicName,
    pub qos: QoS,
    pub retain: bool,
    /// An empty payload: it clears the retained message.
    pub is_clear: bool,
    pub expiry_s: Option<u32>,
    pub publisher: usize,
    pub session: SessionId,
    /// The connection whose will it is.
    pub will_of: Option<ConnectionId>,
}

#[derive(Clone, Debug)]
pub struct SessionFact {
    pub client: usize,
    /// The client cannot know what the session holds: an earlier CONNECT of its own was never answered.
    pub is_unsure: bool,
}

/// One delivery as the client got it.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub client: usize,
    pub session: SessionId,
    pub connection: ConnectionId,
    pub message: MessageId,
    pub qos: QoS,
    pub dup: bool,
    pub retain: bool,
    pub identifiers: Vec<u32>,
    pub expiry_left_s: Option<u32>,
}

/// How the client asked to be let in.
#[derive(Clone, Debug)]
pub struct Connects {
    pub client: usize,
    pub connection: ConnectionId,
    pub clean_start: bool,
    pub expiry_s: u32,
    pub keep_alive_s: u16,
    pub will: Option<(Will, MessageId)>,
}

#[derive(Clone, Debug)]
pub struct Subscription {
    pub client: usize,
    pub session: SessionId,
    pub filter: TopicFilter,
    pub options: SubscriptionOptions,
    pub identifier: Option<u32>,
}

#[derive(Clone, Debug)]
pub enum Fact {
    /// CONNECT has been sent.
    Connects(Connects),
    /// CONNACK has come.
    Connected {
        client: usize,
        connection: ConnectionId,
        session: SessionId,
        session_present: bool,
    },
    /// DISCONNECT has been sent.
    Disconnects {
        client: usize,
        connection: ConnectionId,
        keeps_will: bool,
        expiry_s: u32,
    },
    /// The client has no connection any more, or takes no notice of it.
    Left {
        client: usize,
        connection: ConnectionId,
    },
    /// The broker's end is over.
    Ended {
        connection: ConnectionId,
        /// By DISCONNECT.
        by_client: bool,
    },
    /// What the end of the connection has changed is on disk.
    Settled {
        connection: ConnectionId,
    },
    /// The broker has counted so many messages as lost: for this client, or for a group.
    Lost {
        client: Option<usize>,
        count: u64,
    },
    /// The broker has crashed and is up again.
    Crashed,
    /// The crash has undone that the broker was done with this message for this client, whether it was acknowledged or dropped.
    Undone {
        client: usize,
        message: MessageId,
    },
    Subscribes(Subscription),
    Subscribed(Subscription),
    /// SUBACK has said how many retained messages follow.
    Told {
        client: usize,
        identifier: u32,
        number: u64,
        is_promised: bool,
    },
    /// An end marker has come.
    Marker {
        client: usize,
        identifier: u32,
    },
    /// UNSUBSCRIBE has been sent.
    Unsubscribes {
        session: SessionId,
        filter: TopicFilter,
    },
    /// PUBLISH has been sent, perhaps again.
    Publishes {
        message: MessageId,
    },
    /// PUBACK or PUBREC has come.
    Acknowledged {
        message: MessageId,
    },
    Received(Delivery),
    /// All clients are back and nothing is under way any more.
    Rested,
    /// A newcomer has subscribed to everything and got what is retained.
    Retained {
        messages: Vec<MessageId>,
    },
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub at_ms: u64,
    pub fact: Fact,
}

#[derive(Default)]
pub struct History {
    pub now_ms: u64,
    pub entries: Vec<Entry>,
    pub messages: Vec<Message>,
    pub sessions: Vec<SessionFact>,
    pub names: Vec<String>,
}

impl History {
    pub fn add(&mut self, fact: Fact) {
        self.entries.push(Entry {
            at_ms: self.now_ms,
            fact,
        });
    }

    pub fn new_message(&mut self, message: Message) -> MessageId {
        self.messages.push(message);
        self.messages.len() - 1
    }

    pub fn new_session(&mut self, client: usize, is_unsure: bool) -> SessionId {
        self.sessions.push(SessionFact { client, is_unsure });
        self.sessions.len() - 1
    }

    /// The facts with their places, which are in the order of time.
    pub fn facts(&self) -> impl Iterator<Item = (usize, &Fact)> {
        self.entries.iter().map(|entry| &entry.fact).enumerate()
    }

    pub fn deliveries(&self) -> impl Iterator<Item = (usize, &Delivery)> {
        self.facts().filter_map(|(at, fact)| match fact {
            Fact::Received(delivery) => Some((at, delivery)),
            _ => None,
        })
    }

    /// For each message: when it was first sent, how often, and when it was acknowledged, by place.
    pub fn publishes(&self) -> Vec<Publishing> {
        let mut all = vec![Publishing::default(); self.messages.len()];
        for (at, fact) in self.facts() {
            match fact {
                Fact::Publishes { message } => {
                    let publishing = &mut all[*message];
                    publishing.first.get_or_insert(at);
                    publishing.times += 1;
                }
                Fact::Acknowledged { message } => {
                    all[*message].acknowledged.get_or_insert(at);
                }
                _ => {}
            }
        }
        all
    }

    /// The session that each client has at the end, and the connection.
    pub fn standing(&self) -> Vec<(SessionId, ConnectionId)> {
        let mut standing = vec![(usize::MAX, usize::MAX); self.names.len()];
        for (_, fact) in self.facts() {
            if let Fact::Connected {
                client,
                connection,
                session,
                ..
            } = fact
            {
                standing[*client] = (*session, *connection);
            }
        }
        standing
    }

    pub fn name_of(&self, session: SessionId) -> &str {
        &self.names[self.sessions[session].client]
    }

    pub fn describe(&self, message: MessageId) -> String {
        let Message {
            topic,
            qos,
            retain,
            is_clear,
            publisher,
            ..
        } = &self.messages[message];
        let kind = match (retain, is_clear) {
            (_, true) => " clearing",
            (true, _) => " retained",
            _ => "",
        };
        let by = &self.names[*publisher];
        format!(
            "#{message} ({by} to {}, QoS {}{kind})",
            topic.as_str(),
            *qos as u8
        )
    }
}

/// What became of one message at its publisher.
#[derive(Clone, Copy, Debug, Default)]
pub struct Publishing {
    pub first: Option<usize>,
    pub times: usize,
    pub acknowledged: Option<usize>,
}

/// The trace of a run, one fact a line.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, entry) in self.entries.iter().enumerate() {
            let line = self.line(&entry.fact);
            writeln!(f, "{at:>5} {:>7} ms  {line}", entry.at_ms)?;
        }
        Ok(())
    }
}

impl History {
    fn line(&self, fact: &Fact) -> String {
        let name = |client: &usize| &self.names[*client];
        match fact {
            Fact::Connects(connects) => {
                let Connects {
                    client,
                    connection,
                    clean_start,
                    expiry_s,
                    keep_alive_s,
                    will,
                } = connects;
                let will = will.as_ref().map_or_else(String::new, |(will, message)| {
                    format!(", will #{message} after {} s", will.delay_interval)
                });
                let who = name(client);
                format!(
                    "{who} CONNECT on {connection}: clean start {clean_start}, expiry {expiry_s} s, keep alive {keep_alive_s} s{will}"
                )
            }
            Fact::Connected {
                client,
                connection,
                session,
                session_present,
            } => format!(
                "{} CONNACK on {connection}: session {session}, present {session_present}",
                name(client)
            ),
            Fact::Disconnects {
                client,
                connection,
                keeps_will,
                expiry_s,
            } => format!(
                "{} DISCONNECT on {connection}: with will {keeps_will}, expiry {expiry_s} s",
                name(client)
            ),
            Fact::Left { client, connection } => format!("{} leaves {connection}", name(client)),
            Fact::Ended {
                connection,
                by_client,
            } => format!("the broker ends {connection}, by DISCONNECT {by_client}"),
            Fact::Settled { connection } => format!("the end of {connection} is on disk"),
            Fact::Lost { client, count } => {
                let whose = client.map_or("a group", |client| name(&client).as_str());
                format!("{count} of {whose} are lost to limits")
            }
            Fact::Crashed => "the broker crashes and starts again".to_owned(),
            Fact::Undone { client, message } => {
                format!(
                    "{} is to get {} again",
                    name(client),
                    self.describe(*message)
                )
            }
            Fact::Subscribes(subscription) => self.subscription("SUBSCRIBE", subscription),
            Fact::Subscribed(subscription) => self.subscription("SUBACK", subscription),
            Fact::Told {
                client,
                identifier,
                number,
                is_promised,
            } => format!(
                "{} is told that {number} follow, id {identifier}, promised {is_promised}",
                name(client)
            ),
            Fact::Marker { client, identifier } => {
                format!("{} gets the end marker of {identifier}", name(client))
            }
            Fact::Unsubscribes { session, filter } => {
                let who = self.name_of(*session);
                format!("{who} UNSUBSCRIBE {}, session {session}", filter.as_str())
            }
            Fact::Publishes { message } => format!("PUBLISH {}", self.describe(*message)),
            Fact::Acknowledged { message } => format!("acknowledged {}", self.describe(*message)),
            Fact::Received(delivery) => {
                let Delivery {
                    client,
                    session,
                    connection,
                    message,
                    qos,
                    dup,
                    retain,
                    identifiers,
                    expiry_left_s,
                } = delivery;
                let (who, what) = (name(client), self.describe(*message));
                let flags = format!("dup {dup}, retain {retain}, ids {identifiers:?}");
                let left =
                    expiry_left_s.map_or_else(String::new, |left| format!(", {left} s left"));
                format!(
                    "{who} gets {what} at QoS {}, {flags}{left}, session {session} on {connection}",
                    *qos as u8
                )
            }
            Fact::Rested => "all is at rest".to_owned(),
            Fact::Retained { messages } => format!("retained is {messages:?}"),
        }
    }

    fn subscription(&self, what: &str, subscription: &Subscription) -> String {
        let Subscription {
            client,
            session,
            filter,
            options,
            identifier,
            ..
        } = subscription;
        format!(
            "{} {what} {} at QoS {}, {:?}, id {identifier:?}, session {session}",
            self.names[*client],
            filter.as_str(),
            options.qos as u8,
            options.retain_handling
        )
    }
}
