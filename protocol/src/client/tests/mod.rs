//! Scripts for the machine, with virtual time: what it is handed, and what must come out.

mod connection;
mod credentials;
mod deadlines;
mod diagnostics;
mod holding;
mod inferring;
mod journal;
mod names;
mod publishing;
mod reconnecting;
mod refusals;
mod restoring;
mod sessions;
mod snapshots;
mod subscribing;

use super::*;
use crate::packet::{Ack, ConnAck, Connect, MessageProperties, Publish, SubAck};
use crate::{Packet, PacketId, QoS, ReasonCode, TopicFilter, TopicName, Version, extension};

/// One client, its time, and the server's side in the test's hands.
struct Script {
    client: Client,
    now: Millis,
}

impl Script {
    fn new(options: Options) -> Self {
        let mut script = Self {
            client: Client::new(0, options),
            now: 0,
        };
        assert_eq!(script.actions(), [Action::Open]);
        script
    }

    /// Connected, CONNECT and the events of it taken.
    fn online(options: Options) -> Self {
        let mut script = Self::new(options);
        script.accept(false);
        script
    }

    /// The transport opens and the server accepts.
    fn accept(&mut self, session_present: bool) {
        self.accept_with(ConnAck::new(ReasonCode::Success, session_present));
    }

    fn accept_with(&mut self, connack: ConnAck) {
        self.client.handle_open(self.now);
        let sent = self.sent();
        assert!(
            sent.len() == 1 && sent[0].starts_with("CONNECT"),
            "{sent:?}"
        );
        self.receive(Packet::ConnAck(Box::new(connack)));
        let state = self.client.state();
        assert!(matches!(state, State::Online { .. }), "{state:?}");
    }

    /// The transport is cut; runs until the machine opens the next.
    fn cut(&mut self) {
        self.client.handle_closed(self.now, "cut");
        self.now = self.client.poll_timeout().expect("a next attempt");
        self.client.handle_timeout(self.now);
        assert_eq!(self.actions(), [Action::Open]);
    }

    fn receive(&mut self, packet: Packet) {
        self.client.handle_packet(self.now, packet);
    }

    fn advance(&mut self, ms: u64) {
        self.now += ms;
        self.client.handle_timeout(self.now);
    }

    fn sent(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.client.poll_packet(self.now))
            .map(|packet| describe(&packet))
            .collect()
    }

    fn packets(&mut self) -> Vec<Packet> {
        std::iter::from_fn(|| self.client.poll_packet(self.now)).collect()
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.client.poll_action()).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    /// The outcomes among the events.
    fn outcomes(&mut self) -> Vec<(PublishHandle, Result<ReasonCode, Error>)> {
        self.events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Acked { handle, result, .. } => Some((handle, result)),
                _ => None,
            })
            .collect()
    }

    /// Topics and recipients of the messages among the events.
    fn messages(&mut self) -> Vec<(String, Vec<SubscriptionHandle>)> {
        self.events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Message {
                    message,
                    subscriptions,
                } => Some((message.topic.as_str().to_owned(), subscriptions)),
                _ => None,
            })
            .collect()
    }

    fn changes(&mut self) -> Vec<(SubscriptionHandle, SubscriptionChange)> {
        self.events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Subscription { handle, change, .. } => Some((handle, change)),
                _ => None,
            })
            .collect()
    }

    fn publish(&mut self, topic: &str, qos: QoS) -> PublishHandle {
        self.publish_with(topic, qos, Delivery::default())
    }

    fn publish_with(&mut self, topic: &str, qos: QoS, delivery: Delivery) -> PublishHandle {
        let published = self.client.publish_with(message(topic, qos), delivery);
        published.expect("there is room")
    }

    /// The entries of the next batch, and its ticket.
    fn batch(&mut self) -> Option<(Ticket, Vec<String>)> {
        let JournalBatch { ticket, entries } = self.client.poll_journal()?;
        Some((ticket, entries.iter().map(entry).collect()))
    }

    /// Stores all there is to store; the entries, and the packets that leave meanwhile.
    fn store(&mut self) -> (Vec<String>, Vec<String>) {
        let mut sent = self.sent();
        let mut stored = Vec::new();
        while let Some((ticket, entries)) = self.batch() {
            stored.extend(entries);
            self.client.handle_committed(ticket);
            sent.extend(self.sent());
        }
        (stored, sent)
    }

    fn subscribe(&mut self, filter: &str) -> SubscriptionHandle {
        let filter = TopicFilter::new(filter).expect("a topic filter");
        let subscribed = self.client.subscribe(filter, Default::default());
        subscribed.expect("there is room")
    }
}

fn options(version: Version) -> Options {
    let mut options = Options::new(Connect {
        version,
        client_id: "test".into(),
        clean_start: true,
        keep_alive: 30,
        ..Connect::default()
    });
    options.seed = 1;
    options
}

/// The options of a client whose store belongs to a session.
fn durable(version: Version) -> Options {
    let mut options = options(version);
    options.durable = true;
    options.has_session = true;
    options
}

fn message(topic: &str, qos: QoS) -> OutgoingMessage {
    OutgoingMessage {
        topic: TopicName::new(topic).expect("a topic name"),
        payload: bytes::Bytes::from_static(b"payload"),
        qos,
        retain: false,
        properties: MessageProperties::default(),
    }
}

/// A journal entry in words.
fn entry(entry: &JournalEntry) -> String {
    match entry {
        JournalEntry::Sent { handle, packet_id } => format!("sent {} as {packet_id}", handle.0),
        JournalEntry::Released { handle } => format!("released {}", handle.0),
        JournalEntry::Finished { handle, result, .. } => {
            format!("finished {} {result:?}", handle.0)
        }
        JournalEntry::Withdrawn { handle } => format!("withdrawn {}", handle.0),
        JournalEntry::Received {
            packet_id, message, ..
        } => {
            let id = packet_id.map_or(0, PacketId::get);
            format!("received {id} {}", message.topic.as_str())
        }
        JournalEntry::Completed { packet_id } => format!("completed {packet_id}"),
        JournalEntry::Unsure { is_unsure: true } => "unsure".to_owned(),
        JournalEntry::Unsure { is_unsure: false } => "sure".to_owned(),
        JournalEntry::Restarted { .. } => "restarted".to_owned(),
        JournalEntry::Subscribed {
            identifier,
            filter,
            used,
        } => {
            let what = if used.ending { "ending" } else { "subscribed" };
            let refresh = if used.refresh { " refresh" } else { "" };
            format!("{what} {identifier} {}{refresh}", filter.as_str())
        }
        JournalEntry::Unsubscribed { identifier } => format!("unsubscribed {identifier}"),
    }
}

fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).expect("not zero")
}

fn ack(id: u16) -> Ack {
    Ack::new(packet_id(id), ReasonCode::Success)
}

fn suback(id: u16, reason: ReasonCode) -> Packet {
    Packet::SubAck(SubAck {
        packet_id: packet_id(id),
        reason_string: None,
        user_properties: Vec::new(),
        reasons: vec![reason],
    })
}

/// A PUBLISH from the server; id 0 is QoS 0.
fn incoming(topic: &str, qos: QoS, id: u16) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(TopicName::new(topic).expect("a topic name")),
        packet_id: PacketId::new(id),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: bytes::Bytes::new(),
    }
}

fn describe(packet: &Packet) -> String {
    match packet {
        Packet::Connect(connect) if connect.clean_start => "CONNECT clean".to_owned(),
        Packet::Connect(_) => "CONNECT".to_owned(),
        Packet::Publish(publish) => {
            let topic = publish.topic.as_ref().map_or("", TopicName::as_str);
            let id = publish.packet_id.map_or(0, PacketId::get);
            let dup = if publish.dup { " dup" } else { "" };
            let alias = publish.topic_alias.map(|alias| format!(" alias {alias}"));
            format!("PUBLISH {id} {topic}{dup}{}", alias.unwrap_or_default())
        }
        Packet::PubAck(ack) => format!("PUBACK {}", ack.packet_id),
        Packet::PubRec(ack) => format!("PUBREC {}", ack.packet_id),
        Packet::PubRel(ack) => format!("PUBREL {}", ack.packet_id),
        Packet::PubComp(ack) => format!("PUBCOMP {}", ack.packet_id),
        Packet::Subscribe(subscribe) => {
            let filter = subscribe.subscriptions[0].filter.as_str();
            let identifier = subscribe.subscription_identifier.unwrap_or(0);
            let asks = extension::is_set(&subscribe.user_properties, extension::SNAPSHOT_ASKED);
            let asks = if asks { " asks" } else { "" };
            format!(
                "SUBSCRIBE {} {filter} #{identifier}{asks}",
                subscribe.packet_id
            )
        }
        Packet::Unsubscribe(unsubscribe) => {
            let filter = unsubscribe.filters[0].as_str();
            format!("UNSUBSCRIBE {} {filter}", unsubscribe.packet_id)
        }
        Packet::PingReq => "PINGREQ".to_owned(),
        Packet::Disconnect(disconnect) => format!("DISCONNECT {:#04x}", disconnect.reason as u8),
        other => format!("{other:?}"),
    }
}
