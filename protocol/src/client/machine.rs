//! The client machine: what comes in from the server and the application, what goes out to them.
//!
//! Connecting and losing connections is in `lifecycle`. A driver calls `handle_*`, then polls until nothing is left:
//! events, packets, actions, in this order, for taking a message makes an acknowledgement and closing comes last.

use std::collections::VecDeque;

use super::{
    Action, Error, Event, IncomingMessage, Limits, Millis, OfflineQos0, Options, OutgoingMessage,
    PublishHandle, State, SubscriptionHandle,
    alias::OutboundAliases,
    backoff::Retry,
    inbound::{Inbound, Owed, Received},
    keep_alive::KeepAlive,
    lifecycle::Phase,
    outbound::{Outbound, Settled},
    packet_ids::PacketIds,
    subscriptions::{Change, Subscriptions},
};
use crate::{
    ByteString, Decoder, Packet, QoS, ReasonCode, TopicFilter,
    packet::{Auth, Publish, SubscriptionOptions},
};

/// The client side of MQTT: one session, any number of connections one after the other.
#[derive(Debug)]
pub struct Client {
    pub(super) options: Options,
    pub(super) phase: Phase,
    pub(super) state: State,
    pub(super) retry: Retry,
    pub(super) ids: PacketIds,
    pub(super) outbound: Outbound,
    pub(super) inbound: Inbound,
    pub(super) subscriptions: Subscriptions,
    /// Those below are of the current connection.
    pub(super) limits: Option<Limits>,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) aliases: OutboundAliases,
    pub(super) control: VecDeque<Packet>,
    pub(super) events: VecDeque<Queued>,
    pub(super) actions: VecDeque<Action>,
    pub(super) was_online: bool,
    pub(super) assigned_client_id: Option<ByteString>,
    pub(super) decoder: Decoder,
}

/// An event, and what is owed to the server once the application takes it.
#[derive(Debug)]
pub(super) struct Queued {
    event: Event,
    owed: Option<Owed>,
}

impl Client {
    /// Answers that wait to be written, at most. A driver that writes before it reads never gets near.
    const CONTROL_PACKETS_MAX: usize = 70_000;

    /// Where the connection stands.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What the server accepts, while connected.
    #[must_use]
    pub fn limits(&self) -> Option<&Limits> {
        self.limits.as_ref()
    }

    /// The options, as given.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The client id that the server assigned, if it did.
    #[must_use]
    pub fn assigned_client_id(&self) -> Option<&str> {
        self.assigned_client_id.as_deref()
    }

    /// Publishes that are not settled yet.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.outbound.len()
    }

    /// Takes a message for publishing; its outcome comes as [`Event::Acked`].
    ///
    /// # Errors
    /// When it is refused at once: closed, no connection (QoS 0), or full.
    pub fn publish(&mut self, message: OutgoingMessage) -> Result<PublishHandle, Error> {
        match self.state {
            State::Closed => return Err(Error::Closed),
            State::Offline { .. } | State::NeedsAuth { .. }
                if message.qos == QoS::AtMostOnce
                    && self.options.offline_qos0 == OfflineQos0::Refuse =>
            {
                return Err(Error::Offline);
            }
            _ => {}
        }
        self.outbound.push(message)
    }

    /// Subscribes, now and after each reconnect that finds no session.
    ///
    /// # Errors
    /// When the client is closed or has too many subscriptions.
    pub fn subscribe(
        &mut self,
        filter: TopicFilter,
        options: SubscriptionOptions,
    ) -> Result<SubscriptionHandle, Error> {
        if self.state == State::Closed {
            return Err(Error::Closed);
        }
        self.subscriptions.subscribe(filter, options, &mut self.ids)
    }

    /// Ends what `subscribe` began. No message comes for this handle any more.
    pub fn unsubscribe(&mut self, handle: SubscriptionHandle) {
        self.subscriptions.unsubscribe(handle);
    }

    /// Sends an AUTH packet, if connected or connecting.
    pub fn authenticate(&mut self, auth: Auth) {
        if matches!(self.phase, Phase::Handshake { .. } | Phase::Online { .. }) {
            self.control.push_back(Packet::Auth(Box::new(auth)));
        }
    }

    /// A packet arrived.
    pub fn handle_packet(&mut self, now: Millis, packet: Packet) {
        if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.received(now);
        }
        if let Err(reason) = self.accept(now, packet) {
            self.fail(now, reason);
        }
    }

    fn accept(&mut self, now: Millis, packet: Packet) -> Result<(), ReasonCode> {
        match (&self.phase, packet) {
            (Phase::Handshake { .. }, Packet::ConnAck(connack)) => {
                return self.handle_connack(now, &connack);
            }
            (Phase::Handshake { .. } | Phase::Online { .. }, Packet::Auth(auth)) => {
                // [MQTT-4.12.0-6]
                if self.options.connect.authentication_method.is_none() {
                    return Err(ReasonCode::ProtocolError);
                }
                self.push_event(Event::Auth(*auth));
            }
            (Phase::Handshake { .. } | Phase::Online { .. }, Packet::Disconnect(disconnect)) => {
                self.handle_disconnect(now, &disconnect);
            }
            (Phase::Handshake { .. }, _) => return Err(ReasonCode::ProtocolError),
            (Phase::Online { .. }, packet) => return self.accept_online(now, packet),
            // The connection is over; this was on its way.
            (Phase::Idle | Phase::Waiting { .. } | Phase::Opening { .. } | Phase::Closed, _) => {}
        }
        Ok(())
    }

    fn accept_online(&mut self, now: Millis, packet: Packet) -> Result<(), ReasonCode> {
        match packet {
            Packet::Publish(publish) => return self.accept_publish(now, *publish),
            Packet::PubAck(ack) => {
                let settled = self.outbound.puback(&ack, &mut self.ids);
                self.push_settled(settled);
            }
            Packet::PubRec(ack) => {
                let (answer, settled) = self.outbound.pubrec(&ack, &mut self.ids);
                self.push_settled(settled);
                if let Some(answer) = answer {
                    self.push_control(answer)?;
                }
            }
            Packet::PubRel(ack) => {
                let answer = self.inbound.pubrel(&ack);
                self.push_control(answer)?;
            }
            Packet::PubComp(ack) => {
                let settled = self.outbound.pubcomp(&ack, &mut self.ids);
                self.push_settled(settled);
            }
            Packet::SubAck(suback) => {
                let changes = self.subscriptions.suback(&suback, &mut self.ids);
                self.push_changes(changes);
            }
            Packet::UnsubAck(unsuback) => {
                if let Some(handle) = self.subscriptions.unsuback(&unsuback, &mut self.ids) {
                    self.push_event(Event::Unsubscribed { handle });
                }
            }
            Packet::PingResp => {
                if let Some(keep_alive) = &mut self.keep_alive {
                    self.subscriptions.ponged(now, keep_alive.answered());
                }
            }
            // What only a client sends, or a second CONNACK.
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Disconnect(_)
            | Packet::Auth(_) => return Err(ReasonCode::ProtocolError),
        }
        Ok(())
    }

    fn accept_publish(&mut self, now: Millis, publish: Publish) -> Result<(), ReasonCode> {
        let (topic, owed) = match self.inbound.publish(&publish)? {
            Received::New(topic, owed) => (topic, owed),
            Received::Duplicate(answer) => return self.push_control(answer),
        };
        let Some(limits) = &self.limits else {
            return Ok(());
        };
        let subscriptions = self.subscriptions.recipients(now, &publish, &topic, limits);
        let message = IncomingMessage {
            topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            properties: publish.properties,
        };
        self.events.push_back(Queued {
            event: Event::Message {
                message,
                subscriptions,
            },
            owed,
        });
        Ok(())
    }

    /// The next event. Taking a message acknowledges it.
    pub fn poll_event(&mut self) -> Option<Event> {
        let Queued { event, owed } = self.events.pop_front()?;
        if let Some(owed) = owed
            && matches!(self.phase, Phase::Online { .. })
            && let Some(ack) = self.inbound.taken(owed)
        {
            self.control.push_back(ack);
        }
        Some(event)
    }

    /// The next packet to write.
    pub fn poll_packet(&mut self, now: Millis) -> Option<Packet> {
        let packet = self.next_packet(now)?;
        if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.sent(now);
        }
        Some(packet)
    }

    fn next_packet(&mut self, now: Millis) -> Option<Packet> {
        if let Some(packet) = self.control.pop_front() {
            return Some(packet);
        }
        if !matches!(self.phase, Phase::Online { .. }) {
            return None;
        }
        let limits = self.limits.clone()?;
        while let Some((packet, changes)) = self.subscriptions.poll(&limits, &mut self.ids) {
            self.push_changes(changes);
            if packet.is_some() {
                return packet;
            }
        }
        if self.subscriptions.wants_ping()
            && let Some(keep_alive) = &mut self.keep_alive
        {
            self.subscriptions.pinged(keep_alive.ping(now));
            return Some(Packet::PingReq);
        }
        while let Some((packet, settled)) = self.outbound.poll(&limits, &mut self.ids) {
            self.push_settled(settled);
            if let Some(mut packet) = packet {
                let fits = limits.has_room(&packet, OutboundAliases::ANNOUNCEMENT_BYTES_MAX);
                if let Packet::Publish(publish) = &mut packet
                    && fits
                {
                    self.aliases.apply(publish);
                }
                return Some(packet);
            }
        }
        None
    }

    /// What to do with the transport, after all packets have been polled.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub(super) fn push_event(&mut self, event: Event) {
        self.events.push_back(Queued { event, owed: None });
    }

    pub(super) fn push_settled(&mut self, settled: impl IntoIterator<Item = Settled>) {
        for (handle, result) in settled {
            self.push_event(Event::Acked { handle, result });
        }
    }

    pub(super) fn push_changes(&mut self, changes: Vec<Change>) {
        for (handle, change) in changes {
            self.push_event(Event::Subscription { handle, change });
        }
    }

    fn push_control(&mut self, packet: Packet) -> Result<(), ReasonCode> {
        if self.control.len() >= Self::CONTROL_PACKETS_MAX {
            return Err(ReasonCode::MessageRateTooHigh);
        }
        self.control.push_back(packet);
        Ok(())
    }
}
