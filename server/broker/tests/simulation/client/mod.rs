//! A client with a store of its own: it repeats what was not acknowledged, remembers what it must for QoS 2, and
//! believes about its session what a real client would.
//!
//! This file has its connection and its session, `publishing` and `subscribing` the two halves of its work. It decides
//! nothing: `run` tells it what to do and carries its bytes. What it sees it writes into the history.

mod publishing;
mod subscribing;

pub use self::subscribing::message_of;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    num::NonZeroU16,
};

use bytes::{Bytes, BytesMut};
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicFilter, TopicName, Version,
    codec::{Decoder, Role, encode},
    packet::{Connect, Disconnect, MessageProperties, Will},
};

use self::publishing::Sent;
use super::{
    history::{ConnectionId, Connects, Fact, History, Message, SessionId, Subscription},
    random::Random,
    roster::Profile,
};

/// What CONNACK may say while the store does not work: in 5.0, and before.
const REFUSALS: [ReasonCode; 2] = [ReasonCode::QuotaExceeded, ReasonCode::ServerUnavailable];

pub struct Client {
    pub index: usize,
    pub profile: Profile,
    line: Option<Line>,
    session: Option<Session>,
    /// A CONNECT has been sent and its answer never came.
    is_unsure: bool,
    next_id: u16,
    /// Its own messages that are not acknowledged for good, in order.
    pending: VecDeque<Sent>,
    /// The last Subscription Identifier of each filter.
    identifiers: BTreeMap<TopicFilter, u32>,
    /// Ids of QoS 2 messages that it has got and that are not released.
    held: BTreeSet<PacketId>,
    /// What the next CONNECT says, if not what the profile does.
    expiry_s: u32,
}

/// Its side of a connection.
struct Line {
    id: ConnectionId,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
    /// CONNACK has come.
    is_ready: bool,
    /// DISCONNECT has been sent: nothing more is.
    is_over: bool,
    clean_start: bool,
    /// Acknowledgements that are due, in order.
    unanswered: VecDeque<Packet>,
    receive_maximum: usize,
    /// Messages at QoS 1 and 2 that have come on this connection and are not acknowledged for good.
    in_flight: BTreeSet<PacketId>,
    /// A SUBSCRIBE has been refused.
    is_refused: bool,
    /// SUBSCRIBE and UNSUBSCRIBE that are not answered.
    asked: BTreeMap<PacketId, Asked>,
}

struct Session {
    id: SessionId,
    is_unsure: bool,
    subscriptions: BTreeSet<TopicFilter>,
}

enum Asked {
    Subscribe(Subscription),
    Unsubscribe,
}

impl Client {
    pub fn new(index: usize, profile: Profile) -> Self {
        Self {
            index,
            expiry_s: profile.expiry_s,
            profile,
            line: None,
            session: None,
            is_unsure: false,
            next_id: 1,
            pending: VecDeque::new(),
            identifiers: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    pub fn connection(&self) -> Option<ConnectionId> {
        self.line.as_ref().map(|line| line.id)
    }

    pub fn is_ready(&self) -> bool {
        self.line
            .as_ref()
            .is_some_and(|line| line.is_ready && !line.is_over)
    }

    /// Everything that it has begun is finished.
    pub fn is_at_rest(&self) -> bool {
        self.line.as_ref().is_some_and(|line| {
            line.is_ready
                && line.unanswered.is_empty()
                && line.asked.is_empty()
                && line.output.is_empty()
        }) && self.pending.is_empty()
            && (self.held.is_empty() || self.is_session_unsure())
    }

    /// A clean start that was never answered may end the session later than it was found: nobody finishes what was under way then.
    fn is_session_unsure(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.is_unsure)
    }

    /// Opens a connection; one that it still has is left as it is.
    pub fn connect(
        &mut self,
        id: ConnectionId,
        clean_start: bool,
        random: &mut Random,
        history: &mut History,
    ) {
        self.leave(history);
        let version = self.profile.version;
        // Before 5.0 there is one flag for both.
        let is_transient = self.profile.expiry_s == 0 || (clean_start && version != Version::V5);
        let clean_start = clean_start || self.profile.expiry_s == 0;
        self.expiry_s = if is_transient {
            0
        } else {
            self.profile.expiry_s
        };
        if clean_start {
            self.begin_session(false, history);
        }
        let will = self.will(id, random, history);
        history.add(Fact::Connects(Connects {
            client: self.index,
            connection: id,
            clean_start,
            expiry_s: self.expiry_s,
            keep_alive_s: self.profile.keep_alive_s,
            will: will.clone(),
        }));
        let is_v5 = version == Version::V5;
        let receive_maximum = NonZeroU16::new(1 + u16::try_from(random.below(6)).expect("small"))
            .filter(|_| is_v5 && random.chance(70));
        let mut decoder = Decoder::new(Role::Client, u32::MAX);
        decoder.set_version(version);
        self.line = Some(Line {
            id,
            decoder,
            input: BytesMut::new(),
            output: BytesMut::new(),
            is_ready: false,
            is_over: false,
            clean_start,
            unanswered: VecDeque::new(),
            receive_maximum: receive_maximum.map_or(65_535, |maximum| maximum.get().into()),
            in_flight: BTreeSet::new(),
            is_refused: false,
            asked: BTreeMap::new(),
        });
        self.send(Packet::Connect(Box::new(Connect {
            version,
            clean_start,
            client_id: self.profile.name.as_str().into(),
            keep_alive: self.profile.keep_alive_s,
            will: will.map(|(will, _)| will),
            session_expiry_interval: (is_v5 && self.expiry_s > 0).then_some(self.expiry_s),
            receive_maximum,
            topic_alias_maximum: if is_v5 && random.chance(40) { 2 } else { 0 },
            ..Connect::default()
        })));
    }

    fn will(
        &self,
        connection: ConnectionId,
        random: &mut Random,
        history: &mut History,
    ) -> Option<(Will, usize)> {
        if !self.profile.has_will || random.chance(15) {
            return None;
        }
        let topic = TopicName::new(format!("will/{}", self.profile.name)).expect("a topic");
        let is_v5 = self.profile.version == Version::V5;
        let qos = *random.pick(&[QoS::AtLeastOnce, QoS::ExactlyOnce]);
        let retain = random.chance(30);
        let message = history.new_message(Message {
            topic: topic.clone(),
            qos,
            retain,
            is_clear: false,
            expiry_s: None,
            publisher: self.index,
            session: self
                .session
                .as_ref()
                .map_or(usize::MAX, |session| session.id),
            will_of: Some(connection),
        });
        let will = Will {
            topic,
            payload: Bytes::from(message.to_string()),
            qos,
            retain,
            delay_interval: if is_v5 {
                *random.pick(&[0, 0, 1, 3, 8])
            } else {
                0
            },
            properties: MessageProperties::default(),
        };
        Some((will, message))
    }

    /// DISCONNECT. With 5.0 it may keep the will, and change how long the session lives.
    pub fn disconnect(&mut self, random: &mut Random, history: &mut History) {
        if !self.is_ready() {
            return;
        }
        let is_v5 = self.profile.version == Version::V5;
        let keeps_will = is_v5 && random.chance(25);
        let mut packet = Disconnect::new(if keeps_will {
            ReasonCode::DisconnectWithWill
        } else {
            ReasonCode::Success
        });
        if is_v5 && self.expiry_s > 0 && self.profile.changes_expiry && random.chance(50) {
            self.expiry_s = *random.pick(&[0, 0, 1, 4, 30]);
            packet.session_expiry_interval = Some(self.expiry_s);
        }
        history.add(Fact::Disconnects {
            client: self.index,
            connection: self.connection().expect("looked at above"),
            keeps_will,
            expiry_s: self.expiry_s,
        });
        self.send(Packet::Disconnect(Box::new(packet)));
        if let Some(line) = &mut self.line {
            line.is_over = true;
        }
    }

    pub fn ping(&mut self) {
        if self.is_ready() {
            self.send(Packet::PingReq);
        }
    }

    /// Its connection is gone, or it takes no notice of it any more.
    pub fn leave(&mut self, history: &mut History) {
        if let Some(line) = self.line.take() {
            self.is_unsure |= !line.is_ready;
            history.add(Fact::Left {
                client: self.index,
                connection: line.id,
            });
        }
    }

    /// What it has to say since the last call.
    pub fn take_output(&mut self) -> Option<(ConnectionId, BytesMut)> {
        let line = self.line.as_mut()?;
        (!line.output.is_empty()).then(|| (line.id, line.output.split()))
    }

    /// Bytes have come over the network.
    pub fn receive(&mut self, bytes: &[u8], history: &mut History) -> Result<(), String> {
        if let Some(line) = &mut self.line {
            line.input.extend_from_slice(bytes);
        }
        while let Some(line) = &mut self.line {
            let decoded = line.decoder.decode(&mut line.input);
            let decoded = decoded.map_err(|violation| {
                format!("{} got what is not MQTT: {violation:?}", self.profile.name)
            })?;
            let Some(packet) = decoded else {
                return Ok(());
            };
            self.handle(packet, history)?;
        }
        Ok(())
    }

    fn handle(&mut self, packet: Packet, history: &mut History) -> Result<(), String> {
        match packet {
            Packet::ConnAck(connack) if connack.reason == ReasonCode::Success => {
                self.handle_connack(connack.session_present, history);
            }
            // The store has failed, and the broker lets nobody in whose session it would have to keep.
            Packet::ConnAck(connack) if REFUSALS.contains(&connack.reason) => {}
            // It has not taken the message either.
            Packet::PubAck(ack) | Packet::PubRec(ack) if ack.reason.is_error() => {
                self.finish(ack.packet_id);
            }
            Packet::PubAck(ack) => self.handle_puback(ack.packet_id, history),
            Packet::PubRec(ack) => self.handle_pubrec(ack.packet_id, history),
            Packet::PubComp(ack) => self.handle_pubcomp(ack.packet_id),
            Packet::Publish(publish) => self.handle_publish(*publish, history)?,
            Packet::PubRel(ack) => self.handle_pubrel(ack.packet_id),
            Packet::SubAck(suback) => self.handle_suback(&suback, history)?,
            Packet::UnsubAck(unsuback) => self.handle_unsuback(unsuback.packet_id)?,
            Packet::PingResp | Packet::Disconnect(_) => {}
            other => return Err(format!("{} got {other:?}", self.profile.name)),
        }
        Ok(())
    }

    fn handle_connack(&mut self, session_present: bool, history: &mut History) {
        let line = self.line.as_mut().expect("a packet has come over it");
        line.is_ready = true;
        let (connection, clean_start) = (line.id, line.clean_start);
        // Whether the session that is there is the one that it knows: one that never ends is, unless a clean start may
        // have put another in its place.
        let is_unsure = self.is_unsure && self.profile.may_be_unsure();
        if !clean_start && (!session_present || is_unsure || self.session.is_none()) {
            self.begin_session(session_present && self.profile.may_be_unsure(), history);
        }
        self.is_unsure = false;
        history.add(Fact::Connected {
            client: self.index,
            connection,
            session: self.session.as_ref().expect("it has one by now").id,
            session_present,
        });
        if session_present {
            self.repeat(history);
        }
    }

    /// Forgets all that belonged to the session before.
    fn begin_session(&mut self, is_unsure: bool, history: &mut History) {
        self.session = Some(Session {
            id: history.new_session(self.index, is_unsure),
            is_unsure,
            subscriptions: BTreeSet::new(),
        });
        self.pending.clear();
        self.held.clear();
    }

    fn new_packet_id(&mut self) -> PacketId {
        // Never used twice in a run: whoever confuses two exchanges is found out.
        let id = NonZeroU16::new(self.next_id).expect("a run is short");
        self.next_id += 1;
        id
    }

    fn send(&mut self, packet: Packet) {
        if let Some(line) = self.line.as_mut().filter(|line| !line.is_over) {
            encode(&packet, self.profile.version, &mut line.output);
        }
    }
}
