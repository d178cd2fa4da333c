//! The client subscribes, and gets messages. It acknowledges in order, when it is told to.

use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicFilter, Version, extension,
    packet::{
        Ack, MessageProperties, Publish, RetainHandling, SubAck, Subscribe,
        Subscription as Requested, SubscriptionOptions, Unsubscribe,
    },
};

use super::{Asked, Client};
use crate::{
    history::{Delivery, Fact, History, MessageId, Subscription},
    random::Random,
};

impl Client {
    /// Whether it has subscribed to all that it always subscribes to.
    pub fn is_subscribed(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| {
            let mut filters = self.profile.always.iter();
            filters.all(|filter| session.subscriptions.contains(&parse(filter)))
        })
    }

    /// Whether a SUBSCRIBE has been refused since this was asked last.
    pub fn take_refusal(&mut self) -> bool {
        let line = self.line.as_mut();
        line.is_some_and(|line| std::mem::take(&mut line.is_refused))
    }

    /// Subscribes to what it always subscribes to and is not yet: to one after the other, as they are answered.
    pub fn subscribe_always(&mut self, random: &mut Random, history: &mut History) {
        let subscriptions = self.session.as_ref().map(|session| &session.subscriptions);
        let is_missing = |filter: &&&str| {
            subscriptions.is_none_or(|subscriptions| !subscriptions.contains(&parse(filter)))
        };
        if let Some(filter) = self.profile.always.iter().find(is_missing) {
            self.subscribe(filter, random, history);
        }
    }

    /// Subscribes to something, or ends a subscription that it chose before.
    pub fn change_subscription(&mut self, random: &mut Random, history: &mut History) {
        if self.profile.sometimes.is_empty() {
            return;
        }
        let filter = *random.pick(self.profile.sometimes);
        let session = self.session.as_ref();
        let has_it = session.is_some_and(|session| session.subscriptions.contains(&parse(filter)));
        if has_it && random.chance(60) {
            self.unsubscribe(filter, history);
        } else {
            self.subscribe(filter, random, history);
        }
    }

    fn subscribe(&mut self, filter: &str, random: &mut Random, history: &mut History) {
        if !self.is_ready() || self.is_asked() {
            return;
        }
        let filter = parse(filter);
        let is_v5 = self.profile.version == Version::V5;
        let options = SubscriptionOptions {
            qos: *random.pick(self.profile.granted),
            no_local: is_v5 && self.profile.no_local && filter.share().is_none(),
            retain_as_published: false,
            retain_handling: match random.below(4) {
                0 if is_v5 => RetainHandling::SendIfNew,
                1 if is_v5 && self.profile.always.is_empty() => RetainHandling::DoNotSend,
                _ => RetainHandling::Send,
            },
        };
        let identifier = is_v5.then(|| self.identifier(&filter, random, history));
        let subscription = Subscription {
            client: self.index,
            session: self.session.as_ref().expect("it is ready").id,
            filter: filter.clone(),
            options,
            identifier,
        };
        let times = match self.profile.repeats {
            true => 1 + random.below(3),
            false => 1,
        };
        for _ in 0..times {
            history.add(Fact::Subscribes(subscription.clone()));
            let packet_id = self.ask(Asked::Subscribe(subscription.clone()));
            let asked = is_v5.then(|| extension::set(extension::SNAPSHOT_ASKED));
            self.send(Packet::Subscribe(Subscribe {
                packet_id,
                subscription_identifier: identifier,
                user_properties: asked.into_iter().collect(),
                subscriptions: vec![Requested {
                    filter: filter.clone(),
                    options,
                }],
            }));
        }
    }

    /// A new one, or that which the filter had the last time.
    fn identifier(&mut self, filter: &TopicFilter, random: &mut Random, history: &History) -> u32 {
        let new = u32::try_from(history.entries.len()).expect("small") + 1;
        let before = self.identifiers.get(filter).copied();
        let identifier = before.filter(|_| random.chance(60)).unwrap_or(new);
        self.identifiers.insert(filter.clone(), identifier);
        identifier
    }

    fn unsubscribe(&mut self, filter: &str, history: &mut History) {
        if !self.is_ready() || self.is_asked() {
            return;
        }
        let filter = parse(filter);
        let session = self.session.as_mut().expect("it is ready");
        session.subscriptions.remove(&filter);
        history.add(Fact::Unsubscribes {
            session: session.id,
            filter: filter.clone(),
        });
        let packet_id = self.ask(Asked::Unsubscribe);
        self.send(Packet::Unsubscribe(Unsubscribe {
            packet_id,
            user_properties: Vec::new(),
            filters: vec![filter],
        }));
    }

    /// One request at a time, or the same several times, so that an answer says what is in force.
    fn is_asked(&self) -> bool {
        self.line
            .as_ref()
            .is_some_and(|line| !line.asked.is_empty())
    }

    fn ask(&mut self, asked: Asked) -> PacketId {
        let packet_id = self.new_packet_id();
        let line = self.line.as_mut().expect("it is ready");
        line.asked.insert(packet_id, asked);
        packet_id
    }

    pub(super) fn handle_suback(
        &mut self,
        suback: &SubAck,
        history: &mut History,
    ) -> Result<(), String> {
        let id = suback.packet_id;
        let is_refused = suback.reasons.iter().any(|reason| reason.is_error());
        match self.answered(id) {
            // The store has failed.
            Some(Asked::Subscribe(_)) if is_refused => {
                self.line.as_mut().expect("it is ready").is_refused = true;
                Ok(())
            }
            Some(Asked::Subscribe(subscription)) => {
                let session = self.session.as_mut().expect("it is ready");
                session.subscriptions.insert(subscription.filter.clone());
                let identifier = subscription.identifier;
                history.add(Fact::Subscribed(subscription));
                self.handle_announcement(suback, identifier, history)
            }
            _ => Err(format!("{} got SUBACK {id} unasked", self.profile.name)),
        }
    }

    /// Whoever asks is told, unless the version has no room for it.
    fn handle_announcement(
        &self,
        suback: &SubAck,
        identifier: Option<u32>,
        history: &mut History,
    ) -> Result<(), String> {
        let properties = &suback.user_properties;
        let numbers: Vec<_> = extension::values(properties, extension::RETAINED).collect();
        let name = &self.profile.name;
        let wrong = || format!("{name} asked, and was told {properties:?}");
        match (identifier, &numbers[..]) {
            (None, []) => {}
            (Some(identifier), [number]) => history.add(Fact::Told {
                client: self.index,
                identifier,
                number: number.parse().map_err(|_| wrong())?,
                is_promised: extension::is_set(properties, extension::END),
            }),
            _ => return Err(wrong()),
        }
        Ok(())
    }

    pub(super) fn handle_unsuback(&mut self, id: PacketId) -> Result<(), String> {
        match self.answered(id) {
            Some(Asked::Unsubscribe) => Ok(()),
            _ => Err(format!("{} got UNSUBACK {id} unasked", self.profile.name)),
        }
    }

    fn answered(&mut self, id: PacketId) -> Option<Asked> {
        self.line.as_mut()?.asked.remove(&id)
    }

    pub(super) fn handle_publish(
        &mut self,
        publish: Publish,
        history: &mut History,
    ) -> Result<(), String> {
        if let Some(identifier) = publish.topic.as_ref().and_then(extension::ended) {
            history.add(Fact::Marker {
                client: self.index,
                identifier,
            });
            return Ok(());
        }
        let is_repeated = match publish.packet_id {
            Some(id) if publish.qos == QoS::ExactlyOnce => !self.held.insert(id),
            _ => false,
        };
        let name = &self.profile.name;
        let line = self.line.as_mut().expect("a packet has come over it");
        if let Some(id) = publish.packet_id {
            if !line.in_flight.insert(id) {
                return Err(format!("{name} got {id} again before it had answered"));
            }
            if line.in_flight.len() > line.receive_maximum {
                return Err(format!("{name} got more than its Receive Maximum"));
            }
            let ack = Ack::new(id, ReasonCode::Success);
            line.unanswered.push_back(match publish.qos {
                QoS::ExactlyOnce => Packet::PubRec(ack),
                _ => Packet::PubAck(ack),
            });
        }
        if is_repeated && !publish.dup {
            return Err(format!(
                "{name} got {:?} again without DUP",
                publish.packet_id
            ));
        }
        // What a 3.1.1 client gets without payload says no more than that.
        let Some(message) =
            message_of(&publish.properties, &publish.payload).filter(|_| !is_repeated)
        else {
            return Ok(());
        };
        history.add(Fact::Received(Delivery {
            client: self.index,
            session: self.session.as_ref().expect("it is ready").id,
            connection: line.id,
            message,
            qos: publish.qos,
            dup: publish.dup,
            retain: publish.retain,
            identifiers: publish.subscription_identifiers,
            expiry_left_s: publish.properties.message_expiry_interval,
        }));
        Ok(())
    }

    pub(super) fn handle_pubrel(&mut self, id: PacketId) {
        self.held.remove(&id);
        let line = self.line.as_mut().expect("a packet has come over it");
        let pubcomp = Packet::PubComp(Ack::new(id, ReasonCode::Success));
        line.unanswered.push_back(pubcomp);
    }

    /// Sends some of the acknowledgements that are due.
    pub fn answer(&mut self, count: usize) {
        let Some(line) = &mut self.line else { return };
        let count = count.min(line.unanswered.len());
        let packets: Vec<Packet> = line.unanswered.drain(..count).collect();
        for packet in &packets {
            if let Packet::PubAck(ack) | Packet::PubComp(ack) = packet {
                line.in_flight.remove(&ack.packet_id);
            }
        }
        for packet in packets {
            self.send(packet);
        }
    }
}

pub fn message_of(properties: &MessageProperties, payload: &[u8]) -> Option<MessageId> {
    let text = match &properties.correlation_data {
        Some(data) => std::str::from_utf8(data).ok()?,
        None => std::str::from_utf8(payload).ok()?,
    };
    text.split(' ').next()?.parse().ok()
}

fn parse(filter: &str) -> TopicFilter {
    TopicFilter::new(filter).expect("a filter")
}
