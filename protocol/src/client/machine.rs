//! The client machine: what comes in from the server and the application, what goes out to them.
//!
//! Connecting and losing connections is in `lifecycle`, what belongs to durability in `durable`. A driver calls
//! `handle_*`, then polls until nothing is left: events, packets, the journal, actions, in this order, for taking a
//! message makes an acknowledgement, packets make journal entries, and closing comes last.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{
    Action, Delivery, Error, Event, Figures, IncomingMessage, JournalEntry, Limits, Millis,
    OfflineQos0, Options, OutgoingMessage, PublishHandle, State, SubscriptionHandle, Use,
    alias::OutboundAliases,
    backoff::Retry,
    diagnostics::said,
    inbound::{Inbound, Owed, Received},
    journal::{Effect, Journal},
    keep_alive::KeepAlive,
    lifecycle::Phase,
    outbound::Outbound,
    packet_ids::PacketIds,
    session::Wipe,
    subscriptions::Subscriptions,
};
use crate::{
    ByteString, Decoder, Packet, QoS, ReasonCode, TopicFilter, extension,
    packet::{Auth, Publish, SubscriptionOptions, UserProperty},
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
    pub(super) journal: Journal,
    /// Stored, and acknowledged once there is room.
    pub(super) held: VecDeque<Owed>,
    pub(super) holds: bool,
    pub(super) has_session: bool,
    /// As the server named it, if it does.
    pub(super) session_name: Option<ByteString>,
    /// CONNECT was sent and not answered.
    pub(super) awaits_connack: bool,
    /// So it was before, here or in an earlier run, and perhaps a session began of which nobody was told.
    pub(super) is_unsure: bool,
    pub(super) wipe: Wipe,
    /// The server had a session, and what was stored of it is gone.
    pub(super) is_evicted: bool,
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
    pub(super) event: Event,
    pub(super) owed: Option<Owed>,
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

    /// What is under way, for people.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let [waiting, sent, released, unacknowledged] = self.outbound.counts();
        Figures {
            waiting,
            sent,
            released,
            unacknowledged,
            uncommitted: self.journal.waiting(),
            held: self.held.len(),
            subscriptions: self.subscriptions.len(),
            awaits_ping: self.keep_alive.as_ref().is_some_and(KeepAlive::is_waiting),
        }
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
        self.publish_with(message, Delivery::default())
    }

    /// As [`Client::publish`].
    ///
    /// # Errors
    /// As there.
    pub fn publish_with(
        &mut self,
        message: OutgoingMessage,
        delivery: Delivery,
    ) -> Result<PublishHandle, Error> {
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
        self.outbound.push(message, delivery, &self.journal)
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
        self.subscribe_with(filter, options.into(), Vec::new())
    }

    /// As [`Client::subscribe`], with User Properties for SUBSCRIBE.
    ///
    /// # Errors
    /// As there.
    pub fn subscribe_with(
        &mut self,
        filter: TopicFilter,
        used: Use,
        user_properties: Vec<UserProperty>,
    ) -> Result<SubscriptionHandle, Error> {
        if matches!(self.state, State::Closed) {
            return Err(Error::Closed);
        }
        let (ids, journal) = (&mut self.ids, &mut self.journal);
        self.subscriptions
            .subscribe(filter, used, user_properties, ids, journal)
    }

    /// Ends what `subscribe` began. No message comes for this handle any more.
    pub fn unsubscribe(&mut self, handle: SubscriptionHandle) {
        self.unsubscribe_with(handle, Vec::new());
    }

    /// As [`Client::unsubscribe`], with User Properties for UNSUBSCRIBE, if one is sent: the last use of a filter ends it.
    pub fn unsubscribe_with(
        &mut self,
        handle: SubscriptionHandle,
        user_properties: Vec<UserProperty>,
    ) {
        self.subscriptions
            .unsubscribe(handle, user_properties, &mut self.ids);
    }

    /// Sends an AUTH packet, if connected or connecting.
    pub fn authenticate(&mut self, auth: Auth) {
        if matches!(self.phase, Phase::Handshake { .. } | Phase::Online { .. }) {
            self.push_short(Packet::Auth(Box::new(auth)));
        }
    }

    /// Without what is for people, should it be too much for the server.
    pub(super) fn push_short(&mut self, packet: Packet) {
        let packet = match &self.limits {
            Some(limits) => limits.shortened(packet),
            None => packet,
        };
        self.control.push_back(packet);
    }

    /// A packet arrived.
    pub fn handle_packet(&mut self, now: Millis, packet: Packet) {
        self.heard(now);
        self.take(now, packet);
    }

    pub(super) fn take(&mut self, now: Millis, packet: Packet) {
        if let Err(reason) = self.accept(now, packet) {
            self.fail(now, reason);
        }
    }

    /// The server lives.
    pub(super) fn heard(&mut self, now: Millis) {
        if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.received(now);
        }
    }

    fn accept(&mut self, now: Millis, packet: Packet) -> Result<(), ReasonCode> {
        match (&self.phase, packet) {
            (Phase::Handshake { .. }, Packet::ConnAck(connack)) => {
                return self.handle_connack(now, connack);
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
        let (ids, journal) = (&mut self.ids, &mut self.journal);
        match packet {
            Packet::Publish(publish) => return self.accept_publish(now, *publish),
            Packet::PubAck(ack) => {
                let answered = self.outbound.puback(now, &ack, ids, journal);
                self.push_answered(answered);
            }
            Packet::PubRec(ack) => {
                let (answer, answered) = self.outbound.pubrec(now, &ack, ids, journal);
                self.push_answered(answered);
                if let Some(answer) = answer {
                    self.answer(Effect::Packet(answer))?;
                }
            }
            Packet::PubRel(ack) => {
                let answer = self.inbound.pubrel(&ack, journal);
                self.answer(Effect::Packet(answer))?;
            }
            Packet::PubComp(ack) => {
                if let Some(settled) = self.outbound.pubcomp(&ack, ids) {
                    self.push_settled(settled);
                }
            }
            Packet::SubAck(suback) => {
                let changes = self.subscriptions.suback(&suback, ids, journal);
                let text = suback.reason_string.as_ref();
                let diagnostics = said(text, &suback.user_properties, None);
                self.push_told(changes, &diagnostics);
            }
            Packet::UnsubAck(unsuback) => {
                if let Some(handle) = self.subscriptions.unsuback(&unsuback, ids, journal) {
                    let text = unsuback.reason_string.as_ref();
                    self.push_event(Event::Unsubscribed {
                        handle,
                        reason: unsuback
                            .reasons
                            .first()
                            .copied()
                            .unwrap_or(ReasonCode::Success),
                        diagnostics: said(text, &unsuback.user_properties, None),
                    });
                }
            }
            Packet::PingResp => {
                let is_clear = self.inbound.is_clear();
                if let Some(keep_alive) = &mut self.keep_alive {
                    (self.subscriptions).ponged(now, keep_alive.answered(), is_clear);
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
            Received::Duplicate(owed) => return self.answer(Effect::Acknowledge(owed)),
        };
        let Some(limits) = &self.limits else {
            return Ok(());
        };
        if limits.snapshots
            && let Some(identifier) = extension::ended(&topic)
        {
            let changes = self.subscriptions.ended(identifier);
            self.push_changes(changes);
            return Ok(());
        }
        let (subscriptions, changes) = self.subscriptions.recipients(now, &publish, &topic, limits);
        let message = IncomingMessage {
            topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            properties: publish.properties,
        };
        if self.journal.is_on()
            && let Some(owed) = owed
        {
            let is_exact = publish.qos == QoS::ExactlyOnce;
            self.journal.write(JournalEntry::Received {
                packet_id: publish.packet_id.filter(|_| is_exact),
                message,
                subscriptions,
            });
            self.answer(Effect::Acknowledge(owed))?;
            self.push_changes(changes);
            return Ok(());
        }
        self.events.push_back(Queued {
            event: Event::Message {
                message,
                subscriptions,
            },
            owed,
        });
        self.push_changes(changes);
        Ok(())
    }

    /// The next event, if it is a message. It stays, unacknowledged, until [`Client::poll_event`] takes it.
    #[must_use]
    pub fn next_message(&self) -> Option<&IncomingMessage> {
        match self.events.front() {
            Some(Queued {
                event: Event::Message { message, .. },
                ..
            }) => Some(message),
            _ => None,
        }
    }

    /// The next event. Taking a message acknowledges it, unless acknowledgements are held.
    pub fn poll_event(&mut self) -> Option<Event> {
        let Queued { event, owed } = self.events.pop_front()?;
        if let Some(owed) = owed {
            self.let_go(Effect::Acknowledge(owed));
        }
        Some(event)
    }

    pub(super) fn acknowledge(&mut self, owed: Owed) {
        if matches!(self.phase, Phase::Online { .. })
            && let Some(ack) = self.inbound.taken(owed)
        {
            self.control.push_back(ack);
        }
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
        while let Some((packet, changes)) =
            self.subscriptions
                .poll(&limits, &mut self.ids, &mut self.journal)
        {
            self.push_changes(changes);
            if let Some(packet) = packet
                && let Some(Effect::Packet(packet)) = self.journal.gate(Effect::Packet(packet))
            {
                return Some(packet);
            }
        }
        // Behind the last acknowledgement: what the server had no room for comes before its answer.
        if let Some(keep_alive) = &mut self.keep_alive
            && self.subscriptions.asks(
                keep_alive.next_number(),
                self.inbound.is_clear() && !keep_alive.is_waiting(),
            )
        {
            keep_alive.ping(now);
            return Some(Packet::PingReq);
        }
        while let Some((packet, settled)) =
            self.outbound
                .poll(now, &limits, &mut self.ids, &mut self.journal)
        {
            if let Some(settled) = settled {
                self.push_settled(settled);
            }
            let Some(mut packet) = packet else { continue };
            let fits = limits.has_room(&packet, OutboundAliases::ANNOUNCEMENT_BYTES_MAX);
            if let Packet::Publish(publish) = &mut packet {
                if fits {
                    self.aliases.apply(publish);
                }
                return Some(packet);
            }
            if let Some(Effect::Packet(release)) = self.journal.gate(Effect::Packet(packet)) {
                return Some(release);
            }
        }
        None
    }

    /// What to do with the transport, after all packets have been polled.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Answers the server, once everything it stands for is stored.
    fn answer(&mut self, answer: Effect) -> Result<(), ReasonCode> {
        let waiting = self.control.len() + self.journal.waiting() + self.held.len();
        if waiting >= Self::CONTROL_PACKETS_MAX {
            return Err(ReasonCode::MessageRateTooHigh);
        }
        self.gate(answer);
        Ok(())
    }
}
